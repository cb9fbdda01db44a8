/* Coroutines that wait for descriptors, whichever back-end their loop has: run once for each.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "os/clock.h"
#include "wait/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum {
    MANY = 300,
    ROUNDS = 500
};

static int wait_fd(int fd, unsigned events, plait_deadline until)
{
    plait_waitable on;
    int rc = plait_on_fd(&on, fd, events);

    return rc < 0 ? rc : (int)plait_select(&on, 1, until);
}

static void make_pipe(int fds[2])
{
    CHECK_INT(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static char read_byte(int fd)
{
    char byte = '?';

    CHECK_INT(wait_fd(fd, PLAIT_READABLE, PLAIT_FOREVER), 0);
    CHECK_INT(read(fd, &byte, 1), 1);
    return byte;
}

static void write_byte(int fd, char byte)
{
    CHECK_INT(wait_fd(fd, PLAIT_WRITABLE, PLAIT_FOREVER), 0);
    CHECK_INT(write(fd, &byte, 1), 1);
}

static int live;

/* No timer runs meanwhile, which would hide a wake that was lost. */
static void finish(void)
{
    CHECK_INT(plait_loop_run(PLAIT_FOREVER), 0);
    CHECK_INT(live, 0);
}

static void go(plait_task_fn *fn, void *arg)
{
    __atomic_fetch_add(&live, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(plait_go(fn, arg), 0);
}

static int end(void)
{
    __atomic_fetch_sub(&live, 1, __ATOMIC_SEQ_CST);
    return 0;
}

struct pair {
    int there[2], back[2];
    int rounds;
};

static struct pair *make_pair(struct pair *pair)
{
    make_pipe(pair->there);
    make_pipe(pair->back);
    pair->rounds = ROUNDS;
    return pair;
}

static int serve(void *arg)
{
    struct pair *pair = arg;

    for (int i = 0; i < pair->rounds; i++)
        write_byte(pair->back[1], read_byte(pair->there[0]));
    return end();
}

static int ask(void *arg)
{
    struct pair *pair = arg;

    for (int i = 0; i < pair->rounds; i++) {
        write_byte(pair->there[1], (char)('a' + i % 26));
        CHECK_INT(read_byte(pair->back[0]), 'a' + i % 26);
    }
    return end();
}

TEST(two_coroutines_talk_over_pipes)
{
    struct pair pair;

    go(serve, make_pair(&pair));
    go(ask, &pair);
    finish();
}

/* ---- many at once ---- */

static int pipes[MANY][2];

static int take_one(void *arg)
{
    int(*ends)[2] = arg;

    CHECK_INT(read_byte((*ends)[0]), 'x');
    return end();
}

static int give_all(void *arg)
{
    (void)arg;
    plait_sleep(plait_after_ms(5));
    for (int i = MANY; i-- > 0;)
        write_byte(pipes[i][1], 'x');
    return end();
}

TEST(many_wait_for_a_descriptor_each)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) {
            if (round == 0)
                make_pipe(pipes[i]);
            go(take_one, &pipes[i]);
        }
        go(give_all, NULL);
        finish();
    }
}

static int see_it(void *arg)
{
    CHECK_INT(wait_fd(*(int *)arg, PLAIT_READABLE, PLAIT_FOREVER), 0);
    return end();
}

TEST(all_who_wait_for_one_descriptor_are_told)
{
    int fds[2];

    make_pipe(fds);
    for (int i = 0; i < MANY; i++)
        go(see_it, &fds[0]);
    plait_sleep(plait_after_ms(5));
    CHECK_INT(write(fds[1], "x", 1), 1);
    finish();
}

static int wait_for_room(void *arg)
{
    CHECK_INT(wait_fd(*(int *)arg, PLAIT_WRITABLE, PLAIT_FOREVER), 0);
    return end();
}

TEST(one_reads_and_one_writes_at_the_same_socket)
{
    static char junk[4096];
    int fds[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    while (write(fds[0], junk, sizeof junk) > 0)
        continue;
    go(see_it, &fds[0]);
    go(wait_for_room, &fds[0]);
    plait_sleep(plait_after_ms(5));
    CHECK_INT(live, 2);
    CHECK_INT(write(fds[1], "x", 1), 1);
    while (live == 2)
        plait_sleep(plait_after_ms(1));
    CHECK_INT(live, 1);
    while (read(fds[1], junk, sizeof junk) > 0)
        continue;
    finish();
}

/* ---- early ends ---- */

static int time_out(void *arg)
{
    CHECK_INT(wait_fd(*(int *)arg, PLAIT_READABLE, plait_after_ms(5)), -ETIMEDOUT);
    return end();
}

TEST(a_wait_for_a_descriptor_ends_at_its_deadline_and_not_before)
{
    int fds[2];
    int64_t before = plait__os_now_ns();

    make_pipe(fds);
    for (int i = 0; i < MANY; i++)
        go(time_out, &fds[0]);
    finish();
    CHECK(plait__os_now_ns() - before >= 5 * 1000 * 1000);
}

/* A back-end that keeps the file would keep the pipe open. */
static int time_out_and_close(void *arg)
{
    int *fds = arg;
    char byte;

    CHECK_INT(wait_fd(fds[0], PLAIT_READABLE, plait_after_ms(2)), -ETIMEDOUT);
    close(fds[0]);
    CHECK_INT(write(fds[1], "x", 1), -1);
    CHECK_INT(errno, EPIPE);
    (void)byte;
    return end();
}

TEST(what_was_waited_for_in_vain_can_be_closed)
{
    int fds[MANY][2];

    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < MANY; i++) {
        make_pipe(fds[i]);
        go(time_out_and_close, fds[i]);
    }
    finish();
}

