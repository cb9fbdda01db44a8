/* Pools, on an executor that runs its jobs when the test wants it.
 * SPDX-License-Identifier: MIT
 */
#include "os/process.h"
#include "pool/serial.h"

#include <plait/error.h>

#include "test.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int nothing(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return 0;
}

static const plait_job trivial = { .fn = nothing };

static plait_future *submit(plait_pool *pool)
{
    plait_future *future = NULL;

    CHECK_INT(plait_pool_submit(pool, &future, &trivial, PLAIT_NOWAIT), 0);
    return future;
}

TEST(options_that_make_no_sense_are_refused)
{
    static const plait_pool_opts wrong[] = {
        { .workers = SIZE_MAX }, { .lanes = 9 },          { .max_age_ms = -1 },
        { .grace_ms = -1 },      { .init_arg_bytes = 1 },
    };
    plait_pool *pool = NULL;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_INT(plait_pool_create(&pool, PLAIT_THREAD, &wrong[i]), -EINVAL);
    CHECK_INT(plait_pool_create(&pool, (plait_kind)0, NULL), -EINVAL);
    CHECK_INT(plait_pool_create(NULL, PLAIT_THREAD, NULL), -EINVAL);
    CHECK(pool == NULL);
    plait_pool_destroy(NULL);
}

