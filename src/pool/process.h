/* The executor of pools of kind process.
 * SPDX-License-Identifier: MIT
 *
 *     process.c            the owner's vtable
 *     process_side.c       slots from the submitter's side: owner, or a worker with nested jobs
 *     process_results.c    what a job has ended in, for it
 *     process_worker.c     what a worker does
 *     process_keep.c       what the keeper does
 *     process_block.h      what they share
 */
#ifndef PLAIT__POOL_PROCESS_H
#define PLAIT__POOL_PROCESS_H

#include "pool/executor.h"

extern const struct plait__executor_ops plait__process_executor;

#endif
