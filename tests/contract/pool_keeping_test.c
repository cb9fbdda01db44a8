/* What keeper, owner and workers of a pool look after, so that nothing is forgotten and nobody is woken
 * for nothing.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_PROCESS
#include "pool/process_side.h"
#include "pool_pids.h"
#include "pool_support.h"

#include <sys/prctl.h>

static struct plait__pool_block *block_of(void)
{
    const struct plait__side *side = pool->executor;

    return side->block;
}

/* ---- the keeper's death ---- */

TEST_LIMIT(who_only_submits_gets_a_new_keeper, 30)
{
    create_with(1);
    check_square(submit_square(2), 2);
    kill_keeper();
    for (int i = 0; i < 200 && load(&board->n_left) == 0; i++) {
        submit_alone(count);
        plait_sleep(plait_after_ms(5));
    }
    UNTIL(load(&board->n_left) > 0); /* without a word to the pool */
    destroy();
}

/* As the kernel does when a process gets another user. */
static int forget_the_keeper(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    __atomic_store_n(&board->pids[0], getpid(), __ATOMIC_SEQ_CST);
    if (geteuid() == 0)
        return setresuid(65534, 65534, 65534);
    return prctl(PR_SET_PDEATHSIG, 0);
}

static void await_idle(unsigned workers)
{
    plait_pool_usage usage;

    do {
        plait_sleep(plait_after_ms(1));
        CHECK_INT(plait_pool_stats(pool, &usage), 0);
    } while (usage.idle != workers);
}

TEST_LIMIT(a_worker_that_changed_its_user_ends_with_its_keeper, 30)
{
    create_with(1);
    CHECK_INT(end_of(submit(forget_the_keeper)).end, PLAIT_JOB_VALUE);
    await_idle(1);
    int worker = watch(board->pids[0]);
    kill_keeper();
    await_gone(worker);
    destroy();
}

static int forget_the_keeper_once(const void *in, void *out, void *ctx)
{
    uint32_t before = add(&board->n_entered);

    nap();
    return before == 0 ? forget_the_keeper(in, out, ctx) : 0;
}

TEST_LIMIT(so_does_one_that_always_has_something_to_do, 30)
{
    create_with(1);
    for (int i = 0; i < 2000; i++) /* a second of them */
        submit_alone(forget_the_keeper_once);
    UNTIL(load(&board->n_entered) > 100);
    int worker = watch(board->pids[0]);
    kill_keeper();
    await_gone(worker);
    CHECK(load(&board->n_entered) < 1900);
    destroy();
}

/* ---- hints ---- */

TEST_LIMIT(a_job_that_a_stopped_worker_was_about_to_begin_is_done_by_another, 30)
{
    uint64_t *current;

    create_with(1);
    current = &block_of()->workers[7].current[0]; /* nobody's: of one that is stopped for ever */
    plait_future *stands = submit(stand);
    UNTIL(load(&board->n_entered) == 1);
    plait_future *hidden = submit_square(3);
    CHECK(plait__hints_take(&block_of()->lanes[0], current) != 0);
    open_gate();
    CHECK_INT(end_of(stands).end, PLAIT_JOB_VALUE);
    check_square(hidden, 3);
    store((uint32_t *)current, 0);
    destroy();
}

/* ---- limits ---- */

static int submit_with_limit(const void *in, void *out, void *ctx)
{
    plait_job job = { .fn = stand, .hard_ms = 20 };
    plait_future *future = NULL;
    plait_result result;
    int rc = plait_pool_submit(plait_pool_current(), &future, &job, PLAIT_FOREVER);

    (void)in;
    (void)out;
    (void)ctx;
    if (rc == 0) /* with a deadline, so that another one runs it */
        rc = plait_future_wait(future, plait_after_ms(1000000));
    if (rc == 0)
        rc = plait_future_result(future, &result);
    plait_future_unref(future);
    return rc < 0 ? rc : (int)result.end;
}

TEST_LIMIT(the_keeper_looks_at_limits_as_long_as_there_are_some, 30)
{
    create_with(2);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(end_of(submit(submit_with_limit)).code, PLAIT_JOB_EXPIRED);
        UNTIL(load(&block_of()->has_limits) == 0);
    }
    destroy();
}
