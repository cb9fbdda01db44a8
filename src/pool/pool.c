/* Pools: made, used, ended.
 * SPDX-License-Identifier: MIT
 *
 * close says that nothing new is accepted; the executor hears of it when all that was accepted has
 * ended, as a map may still have items to submit. Who looks into the executor does so on a visit:
 * destroy waits for the last of them.
 */
#include "pool/pool.h"
#include "base/assert.h"
#include "base/time.h"
#include "pool/running.h"
#include "wait/sleeper.h"

#include <plait/cpu.h>
#include <plait/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_WORKERS = 4000,
    MOST_LANES = 8,
    POISON_LIMIT = 2,
    NAME_BYTES = 24
};

/* ---- memory ---- */

static char *make_name(const char *name)
{
    static uint32_t last; /* atomic, relaxed: only a number */
    char own[NAME_BYTES];

    if (name == NULL) {
        uint32_t number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
        snprintf(own, sizeof own, "Pool-%u", number);
        name = own;
    }
    return strdup(name);
}

int plait__pool_make(plait_pool **ret, plait_kind kind, const struct plait__executor_ops *ops,
                     const char *name)
{
    plait_pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL)
        return -ENOMEM;
    pool->name = make_name(name);
    if (pool->name == NULL || plait__shares_make(pool) < 0) {
        free(pool->name);
        free(pool);
        return -ENOMEM;
    }
    pool->kind = kind;
    pool->ops = ops;
    pool->owner = getpid();
    pool->process = plait__ends_begin();
    pool->n_holders = 1;
    plait__list_init(&pool->due);
    plait__list_init(&pool->maps);
    *ret = pool;
    return 0;
}

/* Nobody uses it any more, or not in this process. */
static void free_pool(plait_pool *pool)
{
    struct plait__share *share = NULL;

    while ((share = plait__share_next(pool, share)) != NULL) {
        plait_future *future = share->free;
        if (share->lock.state != 0) /* a thread was in there at the fork */
            continue;
        while (future != NULL) {
            plait_future *next = future->next;
            free(future);
            future = next;
        }
    }
    plait__shares_free(pool);
    free(pool->name);
    free(pool);
}

void plait__pool_unref(plait_pool *pool)
{
    uint32_t left;

    plait__mutex_lock(&pool->lock);
    left = --pool->n_holders;
    plait__mutex_unlock(&pool->lock);
    if (left == 0)
        free_pool(pool);
}

int plait__pool_check(const plait_pool *pool)
{
    if (pool == NULL)
        return -EINVAL;
    return plait__ends_is_here(pool->process, pool->owner) ? 0 : -ECHILD;
}

/* ---- looking into the executor ---- */

void plait__pool_tell(plait_pool *pool)
{
    /* seq_cst: who waits has counted itself before it looked */
    if (__atomic_load_n(&pool->n_wanting, __ATOMIC_SEQ_CST) > 0)
        plait__ends_pass_on();
}

void plait__pool_pump(plait_pool *pool, bool eager)
{
    struct plait__share *visit = plait__pool_enter(pool);
    size_t n = 0;

    if (visit != NULL) {
        n = pool->ops->pump(pool);
        plait__pool_leave(pool, visit);
    }
    /* relaxed: a hint; who made a map feeds it once */
    if ((eager || n > 0) && __atomic_load_n(&pool->n_maps, __ATOMIC_RELAXED) > 0)
        plait__maps_feed(pool);
    if (n > 0)
        plait__pool_tell(pool);
    plait__futures_call(pool);
}

bool plait__pool_may_help(const plait_pool *pool)
{
    const struct plait__running *running = plait__running_current();

    return running != NULL && running->pool == pool && pool->ops->help != NULL;
}

bool plait__pool_help(plait_pool *pool, struct plait__job *job)
{
    /* no visit: the job that waits here keeps the pool */
    if (!plait__pool_may_help(pool) || !pool->ops->help(pool, job))
        return false;
    plait__futures_call(pool);
    return true;
}

int plait__pool_cancel(plait_pool *pool, struct plait__job *job, bool kill)
{
    struct plait__share *visit = plait__pool_enter(pool);
    int rc;

    if (visit == NULL)
        return -EALREADY;
    rc = pool->ops->cancel(pool, job, kill);
    plait__pool_leave(pool, visit);
    return rc;
}

