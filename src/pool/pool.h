/* What pools, futures and maps know of each other, above the executors.
 * SPDX-License-Identifier: MIT
 *
 * A pool's memory lives until it has been destroyed and the last that holds it (a future, a map of
 * items one by one) is gone. Locks: a map's lock may be held when the pool's is taken, and an
 * iterator's is the innermost.
 */
#ifndef PLAIT__POOL_POOL_H
#define PLAIT__POOL_POOL_H

#include "pool/bell.h"
#include "pool/executor.h"
#include "pool/share.h"

enum {
    PLAIT__FUTURE_SMALL = 64 /* input or output of so many bytes lies in the future */
};

struct plait__map;

/* A callback of the user's. */
struct plait__then {
    struct plait__then *next;
    plait_future_fn *fn;
    void *arg;
};

/* Somebody of ours wants to know that a future has ended; told under its lock. */
struct plait__hook {
    struct plait__list node; /* in the future's; its lock */
    void (*fn)(struct plait__hook *hook);
};

/* In future->state. */
enum {
    PLAIT__FUTURE_ENDED = 1,   /* who sets it releases what it ended in by it */
    PLAIT__FUTURE_WATCHED = 2, /* there are hooks or callbacks, or somebody sleeps until its end */
    PLAIT__FUTURE_REF = 4      /* each handle, and one until its end has been told to all */
};

struct plait_future {
    struct plait__job job;   /* of a submit */
    struct plait__list node; /* in the pool's due ones */
    plait_future *next;      /* in the free ones of a share */
    uint32_t state;          /* atomic */
    uint32_t process;        /* const: the owner, as plait__ends_begin says it */
    pid_t owner;             /* const: so too */
    struct plait__mutex lock;
    struct plait__map *map;      /* const: a future of a map; NULL: of a submit */
    struct plait__list hooks;    /* lock */
    struct plait__then *thens;   /* lock: the user's callbacks, first come first */
    struct plait__then own_then; /* lock: the first of them */
    plait_result result;         /* whoever ends it, before ENDED */
    struct plait__said said;     /* so too */
    void *copies;                /* owner: input, context and output that are not small; or NULL */
    _Alignas(16) char small_in[PLAIT__FUTURE_SMALL];
    _Alignas(16) char small_out[PLAIT__FUTURE_SMALL];
};

/* ---- pools ---- */

/* A pool with its vtable, open, nothing else: also for an executor that needs a handle in a worker.
 * -ENOMEM. */
int plait__pool_make(plait_pool **ret, plait_kind kind, const struct plait__executor_ops *ops,
                     const char *name);
/* One who holds the pool's memory lets go of it. */
void plait__pool_unref(plait_pool *pool);

/* A pool with its executor, of options whose zeroes become their defaults. */
int plait__pool_start(plait_pool **ret, plait_kind kind, const struct plait__executor_ops *ops,
                      plait_pool_opts *opts);

/* 0; -EINVAL: NULL; -ECHILD: of another process. */
int plait__pool_check(const plait_pool *pool);
/* Brings in ends, feeds the maps (eager: though nothing has ended), and runs the callbacks that are
 * due. The caller holds the pool's memory. */
void plait__pool_pump(plait_pool *pool, bool eager);
/* Something has ended: rings if somebody waits for room, or until nothing is open. */
void plait__pool_tell(plait_pool *pool);
/* ops->submit, until there is room. The pool may be closed already. */
int plait__pool_submit(plait_pool *pool, struct plait__job *job, plait_deadline until);
/* The same now or not at all: -ETIMEDOUT. */
int plait__pool_try_submit(plait_pool *pool, struct plait__job *job);
/* Is this a job of that pool, which may help? Others wait. */
bool plait__pool_may_help(const plait_pool *pool);
/* ops->help and ops->cancel. */
bool plait__pool_help(plait_pool *pool, struct plait__job *job);
int plait__pool_cancel(plait_pool *pool, struct plait__job *job, bool kill);
/* Into what the caller was compiled with. */
void plait__result_copy(plait_result *ret, size_t ret_bytes, const plait_result *result);
/* Limits of a job, as its submitter says them. */
void plait__limits_fill(struct plait__job_limits *limits, int64_t soft_ms, int64_t hard_ms,
                        unsigned attempts, unsigned lane);

/* ---- futures ---- */

/* A new future of so many items, with two references, one of them for its end. -EPIPE: the pool is
 * closed; -ENOMEM. */
int plait__future_take(plait_future **ret, plait_pool *pool, size_t items);
/* It was not submitted. */
void plait__future_drop(plait_future *future, size_t items);
/* It has ended: result and said are there. Callbacks are run by the next pump. */
void plait__future_end(plait_future *future);

static inline bool plait__future_has_ended(const plait_future *future)
{
    /* acquire: what it ended in was written before */
    return __atomic_load_n(&future->state, __ATOMIC_ACQUIRE) & PLAIT__FUTURE_ENDED;
}

/* From now on its end takes the lock, and is rung for: before a sleep, or (under the lock) before a
 * hook or a callback is added. False: it has ended. */
bool plait__future_watch(plait_future *future);
/* The callback of a future that nobody else has; NULL: none. */
void plait__future_begin_then(plait_future *future, plait_future_fn *fn, void *arg);
/* 0; -EINVAL: NULL; -ECHILD: of another process. */
int plait__future_check(const plait_future *future);
/* Runs it here, or a chunk of it, if it is not begun yet and that may be. */
bool plait__future_help(plait_future *future);
/* Calls the callbacks that are due. */
void plait__futures_call_due(plait_pool *pool);

static inline void plait__futures_call(plait_pool *pool)
{
    /* relaxed: who made one due pumps as well, and looks after that */
    if (__atomic_load_n(&pool->n_due, __ATOMIC_RELAXED) > 0)
        plait__futures_call_due(pool);
}

/* Frees the memory of a future that nobody holds. */
void plait__future_free(plait_future *future);

/* ---- maps ---- */

/* Submits what there is room for; pool lock not held. */
void plait__maps_feed(plait_pool *pool);
/* No more is submitted of any map: the rest is CANCELLED(SHUTDOWN). */
void plait__maps_stop(plait_pool *pool);
/* As plait_future_cancel. */
int plait__map_cancel(struct plait__map *map, bool kill);
/* Runs a chunk that is not begun yet here, if that may be. */
bool plait__map_help(struct plait__map *map);
/* How many items did not end in a value; when it has ended. */
size_t plait__map_bad(const struct plait__map *map);
void plait__map_free(struct plait__map *map);

#endif
