/* The contract of pools: how a pool begins, changes and ends, and what it refuses.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_LIFE_H
#define PLAIT_TESTS_POOL_LIFE_H

#include "child.h"
#include "pool_support.h"

/* ---- initializers ---- */

static __thread int initialized_with;

static int init_worker(void *arg)
{
    add(&board->numbers[0]);
    initialized_with = arg == NULL ? -1 : *(int *)arg;
    return 0;
}

static int tell_init(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return initialized_with;
}

TEST(each_worker_runs_the_initializer_before_its_first_job)
{
    int number = 31;

    create((plait_pool_opts){
        .workers = 3, .init = init_worker, .init_arg = &number, .init_arg_bytes = sizeof number });
    number = 0;
    for (int i = 0; i < 50; i++)
        CHECK_INT(end_of(submit(tell_init)).code, 31);
    CHECK(load(&board->numbers[0]) >= 1 && load(&board->numbers[0]) <= 3);
    destroy();
}

static int fail_to_init(void *arg)
{
    (void)arg;
    add(&board->numbers[0]);
    return -EACCES;
}

TEST_LIMIT(a_pool_whose_initializer_fails_says_so_and_hangs_nobody, 30)
{
    plait_job job = { .fn = count };
    plait_future *future = NULL;
    int rc;

    create((plait_pool_opts){ .workers = 2, .init = fail_to_init });
    rc = plait_pool_submit(pool, &future, &job, PLAIT_FOREVER);
    if (rc == 0) {
        plait_result result = end_of(future);
        CHECK_INT(result.end, PLAIT_JOB_LOST);
        CHECK_INT(result.cause, PLAIT_CAUSE_INIT);
    }
    UNTIL(try_submit(job, PLAIT_NOWAIT) == PLAIT_EPOOL);
    CHECK_INT(load(&board->n_entered), 0);
    CHECK(load(&board->numbers[0]) < 100); /* it is not tried again and again */
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER) >= 0, 1);
    destroy();
}

/* ---- the end of a pool ---- */

TEST(a_closed_pool_takes_no_job_but_ends_those_it_has)
{
    plait_job job = { .fn = count };
    plait_future *futures[20];

    create_with(2);
    for (int i = 0; i < 20; i++)
        futures[i] = submit(count);
    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(try_submit(job, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_pool_apply(pool, &job, NULL, 0, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_pool_map(pool, square, plait_items_of("", 1, 1), plait_items_of(NULL, 0, 1),
                             NULL, PLAIT_FOREVER),
              -EPIPE);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    for (int i = 0; i < 20; i++) {
        CHECK(plait_future_is_ready(futures[i]));
        CHECK_INT(end_of(futures[i]).end, PLAIT_JOB_VALUE);
    }
    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(plait_pool_join(pool, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_pool_resize(pool, 5), -EPIPE);
    destroy();
}

TEST(a_join_of_a_pool_that_is_open_is_refused)
{
    create_with(1);
    CHECK_INT(plait_pool_join(pool, PLAIT_NOWAIT), -EBUSY);
    destroy();
}

TEST(a_join_ends_at_its_deadline)
{
    create_with(1);
    plait_future *future = submit(stand);
    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(plait_pool_join(pool, plait_after_ms(30)), -ETIMEDOUT);
    open_gate();
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    CHECK_INT(end_of(future).end, PLAIT_JOB_VALUE);
    destroy();
}

TEST(terminate_ends_all_jobs_each_in_an_outcome)
{
    plait_future *futures[10];

    create_with(2);
    for (int i = 0; i < 10; i++)
        futures[i] = submit(stand);
    UNTIL(load(&board->n_entered) == 2);
    CHECK_INT(plait_pool_terminate(pool), 0);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    for (int i = 0; i < 10; i++) {
        CHECK(plait_future_is_ready(futures[i]));
        CHECK_INT(end_of(futures[i]).end, PLAIT_JOB_CANCELLED);
    }
    CHECK_INT(load(&board->n_entered), 2);
    destroy();
}

TEST(destroy_ends_what_runs_and_what_waits)
{
    plait_future *futures[10];

    create_with(2);
    for (int i = 0; i < 10; i++)
        futures[i] = submit(stand);
    UNTIL(load(&board->n_entered) == 2);
    destroy();
    for (int i = 0; i < 10; i++) {
        CHECK_INT(plait_future_wait(futures[i], PLAIT_NOWAIT), 0);
        CHECK_INT(end_of(futures[i]).end, PLAIT_JOB_CANCELLED);
    }
}

TEST(drain_waits_for_all_jobs)
{
    create_with(2);
    for (int i = 0; i < 50; i++)
        submit_alone(count);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), 50);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    destroy();
}

static int count_later(const void *in, void *out, void *ctx)
{
    nap();
    return count(in, out, ctx);
}

/* Jobs that nobody waits for, and that take a while. */
static int hand_over_ten(const void *in, void *out, void *ctx)
{
    plait_job job = { .fn = count_later };
    plait_future *future;

    (void)in;
    (void)out;
    (void)ctx;
    for (int i = 0; i < 10; i++) {
        int rc = plait_pool_submit(plait_pool_current(), &future, &job, PLAIT_FOREVER);
        if (rc < 0)
            return rc;
        plait_future_unref(future);
    }
    return 0;
}

TEST(drain_waits_for_what_jobs_handed_over)
{
    create_with(2);
    CHECK_INT(end_of(submit(hand_over_ten)).code, 0);
    CHECK_INT(end_of(submit(hand_over_ten)).code, 0);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), 20);
    destroy();
}

