/* Pipes: another receiver takes the message between our look and our take. The place is forced, by
 * putting that other receiver into the call that takes.
 * SPDX-License-Identifier: MIT
 */
#include "chan/message.h"

static int take_late(int channel, size_t max, const struct iovec body[2],
                     struct plait__message *ret);

/* the source itself, so that it calls take_late */
#define plait__message_take take_late
#include "chan/pipe.c" // NOLINT(bugprone-suspicious-include)
#undef plait__message_take

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "test.h"

static plait_pipe *a, *b;
static char buf[200000];
static int thefts; /* how many messages the other receiver takes first */

static int take_late(int channel, size_t max, const struct iovec body[2],
                     struct plait__message *ret)
{
    static char bytes[PLAIT__MESSAGE_INLINE];

    for (; thefts > 0; thefts--) {
        struct plait__message theirs;
        struct iovec there[2] = { { bytes, sizeof bytes }, { NULL, 0 } };
        CHECK_INT(plait__message_take(channel, max, there, &theirs), 0);
        plait__message_drop(&theirs);
    }
    return plait__message_take(channel, max, body, ret);
}

static void open_pipe(void)
{
    CHECK_INT(plait_pipe_create(&a, &b, NULL), 0);
}

static void destroy_pipe(void)
{
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}

static void send_size(size_t size)
{
    static char bytes[sizeof buf];

    memset(bytes, (int)(size % 251), size);
    CHECK_INT(plait_pipe_send(a, bytes, size, PLAIT_FOREVER), 0);
}

static void check_got(ssize_t n, size_t size)
{
    CHECK_INT(n, size);
    for (size_t i = 0; i < size; i++)
        CHECK((unsigned char)buf[i] == size % 251);
}

/* The first is taken by the other; ours is of `size`, and the buffer of `cap`. */
static void lose_the_race(size_t size, size_t cap)
{
    send_size(1);
    send_size(size);
    thefts = 1;
    CHECK_INT(plait_pipe_recv(b, buf, cap, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(thefts, 0);
}

TEST(a_message_that_does_not_fit_after_all_is_kept)
{
    static const size_t caps[] = { 1, 2, 100, 70000 }, more[] = { 1, 1000, 65536, 100000 };

    open_pipe();
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            size_t size = caps[i] + more[j];
            lose_the_race(size, caps[i]);
            send_size(3);
            CHECK_INT(plait_pipe_poll(b, PLAIT_NOWAIT), 0);
            CHECK_INT(plait_pipe_next_size(b, PLAIT_NOWAIT), size);
            CHECK_INT(plait_pipe_recv(b, buf, size - 1, PLAIT_NOWAIT), -EMSGSIZE);
            check_got(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), size);
            check_got(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), 3);
        }
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), -ETIMEDOUT);
    destroy_pipe();
}

TEST(what_is_kept_is_there_with_an_empty_channel_and_after_the_end_of_the_other)
{
    void *bytes = NULL;

    open_pipe();
    lose_the_race(500, 10);
    CHECK_INT(plait_pipe_poll(b, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_pipe_close(a), 0);
    CHECK_INT(plait_pipe_recv_alloc(b, &bytes, PLAIT_NOWAIT), 500);
    CHECK_INT(plait_pipe_recv(b, buf, 10, PLAIT_NOWAIT), -EPIPE);
    free(bytes);
    destroy_pipe();
}

/* As two threads that lose at the same time. */
static void lose_the_race_twice(size_t first_size, size_t second_size)
{
    lose_the_race(first_size, 10);
    struct kept *first = b->kept;
    b->kept = NULL; /* or we would be offered that one again */
    lose_the_race(second_size, 10);
    struct kept *second = b->kept;
    b->kept = first;
    keep(b, second);
}

TEST(several_are_kept_in_order)
{
    open_pipe();
    lose_the_race_twice(500, 600);
    check_got(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), 500);
    check_got(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), 600);
    lose_the_race(500, 10); /* freed with the end */
    destroy_pipe();
}

