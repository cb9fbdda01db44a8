/* Tasks: what all kinds have in common, and the public calls.
 * SPDX-License-Identifier: MIT
 */
#include "task/task.h"
#include "base/opts.h"
#include "os/process.h"
#include "os/thread.h"
#include "task/keeper.h"
#include "wait/table.h"

#include <plait/error.h>
#include <plait/init.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The live tasks that this process started. */
static struct {
    struct plait__mutex lock;
    pid_t owner;             /* lock: whose list this is; another pid after a fork of the host's */
    struct plait__list live; /* lock */
    unsigned n_processes;    /* lock: for default names */
    unsigned n_threads;      /* lock */
    bool has_exit_handler;   /* lock */
    bool has_fork_handler;   /* lock */
    bool is_inited;          /* plait_init was called */
} tasks;

static char main_name[] = "MainProcess";
static plait_task main_task = {
    .kind = PLAIT_PROCESS, .is_main = true, .name = main_name, .refs = 1, .pidfd = -1
};
static plait_task *process_task =
    &main_task;                /* the task that this process is; set before its function runs */
static pid_t process_task_pid; /* whose process_task that is; 0: the first process's */
static _Thread_local plait_task *thread_task; /* NULL: a thread that plait did not start */

/* ---- lifetime ---- */

void plait__task_ref(plait_task *task)
{
    __atomic_fetch_add(&task->refs, 1,
                       __ATOMIC_RELAXED); /* whoever refs holds one already: nothing to order */
}

void plait__task_unref(plait_task *task)
{
    while (task != NULL && !task->is_main) {
        plait_task *parent = task->parent;
        /* acq_rel: whoever frees sees what the others did to the task before they let go */
        if (__atomic_fetch_sub(&task->refs, 1, __ATOMIC_ACQ_REL) != 1)
            return;
        plait__process_fini(task);
        plait__sleeper_fini(&task->sleeper);
        free(task->name);
        free(task);
        task = parent;
    }
}

static char *make_name(plait_kind kind, const char *given)
{
    char *name = NULL;
    unsigned number;

    if (given != NULL)
        return strdup(given);
    plait__mutex_lock(&tasks.lock);
    number = kind == PLAIT_PROCESS ? ++tasks.n_processes : ++tasks.n_threads;
    plait__mutex_unlock(&tasks.lock);
    return asprintf(&name, "%s-%u", kind == PLAIT_PROCESS ? "Process" : "Thread", number) < 0
               ? NULL
               : name;
}

int plait__task_create(plait_task **ret, plait_kind kind, plait_task_fn *fn, void *arg,
                       const plait_task_opts *opts)
{
    plait_task *task = calloc(1, sizeof *task);

    if (task == NULL)
        return -ENOMEM;
    plait__list_init(&task->node);
    task->kind = kind;
    task->fn = fn;
    task->arg = arg;
    task->daemon = opts->daemon;
    task->pidfd = -1;
    task->refs = 1;
    task->owner = getpid();
    task->name = make_name(kind, opts->name);
    if (task->name == NULL) {
        free(task);
        return -ENOMEM;
    }
    task->parent = plait_task_current();
    plait__task_ref(task->parent);
    *ret = task;
    return 0;
}

/* ---- the list of live tasks ---- */

/* After a fork the list is the parent's: begin an empty one. */
static void lock_tasks(void)
{
    plait__mutex_lock(&tasks.lock);
    if (tasks.owner != getpid()) {
        plait__list_init(&tasks.live);
        tasks.owner = getpid();
    }
}

/* In a forked child: a thread that held a lock of ours at the fork is not there to give it back. */
static void reset_locks(void)
{
    tasks.lock = (struct plait__mutex){ 0 };
    plait__table_reset();
}

/* What ends with the process, and what a fork must find in order. */
static void set_handlers(void)
{
    if (!tasks.has_exit_handler)
        tasks.has_exit_handler = atexit(plait__tasks_end) == 0;
    if (!tasks.has_fork_handler)
        tasks.has_fork_handler = plait__os_at_fork_child(reset_locks) == 0;
}

