/* What the fault injector lets fail in the library: tasks and commands from start to end.
 * SPDX-License-Identifier: MIT
 *
 * Exit status 0: all went as it should. 1: some calls failed, each said on standard error. abort():
 * a call failed without an error's number, or said that it had worked and had not.
 */
#include "os/fd.h"
#include "task/keeper.h"
#include "wait/wait.h"
#include <plait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worked.h"

static int return_arg(void *arg)
{
    return *(const int *)arg;
}

static int sleep_long(void *arg)
{
    struct timespec time = { .tv_sec = 60 };

    (void)arg;
    while (nanosleep(&time, &time) < 0)
        ;
    return 0;
}

/* Waits in plait, and so can be cancelled. */
static int wait_long(void *arg)
{
    struct plait__fd fd = { .fd = -1 };

    int rc;

    (void)arg;
    do
        rc = plait__wait_fds(&fd, 1, plait_after_ms(60000));
    while (rc == -EINTR);
    return rc;
}

static bool has_outcome(plait_task *task, plait_outcome *ret)
{
    return worked("join", plait_task_join(task, plait_after_ms(10000))) &&
           worked("outcome", plait_task_outcome(task, ret));
}

static void run_returning(plait_kind kind)
{
    int numbers[2] = { 7, 300 };
    plait_task *tasks[2] = { NULL, NULL };
    plait_outcome end;

    for (int i = 0; i < 2; i++)
        worked("start", plait_task_start(&tasks[i], kind, return_arg, &numbers[i], NULL));
    for (int i = 0; i < 2; i++) {
        if (tasks[i] != NULL && has_outcome(tasks[i], &end)) {
            /* a fault in the child ends it before its function: an exit status, no result */
            bool ran = end.kind == PLAIT_RETURNED;
            must("a task that returned has its result", !ran || end.code == numbers[i]);
            /* and a keeper without memory to guard it kills it: better than one that nobody ends */
            must("a task ended in a way that nobody asked for",
                 ran || end.kind == PLAIT_EXITED || end.signal == SIGKILL);
            worked("the task's function", ran ? 0 : -ECHILD);
        }
        plait_task_destroy(tasks[i]);
    }
}

/* By another start method: the argument goes as bytes. */
static void run_started(plait_start_method method)
{
    int number = 300;
    plait_task_opts opts = { .method = method, .arg_bytes = sizeof number };
    plait_task *task = NULL;
    plait_outcome end;

    if (!worked("start", plait_task_start(&task, PLAIT_PROCESS, return_arg, &number, &opts)))
        return;
    if (has_outcome(task, &end)) {
        bool ran = end.kind == PLAIT_RETURNED;
        must("a task that returned has its result", !ran || end.code == number);
        must("a task ended in a way that nobody asked for",
             ran || end.kind == PLAIT_EXITED || end.signal == SIGKILL);
        worked("the task's function", ran ? 0 : -ECHILD);
    }
    plait_task_destroy(task);
}

static void run_ended(plait_kind kind, int (*stop)(plait_task *task), int number)
{
    plait_task *task = NULL;
    plait_outcome end;

    if (!worked("start",
                plait_task_start(&task, kind, kind == PLAIT_THREAD ? wait_long : sleep_long, NULL,
                                 NULL)))
        return;
    if (worked("stop", stop(task)) && has_outcome(task, &end)) {
        if (number != 0 && end.kind == PLAIT_SIGNALLED)
            must("it ended by the signal that was sent", end.signal == number);
        if (number == 0)
            worked("the thread's wait", end.kind == PLAIT_CANCELLED ? 0 : -EIO);
    }
    plait_task_destroy(task);
}

/* Destroyed while it runs. */
static void run_destroyed(void)
{
    plait_task *task = NULL;

    if (worked("start", plait_task_start(&task, PLAIT_PROCESS, sleep_long, NULL, NULL)))
        plait_task_destroy(task);
}

/* The numbers of commands; below them are those that end by themselves. */
enum {
    TIMED_OUT = 4,
    KILLED = 5
};

/* Takes one end; after a failed take it may be that of an earlier command. False: none came. */
static bool take_end(void)
{
    static const int expected[] = { [TIMED_OUT] = SIGTERM, [KILLED] = SIGKILL };
    struct plait__command_end end;
    int rc = plait__keeper_next(&end, plait_after_ms(10000));

    if (!worked("keeper_next", rc) || rc == 0)
        return false;
    if (!worked("a command's start", -end.start_error))
        return true;
    must("the end is of a command that was run", end.id >= 1 && end.id <= KILLED);
    /* SIGKILL: it could not be asked before, or its keeper died */
    must("the command ended as it should",
         end.death.signal == expected[end.id] || end.death.signal == SIGKILL);
    return true;
}

static void run_commands(int null)
{
    char *const quick[] = { (char *)(uintptr_t) "true", NULL };
    char *const slow[] = { (char *)(uintptr_t) "sleep", (char *)(uintptr_t) "60", NULL };
    const char *env[] = { "PLAIT_SEQ=1" };
    struct plait__command command = {
        .file = "true", .argv = quick, .n_argv = 1, .env = env, .n_env = 1, .fds = { null, 1, 2 }
    };
    int running = 0;

    for (command.id = 1; command.id < TIMED_OUT; command.id++)
        if (worked("keeper_run", plait__keeper_run(&command, plait_after_ms(10000))))
            running++;
    while (running > 0 && take_end())
        running--;
    command.file = "sleep";
    command.argv = slow;
    command.n_argv = 2;
    command.timeout_ns = 20 * 1000 * 1000;
    command.kill_after_ns = INT64_C(1000000000);
    if (worked("keeper_run", plait__keeper_run(&command, plait_after_ms(10000))))
        take_end();
    command.id = KILLED;
    command.timeout_ns = 0;
    if (worked("keeper_run", plait__keeper_run(&command, plait_after_ms(10000)))) {
        if (worked("keeper_time_out", plait__keeper_time_out(command.id, 0)))
            take_end();
    }
    if (worked("keeper_pause", plait__keeper_pause()))
        worked("keeper_resume", plait__keeper_resume());
    worked("keeper_stop_all", plait__keeper_stop_all(0));
}

int main(int argc, char **argv)
{
    int null;

    close(0); /* the keeper's descriptors must find places above 2 */
    worked("init", plait_init(&argc, &argv));
    worked("keeper_start", plait_keeper_start());
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    worked("open", null < 0 ? -errno : null);
    run_returning(PLAIT_PROCESS);
    run_ended(PLAIT_PROCESS, plait_task_terminate, SIGTERM);
    run_ended(PLAIT_PROCESS, plait_task_kill, SIGKILL);
    run_destroyed();
    run_started(PLAIT_START_FORKSERVER);
    run_started(PLAIT_START_SPAWN);
    run_commands(null);
    run_returning(PLAIT_THREAD);
    run_ended(PLAIT_THREAD, plait_task_terminate, 0);
    return n_errors > 0;
}
