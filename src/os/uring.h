/* io_uring: asking the kernel for many waits by one call.
 * SPDX-License-Identifier: MIT
 *
 * A ring belongs to the thread that opened it: no other may use it, nor a forked child. What is asked
 * for goes to the kernel at the next wait. A request has a cookie, which comes back with the event
 * that ends it; cookies of requests that have not ended are different.
 *
 * Two files: uring.c stands on liburing, uring_none.c is for a build without that, in which no ring
 * can be opened.
 */
#ifndef PLAIT__OS_URING_H
#define PLAIT__OS_URING_H

#include "os/futex.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plait__uring;

/* The cookie of events that nobody waits for: no request's. */
#define PLAIT__URING_NOBODY UINT64_MAX

struct plait__uring_event {
    uint64_t cookie;
    int result;   /* -errno; of a poll that ended well: for plait__os_uring_ready */
    bool goes_on; /* the request has not ended: of plait__os_uring_poll_always */
};

/* 0; -ENOSYS: no liburing in this build · -errno. */
int plait__os_uring_open(struct plait__uring **ret);
/* What was asked for is given up, and what of it was in the kernel is over. */
void plait__os_uring_close(struct plait__uring *ring);
/* In a forked child: closes its copy of what is the parent's. Async-signal-safe. */
void plait__os_uring_forget(struct plait__uring *ring);

/* Asks, all of them: 0, or -errno: not asked. */

/* Until it is ready for one of PLAIT__FD_READ and PLAIT__FD_WRITE: once, or an event each time that
 * it becomes so. Until the event, the kernel keeps the file open. */
int plait__os_uring_poll(struct plait__uring *ring, int fd, unsigned wanted, uint64_t cookie);
int plait__os_uring_poll_always(struct plait__uring *ring, int fd, unsigned wanted,
                                uint64_t cookie);
/* Until one of 1 … PLAIT__FUTEX_MOST words was woken or has another value. One such request at a
 * time. pre: the probe io_uring_futex. */
int plait__os_uring_words(struct plait__uring *ring, const struct plait__futex *words, size_t n,
                          uint64_t cookie);
/* Ends a request; its event comes in any case. */
int plait__os_uring_cancel(struct plait__uring *ring, uint64_t cookie);

/* What is ready by the result of a poll: PLAIT__FD_READ, PLAIT__FD_WRITE, PLAIT__FD_HUP. */
unsigned plait__os_uring_ready(int result);

/* Hands over what was asked for, and waits until there is an event or until_ns (monotonic; INT64_MAX:
 * for ever; 0: not at all, and without a system call when nothing is to be handed over and nothing
 * came). 0, also at the deadline · -EINTR: a signal handler ran · -ENOMEM, and nothing is lost. */
int plait__os_uring_wait(struct plait__uring *ring, int64_t until_ns);
/* The next event that has come; false: none. */
bool plait__os_uring_next(struct plait__uring *ring, struct plait__uring_event *ret);
/* A descriptor that is readable when an event has come since this call, always the same one; -errno.
 * The ring's own would not do: the kernel does not wake who polls that of a ring in our mode. */
int plait__os_uring_fd(struct plait__uring *ring);

#endif
