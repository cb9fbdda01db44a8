/* Process tasks that the keeper forks.
 * SPDX-License-Identifier: MIT
 *
 * They are the keeper's children: it reaps them and writes their end into their order. When the
 * keeper is killed they are killed with it, by the kernel; then nobody tells their end but their
 * pidfd.
 */
#include "base/log.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/oom.h"
#include "os/process.h"
#include "os/thread.h"
#include "task/beginning.h"
#include "task/keeper.h"
#include "task/keeper_tasks.h"
#include "task/order.h"
#include "task/process_start.h"
#include "task/start.h"
#include "task/task.h"
#include "task/verdict.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum {
    TELL_MS = 250 /* so long the keeper is waited for that has not told the end of a dead task */
};

static void say_failed(const plait_task *task, const char *step, int error)
{
    plait__log(PLAIT_LOG_ERROR, "%s was not started: %s: %s", task->name, step,
               plait_strerror(error));
}

/* Has it set itself up? If not, it has ended, and is seen to. */
static int hear_of_beginning(plait_task *task, uint32_t token)
{
    struct plait__verdict *verdict = task->verdict;
    int rc = task->guard >= 0 ? plait__process_hear(task, task->guard) : 0;

    if (rc == 0) {
        if (task->order->beginning == NULL ||
            !plait__beginning_await(task->order->beginning, token, task->pidfd) ||
            verdict->error == 0)
            return 0; /* one that was killed meanwhile was started: its outcome says so */
        rc = verdict->error;
        say_failed(task, verdict->step, rc);
    }
    /* relaxed: nobody else has the handle yet */
    __atomic_store_n(&task->was_asked, 1, __ATOMIC_RELAXED);
    task->ops->give_up(task);
    return rc;
}

static int start(plait_task *task, struct keeper_task *asked)
{
    struct keeper_task request = *asked;
    struct plait__forked forked;
    int rc;

    plait__os_flush_streams(); /* so that what we printed comes before what it prints */
    rc = plait__keeper_fork(&request, &forked);
    if (rc < 0) {
        if (rc == PLAIT_EKEEPER || forked.pid != 0)
            plait__order_withdraw(request.order); /* and is left in the heap */
        else
            plait__order_free(request.order);
        return rc;
    }
    task->order = request.order;
    task->verdict = &request.order->verdict;
    task->is_kept = true;
    task->pidfd = forked.pidfd;
    task->guard = forked.guard;
    task->oom_kills = plait__os_oom_kills_lately();
    task->keeper = forked.keeper;
    /* relaxed: nobody else has the handle yet */
    __atomic_store_n(&task->id, (uint32_t)forked.pid, __ATOMIC_RELAXED);
    rc = hear_of_beginning(task, forked.token);
    if (rc < 0)
        return rc;
    if (forked.guard >= 0 &&
        task->verdict->pid != 0) /* 0: it was killed before it could say that */
        __atomic_store_n(&task->id, (uint32_t)task->verdict->pid, __ATOMIC_RELAXED);
    plait__process_guard_again();
    plait__order_go(task->order, forked.token);
    return 0;
}

static int start_with(plait_task *task, const plait_task_opts *opts,
                      const struct plait__child_plan *plan)
{
    const struct plait__child_setup *setup = &plan->setup;
    struct keeper_task request = { .group = getpgrp(),
                                   .in_group = !setup->new_group && !setup->new_session,
                                   .tree = opts->tree,
                                   .n_keep = (uint32_t)setup->n_keep };
    int rc = setup->n_keep + (opts->tree ? 1 : 0) > KEEPER_TASK_KEEPS ? -ENOTSUP : 0;

    for (int fd = 0; fd < 3; fd++)
        request.fds[fd] = setup->fds[fd] > 0 ? setup->fds[fd] : fd;
    if (rc == 0)
        rc = plait__order_make(&request.order, task, opts);
    if (rc < 0)
        return rc;
    if (opts->process != NULL)
        rc = plait__beginning_make(&request.order->beginning, plan, opts->process);
    if (rc < 0) {
        plait__order_free(request.order);
        return rc;
    }
    return start(task, &request);
}

int plait__forkserver_start(plait_task *task, const plait_task_opts *opts)
{
    struct plait__child_plan plan = { 0 };
    const char *step = NULL;
    int rc = opts->process != NULL ? plait__child_plan_make(&plan, opts->process, &step) : 0;

    if (rc < 0)
        say_failed(task, step, rc);
    else
        rc = start_with(task, opts, &plan);
    if (rc == PLAIT_EKEEPER &&
        opts->tree) /* with another order: a guard may write to that one still */
        rc = start_with(task, opts, &plan);
    plait__child_plan_fini(&plan);
    return rc;
}

/* The keeper died before it could tell the end: it took the task along. */
static int end_with_keeper(const plait_task *task, struct plait__death *ret)
{
    int rc;

    if (plait__os_fd_is_readable(task->pidfd) != 1)
        return -EAGAIN;
    rc = plait__os_pidfd_wait(task->pidfd, ret); /* newer kernels know; it is not our child */
    if (rc < 0 || ret->known)
        return rc;
    *ret = (struct plait__death){ .pid = (pid_t)task->id, .signal = SIGKILL, .known = true };
    return 0;
}

int plait__forkserver_wait(const plait_task *task, struct plait__death *ret)
{
    bool has_died;

    if (__atomic_load_n(&task->order->has_ended, __ATOMIC_ACQUIRE) == 0) {
        has_died = task->keeper != plait__keeper_generation() || plait__keeper_has_died();
        if (!has_died)
            return -EAGAIN;
        /* it may have told it before it died */
        if (__atomic_load_n(&task->order->has_ended, __ATOMIC_ACQUIRE) == 0)
            return end_with_keeper(task, ret);
    }
    *ret = task->order->death;
    return 0;
}

/* Whether the keeper has died is asked behind the first sleep, if there is one: mostly that ends by the
 * keeper's word. */
static bool may_sleep_at_once(const plait_task *task, plait_deadline until)
{
    return plait_left_ns(until) > 0 &&
           __atomic_load_n(&task->order->has_ended, __ATOMIC_ACQUIRE) == 0;
}

static int join_until(plait_task *task, plait_deadline until)
{
    int rc = 0;

    for (unsigned round = 0; rc == 0; round++) {
        if (!(round == 0 && may_sleep_at_once(task, until)) && task->ops->look(task) != -EAGAIN)
            break;
        /* the keeper may be killed before it tells */
        plait_deadline slice = plait__deadline_after(plait__os_now_ns(), plait__slice_ns(round));
        rc = plait__wait_word(&task->order->has_ended, 0, plait__deadline_earlier(until, slice));
        if (rc == -ETIMEDOUT && plait_left_ns(until) > 0)
            rc = 0;
    }
    return rc;
}

int plait__forkserver_join(plait_task *task, plait_deadline until)
{
    int rc = join_until(task, until);

    /* whose descriptor says so already has ended, and the keeper is about to tell how: at once, unless
     * that is stopped, or a debugger holds on to the end */
    if (rc == -ETIMEDOUT && plait__os_fd_is_readable(task->pidfd) == 1)
        rc = join_until(task, plait_after_ms(TELL_MS));
    return rc;
}
