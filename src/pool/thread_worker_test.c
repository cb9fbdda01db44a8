/* Tests of the thread executor: workers, how they begin and end, and how jobs are made to end.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "os/sanitize.h"
#include "pool/thread_support.h"

#include <plait/error.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

static int return_seven(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    if (ctx != NULL)
        __atomic_fetch_add((uint32_t *)ctx, 1, __ATOMIC_SEQ_CST);
    return 7;
}

/* ---- cancel ---- */

TEST(a_queued_job_that_is_cancelled_is_never_entered)
{
    plait_pool *pool = make_workers(1);
    struct gate gate = { 0 };
    uint32_t runs = 0;
    plait_future *first = submit_hold(pool, &gate);
    plait_future *second = submit(pool, &(plait_job){ .fn = return_seven, .ctx = &runs });
    plait_result result;

    CHECK_INT(plait_future_cancel(second, false), 0);
    result = result_of(second); /* at once: the worker is held still */
    CHECK_INT(result.end, PLAIT_JOB_CANCELLED);
    CHECK_INT(result.starts, 0);
    open_gate(&gate);
    CHECK_INT(value_of(first), 1);
    CHECK_INT(value_of(submit(pool, &(plait_job){ .fn = return_seven })), 7);
    CHECK_INT(runs, 0);
    plait_pool_destroy(pool);
}

/* Its own queued jobs too, which lie in the deque of its worker. */
static int cancel_nested(const void *in, void *out, void *ctx)
{
    plait_pool *pool = *(plait_pool *const *)in;
    plait_job job = { .fn = return_seven, .ctx = ctx };

    (void)out;
    for (int i = 0; i < 1000; i++) {
        plait_future *kept = submit(pool, &job), *dropped = submit(pool, &job);
        CHECK_INT(plait_future_cancel(dropped, false), 0);
        CHECK_INT(result_of(dropped).end, PLAIT_JOB_CANCELLED);
        CHECK_INT(value_of(kept), 7);
    }
    return 0;
}

TEST(a_nested_job_can_be_cancelled)
{
    plait_pool *pool = make_workers(1);
    uint32_t runs = 0;
    plait_job job = { .fn = cancel_nested, .in = &pool, .in_bytes = sizeof pool, .ctx = &runs };

    CHECK_INT(value_of(submit(pool, &job)), 0);
    CHECK_INT(runs, 1000);
    plait_pool_destroy(pool);
}

/* By a wait in plait, and by asking. */
static int wait_for_ever(const void *in, void *out, void *ctx)
{
    uint32_t word = 0;
    int rc;

    (void)in;
    (void)out;
    __atomic_store_n((uint32_t *)ctx, 1, __ATOMIC_SEQ_CST);
    rc = plait__wait_word(&word, 0, PLAIT_FOREVER);
    CHECK_INT(rc, -ECANCELED);
    CHECK(plait_task_is_cancelled());
    CHECK(plait_task_cancelled(plait_task_current()));
    return rc;
}

static int wait_and_return(const void *in, void *out, void *ctx)
{
    wait_for_ever(in, out, ctx);
    return 5;
}

static plait_future *submit_wait(plait_pool *pool, plait_pool_fn *fn)
{
    static uint32_t is_entered;
    plait_future *future;

    is_entered = 0;
    future = submit(pool, &(plait_job){ .fn = fn, .ctx = &is_entered });
    while (__atomic_load_n(&is_entered, __ATOMIC_SEQ_CST) == 0)
        nap();
    return future;
}

TEST(a_running_job_that_is_cancelled_is_asked_and_the_next_one_is_not)
{
    plait_pool *pool = make_workers(1);
    plait_future *future = submit_wait(pool, wait_for_ever);
    plait_result result;

    CHECK_INT(plait_future_cancel(future, true), 0);
    result = result_of(future);
    CHECK_INT(result.end, PLAIT_JOB_CANCELLED);
    CHECK_INT(result.cause, PLAIT_CAUSE_NONE);
    CHECK_INT(result.starts, 1);
    CHECK_INT(value_of(submit(pool, &(plait_job){ .fn = return_seven })), 7);
    future = submit_wait(pool, wait_and_return);
    CHECK_INT(plait_future_cancel(future, false), 0);
    CHECK_INT(value_of(future), 5); /* what it makes of it is its own */
    plait_pool_destroy(pool);
}

