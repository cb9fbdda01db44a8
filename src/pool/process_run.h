/* Jobs on the stack of a worker of a process pool.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_PROCESS_RUN_H
#define PLAIT__POOL_PROCESS_RUN_H

#include "pool/process_block.h"

#include <sys/types.h>

/* The worker that this process is. */
struct plait__process_worker {
    struct plait__pool_block *block; /* NULL: this is no worker */
    struct plait__worker *record;
    unsigned worker;
    uint32_t member; /* our id: a forked child has another */
    pid_t pid;
    pid_t keeper;
    unsigned depth;   /* jobs on the stack */
    unsigned turn;    /* counts looks for work */
    unsigned n_items; /* ended since the start */
    int64_t clock_ns; /* when the last item ended, which the next one begins at; 0: look */
    int64_t ready_ns;
    int64_t
        bound_ns; /* about when it last saw to it that it dies with its keeper; 0: no job since */
    plait_pool *pool; /* our handle, for nested jobs */
};

extern struct plait__process_worker plait__worker_self;

/* In a worker: if the job in that slot of its pool is not begun yet, runs it to its end, on this
 * stack. False: it runs elsewhere or is over. */
bool plait__worker_run(struct plait__slot *slot);
/* In a worker: runs all items of a job in a slot that nobody else sees. It dies with the job that
 * called us. */
void plait__worker_run_here(struct plait__slot *slot);
/* The hint is in our `current`: runs what it means, if that is not begun yet. */
void plait__worker_follow(uint64_t hint);
/* The keeper has too many of us. */
bool plait__worker_must_retire(void);
/* It has done, or lived, or taken up enough. */
bool plait__worker_is_worn(void);

#endif
