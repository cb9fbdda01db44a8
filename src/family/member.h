/* The members of the family: who we are, and who is dead.
 * SPDX-License-Identifier: MIT
 *
 * A family is the processes that share one region of memory, mapped at one address in all of them:
 * the one that made it and, from then on, its forked descendants. Each has an entry in a table in
 * that region. A member id names an entry and a generation of it; it is 30 bits, so that a lock can
 * name its owner and have two bits of its own in one word. An id whose entry has another generation
 * by now is dead.
 *
 * By the same id a process goes in the named segments that it shares with others, which are no
 * members of its family: which generation and which entry a family begins with is random, so that
 * two processes of different families have the same id once in 2^30 times. Then the second one
 * cannot open the segment.
 */
#ifndef PLAIT__FAMILY_MEMBER_H
#define PLAIT__FAMILY_MEMBER_H

#include "family/region.h"
#include "family/self.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Our id; makes the family or joins it when that is new. 0, -ENOMEM; -EUSERS: the table is full of
 * living members. */
int plait__member_join(void);

/* Our id, or 0 when plait__member_join has not been called since the start or the fork. */
static inline uint32_t plait__member_self(void)
{
    const struct plait__self *self = plait__myself();

    return __atomic_load_n(&self->member, __ATOMIC_ACQUIRE);
}

/* Has every thread of that member of our family executed its last instruction? Proven by the
 * kernel; a system call or a few. False for 0. */
bool plait__member_is_dead(uint32_t member);
/* The same of who is named by a word at that address: in a named segment it may be of another
 * family. */
bool plait__holder_is_dead(const void *address, uint32_t holder);

/* Only for the next function. Set before our id, and never changed again. */
extern struct plait__family *plait__family_region;

/* The family's region; NULL before there is one. */
static inline struct plait__family *plait__family(void)
{
    /* acquires what who made it has released: its beginning */
    return __atomic_load_n(&plait__family_region, __ATOMIC_ACQUIRE);
}

/* In a process that was spawned and has no family yet: that of who spawned it, of which `shared` was the
 * region there. 0 or the error of plait__os_shared_attach. */
int plait__family_adopt(const struct plait__shared *shared);

/* Our entry in it; after plait__member_join. */
struct plait__member_entry *plait__member_entry(void);
/* Is the address in it? */
bool plait__family_has(const void *address);
/* Do other processes share it: is it there, or in a named segment? */
bool plait__is_shared(const void *address);

#endif