void plait__tasks_end(void)
{
    plait_task *self = plait_task_current();

    plait__sleeper_set_current(NULL); /* also a cancelled thread that exits waits for the others */
    for (;;) {
        plait_task *task = NULL;
        lock_tasks();
        tasks.has_exit_handler = false; /* exit handlers that run after us may start tasks too */
        list_for_each (node, &tasks.live) {
            plait_task *other = plait__list_entry(node, plait_task, node);
            if (other != self && (other->kind == PLAIT_PROCESS || !other->daemon)) {
                task = other;
                plait__task_ref(task);
                break;
            }
        }
        plait__mutex_unlock(&tasks.lock);
        if (task == NULL)
            break;
        if (task->daemon)
            plait_task_kill(task);
        if (plait_task_join(task, PLAIT_FOREVER) < 0) /* out of memory: nobody can wait for it */
            plait__task_delist(task);
        plait__task_unref(task);
    }
    plait__keeper_bye();
}

void plait__task_enlist(plait_task *task)
{
    lock_tasks();
    set_handlers();
    plait__list_push_back(&tasks.live, &task->node);
    plait__mutex_unlock(&tasks.lock);
}

void plait__task_delist(plait_task *task)
{
    lock_tasks();
    plait__list_remove(&task->node);
    plait__mutex_unlock(&tasks.lock);
}

void plait__task_each_process(void (*fn)(plait_task *task))
{
    lock_tasks();
    list_for_each (node, &tasks.live) {
        plait_task *task = plait__list_entry(node, plait_task, node);
        if (task->kind == PLAIT_PROCESS)
            fn(task);
    }
    plait__mutex_unlock(&tasks.lock);
}

size_t plait_task_children(plait_task **ret, size_t max)
{
    plait_task *found;
    bool is_reaping = true;
    size_t n = 0;

    /* processes that have ended but were not joined are no children any more, as in Python */
    do {
        found = NULL;
        lock_tasks();
        n = 0;
        list_for_each (node, &tasks.live) {
            plait_task *task = plait__list_entry(node, plait_task, node);
            if (is_reaping && task->kind == PLAIT_PROCESS &&
                plait__os_fd_is_readable(task->pidfd) == 1) {
                found = task;
                plait__task_ref(found);
                break;
            }
            if (n++ < max)
                ret[n - 1] = task;
        }
        plait__mutex_unlock(&tasks.lock);
        if (found != NULL) {
            is_reaping = plait__process_try_reap(found) == 0; /* a debugger may hold it back */
            plait__task_unref(found);
        }
    } while (found != NULL);
    return n;
}

/* ---- running and ending ---- */

void plait__task_enter(plait_task *task)
{
    thread_task = task;
    plait__sleeper_set_current(task != NULL ? &task->sleeper : NULL);
}

void plait__task_enter_process(plait_task *task)
{
    pid_t pid = getpid();

    plait__keeper_forget();
    process_task = task;
    __atomic_store_n(&process_task_pid, pid, __ATOMIC_RELAXED);
    __atomic_store_n(&task->id, (uint32_t)pid, __ATOMIC_RELAXED); /* the parent sets its own copy */
    plait__task_enter(task);
}

void plait__task_set_ended(plait_task *task, const plait_outcome *outcome)
{
    task->outcome = *outcome;
    /* release: pairs with the acquire in has_ended, so that who sees `ended` sees the outcome */
    __atomic_store_n(&task->ended, 1, __ATOMIC_RELEASE);
    plait__wake_word(&task->ended, UINT_MAX);
}

bool plait__task_has_ended(const plait_task *task)
{
    return __atomic_load_n(&task->ended, __ATOMIC_ACQUIRE) != 0;
}

plait_task *plait_task_current(void)
{
    pid_t pid = getpid();
    /* relaxed: within one process all threads store the same values, and a fork leaves one thread
     */
    pid_t known = __atomic_load_n(&process_task_pid, __ATOMIC_RELAXED);

    if (known != pid) {
        if (known != 0) { /* a child that the host forked */
            process_task = &main_task;
            plait__task_enter(NULL);
        }
        __atomic_store_n(&main_task.id, (uint32_t)pid, __ATOMIC_RELAXED);
        __atomic_store_n(&process_task_pid, pid, __ATOMIC_RELAXED);
    }
    return thread_task != NULL ? thread_task : process_task;
}

