/* File descriptors: waiting, pipes, temporary files, channels.
 * SPDX-License-Identifier: MIT
 */
#include "os/fd.h"

#include "os/clock.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MS = 1000 * 1000
};

static bool is_cloexec(int fd)
{
    return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static bool are_same_file(int a, int b)
{
    struct stat left, right;

    return fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

/* Sets the soft limit; the old one. */
static rlim_t set_fd_limit(rlim_t to)
{
    struct rlimit limit;
    rlim_t old;

    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    old = limit.rlim_cur;
    limit.rlim_cur = to;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return old;
}

/* ---- waiting ---- */

TEST(poll_says_what_each_descriptor_is_ready_for)
{
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    struct plait__fd polled[3] = {
        { .fd = fds[0], .wanted = PLAIT__FD_READ },
        { .fd = fds[1], .wanted = PLAIT__FD_WRITE },
        { .fd = -1, .wanted = PLAIT__FD_READ, .ready = 99 },
    };
    CHECK_INT(plait__os_poll(polled, 3, INT64_MAX), 1);
    CHECK_INT(polled[0].ready, 0);
    CHECK_INT(polled[1].ready, PLAIT__FD_WRITE);
    CHECK_INT(polled[2].ready, 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(plait__os_poll(polled, 2, 0), 2);
    CHECK_INT(polled[0].ready, PLAIT__FD_READ);
}

TEST(a_closed_peer_is_ready_and_hung_up)
{
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    close(fds[1]);
    struct plait__fd end = { .fd = fds[0], .wanted = PLAIT__FD_READ };
    CHECK_INT(plait__os_poll(&end, 1, INT64_MAX), 1);
    CHECK_INT(end.ready, PLAIT__FD_READ | PLAIT__FD_HUP);
}

TEST(a_descriptor_that_is_none_is_ready_and_in_error)
{
    struct plait__fd none = { .fd = 1000, .wanted = PLAIT__FD_READ };

    CHECK_INT(plait__os_poll(&none, 1, INT64_MAX), 1);
    CHECK_INT(none.ready, PLAIT__FD_READ | PLAIT__FD_HUP);
}

TEST(a_poll_ends_at_its_deadline)
{
    int64_t until = plait__os_now_ns() + 20 * MS;
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    struct plait__fd end = { .fd = fds[0], .wanted = PLAIT__FD_READ };
    CHECK_INT(plait__os_poll(&end, 1, until), 0);
    CHECK(plait__os_now_ns() >= until);
    CHECK_INT(plait__os_poll(NULL, 0, 0), 0);
}

TEST(many_descriptors_are_polled)
{
    struct plait__fd many[200];
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 200; i++)
        many[i] = (struct plait__fd){ .fd = fds[0], .wanted = PLAIT__FD_READ };
    CHECK_INT(plait__os_poll(many, 200, INT64_MAX), 200);
    CHECK_INT(many[199].ready, PLAIT__FD_READ);
}

static void ignore_alarm(int number)
{
    (void)number;
}

TEST(a_signal_handler_ends_a_poll_with_eintr)
{
    struct itimerval soon = { .it_value = { .tv_usec = 10000 } };
    int fds[2];

    CHECK_INT(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = ignore_alarm }, NULL), 0);
    CHECK_INT(plait__os_pipe(fds), 0);
    struct plait__fd end = { .fd = fds[0], .wanted = PLAIT__FD_READ, .ready = 99 };
    CHECK_INT(setitimer(ITIMER_REAL, &soon, NULL), 0);
    CHECK_INT(plait__os_poll(&end, 1, INT64_MAX), -EINTR);
    CHECK_INT(end.ready, 0);
}

TEST(readable_means_that_a_read_would_not_block)
{
    int fds[2], file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(plait__os_fd_is_readable(fds[0]), 0);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(plait__os_fd_is_readable(fds[0]), 1);
    CHECK_INT(plait__os_fd_is_readable(file), 1);
    close(fds[0]);
    CHECK_INT(plait__os_pipe(fds), 0);
    close(fds[1]);
    CHECK_INT(plait__os_fd_is_readable(fds[0]), 1);
}

