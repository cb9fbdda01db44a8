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
/* In a worker, between jobs: its end, when what its jobs handed over has ended. */
void plait__worker_leave(plait_pool *pool, int status) __attribute__((noreturn));

#endif
