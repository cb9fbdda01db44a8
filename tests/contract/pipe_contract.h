/* What a pipe promises between two tasks, one body for each claim. A file of adapters says what
 * differs.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines KIND before. The test holds the end `a`, the task that it starts holds `b`.
 */
#ifndef PLAIT_TESTS_PIPE_CONTRACT_H
#define PLAIT_TESTS_PIPE_CONTRACT_H

#include <plait.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "methods.h"
#include "read_gate.h"

#define CLAIM_LIMIT(claim, seconds) \
    TEST_CASE("", claim, seconds)   \
    BY_METHODS(claim, seconds)      \
    static void claim(void)

#define CLAIM(claim) CLAIM_LIMIT(claim, 10)

static plait_pipe *a, *b;
CARRIED_AS(a, AS_PIPE)
CARRIED_AS(b, AS_PIPE)

/* Sizes on both sides of each way that a message may go. */
static const size_t sizes[] = { 0, 1, 24, 1000, 65535, 65536, 65537, 131072, 1 << 20, 5000001 };

enum {
    SIZES = sizeof sizes / sizeof *sizes,
    LARGEST = 5000001
};

/* A process closes the end that is the other's; threads share the handle. */
static void leave(plait_pipe *end)
{
    if (KIND == PLAIT_PROCESS)
        CHECK_INT(plait_pipe_close(end), 0);
}

/* A task that has b of the pipe which is there. */
static plait_task *start_at(plait_task_fn *fn, void *arg)
{
    plait_task *task = start_by_method(KIND, fn, arg, (plait_task_opts){ 0 });

    leave(b);
    return task;
}

/* A pipe, and such a task. */
static plait_task *start(plait_task_fn *fn, void *arg)
{
    CHECK_INT(plait_pipe_create(&a, &b, NULL), 0);
    return start_at(fn, arg);
}

static void finish(plait_task *task)
{
    CHECK_INT(result_of(task), 0);
    plait_pipe_destroy(a);
    plait_pipe_destroy(b);
}

static char pattern_at(size_t size, size_t i)
{
    return (char)((size + i) * 2654435761U >> 13);
}

static char *make_message(size_t size)
{
    char *bytes = malloc(size + 1);

    CHECK(bytes != NULL);
    for (size_t i = 0; i < size; i++)
        bytes[i] = pattern_at(size, i);
    return bytes;
}

static void check_message(const char *bytes, ssize_t n, size_t size)
{
    CHECK_INT(n, size);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != pattern_at(size, i))
            CHECK_INT(bytes[i], pattern_at(size, i));
}

static void send_size(plait_pipe *end, size_t size)
{
    char *bytes = make_message(size);

    CHECK_INT(plait_pipe_send(end, bytes, size, PLAIT_FOREVER), 0);
    free(bytes);
}

/* ---- messages ---- */

static int send_all_sizes(void *arg)
{
    (void)arg;
    leave(a);
    for (int i = 0; i < SIZES; i++)
        send_size(b, sizes[i]);
    plait_pipe_close(b);
    return 0;
}