TEST(jobs_that_make_no_sense_are_refused)
{
    static const plait_job wrong[] = {
        { .fn = NULL },
        { .fn = nothing, .in_bytes = 1 },
        { .fn = nothing, .ctx_bytes = 1 },
        { .fn = nothing, .soft_ms = -1 },
        { .fn = nothing, .hard_ms = -1 },
    };
    plait_pool *pool = serial_pool(0);
    plait_future *future = NULL;
    plait_job large = { .fn = nothing, .out_bytes = SIZE_MAX };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_INT(plait_pool_submit(pool, &future, &wrong[i], PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_submit(pool, &future, &large, PLAIT_NOWAIT), -ENOMEM);
    CHECK_INT(plait_pool_submit(pool, NULL, &trivial, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_pool_submit(NULL, &future, &trivial, PLAIT_NOWAIT), -EINVAL);
    CHECK(future == NULL);
    plait_pool_destroy(pool);
}

TEST(a_full_pool_says_so_at_the_deadline_and_has_room_when_jobs_end)
{
    plait_pool *pool = serial_pool(1);
    plait_future *first, *second = NULL;
    plait_pool_usage usage;

    serial_of(pool)->budget = 0;
    first = submit(pool);
    CHECK_INT(plait_pool_submit(pool, &second, &trivial, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_pool_submit(pool, &second, &trivial, plait_after_ms(3)), -ETIMEDOUT);
    serial_of(pool)->budget = 1;
    CHECK_INT(plait_pool_submit(pool, &second, &trivial, PLAIT_FOREVER), 0);
    CHECK(plait_future_is_ready(first));
    CHECK(!plait_future_is_ready(second));
    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    CHECK_INT(usage.submitted, 2);
    CHECK_INT(usage.values, 1);
    plait_future_unref(first);
    plait_future_unref(second);
    plait_pool_destroy(pool);
}

TEST(apply_waits_and_says_how_it_ended)
{
    plait_pool *pool = serial_pool(0);
    plait_result end = { 0 };
    plait_job job = trivial;

    job.result = &end;
    CHECK_INT(plait_pool_apply(pool, &job, NULL, 0, PLAIT_FOREVER), 0);
    CHECK_INT(end.end, PLAIT_JOB_VALUE);
    serial_of(pool)->budget = 0;
    serial_of(pool)->refills = 1;
    CHECK_INT(plait_pool_apply(pool, &job, NULL, 0, plait_after_ms(3)), -ETIMEDOUT);
    plait_pool_destroy(pool);
}

TEST(a_closed_pool_takes_nothing_and_ends_what_it_took)
{
    plait_pool *pool = serial_pool(0);
    plait_future *future = submit(pool), *none = NULL;

    CHECK_INT(plait_pool_join(pool, PLAIT_NOWAIT), -EBUSY);
    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(plait_pool_submit(pool, &none, &trivial, PLAIT_FOREVER), -EPIPE);
    serial_of(pool)->budget = 0;
    CHECK_INT(plait_pool_join(pool, PLAIT_NOWAIT), -ETIMEDOUT);
    serial_of(pool)->budget = 1;
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_is_successful(future), 1);
    CHECK(serial_of(pool)->is_ended);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

static void count(plait_future *future, void *arg)
{
    plait_result end;

    CHECK_INT(plait_future_result(future, &end), 0);
    CHECK_INT(end.end, PLAIT_JOB_CANCELLED);
    CHECK_INT(end.cause, PLAIT_CAUSE_SHUTDOWN);
    ++*(int *)arg;
}

TEST(destroy_cancels_what_has_not_ended_and_futures_outlive_the_pool)
{
    plait_pool *pool = serial_pool(0);
    plait_future *future, *map;
    static plait_result results[2000];
    plait_map_opts of_map = { .chunk = 1, .results = results };
    long in[2000];
    int called = 0;

    serial_of(pool)->budget = 0;
    future = submit(pool);
    CHECK_INT(plait_pool_map_async(pool, &map, nothing, PLAIT_IN(in), plait_items_of(NULL, 0, 0),
                                   &of_map),
              0);
    CHECK(serial_of(pool)->n < 1000);
    CHECK_INT(plait_future_then(future, count, &called), 0);
    CHECK_INT(plait_future_then(map, count, &called), 0);
    plait_pool_destroy(pool);
    CHECK_INT(called, 2);
    CHECK(plait_future_is_ready(future));
    CHECK_INT(plait_future_wait(future, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_future_get(map, NULL, 0, PLAIT_NOWAIT), 2000);
    CHECK_INT(results[1999].end, PLAIT_JOB_CANCELLED); /* it was never submitted */
    CHECK_INT(results[1999].cause, PLAIT_CAUSE_SHUTDOWN);
    CHECK_INT(plait_future_cancel(future, true), -EALREADY);
    CHECK_INT(plait_future_then(future, count, &called), 0);
    CHECK_INT(called, 3);
    plait_future_unref(future);
    plait_future_unref(map);
}

TEST(drain_tells_how_much_did_not_make_it)
{
    plait_pool *pool = serial_pool(0);

    serial_of(pool)->budget = 2;
    for (int i = 0; i < 5; i++)
        plait_future_unref(submit(pool));
    CHECK_INT(plait_pool_drain(pool, plait_after_ms(5)), 3);
    CHECK_INT(plait_pool_drain(pool, plait_after_ms(5)), 0);
    plait_pool_destroy(pool);
    pool = serial_pool(0);
    plait_future_unref(submit(pool));
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    plait_pool_destroy(pool);
}

TEST(terminate_cancels_and_join_waits)
{
    plait_pool *pool = serial_pool(0);
    plait_future *future;
    int called = 0;

    serial_of(pool)->budget = 0;
    future = submit(pool);
    CHECK_INT(plait_future_then(future, count, &called), 0);
    CHECK_INT(plait_pool_terminate(pool), 0);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    CHECK_INT(called, 1);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

static void use_in_child(plait_pool *pool, plait_future *open, plait_future *ended)
{
    plait_pool_usage usage;
    plait_future *none;
    plait_pool *own;

    CHECK_INT(plait_pool_submit(pool, &none, &trivial, PLAIT_NOWAIT), -ECHILD);
    CHECK_INT(plait_pool_close(pool), -ECHILD);
    CHECK_INT(plait_pool_join(pool, PLAIT_NOWAIT), -ECHILD);
    CHECK_INT(plait_pool_stats(pool, &usage), -ECHILD);
    CHECK_INT(plait_future_wait(open, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_future_cancel(open, true), -ECHILD);
    CHECK_INT(plait_futures_wait(&open, 1, PLAIT_WAIT_ALL, PLAIT_FOREVER), -ECHILD);
    own = serial_pool(0); /* which makes nothing better */
    CHECK_INT(plait_future_wait(ended, PLAIT_FOREVER), -ECHILD);
    CHECK_INT(plait_pool_submit(pool, &none, &trivial, PLAIT_NOWAIT), -ECHILD);
    plait_pool_destroy(own);
    plait_pool_destroy(pool);
    plait_future_unref(open);
    plait_future_unref(ended);
}

TEST(a_forked_child_may_only_destroy)
{
    plait_pool *pool = serial_pool(0);
    plait_future *ended = submit(pool), *open;
    int status = -1;
    pid_t pid;

    CHECK_INT(plait_future_wait(ended, PLAIT_NOWAIT), 0);
    serial_of(pool)->budget = 0;
    open = submit(pool);
    pid = fork();
    if (pid == 0) {
        use_in_child(pool, open, ended);
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    serial_of(pool)->budget = 1;
    CHECK_INT(plait_future_wait(open, PLAIT_FOREVER), 0);
    plait_future_unref(open);
    plait_future_unref(ended);
    plait_pool_destroy(pool);
}

/* ---- several threads ---- */

struct crowd {
    plait_pool *pool;
    uint32_t called; /* atomic */
};

static void note(plait_future *future, void *arg)
{
    (void)future;
    __atomic_add_fetch((uint32_t *)arg, 1, __ATOMIC_RELAXED);
}

static int submit_many(void *arg)
{
    struct crowd *crowd = arg;
    plait_job job = { .fn = nothing, .then = note, .then_arg = &crowd->called };

    for (int i = 0; i < 500; i++) {
        plait_future *set[3];
        for (int j = 0; j < 3; j++)
            CHECK_INT(plait_pool_submit(crowd->pool, &set[j], &job, PLAIT_FOREVER), 0);
        CHECK_INT(plait_futures_wait(set, 3, PLAIT_WAIT_ALL, PLAIT_FOREVER), 3);
        for (int j = 0; j < 3; j++)
            plait_future_unref(set[j]);
    }
    return 0;
}

TEST_LIMIT(threads_that_submit_and_wait_at_once_each_get_theirs, 60)
{
    struct crowd crowd = { .pool = serial_pool(4) };
    plait_task *tasks[4];

    for (int i = 0; i < 4; i++)
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_THREAD, submit_many, &crowd, NULL), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        plait_task_destroy(tasks[i]);
    }
    CHECK_INT(plait_pool_close(crowd.pool), 0);
    CHECK_INT(plait_pool_join(crowd.pool, PLAIT_FOREVER), 0);
    CHECK_INT(__atomic_load_n(&crowd.called, __ATOMIC_RELAXED), 4 * 500 * 3);
    plait_pool_destroy(crowd.pool);
}

static int wait_for_future(void *arg)
{
    return plait_future_wait(arg, PLAIT_FOREVER);
}

TEST(a_cancelled_task_stops_waiting)
{
    plait_pool *pool = serial_pool(0);
    plait_future *future;
    plait_outcome end;
    plait_task *task;

    serial_of(pool)->budget = 0;
    future = submit(pool);
    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, wait_for_future, future, NULL), 0);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, -ECANCELED);
    plait_task_destroy(task);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}
