/* Threads and the program's streams.
 * SPDX-License-Identifier: MIT
 */
#include "os/thread.h"

#include "os/clock.h"
#include "os/fd.h"
#include "os/futex.h"
#include "test.h"
#include "threads.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint32_t stage; /* atomic: what the thread has reached */

static void reach(uint32_t to)
{
    __atomic_store_n(&stage, to, __ATOMIC_SEQ_CST);
    plait__os_futex_wake(&stage, 10);
}

static void wait_for(uint32_t at)
{
    uint32_t now;

    while ((now = __atomic_load_n(&stage, __ATOMIC_SEQ_CST)) < at)
        plait__os_futex_wait(&stage, now, INT64_MAX);
}

static sigset_t thread_mask;
static char thread_name[16];
static pid_t thread_id;

static void look_around(void *arg)
{
    pthread_sigmask(SIG_BLOCK, NULL, &thread_mask);
    plait__os_thread_set_name(arg);
    pthread_getname_np(pthread_self(), thread_name, sizeof thread_name);
    thread_id = plait__os_thread_id();
    reach(1);
}

TEST(a_thread_runs_with_all_signals_blocked_and_its_own_name)
{
    char name[] = "a name longer than the kernel takes";
    sigset_t ours;

    CHECK_INT(start_detached(look_around, name, 0), 0);
    wait_for(1);
    CHECK_INT(sigismember(&thread_mask, SIGTERM), 1);
    CHECK_INT(sigismember(&thread_mask, SIGCHLD), 1);
    CHECK_STR(thread_name, "a name longer t");
    CHECK(thread_id != plait__os_thread_id());
    CHECK_INT(plait__os_thread_id(), getpid());
    pthread_sigmask(SIG_BLOCK, NULL, &ours);
    CHECK_INT(sigismember(&ours, SIGTERM), 0);
}

static void tell_id_and_wait(void *arg)
{
    (void)arg;
    wait_for(1);
    thread_id = plait__os_thread_id();
}

TEST(another_threads_id_is_known_before_it_says_it)
{
    struct plait__thread_entry entry = { .fn = tell_id_and_wait, .on_exit = no_exit };
    uintptr_t thread;

    for (int i = 0; i < 100; i++) {
        stage = 0;
        CHECK_INT(plait__os_thread_start(&thread, &entry, 0), 0);
        pid_t id = plait__os_thread_id_of(thread);
        reach(1);
        plait__os_thread_join(thread);
        CHECK_INT(id, thread_id);
    }
}

TEST(a_stack_that_is_too_small_is_refused)
{
    CHECK_INT(start_detached(look_around, thread_name, 1), -EINVAL);
    CHECK_INT(start_detached(look_around, thread_name, 1024 * 1024), 0);
    wait_for(1);
}

/* From now on stdout is a pipe, fully buffered; its other end. */
static int catch_stdout(void)
{
    int fds[2];

    fflush(stdout);
    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
    setvbuf(stdout, NULL, _IOFBF, 4096);
    return fds[0];
}

TEST(what_is_buffered_is_written)
{
    char text[8] = "";
    int fd = catch_stdout();

    fputs("hello", stdout);
    CHECK_INT(plait__os_fd_is_readable(fd), 0);
    plait__os_flush_streams();
    CHECK_INT(plait__os_fd_is_readable(fd), 1);
    CHECK_INT(read(fd, text, 7), 5);
    CHECK_STR(text, "hello");
}

static void hold_streams(void *arg)
{
    (void)arg;
    flockfile(stdin);
    flockfile(stdout);
    reach(1);
    wait_for(2);
    funlockfile(stdout);
    reach(3);
    (void)getc(stdin); /* sleeps with the lock held, as every reader of an empty pipe does */
}

TEST(a_stream_that_another_thread_holds_is_left_alone)
{
    int in[2], fd;

    CHECK_INT(plait__os_pipe(in), 0);
    CHECK_INT(dup2(in[0], STDIN_FILENO), STDIN_FILENO);
    fd = catch_stdout();
    fputs("hello", stdout);
    CHECK_INT(start_detached(hold_streams, NULL, 0), 0);
    wait_for(1);
    plait__os_flush_streams();
    CHECK_INT(plait__os_fd_is_readable(fd), 0);
    reach(2);
    wait_for(3);
    plait__os_flush_streams();
    CHECK_INT(plait__os_fd_is_readable(fd), 1);
    _exit(0); /* exit would wait for stdin's lock */
}

static void leave(void *arg)
{
    (void)arg;
    pthread_exit(NULL);
}

static void note_exit(void *arg)
{
    *(int *)arg = 1;
}

static void come_back(void *arg)
{
    (void)arg;
}

TEST(a_thread_that_leaves_by_pthread_exit_is_told)
{
    int told = 0;
    struct plait__thread_entry entry = { .fn = leave, .on_exit = note_exit, .arg = &told };
    uintptr_t thread;

    CHECK_INT(plait__os_thread_start(&thread, &entry, 0), 0);
    plait__os_thread_join(thread);
    CHECK_INT(told, 1);
    told = 0;
    entry.fn = come_back;
    CHECK_INT(plait__os_thread_start(&thread, &entry, 0), 0);
    plait__os_thread_join(thread);
    CHECK_INT(told, 0);
}
