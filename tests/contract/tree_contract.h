/* What tasks promise that take along all that is below them, however they are made.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines METHOD before. Whatever runs below a task holds the write end of a pipe: its
 * end of file says that all of it is gone. A task that is no fork is told the numbers of the pipes,
 * which are the same there.
 */
#ifndef PLAIT_TESTS_TREE_CONTRACT_H
#define PLAIT_TESTS_TREE_CONTRACT_H

#include <plait.h>

#include "tasks.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void test_begin(int *argc, char ***argv)
{
    plait_init(argc, argv);
}

enum {
    FORKS = 20000 /* of who forks for ever: where nobody ends it, it shall not take the machine */
};

static int life[2];  /* of all that is below */
static int ready[2]; /* a byte when somebody below has come so far */

static void prepare(void)
{
    CHECK(pipe(life) == 0 && pipe(ready) == 0);
}

/* First of all in a task. */
static void take(const void *arg)
{
    const int *pipes = arg;

    for (int i = 0; i < 2; i++) {
        life[i] = pipes[i];
        ready[i] = pipes[2 + i];
    }
}

static int start_rc(plait_task **ret, plait_task_fn *fn, const plait_task_opts *opts)
{
    int pipes[] = { life[0], life[1], ready[0], ready[1] },
        keep[] = { life[1], ready[0], ready[1] };
    plait_process_opts kept = { .keep_fds = keep, .n_keep_fds = 3 };
    plait_task_opts tree = opts != NULL ? *opts : (plait_task_opts){ 0 };

    tree.tree = true;
    tree.method = METHOD;
    tree.arg_bytes = sizeof pipes;
    if (tree.process == NULL && METHOD == PLAIT_START_FORKSERVER)
        tree.process = &kept;
    return plait_task_start(ret, PLAIT_PROCESS, fn, pipes, &tree);
}

static plait_task *start(plait_task_fn *fn, const plait_task_opts *opts)
{
    plait_task *task = NULL;
    char byte;

    CHECK_INT(start_rc(&task, fn, opts), 0);
    CHECK_INT(test_read(ready[0], &byte, 1), 1);
    return task;
}

static plait_outcome join(plait_task *task)
{
    return end_of(task);
}

/* Nobody below is left; now, or never. */
static void check_gone(void)
{
    char byte;

    close(life[1]);
    CHECK_INT(test_read(life[0], &byte, 1), 0);
}

/* At this moment. */
static void check_gone_already(void)
{
    struct pollfd end = { .fd = life[0], .events = POLLIN };

    close(life[1]);
    CHECK_INT(poll(&end, 1, 0), 1);
    CHECK(end.revents & POLLHUP);
}

static int sleep_for_ever(void)
{
    for (;;)
        pause();
    return 0;
}

static int say_ready_and_sleep(void)
{
    (void)!write(ready[1], "r", 1);
    return sleep_for_ever();
}

/* A daemon by the book: out of session and group, orphaned twice, nothing left in its environment,
 * deaf to all that asks it to end. */
static void daemonise(void)
{
    if (fork() != 0)
        return;
    setsid();
    if (fork() != 0)
        _exit(0);
    setsid();
    if (fork() != 0)
        _exit(0);
    clearenv();
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_NAME, (unsigned long)"innocent", 0, 0, 0);
    say_ready_and_sleep();
}

static int leave_a_daemon(void *arg)
{
    take(arg);
    daemonise();
    return sleep_for_ever();
}

static int leave_a_daemon_and_return(void *arg)
{
    int owners;
    char byte;

    take(arg);
    owners = ready[1];
    CHECK_INT(pipe(ready), 0);
    daemonise();
    CHECK_INT(test_read(ready[0], &byte, 1), 1); /* it is there */
    (void)!write(owners, "r", 1);
    return 300;
}

/* An exec takes the memory, and with it all that a library could have kept there. */
static int run_a_shell(void *arg)
{
    take(arg);
    dup2(ready[1], 1);
    execl("/bin/sh", "sh", "-c", "(setsid sh -c 'trap \"\" TERM; echo; sleep 1000' &)& sleep 1000",
          NULL);
    return 1;
}

