/* The public calls on tasks of every kind.
 * SPDX-License-Identifier: MIT
 */
#include "base/opts.h"
#include "family/self.h"
#include "loop/loop.h"
#include "os/fd.h"
#include "task/coroutine.h"
#include "task/keeper.h"
#include "task/process.h"
#include "task/reexec.h"
#include "task/task.h"
#include "task/thread.h"
#include "wait/waitable.h"

#include <plait/error.h>
#include <plait/init.h>

#include <errno.h>
#include <unistd.h>

static bool is_inited; /* plait_init was called; by the first thread, before there are others */

int plait_init(int *argc, char ***argv)
{
    int rc;

    if (argc == NULL || argv == NULL)
        return -EINVAL;
    rc = plait__reexec_remember(*argc, *argv);
    if (rc < 0)
        return rc;
    is_inited = true;
    plait__reexec_enter();
    return 0;
}

/* ---- start, join, end ---- */

/* Before the first thread: after it, no keeper could be forked any more. */
static int keep_before_threads(void)
{
    int rc = is_inited ? plait__keeper_start_forked() : 0;

    return rc == PLAIT_ETHREADS ? 0 : rc; /* the host has threads of its own already */
}

/* What another kind than a process does not have. */
static int check_opts(plait_kind kind, const plait_task_opts *opts)
{
    if (opts->method > PLAIT_START_FORKSERVER)
        return -EINVAL;
    if (opts->table != NULL && opts->table->run == NULL)
        return -EINVAL;
    if (kind != PLAIT_PROCESS)
        return opts->method != 0 || opts->tree || opts->process != NULL ? -ENOTSUP : 0;
    return 0;
}

/* A copy of the caller's. -E2BIG, -EINVAL, -ENOTSUP. */
static int read_opts_sized(plait_task_opts *ours, plait_kind kind, plait_task_fn *fn,
                           const void *arg, const plait_task_opts *opts, size_t opts_bytes)
{
    int rc = plait__opts_copy(ours, sizeof *ours, opts, opts_bytes);

    if (rc < 0)
        return rc;
    if ((fn == NULL) == (ours->table == NULL) || kind < PLAIT_PROCESS || kind > PLAIT_COROUTINE ||
        (arg == NULL && ours->arg_bytes > 0))
        return -EINVAL;
    return check_opts(kind, ours);
}

/* These two are apart from the next function, which needs no frame for the shortest way. */
static __attribute__((noinline)) int start_coroutine_sized(plait_task **ret, plait_task_fn *fn,
                                                           void *arg, const plait_task_opts *opts,
                                                           size_t opts_bytes, const void *site)
{
    plait_task_opts ours;
    plait_task *task = NULL;
    int rc = read_opts_sized(&ours, PLAIT_COROUTINE, fn, arg, opts, opts_bytes);

    if (rc == 0 && ret == NULL)
        rc = -EINVAL;
    if (rc == 0)
        rc = plait__coroutine_create_at(&task, fn, arg, &ours, site);
    if (rc < 0)
        return rc;
    task->ops->start(task, &ours); /* of a coroutine it cannot fail */
    *ret = task;
    return 0;
}

static __attribute__((noinline)) int start_other_sized(plait_task **ret, plait_kind kind,
                                                       plait_task_fn *fn, void *arg,
                                                       const plait_task_opts *opts,
                                                       size_t opts_bytes)
{
    plait_task_opts ours;
    plait_task *task = NULL;
    int rc = read_opts_sized(&ours, kind, fn, arg, opts, opts_bytes);

    if (rc == 0 && ret == NULL)
        rc = -EINVAL;
    if (rc == 0 && kind == PLAIT_THREAD)
        rc = keep_before_threads();
    if (rc == 0)
        rc = plait__task_set_handlers(); /* before a fork, which has to find our locks in order */
    if (rc == 0)
        rc = plait__task_create(&task, kind, fn, arg, &ours);
    if (rc < 0)
        return rc;
    task->ops = kind == PLAIT_PROCESS ? &plait__process_ops : &plait__thread_ops;
    if (kind == PLAIT_THREAD && ours.arg_bytes > 0) /* a forked process has a copy of all memory */
        rc = plait__task_copy_arg(task, ours.arg_bytes);
    if (rc == 0)
        rc = task->ops->start(task, &ours);
    if (rc < 0) {
        plait__task_unref(task);
        return rc;
    }
    *ret = task;
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): one more parameter, for bindings only */
int plait_task_start_sized(plait_task **ret, plait_kind kind, plait_task_fn *fn, void *arg,
                           const plait_task_opts *opts, size_t opts_bytes)
{
    if (kind != PLAIT_COROUTINE)
        return start_other_sized(ret, kind, fn, arg, opts, opts_bytes);
    if (opts == NULL && ret != NULL && fn != NULL)
        return plait__coroutine_start(ret, fn, arg);
    return start_coroutine_sized(ret, fn, arg, opts, opts_bytes, PLAIT__CALLER);
}

/* Is this a task that this process may wait for and end? */
static int check_ours(const plait_task *task)
{
    if (task == NULL)
        return -EINVAL;
    return task->is_main || task->owner != plait__self_pid() ? -ECHILD : 0;
}