TEST(a_job_that_has_ended_cannot_be_cancelled)
{
    plait_pool *pool = make_workers(1);
    plait_future *future = submit(pool, &(plait_job){ .fn = return_seven });

    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_cancel(future, false), -EALREADY);
    CHECK_INT(value_of(future), 7);
    plait_pool_destroy(pool);
}

/* ---- limits ---- */

static int ask_until_told(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    while (!plait_task_cancelled(plait_task_current()))
        usleep(500);
    return ctx != NULL ? 3 : -ECANCELED;
}

TEST(a_job_beyond_its_soft_limit_is_told)
{
    plait_pool *pool = make_workers(1);
    plait_job job = { .fn = ask_until_told, .soft_ms = 2 };

    CHECK_INT(result_of(submit(pool, &job)).end, PLAIT_JOB_EXPIRED);
    job.ctx = pool; /* it finishes what it has begun */
    CHECK_INT(value_of(submit(pool, &job)), 3);
    plait_pool_destroy(pool);
}

TEST(a_job_that_sleeps_is_told_of_its_soft_limit_there)
{
    plait_pool *pool = make_workers(1);
    uint32_t is_entered = 0;
    plait_job job = { .fn = wait_for_ever, .ctx = &is_entered, .soft_ms = 2, .hard_ms = 100000 };

    CHECK_INT(result_of(submit(pool, &job)).end, PLAIT_JOB_EXPIRED);
    plait_pool_destroy(pool);
}

TEST(a_job_beyond_its_hard_limit_is_told_in_its_sleep_and_expires_whatever_it_returns)
{
    plait_pool *pool = make_workers(1);
    uint32_t is_entered = 0;
    plait_job job = { .fn = wait_for_ever, .ctx = &is_entered, .hard_ms = 2 };

    CHECK_INT(result_of(submit(pool, &job)).end, PLAIT_JOB_EXPIRED);
    job.fn = ask_until_told;
    CHECK_INT(result_of(submit(pool, &job)).end, PLAIT_JOB_EXPIRED);
    job = (plait_job){ .fn = return_seven, .hard_ms = 100000 };
    CHECK_INT(value_of(submit(pool, &job)), 7);
    plait_pool_destroy(pool);
}

/* ---- init and recycling ---- */

static _Thread_local int made_by_init;

static int init(void *arg)
{
    made_by_init = *(int *)arg;
    return 0;
}

static int tell_init(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return made_by_init;
}

/* Workers that fail for the last time at the same moment. */
struct failure {
    uint32_t workers;
    uint32_t n_there; /* atomic */
};

static int fail_together(void *arg)
{
    static _Thread_local int tries;
    struct failure *failure = *(struct failure **)arg;

    if (++tries == 5 && __atomic_add_fetch(&failure->n_there, 1, __ATOMIC_SEQ_CST) > 0)
        while (__atomic_load_n(&failure->n_there, __ATOMIC_SEQ_CST) < failure->workers)
            continue;
    return -1;
}

TEST_LIMIT(workers_that_fail_at_the_same_time_leave_no_job_behind, 60)
{
    for (int i = 0; i < 500; i++) {
        struct failure failure = { .workers = 2 + (uint32_t)i % 2 }, *at = &failure;
        plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = failure.workers,
                                                         .init = fail_together,
                                                         .init_arg = &at,
                                                         .init_arg_bytes = sizeof at });
        plait_future *future = NULL;
        int rc = plait_pool_submit(pool, &future, &(plait_job){ .fn = return_seven }, PLAIT_NOWAIT);
        if (rc == 0)
            CHECK_INT(result_of(future).cause, PLAIT_CAUSE_INIT);
        else
            CHECK_INT(rc, PLAIT_EPOOL);
        plait_pool_destroy(pool);
    }
}

