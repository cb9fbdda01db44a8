/* A queue of hints where work may be found, between processes, that nobody's death can stop.
 * SPDX-License-Identifier: MIT
 *
 * Zero bytes are an empty one, but for its mask. Each place is one word: how often the queue has
 * come round when it is used next, and what was put. Both ends are moved by whoever finds them
 * behind, so one that is killed between its two steps is in nobody's way, and nobody waits for
 * anybody. A hint is only that: it may be there twice, or say what is no longer so.
 */
#ifndef PLAIT__POOL_HINTS_H
#define PLAIT__POOL_HINTS_H

#include <stdbool.h>
#include <stdint.h>

struct plait__hints {
    uint64_t head; /* atomic */
    uint64_t spare[7];
    uint64_t tail;    /* atomic */
    uint32_t mask;    /* const: how many places, a power of two, minus one */
    uint32_t shift;   /* const: log2 of that */
    uint64_t *places; /* const; each atomic: round << 32 | hint; 0: none */
    uint64_t more_spare[5];
};

/* pre: hint is not 0. False: it is full. */
bool plait__hints_put(struct plait__hints *hints, uint32_t hint);
/* The first hint, or 0: it is empty. What it says is in *current: before it is out of the queue, so
 * that who is killed in between has it there. */
uint32_t plait__hints_take(struct plait__hints *hints, uint64_t *current);

/* Is there none, as far as we see without a step of our own? */
static inline bool plait__hints_is_empty(const struct plait__hints *hints)
{
    uint64_t head = __atomic_load_n(&hints->head, __ATOMIC_SEQ_CST);

    return head == __atomic_load_n(&hints->tail, __ATOMIC_SEQ_CST);
}

#endif