static bool is_current(const plait_task *task)
{
    const struct plait__strand *strand = plait__strand_here();

    if (strand != NULL && strand->task != NULL)
        return task == strand->task;
    return task->kind != PLAIT_COROUTINE && task == plait_task_current();
}

int plait_task_join(plait_task *task, plait_deadline until)
{
    int rc;

    if (task != NULL && is_current(task))
        return -EDEADLK;
    rc = check_ours(task);
    return rc < 0 ? rc : task->ops->join(task, until);
}

/* A process is seen to end by its pidfd, but is ready only when it is to be had: a debugger may hold
 * it back. */
static int look(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    plait_task *task = on->object;

    if (task->owner != plait__self_pid())
        return -ECHILD;
    if (task->kind != PLAIT_PROCESS) {
        watch->word = &task->state;
        watch->expected = how.will_sleep ? plait__task_await(task) : PLAIT__TASK_AWAITED;
        return plait__task_has_ended(task);
    }
    if (task->ops->look(task) != -EAGAIN)
        return 1;
    watch->soon = watch->ready_fd != 0;
    watch->fd = watch->soon ? -1 : task->pidfd;
    watch->wanted = PLAIT__FD_READ;
    return 0;
}

int plait_task_on_end(plait_waitable *ret, plait_task *task)
{
    static const struct plait__waitable_ops ops = { .look = look };
    int rc = ret == NULL ? -EINVAL : check_ours(task);

    if (rc == 0 && task == plait_task_current())
        rc = -EDEADLK;
    if (rc == 0)
        plait__waitable_make(ret, &ops, task, 0);
    return rc;
}

bool plait_task_is_alive(plait_task *task)
{
    if (task != NULL && task == plait_task_current())
        return true;
    if (check_ours(task) < 0)
        return false;
    task->ops->look(task);
    return !plait__task_has_ended(task);
}

int plait_task_outcome(plait_task *task, plait_outcome *ret)
{
    int rc = ret == NULL ? -EINVAL : check_ours(task);

    if (rc < 0)
        return rc;
    if (plait_task_is_alive(task))
        return -EAGAIN;
    *ret = task->outcome;
    return 0;
}

int plait_task_terminate(plait_task *task)
{
    int rc = check_ours(task);

    return rc < 0 ? rc : task->ops->terminate(task);
}

int plait_task_kill(plait_task *task)
{
    int rc = check_ours(task);

    return rc < 0 ? rc : task->ops->kill(task);
}

void plait_task_destroy(plait_task *task)
{
    if (task == NULL || task->is_main)
        return;
    if (task->owner == plait__self_pid())
        task->ops->give_up(task);
    else if (task == plait_task_current())
        return;
    plait__task_unref(task);
}

/* ---- what a task is ---- */

plait_kind plait_task_kind(const plait_task *task)
{
    return task != NULL ? task->kind : (plait_kind)0;
}

pid_t plait_task_id(const plait_task *task)
{
    if (task == NULL)
        return 0;
    if (task->is_main)
        plait_task_current(); /* sets it; in a child it stays the parent's */
    return (pid_t)__atomic_load_n(&task->id, __ATOMIC_SEQ_CST);
}

bool plait_task_is_daemon(const plait_task *task)
{
    return task != NULL && task->daemon;
}

int plait_task_fd(const plait_task *task)
{
    int rc = check_ours(task);

    if (rc < 0)
        return rc;
    return task->kind == PLAIT_PROCESS ? task->pidfd : -ENOTSUP;
}

plait_task *plait_task_parent(const plait_task *task)
{
    return task != NULL ? task->parent : NULL;
}

bool plait_task_is_cancelled(void)
{
    plait_task_current(); /* in a child that the host forked: forgets whose sleeper there was */
    /* not the task's own: a job of a pool has a sleeper to itself in its worker */
    return plait__is_cancelled(plait__sleeper_current());
}

/* A process that has ended but was not joined is no child any more, as in Python. */
static bool must_look(const plait_task *task)
{
    return task->kind == PLAIT_PROCESS && plait__os_fd_is_readable(task->pidfd) == 1;
}

/* How many live tasks there are; or stops at one that has to be looked at first, which gets a
 * reference. */
static size_t list_children(plait_task **ret, size_t max, bool may_look, plait_task **ret_look)
{
    size_t n = 0;
    struct plait__list *live = plait__tasks_lock();

    list_for_each (node, live) {
        plait_task *task = plait__list_entry(node, plait_task, node);
        if (may_look && must_look(task)) {
            plait__task_ref(task);
            *ret_look = task;
            break;
        }
        if (n++ < max)
            ret[n - 1] = task;
    }
    plait__tasks_unlock();
    return n;
}

size_t plait_task_children(plait_task **ret, size_t max)
{
    bool may_look = true;
    plait_task *ended;
    size_t n;

    do {
        ended = NULL;
        n = list_children(ret, max, may_look, &ended);
        if (ended != NULL) {
            may_look = ended->ops->look(ended) == 0; /* a debugger may hold it back */
            plait__task_unref(ended);
        }
    } while (ended != NULL);
    return n;
}
