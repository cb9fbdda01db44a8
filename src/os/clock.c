/* Clocks.
 * SPDX-License-Identifier: MIT
 */
#include "os/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now); /* fails only for an unknown clock or a bad pointer */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t plait__os_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t plait__os_tick_ns(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t plait__os_real_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}
