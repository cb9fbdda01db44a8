/* What the threads that use a pool count each for itself, so that they do not share a line for it.
 * SPDX-License-Identifier: MIT
 *
 * A thread has always the same share of a pool, and there may be others that have it too. Only the
 * sums mean something. What has ended is summed up first: if it is as much as what was taken, by a
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

struct plait__share {
    _Alignas(128) struct plait__mutex lock;
    uint32_t visits;           /* atomic, a futex word: calls of ops that are under way */
    uint64_t n_ended;          /* atomic: futures and batches, or dropped before they were begun */
    uint64_t n_taken;          /* lock: futures and batches that were begun */
    uint64_t n_held;           /* lock: futures that were given memory */
    uint64_t n_freed;          /* lock: … and gave it back */
    uint64_t n_items;          /* lock: that were submitted */
    struct plait__list free;   /* lock: futures to be used again */
    uint32_t n_free;           /* lock */
    struct plait__tally ended; /* lock: items */
};

/* -ENOMEM. */
int plait__shares_make(plait_pool *pool);
void plait__shares_free(plait_pool *pool);
/* This thread's. */
struct plait__share *plait__share_of(const plait_pool *pool);

/* So many items are accepted in a future or batch more. */
void plait__share_take(plait_pool *pool, size_t items);
/* They are not, after all. */
void plait__share_untake(plait_pool *pool, size_t items);
/* One future or batch has ended; seq_cst: who waits for that sees it, or we see who waits. */
void plait__share_end(plait_pool *pool);
/* Is any of them open? */
bool plait__share_is_open(plait_pool *pool);

/* Counts what items ended in; `ret` is added to. */
void plait__tally(struct plait__tally *ret, const plait_result *results, size_t n);
/* They have ended. */
void plait__share_count(plait_pool *pool, const struct plait__tally *tally);
/* The sums. */
void plait__share_sum(plait_pool *pool, plait_pool_usage *ret, uint64_t *ret_shut);

/* To look into the executor. NULL: there is none any more; else what to hand to leave. */
struct plait__share *plait__pool_enter(plait_pool *pool);
void plait__pool_leave(plait_pool *pool, struct plait__share *share);
/* From now on nobody enters, and each future that gives back its memory lets go of the pool itself.
 * Waits for those who are in. */
void plait__pool_shut(plait_pool *pool);

#endif
