/* A word that names the member of the family that owns it: what locks and rings are made of.
 * SPDX-License-Identifier: MIT
 *
 *     bit 31   somebody may sleep on it
 *     bit 30   broken: an owner died, and nobody has said yet that all is well again
 *     0 - 29   the id of the owner; 0: nobody
 *
 * Zero bytes are a free word. The owner is a process: which of its tasks it is, the object around
 * the word knows. A sleeper looks every now and then, at most 100 ms apart, whether the owner is
 * proven dead; then the word becomes free and broken. Nothing is ever taken from an owner that is
 * only slow.
 */
#ifndef PLAIT__SYNC_OWNED_H
#define PLAIT__SYNC_OWNED_H

#include "family/member.h"
#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

#define PLAIT__OWNED_WAITERS (UINT32_C(1) << 31)
#define PLAIT__OWNED_BROKEN  (UINT32_C(1) << 30)

static inline uint32_t plait__owned_by(uint32_t value)
{
    return value & (PLAIT__OWNED_BROKEN - 1);
}

int plait__owned_acquire_slowly(uint32_t *word, bool takes_broken, plait_deadline until);
void plait__owned_wake(uint32_t *word);

/* 0: we own it · 1: we own it, and it is broken (with takes_broken) · -EOWNERDEAD: it is free and
 * broken (without) · -ETIMEDOUT · -ECANCELED · -EDEADLK: it is in memory that is only ours, held by
 * a task that stayed behind in a fork · -ENOMEM, -EUSERS: we could not join the family. Free, it is
 * taken also in a cancelled task and after the deadline. */
static inline int plait__owned_acquire(uint32_t *word, bool takes_broken, plait_deadline until)
{
    uint32_t self = plait__member_self(), free = 0;

    if (__builtin_expect(self != 0, 1) &&
        __atomic_compare_exchange_n(word, &free, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return 0;
    return plait__owned_acquire_slowly(word, takes_broken, until);
}

/* Waits until nobody owns it, without taking it: by now somebody may. As plait__owned_acquire
 * without takes_broken. */
int plait__owned_wait(uint32_t *word, plait_deadline until);

/* Is it our process that owns it? */
static inline bool plait__owned_is_ours(const uint32_t *word)
{
    uint32_t self = plait__member_self();

    return self != 0 && plait__owned_by(__atomic_load_n(word, __ATOMIC_RELAXED)) == self;
}

/* pre: we own it. Broken, it stays so. */
static inline void plait__owned_release(uint32_t *word)
{
    uint32_t kept = __atomic_load_n(word, __ATOMIC_RELAXED) & PLAIT__OWNED_BROKEN;

    if (__atomic_exchange_n(word, kept, __ATOMIC_RELEASE) & PLAIT__OWNED_WAITERS)
        plait__owned_wake(word);
}

/* All is well again. pre: we own it. */
static inline void plait__owned_mend(uint32_t *word)
{
    __atomic_fetch_and(word, ~PLAIT__OWNED_BROKEN, __ATOMIC_RELAXED);
}

#endif