CLAIM(messages_of_every_size_arrive_whole_and_in_order_and_then_the_end)
{
    static char buf[LARGEST];
    plait_task *task = start(send_all_sizes, NULL);

    for (int i = 0; i < SIZES; i++)
        check_message(buf, plait_pipe_recv(a, buf, sizeof buf, PLAIT_FOREVER), sizes[i]);
    CHECK_INT(plait_pipe_recv(a, buf, sizeof buf, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_pipe_recv(a, buf, sizeof buf, PLAIT_NOWAIT), -EPIPE);
    CHECK_INT(plait_pipe_poll(a, PLAIT_NOWAIT), 0);
    finish(task);
}

CLAIM(messages_of_every_size_are_received_into_new_memory)
{
    plait_task *task = start(send_all_sizes, NULL);
    void *bytes = NULL;

    for (int i = 0; i < SIZES; i++) {
        ssize_t n = plait_pipe_recv_alloc(a, &bytes, PLAIT_FOREVER);
        check_message(bytes, n, sizes[i]);
        CHECK_INT(((char *)bytes)[n], 0);
        free(bytes);
    }
    bytes = &task;
    CHECK_INT(plait_pipe_recv_alloc(a, &bytes, PLAIT_FOREVER), -EPIPE);
    CHECK(bytes == &task);
    finish(task);
}

CLAIM(a_message_larger_than_the_buffer_tells_its_size_and_stays)
{
    char *buf = malloc(LARGEST);
    plait_task *task = start(send_all_sizes, NULL);

    for (int i = 0; i < SIZES; i++) {
        CHECK_INT(plait_pipe_poll(a, PLAIT_FOREVER), 0);
        if (sizes[i] > 0) {
            CHECK_INT(plait_pipe_recv(a, buf, sizes[i] - 1, PLAIT_FOREVER), -EMSGSIZE);
            CHECK_INT(plait_pipe_recv(a, NULL, 0, PLAIT_NOWAIT), -EMSGSIZE);
        }
        CHECK_INT(plait_pipe_next_size(a, PLAIT_FOREVER), sizes[i]);
        check_message(buf, plait_pipe_recv(a, buf, sizes[i], PLAIT_NOWAIT), sizes[i]);
    }
    CHECK_INT(plait_pipe_next_size(a, PLAIT_FOREVER), -EPIPE);
    free(buf);
    finish(task);
}

static int echo(void *arg)
{
    (void)arg;
    leave(a);
    for (;;) {
        void *bytes = NULL;
        ssize_t n = plait_pipe_recv_alloc(b, &bytes, PLAIT_FOREVER);
        if (n < 0)
            return n == -EPIPE ? 0 : (int)n;
        CHECK_INT(plait_pipe_send(b, bytes, (size_t)n, PLAIT_FOREVER), 0);
        free(bytes);
    }
}

CLAIM(a_pipe_goes_both_ways)
{
    char *buf = malloc(LARGEST);
    plait_task *task = start(echo, NULL);

    for (int i = 0; i < SIZES; i++) {
        send_size(a, sizes[i]);
        check_message(buf, plait_pipe_recv(a, buf, LARGEST, PLAIT_FOREVER), sizes[i]);
    }
    free(buf);
    CHECK_INT(plait_pipe_close(a), 0); /* ends the other task */
    finish(task);
}

/* ---- the end of the other ---- */

static int send_and_leave(void *arg)
{
    (void)arg;
    leave(a);
    CHECK_INT(plait_pipe_poll(b, PLAIT_FOREVER), 0); /* there is something, and we do not take it */
    CHECK_INT(plait_pipe_send(b, "bye", 3, PLAIT_FOREVER), 0);
    plait_pipe_close(b);
    return 0;
}

CLAIM(what_was_sent_before_the_end_is_received_also_when_the_other_left_messages_unread)
{
    plait_task *task = start(send_and_leave, NULL);
    char buf[8];

    CHECK_INT(plait_pipe_send(a, "unread", 6, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pipe_poll(a, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_pipe_recv(a, buf, sizeof buf, PLAIT_FOREVER), 3);
    CHECK_MEM(buf, 3, "bye", 3);
    CHECK_INT(plait_pipe_recv(a, buf, sizeof buf, PLAIT_FOREVER), -EPIPE);
    finish(task);
}

CLAIM(a_send_to_nobody_says_so_without_a_signal)
{
    plait_task *task = start(send_and_leave, NULL);

    CHECK_INT(plait_pipe_send(a, "unread", 6, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pipe_send(a, "x", 1, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_pipe_send(a, NULL, 0, PLAIT_NOWAIT), -EPIPE);
    CHECK_INT(plait_pipe_send_fd(a, 2, "x", 1, PLAIT_FOREVER), -EPIPE);
    finish(task);
}

static int gate[2];
CARRIED_AS(gate, AS_DESCRIPTORS)

static int wait_and_leave(void *arg)
{
    char byte;

    (void)arg;
    leave(a);
    CHECK_INT(read_gate(gate[0], &byte, 1), 1);
    plait_pipe_close(b);
    return 0;
}

static int fill(plait_pipe *end, size_t size)
{
    static char bytes[100000];
    int n = 0, rc;

    while ((rc = plait_pipe_send(end, bytes, size, PLAIT_NOWAIT)) == 0)
        n++;
    CHECK_INT(rc, -ETIMEDOUT);
    return n;
}

static void open_gate(int number)
{
    (void)number;
    CHECK_INT(write(gate[1], "g", 1), 1);
}

static void alarm_in_ms(void (*fn)(int), int ms)
{
    struct sigaction action = { .sa_handler = fn, .sa_flags = SA_RESTART };

    CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_INT(setitimer(ITIMER_REAL, &(struct itimerval){ .it_value = { 0, ms * 1000 } }, NULL), 0);
}

CLAIM(who_sleeps_for_room_is_told_when_the_other_leaves)
{
    CHECK_INT(pipe(gate), 0);
    plait_task *task = start(wait_and_leave, NULL);
    CHECK(fill(a, 1000) > 0);
    alarm_in_ms(open_gate, 20); /* most likely we sleep by then; the claim holds in any case */
    CHECK_INT(plait_pipe_send(a, "x", 1, PLAIT_FOREVER), -EPIPE);
    finish(task);
}

/* ---- waiting ---- */

CLAIM(an_empty_pipe_times_out)
{
    plait_task *task = start(echo, NULL);
    plait_deadline until = plait_after_ms(20);
    void *bytes = NULL;
    int fd = -1;
    char buf[4];

    CHECK_INT(plait_pipe_recv(a, buf, 4, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    CHECK_INT(plait_pipe_recv(a, buf, 4, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_pipe_recv(a, buf, 4, (plait_deadline){ -7 }), -ETIMEDOUT);
    CHECK_INT(plait_pipe_poll(a, (plait_deadline){ -7 }), -ETIMEDOUT);
    CHECK_INT(plait_pipe_recv_alloc(a, &bytes, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(plait_pipe_recv_fd(a, &fd, buf, 4, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(plait_pipe_next_size(a, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(plait_pipe_poll(a, plait_after_ms(1)), -ETIMEDOUT);
    CHECK(bytes == NULL && fd == -1);
    plait_pipe_close(a);
    finish(task);
}

static int n_sent; /* of the messages, when all are */
CARRIED(n_sent)

static int drain(void *arg)
{
    static char buf[100000];
    char byte;
    int n = 0;

    (void)arg;
    leave(a);
    CHECK_INT(read_gate(gate[0], &byte, 1), 1);
    while (plait_pipe_recv(b, buf, sizeof buf, PLAIT_FOREVER) > 0)
        n++;
    return n == n_sent ? 0 : n;
}

static void check_full(size_t size)
{
    plait_task *task;

    CHECK_INT(pipe(gate), 0);
    CHECK_INT(plait_pipe_create(&a, &b, NULL), 0);
    n_sent = fill(a, size) + 1;
    CHECK(n_sent > 1);
    task = start_at(drain, NULL);
    plait_deadline until = plait_after_ms(20);
    CHECK_INT(plait_pipe_send(a, "more", 4, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    alarm_in_ms(open_gate, 20);
    CHECK_INT(plait_pipe_send(a, "more", 4, PLAIT_FOREVER), 0); /* once there is room */
    CHECK_INT(plait_pipe_close(a), 0);
    finish(task); /* what timed out was not sent */
    close(gate[0]);
    close(gate[1]);
}

CLAIM(a_full_pipe_times_out_and_takes_more_once_there_is_room)
{
    check_full(10);
    check_full(60000);
    check_full(100000);
}

static int ticks; /* of this process */

static void tick_then_open_gate(int number)
{
    if (++ticks == 5)
        open_gate(number);
}

static int send_after_gate(void *arg)
{
    char byte;
    sigset_t alarm;

    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM); /* for the other thread only, if there is one */
    if (KIND != PLAIT_COROUTINE)
        CHECK_INT(pthread_sigmask(SIG_BLOCK, &alarm, NULL), 0);
    (void)arg;
    leave(a);
    CHECK_INT(read_gate(gate[0], &byte, 1), 1);
    CHECK_INT(plait_pipe_send(b, "hi", 2, PLAIT_FOREVER), 0);
    CHECK_INT(read_gate(gate[0], &byte, 1), 1); /* and stay */
    return 0;
}

CLAIM(signal_handlers_do_not_disturb_a_wait)
{
    struct sigaction action = { .sa_handler = tick_then_open_gate };
    struct itimerval often = { .it_interval = { 0, 2000 }, .it_value = { 0, 2000 } };
    char buf[4];

    CHECK_INT(pipe(gate), 0);
    plait_task *task = start(send_after_gate, NULL);
    CHECK_INT(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
    CHECK_INT(plait_pipe_recv(a, buf, sizeof buf, PLAIT_FOREVER), 2);
    CHECK(ticks >= 5);
    CHECK(fill(a, 100) > 0);
    CHECK_INT(plait_pipe_send(a, "x", 1, plait_after_ms(20)), -ETIMEDOUT);
    CHECK_INT(plait_pipe_poll(a, plait_after_ms(20)), -ETIMEDOUT);
    CHECK_INT(setitimer(ITIMER_REAL, &(struct itimerval){ .it_value = { 0, 0 } }, NULL), 0);
    open_gate(0);
    finish(task);
}

/* ---- one way only ---- */

static int send_one_way(void *arg)
{
    char buf[4];
    int fd;

    (void)arg;
    leave(a);
    CHECK_INT(plait_pipe_recv(b, buf, sizeof buf, PLAIT_NOWAIT), -EBADF);
    CHECK_INT(plait_pipe_recv_fd(b, &fd, buf, sizeof buf, PLAIT_NOWAIT), -EBADF);
    CHECK_INT(plait_pipe_next_size(b, PLAIT_FOREVER), -EBADF);
    CHECK_INT(plait_pipe_poll(b, PLAIT_FOREVER), -EBADF);
    send_size(b, LARGEST);
    plait_pipe_close(b);
    return 0;
}

/* An end that was opened by its descriptor is not known for simplex. */
TEST(of_a_simplex_pipe_one_end_receives_and_the_other_sends)
{
    plait_pipe_opts opts = { .simplex = true };
    plait_task *task;
    void *bytes;

    CHECK_INT(plait_pipe_create(&a, &b, &opts), 0);
    task = start_at(send_one_way, NULL);
    CHECK_INT(plait_pipe_send(a, "x", 1, PLAIT_NOWAIT), -EBADF);
    CHECK_INT(plait_pipe_send_fd(a, 2, "x", 1, PLAIT_NOWAIT), -EBADF);
    ssize_t n = plait_pipe_recv_alloc(a, &bytes, PLAIT_FOREVER);
    check_message(bytes, n, LARGEST);
    free(bytes);
    CHECK_INT(plait_pipe_recv(a, NULL, 0, PLAIT_FOREVER), -EPIPE);
    finish(task);
}

/* ---- descriptors ---- */

static int send_descriptors(void *arg)
{
    int fds[2];

    (void)arg;
    leave(a);
    for (int i = 0; i < SIZES; i++) {
        char *bytes = make_message(sizes[i]);
        CHECK_INT(pipe(fds), 0);
        CHECK_INT(write(fds[1], "ok", 2), 2);
        CHECK_INT(plait_pipe_send_fd(b, fds[0], bytes, sizes[i], PLAIT_FOREVER), 0);
        close(fds[0]);
        close(fds[1]);
        CHECK_INT(plait_pipe_send(b, bytes, sizes[i], PLAIT_FOREVER), 0);
        free(bytes);
    }
    plait_pipe_close(b);
    return 0;
}

CLAIM(a_descriptor_travels_with_its_message_and_is_asked_for)
{
    plait_task *task = start(send_descriptors, NULL);
    char *buf = malloc(LARGEST), text[4] = "";
    void *none = NULL;
    int fd = -1;

    for (int i = 0; i < SIZES; i++) {
        CHECK_INT(plait_pipe_recv(a, buf, LARGEST, PLAIT_FOREVER), -ENOMSG);
        CHECK_INT(plait_pipe_recv_alloc(a, &none, PLAIT_FOREVER), -ENOMSG);
        CHECK_INT(plait_pipe_next_size(a, PLAIT_FOREVER), sizes[i]);
        if (sizes[i] > 0)
            CHECK_INT(plait_pipe_recv_fd(a, &fd, buf, sizes[i] - 1, PLAIT_FOREVER), -EMSGSIZE);
        CHECK_INT(fd, -1);
        check_message(buf, plait_pipe_recv_fd(a, &fd, buf, LARGEST, PLAIT_FOREVER), sizes[i]);
        CHECK_INT(test_read(fd, text, sizeof text), 2);
        CHECK_INT(test_read(fd, text, sizeof text), 0); /* a pipe that nobody else holds any more */
        CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
        fd = -1;
        CHECK_INT(plait_pipe_recv_fd(a, &fd, buf, LARGEST, PLAIT_FOREVER), -ENOMSG);
        CHECK_INT(fd, -1);
        check_message(buf, plait_pipe_recv(a, buf, LARGEST, PLAIT_FOREVER), sizes[i]);
    }
    CHECK_INT(plait_pipe_recv_fd(a, &fd, buf, LARGEST, PLAIT_FOREVER), -EPIPE);
    free(buf);
    finish(task);
}

enum {
    FAR_UP = 700 /* a number that no select(2) knows well, and no byte holds */
};

static int receive_far_up(void *arg)
{
    int fd = -1;

    leave(a);
    CHECK_INT(plait_pipe_recv_fd(b, &fd, NULL, 0, PLAIT_FOREVER), 0);
    CHECK_INT(write(fd, "foo", 3), 3);
    (void)arg;
    return close(fd);
}

CLAIM(a_descriptor_may_have_a_large_number)
{
    plait_task *task = start(receive_far_up, NULL);
    char text[4];
    int fds[2], far;

    CHECK_INT(pipe(fds), 0);
    far = fcntl(fds[1], F_DUPFD_CLOEXEC, FAR_UP);
    CHECK(far >= FAR_UP);
    close(fds[1]);
    CHECK_INT(plait_pipe_send_fd(a, far, NULL, 0, plait_after_ms(-1)), 0); /* there is room */
    close(far);
    CHECK_INT(read_gate(fds[0], text, sizeof text), 3);
    CHECK_INT(test_read(fds[0], text, sizeof text), 0);
    close(fds[0]);
    finish(task);
}

static int send_an_end(void *arg)
{
    plait_pipe *near, *far;

    (void)arg;
    leave(a);
    CHECK_INT(plait_pipe_create(&near, &far, NULL), 0);
    CHECK_INT(plait_pipe_send_fd(b, plait_pipe_fd(far), NULL, 0, PLAIT_FOREVER), 0);
    plait_pipe_destroy(far);
    send_size(near, LARGEST);
    CHECK_INT(plait_pipe_recv(near, NULL, 0, PLAIT_FOREVER), -EPIPE);
    plait_pipe_destroy(near);
    return 0;
}

CLAIM(an_end_of_a_pipe_travels_through_a_pipe)
{
    plait_task *task = start(send_an_end, NULL);
    plait_pipe *end = NULL;
    void *bytes = NULL;
    int fd;

    CHECK_INT(plait_pipe_recv_fd(a, &fd, NULL, 0, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pipe_open(&end, fd, NULL), 0);
    CHECK_INT(plait_pipe_fd(end), fd);
    ssize_t n = plait_pipe_recv_alloc(end, &bytes, PLAIT_FOREVER);
    check_message(bytes, n, LARGEST);
    free(bytes);
    plait_pipe_destroy(end);
    finish(task);
}

#endif
