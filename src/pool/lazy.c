/* Calls that return at once, and whose values are waited for where they are needed.
 * SPDX-License-Identifier: MIT
 *
 * A lazy is a job and its future. One of a pool of processes lies in the family's heap, so that
 * other calls, in their workers, can wait for it: the worker that ran it says so there, and if that
 * died the owner does, when it brings in the job's end. Such a lazy lives until the owner has done
 * that, too.
 */
#include <plait/lazy.h>

#include "family/self.h"
#include "os/thread.h"
#include "pool/pool.h"
#include "wait/mutex.h"

#include <plait/error.h>
#include <plait/event.h>
#include <plait/shared.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct plait_lazy {
    plait_future *future; /* const; NULL: it could not be begun: `error` */
    int error;            /* const */
    pid_t owner;          /* const */
    size_t value_bytes;   /* const */
    bool is_shared;       /* const: in the family's heap, with what follows */
    bool has_value;       /* who sets `ended`, before */
    uint32_t refs;        /* atomic: the handle, and until the job's end was brought in that */
    plait_event ended;
    char value[] __attribute__((aligned(16)));
};

/* ---- the pool for all ---- */

static struct plait__mutex lock;
static plait_pool *pool_for_all; /* lock; not destroyed: at the end somebody may be in a call */
static pid_t pool_owner;         /* lock */

/* In a forked child: whoever had the lock is not there. */
static void reset(void)
{
    plait__mutex_reset(&lock);
}

/* Coroutines are waited for when their thread ends, and these would stay; but not by an exit in one
 * of them. */
static void end_coroutines(void)
{
    if (pool_owner != plait__self_pid() || pool_for_all->kind != PLAIT_COROUTINE ||
        plait_task_kind(plait_task_current()) == PLAIT_COROUTINE)
        return;
    plait_pool_destroy(pool_for_all);
    pool_for_all = NULL; /* no more calls can be begun */
}

/* What a fork and the end of the process need. pre: lock */
static int set_handlers(plait_kind kind)
{
    static bool has_handler, has_exit_handler; /* lock */

    if (!has_handler && plait__os_at_fork_child(reset) < 0)
        return -ENOMEM;
    has_handler = true;
    /* behind the one that waits for all coroutines, so that it is called before it */
    if (kind == PLAIT_COROUTINE && !has_exit_handler && atexit(end_coroutines) != 0)
        return -ENOMEM;
    has_exit_handler = has_exit_handler || kind == PLAIT_COROUTINE;
    return 0;
}

/* Without the lock, as it may sleep. Of several that make one at once the first to be done is taken:
 * -EALREADY. */
static int make_pool(plait_kind kind, const plait_pool_opts *opts, size_t opts_bytes)
{
    plait_pool *pool = NULL, *other;
    int rc = plait_pool_create_sized(&pool, kind, opts, opts_bytes);

    if (rc < 0)
        return rc;
    other = pool;
    plait__mutex_lock(&lock);
    rc = pool_owner == plait__self_pid() ? -EALREADY : set_handlers(kind);
    if (rc == 0) {
        other = pool_for_all; /* a parent's: frees memory */
        pool_for_all = pool;
        pool_owner = plait__self_pid();
    }
    plait__mutex_unlock(&lock);
    plait_pool_destroy(other);
    return rc;
}

static bool find_pool(plait_pool **ret)
{
    bool is_there;

    plait__mutex_lock(&lock);
    is_there = pool_owner == plait__self_pid();
    *ret = pool_for_all;
    plait__mutex_unlock(&lock);
    return is_there;
}

int plait_lazy_pool_sized(plait_kind kind, const plait_pool_opts *opts, size_t opts_bytes)
{
    plait_pool *there;

    return find_pool(&there) ? -EALREADY : make_pool(kind, opts, opts_bytes);
}

static int get_pool(plait_pool **ret)
{
    const plait_pool_opts opts = { .name = "plait-lazy" };

    while (!find_pool(ret)) {
        int rc = make_pool(PLAIT_THREAD, &opts, sizeof opts);
        if (rc < 0 && rc != -EALREADY)
            return rc;
    }
    return 0;
}

/* ---- a call ---- */

