/* The members of the family: who we are, and who is dead.
 * SPDX-License-Identifier: MIT
 *
 * A family is the processes that share one region of memory, mapped at one address in all of them:
 * the one that made it and, from then on, its forked descendants. Each has an entry in a table in
 * that region. A member id names an entry and a generation of it; it is 30 bits, so that a lock can
 * name its owner and have two bits of its own in one word. An id whose entry has another generation
 * by now is dead.
 */
#ifndef PLAIT__FAMILY_MEMBER_H
#define PLAIT__FAMILY_MEMBER_H

#include "family/region.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What this process knows of itself; zero again in each forked child. */
struct plait__self {
    uint32_t member;         /* atomic: 0: not in the family yet */
    uint32_t is_joining;     /* atomic: a thread of this process is about to join */
    uint32_t heap_lock;      /* atomic: of heap.c, between the threads of this process */
    uint32_t heap_slabs[32]; /* of heap.c: the slab of each size that we take blocks from */
};

/* Atomic: where it is; zeroes before the first join. */
extern struct plait__self *plait__self;

/* Our id; makes the family or joins it when that is new. 0, -ENOMEM; -EUSERS: the table is full of
 * living members. */
int plait__member_join(void);

/* Our id, or 0 when plait__member_join has not been called since the start or the fork. */
static inline uint32_t plait__member_self(void)
{
    const struct plait__self *self = __atomic_load_n(&plait__self, __ATOMIC_ACQUIRE);

    return __atomic_load_n(&self->member, __ATOMIC_ACQUIRE);
}

/* Has every thread of that member executed its last instruction? Proven by the kernel; a system
 * call or a few. False for 0. */
bool plait__member_is_dead(uint32_t member);

/* Only for the next function. Set before our id, and never changed again. */
extern struct plait__family *plait__family_region;

/* The family's region; NULL before there is one. */
static inline struct plait__family *plait__family(void)
{
    /* acquires what who made it has released: its beginning */
    return __atomic_load_n(&plait__family_region, __ATOMIC_ACQUIRE);
}

/* Our entry in it; after plait__member_join. */
struct plait__member_entry *plait__member_entry(void);
/* Is the address in it? */
bool plait__family_has(const void *address);

#endif
