/* No io_uring: this build has no liburing.
 * SPDX-License-Identifier: MIT
 */
#include "os/uring.h"

#include <errno.h>

int plait__os_uring_open(struct plait__uring **ret)
{
    (void)ret;
    return -ENOSYS;
}

/* Nobody has a ring to call the others with. */

void plait__os_uring_close(struct plait__uring *ring)
{
    (void)ring;
}

void plait__os_uring_forget(struct plait__uring *ring)
{
    (void)ring;
}

int plait__os_uring_poll(struct plait__uring *ring, int fd, unsigned wanted, uint64_t cookie)
{
    (void)ring, (void)fd, (void)wanted, (void)cookie;
    return -ENOSYS;
}

int plait__os_uring_poll_always(struct plait__uring *ring, int fd, unsigned wanted, uint64_t cookie)
{
    return plait__os_uring_poll(ring, fd, wanted, cookie);
}

int plait__os_uring_words(struct plait__uring *ring, const struct plait__futex *words, size_t n,
                          uint64_t cookie)
{
    (void)ring, (void)words, (void)n, (void)cookie;
    return -ENOSYS;
}

int plait__os_uring_cancel(struct plait__uring *ring, uint64_t cookie)
{
    (void)ring, (void)cookie;
    return -ENOSYS;
}

unsigned plait__os_uring_ready(int result)
{
    (void)result;
    return 0;
}

int plait__os_uring_wait(struct plait__uring *ring, int64_t until_ns)
{
    (void)ring, (void)until_ns;
    return -ENOSYS;
}

bool plait__os_uring_next(struct plait__uring *ring, struct plait__uring_event *ret)
{
    (void)ring, (void)ret;
    return false;
}

int plait__os_uring_fd(struct plait__uring *ring)
{
    (void)ring;
    return -ENOSYS;
}
