/* What a lock could cost: one compare-and-swap, one store; who waits spins. A semaphore of one unit:
 * a compare-and-swap, an addition.
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"

enum {
    SPINS = 100 /* then somebody else may need the CPU to give it back */
};

static uint32_t *word; /* lock: held; semaphore: units */

static int locks_make(const char *variant)
{
    (void)variant;
    word = (uint32_t *)locks_memory;
    *word = locks.is_semaphore;
    return 0;
}

/* Changes the word when it has the one value, to the other. */
static inline int change(uint32_t from, uint32_t to)
{
    for (unsigned i = 1;; i++) {
        uint32_t value = from;
        if (__atomic_compare_exchange_n(word, &value, to, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return 0;
        while (__atomic_load_n(word, __ATOMIC_RELAXED) != from && i % SPINS != 0) {
            plait__os_cpu_relax();
            i++;
        }
        if (i % SPINS == 0)
            sched_yield();
    }
}

static int locks_acquire(void)
{
    return change(0, 1);
}

static int locks_release(void)
{
    __atomic_store_n(word, 0, __ATOMIC_RELEASE);
    return 0;
}

static int locks_take(void)
{
    return change(1, 0);
}

static int locks_give(void)
{
    __atomic_add_fetch(word, 1, __ATOMIC_RELEASE);
    return 0;
}

int main(int argc, char **argv)
{
    return locks_main(argc, argv);
}
