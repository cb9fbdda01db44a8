/* Jobs: what was submitted, in the private memory of its submitter.
 * SPDX-License-Identifier: MIT
 *
 * A job is one function over 1 … n items, which one worker runs one after the other; or over as many
 * as it gets in portions while it runs. The part above the executors (future.c, map.c, imap.c) makes
 * it and embeds it; it belongs to the executor from a submit that returned 0 until its on_end.
 */
#ifndef PLAIT__POOL_JOB_H
#define PLAIT__POOL_JOB_H

#include "base/list.h"

#include <plait/map.h>
#include <plait/pool.h>

/* What an item said besides what is in `out`: by plait_task_write and plait_task_fail. Zero bytes
 * are nothing. */
struct plait__said {
    char *bytes; /* what it wrote; NULL: nothing */
    size_t size;
    void (*release)(char *bytes); /* frees `bytes`; NULL: they are not to be freed */
    char *message;                /* why it failed, for free(); NULL: it did not say */
};

void plait__said_fini(struct plait__said *said);

struct plait__job_limits {
    int64_t soft_ns;   /* 0: none; of each item */
    int64_t hard_ns;   /* 0: none; of each item */
    unsigned attempts; /* at least 1 */
    unsigned lane;
};

/* submit.c fills each field by itself: that is faster. */
struct plait__job {
    struct plait__list node; /* the executor's */
    plait_pool *pool;
    plait_pool_fn *fn;           /* or */
    plait_pool_text_fn *text_fn; /* a function of the plugin interface */
    const char *in; /* n items of in_bytes behind one another; with in_bytes 0: the pointer
                                    itself, for each of them */
    size_t in_bytes;
    char *out; /* n of out_bytes behind one another; may be NULL with 0 */
    size_t out_bytes;
    uint32_t n; /* items, at least 1; of a portion, and 0 outside of one */
    void *ctx;
    size_t ctx_bytes; /* 0: the pointer itself (for processes: in the family heap or NULL, else
                         submit says -EINVAL) */
    struct plait__job_limits limits;
    /* n of them, zero unless the executor `fills_results`; filled by it before on_end, unless it
     * says is_summed */
    plait_result *results;
    bool may_sum;             /* if all items end in a value, nobody asks how each of them did */
    bool is_summed;           /* the executor: so they did … */
    int64_t run_ns;           /* … and ran so long together */
    struct plait__said *said; /* n of them, zero; NULL: what items say is dropped */
    uint32_t n_ended;         /* items */
    /* Called once by pump, outside of locks, when all items have ended. It is quick, runs
     * nothing of the user's, may submit, and the job may be gone when it returns. */
    void (*on_end)(struct plait__job *job);
    /* NULL, or what its worker calls before each portion and after the last: notes what the items of
     * the portion before ended in, and fills in, out, n and results anew. False: there are no more
     * items, or `more` is false; n is 0. Only where ops->refills. */
    bool (*refill)(struct plait__job *job, bool more);
    void *executor;    /* what the executor keeps with it; of a pool of threads atomic */
    uint32_t slot;     /* so too */
    uint64_t ticket;   /* so too */
    bool is_copied_in; /* the executor copied the input: the caller's may go */
    bool is_timed;     /* const: how long items run matters also where it costs a look at the clock:
                          in portions, and by help */
};

#endif
