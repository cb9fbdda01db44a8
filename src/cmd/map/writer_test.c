/* Tests of writing without being stuck.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/writer.h"

#include "os/fd.h"
#include "os/signal.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int asked;

static int give_up(void *arg)
{
    (void)arg;
    asked++;
    return -EINTR;
}

/* Empties the pipe, so that the writer can go on. */
static int make_room(void *arg)
{
    static char bytes[1024 * 1024];
    int *fds = arg;
    uint64_t count;

    asked++;
    CHECK(read(fds[1], &count, sizeof count) == sizeof count);
    CHECK(read(fds[0], bytes, sizeof bytes) > 0);
    return 0;
}

TEST(a_full_pipe_does_not_keep_an_interrupt_from_being_seen)
{
    static char bytes[1024 * 1024];
    struct map_writer writer;
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    map_writer_init(&writer, fds[1]);
    writer.interrupt = plait__os_eventfd();
    writer.ask = give_up;
    plait__os_eventfd_raise(writer.interrupt);
    CHECK_INT(map_writer_write(&writer, bytes, sizeof bytes), -EINTR);
    CHECK_INT(asked, 1);
}

TEST(after_an_interrupt_that_means_nothing_it_goes_on_where_it_was)
{
    static char bytes[100 * 1024];
    struct map_writer writer;
    int fds[2], arg[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    map_writer_init(&writer, fds[1]);
    writer.interrupt = arg[1] = plait__os_eventfd();
    arg[0] = fds[0];
    writer.ask = make_room;
    writer.ask_arg = arg;
    plait__os_eventfd_raise(writer.interrupt);
    CHECK_INT(map_writer_write(&writer, bytes, sizeof bytes), 0);
    CHECK_INT(asked, 1);
}

TEST(a_reader_that_went_away_is_told_again_and_again)
{
    struct map_writer writer;
    int fds[2];

    plait__os_ignore(SIGPIPE);
    CHECK_INT(plait__os_pipe(fds), 0);
    close(fds[0]);
    map_writer_init(&writer, fds[1]);
    CHECK_INT(map_writer_write(&writer, "x", 1), -EPIPE);
    CHECK_INT(map_writer_write(&writer, "x", 1), -EPIPE);
    CHECK_INT(map_writer_write(&writer, "", 0), -EPIPE);
}

TEST(a_full_disk_is_told)
{
    struct map_writer writer;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    map_writer_init(&writer, fd);
    CHECK_INT(map_writer_write(&writer, "x", 1), -ENOSPC);
}

static void *drain_slowly(void *arg)
{
    char byte;
    long n = 0;

    while (read(*(int *)arg, &byte, 1) == 1)
        n++;
    return (void *)n;
}

TEST(a_slow_reader_gets_every_byte)
{
    static char bytes[200 * 1000];
    struct map_writer writer;
    pthread_t thread;
    void *got;
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(pthread_create(&thread, NULL, drain_slowly, &fds[0]), 0);
    map_writer_init(&writer, fds[1]);
    CHECK_INT(map_writer_write(&writer, bytes, sizeof bytes), 0);
    close(fds[1]);
    CHECK_INT(pthread_join(thread, &got), 0);
    CHECK_INT((long)got, sizeof bytes);
}
