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
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static void block(int number)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

/* Runs fn in a coroutine, while another one counts: it is not kept from running. */
static int n_ticks, is_over;

static int tick(void *arg)
{
    (void)arg;
    for (; !is_over; n_ticks++)
        plait_sleep(plait_after_ms(1));
    return 0;
}

static void in_coroutine(plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;
    plait_outcome end;

    n_ticks = is_over = 0;
    CHECK_INT(plait_go(tick, NULL), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, fn, arg, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, 0);
    CHECK(n_ticks > 0);
    is_over = 1;
    plait_task_destroy(task);
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

    block(SIGUSR1);
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    CHECK_INT(plait_signal_wait(both, 2, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_signal_wait(both, 0, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_signal_wait(NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_signal_wait((int[]){ 0 }, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_signal_wait((int[]){ 1000 }, 1, PLAIT_NOWAIT), -EINVAL);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    CHECK(sigismember(&after, SIGUSR2) == 0 && sigismember(&after, SIGUSR1) == 1);
    CHECK_INT(sigismember(&before, SIGUSR2), 0);
}

static void *signal_late(void *arg)
{
    (void)arg;
    usleep(5000);
    kill(getpid(), SIGUSR1);
    return NULL;
}

static int await_signal(void *arg)
{
    (void)arg;
    CHECK_INT(plait_signal_wait(both, 2, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(plait_signal_wait(both, 2, PLAIT_FOREVER), SIGUSR1);
    return 0;
}

TEST(a_signal_wakes_who_waits_for_it)
{
    pthread_t thread;

    block(SIGUSR1);
    block(SIGUSR2);
    CHECK_INT(pthread_create(&thread, NULL, signal_late, NULL), 0);
    CHECK_INT(await_signal(NULL), 0);
    pthread_join(thread, NULL);
    CHECK_INT(pthread_create(&thread, NULL, signal_late, NULL), 0);
    in_coroutine(await_signal, NULL);
    pthread_join(thread, NULL);
}

/* ---- processes ---- */

static pid_t fork_sleeper(int us)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        usleep((useconds_t)us);
        _exit(3);
    }
    return pid;
}

static int await_process(void *arg)
{
    CHECK_INT(plait_pid_wait(*(pid_t *)arg, PLAIT_FOREVER), 0);
    return 0;
}

TEST(the_end_of_a_foreign_process_is_waited_for_and_it_is_not_reaped)
{
    pid_t pid = fork_sleeper(20000);
    int status;

    CHECK_INT(plait_pid_wait(pid, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(await_process(&pid), 0);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK_INT(plait_pid_wait(pid, PLAIT_NOWAIT), -ESRCH);
    CHECK_INT(plait_pid_wait(0, PLAIT_NOWAIT), -EINVAL);
    pid = fork_sleeper(20000);
    in_coroutine(await_process, &pid);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
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
    (void)arg;
    usleep(5000);
    write_file();
    return NULL;
}

static int await_file(void *arg)
{
    (void)arg;
    expect(PLAIT_WATCH_CREATED, "file");
    return 0;
}

TEST(a_change_wakes_who_waits_for_it)
{
    pthread_t thread;

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
