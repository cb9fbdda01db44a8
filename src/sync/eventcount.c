/* A word that changes when something happened.
 * SPDX-License-Identifier: MIT
 *
 * All is seq_cst: the sleeper announces and then looks, the waker writes and then looks for the
 * bit; one of them sees the other.
 */
#include "sync/eventcount.h"
#include "wait/wait.h"

enum {
    SLEEPERS = 1,
    ONE_TIME = 2
};

uint32_t plait__eventcount_announce(uint32_t *word)
{
    return __atomic_or_fetch(word, SLEEPERS, __ATOMIC_SEQ_CST);
}

void plait__eventcount_signal(uint32_t *word, unsigned n)
{
    uint32_t value = __atomic_load_n(word, __ATOMIC_SEQ_CST);

    while (!__atomic_compare_exchange_n(word, &value, (value + ONE_TIME) & ~(uint32_t)SLEEPERS,
                                        true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    if (value & SLEEPERS)
        plait__wake_word(word, n);
}
