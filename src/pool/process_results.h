/* What a job has ended in, out of its slot and into the memory of its submitter.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_PROCESS_RESULTS_H
#define PLAIT__POOL_PROCESS_RESULTS_H

#include "pool/process_block.h"

/* The slot is OVER, as `word` says. */
void plait__results_take(struct plait__slot *slot, struct plait__slot_word word,
                         struct plait__job *job);
/* The same slot, whose job nobody knows any more. */
void plait__results_drop(struct plait__slot *slot);

#endif
