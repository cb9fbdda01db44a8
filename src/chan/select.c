/* Select.
 * SPDX-License-Identifier: MIT
 */
#include <plait/select.h>

#include "os/fd.h"
#include "wait/waitable.h"

#include <errno.h>

static int look(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    (void)how;
    watch->fd = (int)(on->arg >> 32);
    watch->wanted = (unsigned)on->arg;
    return watch->ready_fd != 0;
}

int plait_on_fd(plait_waitable *ret, int fd, unsigned events)
{
    static const struct plait__waitable_ops ops = { .look = look };
    unsigned wanted = (events & PLAIT_READABLE ? PLAIT__FD_READ : 0) |
                      (events & PLAIT_WRITABLE ? PLAIT__FD_WRITE : 0);

    if (ret == NULL || events == 0 || (events & ~(unsigned)(PLAIT_READABLE | PLAIT_WRITABLE)))
        return -EINVAL;
    if (fd < 0)
        return -EBADF;
    plait__waitable_make(ret, &ops, NULL, (uint64_t)fd << 32 | wanted);
    return 0;
}

static bool is_valid(const plait_waitable *on, size_t n)
{
    return n == 0 || (on != NULL && n <= PLAIT_SELECT_MAX);
}

ssize_t plait_select(const plait_waitable *on, size_t n, plait_deadline until)
{
    size_t which = 0;
    ssize_t rc = is_valid(on, n) ? plait__waitables_wait(on, n, &which, 1, until) : -EINVAL;

    return rc < 0 ? rc : (ssize_t)which;
}

ssize_t plait_select_all(const plait_waitable *on, size_t n, size_t *ret, plait_deadline until)
{
    if (!is_valid(on, n) || (ret == NULL && n > 0))
        return -EINVAL;
    return plait__waitables_wait(on, n, ret, n, until);
}