TEST(each_worker_is_initialised_with_a_copy)
{
    int arg = 12;
    plait_pool_opts opts = { .workers = 2, .init = init, .init_arg = &arg };
    plait_pool *pool;

    opts.init_arg_bytes = sizeof arg;
    opts.max_tasks = 1;
    pool = make_pool(&opts);
    arg = 13;
    for (int i = 0; i < 10; i++)
        CHECK_INT(value_of(submit(pool, &(plait_job){ .fn = tell_init })), 12);
    plait_pool_destroy(pool);
}

static int init_badly(void *arg)
{
    (void)arg;
    return -EIO;
}

TEST(a_pool_whose_workers_do_not_get_ready_is_broken)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 3, .init = init_badly });
    plait_job job = { .fn = return_seven };
    plait_future *future = NULL;
    int rc;

    while ((rc = plait_pool_submit(pool, &future, &job, PLAIT_FOREVER)) == 0) {
        plait_result result = result_of(future);
        CHECK_INT(result.end, PLAIT_JOB_LOST);
        CHECK_INT(result.cause, PLAIT_CAUSE_INIT);
        CHECK_INT(result.starts, 0);
    }
    CHECK_INT(rc, PLAIT_EPOOL);
    CHECK(usage_of(pool).is_broken);
    plait_pool_destroy(pool);
}

static int tell_thread(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return plait_task_id(plait_task_current());
}

TEST(a_worker_is_replaced_after_so_many_jobs)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 1, .max_tasks = 2 });
    plait_job job = { .fn = tell_thread };
    int first = value_of(submit(pool, &job)), second = value_of(submit(pool, &job));
    int third = value_of(submit(pool, &job)), fourth = value_of(submit(pool, &job));

    CHECK_INT(first, second);
    CHECK(second != third);
    CHECK_INT(third, fourth);
    CHECK_INT(value_of(submit(pool, &job)) == fourth, 0);
    CHECK_INT(usage_of(pool).recycled, 2);
    CHECK_INT(usage_of(pool).workers, 1);
    plait_pool_destroy(pool);
}

static int take_three_ms(const void *in, void *out, void *ctx)
{
    usleep(3000);
    return tell_thread(in, out, ctx);
}

TEST(a_worker_is_replaced_when_it_is_too_old)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 1, .max_age_ms = 2 });
    plait_job job = { .fn = take_three_ms };

    CHECK(value_of(submit(pool, &job)) != value_of(submit(pool, &job)));
    plait_pool_destroy(pool);
}

/* ---- how many ---- */

TEST_LIMIT(a_pool_can_be_resized, 60)
{
    plait_pool *pool = make_workers(1);
    struct gate gates[4] = { { 0 } };
    plait_future *futures[4];

    CHECK_INT(plait_pool_resize(pool, 4), 0);
    for (int i = 0; i < 4; i++)
        futures[i] = submit_hold(pool, &gates[i]);
    CHECK_INT(usage_of(pool).workers, 4);
    CHECK_INT(plait_pool_resize(pool, 1), 0);
    for (int i = 0; i < 4; i++) {
        open_gate(&gates[i]);
        CHECK_INT(value_of(futures[i]), 1);
    }
    while (usage_of(pool).workers > 1)
        nap();
    CHECK_INT(value_of(submit(pool, &(plait_job){ .fn = return_seven })), 7);
    CHECK_INT(plait_pool_resize(pool, 0), -EINVAL);
    plait_pool_destroy(pool);
}

static int wait_on_event(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    return plait_event_wait(ctx, PLAIT_FOREVER);
}

static int set_event(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    return plait_event_set(ctx);
}

/* The second one is begun by a spare worker, though the only one sleeps in the first. */
TEST_LIMIT(a_job_that_sleeps_does_not_starve_the_one_it_waits_for, 60)
{
    static plait_event event;
    plait_pool *pool = make_workers(1);
    plait_future *first = submit(pool, &(plait_job){ .fn = wait_on_event, .ctx = &event });
    plait_future *second = submit(pool, &(plait_job){ .fn = set_event, .ctx = &event });

    CHECK_INT(value_of(first), 0);
    CHECK_INT(value_of(second), 0);
    CHECK_INT(usage_of(pool).started, 2);
    while (usage_of(pool).workers > 1) /* it goes when it has nothing to do */
        nap();
    plait_pool_destroy(pool);
}

