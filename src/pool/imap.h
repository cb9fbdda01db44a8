/* What a map over items that come one by one consists of.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_IMAP_H
#define PLAIT__POOL_IMAP_H

#include "pool/pool.h"

/* A handle begins with what differs: over a pool, over a group. */
struct plait_imap {
    const struct plait__imap_ops *ops;
};

struct plait__imap_ops {
    int (*next)(plait_imap *handle, void *out, plait_result *ret, size_t ret_bytes,
                plait_deadline until);
    void (*destroy)(plait_imap *handle);
};

/* Some items; the owner's, but for what is said. */
struct plait__batch {
    struct plait__job job;    /* the executor's while it flies */
    struct plait__list node;  /* in flying, or free */
    struct plait__list ready; /* in the imap's; its lock */
    struct plait__imap *imap;
    uint32_t has_ended; /* atomic: who stores it releases the results by it */
    uint32_t n;         /* items in it */
    uint32_t next;      /* the first that is not given out */
    uint32_t cap;       /* room */
    char *in, *out;
    plait_result *results;
};

struct plait__imap {
    struct plait_imap imap; /* first: the handle */
    plait_pool *pool;
    uint32_t process; /* the owner, as plait__ends_begin says it */
    pid_t owner;      /* so too */
    plait_pool_fn *fn;
    plait_pool_source_fn *source;
    void *source_arg;
    plait_imap_opts opts;
    struct plait__job_limits limits;
    void *own_ctx;        /* a copy of the context, or NULL */
    bool is_over;         /* the source has no more */
    int error;            /* … as it said so, or why no more can be submitted */
    int refused;          /* the latter */
    size_t n_held;        /* items taken and not given out */
    int64_t tick_ns;      /* when the source was last seen to give something */
    bool is_slow;         /* it took long to */
    bool has_filled;      /* this next has taken some */
    plait_deadline until; /* of this next */
    int64_t cost_ns;
    int64_t cost_items;
    struct plait__batch *filling; /* not submitted yet; or NULL */
    struct plait__batch *current; /* whose results are being given out; or NULL */
    struct plait__list flying;    /* batches submitted and not current yet, in their order */
    struct plait__list free;      /* batches to be used again */
    struct plait__mutex lock;
    struct plait__list ready; /* lock: of `flying`, those that have ended, in that order */
    uint32_t n_flying;        /* lock: those that have not ended */
};

static inline size_t plait__imap_workers(const struct plait__imap *imap)
{
    return __atomic_load_n(&imap->pool->n_workers, __ATOMIC_RELAXED);
}

/* How many items the next batch is to have. */
size_t plait__batch_size(const struct plait__imap *imap);
/* With room for one item; NULL: no memory. */
struct plait__batch *plait__batch_make(struct plait__imap *imap);
/* An empty one that was used before, or a new one; NULL: no memory. */
struct plait__batch *plait__batch_take(struct plait__imap *imap);
void plait__batch_free(struct plait__batch *batch);

#endif
