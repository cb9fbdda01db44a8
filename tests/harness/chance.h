/* Chance and moments, for storms: a seed leads to the same choices.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_CHANCE_H
#define PLAIT_TESTS_CHANCE_H

#include <stdint.h>
#include <time.h>

/* splitmix64; the state is the seed at first. */
static inline uint32_t chance_below(uint64_t *state, uint32_t limit)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((mixed ^ mixed >> 31) % limit);
}

static inline int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Less than a second. */
static inline void nap_us(uint32_t us)
{
    struct timespec time = { .tv_nsec = (long)us * 1000 };

    nanosleep(&time, NULL);
}

#endif