static void unref(plait_lazy *lazy)
{
    /* acq_rel: whoever frees it does so behind what the other one did */
    if (__atomic_fetch_sub(&lazy->refs, 1, __ATOMIC_ACQ_REL) == 1)
        plait_shared_free(lazy);
}

/* The owner has brought in the end of a shared one; its worker does nothing more. */
static void on_end(plait_future *future, void *arg)
{
    plait_lazy *lazy = arg;

    (void)future;
    if (!plait_event_is_set(&lazy->ended)) /* it was lost, or never begun */
        plait_event_set(&lazy->ended);
    unref(lazy);
}

int plait_lazy_tell(plait_lazy *lazy, const void *value, int code)
{
    if (lazy == NULL)
        return code;
    if (code >= 0 && lazy->value_bytes > 0)
        memcpy(lazy->value, value, lazy->value_bytes);
    lazy->has_value = code >= 0;
    plait_event_set(&lazy->ended);
    return code;
}

static plait_lazy *create(const plait_pool *pool, size_t value_bytes)
{
    bool is_shared = pool != NULL && pool->kind == PLAIT_PROCESS;
    plait_lazy *lazy;

    if (value_bytes > SIZE_MAX / 2)
        return NULL;
    if (is_shared)
        lazy = plait_shared_alloc(sizeof *lazy + value_bytes);
    else
        lazy = malloc(sizeof *lazy);
    if (lazy == NULL)
        return NULL;
    if (!is_shared)
        memset(lazy, 0, sizeof *lazy);
    lazy->is_shared = is_shared;
    lazy->owner = plait__self_pid();
    lazy->value_bytes = value_bytes;
    lazy->refs = 1;
    return lazy;
}

plait_lazy *plait_lazy_start(plait_pool *pool, int64_t limit_ms, const plait_lazy_call *call)
{
    plait_job job = { .hard_ms = limit_ms };
    int rc = call == NULL ? -EINVAL : pool == NULL ? get_pool(&pool) : 0;
    plait_lazy *lazy = call == NULL ? NULL : create(pool, call->value_bytes);

    if (lazy == NULL)
        return NULL;
    job.fn = call->fn;
    job.in = call->arg;
    job.in_bytes = call->arg_bytes;
    job.out_bytes = call->value_bytes;
    if (lazy->is_shared) {
        job.ctx = lazy;
        job.then = on_end;
        job.then_arg = lazy;
        lazy->refs = 2;
    }
    if (rc == 0)
        rc = plait_pool_submit(pool, &lazy->future, &job, PLAIT_FOREVER);
    if (rc < 0) {
        lazy->refs = 1;
        lazy->error = rc;
        plait_event_set(&lazy->ended);
    }
    return lazy;
}

/* In a call of another process. */
static int get_there(plait_lazy *lazy, void *ret, plait_deadline until)
{
    int rc = lazy->is_shared ? plait_event_wait(&lazy->ended, until) : -ECHILD;

    if (rc < 0)
        return rc;
    if (lazy->error < 0)
        return lazy->error;
    if (!lazy->has_value)
        return PLAIT_ENOVALUE;
    memcpy(ret, lazy->value, lazy->value_bytes);
    return 0;
}

int plait_lazy_get(plait_lazy *lazy, void *ret, size_t bytes, plait_deadline until)
{
    ssize_t n;

    if (lazy == NULL || ret == NULL || bytes != lazy->value_bytes)
        return -EINVAL;
    if (lazy->owner != plait__self_pid())
        return get_there(lazy, ret, until);
    if (lazy->error < 0)
        return lazy->error;
    n = plait_future_get(lazy->future, ret, bytes, until);
    return n < 0 ? (int)n : 0;
}

plait_future *plait_lazy_future(const plait_lazy *lazy)
{
    return lazy != NULL ? lazy->future : NULL;
}

void plait_lazy_destroy(plait_lazy *lazy)
{
    if (lazy == NULL || (lazy->is_shared && lazy->owner != plait__self_pid()))
        return;
    if (lazy->future != NULL)
        plait_future_cancel(lazy->future, true);
    plait_future_unref(lazy->future);
    if (lazy->is_shared)
        unref(lazy);
    else
        free(lazy);
}