/* ---- room ---- */

int plait__pool_try_submit(plait_pool *pool, struct plait__job *job)
{
    struct plait__share *visit = plait__pool_enter(pool);
    int rc;

    if (visit == NULL)
        return -EPIPE;
    rc = pool->ops->submit(pool, job, PLAIT_NOWAIT);
    plait__pool_leave(pool, visit);
    return rc;
}

/* A wait for room, or until nothing is open. */
static int wait_wanting(plait_pool *pool, plait__ends_look_fn *look, void *arg,
                        plait_deadline until)
{
    int rc;

    __atomic_add_fetch(&pool->n_wanting, 1, __ATOMIC_SEQ_CST);
    rc = plait__ends_wait(look, arg, until);
    __atomic_sub_fetch(&pool->n_wanting, 1, __ATOMIC_SEQ_CST);
    return rc;
}

struct room {
    plait_pool *pool;
    struct plait__job *job;
    int rc;
};

static enum plait__ends_look look_for_room(void *arg, bool will_sleep)
{
    struct room *room = arg;

    plait__pool_pump(room->pool, will_sleep);
    room->rc = plait__pool_try_submit(room->pool, room->job);
    return room->rc == -ETIMEDOUT ? PLAIT__ENDS_NOTHING : PLAIT__ENDS_DONE;
}

static int submit_later(plait_pool *pool, struct plait__job *job, plait_deadline until)
{
    struct room room = { pool, job, 0 };
    int rc = wait_wanting(pool, look_for_room, &room, until);

    return rc < 0 ? rc : room.rc;
}

int plait__pool_submit(plait_pool *pool, struct plait__job *job, plait_deadline until)
{
    int rc = plait__pool_try_submit(pool, job);

    return rc == -ETIMEDOUT ? submit_later(pool, job, until) : rc;
}

/* ---- create ---- */

static int check_opts(plait_pool_opts *opts)
{
    if (opts->workers > MOST_WORKERS || opts->lanes > MOST_LANES || opts->max_age_ms < 0 ||
        opts->grace_ms < 0 || (opts->init_arg_bytes > 0 && opts->init_arg == NULL))
        return -EINVAL;
    if (opts->workers == 0)
        opts->workers = (size_t)plait_cpu_count();
    if (opts->lanes == 0)
        opts->lanes = 1;
    if (opts->poison_limit == 0)
        opts->poison_limit = POISON_LIMIT;
    return 0;
}

int plait__pool_start(plait_pool **ret, plait_kind kind, const struct plait__executor_ops *ops,
                      plait_pool_opts *opts)
{
    plait_pool *pool = NULL;
    int rc = check_opts(opts);

    if (rc == 0)
        rc = plait__pool_make(&pool, kind, ops, opts->name);
    if (rc < 0)
        return rc;
    pool->n_workers = (uint32_t)opts->workers;
    pool->grace_ms = opts->grace_ms;
    rc = ops->create(pool, opts);
    if (rc < 0) {
        plait__pool_unref(pool);
        return rc;
    }
    *ret = pool;
    return 0;
}

/* ---- the end ---- */

