/* Tests of the thread executor: many tasks at one pool, which submit, cancel and resize at once.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "pool/thread_gang.h"
#include "pool/thread_support.h"

#include <plait/error.h>

#include <stdlib.h>

enum {
    SUBMITTERS = 3,
    ROUNDS = 150, /* of each */
    BATCH = 16    /* jobs at once */
};

static struct {
    plait_pool *pool;
    uint32_t entered; /* atomic, these too: functions entered, by jobs from outside */
    uint32_t begun;   /* jobs from outside that say that they were */
    uint32_t ended;   /* jobs from outside that have */
    uint32_t over;    /* submitters that are done */
} crowd;

static bool is_over(void)
{
    return plait_task_cancelled(plait_task_current());
}

static int leaf(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(uint32_t *)out = *(const uint32_t *)in + 1;
    return 0;
}

/* Submits some, cancels one of them, waits for the oldest first; what they add up to. Asked to end, it
 * leaves it at that. */
static int branch(const void *in, void *out, void *ctx)
{
    uint32_t seed = *(const uint32_t *)in, sum = 0, n = 0;
    plait_future *futures[6];
    plait_job job = { .fn = leaf, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof n };
    int rc = 0;

    (void)ctx;
    __atomic_fetch_add(&crowd.entered, 1, __ATOMIC_SEQ_CST);
    for (; n <= seed % 5 && rc == 0; n += rc == 0)
        rc = plait_pool_submit(crowd.pool, &futures[n], &job, PLAIT_FOREVER);
    CHECK(rc == 0 || rc == -EPIPE);
    if (rc == 0)
        plait_future_cancel(futures[n - 1], false);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t got = 0;
        ssize_t size = plait_future_get(futures[i], &got, sizeof got, PLAIT_FOREVER);
        if (size == sizeof got)
            CHECK_INT(got, i + 1);
        else
            CHECK(size == -ECANCELED ||
                  (size == PLAIT_ENOVALUE && (rc < 0 || i == n - 1 || is_over())));
        sum += i < seed % 5 ? got : 0;
        plait_future_unref(futures[i]);
        rc = size < 0 && i < n - 1 ? -ECANCELED : rc;
    }
    *(uint32_t *)out = sum;
    return rc < 0 ? -ECANCELED : 0;
}

static void check_end(plait_future *future, uint32_t seed)
{
    uint32_t want = seed % 5 * (seed % 5 + 1) / 2, got;
    plait_result result;

    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_result(future, &result), 0);
    __atomic_fetch_add(&crowd.ended, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&crowd.begun, result.starts, __ATOMIC_SEQ_CST);
    if (result.end == PLAIT_JOB_VALUE) {
        CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_NOWAIT), sizeof got);
        CHECK_INT(got, want);
    } else if (result.end !=
               PLAIT_JOB_CANCELLED) { /* its own submit was refused before it was asked */
        CHECK_INT(result.end, PLAIT_JOB_ERROR);
        CHECK_INT(result.code, -ECANCELED);
    }
    plait_future_unref(future);
}

static int submit_and_cancel(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg, seeds[BATCH];
    plait_future *futures[BATCH];
    plait_job job = { .fn = branch, .in_bytes = sizeof seed, .out_bytes = sizeof seed };

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BATCH; i++) {
            seeds[i] = seed = seed * 1664525 + 1013904223;
            job.in = &seeds[i];
            futures[i] = submit(crowd.pool, &job);
        }
        for (int i = 0; i < BATCH; i += 4)
            plait_future_cancel(futures[i], false);
        for (int i = 0; i < BATCH; i++)
            check_end(futures[i], seeds[i]);
    }
    __atomic_fetch_add(&crowd.over, 1, __ATOMIC_SEQ_CST);
    return 0;
}

TEST_LIMIT(each_job_ends_once_whatever_goes_on, 120)
{
    plait_task *tasks[SUBMITTERS];
    size_t size = 1;

    crowd.pool = make_pool(&(plait_pool_opts){ .workers = 2, .max_tasks = 100 });
    for (size_t i = 0; i < SUBMITTERS; i++)
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_THREAD, submit_and_cancel,
                                   (void *)(uintptr_t)(i + 1), NULL),
                  0);
    while (__atomic_load_n(&crowd.over, __ATOMIC_SEQ_CST) < SUBMITTERS) {
        plait_pool_usage usage = usage_of(crowd.pool);
        CHECK(usage.workers <= 5 + PLAIT__GANG_SPARE);
        CHECK_INT(plait_pool_resize(crowd.pool, size), 0);
        size = size % 5 + 1;
        nap();
    }
    for (size_t i = 0; i < SUBMITTERS; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        plait_task_destroy(tasks[i]);
    }
    CHECK_INT(crowd.ended, SUBMITTERS * ROUNDS * BATCH);
    CHECK_INT(crowd.entered, crowd.begun);
    CHECK_INT(usage_of(crowd.pool).pending, 0);
    CHECK_INT(usage_of(crowd.pool).running, 0);
    CHECK(usage_of(crowd.pool).recycled > 0);
    plait_pool_destroy(crowd.pool);
}

/* Terminated in the middle of it: what was accepted has ended, and the rest is refused. */
static int submit_until_refused(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg;
    plait_future *futures[BATCH];
    plait_job job = { .fn = branch, .in = &seed, .in_bytes = sizeof seed };
    int n, rc = 0;

    job.out_bytes = sizeof seed;
    while (rc == 0) {
        for (n = 0; n < BATCH && rc == 0; n += rc == 0)
            rc = plait_pool_submit(crowd.pool, &futures[n], &job, PLAIT_FOREVER);
        for (int i = 0; i < n; i++)
            check_end(futures[i], seed);
    }
    CHECK_INT(rc, -EPIPE);
    return 0;
}

TEST_LIMIT(a_pool_can_be_terminated_at_any_time, 120)
{
    for (int round = 0; round < 20; round++) {
        plait_task *tasks[SUBMITTERS];
        crowd.ended = 0;
        crowd.pool = make_workers(2);
        for (size_t i = 0; i < SUBMITTERS; i++)
            CHECK_INT(plait_task_start(&tasks[i], PLAIT_THREAD, submit_until_refused,
                                       (void *)(uintptr_t)(i * 5), NULL),
                      0);
        while (__atomic_load_n(&crowd.ended, __ATOMIC_SEQ_CST) < (uint32_t)round * 20)
            nap();
        CHECK_INT(plait_pool_terminate(crowd.pool), 0);
        CHECK_INT(plait_pool_join(crowd.pool, PLAIT_FOREVER), 0);
        for (size_t i = 0; i < SUBMITTERS; i++) {
            CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
            plait_task_destroy(tasks[i]);
        }
        plait_pool_destroy(crowd.pool);
    }
    CHECK_INT(crowd.entered, crowd.begun);
}
