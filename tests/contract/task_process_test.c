/* The contract of tasks, kept by processes; and what only processes promise.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND      PLAIT_PROCESS
#define KIND_WORD "Process"
#include "os/probe.h"
#include "task_contract.h"

#include "task_kernel.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

TEST(a_process_that_was_asked_to_end_is_ended_by_sigterm)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_task_terminate(task), 0);
    plait_outcome end = join(task);
    CHECK_INT(end.kind, PLAIT_SIGNALLED);
    CHECK_INT(end.signal, SIGTERM);
    CHECK_INT(end.code, 0);
    plait_task_destroy(task);
}

TEST(a_process_can_be_killed)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_task_kill(task), 0);
    CHECK_INT(join(task).signal, SIGKILL);
    CHECK_INT(plait_task_kill(task), 0);
    plait_task_destroy(task);
}

static int call_exit(void *arg)
{
    exit(*(int *)arg);
}

TEST(an_exit_is_not_a_return)
{
    int code = 300;
    plait_task *task = start(call_exit, &code);
    plait_outcome end = join(task);

    CHECK_INT(end.kind, PLAIT_EXITED);
    CHECK_INT(end.code, 300 & 255);
    plait_task_destroy(task);
}

static int use_memory(void *arg)
{
    volatile char *bytes = malloc(16 * 1024 * 1024);

    (void)arg;
    for (size_t i = 0; bytes != NULL && i < 16 * 1024 * 1024; i += 512)
        bytes[i] = 1;
    free((void *)(uintptr_t)bytes);
    return 0;
}

TEST(the_usage_is_told)
{
    plait_task *task = start(use_memory, NULL);
    plait_outcome end = join(task);

    CHECK(end.has_usage);
    CHECK(end.peak_kib >= 16 * 1024);
    CHECK(end.user_ns + end.system_ns > 0);
    plait_task_destroy(task);
}

TEST(the_descriptor_is_readable_once_it_has_ended)
{
    struct pollfd end;

    prepare();
    plait_task *task = start(stand, NULL);
    end = (struct pollfd){ .fd = plait_task_fd(task), .events = POLLIN };
    CHECK(end.fd >= 0);
    CHECK_INT(poll(&end, 1, 0), 0);
    open_gate();
    CHECK_INT(poll(&end, 1, -1), 1);
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), 0);
    plait_task_destroy(task);
}

/* From now on stdout is a pipe, fully buffered; its other end. */
static int catch_stdout(void)
{
    int fds[2];

    fflush(stdout);
    CHECK_INT(pipe(fds), 0);
    CHECK_INT(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
    close(fds[1]);
    setvbuf(stdout, NULL, _IOFBF, 4096);
    return fds[0];
}

static int print(void *arg)
{
    fputs(arg, stdout);
    return 0;
}

TEST(what_was_printed_before_is_printed_once_and_what_the_task_prints_too)
{
    char text[64] = "", said[] = "child ";
    int fd = catch_stdout();

    fputs("parent ", stdout);
    plait_task *task = start(print, said);
    CHECK_INT(join(task).kind, PLAIT_RETURNED);
    fputs("parent again", stdout);
    fflush(stdout);
    CHECK(read(fd, text, sizeof text - 1) > 0);
    CHECK_STR(text, "parent child parent again");
    plait_task_destroy(task);
}

static int count = 5; /* each process has its own */

static int change_memory(void *arg)
{
    (void)arg;
    return ++count;
}

TEST(a_process_sees_memory_as_it_was_and_changes_its_own)
{
    plait_task *task = start(change_memory, NULL);

    count = 10;
    CHECK_INT(join(task).code, 6);
    CHECK_INT(count, 10);
    plait_task_destroy(task);
}

static int start_two_below(void *arg)
{
    plait_task *task = start(return_code, arg), *again = start(return_code, arg);
    int code = join(task).code + join(again).code;

    plait_task_destroy(task);
    plait_task_destroy(again);
    return code;
}

TEST(a_process_task_starts_tasks_of_its_own)
{
    int four = 4;
    plait_task *task = start(start_two_below, &four);

    CHECK_INT(join(task).code, 8);
    plait_task_destroy(task);
}

TEST(a_cancel_does_not_reach_into_a_process)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK(!plait_task_is_cancelled());
    CHECK_INT(plait_task_kill(task), 0);
    join(task);
    plait_task_destroy(task);
}

