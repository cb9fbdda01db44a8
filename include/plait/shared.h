/* Memory that a family of processes shares.
 * SPDX-License-Identifier: MIT
 *
 *     struct account {
 *         plait_lock lock;
 *         long balance;
 *     } *account = plait_shared_alloc(sizeof *account); // zeroed: the lock is free
 *     ...
 *     plait_shared_free(account);
 *
 * A family is the process that was the first to need it and, from then on, the processes that
 * descend from it by fork. Its heap is at the same address in all of them, and a block that one of
 * them allocates is seen by all at once: a pointer to it may be handed over, and any member may
 * free it. Memory belongs to the family and not to who asked for it: the end of a process gives
 * nothing back.
 *
 * A process may be killed at any moment, also within these functions: the others go on, and what it
 * had in hand, not yet returned to its caller, is given back. When the last member has ended the
 * memory is gone; nothing is left in /dev/shm or in any table.
 */
#ifndef PLAIT_SHARED_H
#define PLAIT_SHARED_H

#include <plait/export.h>

#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

/* What the family's heap holds. */
typedef struct plait_shared_usage {
    uint64_t reserved_bytes;  /* addresses: what it can grow to */
    uint64_t committed_bytes; /* memory that it takes from the system */
    uint64_t used_bytes;      /* in allocated blocks, with what was rounded up */
    uint64_t blocks;          /* allocated */
    uint64_t rescued;         /* blocks that killed processes had in hand, given back since */
} plait_shared_usage;

/* Allocate a block of the family's memory.
 *
 *   bytes     its size.
 *   Returns   the block: all zero, aligned for any type (to 16 bytes). NULL: no memory, bytes is
 *             0, or the family has 4095 living members and cannot take in this process.
 *   Blocks    no; for a moment while others allocate.
 *   From      any task. Not from a signal handler.
 *   Errors    none; NULL says that it failed.
 *   Fork      usable in the child, and so is what was allocated before.
 *   Since     0.1
 */
PLAIT_API void *plait_shared_alloc(size_t bytes);

/* Free a block. Whoever allocated it, any process of the family may.
 *
 *   ptr       the block; NULL is fine. Its memory may be given to others at once.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  not an allocated block of this family's heap; freed already, as long as the
 *                      memory has not been allocated again.
 *   Fork      usable in the child: the block is gone for all.
 *   Since     0.1
 */
PLAIT_API int plait_shared_free(void *ptr);

/* What the heap holds. First it gives back what processes had in hand when they were killed, and
 * memory that stood ready for small blocks and holds none. While others allocate, the figures are of
 * slightly different moments.
 *
 *   ret       gets the figures; untouched on failure.
 *   Blocks    no; its time grows with the heap.
 *   From      any task. Not from a signal handler.
 *   Errors    -EINVAL  ret is NULL.
 *             -ENOMEM  there is no heap yet, and no memory for it.
 *             -EUSERS  the family has 4095 living members and cannot take in this process.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline int plait_shared_stats(plait_shared_usage *ret);

/* plait_shared_stats with the size of the figures in words: what the inline function calls, for
 * bindings.
 *
 *   ret        as there.
 *   ret_bytes  sizeof *ret as the caller was compiled: no more is written, and what this library
 *              does not know is 0.
 *   Blocks     as plait_shared_stats.
 *   From       as plait_shared_stats.
 *   Errors     as plait_shared_stats.
 *   Fork       as plait_shared_stats.
 *   Since      0.1
 */
PLAIT_API int plait_shared_stats_sized(plait_shared_usage *ret, size_t ret_bytes);

static inline int plait_shared_stats(plait_shared_usage *ret)
{
    return plait_shared_stats_sized(ret, sizeof *ret);
}

PLAIT_END

#endif
