/* The contract of tasks, kept by processes; and what only forked ones promise. What processes promise
 * however they are made is in start_contract.h.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND      PLAIT_PROCESS
#define KIND_WORD "Process"
#include "os/probe.h"
#include "task_contract.h"

#include "task_kernel.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

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

TEST(a_cancel_does_not_reach_into_a_process)
{
    prepare();
    plait_task *task = start(stand, NULL);
    CHECK(!plait_task_is_cancelled());
    CHECK_INT(plait_task_kill(task), 0);
    join(task);
    plait_task_destroy(task);
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
