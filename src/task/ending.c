/* Waiting for the end of a process of ours, and for how it ended.
 * SPDX-License-Identifier: MIT
 */
#include "task/ending.h"
#include "base/time.h"
#include "os/clock.h"
#include "wait/wait.h"

#include <errno.h>

enum {
    TELL_NS = 100 * 1000 * 1000, /* so long it is asked again, then taken for unknown */
    PAUSE_NS = 200 * 1000,       /* between two looks at what cannot be polled, at first … */
    PAUSE_MAX_NS = 10 * 1000 * 1000,
};

bool plait__ending_may_be_told(int64_t *until_ns)
{
    int64_t now = plait__os_now_ns();

    if (*until_ns == 0)
        *until_ns = now + TELL_NS;
    return now < *until_ns;
}

/* It has ended, but is not to be had yet: a debugger holds it back, or the kernel is not done. */
static int look_until(int (*look)(void *arg), void *arg, plait_deadline until)
{
    int64_t pause_ns = PAUSE_NS;
    int rc;

    while ((rc = look(arg)) == -EAGAIN) {
        if (plait_left_ns(until) == 0)
            return -ETIMEDOUT;
        plait_deadline again = plait__deadline_after(plait__os_now_ns(), pause_ns);
        rc = plait_sleep(plait__deadline_earlier(until, again));
        if (rc < 0)
            return rc;
        pause_ns = pause_ns * 2 < PAUSE_MAX_NS ? pause_ns * 2 : PAUSE_MAX_NS;
    }
    return rc;
}

int plait__ending_await(int pidfd, int (*look)(void *arg), void *arg, plait_deadline until)
{
    struct plait__fd end = { .fd = pidfd, .wanted = PLAIT__FD_READ };
    int rc = -EINTR;

    while (rc == -EINTR)
        rc = plait__wait_fds(&end, 1, until);
    return rc < 0 ? rc : look_until(look, arg, until);
}