static int wait_till_cancelled(void *arg)
{
    CHECK_INT(wait_fd(*(int *)arg, PLAIT_READABLE, PLAIT_FOREVER), -ECANCELED);
    return -ECANCELED;
}

TEST(a_wait_for_a_descriptor_is_cancelled)
{
    plait_task *task = NULL;
    int fds[2];

    make_pipe(fds);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, wait_till_cancelled, &fds[0], NULL), 0);
    plait_sleep(plait_after_ms(2));
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    plait_task_destroy(task);
}

TEST(a_number_that_is_another_file_now_is_waited_for_anew)
{
    int fds[2];

    for (int i = 0; i < 20; i++) {
        make_pipe(fds);
        go(time_out, &fds[0]);
        finish();
        go(see_it, &fds[0]);
        plait_sleep(plait_after_ms(1));
        CHECK_INT(live, 1);
        CHECK_INT(write(fds[1], "x", 1), 1);
        finish();
        close(fds[0]);
        close(fds[1]);
    }
}

TEST(a_file_is_always_ready_and_an_end_is_told)
{
    FILE *file = tmpfile();
    int number, fds[2];

    CHECK(file != NULL);
    number = fileno(file);
    go(see_it, &number);
    go(wait_for_room, &number);
    make_pipe(fds);
    go(see_it, &fds[0]);
    plait_sleep(plait_after_ms(2));
    close(fds[1]);
    finish();
    fclose(file);
}

/* ---- with others ---- */

static void *write_late(void *arg)
{
    usleep(2000);
    CHECK_INT(write(*(int *)arg, "x", 1), 1);
    return NULL;
}

static void *set_late(void *arg)
{
    usleep(2000);
    CHECK_INT(plait_event_set(arg), 0);
    return NULL;
}

static int await_event(void *arg)
{
    CHECK_INT(plait_event_wait(arg, PLAIT_FOREVER), 0);
    return end();
}

TEST(another_thread_wakes_a_loop_that_sleeps_on_descriptors)
{
    static plait_event event;
    pthread_t thread;
    int fds[2];

    make_pipe(fds);
    for (int i = 0; i < 30; i++) {
        go(see_it, &fds[0]);
        go(await_event, &event);
        plait_yield();
        CHECK_INT(pthread_create(&thread, NULL, set_late, &event), 0);
        while (live == 2) { /* once it is set, a wait for it lets nobody run */
            plait_event_wait(&event, PLAIT_FOREVER);
            plait_yield();
        }
        pthread_join(thread, NULL);
        CHECK_INT(plait_event_clear(&event), 0);
        CHECK_INT(write(fds[1], "x", 1), 1);
        finish();
        CHECK_INT(read_byte(fds[0]), 'x');
    }
}

static plait_event *shared_event;
static uint32_t n_events, n_bytes; /* atomic */

/* For the one or the other, as it comes. */
static int select_both(void *arg)
{
    plait_waitable on[2];
    char byte;

    CHECK_INT(plait_event_on_set(&on[0], shared_event), 0);
    CHECK_INT(plait_on_fd(&on[1], *(int *)arg, PLAIT_READABLE), 0);
    while (n_events + n_bytes < 40) {
        if (plait_select(on, 2, PLAIT_FOREVER) == 0) {
            n_events++;
            plait_event_clear(shared_event);
        } else if (read(*(int *)arg, &byte, 1) == 1) {
            n_bytes++;
        }
    }
    return end();
}

/* The other side, a process: an event and a byte in turn, each after the one before was seen. */
static int wake_in_turn(void *arg)
{
    int *fds = arg;

    for (int i = 0; i < 20; i++) {
        plait_event_set(shared_event);
        while (plait_event_is_set(shared_event))
            plait_sleep(plait_after_ms(1));
        if (write(fds[1], "x", 1) != 1)
            return 1;
    }
    return 0;
}

