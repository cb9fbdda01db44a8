/* A process pool as a submitter sees it: the owner, or a worker with jobs of its own.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_PROCESS_SIDE_H
#define PLAIT__POOL_PROCESS_SIDE_H

#include "pool/executor.h"
#include "pool/process_block.h"
#include "pool/process_fill.h"
#include "wait/mutex.h"

struct plait__side {
    struct plait__pool_block *block; /* const */
    plait_pool *pool;                /* const */
    struct plait__slot *slots;       /* const: ours */
    uint32_t n_slots;                /* const */
    uint32_t submitter;              /* const: our worker's number plus one; 0: the owner */
    uint64_t *done;                  /* const: bits of our slots, in the block */
    size_t max_bytes;                /* const; 0: no bound */

    struct plait__mutex lock;
    uint32_t *free; /* lock: the slots that are FREE, as a stack */
    uint32_t n_free;
    struct plait__fill_spare spare; /* lock */
    struct plait__job **jobs;       /* lock: in each slot; NULL: none of ours */
    struct plait__list ended;       /* lock: a worker's jobs that never were in a slot */
    size_t bytes;                   /* lock: of the input of the jobs that have not ended */
    uint32_t n_limited;             /* lock: jobs with limits, or that are to be killed */
    bool is_closed;                 /* lock */

    /* owner: process.c */
    uint64_t keeper;   /* keeper lock: the keeper that has the crew, by its generation */
    int64_t looked_ns; /* atomic: when the keeper was last looked at */
    bool is_abandoned; /* keeper lock: there is no keeper, and none can be made */
    /* keeper lock: since then none was seen to live, and the block's epoch at that time; 0: never */
    int64_t failing_since_ns;
    uint32_t failing_epoch;
};

/* The owner's side. -ENOMEM. */
int plait__side_create(struct plait__side **ret, plait_pool *pool, struct plait__pool_block *block);
/* Not the block. */
void plait__side_free(struct plait__side *side);
/* In a worker: a handle of the pool, for jobs within jobs. */
int plait__side_begin(struct plait__pool_block *block, unsigned worker, plait_pool **ret);

/* Never waits: as submit of struct plait__executor_ops. */
int plait__side_submit(struct plait__side *side, struct plait__job *job);
/* In a worker: as help. */
bool plait__side_help(struct plait__side *side, const struct plait__job *job);
/* As pump. */
size_t plait__side_pump(struct plait__side *side);
int plait__side_cancel(struct plait__side *side, struct plait__job *job, int64_t kill_at_ns);
/* What has not begun ends so. */
void plait__side_give_up(struct plait__side *side, plait_job_end end, plait_job_cause cause);
size_t plait__side_n_jobs(struct plait__side *side);

#endif