static int is_open(void *arg)
{
    return fcntl(*(int *)arg, F_GETFD) >= 0;
}

static int count_open(void *arg)
{
    int n = 0;

    (void)arg;
    for (int fd = 0; fd < 1000; fd++)
        n += is_open(&fd);
    return n;
}

TEST(starting_and_joining_leaks_no_descriptor)
{
    int before = 0, after = 0;

    for (int i = 0; i < 20; i++) {
        plait_task *task = start(count_open, NULL);
        int inside = join(task).code;
        plait_task_destroy(task);
        after = count_open(NULL);
        if (i == 0)
            before = after;
        CHECK_INT(inside, before - 2); /* without the parent's keeper */
    }
    CHECK_INT(after, before);
}

static int call_abort(void *arg)
{
    const struct rlimit none = { 0 };

    (void)arg;
    setrlimit(RLIMIT_CORE, &none);
    abort();
}

TEST(an_abort_is_the_death_of_the_task_and_of_nobody_else)
{
    plait_task *task = start(call_abort, NULL);
    plait_outcome end = join(task);

    CHECK_INT(end.kind, PLAIT_SIGNALLED);
    CHECK_INT(end.signal, SIGABRT);
    CHECK(!end.core);
    plait_task_destroy(task);
}

TEST(a_stopped_process_has_not_ended)
{
    siginfo_t info;

    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(kill(plait_task_id(task), SIGSTOP), 0);
    CHECK_INT(waitid(P_PID, (id_t)plait_task_id(task), &info, WSTOPPED | WNOWAIT), 0);
    CHECK(plait_task_is_alive(task));
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_task_kill(task), 0);
    CHECK_INT(join(task).signal, SIGKILL);
    plait_task_destroy(task);
}

TEST(a_destroyed_process_is_gone_when_the_call_returns)
{
    struct pollfd end = { .events = POLLIN };

    prepare();
    plait_task *task = start(stand, NULL);
    pid_t pid = plait_task_id(task);
    end.fd = dup(plait_task_fd(task)); /* the handle's own is closed with it */
    CHECK(end.fd >= 0);
    plait_task_destroy(task);
    CHECK_INT(poll(&end, 1, 0), 1);
    CHECK(waitpid(pid, NULL, WNOHANG) == -1 && errno == ECHILD); /* reaped, too */
}

static int end_of_program[2]; /* its end of file: all who were forked behind it are gone */

static void leave_a_daemon_that_holds_a_pipe(void)
{
    close(end_of_program[0]);
    leave_a_daemon();
}

TEST(at_exit_a_daemon_is_killed)
{
    char byte;

    CHECK_INT(pipe(end_of_program), 0);
    run_program(leave_a_daemon_that_holds_a_pipe);
    close(end_of_program[1]);
    CHECK_INT(read(end_of_program[0], &byte, 1), 0);
}

static int fork_and_leave(void *arg)
{
    pid_t pid = fork();

    if (pid == 0)
        return *(int *)arg; /* as the task does, which has not returned itself */
    waitpid(pid, NULL, 0);
    _exit(9);
}

TEST(a_fork_inside_the_function_that_returns_does_not_speak_for_the_task)
{
    int code = 1000;
    plait_task *task = start(fork_and_leave, &code);
    plait_outcome end = join(task);

    CHECK_INT(end.kind, PLAIT_EXITED);
    CHECK_INT(end.code, 9);
    plait_task_destroy(task);
}

static int kill_self(void *arg)
{
    return raise(*(int *)arg);
}

/* The kernel reaps it, and says how it ended only when it is done with that. */
TEST(where_sigchld_is_ignored_the_death_of_a_process_is_known_if_the_kernel_tells)
{
    int number = SIGKILL;

    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 200; i++) {
        plait_task *task = start(kill_self, &number);
        plait_outcome end = join(task);
        CHECK(!end.has_usage);
        CHECK_INT(end.kind,
                  plait__probe_has(PLAIT__PROBE_PIDFD_INFO) ? PLAIT_SIGNALLED : PLAIT_UNKNOWN);
        plait_task_destroy(task);
    }
}