TEST(a_message_of_the_other_kind_is_kept)
{
    int fd = -1;

    open_pipe();
    send_size(1);
    CHECK_INT(plait_pipe_send_fd(a, 2, "with", 4, PLAIT_FOREVER), 0);
    thefts = 1;
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), -ENOMSG);
    CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_FOREVER), 4);
    CHECK_MEM(buf, 4, "with", 4);
    CHECK(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    CHECK_INT(plait_pipe_send_fd(a, 2, "with", 4, PLAIT_FOREVER), 0);
    send_size(100000);
    thefts = 1;
    fd = -1;
    CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_FOREVER), -ENOMSG);
    CHECK_INT(fd, -1);
    check_got(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), 100000);
    destroy_pipe();
}

TEST(descriptors_stay_with_their_message)
{
    int one[2], two[2], fd = -1;
    struct stat want, got;

    open_pipe();
    CHECK_INT(pipe(one), 0);
    CHECK_INT(pipe(two), 0);
    CHECK_INT(plait_pipe_send_fd(a, one[0], "1", 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pipe_send_fd(a, two[0], "2", 1, PLAIT_FOREVER), 0);
    thefts = 1;
    CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_FOREVER), 1);
    CHECK_INT(buf[0], '2');
    CHECK_INT(fstat(two[0], &want), 0);
    CHECK_INT(fstat(fd, &got), 0);
    CHECK_INT(got.st_ino, want.st_ino);
    signal(SIGPIPE, SIG_IGN);
    close(one[0]);
    CHECK_INT(write(one[1], "x", 1), -1); /* nothing of the first is left open here */
    CHECK_INT(errno, EPIPE);
    destroy_pipe();
}

TEST(when_all_were_taken_the_wait_goes_on)
{
    open_pipe();
    send_size(5);
    thefts = 1;
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), -ETIMEDOUT);
    send_size(5);
    thefts = 1;
    CHECK_INT(plait_pipe_close(a), 0);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER), -EPIPE);
    destroy_pipe();
}

TEST(a_taker_of_memory_of_the_right_size_finds_another_size)
{
    void *bytes = NULL;

    open_pipe();
    send_size(5);
    send_size(1000);
    thefts = 1;
    CHECK_INT(plait_pipe_recv_alloc(b, &bytes, PLAIT_NOWAIT), 1000);
    free(bytes);
    bytes = NULL;
    send_size(5);
    thefts = 1;
    CHECK_INT(plait_pipe_recv_alloc(b, &bytes, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK(bytes == NULL);
    destroy_pipe();
}

TEST(what_a_process_keeps_its_child_does_not_receive_again)
{
    int status;

    open_pipe();
    lose_the_race_twice(500, 100000);
    CHECK_INT(plait_pipe_send(a, "next", 4, PLAIT_FOREVER), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_INT(plait_pipe_next_size(b, PLAIT_NOWAIT), 4);
        CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), 4);
        CHECK_INT(plait_pipe_poll(b, PLAIT_NOWAIT), -ETIMEDOUT);
        destroy_pipe();
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    check_got(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), 500);
    check_got(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), 100000);
    destroy_pipe();
}

/* The one loss that is said: a full table of descriptors and another receiver at the same moment. */
TEST(a_message_that_comes_in_a_race_without_room_for_its_descriptor_is_told)
{
    struct rlimit old, tight;
    int fd = -1, lowest;

    open_pipe();
    CHECK_INT(plait_pipe_send_fd(a, 2, "1", 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pipe_send_fd(a, 2, "2", 1, PLAIT_FOREVER), 0);
    lowest = dup(0);
    close(lowest);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = (struct rlimit){ .rlim_cur = (rlim_t)lowest + 1, .rlim_max = old.rlim_max };
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &tight), 0);
    thefts = 1;
    CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_FOREVER), -EMFILE);
    CHECK_INT(fd, -1);
    fd = dup(0); /* nothing is left open */
    CHECK_INT(fd, lowest);
    close(fd);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_INT(plait_pipe_poll(b, PLAIT_NOWAIT), -ETIMEDOUT);
    destroy_pipe();
}
