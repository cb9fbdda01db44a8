/* A word to sleep on until something may have changed.
 * SPDX-License-Identifier: MIT
 */
#include "chan/bell.h"
#include "wait/wait.h"

#define RUNG UINT32_C(0x10000)

/* seq_cst throughout: an announcement and the look after it are ordered against a change and the
 * look at the bell after that: one of the two sees the other. */
static bool change(uint32_t *bell, uint32_t *from, uint32_t to)
{
    return __atomic_compare_exchange_n(bell, from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* The wants of all who are announced. */
static uint32_t join_wants(uint32_t value, uint32_t want)
{
    uint32_t most = plait__bell_want(value), mixed = value & PLAIT__BELL_MIXED;

    if ((most != 0 && most != want) || want == PLAIT__BELL_MOST_WANT)
        mixed = PLAIT__BELL_MIXED;
    return (most > want ? most : want) << 1 | mixed;
}

uint32_t plait__bell_announce(uint32_t *bell, uint32_t want)
{
    uint32_t value = __atomic_load_n(bell, __ATOMIC_SEQ_CST), next;

    if (want > PLAIT__BELL_MOST_WANT)
        want = PLAIT__BELL_MOST_WANT;
    do
        next = (value & ~(RUNG - 1)) | join_wants(value, want) | PLAIT__BELL_AWAITED;
    while (next != value && !change(bell, &value, next));
    return next;
}

void plait__bell_ring(uint32_t *bell)
{
    uint32_t value = __atomic_load_n(bell, __ATOMIC_SEQ_CST);

    while (value & PLAIT__BELL_AWAITED) {
        /* since the caller looked, somebody may have come whom it is not enough for */
        if (value & PLAIT__BELL_MIXED) {
            plait__bell_ring_all(bell);
            return;
        }
        /* the wants stay: of those who go on sleeping nothing else tells */
        if (change(bell, &value, (value & ~PLAIT__BELL_AWAITED) + RUNG)) {
            plait__wake_word(bell, 1);
            return;
        }
    }
}

void plait__bell_ring_all(uint32_t *bell)
{
    uint32_t value = __atomic_load_n(bell, __ATOMIC_SEQ_CST);

    while (!change(bell, &value, (value & ~(RUNG - 1)) + RUNG))
        continue;
    plait__wake_word(bell, UINT_MAX);
}
