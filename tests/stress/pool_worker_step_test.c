/* A worker of a pool is killed at every instruction of entering a job, running it and saying that it
 * has ended.
 * SPDX-License-Identifier: MIT
 *
 * After each kill, of the worker alone or of its keeper with it: each job ends in exactly one
 * outcome, once; one that the worker was in, and no other, is lost or begun again; a value is whole
 * and of a job that was finished; and the pool does what it did before, and leaves nothing.
 */
#include "pool_worker_scene.h"

static const char *check_worker(void *state, const struct step_result *at)
{
    struct seen seen;

    (void)state;
    bury_worker(at->victim);
    seen = check_jobs(0);
    CHECK(seen.n_starts <= seen.n_items + 1);
    CHECK(seen.n_lost <= 1);
    CHECK_INT(seen.n_cancelled + seen.n_expired, 0);
    CHECK(seen.n_lost == 0 || jobs[0].attempts == 1);
    check_pool();
    return seen.n_lost > 0 ? "one lost" : seen.n_starts > seen.n_items ? "one again" : "all done";
}

/* A job of that kind between two marks. */
static void *stage_job(enum kind kind, unsigned attempts)
{
    stage_worker();
    submit(MARK, attempts);
    submit(kind, attempts);
    submit(MARK, attempts);
    return scene;
}

#define WORKER_CASE(id, words, stage, claim) \
    static const struct step_call id = {     \
        .name = words,                       \
        .setup = stage,                      \
        .victim = be_worker,                 \
        .marks = true,                       \
        .check = check_worker,               \
    };                                       \
    STEP_TEST(claim, &id)

static void *one_mark(void)
{
    stage_worker();
    submit(MARK, 1);
    return scene;
}

static const struct step_call enter_pool = {
    .name = "a worker's first steps", .setup = one_mark, .victim = be_worker, .check = check_worker
};

STEP_TEST(a_worker_that_dies_before_its_first_job_is_replaced, &enter_pool)

static void *one_try(void)
{
    return stage_job(PLAIN, 1);
}

WORKER_CASE(run_once, "a job", one_try, a_job_is_lost_only_if_its_worker_died_in_it)

static void *two_tries(void)
{
    return stage_job(PLAIN, 2);
}

WORKER_CASE(run_again, "a job with two attempts", two_tries,
            a_job_with_attempts_is_begun_again_if_its_worker_died_in_it)

static void *a_map(void)
{
    stage_worker();
    submit(MARK, 1);
    submit_map(PLAIN, 1, false);
    submit(MARK, 1);
    return scene;
}

WORKER_CASE(run_map, "a job of three items", a_map, a_worker_that_dies_takes_one_item_of_many)

static void *a_silent_map(void)
{
    stage_worker();
    submit(MARK, 1);
    submit_map(PLAIN, 1, true);
    submit(MARK, 1);
    return scene;
}

WORKER_CASE(run_silent, "a job of three items that nobody asks for one by one", a_silent_map,
            a_worker_that_dies_takes_one_item_of_many_that_are_counted)

static void *a_text(void)
{
    return stage_job(SAY, 2);
}

WORKER_CASE(run_text, "a job that writes", a_text, what_a_dead_worker_wrote_is_gone)

static void *a_long_limit(void)
{
    stage_worker();
    submit(MARK, 1);
    submit_limited(PLAIN, 1, STEP_LIMIT_S * INT64_C(1000), 0);
    submit(MARK, 1);
    return scene;
}

WORKER_CASE(run_limited, "a job with a soft limit", a_long_limit,
            a_limit_changes_nothing_for_who_keeps_it)

/* Without a hint it is found all the same. */
static void *no_hint(void)
{
    struct plait__pool_block *block;
    uint64_t current;

    stage_job(PLAIN, 1);
    block = scene->block;
    while (plait__hints_take(&block->lanes[0], &current) != 0)
        ;
    block->is_incomplete = 1;
    return scene;
}

WORKER_CASE(look_at_all, "a job without a hint", no_hint,
            a_worker_that_dies_while_it_looks_at_all_slots_hides_none)

/* ---- a job that is asked to end ---- */

static void *a_sleep(void)
{
    return stage_job(SLEEP, 1);
}

static void cancel(void *state)
{
    int rc = plait_future_cancel(jobs[1].future, false);

    (void)state;
    CHECK(rc == 0 || rc == -EALREADY);
}

static const char *check_cancelled(void *state, const struct step_result *at)
{
    struct seen seen;

    (void)state;
    bury_worker(at->victim);
    seen = check_jobs(0);
    CHECK(seen.n_starts <= seen.n_items);
    CHECK(seen.n_lost <= 1 && seen.n_cancelled <= 1 && seen.n_expired == 0);
    check_pool();
    return seen.n_lost > 0 ? "one lost" : seen.n_cancelled > 0 ? "cancelled" : "all done";
}

static const struct step_call run_cancelled = { .name = "a job that is cancelled",
                                                .setup = a_sleep,
                                                .victim = be_worker,
                                                .marks = true,
                                                .asleep = cancel,
                                                .check = check_cancelled };

STEP_TEST(a_job_that_is_asked_to_end_ends_once, &run_cancelled)

/* ---- a worker that ends itself ---- */

static void *a_last_item(void)
{
    stage_worker();
    submit(MARK, 1);
    submit_map(RETIRE, 1, false);
    return scene;
}

WORKER_CASE(run_last, "a worker that has enough", a_last_item,
            a_worker_that_has_enough_leaves_the_rest_to_others)

/* ---- two workers ---- */

static void be_partner(void *state)
{
    (void)state;
    is_partner = true;
    plait__process_crew_ops.enter(&scene->block->crew, 1);
}

/* The partner takes the first job, and ends in the middle of it. */
static void *two_workers(void)
{
    stage_worker();
    expect(1);
    has_partner = true;
    submit_map(RETIRE, 1, false);
    submit(MARK, 1);
    submit(PLAIN, 1);
    submit(MARK, 1);
    return scene;
}

static const struct step_call run_beside = { .name = "a job, beside another worker",
                                             .setup = two_workers,
                                             .victim = be_worker,
                                             .partner = be_partner,
                                             .marks = true,
                                             .check = check_worker };

STEP_TEST(a_worker_that_dies_beside_another_one_takes_nothing_of_its, &run_beside)
