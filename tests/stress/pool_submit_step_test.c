/* A worker of a pool is killed at every instruction of handing over a job of its own.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: its own job is begun again, and ends in a value; of what it had handed over
 * nothing is run twice, and nothing stays: no slot, no block of the heap, no count.
 */
#include "pool_worker_scene.h"

static void *stage_outer(enum kind kind)
{
    stage_worker();
    submit(kind, 2);
    return scene;
}

/* Of the jobs within, one for each start of that without, at most. */
static const char *check_inner(const struct step_result *at, bool ends)
{
    struct seen seen;

    bury_worker(at->victim);
    seen = check_jobs(0);
    CHECK_INT(seen.n_values, 1);
    check_counts();
    for (uint32_t i = NESTED; i < STORIES; i++) {
        CHECK(scene->stories[i].entered <= seen.n_starts);
        CHECK(scene->stories[i].by_victim <= 1);
    }
    if (ends)
        check_end();
    else
        check_pool();
    return seen.n_starts > 1 ? "again" : "done";
}

static const char *check_submit(void *state, const struct step_result *at)
{
    (void)state;
    return check_inner(at, false);
}

static const char *check_last(void *state, const struct step_result *at)
{
    (void)state;
    return check_inner(at, true);
}

static const char *check_quit(void *state, const struct step_result *at)
{
    if (at->place == STEP_RETURNED)
        CHECK_INT(scene->stories[NESTED].finished + scene->stories[NESTED + 1].finished, 2);
    return check_submit(state, at);
}

#define SUBMIT_CASE(id, words, kind, checks, claim)                                               \
    static void *id##_stage(void)                                                                 \
    {                                                                                             \
        return stage_outer(kind);                                                                 \
    }                                                                                             \
    static const struct step_call id = {                                                          \
        .name = words, .setup = id##_stage, .victim = be_worker, .marks = true, .check = (checks) \
    };                                                                                            \
    STEP_TEST(claim, &id)

SUBMIT_CASE(apply_one, "submit in a job, and wait", APPLY, check_submit,
            a_worker_that_dies_in_a_submit_leaves_no_job_of_its_own)
SUBMIT_CASE(ask_one, "submit one that writes in a job, and wait", ASK, check_submit,
            a_worker_that_dies_leaves_no_text_that_it_was_told)
SUBMIT_CASE(leave_large, "submit a large one in a job", LEAVE, check_submit,
            a_worker_that_dies_leaves_no_input_of_its_own)
SUBMIT_CASE(leave_last, "submit a large one in the last job of a pool", LEAVE, check_last,
            what_nobody_waits_for_is_gone_with_its_pool)
SUBMIT_CASE(quit, "end with jobs of its own", QUIT, check_quit,
            a_worker_that_dies_before_it_has_done_its_own_jobs_leaves_none)
SUBMIT_CASE(hand_crowd, "submit more than there are slots", CROWD, check_submit,
            a_worker_that_dies_in_a_crowd_of_its_own_jobs_leaves_none)