static int fork_for_ever(void *arg)
{
    take(arg);
    (void)!write(ready[1], "r", 1);
    for (int i = 0; i < FORKS; i++) { /* each one is orphaned by the next */
        pid_t pid = fork();
        if (pid > 0)
            _exit(0);
        if (pid == 0)
            setsid();
    }
    return sleep_for_ever();
}

static plait_task_fn *const below[] = { leave_a_daemon, run_a_shell };

TEST(a_kill_reaches_all_below)
{
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        prepare();
        plait_task *task = start(below[i], NULL);
        CHECK(plait_task_is_alive(task));
        CHECK_INT(plait_task_kill(task), 0);
        CHECK_INT(join(task).signal, SIGKILL);
        check_gone_already();
        CHECK(!plait_task_is_alive(task));
        plait_task_destroy(task);
    }
}

TEST(a_destroyed_tree_is_gone_when_the_call_returns)
{
    prepare();
    plait_task_destroy(start(leave_a_daemon, NULL));
    check_gone_already();
}

TEST(who_is_asked_to_end_takes_along_who_does_not_listen)
{
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        prepare();
        plait_task *task = start(below[i], NULL);
        CHECK_INT(plait_task_terminate(task), 0);
        CHECK_INT(join(task).signal, SIGTERM);
        check_gone_already();
        plait_task_destroy(task);
    }
}

static void count(int number)
{
    (void)number;
    (void)!write(ready[1], "t", 1);
    _exit(0);
}

static int have_listeners(void *arg)
{
    take(arg);
    signal(SIGTERM, count);
    if (fork() == 0)
        setsid();
    return say_ready_and_sleep();
}

TEST(all_below_are_asked)
{
    char bytes[2] = "";

    prepare();
    plait_task *task = start(have_listeners, NULL);
    CHECK_INT(test_read(ready[0], bytes, 1), 1);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(test_read(ready[0], bytes, 1), 1);
    CHECK_INT(bytes[0], 't');
    plait_task_destroy(task);
    check_gone();
}

TEST(when_the_task_has_returned_nothing_of_it_is_left)
{
    prepare();
    plait_task *task = start(leave_a_daemon_and_return, NULL);
    plait_outcome end = join(task);
    CHECK_INT(end.kind, PLAIT_RETURNED);
    CHECK_INT(end.code, 300);
    CHECK(end.has_usage && end.peak_kib > 0);
    check_gone_already();
    plait_task_destroy(task);
}

static int run_and_join(void *arg)
{
    plait_task *task = start(leave_a_daemon_and_return, NULL);

    *(int *)arg = join(task).code;
    plait_task_destroy(task);
    return 0;
}

TEST(a_coroutine_starts_one_and_joins_it)
{
    plait_task *coroutine = NULL;
    int code = 0;

    prepare();
    CHECK_INT(plait_task_start(&coroutine, PLAIT_COROUTINE, run_and_join, &code, NULL), 0);
    CHECK_INT(join(coroutine).code, 0);
    CHECK_INT(code, 300);
    check_gone_already();
    plait_task_destroy(coroutine);
}

TEST(who_forks_for_ever_is_ended)
{
    prepare();
    plait_task *task = start(fork_for_ever, NULL);
    plait_task_destroy(task);
    check_gone_already();
}

/* ---- the owner ends ---- */

static void start_in_owner(plait_task_fn *fn, bool daemon, void (*end)(void))
{
    pid_t owner;
    int status;

    prepare();
    owner = fork();
    CHECK(owner >= 0);
    if (owner == 0) {
        start(fn, &(plait_task_opts){ .daemon = daemon });
        close(life[1]);
        end();
    }
    CHECK_INT(test_waitpid(owner, &status, 0), owner);
    check_gone();
}

static void be_killed(void)
{
    raise(SIGKILL);
}

static void leave(void)
{
    _exit(0);
}

static void return_from_main(void)
{
    exit(0);
}

static void become_another_program(void)
{
    execl("/bin/sh", "sh", "-c", "read x", NULL);
}

TEST(the_owners_death_is_that_of_all_below)
{
    start_in_owner(leave_a_daemon, false, be_killed);
    start_in_owner(run_a_shell, false, leave);
    start_in_owner(fork_for_ever, false, be_killed);
}

TEST(the_owners_exit_ends_a_daemon_with_all_below)
{
    start_in_owner(leave_a_daemon, true, return_from_main);
}

