/* The life of a worker of a process pool.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_PROCESS_WORKER_H
#define PLAIT__POOL_PROCESS_WORKER_H

#include "pool/process_block.h"

/* The claim that the next worker finds in its record; the keeper sets it before the fork. */
extern uint64_t plait__worker_claim;

/* Of struct plait__crew_ops: never returns. */
void plait__worker_enter(struct plait__crew *crew, unsigned worker);
/* In a worker: if the job in that slot of its pool is not begun yet, runs it to its end, on this
 * stack. False: it runs elsewhere or is over. */
bool plait__worker_run(struct plait__slot *slot);
/* In a worker: runs all items of a job in a slot that nobody else sees. It dies with the job that
 * called us. */
void plait__worker_run_here(struct plait__slot *slot);

#endif
