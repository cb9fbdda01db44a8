/* The contract of pools: what each public function refuses, and that nothing happened then.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_REFUSALS_H
#define PLAIT_TESTS_POOL_REFUSALS_H

#include "pool_support.h"

#include <limits.h>

static int no_source(void *item, void *arg)
{
    (void)item;
    (void)arg;
    return 0;
}

static int give_one(void *item, void *arg)
{
    (void)item;
    (void)arg;
    return 1;
}

static int no_row(const void *const *row, void *out, void *ctx)
{
    (void)row;
    (void)out;
    (void)ctx;
    return 0;
}

static void no_callback(plait_future *future, void *arg)
{
    (void)future;
    (void)arg;
}

TEST(a_null_pool_is_refused_or_harmless)
{
    plait_job job = { .fn = count };
    plait_items none = plait_items_of(NULL, 0, 0);
    plait_pool_usage usage;
    plait_future *future = NULL;
    plait_imap *imap = NULL;

    CHECK_INT(plait_pool_submit(NULL, &future, &job, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_apply(NULL, &job, NULL, 0, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_map(NULL, count, none, none, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_map_async(NULL, &future, count, none, none, NULL), -EINVAL);
    CHECK_INT(plait_pool_starmap(NULL, no_row, plait_rows_of(NULL, 0), none, NULL, PLAIT_NOWAIT),
              -EINVAL);
    CHECK_INT(plait_pool_starmap_async(NULL, &future, no_row, plait_rows_of(NULL, 0), none, NULL),
              -EINVAL);
    CHECK_INT(plait_pool_imap(NULL, &imap, count, no_source, NULL, NULL), -EINVAL);
    CHECK_INT(plait_imap_next(NULL, NULL, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_close(NULL), -EINVAL);
    CHECK_INT(plait_pool_drain(NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_terminate(NULL), -EINVAL);
    CHECK_INT(plait_pool_join(NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_resize(NULL, 1), -EINVAL);
    CHECK_INT(plait_pool_stats(NULL, &usage), -EINVAL);
    plait_pool_destroy(NULL);
    plait_imap_destroy(NULL);
    CHECK(future == NULL && imap == NULL);
}

TEST(a_null_future_is_refused_or_harmless)
{
    plait_future *one[1] = { NULL };
    plait_completed *completed = NULL;
    plait_result result;
    const void *bytes = NULL;
    size_t at = 0;

    CHECK_INT(plait_future_wait(NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_future_get(NULL, NULL, 0, PLAIT_NOWAIT), -EINVAL);
    CHECK(!plait_future_is_ready(NULL));
    CHECK_INT(plait_future_is_successful(NULL), -EINVAL);
    CHECK_INT(plait_future_result(NULL, &result), -EINVAL);
    CHECK_STR(plait_future_message(NULL), "");
    CHECK_INT(plait_future_bytes(NULL, &bytes), -EINVAL);
    CHECK_INT(plait_future_cancel(NULL, false), -EINVAL);
    CHECK_INT(plait_future_then(NULL, no_callback, NULL), -EINVAL);
    CHECK(plait_future_ref(NULL) == NULL);
    plait_future_unref(NULL);
    CHECK_INT(plait_futures_wait(one, 1, PLAIT_WAIT_ALL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_futures_wait(NULL, 1, PLAIT_WAIT_ALL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_completed_create(&completed, one, 1), -EINVAL);
    CHECK_INT(plait_completed_create(&completed, NULL, 1), -EINVAL);
    CHECK_INT(plait_completed_create(NULL, NULL, 0), -EINVAL);
    CHECK_INT(plait_completed_next(NULL, &at, PLAIT_NOWAIT), -EINVAL);
    plait_completed_destroy(NULL);
}

TEST(a_pool_is_refused_that_cannot_be)
{
    CHECK_INT(plait_pool_create(NULL, KIND, NULL), -EINVAL);
    CHECK_INT(plait_pool_create(&pool, (plait_kind)0, NULL), -EINVAL);
    CHECK_INT(plait_pool_create(&pool, (plait_kind)77, NULL), -EINVAL);
    CHECK_INT(plait_pool_create(&pool, KIND, &(plait_pool_opts){ .lanes = 9 }), -EINVAL);
    CHECK_INT(plait_pool_create(&pool, KIND, &(plait_pool_opts){ .max_age_ms = -1 }), -EINVAL);
    CHECK_INT(plait_pool_create(&pool, KIND, &(plait_pool_opts){ .grace_ms = -1 }), -EINVAL);
    CHECK(plait_pool_create(&pool, KIND, &(plait_pool_opts){ .workers = SIZE_MAX }) < 0);
    plait_pool_destroy(pool);
}

TEST(a_job_is_refused_that_cannot_be)
{
    plait_future *future = NULL;
    plait_job good = { .fn = count };
    plait_job bad[] = {
        { 0 },
        { .fn = count, .in_bytes = 4 },
        { .fn = count, .ctx_bytes = 4 },
        { .fn = count, .lane = 1 },
        { .fn = count, .soft_ms = -1 },
        { .fn = count, .hard_ms = -1 },
    };

    create_with(1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = plait_pool_submit(pool, &future, &bad[i], PLAIT_NOWAIT);
        if (rc != -EINVAL)
            test_fail(__FILE__, __LINE__, "bad job %zu: %d", i, rc);
        CHECK_INT(plait_pool_apply(pool, &bad[i], NULL, 0, PLAIT_NOWAIT), -EINVAL);
    }
    CHECK_INT(plait_pool_submit(pool, &future, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_submit(pool, NULL, &good, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_apply(pool, NULL, NULL, 0, PLAIT_NOWAIT), -EINVAL);
    CHECK(future == NULL);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_entered), 0);
    destroy();
}

TEST(a_job_of_an_impossible_size_is_refused)
{
    plait_job job = { .fn = count, .out_bytes = SIZE_MAX - 100 };
    plait_future *future = NULL;
    int rc;

    create_with(1);
    rc = plait_pool_submit(pool, &future, &job, PLAIT_NOWAIT);
    CHECK(rc == -ENOMEM || rc == -EINVAL);
    CHECK(future == NULL);
    check_square(submit_square(2), 2);
    destroy();
}

TEST(a_map_is_refused_that_cannot_be)
{
    long in[4] = { 0 }, out[3];
    plait_future *future = NULL;
    plait_items none = plait_items_of(NULL, 0, 0);
    plait_items columns[2] = { PLAIT_IN(in), PLAIT_IN(out) };

    create_with(1);
    CHECK_INT(plait_pool_map(pool, NULL, PLAIT_IN(in), PLAIT_OUT(in), NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_map(pool, count, PLAIT_IN(in), PLAIT_OUT(out), NULL, PLAIT_NOWAIT),
              -EINVAL);
    CHECK_INT(
        plait_pool_map(pool, count, plait_items_of(NULL, 4, 4), PLAIT_OUT(in), NULL, PLAIT_NOWAIT),
        -EINVAL);
    CHECK_INT(
        plait_pool_map(pool, count, PLAIT_IN(in), plait_items_of(NULL, 8, 4), NULL, PLAIT_NOWAIT),
        -EINVAL);
    CHECK_INT(plait_pool_map(pool, count, PLAIT_IN(in), PLAIT_OUT(in),
                             &(plait_map_opts){ .lane = 8 }, PLAIT_NOWAIT),
              -EINVAL);
    CHECK_INT(plait_pool_map(pool, count, plait_items_of(in, SIZE_MAX / 2, 4), PLAIT_OUT(in), NULL,
                             PLAIT_NOWAIT),
              -EINVAL);
    CHECK_INT(plait_pool_map_async(pool, NULL, count, PLAIT_IN(in), PLAIT_OUT(in), NULL), -EINVAL);
    CHECK_INT(plait_pool_map_async(pool, &future, NULL, none, none, NULL), -EINVAL);
    CHECK_INT(
        plait_pool_starmap(pool, no_row, PLAIT_ROWS(columns), PLAIT_OUT(in), NULL, PLAIT_NOWAIT),
        -EINVAL);
    CHECK_INT(
        plait_pool_starmap(pool, no_row, plait_rows_of(NULL, 2), PLAIT_OUT(in), NULL, PLAIT_NOWAIT),
        -EINVAL);
    CHECK(future == NULL);
    CHECK_INT(load(&board->n_entered), 0);
    destroy();
}

TEST(an_imap_is_refused_that_cannot_be)
{
    plait_imap_opts opts = { .in_bytes = 4 };
    plait_imap *imap = NULL;

    create_with(1);
    CHECK_INT(plait_pool_imap(pool, NULL, count, no_source, NULL, &opts), -EINVAL);
    CHECK_INT(plait_pool_imap(pool, &imap, NULL, no_source, NULL, &opts), -EINVAL);
    CHECK_INT(plait_pool_imap(pool, &imap, count, NULL, NULL, &opts), -EINVAL);
    opts.lane = 7;
    CHECK_INT(plait_pool_imap(pool, &imap, count, give_one, NULL, &opts), -EINVAL);
    CHECK(imap == NULL);
    destroy();
}

TEST(options_of_a_later_version_are_refused_when_they_are_set)
{
    struct {
        plait_pool_opts opts;
        int later;
    } large = { .later = 1 };

    struct {
        plait_job job;
        int later;
    } large_job = { .job = { .fn = count }, .later = 1 };

    plait_future *future = NULL;

    CHECK_INT(plait_pool_create_sized(&pool, KIND, &large.opts, sizeof large), -E2BIG);
    CHECK(pool == NULL);
    large.later = 0;
    prepare();
    CHECK_INT(plait_pool_create_sized(&pool, KIND, &large.opts, sizeof large), 0);
    CHECK_INT(
        plait_pool_submit_sized(pool, &future, &large_job.job, sizeof large_job, PLAIT_NOWAIT),
        -E2BIG);
    CHECK_INT(plait_pool_apply_sized(pool, &large_job.job, sizeof large_job, NULL, 0, PLAIT_NOWAIT),
              -E2BIG);
    large_job.later = 0;
    CHECK(future == NULL);
    CHECK_INT(
        plait_pool_submit_sized(pool, &future, &large_job.job, sizeof large_job, PLAIT_FOREVER), 0);
    plait_future_unref(future);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), 1);
    destroy();
}

TEST(the_futures_that_are_given_to_a_bad_call_stay_as_they_are)
{
    create_with(1);
    plait_future *future = submit_square(3);
    CHECK_INT(plait_future_then(future, NULL, NULL), -EINVAL);
    CHECK_INT(plait_future_result(future, NULL), -EINVAL);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_bytes(future, NULL), -EINVAL);
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(plait_future_get(future, NULL, 100, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_futures_wait(&future, 1, (plait_wait_for)77, PLAIT_NOWAIT), -EINVAL);
    check_square(future, 3);
    destroy();
}

#endif
