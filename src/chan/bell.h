/* A word to sleep on until something may have changed: a sequence, and a hint that somebody sleeps.
 * SPDX-License-Identifier: MIT
 *
 *     bit 0         somebody may sleep
 *     bits 1 - 14   the most that a sleeper wants, in units of the owner's choice; saturated
 *     bit 15        they want different things
 *     bits 16 - 31  how often it was rung
 *
 *     sleeper                                  who changes something
 *       seen = announce(bell, want)              change, seq_cst
 *       look again; there is something: done     is somebody announced? no: done, no system call
 *       plait__wait_word(bell, seen, …)          ring
 *       from the start
 *
 * The kernel's queue is the truth about who sleeps; there is no count that a killed sleeper could
 * leave wrong. The hint is cleared by whoever rings and set again by whoever wakes, as others may
 * sleep still; who was woken and leaves something for others rings once more. A sleeper that is
 * killed between its wake and that takes the wake with it: therefore no sleep is longer than 100 ms.
 * models/wake.pml is the model of it.
 */
#ifndef PLAIT__CHAN_BELL_H
#define PLAIT__CHAN_BELL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define PLAIT__BELL_AWAITED   UINT32_C(1)
#define PLAIT__BELL_MIXED     (UINT32_C(1) << 15)
#define PLAIT__BELL_MOST_WANT UINT32_C(0x3fff)

/* From now on it is rung when something changes. What to hand to plait__wait_word. */
uint32_t plait__bell_announce(uint32_t *bell, uint32_t want);

/* 0: nobody sleeps; else the value. After the change: seq_cst, the partner is announce. */
static inline uint32_t plait__bell_awaited(const uint32_t *bell)
{
    uint32_t value = __atomic_load_n(bell, __ATOMIC_SEQ_CST);

    return value & PLAIT__BELL_AWAITED ? value : 0;
}

/* The most that one of the sleepers wants. */
static inline uint32_t plait__bell_want(uint32_t value)
{
    return value >> 1 & PLAIT__BELL_MOST_WANT;
}

/* So much is there: is it enough to wake one of the sleepers, as it would do for any of them? Else
 * the one that wakes may be the wrong one. */
static inline bool plait__bell_one_will_do(uint32_t value, uint32_t there)
{
    return !(value & PLAIT__BELL_MIXED) && plait__bell_want(value) <= there;
}

/* The hint goes, nobody is woken: for a bell that only tells whom another one is to wake. Before
 * that one is rung. */
static inline void plait__bell_hush(uint32_t *bell)
{
    __atomic_fetch_and(bell, ~PLAIT__BELL_AWAITED, __ATOMIC_SEQ_CST);
}

/* Wakes one, if somebody is announced; all, if they want different things. */
void plait__bell_ring(uint32_t *bell);
/* Wakes all, announced or not. */
void plait__bell_ring_all(uint32_t *bell);

#endif
