/* Read-modify-writes of words of this process, which cost no locked instruction while it has one thread.
 * SPDX-License-Identifier: MIT
 *
 * A process that has one thread gets a second one only by what that thread does, so not between two
 * instructions here; and only by pthread_create. No signal handler may change such a word, and no other
 * process. Where the C library does not tell, there may always be other threads.
 *
 * All are acq_rel; a failure of the second is acquire.
 */
#ifndef PLAIT__OS_RMW_H
#define PLAIT__OS_RMW_H

#include <stdbool.h>
#include <stdint.h>

#if __has_include(<sys/single_threaded.h>)
#    include <sys/single_threaded.h>

static inline bool plait__has_one_thread(void)
{
    return __libc_single_threaded != 0;
}
#else
static inline bool plait__has_one_thread(void)
{
    return false;
}
#endif

/* What it was. */
static inline uint32_t plait__rmw_add(uint32_t *word, uint32_t n)
{
    uint32_t before;

    if (!plait__has_one_thread())
        return __atomic_fetch_add(word, n, __ATOMIC_ACQ_REL);
    before = __atomic_load_n(word, __ATOMIC_RELAXED);
    __atomic_store_n(word, before + n, __ATOMIC_RELAXED);
    return before;
}

/* Was it `expected`? Then it is `wanted`. */
static inline bool plait__rmw_replace(uint32_t *word, uint32_t expected, uint32_t wanted)
{
    if (!plait__has_one_thread())
        return __atomic_compare_exchange_n(word, &expected, wanted, false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE);
    if (__atomic_load_n(word, __ATOMIC_RELAXED) != expected)
        return false;
    __atomic_store_n(word, wanted, __ATOMIC_RELAXED);
    return true;
}

/* What it was. */
static inline uint32_t plait__rmw_exchange(uint32_t *word, uint32_t wanted)
{
    uint32_t before;

    if (!plait__has_one_thread())
        return __atomic_exchange_n(word, wanted, __ATOMIC_ACQ_REL);
    before = __atomic_load_n(word, __ATOMIC_RELAXED);
    __atomic_store_n(word, wanted, __ATOMIC_RELAXED);
    return before;
}

#endif