int plait_pool_close(plait_pool *pool)
{
    int rc = plait__pool_check(pool);

    if (rc < 0)
        return rc;
    __atomic_store_n(&pool->is_closed, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static enum plait__ends_look look_for_end(void *arg, bool will_sleep)
{
    plait_pool *pool = arg;

    plait__pool_pump(pool, will_sleep);
    return plait__share_is_open(pool) ? PLAIT__ENDS_NOTHING : PLAIT__ENDS_DONE;
}

/* Nothing more is submitted; what has ended is told. As ops->end. */
static int end(plait_pool *pool, bool now, plait_deadline until)
{
    int rc;

    if (now)
        plait__maps_stop(pool);
    pool->ops->close(pool);
    rc = pool->ops->end(pool, now, until);
    if (rc == 0)
        __atomic_store_n(&pool->has_ended, 1, __ATOMIC_SEQ_CST);
    plait__ends_pass_on();
    plait__futures_call(pool);
    return rc;
}

/* May the caller wait for its end? -EDEADLK: it is a job of it. */
static int check_end(const plait_pool *pool)
{
    int rc = plait__pool_check(pool);

    return rc == 0 && plait_pool_current() == pool ? -EDEADLK : rc;
}

int plait_pool_join(plait_pool *pool, plait_deadline until)
{
    int rc = check_end(pool);

    if (rc < 0)
        return rc;
    if (!__atomic_load_n(&pool->is_closed, __ATOMIC_SEQ_CST))
        return -EBUSY;
    rc = wait_wanting(pool, look_for_end, pool, until);
    return rc < 0 ? rc : end(pool, false, until);
}

int plait_pool_terminate(plait_pool *pool)
{
    int rc = check_end(pool);

    if (rc < 0)
        return rc;
    plait_pool_close(pool);
    end(pool, true, PLAIT_NOWAIT);
    return 0;
}

/* Waits for it, whatever comes. Of what the executor has done with, something may still be in the
 * hands of others: who brings in an end, or feeds a map. */
static void end_now(plait_pool *pool)
{
    plait__mask_cancel();
    end(pool, true, PLAIT_FOREVER);
    wait_wanting(pool, look_for_end, pool, PLAIT_FOREVER);
    plait__unmask_cancel();
}

static uint64_t count_shut(plait_pool *pool)
{
    plait_pool_usage usage = { 0 };
    uint64_t n;

    plait__share_sum(pool, &usage, &n);
    return n;
}

ssize_t plait_pool_drain(plait_pool *pool, plait_deadline until)
{
    uint64_t before;
    int rc = check_end(pool);

    if (rc < 0)
        return rc;
    plait_pool_close(pool);
    rc = wait_wanting(pool, look_for_end, pool, until);
    if (rc == 0)
        rc = end(pool, false, until); /* with what jobs handed over */
    if (rc < 0 && rc != -ETIMEDOUT)
        return rc;
    before = count_shut(pool);
    end_now(pool);
    return (ssize_t)(count_shut(pool) - before);
}

/* In a child: memory goes, and nothing else is touched. */
static void free_inherited(plait_pool *pool)
{
    pool->ops->destroy(pool);
    free_pool(pool);
}

void plait_pool_destroy(plait_pool *pool)
{
    bool is_called_by_its_own_job;

    if (pool == NULL)
        return;
    if (plait__pool_check(pool) < 0) {
        free_inherited(pool);
        return;
    }
    is_called_by_its_own_job = plait_pool_current() == pool;
    PLAIT__ASSERT(!is_called_by_its_own_job); /* there is no other way to say so */
    plait_pool_close(pool);
    end_now(pool);
    plait__mask_cancel();
    plait__pool_shut(pool);
    plait__unmask_cancel();
    PLAIT__ASSERT(!plait__share_is_open(pool));
    pool->ops->destroy(pool);
    plait__pool_unref(pool);
}

/* ---- what it does ---- */

int plait_pool_resize(plait_pool *pool, size_t workers)
{
    int rc = workers == 0 || workers > MOST_WORKERS ? -EINVAL : plait__pool_check(pool);
    struct plait__share *visit;

    if (rc < 0)
        return rc;
    if (__atomic_load_n(&pool->has_ended, __ATOMIC_SEQ_CST))
        return -EPIPE;
    visit = plait__pool_enter(pool);
    if (visit == NULL)
        return -EPIPE;
    rc = pool->ops->resize(pool, workers);
    if (rc == 0)
        __atomic_store_n(&pool->n_workers, (uint32_t)workers, __ATOMIC_RELAXED);
    plait__pool_leave(pool, visit);
    return rc;
}

int plait_pool_stats_sized(plait_pool *pool, plait_pool_usage *ret, size_t ret_bytes)
{
    plait_pool_usage usage = { 0 };
    uint64_t shut;
    int rc = ret == NULL ? -EINVAL : plait__pool_check(pool);

    if (rc < 0)
        return rc;
    plait__pool_pump(pool, false);
    plait__share_sum(pool, &usage, &shut);
    pool->ops->stats(pool, &usage);
    if (ret_bytes > sizeof usage) {
        memset((char *)ret + sizeof usage, 0, ret_bytes - sizeof usage);
        ret_bytes = sizeof usage;
    }
    memcpy(ret, &usage, ret_bytes);
    return 0;
}
