/* What differs between the kinds of pools.
 * SPDX-License-Identifier: MIT
 *
 * Above it stand the public calls: they check their arguments, the owner and whether the pool is
 * closed, make jobs, wait on the bell (bell.h), and run the callbacks. An executor runs jobs, and
 * rings the bell when one has ended.
 *
 *     int plait_pool_create → create
 *     submit, pump, help, cancel, resize, stats    in any order, by several threads at once
 *     close                                        when nothing more will be submitted
 *     end                                          until it says 0
 *     destroy
 */
#ifndef PLAIT__POOL_EXECUTOR_H
#define PLAIT__POOL_EXECUTOR_H

#include "pool/job.h"
#include "wait/mutex.h"

#include <plait/pool.h>

struct plait__share;

struct plait__executor_ops {
    /* Sets pool->executor. The options are checked and have their defaults (workers, lanes,
     * poison_limit at least 1). Strings and init_arg live as long as the call. */
    int (*create)(plait_pool *pool, const plait_pool_opts *opts);
    /* 0 · -ETIMEDOUT no room until then · -EPIPE closed · PLAIT_EPOOL broken · -ECANCELED ·
     * -ENOMEM · -EINVAL a pointer that means nothing there, a lane that is not there */
    int (*submit)(plait_pool *pool, struct plait__job *job, plait_deadline until);
    /* Brings in what has ended: fills results, calls on_end of the jobs whose items all have. How
     * many jobs ended. Whatever it holds back while it calls on_end, another pump at the same time,
     * or one inside of on_end, must not need. */
    size_t (*pump)(plait_pool *pool);
    /* The caller waits for the job: if it is unstarted and may run on this stack, claims it and
     * runs it here. false: it runs elsewhere, has ended, or may not. NULL: never. */
    bool (*help)(plait_pool *pool, struct plait__job *job);
    /* 0: taken out, or asked · -EALREADY: it has ended. `kill`: after the pool's grace its
     * worker is killed. Its end comes by pump. */
    int (*cancel)(plait_pool *pool, struct plait__job *job, bool kill);
    int (*resize)(plait_pool *pool, size_t workers);
    /* Adds what it knows to the zeroed *ret. */
    void (*stats)(plait_pool *pool, plait_pool_usage *ret);
    /* No more jobs; workers end when all is done. May be called again. */
    void (*close)(plait_pool *pool);
    /* After close: waits until all jobs have ended, brings them in as pump does, and until the
     * workers are gone. 0 · -ETIMEDOUT · -ECANCELED. `now`: what has not begun becomes
     * CANCELLED(SHUTDOWN) and what runs is ended (process: killed, CANCELLED(SHUTDOWN); thread:
     * asked). May be called again. */
    int (*end)(plait_pool *pool, bool now, plait_deadline until);
    /* Frees pool->executor. After an end that said 0; in another process than the owner it frees
     * memory and touches nothing else. */
    void (*destroy)(plait_pool *pool);
    /* submit copies the input unless that lies in the heap of the family; else the input must live
     * until on_end */
    bool copies_in;
    /* it writes all of a job's results: nobody need zero them before */
    bool fills_results;
    /* knows job->refill */
    bool refills;
};

struct plait_pool {
    plait_kind kind;                       /* const */
    const struct plait__executor_ops *ops; /* const */
    pid_t owner;                           /* const: the process in which it may be used */
    uint32_t process;                      /* const: the same, as plait__ends_begin says it */
    char *name;                            /* const */
    int64_t grace_ms;                      /* const */
    void *executor;                        /* the executor's */
    uint32_t n_workers;                    /* atomic: that are wanted */
    uint32_t n_asleep; /* atomic, the executor's: jobs that sleep, in whose place others may run */

    /* pool.c's and future.c's */
    struct plait__share *shares; /* const: share.h */
    struct plait__share *owned;  /* atomic: those of single threads */
    uint32_t is_closed;          /* atomic: nothing new is accepted */
    uint32_t has_ended;          /* atomic: the executor's end has come */
    uint32_t is_gone;            /* atomic: destroyed, but for its memory */
    uint32_t n_wanting;          /* atomic: tasks that wait for room, or until nothing is open */
    struct plait__mutex lock;
    uint32_t n_holders;      /* lock: the handle, and maps of items one by one; and from the end on
                                futures */
    struct plait__list due;  /* lock: futures that have ended and have callbacks to run */
    uint32_t n_due;          /* atomic: how many; a hint */
    struct plait__list maps; /* lock: those with items that are not submitted */
    uint32_t n_maps;         /* atomic: how many; a hint */
    uint32_t stops_maps;     /* atomic: no more is submitted of any map */
};

#endif