static int stand_for_a_debugger(void *arg)
{
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0); /* fails where nothing is in the way */
    (void)!write(*(int *)arg, "r", 1);
    return stand(arg);
}

/* Holds on to the process and, once it has ended, to its end, until the gate is opened. */
static pid_t start_debugger(pid_t task, int ready)
{
    char byte;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_INT(ptrace(PTRACE_SEIZE, task, NULL, NULL), 0);
        (void)!write(ready, "r", 1);
        (void)!read(gate[0], &byte, 1);
        _exit(0);
    }
    return pid;
}

TEST(the_join_of_a_process_whose_end_a_debugger_holds_back_ends_at_its_deadline)
{
    char byte;
    int ready[2], status;
    struct pollfd end = { .events = POLLIN };

    prepare();
    CHECK_INT(pipe(ready), 0);
    plait_task *task = start(stand_for_a_debugger, &ready[1]);
    CHECK_INT(read(ready[0], &byte, 1), 1);
    pid_t debugger = start_debugger(plait_task_id(task), ready[1]);
    CHECK_INT(read(ready[0], &byte, 1), 1);
    CHECK_INT(plait_task_kill(task), 0);
    end.fd = plait_task_fd(task);
    CHECK_INT(poll(&end, 1, -1), 1);
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_task_join(task, plait_after_ms(20)), -ETIMEDOUT);
    CHECK(plait_task_is_alive(task));
    CHECK_INT(plait_task_children(NULL, 0), 1);
    open_gate();
    CHECK_INT(join(task).signal, SIGKILL);
    CHECK_INT(waitpid(debugger, &status, 0), debugger);
    CHECK_INT(status, 0);
    plait_task_destroy(task);
}

static int use_the_parents_handle(void *arg)
{
    plait_task *parent = plait_task_parent(plait_task_current());
    plait_outcome end;

    return parent == arg && strcmp(plait_task_name(parent), "MainProcess") == 0 &&
                   plait_task_kind(parent) == PLAIT_PROCESS && plait_task_id(parent) == getppid() &&
                   !plait_task_is_alive(parent) &&
                   plait_task_join(parent, PLAIT_NOWAIT) == -ECHILD &&
                   plait_task_outcome(parent, &end) == -ECHILD &&
                   plait_task_terminate(parent) == -ECHILD
               ? 0
               : 1;
}

TEST(the_parents_handle_tells_what_it_is_and_no_more)
{
    plait_task *task = start(use_the_parents_handle, plait_task_current());

    CHECK_INT(join(task).code, 0);
    plait_task_destroy(task);
}

static void *stand_aside(void *arg)
{
    stand(arg);
    return NULL;
}

TEST(beside_a_thread_of_the_hosts_no_process_is_forked)
{
    plait_task *task = NULL;
    pthread_t thread;

    prepare();
    CHECK_INT(pthread_create(&thread, NULL, stand_aside, NULL), 0);
    CHECK_INT(plait_keeper_start(), PLAIT_ETHREADS);
    CHECK_INT(plait_task_start(&task, KIND, return_code, &zero, NULL), PLAIT_ETHREADS);
    CHECK(task == NULL);
    CHECK_INT(plait_task_children(NULL, 0), 0);
    open_gate();
    CHECK_INT(pthread_join(thread, NULL), 0);
    plait_task_destroy(start(return_code, &zero));
}

/* The kernel may count a thread for a moment after it was joined. */
TEST_LIMIT(joined_threads_never_stand_in_the_way_of_a_process, 40)
{
    for (int i = 0; i < 200; i++) {
        plait_task *thread = NULL;
        CHECK_INT(plait_task_start(&thread, PLAIT_THREAD, return_code, &zero, NULL), 0);
        CHECK_INT(join(thread).code, 0);
        plait_task *task = start(return_code, &i);
        CHECK_INT(join(task).code, i);
        plait_task_destroy(task);
        plait_task_destroy(thread);
    }
}
