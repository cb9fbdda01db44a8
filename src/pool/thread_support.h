/* For tests only, behind test.h: what the tests of the thread executor share.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_THREAD_SUPPORT_H
#define PLAIT__POOL_THREAD_SUPPORT_H

#include "pool/pool.h"
#include "pool/thread.h"
#include "wait/wait.h"

#include <plait/event.h>
#include <plait/pool.h>

#include <errno.h>
#include <unistd.h>

static inline plait_pool *make_pool(const plait_pool_opts *opts)
{
    plait_pool_opts ours = *opts;
    plait_pool *pool = NULL;

    CHECK_INT(plait__pool_start(&pool, PLAIT_THREAD, &plait__thread_executor, &ours), 0);
    return pool;
}

static inline plait_pool *make_workers(size_t n)
{
    return make_pool(&(plait_pool_opts){ .workers = n });
}

static inline plait_future *submit(plait_pool *pool, const plait_job *job)
{
    plait_future *future = NULL;

    CHECK_INT(plait_pool_submit(pool, &future, job, PLAIT_FOREVER), 0);
    return future;
}

/* How it ended; lets go of it. */
static inline plait_result result_of(plait_future *future)
{
    plait_result result;

    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_result(future, &result), 0);
    plait_future_unref(future);
    return result;
}

/* What it returned, as a value. */
static inline int value_of(plait_future *future)
{
    plait_result result = result_of(future);

    CHECK_INT(result.end, PLAIT_JOB_VALUE);
    return result.code;
}

static inline plait_pool_usage usage_of(plait_pool *pool)
{
    plait_pool_usage usage;

    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    return usage;
}

static inline void nap(void)
{
    uint32_t word = 0;

    plait__wait_word(&word, 0, plait_after_ms(1));
}

/* A job that holds its worker, without sleeping in plait: no spare one comes. */
struct gate {
    uint32_t is_entered; /* atomic */
    uint32_t is_open;    /* atomic */
};

static inline int hold(const void *in, void *out, void *ctx)
{
    struct gate *gate = ctx;

    (void)in;
    (void)out;
    __atomic_store_n(&gate->is_entered, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&gate->is_open, __ATOMIC_SEQ_CST) == 0)
        usleep(500);
    return 1;
}

static inline plait_future *submit_hold(plait_pool *pool, struct gate *gate)
{
    plait_future *future = submit(pool, &(plait_job){ .fn = hold, .ctx = gate });

    while (__atomic_load_n(&gate->is_entered, __ATOMIC_SEQ_CST) == 0)
        nap();
    return future;
}

static inline void open_gate(struct gate *gate)
{
    __atomic_store_n(&gate->is_open, 1, __ATOMIC_SEQ_CST);
}

#endif