TEST(join_waits_for_what_jobs_handed_over)
{
    create_with(1);
    CHECK_INT(end_of(submit(hand_over_ten)).code, 0);
    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), 10);
    destroy();
}

TEST(a_drain_at_its_deadline_cancels_the_rest_and_counts_it)
{
    plait_future *futures[10];

    create_with(2);
    for (int i = 0; i < 10; i++)
        futures[i] = submit(stand);
    UNTIL(load(&board->n_entered) == 2);
    CHECK_INT(plait_pool_drain(pool, plait_after_ms(30)), 10);
    for (int i = 0; i < 10; i++) {
        plait_result result = end_of(futures[i]);
        CHECK_INT(result.end, PLAIT_JOB_CANCELLED);
        CHECK_INT(result.cause, PLAIT_CAUSE_SHUTDOWN);
    }
    destroy();
}

static int end_own_pool(const void *in, void *out, void *ctx)
{
    plait_pool *own = plait_pool_current();

    (void)in;
    (void)out;
    (void)ctx;
    if (plait_pool_terminate(own) != -EDEADLK)
        return 1;
    if (plait_pool_drain(own, PLAIT_FOREVER) != -EDEADLK)
        return 2;
    return plait_pool_join(own, PLAIT_FOREVER) != -EDEADLK ? 3 : 0;
}

TEST_LIMIT(a_job_does_not_wait_for_the_end_of_its_own_pool, 30)
{
    create_with(1);
    CHECK_INT(end_of(submit(end_own_pool)).code, 0);
    CHECK_INT(end_of(submit(count)).end, PLAIT_JOB_VALUE); /* it is as it was */
    destroy();
}

static int do_nothing(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return 0;
}

static int await_future(void *arg)
{
    return plait_future_wait(arg, PLAIT_FOREVER);
}

/* Whoever waits for a map goes on to submit what is left of it. */
static void drain_under_a_map(int round, const char *items, size_t n)
{
    plait_map_opts opts = { .chunk = 1 + (size_t)round % 7 };
    plait_future *future = NULL;
    plait_task *waiter = NULL;
    ssize_t cut;

    create_with(2);
    CHECK_INT(plait_pool_map_async(pool, &future, do_nothing, plait_items_of(items, 1, n),
                                   plait_items_of(NULL, 0, 0), &opts),
              0);
    CHECK_INT(plait_task_start(&waiter, PLAIT_THREAD, await_future, future, NULL), 0);
    plait_sleep(plait_after_ms(round % 3));
    cut = plait_pool_drain(pool, PLAIT_NOWAIT);
    CHECK(plait_future_is_ready(future));
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_NOWAIT), cut);
    destroy();
    CHECK_INT(plait_task_join(waiter, PLAIT_FOREVER), 0);
    plait_task_destroy(waiter);
    plait_future_unref(future);
}

TEST_LIMIT(a_pool_ends_while_another_task_waits_for_a_map, 60)
{
    const size_t n = 100000;
    char *items = calloc(n, 1);

    CHECK(items != NULL);
    for (int i = 0; !IS_PROCESS && i < 60; i++) /* a process with threads makes no keeper */
        drain_under_a_map(i, items, n);
    free(items);
}

TEST(many_pools_may_be_made_and_destroyed)
{
    for (long i = 0; i < 20; i++) {
        create_with(2);
        check_square(submit_square(i), i);
        destroy();
    }
    create_with(1);
    destroy();
}

TEST(pools_beside_each_other_do_not_meet)
{
    plait_pool *first;

    create_with(1);
    first = pool;
    plait_future *blocked = submit(stand);
    create_with(1);
    check_square(submit_square(3), 3); /* by the second one, while the first one stands */
    destroy();
    pool = first;
    open_gate();
    CHECK_INT(end_of(blocked).end, PLAIT_JOB_VALUE);
    destroy();
}

