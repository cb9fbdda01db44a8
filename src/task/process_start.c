/* The start of a process task, in its parent.
 * SPDX-License-Identifier: MIT
 */
#include "task/process_start.h"
#include "base/log.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/oom.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "os/thread.h"
#include "task/guard.h"
#include "task/keeper.h"
#include "task/verdict.h"

#include <plait/error.h>
#include <plait/init.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* ---- before the fork ---- */

/* 0; PLAIT_ETHREADS: there are other threads; -errno. */
static int check_threads(const plait_task_opts *opts)
{
    int n = opts->with_threads ? 1 : plait__os_thread_count();

    if (n > 1) {
        plait__log(PLAIT_LOG_WARNING,
                   "no process is forked while the program has %d threads: start processes before "
                   "threads, or say with_threads",
                   n);
        return PLAIT_ETHREADS;
    }
    return n < 0 && n != -ENOENT ? n : 0; /* that: without /proc nobody tells */
}

static void say_failed(const plait_task *task, const char *step, int error)
{
    plait__log(PLAIT_LOG_ERROR, "%s was not started: %s: %s", task->name, step,
               plait_strerror(error));
}

/* At or above 3, so that the child's standard descriptors do not replace them. */
static int make_gate(struct plait__start *start)
{
    int rc = start->is_told ? plait__os_channel(start->gate) : plait__os_pipe(start->gate);

    if (rc < 0) {
        start->gate[0] = start->gate[1] = -1;
        return rc;
    }
    if (!start->is_told)
        return 0;
    start->gate[0] = plait__os_lift(start->gate[0]);
    start->gate[1] = plait__os_lift(start->gate[1]);
    rc = start->gate[0] < 0 ? start->gate[0] : start->gate[1] < 0 ? start->gate[1] : 0;
    if (rc == 0 && start->opts->tree)
        rc = start->owner = plait__os_lift(plait__os_pidfd_open(start->parent));
    return rc < 0 ? rc : 0;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* ---- after the fork ---- */

/* Tasks that an earlier keeper guarded. If the new one dies at once the next start tries again. */
static void guard_again(plait_task *task)
{
    uint64_t now = plait__keeper_generation();

    if (task->guard < 0 && !task->is_kept && task->keeper != now &&
        plait__keeper_guard((pid_t)task->id, task->pidfd) == 0)
        task->keeper = now;
}

/* Registers the child with the keeper. */
static int have_guarded(plait_task *task, pid_t pid)
{
    task->keeper = plait__keeper_generation(); /* before: at worst it is guarded once more */
    return plait__keeper_guard(pid, task->pidfd);
}

void plait__process_guard_again(void)
{
    if (plait__keeper_generation() > 1)
        plait__task_each_process(guard_again);
}

int plait__process_hear(const plait_task *task, int channel)
{
    struct plait__fd fds[2] = { { .fd = channel, .wanted = PLAIT__FD_READ },
                                { .fd = task->pidfd, .wanted = PLAIT__FD_READ } };
    int none[PLAIT__CHANNEL_FDS];
    size_t n_none;
    char word;
    ssize_t n;

    for (;;) {
        bool has_ended = fds[1].ready != 0; /* looked at before the word: what it said is there */
        n = plait__os_channel_recv(channel, &word, 1, none, &n_none);
        if (n != -EAGAIN || has_ended)
            break;
        plait__os_poll(fds, 2, INT64_MAX); /* not for long: no cancel */
    }
    if (n == 1 && task->verdict->error < 0) {
        say_failed(task, task->verdict->step, task->verdict->error);
        return task->verdict->error;
    }
    return 0;
}

static void open_gate(const struct plait__start *start)
{
    ssize_t n;

    if (start->is_told) {
        plait__os_channel_send(start->gate[1], "g", 1, NULL, 0);
        return;
    }
    /* the child reads: this can neither block nor raise SIGPIPE, unless it was killed */
    do
        n = write(start->gate[1], "g", 1);
    while (n < 0 && errno == EINTR);
}

static int let_go(struct plait__start *start, pid_t pid)
{
    plait_task *task = start->task;
    int rc = plait__os_pidfd_open(pid);

    if (rc < 0)
        return rc;
    task->pidfd = rc;
    rc = start->opts->tree ? 0 : have_guarded(task, pid);
    if (rc == 0 && start->is_told)
        rc = plait__process_hear(task, start->gate[1]);
    if (rc < 0)
        return rc;
    task->oom_kills = plait__os_oom_kills_lately();
    plait__process_guard_again();
    open_gate(start);
    if (task->verdict->pid != 0) /* else there is no guard, or it was killed and there is no task */
        pid = task->verdict->pid;
    /* relaxed: nobody else has the handle yet */
    __atomic_store_n(&task->id, (uint32_t)pid, __ATOMIC_RELAXED);
    return 0;
}

static int fork_child(struct plait__start *start)
{
    pid_t pid;
    int rc;

    plait__os_flush_streams();
    pid = plait__os_fork();
    if (pid == 0)
        plait__process_live(start);
    if (pid < 0)
        return pid;
    rc = let_go(start, pid);
    if (rc < 0) {
        kill(pid, SIGKILL); /* it would see the end of the gate, unless others hold that open too */
        plait__os_reap(pid);
    } else if (start->opts->tree) {
        start->task->guard = start->gate[1];
        start->gate[1] = -1;
    }
    return rc;
}

static int fork_at_gate(struct plait__start *start)
{
    int rc = make_gate(start);

    if (rc == 0)
        rc = fork_child(start);
    /* only now: where the child was killed, open_gate's write would raise SIGPIPE */
    close_if_open(start->gate[0]);
    close_if_open(start->gate[1]);
    close_if_open(start->owner);
    return rc;
}

static int plan_and_fork(struct plait__start *start)
{
    const plait_process_opts *opts = start->opts->process;
    const char *step;
    int rc = 0;

    if (opts != NULL) {
        rc = plait__child_plan_make(&start->plan, opts, &step);
        if (rc < 0)
            say_failed(start->task, step, rc);
    }
    if (rc == 0)
        rc = fork_at_gate(start);
    if (opts != NULL)
        plait__child_plan_fini(&start->plan);
    return rc;
}

int plait__process_start(plait_task *task, const plait_task_opts *opts)
{
    struct plait__start start = { .task = task,
                                  .opts = opts,
                                  .parent = plait__self_pid(),
                                  .is_told = opts->process != NULL || opts->tree,
                                  .gate = { -1, -1 },
                                  .owner = -1 };
    int rc = check_threads(opts);

    /* a guard needs no keeper, but the same family as others have */
    if (rc == 0 && opts->tree)
        plait__member_join();
    else if (rc == 0)
        rc = plait_keeper_start();
    if (rc == 0)
        rc = plait__verdict_take(&task->verdict);
    if (rc < 0)
        return rc;
    rc = plan_and_fork(&start);
    if (rc < 0) {
        plait__verdict_give(task->verdict);
        task->verdict = NULL;
    }
    return rc;
}
