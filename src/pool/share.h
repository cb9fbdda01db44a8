/* What the threads that use a pool count each for itself, so that they do not share a line for it.
 * SPDX-License-Identifier: MIT
 *
 * A thread has always the same share of a pool, and there may be others that have it too; a worker
 * that is a thread has one of its own, which needs no lock. Only the sums mean something. What has ended is summed up first: if it is as much as what was taken, by a
 * later look, then there was a moment between the two at which nothing was open.
 */
#ifndef PLAIT__POOL_SHARE_H
#define PLAIT__POOL_SHARE_H

#include "pool/executor.h"

enum {
    PLAIT__SHARES = 16
};

/* What some items ended in. */
struct plait__tally {
    uint64_t ends[PLAIT_JOB_EXPIRED + 1]; /* by plait_job_end */
    uint64_t bad;                         /* not in a value */
    uint64_t shut;                        /* CANCELLED(SHUTDOWN) */
    uint64_t begun;
    int64_t run_ns; /* of those */
};

/* `lock` guards what says so, but for others than its owner it is to be read only: atomic, relaxed,
 * all that is counted. */
struct plait__share {
    _Alignas(128) struct plait__mutex lock; /* of one that is not owned */
    bool is_owned;                          /* const: one thread has it, which outlives no pool */
    struct plait__share *next;              /* const: of the owned ones */
    uint32_t visits;           /* atomic, a futex word: calls of ops that are under way */
    uint64_t n_ended;          /* atomic: futures and batches, or dropped before they were begun */
    uint64_t n_taken;          /* lock: futures and batches that were begun */
    uint64_t n_held;           /* lock: futures that were given memory */
    uint64_t n_freed;          /* lock: … and gave it back */
    uint64_t n_items;          /* lock: that were submitted */
    plait_future *free;        /* lock: futures to be used again */
    uint32_t n_free;           /* lock */
    struct plait__tally ended; /* lock: items */
};

/* -ENOMEM. */
int plait__shares_make(plait_pool *pool);
/* The futures in them are gone. */
void plait__shares_free(plait_pool *pool);
/* All of them, one after the other: the first one after NULL, NULL after the last one. */
struct plait__share *plait__share_next(const plait_pool *pool, const struct plait__share *share);
/* One more, for a thread of its own, which ends before the pool does; NULL: no memory. */
struct plait__share *plait__share_add(plait_pool *pool);
/* It is this thread's; NULL: it has none any more. */
void plait__share_own(const plait_pool *pool, struct plait__share *share);
/* One of those that threads have together. */
struct plait__share *plait__share_common(const plait_pool *pool);

/* Only for the next function: the share that this thread has alone, and of which pool. */
struct plait__own_share {
    const plait_pool *pool;
    struct plait__share *share;
};
extern _Thread_local struct plait__own_share plait__own_share
    __attribute__((tls_model("initial-exec"))); /* owner thread */

/* This thread's. */
static inline struct plait__share *plait__share_of(const plait_pool *pool)
{
    return plait__own_share.pool == pool ? plait__own_share.share : plait__share_common(pool);
}

static inline void plait__share_lock(struct plait__share *share)
{
    if (!share->is_owned)
        plait__mutex_lock(&share->lock);
}

static inline void plait__share_unlock(struct plait__share *share)
{
    if (!share->is_owned)
        plait__mutex_unlock(&share->lock);
}

/* A count that one task at a time adds to. Relaxed: for people, and what is not is said where it is
 * read. */
static inline void plait__count(uint64_t *count, uint64_t more)
{
    __atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + more, __ATOMIC_RELAXED);
}

/* So many items are accepted in a future or batch more. */
void plait__share_take(plait_pool *pool, size_t items);
/* They are not, after all. */
void plait__share_untake(plait_pool *pool, size_t items);
/* One future or batch has ended; seq_cst: who waits for that sees it, or we see who waits. */
void plait__share_end(plait_pool *pool);

/* The same in an owned share, before the step that makes others see the end: an atomic exchange of
 * some kind, which stands between this store and the look at who waits. False: it is not owned. */
static inline bool plait__share_end_soon(struct plait__share *share)
{
    if (!share->is_owned)
        return false;
    /* release: the partner is share_is_open: who counts it finds it among the taken ones */
    __atomic_store_n(&share->n_ended, share->n_ended + 1, __ATOMIC_RELEASE);
    return true;
}

/* Is any of them open? */
bool plait__share_is_open(plait_pool *pool);

/* Counts what items ended in; `ret` is added to. */
void plait__tally(struct plait__tally *ret, const plait_result *results, size_t n);
/* The same of n items that all ended so; run_ns: all of them together. */
void plait__tally_same(struct plait__tally *ret, const plait_result *result, size_t n,
                       int64_t run_ns);
/* They have ended. */
void plait__share_count(plait_pool *pool, const struct plait__tally *tally);
/* One has. */
void plait__share_count_one(plait_pool *pool, const plait_result *result);
/* The sums. */
void plait__share_sum(plait_pool *pool, plait_pool_usage *ret, uint64_t *ret_shut);

/* Only for the next functions: of a share that is not owned. */
struct plait__share *plait__share_enter(plait_pool *pool, struct plait__share *share);
void plait__share_leave(plait_pool *pool, struct plait__share *share);

/* To look into the executor. NULL: there is none any more; else what to hand to leave. */
static inline struct plait__share *plait__pool_enter(plait_pool *pool)
{
    struct plait__share *share = plait__share_of(pool);

    /* the owner's thread keeps the pool */
    return share->is_owned ? share : plait__share_enter(pool, share);
}

static inline void plait__pool_leave(plait_pool *pool, struct plait__share *share)
{
    if (!share->is_owned)
        plait__share_leave(pool, share);
}

/* From now on nobody enters, and each future that gives back its memory lets go of the pool itself.
 * Waits for those who are in. */
void plait__pool_shut(plait_pool *pool);

#endif