static int wait_for_other(const void *in, void *out, void *ctx)
{
    plait_future *future = *(plait_future *const *)in;

    (void)out;
    (void)ctx;
    return plait_future_wait(future, PLAIT_FOREVER);
}

/* In the place of one that waits for another job that runs, a spare worker runs a third at once. */
TEST_LIMIT(a_job_that_waits_for_another_leaves_its_place, 60)
{
    plait_pool *pool = make_workers(2);
    struct gate gate = { 0 };
    plait_future *running = submit_hold(pool, &gate);
    plait_job job = { .fn = wait_for_other, .in = &running, .in_bytes = sizeof running };
    plait_future *waits = submit(pool, &job);

    CHECK_INT(value_of(submit(pool, &(plait_job){ .fn = return_seven })), 7);
    open_gate(&gate);
    CHECK_INT(value_of(waits), 0);
    CHECK_INT(value_of(running), 1);
    plait_pool_destroy(pool);
}

/* ---- the end ---- */

TEST(terminate_asks_what_runs_and_cancels_the_rest)
{
    plait_pool *pool = make_workers(1);
    uint32_t runs = 0;
    plait_future *running = submit_wait(pool, wait_for_ever);
    plait_future *waiting = submit(pool, &(plait_job){ .fn = return_seven, .ctx = &runs });
    plait_result result;

    CHECK_INT(plait_pool_terminate(pool), 0);
    result = result_of(waiting);
    CHECK_INT(result.end, PLAIT_JOB_CANCELLED);
    CHECK_INT(result.cause, PLAIT_CAUSE_SHUTDOWN);
    CHECK_INT(result.starts, 0);
    result = result_of(running);
    CHECK_INT(result.end, PLAIT_JOB_CANCELLED);
    CHECK_INT(result.cause, PLAIT_CAUSE_SHUTDOWN);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    CHECK_INT(usage_of(pool).workers, 0);
    CHECK_INT(runs, 0);
    plait_pool_destroy(pool);
}

TEST(a_closed_pool_finishes_and_its_threads_are_gone_when_it_is_joined)
{
    plait_pool *pool = make_workers(3);
    uint32_t runs = 0;
    plait_future *futures[100];

    for (int i = 0; i < 100; i++)
        futures[i] = submit(pool, &(plait_job){ .fn = return_seven, .ctx = &runs });
    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    CHECK_INT(runs, 100);
    CHECK_INT(plait_task_children(NULL, 0), 0);
    for (int i = 0; i < 100; i++)
        CHECK_INT(value_of(futures[i]), 7);
    plait_pool_destroy(pool);
}

TEST(a_worker_that_is_asked_to_end_by_a_stranger_goes_on)
{
    plait_pool *pool = make_workers(2);
    plait_task *workers[2];

    CHECK_INT(plait_task_children(workers, 2), 2);
    for (int i = 0; i < 2; i++)
        CHECK_INT(plait_task_terminate(workers[i]), 0);
    for (int i = 0; i < 10; i++)
        CHECK_INT(value_of(submit(pool, &(plait_job){ .fn = return_seven })), 7);
    plait_pool_destroy(pool);
}

static int abort_here(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    abort();
}

TEST(a_crash_of_a_job_is_the_programs)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        plait_pool *pool = make_workers(1);
        value_of(submit(pool, &(plait_job){ .fn = abort_here }));
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST(a_forked_child_has_no_pool_and_can_free_it)
{
    plait_pool *pool = make_workers(2);
    struct gate gate = { 0 };
    plait_future *future = submit_hold(pool, &gate);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        plait_future *other = NULL;
        CHECK_INT(
            plait_pool_submit(pool, &other, &(plait_job){ .fn = return_seven }, PLAIT_FOREVER),
            -ECHILD);
        plait_future_unref(future);
        plait_pool_destroy(pool);
        if (PLAIT__SANITIZER_THREADS == 0) { /* else it starts no thread after a fork */
            pool = make_workers(1);
            CHECK_INT(value_of(submit(pool, &(plait_job){ .fn = return_seven })), 7);
            plait_pool_destroy(pool);
        }
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    open_gate(&gate);
    CHECK_INT(value_of(future), 1);
    plait_pool_destroy(pool);
}