/* ---- resize, stats, bounds ---- */

static void see_at_once(uint32_t n)
{
    plait_future *futures[8];

    store(&board->gate, 0);
    store(&board->n_entered, 0);
    for (int i = 0; i < 8; i++)
        futures[i] = submit(stand);
    UNTIL(load(&board->n_entered) >= n);
    a_moment();
    CHECK_INT(load(&board->n_entered), n);
    open_gate();
    for (int i = 0; i < 8; i++)
        CHECK_INT(end_of(futures[i]).end, PLAIT_JOB_VALUE);
}

static size_t count_workers(void)
{
    plait_pool_usage usage = { 0 };

    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    return usage.workers;
}

TEST_LIMIT(a_pool_grows_and_shrinks_while_it_works, 30)
{
    create_with(1);
    see_at_once(1);
    CHECK_INT(plait_pool_resize(pool, 4), 0);
    see_at_once(4);
    CHECK_INT(plait_pool_resize(pool, 2), 0);
    UNTIL(count_workers() == 2);
    see_at_once(2);
    destroy();
}

TEST_LIMIT(a_pool_may_be_resized_while_jobs_run, 30)
{
    plait_future *futures[300];

    create_with(2);
    for (size_t i = 0; i < 300; i++) {
        futures[i] = submit_square((long)i);
        if (i % 10 == 0)
            CHECK_INT(plait_pool_resize(pool, 1 + i / 10 % 4), 0);
    }
    for (long i = 0; i < 300; i++)
        check_square(futures[i], i);
    destroy();
}

TEST(statistics_count_what_was)
{
    plait_pool_usage stats = { 0 };

    create_with(2);
    for (int i = 0; i < 5; i++)
        CHECK_INT(end_of(submit(count)).end, PLAIT_JOB_VALUE);
    CHECK_INT(end_of(submit_code(-1)).end, PLAIT_JOB_ERROR);
    UNTIL(count_workers() == 2);
    CHECK_INT(plait_pool_stats(pool, &stats), 0);
    CHECK_INT(stats.submitted, 6);
    CHECK_INT(stats.values, 5);
    CHECK_INT(stats.errors, 1);
    CHECK_INT(stats.lost + stats.cancelled + stats.expired, 0);
    CHECK_INT(stats.pending + stats.running, 0);
    CHECK_INT(stats.deaths + stats.recycled, 0);
    CHECK(!stats.is_broken);
    destroy();
}

TEST(a_full_pool_makes_submit_wait)
{
    plait_job job = { .fn = count };
    plait_future *first;
    unsigned n = 0;
    int rc;

    create((plait_pool_opts){ .workers = 1, .max_pending = 4 });
    first = submit(stand);
    UNTIL(load(&board->n_entered) == 1);
    while ((rc = try_submit(job, PLAIT_NOWAIT)) == 0)
        CHECK(++n <= 4);
    CHECK_INT(rc, -ETIMEDOUT);
    CHECK(n >= 3);
    CHECK_INT(try_submit(job, plait_after_ms(20)), -ETIMEDOUT);
    open_gate();
    CHECK_INT(try_submit(job, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), n + 2);
    plait_future_unref(first);
    destroy();
}

TEST_LIMIT(many_more_jobs_than_may_be_pending_get_through, 30)
{
    plait_job job = { .fn = count };

    create((plait_pool_opts){ .workers = 2, .max_pending = 4 });
    for (int i = 0; i < 2000; i++)
        CHECK_INT(try_submit(job, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), 2000);
    destroy();
}

/* ---- a fork ---- */

static plait_future *inherited;

static void use_what_was_inherited(void)
{
    plait_job job = { .fn = count };
    plait_future *future = NULL;
    plait_pool_usage stats;

    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_pool_apply(pool, &job, NULL, 0, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_pool_resize(pool, 1), -ECHILD);
    CHECK_INT(plait_pool_stats(pool, &stats), -ECHILD);
    CHECK_INT(plait_future_wait(inherited, PLAIT_FOREVER), -ECHILD);
    plait_future_unref(inherited);
    destroy();
}

TEST(a_pool_that_a_fork_inherited_is_not_ones_own)
{
    create_with(1);
    inherited = submit(stand);
    in_forked_child(use_what_was_inherited);
    open_gate();
    CHECK_INT(end_of(inherited).end, PLAIT_JOB_VALUE);
    check_square(submit_square(3), 3);
    destroy();
}

#endif