bool plait_task_is_cancelled(void)
{
    return plait__is_cancelled(&plait_task_current()->sleeper);
}

/* ---- start, join, end ---- */

int plait_init(int *argc, char ***argv)
{
    if (argc == NULL || argv == NULL)
        return -EINVAL;
    tasks.is_inited = true;
    return 0;
}

/* Before the first thread: after it, no keeper could be made any more. */
static int keep_before_threads(void)
{
    int rc = tasks.is_inited && !plait__keeper_is_there() ? plait__keeper_start() : 0;

    return rc == PLAIT_ETHREADS ? 0 : rc; /* the host has threads of its own already */
}

int plait_task_start_sized(plait_task **ret, plait_kind kind, plait_task_fn *fn, void *arg,
                           const plait_task_opts *opts, size_t opts_bytes)
{
    plait_task_opts ours;
    plait_task *task = NULL;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc < 0)
        return rc;
    if (ret == NULL || fn == NULL || (kind != PLAIT_PROCESS && kind != PLAIT_THREAD))
        return -EINVAL;
    rc = kind == PLAIT_THREAD ? keep_before_threads() : 0;
    if (rc == 0)
        rc = plait__task_create(&task, kind, fn, arg, &ours);
    if (rc < 0)
        return rc;
    rc = kind == PLAIT_PROCESS ? plait__process_start(task)
                               : plait__thread_start(task, ours.stack_bytes);
    if (rc < 0) {
        plait__task_unref(task);
        return rc;
    }
    *ret = task;
    return 0;
}

/* Is this a task that this process may wait for and end? */
static int check_ours(const plait_task *task)
{
    if (task == NULL)
        return -EINVAL;
    return task->is_main || task->owner != getpid() ? -ECHILD : 0;
}

int plait_task_join(plait_task *task, plait_deadline until)
{
    int rc;

    if (task != NULL && task == plait_task_current())
        return -EDEADLK;
    rc = check_ours(task);
    if (rc == 0 && task->kind == PLAIT_PROCESS)
        return plait__process_join(task, until);
    while (rc == 0 && !plait__task_has_ended(task))
        rc = plait__wait_word(&task->ended, 0, until);
    if (rc == 0)
        plait__thread_reap(task);
    return rc;
}

bool plait_task_is_alive(plait_task *task)
{
    if (task != NULL && task == plait_task_current())
        return true;
    if (check_ours(task) < 0)
        return false;
    if (task->kind == PLAIT_PROCESS)
        plait__process_try_reap(task);
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

    if (rc < 0)
        return rc;
    if (task->kind == PLAIT_PROCESS)
        return plait__process_signal(task, SIGTERM);
    plait__cancel(&task->sleeper);
    return 0;
}

int plait_task_kill(plait_task *task)
{
    int rc = check_ours(task);

    if (rc < 0)
        return rc;
    return task->kind == PLAIT_PROCESS ? plait__process_signal(task, SIGKILL) : -ENOTSUP;
}

void plait_task_destroy(plait_task *task)
{
    if (task == NULL || task->is_main)
        return;
    if (task->owner != getpid()) {
        if (task != plait_task_current())
            plait__task_unref(task);
        return;
    }
    if (task->kind == PLAIT_PROCESS) {
        struct plait__sleeper *self = plait__sleeper_current();
        if (plait__process_try_reap(task) == -EAGAIN)
            plait_task_kill(task);
        plait__sleeper_set_current(NULL); /* also a cancelled task waits for the kernel here */
        plait__process_join(task, PLAIT_FOREVER);
        plait__sleeper_set_current(self);
    } else if (plait__task_has_ended(task)) {
        plait__thread_reap(task);
    } else {
        plait__cancel(&task->sleeper);
        plait__thread_let_go(task);
    }
    plait__task_unref(task);
}

/* ---- what a task is ---- */

const char *plait_task_name(const plait_task *task)
{
    return task != NULL ? task->name : "";
}

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
