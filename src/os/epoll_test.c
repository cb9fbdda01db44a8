/* Tests of waiting for many descriptors.
 * SPDX-License-Identifier: MIT
 */
#include "os/clock.h"
#include "os/epoll.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int epoll, fds[2];
static struct plait__epoll_event got[4];

static void prepare(void)
{
    epoll = plait__os_epoll();
    CHECK(epoll >= 0);
    CHECK_INT(fcntl(epoll, F_GETFD), FD_CLOEXEC);
    CHECK_INT(plait__os_pipe(fds), 0);
}

static int look(void)
{
    return plait__os_epoll_wait(epoll, got, 4, 0);
}

TEST(what_is_ready_comes_with_its_cookie)
{
    prepare();
    CHECK_INT(plait__os_epoll_add(epoll, fds[0], PLAIT__FD_READ, UINT64_MAX - 5), 0);
    CHECK_INT(plait__os_epoll_add(epoll, fds[1], PLAIT__FD_WRITE, 7), 0);
    CHECK_INT(look(), 1);
    CHECK(got[0].cookie == 7 && got[0].ready == PLAIT__FD_WRITE);
    CHECK_INT(plait__os_epoll_remove(epoll, fds[1]), 0);
    CHECK_INT(look(), 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(plait__os_epoll_wait(epoll, got, 4, INT64_MAX), 1);
    CHECK(got[0].cookie == UINT64_MAX - 5 && got[0].ready == PLAIT__FD_READ);
}

TEST(the_other_ends_absence_is_told_unasked)
{
    prepare();
    CHECK_INT(plait__os_epoll_add(epoll, fds[0], 0, 1), 0);
    CHECK_INT(look(), 0);
    close(fds[1]);
    CHECK_INT(look(), 1);
    CHECK(got[0].ready & PLAIT__FD_HUP);
}

TEST(what_is_wanted_can_change)
{
    int pair[2];

    prepare();
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_INT(plait__os_epoll_add(epoll, pair[0], PLAIT__FD_READ, 1), 0);
    CHECK_INT(look(), 0);
    CHECK_INT(plait__os_epoll_change(epoll, pair[0], PLAIT__FD_READ | PLAIT__FD_WRITE, 2), 0);
    CHECK_INT(look(), 1);
    CHECK(got[0].cookie == 2 && got[0].ready == PLAIT__FD_WRITE);
    CHECK_INT(write(pair[1], "x", 1), 1);
    CHECK_INT(look(), 1);
    CHECK_INT(got[0].ready, PLAIT__FD_READ | PLAIT__FD_WRITE);
}

TEST(an_edge_and_once_are_told_once)
{
    prepare();
    CHECK_INT(plait__os_epoll_add(epoll, fds[0], PLAIT__FD_READ | PLAIT__EPOLL_EDGE, 1), 0);
    CHECK_INT(plait__os_epoll_add(epoll, fds[1], PLAIT__FD_WRITE | PLAIT__EPOLL_ONCE, 2), 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(look(), 2);
    CHECK_INT(look(), 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(look(), 1);
    CHECK(got[0].cookie == 1);
    CHECK_INT(plait__os_epoll_change(epoll, fds[1], PLAIT__FD_WRITE | PLAIT__EPOLL_ONCE, 3), 0);
    CHECK_INT(look(), 1);
    CHECK(got[0].cookie == 3);
}

TEST(it_waits_until_the_deadline_and_not_less)
{
    prepare();
    CHECK_INT(plait__os_epoll_add(epoll, fds[0], PLAIT__FD_READ, 1), 0);
    for (int i = 0; i < 20; i++) {
        int64_t until = plait__os_now_ns() + 300000 + i * 123457;
        CHECK_INT(plait__os_epoll_wait(epoll, got, 4, until), 0);
        CHECK(plait__os_now_ns() >= until);
    }
    CHECK_INT(plait__os_epoll_wait(epoll, got, 4, plait__os_now_ns() - 1), 0);
}

static void on_alarm(int signal)
{
    (void)signal;
}

TEST(a_signal_ends_the_wait)
{
    struct itimerval soon = { .it_value.tv_usec = 1000, .it_interval.tv_usec = 1000 };
    struct sigaction action = { .sa_handler = on_alarm };

    prepare();
    CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_INT(setitimer(ITIMER_REAL, &soon, NULL), 0);
    CHECK_INT(plait__os_epoll_wait(epoll, got, 4, INT64_MAX), -EINTR);
}

TEST(mistakes_are_said)
{
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    prepare();
    CHECK_INT(plait__os_epoll_add(epoll, fds[0], PLAIT__FD_READ, 1), 0);
    CHECK_INT(plait__os_epoll_add(epoll, fds[0], PLAIT__FD_READ, 1), -EEXIST);
    CHECK_INT(plait__os_epoll_change(epoll, fds[1], PLAIT__FD_READ, 1), -ENOENT);
    CHECK_INT(plait__os_epoll_remove(epoll, fds[1]), -ENOENT);
    CHECK_INT(plait__os_epoll_remove(epoll, -1), -EBADF);
    CHECK_INT(plait__os_epoll_add(epoll, file, PLAIT__FD_READ, 1), -EPERM);
}