/* Its process goes on, with a program that knows of nothing. */
TEST(the_owners_exec_ends_all_below)
{
    int in[2];
    char byte;
    pid_t owner;

    prepare();
    CHECK_INT(pipe(in), 0);
    owner = fork();
    CHECK(owner >= 0);
    if (owner == 0) {
        start(leave_a_daemon, NULL);
        close(life[1]);
        close(in[1]);
        dup2(in[0], 0);
        become_another_program();
    }
    close(life[1]);
    CHECK_INT(test_read(life[0], &byte, 1), 0);
    CHECK_INT(waitpid(owner, NULL, WNOHANG), 0);
    close(in[1]);
    CHECK_INT(test_waitpid(owner, NULL, 0), owner);
}

/* ---- what a task with a guard is ---- */

static int tell_parent(void *arg)
{
    take(arg);
    (void)!write(ready[1], "r", 1);
    return plait_task_id(plait_task_parent(plait_task_current())) == getpid() ? 1
                                                                              : getpgrp() & 0xff;
}

TEST(the_id_is_that_of_the_task_and_its_group_the_owners)
{
    prepare();
    plait_task *task = start(leave_a_daemon, NULL);
    CHECK_INT(getpgid(plait_task_id(task)), getpgrp());
    CHECK(plait_task_fd(task) >= 0);
    CHECK_INT(kill(plait_task_id(task), SIGUSR1), 0);
    CHECK_INT(join(task).signal, SIGUSR1);
    plait_task_destroy(task);
    task = start(tell_parent, NULL);
    CHECK_INT(join(task).code, getpgrp() & 0xff);
    plait_task_destroy(task);
}

static int lead_session(void *arg)
{
    (void)arg;
    return getsid(0) == getpid() ? 0 : 1;
}

TEST(what_cannot_be_set_up_is_said_and_nothing_is_left)
{
    plait_process_opts process = { .directory = "/nonexistent" };
    plait_task_opts opts = { .process = &process };
    plait_task *task = NULL;

    plait_log_set(NULL, NULL, PLAIT_LOG_OFF);
    CHECK_INT(start_rc(&task, lead_session, &opts), -ENOENT);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    process.directory = "/";
    process.close_fds = process.new_session = true;
    CHECK_INT(start_rc(&task, lead_session, &opts), 0);
    CHECK_INT(join(task).code, 0);
    plait_task_destroy(task);
}

static void reap_all(int number)
{
    int error = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = error;
}

TEST(the_outcome_is_known_though_the_host_reaps_or_ignores_children)
{
    void (*handlers[])(int) = { SIG_IGN, reap_all };

    for (size_t i = 0; i < 2; i++) {
        signal(SIGCHLD, handlers[i]);
        prepare();
        plait_task *task = start(leave_a_daemon, NULL);
        plait_task_terminate(task);
        plait_outcome end = join(task);
        CHECK_INT(end.kind, PLAIT_SIGNALLED);
        CHECK_INT(end.signal, SIGTERM);
        CHECK(end.has_usage);
        check_gone_already();
        plait_task_destroy(task);
        prepare();
        task = start(tell_parent, NULL);
        CHECK_INT(join(task).kind, PLAIT_RETURNED);
        plait_task_destroy(task);
    }
}

static void *stand_by(void *arg)
{
    (void)arg;
    sleep_for_ever();
    return NULL;
}

TEST(a_tree_may_be_started_beside_threads_that_end)
{
    plait_task_opts opts = { .with_threads = true };
    pthread_t thread;

    prepare();
    if (METHOD == PLAIT_START_FORKSERVER)
        CHECK_INT(plait_keeper_start(), 0);
    CHECK_INT(pthread_create(&thread, NULL, stand_by, NULL), 0);
    plait_task *task = start(leave_a_daemon, &opts);
    CHECK_INT(pthread_cancel(thread), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK(plait_task_is_alive(task));
    plait_task_destroy(task);
    check_gone_already();
}

static int start_below(void *arg)
{
    take(arg);
    start(leave_a_daemon, NULL);
    return say_ready_and_sleep();
}

TEST(a_tree_in_a_tree_ends_with_it)
{
    prepare();
    plait_task *task = start(start_below, NULL);
    CHECK_INT(plait_task_kill(task), 0);
    CHECK_INT(join(task).signal, SIGKILL);
    check_gone_already();
    plait_task_destroy(task);
}

#endif
