/* Waiting for many descriptors.
 * SPDX-License-Identifier: MIT
 */
#include "os/epoll.h"
#include "os/call_numbers.h"
#include "os/clock.h"
#include "os/probe.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

int plait__os_epoll(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int control(int epoll, int operation, int fd, const struct plait__epoll_event *what)
{
    unsigned wanted = what->ready;
    struct epoll_event event = { .data.u64 = what->cookie };

    if (wanted & PLAIT__FD_READ)
        event.events |= EPOLLIN;
    if (wanted & PLAIT__FD_WRITE)
        event.events |= EPOLLOUT;
    if (wanted & PLAIT__EPOLL_EDGE)
        event.events |= EPOLLET;
    if (wanted & PLAIT__EPOLL_ONCE)
        event.events |= EPOLLONESHOT;
    return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

int plait__os_epoll_add(int epoll, int fd, unsigned wanted, uint64_t cookie)
{
    struct plait__epoll_event what = { .cookie = cookie, .ready = wanted };

    return control(epoll, EPOLL_CTL_ADD, fd, &what);
}

int plait__os_epoll_change(int epoll, int fd, unsigned wanted, uint64_t cookie)
{
    struct plait__epoll_event what = { .cookie = cookie, .ready = wanted };

    return control(epoll, EPOLL_CTL_MOD, fd, &what);
}

int plait__os_epoll_remove(int epoll, int fd)
{
    struct plait__epoll_event what = { 0 };

    return control(epoll, EPOLL_CTL_DEL, fd, &what);
}

static int wait_until(int epoll, struct epoll_event *events, int n, int64_t until_ns)
{
    struct {
        int64_t s, ns; /* as the kernel has it, on every machine */
    } left;

    int64_t ns = 0, ms;

    if (until_ns == INT64_MAX)
        return epoll_wait(epoll, events, n, -1);
    if (until_ns > 0)
        ns = until_ns - plait__os_now_ns();
    if (ns <= 0)
        return epoll_wait(epoll, events, n, 0);
    if (plait__probe_has(PLAIT__PROBE_EPOLL_PWAIT2)) {
        left.s = ns / 1000000000;
        left.ns = ns % 1000000000;
        return (int)syscall(SYS_epoll_pwait2, epoll, events, n, &left, NULL, 0);
    }
    ms = ns / 1000000 + (ns % 1000000 != 0);
    return epoll_wait(epoll, events, n, ms < INT_MAX ? (int)ms : INT_MAX);
}

static unsigned ready_of(uint32_t events)
{
    unsigned ready = 0;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        ready |= PLAIT__FD_READ;
    if (events & (EPOLLOUT | EPOLLERR))
        ready |= PLAIT__FD_WRITE;
    if (events & (EPOLLHUP | EPOLLERR))
        ready |= PLAIT__FD_HUP;
    return ready;
}

int plait__os_epoll_wait(int epoll, struct plait__epoll_event *ret, size_t n, int64_t until_ns)
{
    struct epoll_event events[PLAIT__EPOLL_AT_ONCE];
    int rc;

    if (n > PLAIT__EPOLL_AT_ONCE)
        n = PLAIT__EPOLL_AT_ONCE;
    rc = wait_until(epoll, events, (int)n, until_ns);
    if (rc < 0)
        return -errno;
    for (int i = 0; i < rc; i++)
        ret[i] = (struct plait__epoll_event){ .cookie = events[i].data.u64,
                                              .ready = ready_of(events[i].events) };
    return rc;
}
