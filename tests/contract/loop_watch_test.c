/* Signals, ends of processes and changes of files: by a thread, and by a coroutine on each back-end.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "test.h"

static void block(int number)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

/* What makes something ready does so a moment after it was allowed to: by who is about to wait, or, if
 * that is a coroutine, by another one, which is not kept from running. */
static uint32_t *is_allowed; /* atomic; shared with children */
static bool by_other, is_asked, is_over;

static void prepare(void)
{
    is_allowed =
        mmap(NULL, sizeof *is_allowed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(is_allowed != MAP_FAILED);
}

static void allow(void)
{
    is_asked = by_other;
    if (!by_other)
        __atomic_store_n(is_allowed, 1, __ATOMIC_SEQ_CST);
}

static int allow_when_asked(void *arg)
{
    (void)arg;
    while (!is_over) {
        plait_sleep(plait_after_ms(1));
        if (is_asked)
            __atomic_store_n(is_allowed, 1, __ATOMIC_SEQ_CST);
        is_asked = false;
    }
    return 0;
}

static void await_leave(void)
{
    while (__atomic_exchange_n(is_allowed, 0, __ATOMIC_SEQ_CST) == 0)
        usleep(500);
    usleep(5000);
}

static void in_coroutine(plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;
    plait_outcome end;

    by_other = true;
    CHECK_INT(plait_go(allow_when_asked, NULL), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, fn, arg, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, 0);
    is_over = true;
    plait_task_destroy(task);
}

/* By this thread, while another one makes it ready. */
static void in_thread(plait_task_fn *await, void *(*make_ready)(void *))
{
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, make_ready, NULL), 0);
    CHECK_INT(await(NULL), 0);
    pthread_join(thread, NULL);
}

/* By a coroutine, while another thread makes it ready. */
static void in_coroutine_beside(plait_task_fn *await, void *(*make_ready)(void *))
{
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, make_ready, NULL), 0);
    in_coroutine(await, NULL);
    pthread_join(thread, NULL);
}

static void in_thread_and_coroutine(plait_task_fn *await, void *(*make_ready)(void *))
{
    in_thread(await, make_ready);
    in_coroutine_beside(await, make_ready);
}

/* ---- signals ---- */

static const int both[] = { SIGUSR1, SIGUSR2 };

