/* Waiting for many descriptors.
 * SPDX-License-Identifier: MIT
 *
 * The bits are those of os/fd.h. A descriptor is added with a cookie, which comes back with what
 * happens to it.
 */
#ifndef PLAIT__OS_EPOLL_H
#define PLAIT__OS_EPOLL_H

#include "os/fd.h"

/* Beside PLAIT__FD_READ and PLAIT__FD_WRITE in what is wanted. */
enum {
    PLAIT__EPOLL_EDGE = 8,     /* told when it becomes possible, not as long as it is */
    PLAIT__EPOLL_ONCE = 16,    /* told once, then not until it is changed */
    PLAIT__EPOLL_AT_ONCE = 100 /* some kernels need 16 bytes for each: within a frame of 2 KiB */
};

struct plait__epoll_event {
    uint64_t cookie;
    unsigned ready; /* PLAIT__FD_READ | PLAIT__FD_WRITE | PLAIT__FD_HUP */
};

/* A descriptor, closed on exec. A forked child shares its set with the parent: it makes its own. */
int plait__os_epoll(void);
/* -EEXIST: it is in · -EPERM: a file or directory, always ready · -ENOSPC, -ENOMEM. */
int plait__os_epoll_add(int epoll, int fd, unsigned wanted, uint64_t cookie);
/* -ENOENT: it is not in. */
int plait__os_epoll_change(int epoll, int fd, unsigned wanted, uint64_t cookie);
/* -ENOENT, -EBADF: it is not in. */
int plait__os_epoll_remove(int epoll, int fd);
/* Waits until something happens or until_ns (monotonic; INT64_MAX: for ever; 0: not at all). How many
 * events, at most n and PLAIT__EPOLL_AT_ONCE; 0 at the deadline, never before; -EINTR when a signal
 * handler ran. */
int plait__os_epoll_wait(int epoll, struct plait__epoll_event *ret, size_t n, int64_t until_ns);

#endif