/* ---- making descriptors ---- */

TEST(every_descriptor_is_close_on_exec)
{
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK(is_cloexec(fds[0]) && is_cloexec(fds[1]));
    CHECK_INT(plait__os_channel(fds), 0);
    CHECK(is_cloexec(fds[0]) && is_cloexec(fds[1]));
    CHECK(is_cloexec(plait__os_dup_above(0, 3)));
    CHECK(is_cloexec(plait__os_eventfd()));
    CHECK(is_cloexec(plait__os_memfd("test")));
    CHECK(is_cloexec(plait__os_tmpfile("/tmp")));
}

TEST(a_copy_is_the_lowest_above)
{
    int copy = plait__os_dup_above(0, 50);

    CHECK_INT(copy, 50);
    CHECK_INT(plait__os_dup_above(0, 50), 51);
    CHECK_INT(plait__os_dup_above(999, 3), -EBADF);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 50, 50 }), 0);
    CHECK_INT(plait__os_dup_above(0, 50), -EMFILE);
}

TEST(nonblocking_reads_say_eagain)
{
    char byte;
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(plait__os_set_nonblocking(fds[0]), 0);
    CHECK_INT(read(fds[0], &byte, 1), -1);
    CHECK_INT(errno, EAGAIN);
    CHECK_INT(plait__os_set_nonblocking(999), -EBADF);
}

TEST(a_raised_eventfd_stays_readable)
{
    int fd = plait__os_eventfd();

    CHECK_INT(plait__os_fd_is_readable(fd), 0);
    errno = ENOENT;
    plait__os_eventfd_raise(fd);
    plait__os_eventfd_raise(fd);
    CHECK_INT(errno, ENOENT);
    CHECK_INT(plait__os_fd_is_readable(fd), 1);
    plait__os_eventfd_raise(-1); /* says nothing, breaks nothing */
    CHECK_INT(errno, ENOENT);
}