TEST(a_pending_signal_is_told_at_once)
{
    block(SIGUSR1);
    block(SIGUSR2);
    CHECK_INT(plait_signal_wait(both, 2, PLAIT_NOWAIT), -ETIMEDOUT);
    kill(getpid(), SIGUSR2);
    CHECK_INT(plait_signal_wait(both, 1, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_signal_wait(both, 2, PLAIT_NOWAIT), SIGUSR2);
    CHECK_INT(plait_signal_wait(both, 2, PLAIT_NOWAIT), -ETIMEDOUT);
}

TEST(a_signal_that_is_not_blocked_is_refused)
{
    sigset_t before, after;
    plait_waitable on;

    block(SIGUSR1);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    CHECK_INT(plait_signal_wait(both, 2, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_signal_wait(both, 0, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_signal_wait(NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_signal_wait((int[]){ 0 }, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_signal_wait((int[]){ 1000 }, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_on_signal(&on, SIGUSR2), -EINVAL);
    CHECK_INT(plait_on_signal(&on, 0), -EINVAL);
    CHECK_INT(plait_on_signal(&on, 1000), -EINVAL);
    CHECK_INT(plait_on_signal(NULL, SIGUSR1), -EINVAL);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    CHECK(sigismember(&after, SIGUSR2) == 0 && sigismember(&after, SIGUSR1) == 1);
    CHECK_INT(sigismember(&before, SIGUSR2), 0);
}

static void *signal_late(void *arg)
{
    await_leave();
    kill(getpid(), SIGUSR1);
    return arg;
}

static int await_signal(void *arg)
{
    (void)arg;
    CHECK_INT(plait_signal_wait(both, 2, plait_after_ms(1)), -ETIMEDOUT);
    allow();
    CHECK_INT(plait_signal_wait(both, 2, PLAIT_FOREVER), SIGUSR1);
    return 0;
}

TEST(a_signal_wakes_who_waits_for_it)
{
    prepare();
    block(SIGUSR1);
    block(SIGUSR2);
    in_thread_and_coroutine(await_signal, signal_late);
}

static plait_event never;

static int select_signal(void *arg)
{
    plait_waitable on[2];

    (void)arg;
    CHECK_INT(plait_on_signal(&on[0], SIGUSR2), 0);
    CHECK_INT(plait_on_signal(&on[1], SIGUSR1), 0);
    CHECK_INT(plait_select(on, 2, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_select(on, 2, plait_after_ms(1)), -ETIMEDOUT);
    allow();
    CHECK_INT(plait_select(on, 2, PLAIT_FOREVER), 1);
    CHECK_INT(plait_select(on, 2, PLAIT_NOWAIT), 1); /* it was not taken */
    CHECK_INT(plait_signal_wait(both, 2, PLAIT_NOWAIT), SIGUSR1);
    CHECK_INT(plait_select(on, 2, PLAIT_NOWAIT), -ETIMEDOUT);
    return 0;
}

TEST(a_signal_is_selected_on_and_taken_afterwards)
{
    unsigned n_fds;

    prepare();
    block(SIGUSR1);
    block(SIGUSR2);
    n_fds = count_fds();
    in_thread(select_signal, signal_late);
    CHECK_INT(count_fds(), n_fds); /* what a select has for it is gone with the select */
    in_coroutine_beside(select_signal, signal_late);
}

static int select_signal_and_word(void *arg)
{
    plait_waitable on[2];

    (void)arg;
    CHECK_INT(plait_on_signal(&on[0], SIGUSR1), 0);
    CHECK_INT(plait_event_on_set(&on[1], &never), 0);
    allow();
    CHECK_INT(plait_select(on, 2, PLAIT_FOREVER), 0);
    CHECK_INT(plait_signal_wait(both, 1, PLAIT_NOWAIT), SIGUSR1);
    return 0;
}

TEST(a_signal_is_selected_on_beside_a_word)
{
    prepare();
    block(SIGUSR1);
    in_thread_and_coroutine(select_signal_and_word, signal_late);
}

/* ---- descriptors ---- */

static int fds[2];

static int await_fd(void *arg)
{
    char byte;

    (void)arg;
    CHECK_INT(plait_fd_wait(fds[0], PLAIT_READABLE, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_fd_wait(fds[0], PLAIT_READABLE, plait_after_ms(1)), -ETIMEDOUT);
    allow();
    CHECK_INT(plait_fd_wait(fds[0], PLAIT_READABLE, PLAIT_FOREVER), PLAIT_READABLE);
    CHECK_INT(read(fds[0], &byte, 1), 1);
    return 0;
}

static void *write_byte_late(void *arg)
{
    await_leave();
    CHECK_INT(write(fds[1], "x", 1), 1);
    return arg;
}

TEST(a_descriptor_is_waited_for)
{
    prepare();
    CHECK_INT(pipe(fds), 0);
    in_thread_and_coroutine(await_fd, write_byte_late);
    CHECK_INT(plait_fd_wait(fds[1], PLAIT_READABLE | PLAIT_WRITABLE, PLAIT_NOWAIT), PLAIT_WRITABLE);
    close(fds[0]); /* a write would fail, and not wait */
    CHECK_INT(plait_fd_wait(fds[1], PLAIT_WRITABLE, PLAIT_FOREVER), PLAIT_WRITABLE);
    CHECK_INT(plait_fd_wait(-1, PLAIT_READABLE, PLAIT_NOWAIT), -EBADF);
    CHECK_INT(plait_fd_wait(fds[1], 0, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_fd_wait(fds[1], 4, PLAIT_NOWAIT), -EINVAL);
}

static int wait_for_none(void *arg)
{
    const plait_deadline untils[] = { PLAIT_NOWAIT, plait_after_ms(20), PLAIT_FOREVER };

    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait_fd_wait(fds[0], PLAIT_READABLE, untils[i]), -EBADF);
        CHECK_INT(plait_fd_wait(fds[0], PLAIT_WRITABLE, untils[i]), -EBADF);
    }
    (void)arg;
    return 0;
}

TEST(a_descriptor_that_is_closed_is_said_to_be_none)
{
    CHECK_INT(pipe(fds), 0);
    CHECK_INT(plait_fd_wait(fds[1], PLAIT_WRITABLE, PLAIT_FOREVER), PLAIT_WRITABLE);
    close(fds[0]);
    close(fds[1]);
    CHECK_INT(wait_for_none(NULL), 0);
    in_coroutine(wait_for_none, NULL);
}

static int wait_for_fd(void *arg)
{
    (void)arg;
    return plait_fd_wait(fds[0], PLAIT_READABLE, PLAIT_FOREVER);
}

TEST(who_waits_for_a_descriptor_can_be_asked_to_end)
{
    static const plait_kind kinds[] = { PLAIT_THREAD, PLAIT_COROUTINE };

    CHECK_INT(pipe(fds), 0);
    for (size_t i = 0; i < 2; i++) {
        plait_task *task = NULL;
        plait_outcome end;
        CHECK_INT(plait_task_start(&task, kinds[i], wait_for_fd, NULL, NULL), 0);
        plait_sleep(plait_after_ms(5));
        CHECK_INT(plait_task_terminate(task), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(task, &end), 0);
        CHECK_INT(end.kind, PLAIT_CANCELLED);
        plait_task_destroy(task);
    }
}

/* ---- processes ---- */

static pid_t fork_sleeper(void)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        await_leave();
        _exit(3);
    }
    return pid;
}

static int await_process(void *arg)
{
    CHECK_INT(plait_pid_wait(*(pid_t *)arg, PLAIT_NOWAIT), -ETIMEDOUT);
    allow();
    CHECK_INT(plait_pid_wait(*(pid_t *)arg, PLAIT_FOREVER), 0);
    return 0;
}

TEST(the_end_of_a_foreign_process_is_waited_for_and_it_is_not_reaped)
{
    pid_t pid;
    int status;

    prepare();
    pid = fork_sleeper();
    CHECK_INT(await_process(&pid), 0);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK_INT(plait_pid_wait(pid, PLAIT_NOWAIT), -ESRCH);
    CHECK_INT(plait_pid_wait(0, PLAIT_NOWAIT), -EINVAL);
    pid = fork_sleeper();
    in_coroutine(await_process, &pid);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
}

static int select_pid(void *arg)
{
    plait_waitable on[2] = { { 0 } };

    CHECK_INT(plait_on_pid(&on[1], *(pid_t *)arg), 0);
    CHECK_INT(plait_select(on, 2, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_select(on, 2, plait_after_ms(1)), -ETIMEDOUT);
    allow();
    CHECK_INT(plait_select(on, 2, PLAIT_FOREVER), 1);
    CHECK_INT(plait_select(on, 2, PLAIT_NOWAIT), 1);
    CHECK_INT(test_waitpid(*(pid_t *)arg, NULL, 0), *(pid_t *)arg); /* it was not reaped */
    CHECK_INT(plait_select(on, 2, PLAIT_NOWAIT), 1);
    return 0;
}

TEST(the_end_of_a_foreign_process_is_selected_on)
{
    plait_waitable on;
    int n_fds = count_fds();
    pid_t pid;

    prepare();
    pid = fork_sleeper();
    CHECK_INT(select_pid(&pid), 0);
    CHECK_INT(count_fds(), n_fds);
    CHECK_INT(plait_on_pid(&on, pid), -ESRCH);
    CHECK_INT(plait_on_pid(&on, 0), -EINVAL);
    CHECK_INT(plait_on_pid(NULL, getpid()), -EINVAL);
    pid = fork_sleeper();
    in_coroutine(select_pid, &pid);
}

/* ---- files ---- */

static char dir[64], path[96];
static plait_watch *watch;

static void open_watch(void)
{
    snprintf(dir, sizeof dir, "/tmp/plait-watch-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/file", dir);
    CHECK_INT(plait_watch_open(&watch, dir), 0);
}

static void write_file(void)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    CHECK_INT(write(fd, "x", 1), 1);
    close(fd);
}

static void expect(unsigned what, const char *name)
{
    plait_watch_event event;

    CHECK_INT(plait_watch_next(watch, &event, PLAIT_FOREVER), 0);
    CHECK_INT(event.what, what);
    CHECK_STR(event.name, name);
}

TEST(what_happens_in_a_directory_is_told_in_order)
{
    plait_watch_event event;
    plait_waitable on;

    open_watch();
    CHECK_INT(plait_watch_on_next(&on, watch), 0);
    CHECK_INT(plait_watch_next(watch, &event, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_select(&on, 1, PLAIT_NOWAIT), -ETIMEDOUT);
    write_file();
    unlink(path);
    CHECK_INT(plait_select(&on, 1, PLAIT_NOWAIT), 0);
    expect(PLAIT_WATCH_CREATED, "file");
    CHECK_INT(plait_select(&on, 1, PLAIT_NOWAIT), 0); /* the rest was read already */
    expect(PLAIT_WATCH_CHANGED, "file");
    expect(PLAIT_WATCH_WRITTEN, "file");
    expect(PLAIT_WATCH_REMOVED, "file");
    CHECK_INT(plait_watch_next(watch, &event, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_select(&on, 1, PLAIT_NOWAIT), -ETIMEDOUT);
    rmdir(dir);
    expect(PLAIT_WATCH_GONE, "");
    plait_watch_close(watch);
}

static void *write_late(void *arg)
{
    await_leave();
    write_file();
    return arg;
}

static int await_file(void *arg)
{
    (void)arg;
    allow();
    expect(PLAIT_WATCH_CREATED, "file");
    return 0;
}

TEST(a_change_wakes_who_waits_for_it)
{
    pthread_t thread;

    prepare();
    for (int i = 0; i < 2; i++) {
        open_watch();
        CHECK_INT(pthread_create(&thread, NULL, write_late, NULL), 0);
        if (i == 0)
            await_file(NULL);
        else
            in_coroutine(await_file, NULL);
        pthread_join(thread, NULL);
        plait_watch_close(watch);
        unlink(path);
        rmdir(dir);
    }
}

TEST(what_cannot_be_watched_is_said)
{
    plait_waitable on;

    CHECK_INT(plait_watch_open(&watch, "/nonexistent/plait"), -ENOENT);
    CHECK_INT(plait_watch_open(NULL, "/"), -EINVAL);
    CHECK_INT(plait_watch_open(&watch, NULL), -EINVAL);
    CHECK_INT(plait_watch_next(NULL, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_watch_on_next(&on, NULL), -EINVAL);
    plait_watch_close(NULL);
}
