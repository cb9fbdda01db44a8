/* The pool of stacks.
 * SPDX-License-Identifier: MIT
 *
 * Stacks come in three sizes, mapped many at once; other sizes are mapped alone. Each loop has a list
 * of free ones, last in first out and without a lock, over a depot for the whole process. The tops of
 * stacks are shifted against each other (coloured), so that they do not all meet in the same lines of
 * the cache.
 */
#ifndef PLAIT__LOOP_STACKS_H
#define PLAIT__LOOP_STACKS_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PLAIT__STACK_SMALL, /* 64 KiB, the guard and the shift inside */
    PLAIT__STACK_DEFAULT, /* 192 KiB: with their share of page tables a million parked ones take 4.2 GiB */
    PLAIT__STACK_LARGE, /* 1 MiB */
    PLAIT__STACK_CLASSES,
    PLAIT__STACK_ALONE = PLAIT__STACK_CLASSES
};

struct plait__stack_cell;

/* A stack that somebody uses. */
struct plait__stack {
    void *low;                      /* the page above the guard */
    size_t bytes;                   /* usable from there; low + bytes is 64 bytes' aligned */
    struct plait__stack_cell *cell; /* the pool's; NULL: mapped alone */
    uint8_t size_class;
    uint8_t guard; /* PLAIT__GUARD_… of os/stack.h */
};

/* A loop's. Zero bytes are an empty one; only the loop's thread uses it. */
struct plait__stacks {
    struct {
        struct plait__stack_cell *first;
        size_t n; /* written by the loop, read by plait__stacks_stats: atomic, relaxed */
    } free[PLAIT__STACK_CLASSES];

    /* Like n: got here minus put here, negative where stacks of other loops are put. */
    intptr_t n_used, n_alone;
    struct plait__list known; /* depot's lock */
    uint32_t known_since;     /* the depot's generation, plus one; 0: it does not know us */
};

/* A stack of at least `bytes` (0: the default size), the guard and the shift being part of it. 0 or
 * -ENOMEM. */
int plait__stack_get(struct plait__stacks *own, size_t bytes, struct plait__stack *ret);
/* Nobody runs on it any more. own NULL: from a thread without a loop. */
void plait__stack_put(struct plait__stacks *own, const struct plait__stack *stack);
/* Gives the free ones to the depot. */
void plait__stacks_fini(struct plait__stacks *own);

/* Gives the memory of free stacks back to the kernel: the loop's own (NULL: of none) and the depot's. */
void plait__stacks_trim(struct plait__stacks *own);
/* In the child of a fork: what is used stays usable, the depot forgets the rest. */
void plait__stacks_reset(void);

struct plait__stacks_stats {
    size_t mapped;       /* stacks of the three sizes */
    size_t in_use;       /* of them */
    size_t alone;        /* stacks of other sizes, all in use */
    size_t by_guard[3];  /* of `mapped`, how many have which PLAIT__GUARD_… */
    size_t mapped_bytes; /* addresses, not memory */
};

void plait__stacks_stats(struct plait__stacks_stats *ret);

#endif