TEST(a_temporary_file_has_no_name_and_holds_what_is_written)
{
    char back[4] = "";
    struct stat info;
    int fd = plait__os_tmpfile("/tmp");

    CHECK(fd >= 0);
    CHECK_INT(fstat(fd, &info), 0);
    CHECK_INT(info.st_nlink, 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    CHECK_INT(write(fd, "abc", 3), 3);
    CHECK_INT(pread(fd, back, 3, 0), 3);
    CHECK_STR(back, "abc");
    CHECK_INT(plait__os_tmpfile("/nonexistent"), -ENOENT);
}

TEST(the_limit_is_the_soft_one)
{
    set_fd_limit(77);
    CHECK_INT(plait__os_fd_limit(), 77);
}

TEST(what_is_no_terminal_has_no_columns)
{
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(plait__os_terminal_columns(fds[0]), 0);
}

/* ---- channels ---- */

static int channel[2], got[PLAIT__CHANNEL_FDS];
static size_t n_got;
static char bytes[64];

static void open_channel(void)
{
    CHECK_INT(plait__os_channel(channel), 0);
}

static ssize_t receive(void)
{
    return plait__os_channel_recv(channel[1], bytes, sizeof bytes, got, &n_got);
}

TEST(a_channel_keeps_messages_apart)
{
    open_channel();
    CHECK_INT(receive(), -EAGAIN);
    CHECK_INT(plait__os_channel_send(channel[0], "one", 3, NULL, 0), 0);
    CHECK_INT(plait__os_channel_send(channel[0], "four", 4, NULL, 0), 0);
    CHECK_INT(receive(), 3);
    CHECK_MEM(bytes, 3, "one", 3);
    CHECK_INT(receive(), 4);
    CHECK_INT(n_got, 0);
}

TEST(a_channel_carries_descriptors)
{
    int fds[PLAIT__CHANNEL_FDS + 1];

    open_channel();
    for (int i = 0; i <= PLAIT__CHANNEL_FDS; i++)
        fds[i] = plait__os_memfd("test");
    CHECK_INT(plait__os_channel_send(channel[0], "f", 1, fds, PLAIT__CHANNEL_FDS), 0);
    CHECK_INT(receive(), 1);
    CHECK_INT(n_got, PLAIT__CHANNEL_FDS);
    for (int i = 0; i < PLAIT__CHANNEL_FDS; i++) {
        CHECK(are_same_file(fds[i], got[i]));
        CHECK(is_cloexec(got[i]));
    }
    CHECK_INT(plait__os_channel_send(channel[0], "f", 1, fds, PLAIT__CHANNEL_FDS + 1), -EINVAL);
}

TEST(without_room_for_all_descriptors_none_is_received)
{
    int fds[2] = { 0, 0 }, lowest;
    rlim_t old;

    open_channel();
    CHECK_INT(plait__os_channel_send(channel[0], "f", 1, fds, 2), 0);
    CHECK_INT(plait__os_channel_send(channel[0], "g", 1, fds, 1), 0);
    lowest = plait__os_dup_above(0, 3);
    close(lowest);
    old = set_fd_limit((rlim_t)lowest + 1);
    CHECK_INT(receive(), 1); /* the message itself arrives */
    CHECK_INT(n_got, 0);
    CHECK_INT(receive(), 1); /* and the one that had been let in is closed again */
    CHECK_INT(n_got, 1);
    set_fd_limit(old); /* a leak checker needs some at exit */
}

TEST(a_message_larger_than_the_buffer_is_refused)
{
    char large[sizeof bytes + 1] = "";
    int fd = 0;

    open_channel();
    CHECK_INT(plait__os_channel_send(channel[0], large, sizeof large, &fd, 1), 0);
    CHECK_INT(receive(), -EMSGSIZE);
    CHECK_INT(n_got, 0);
    CHECK_INT(receive(), -EAGAIN);
}

TEST(a_full_channel_says_so_and_does_not_block)
{
    static char large[32 * 1024];
    static char huge[8 * 1024 * 1024];
    int rc, sent = 0;

    open_channel();
    CHECK_INT(plait__os_channel_send(channel[0], huge, sizeof huge, NULL, 0), -EMSGSIZE);
    while ((rc = plait__os_channel_send(channel[0], large, sizeof large, NULL, 0)) == 0)
        sent++;
    CHECK_INT(rc, -EAGAIN);
    CHECK(sent > 0);
}

TEST(a_channel_without_peer_says_so_without_sigpipe)
{
    open_channel();
    CHECK_INT(plait__os_channel_send(channel[0], "last", 4, NULL, 0), 0);
    close(channel[0]);
    CHECK_INT(receive(), 4); /* what was sent before is read first */
    CHECK_INT(receive(), 0);
    CHECK_INT(plait__os_channel_send(channel[1], "x", 1, NULL, 0), -EPIPE);
}

/* ---- a process of our own ---- */

TEST(all_but_the_named_are_closed)
{
    for (int fd = 3; fd < 1000; fd++)
        close(fd); /* what the caller of the test left open */
    int low = plait__os_dup_above(0, 10), kept = plait__os_dup_above(0, 20);
    int far = plait__os_dup_above(0, 30), high = plait__os_dup_above(0, 700);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = plait__os_dup_above(2, 800);
    int keep[3] = { 20, 30, 800 };

    CHECK(low == 10 && kept == 20 && far == 30 && high == 700 && log == 800);
    close(1); /* one of the three may be missing */
    CHECK_INT(plait__os_close_all_but(keep, 3), 0);
    dup2(log, 2); /* where the harness speaks */
    CHECK(is_open(kept) && is_open(far));
    CHECK(!is_open(low) && !is_open(high) && !is_open(null) && !is_open(21));
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(null >= 0);
    CHECK(are_same_file(0, null) && are_same_file(1, null));
}

TEST(nothing_kept_closes_all)
{
    int fd = plait__os_dup_above(0, 10);

    CHECK_INT(plait__os_close_all_but(NULL, 0), 0);
    if (is_open(fd) || is_open(3))
        _exit(1);
}
