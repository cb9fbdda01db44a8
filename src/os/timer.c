/* A descriptor that is readable from a point in time on.
 * SPDX-License-Identifier: MIT
 */
#include "os/timer.h"

#include <errno.h>
#include <sys/timerfd.h>

int plait__os_timer(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

void plait__os_timer_set(int timer, int64_t until_ns)
{
    struct itimerspec when = { 0 };

    if (until_ns < 1)
        until_ns = 1; /* 0 would switch it off */
    if (until_ns != INT64_MAX)
        when.it_value = (struct timespec){ until_ns / 1000000000, until_ns % 1000000000 };
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}
