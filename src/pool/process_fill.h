/* A job, laid out in its slot.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_PROCESS_FILL_H
#define PLAIT__POOL_PROCESS_FILL_H

#include "pool/process_block.h"

/* What must be copied, or have a place of its own. */
struct plait__fill_sizes {
    size_t in, ctx, out, ends, saids;
};

/* The last large block of an owner, for his next job: its pages are there, in all processes that used
 * it. The heap would give them back at once. */
struct plait__fill_spare {
    char *memory; /* NULL: none */
    size_t bytes;
};

/* 0; -EINVAL: a pointer that means nothing there; -ENOMEM: it is too much. */
int plait__fill_measure(const struct plait__job *job, struct plait__fill_sizes *ret);
/* The slot is FREE, and the submitter's. -ENOMEM. */
int plait__fill_slot(struct plait__slot *slot, const struct plait__job *job,
                     const struct plait__fill_sizes *sizes, uint32_t submitter,
                     struct plait__fill_spare *spare);
/* Gives back what it took. */
void plait__fill_undo(struct plait__slot *slot, struct plait__fill_spare *spare);

#endif