TEST_LIMIT(a_loop_sleeps_on_shared_words_and_on_descriptors, 30)
{
    plait_task *process = NULL;
    plait_outcome outcome;
    int fds[2];

    shared_event = plait_shared_alloc(sizeof *shared_event);
    CHECK(shared_event != NULL);
    make_pipe(fds);
    CHECK_INT(plait_task_start(&process, PLAIT_PROCESS, wake_in_turn, fds, NULL), 0);
    go(select_both, &fds[0]);
    finish();
    CHECK_INT(n_events, 20);
    CHECK_INT(n_bytes, 20);
    CHECK_INT(plait_task_join(process, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(process, &outcome), 0);
    CHECK_INT(outcome.code, 0);
    plait_task_destroy(process);
}

static uint32_t *words; /* atomic: what the other side has said, and what we have heard */

static int await_word(void *arg)
{
    for (uint32_t i = 0; i < 20; i++) {
        while (__atomic_load_n(&words[0], __ATOMIC_SEQ_CST) == i)
            CHECK_INT(plait__wait_word(&words[0], i, PLAIT_FOREVER), 0);
        __atomic_store_n(&words[1], i + 1, __ATOMIC_SEQ_CST);
    }
    CHECK_INT(write(((int *)arg)[1], "x", 1), 1);
    return end();
}

static int say_in_turn(void *arg)
{
    (void)arg;
    for (uint32_t i = 1; i <= 20; i++) {
        plait_sleep(plait_after_ms(1)); /* it sleeps */
        __atomic_store_n(&words[0], i, __ATOMIC_SEQ_CST);
        plait__wake_word(&words[0], 1);
        while (__atomic_load_n(&words[1], __ATOMIC_SEQ_CST) != i)
            plait_sleep(plait_after_ms(1));
    }
    return 0;
}

/* Nobody but the kernel wakes the loop: what is public waits for shared words in slices. */
TEST_LIMIT(a_shared_word_wakes_a_loop_that_sleeps_on_descriptors_too, 30)
{
    plait_task *process = NULL;
    int fds[2];

    words = plait_shared_alloc(2 * sizeof *words);
    CHECK(words != NULL);
    make_pipe(fds);
    CHECK_INT(plait_task_start(&process, PLAIT_PROCESS, say_in_turn, NULL, NULL), 0);
    go(see_it, &fds[0]);
    go(await_word, fds);
    finish();
    CHECK_INT(plait_task_join(process, PLAIT_FOREVER), 0);
    plait_task_destroy(process);
}

/* ---- threads and forks ---- */

static int talk(void *arg)
{
    struct pair pair;

    (void)arg;
    make_pair(&pair)->rounds = 20;
    CHECK_INT(plait_go(serve, &pair), 0);
    ask(&pair);
    for (int i = 0; i < 2; i++) {
        close(pair.there[i]);
        close(pair.back[i]);
    }
    return 0;
}

TEST_LIMIT(a_loop_is_used_again_by_other_threads, 30)
{
    for (int i = 0; i < 20; i++) {
        plait_task *tasks[2] = { NULL, NULL };
        for (int j = 0; j < 2; j++)
            CHECK_INT(plait_task_start(&tasks[j], PLAIT_THREAD, talk, NULL, NULL), 0);
        for (int j = 0; j < 2; j++) {
            CHECK_INT(plait_task_join(tasks[j], PLAIT_FOREVER), 0);
            plait_task_destroy(tasks[j]);
        }
    }
}

static int fork_and_wait(void *arg)
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        live = 0;
        talk(NULL);
        _exit(42);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    CHECK_INT(write(*(int *)arg, "x", 1), 1);
    return end();
}

TEST(a_child_has_a_loop_of_its_own_and_the_parent_keeps_its)
{
    int fds[2];

    make_pipe(fds);
    for (int i = 0; i < 3; i++) {
        go(see_it, &fds[0]);
        plait_sleep(plait_after_ms(1));
        go(fork_and_wait, &fds[1]);
        finish();
        CHECK_INT(read_byte(fds[0]), 'x');
    }
}

/* ---- the choice ---- */

static int n_messages;

static void count_message(plait_log_level level, const char *message, void *user)
{
    (void)level, (void)user;
    n_messages += strstr(message, "PLAIT_LOOP") != NULL;
}

TEST(a_back_end_that_does_not_exist_is_said_once_and_another_one_taken)
{
    struct pair pair;
    pthread_t thread;
    int fds[2];

    setenv("PLAIT_LOOP", "kqueue", 1);
    CHECK_INT(plait_log_set(count_message, NULL, PLAIT_LOG_WARNING), 0);
    go(serve, make_pair(&pair));
    go(ask, &pair);
    finish();
    make_pipe(fds);
    go(see_it, &fds[0]);
    CHECK_INT(pthread_create(&thread, NULL, write_late, &fds[1]), 0);
    finish();
    pthread_join(thread, NULL);
    CHECK_INT(n_messages, 1);
}

TEST(io_uring_that_is_switched_off_is_said_and_epoll_taken)
{
    struct pair pair;

    setenv("PLAIT_LOOP", "uring", 1);
    setenv("PLAIT_DISABLE", "io_uring", 1);
    CHECK_INT(plait_log_set(count_message, NULL, PLAIT_LOG_WARNING), 0);
    go(serve, make_pair(&pair));
    go(ask, &pair);
    finish();
    CHECK_INT(n_messages, 1);
}
