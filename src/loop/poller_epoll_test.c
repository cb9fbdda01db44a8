/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"
#include "loop/poller.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WATCHES = 8
};

static const struct plait__poller_ops *const ops = &plait__poller_epoll;
static struct plait__poller *poller;
static struct plait__strand strand; /* runs: a wake is nothing to it */
static struct plait__fd fds[WATCHES];
static struct plait__fd_watch watches[WATCHES];
static int pair[2];

static void prepare(void)
{
    CHECK_INT(ops->create(&poller), 0);
    CHECK_INT(ops->enter(poller), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static int watch(int at, int fd, unsigned wanted)
{
    fds[at] = (struct plait__fd){ .fd = fd, .wanted = wanted };
    watches[at] = (struct plait__fd_watch){ .fd = &fds[at], .strand = &strand };
    return ops->watch(poller, &watches[at]);
}

static void look(void)
{
    CHECK_INT(ops->wait(poller, 0), 0);
}

static void say(int fd)
{
    CHECK_INT(write(fd, "x", 1), 1);
}

TEST(each_of_many_at_one_descriptor_is_told_what_it_wants)
{
    prepare();
    for (int i = 0; i < 4; i++)
        CHECK_INT(watch(i, pair[0], PLAIT__FD_READ), 0);
    CHECK_INT(watch(4, pair[0], PLAIT__FD_READ | PLAIT__FD_WRITE), 0);
    look();
    for (int i = 0; i < 4; i++)
        CHECK_INT(fds[i].ready, 0);
    CHECK_INT(fds[4].ready, PLAIT__FD_WRITE);
    say(pair[1]);
    look(); /* the others are watched on */
    for (int i = 0; i < 4; i++)
        CHECK_INT(fds[i].ready, PLAIT__FD_READ);
    for (int i = 0; i < 5; i++)
        ops->unwatch(poller, &watches[i]);
}

TEST(what_was_told_or_is_not_watched_any_more_is_not_told)
{
    prepare();
    CHECK_INT(watch(0, pair[0], PLAIT__FD_READ), 0);
    CHECK_INT(watch(1, pair[0], PLAIT__FD_READ), 0);
    ops->unwatch(poller, &watches[1]);
    say(pair[1]);
    look();
    CHECK_INT(fds[0].ready, PLAIT__FD_READ);
    CHECK_INT(fds[1].ready, 0);
    fds[0].ready = 0;
    look();
    CHECK_INT(fds[0].ready, 0);
    ops->unwatch(poller, &watches[0]);
    CHECK_INT(watch(0, pair[0], PLAIT__FD_READ), 0); /* it still is ready */
    look();
    CHECK_INT(fds[0].ready, PLAIT__FD_READ);
}

TEST(a_number_that_was_closed_and_is_another_file_is_told_of_that_one)
{
    int other[2], old;

    prepare();
    CHECK_INT(watch(0, pair[0], PLAIT__FD_READ), 0);
    ops->unwatch(poller, &watches[0]);
    old = dup(pair[0]); /* the kernel goes on watching it under the old number */
    CHECK_INT(pipe(other), 0);
    CHECK_INT(dup2(other[0], pair[0]), pair[0]);
    CHECK_INT(watch(1, pair[0], PLAIT__FD_READ), 0);
    say(pair[1]);
    look();
    CHECK_INT(fds[1].ready, 0);
    say(other[1]);
    look();
    CHECK_INT(fds[1].ready, PLAIT__FD_READ);
    close(old);
}

TEST(a_file_is_ready_at_once_and_no_descriptor_is_an_error)
{
    prepare();
    int file = open("/proc/self/exe", O_RDONLY);
    CHECK(file >= 0);
    CHECK_INT(watch(0, file, PLAIT__FD_READ), 1);
    CHECK_INT(fds[0].ready, PLAIT__FD_READ);
    ops->unwatch(poller, &watches[0]);
    close(file);
    CHECK_INT(watch(0, file, PLAIT__FD_READ), -EBADF);
    CHECK_INT(watch(0, 1 << 20, PLAIT__FD_READ), -EBADF);
}

TEST(the_end_of_the_other_side_is_told)
{
    prepare();
    CHECK_INT(watch(0, pair[0], PLAIT__FD_READ), 0);
    close(pair[1]);
    look();
    CHECK((fds[0].ready & PLAIT__FD_HUP) != 0);
}

TEST(more_are_ready_than_are_told_at_once)
{
    enum {
        MANY = 150
    };
    struct plait__fd many[MANY];
    struct plait__fd_watch many_watches[MANY];
    int pipes[MANY][2], n = 0;

    prepare();
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(pipe(pipes[i]), 0);
        say(pipes[i][1]);
        many[i] = (struct plait__fd){ .fd = pipes[i][0], .wanted = PLAIT__FD_READ };
        many_watches[i] = (struct plait__fd_watch){ .fd = &many[i], .strand = &strand };
        CHECK_INT(ops->watch(poller, &many_watches[i]), 0);
    }
    for (int i = 0; i < 10; i++)
        look();
    for (int i = 0; i < MANY; i++)
        n += many[i].ready == PLAIT__FD_READ;
    CHECK_INT(n, MANY);
}

static void *kick(void *arg)
{
    ops->kick(arg);
    return NULL;
}

TEST(a_kick_ends_the_sleep_and_one_that_came_before_it)
{
    pthread_t thread;

    prepare();
    ops->kick(poller);
    CHECK_INT(ops->wait(poller, INT64_MAX), 0);
    CHECK_INT(pthread_create(&thread, NULL, kick, poller), 0);
    CHECK_INT(ops->wait(poller, INT64_MAX), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    look(); /* and is over */
    ops->leave(poller);
    ops->destroy(poller);
}
