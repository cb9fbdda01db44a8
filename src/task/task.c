/* Tasks: what all kinds have in common.
 * SPDX-License-Identifier: MIT
 */
#include "task/task.h"
#include "base/beside.h"
#include "family/self.h"
#include "loop/loop.h"
#include "os/thread.h"
#include "sync/debug.h"
#include "task/function.h"
#include "task/keeper.h"
#include "task/verdict.h"
#include "wait/table.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
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
} tasks PLAIT__BESIDE;

static char main_name[] = "MainProcess";
static plait_task main_task = {
    .kind = PLAIT_PROCESS, .is_main = true, .name = main_name, .refs = 1, .pidfd = -1, .guard = -1
};
/* The task that this process is; set before its function runs. */
static plait_task *process_task = &main_task;
/* Whose process_task that is; 0: the first process's. */
static pid_t process_task_pid PLAIT__BESIDE;
/* NULL: a thread that plait did not start. */
static _Thread_local plait_task *thread_task __attribute__((tls_model("initial-exec")));

/* ---- lifetime ---- */

static void free_task(plait_task *task)
{
    if (task->ops != NULL && task->ops->fini != NULL)
        task->ops->fini(task);
    if (task->sleeper.wake_fd != 0)
        plait__sleeper_fini(&task->sleeper);
    if (task->owns_arg)
        free(task->arg);
    if (task->name != NULL && task->name != task->own_name)
        free(task->name);
    if (task->ops != NULL && task->ops->free != NULL)
        task->ops->free(task);
    else
        free(task);
}

void plait__task_unref(plait_task *task)
{
    while (task != NULL && !task->is_main) {
        plait_task *parent = task->parent;
        /* acq_rel, acquire: whoever frees sees what the others did to the task before they let go. Of
         * the only reference there is nobody can make another */
        if (__atomic_load_n(&task->refs, __ATOMIC_ACQUIRE) != 1 &&
            plait__rmw_add(&task->refs, UINT32_MAX) != 1)
            return;
        free_task(task);
        task = parent;
    }
}

/* The path of this process, if it is no fork of its parent. */
static char root_path[PLAIT__PATH_BYTES] PLAIT__BESIDE;

/* "1:2" for the second process that Process-1 starts, as in Python; as snprintf does. */
static size_t write_path(const plait_task *task, char *ret, size_t cap)
{
    size_t length = task->parent != NULL ? write_path(task->parent, ret, cap)
                                         : (size_t)snprintf(ret, cap, "%s", root_path);
    bool fits = length < cap;

    if (task->number == 0) /* no process, or one that nobody started */
        return length;
    return length + (size_t)snprintf(fits ? ret + length : NULL, fits ? cap - length : 0, "%s%u",
                                     length > 0 ? ":" : "", task->number);
}

static const char *kind_word(plait_kind kind)
{
    return kind == PLAIT_PROCESS ? "Process" : kind == PLAIT_THREAD ? "Thread" : "Coroutine";
}

void plait__task_path(const plait_task *task, char ret[PLAIT__PATH_BYTES])
{
    write_path(task, ret, PLAIT__PATH_BYTES);
}

void plait__tasks_root(const char path[PLAIT__PATH_BYTES])
{
    plait__tasks_lock();
    memcpy(root_path, path, sizeof root_path);
    tasks.n_processes = 0;
    plait__tasks_unlock();
}

/* -ENOMEM */
static int name_process(plait_task *task)
{
    static const char word[] = "Process-";
    size_t n = sizeof word + write_path(task, NULL, 0);

    task->name = n <= sizeof task->own_name ? task->own_name : malloc(n);
    if (task->name == NULL)
        return -ENOMEM;
    memcpy(task->name, word, sizeof word);
    write_path(task, task->name + sizeof word - 1, n - sizeof word + 1);
    return 0;
}

int plait__task_set_name(plait_task *task, const char *name)
{
    task->name = strdup(name);
    task->sleeper.name = task->name;
    return task->name == NULL ? -ENOMEM : 0;
}

/* -ENOMEM */
static int set_name(plait_task *task, const char *given)
{
    unsigned number = 0;

    plait__tasks_lock();
    if (task->kind == PLAIT_PROCESS) /* counted though it may have a name of its own */
        task->number = ++tasks.n_processes;
    else if (given == NULL)
        number = ++tasks.n_threads;
    plait__tasks_unlock();
    if (given != NULL)
        return plait__task_set_name(task, given);
    if (task->kind == PLAIT_PROCESS)
        return name_process(task);
    task->name = task->own_name;
    snprintf(task->own_name, sizeof task->own_name, "%s-%u", kind_word(task->kind), number);
    return 0;
}

static char *make_name(plait_task *task)
{
    plait__mutex_lock(&tasks.lock);
    if (task->name == NULL) {
        snprintf(task->own_name, sizeof task->own_name, "%s-%u", kind_word(task->kind), task->id);
        /* release: who sees the pointer sees the text */
        __atomic_store_n(&task->name, task->own_name, __ATOMIC_RELEASE);
    }
    plait__mutex_unlock(&tasks.lock);
    return task->own_name;
}

const char *plait_task_name(const plait_task *task)
{
    char *name;

    if (task == NULL)
        return "";
    name = __atomic_load_n(&task->name, __ATOMIC_ACQUIRE);
    return name != NULL ? name : make_name((plait_task *)(uintptr_t)task);
}

int plait__task_copy_arg(plait_task *task, size_t bytes)
{
    void *copy = malloc(bytes);

    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, task->arg, bytes);
    task->arg = copy;
    task->owns_arg = true;
    return 0;
}

static int init(plait_task *task, plait_kind kind, const plait_task_opts *opts)
{
    plait__list_init(&task->node);
    task->kind = kind;
    task->daemon = opts->daemon;
    task->pidfd = -1;
    task->guard = -1;
    task->table = opts->table;
    task->refs = 1;
    task->owner = plait__self_pid();
    task->parent = plait_task_current();
    if (set_name(task, opts->name) < 0)
        return -ENOMEM;
    task->sleeper.name = task->name;
    plait__task_ref(task->parent);
    return 0;
}

int plait__task_create(plait_task **ret, plait_kind kind, plait_task_fn *fn, void *arg,
                       const plait_task_opts *opts)
{
    plait_task *task = malloc(sizeof *task);

    if (task == NULL)
        return -ENOMEM;
    memset(task, 0, sizeof *task);
    task->fn = fn;
    task->arg = arg;
    if (init(task, kind, opts) < 0) {
        free(task);
        return -ENOMEM;
    }
    *ret = task;
    return 0;
}

/* Calls nothing of the C library's where the name is short, as most are. */
int plait__task_init_process(plait_task *task, plait_kind kind, const char *name)
{
    *task = (plait_task){ .kind = kind, .pidfd = -1, .refs = 1 };
    plait__list_init(&task->node);
    for (size_t n = 0; n < sizeof task->own_name; n++) {
        task->own_name[n] = name[n];
        if (name[n] != '\0')
            continue;
        /* only here: it and pidfd at once would be a constant, on a page that is new to the process */
        task->guard = -1;
        task->name = task->own_name;
        task->sleeper.name = task->name;
        return 0;
    }
    task->guard = -1;
    return plait__task_set_name(task, name);
}

/* ---- the list of live tasks ---- */

/* After a fork the list is the parent's: begins an empty one. */
struct plait__list *plait__tasks_lock(void)
{
    plait__mutex_lock(&tasks.lock);
    if (tasks.owner != plait__self_pid()) {
        plait__list_init(&tasks.live);
        tasks.owner = plait__self_pid();
        tasks.n_processes = 0;
    }
    return &tasks.live;
}

void plait__tasks_unlock(void)
{
    plait__mutex_unlock(&tasks.lock);
}

/* In a forked child: a thread that held a lock of ours at the fork is not there to give it back. */
static void reset_locks(void)
{
    plait__mutex_reset(&tasks.lock);
    plait__keeper_at_fork();
    plait__functions_at_fork();
    plait__verdicts_reset();
    plait__table_reset();
}

/* What ends with the process, and what a fork must find in order. */
static int set_handlers(void)
{
    if (!tasks.has_exit_handler)
        tasks.has_exit_handler = atexit(plait__tasks_end) == 0;
    if (!tasks.has_fork_handler)
        tasks.has_fork_handler = plait__os_at_fork_child(reset_locks) == 0;
    plait__debug_locks(); /* found out once, not in each child */
    return tasks.has_exit_handler && tasks.has_fork_handler ? 0 : -ENOMEM;
}

int plait__task_set_handlers(void)
{
    int rc;

    plait__tasks_lock();
    rc = set_handlers();
    plait__tasks_unlock();
    return rc;
}

static void (*end_more)(bool is_last); /* set once, before there is anything to end */

void plait__tasks_at_end(void (*fn)(bool is_last))
{
    end_more = fn;
}

/* Python's order: threads are waited for first, as what they do may need the daemons; then these end,
 * and then the other processes are waited for. Greater: later; -1: not at all. */
static int order_of(const plait_task *task)
{
    if (task->kind == PLAIT_PROCESS)
        return task->daemon ? 1 : 2;
    return task->daemon ? -1 : 0;
}

/* The next one that the end of the process has to see to, with a reference; NULL: there is none. */
static plait_task *find_to_end(const plait_task *self)
{
    plait_task *found = NULL;
    struct plait__list *live = plait__tasks_lock();

    tasks.has_exit_handler = false; /* exit handlers that run after us may start tasks too */
    list_for_each (node, live) {
        plait_task *task = plait__list_entry(node, plait_task, node);
        if (task != self && order_of(task) >= 0 &&
            (found == NULL || order_of(task) < order_of(found)))
            found = task;
        if (found != NULL && order_of(found) == 0)
            break;
    }
    if (found != NULL)
        plait__task_ref(found);
    plait__tasks_unlock();
    return found;
}

void plait__tasks_end(void)
{
    plait_task *self = plait_task_current(), *task;
    plait_deadline forever = { .ns = INT64_MAX }; /* no constant on a page that is new here */

    if (plait__debug_locks())
        plait__debug_ends(true);
    plait__sleeper_set_current(NULL); /* also a cancelled thread that exits waits for the others */
    if (end_more != NULL)
        end_more(false);
    while ((task = find_to_end(self)) != NULL) {
        if (task->daemon)
            task->ops->kill(task);
        if (task->ops->join(task, forever) < 0) /* nobody can wait for it: out of memory */
            plait__task_delist(task);
        plait__task_unref(task);
    }
    if (end_more != NULL)
        end_more(true);
    plait__keeper_bye();
}

void plait__task_enlist(plait_task *task)
{
    struct plait__list *live = plait__tasks_lock();

    set_handlers(); /* again: exit may have called those that were set */
    plait__list_push_back(live, &task->node);
    plait__tasks_unlock();
}

void plait__task_delist(plait_task *task)
{
    plait__tasks_lock();
    plait__list_remove(&task->node);
    plait__tasks_unlock();
}

void plait__task_each_process(void (*fn)(plait_task *task))
{
    struct plait__list *live = plait__tasks_lock();

    list_for_each (node, live) {
        plait_task *task = plait__list_entry(node, plait_task, node);
        if (task->kind == PLAIT_PROCESS)
            fn(task);
    }
    plait__tasks_unlock();
}

/* ---- running and ending ---- */

void plait__task_enter(plait_task *task)
{
    thread_task = task;
    plait__sleeper_set_current(task != NULL ? &task->sleeper : NULL);
}

void plait__task_enter_process(plait_task *task)
{
    pid_t pid = plait__self_find_pid(); /* by a write: to look first would be a page fault more */

    plait__keeper_forget();
    process_task = task;
    __atomic_store_n(&process_task_pid, pid, __ATOMIC_RELAXED);
    __atomic_store_n(&task->id, (uint32_t)pid, __ATOMIC_RELAXED); /* the parent sets its own copy */
    plait__task_enter(task);
}

int plait__task_call_table(plait_task *task)
{
    const plait_task_table *table = task->table;
    int code = table->init != NULL ? table->init(task->arg) : 0;

    if (code != 0)
        return code;
    code = table->run(task->arg);
    if (table->fini != NULL)
        table->fini(task->arg);
    return code;
}

void plait__task_set_ended(plait_task *task, const plait_outcome *outcome)
{
    task->outcome = *outcome;
    plait__task_tell_ended(task);
}

void plait__task_tell_ended(plait_task *task)
{
    /* acquire: whoever let go has done so. Who waits has a reference, so nobody does */
    if (__atomic_load_n(&task->refs, __ATOMIC_ACQUIRE) == 1) {
        __atomic_store_n(&task->state, PLAIT__TASK_ENDED, __ATOMIC_RELEASE);
        return;
    }
    /* release: pairs with the acquire in has_ended, so that who sees the end sees the outcome */
    if (plait__rmw_exchange(&task->state, PLAIT__TASK_ENDED) == PLAIT__TASK_AWAITED)
        plait__wake_own(&task->state, UINT_MAX);
}

static uint64_t state_and_refs(uint32_t state, uint32_t refs)
{
    const union {
        struct {
            uint32_t state, refs;
        };

        uint64_t both;
    } made = { .state = state, .refs = refs };

    return made.both;
}

/* From these to one reference less, and the end. False: they have changed. */
static bool end_and_unref(plait_task *task, uint32_t state, uint32_t refs)
{
    uint64_t before = state_and_refs(state, refs);

    if (plait__has_one_thread()) {
        task->state = PLAIT__TASK_ENDED;
        task->refs = refs - 1;
        return true;
    }
    /* acq_rel: as in plait__task_tell_ended and plait__task_unref */
    return __atomic_compare_exchange_n(&task->state_and_refs, &before,
                                       state_and_refs(PLAIT__TASK_ENDED, refs - 1), false,
                                       __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void plait__task_tell_ended_unref(plait_task *task)
{
    uint32_t state, refs;

    do {
        refs = __atomic_load_n(&task->refs, __ATOMIC_ACQUIRE);
        if (refs == 1) {
            plait__task_unref(task);
            return;
        }
        /* not both at once: a processor waits for two halves that were just stored */
        state = __atomic_load_n(&task->state, __ATOMIC_RELAXED);
    } while (!end_and_unref(task, state, refs));
    /* the task may be gone, and its word be another's: that one's waiters look again */
    if (state == PLAIT__TASK_AWAITED)
        plait__wake_own(&task->state, UINT_MAX);
}

uint32_t plait__task_await(plait_task *task)
{
    uint32_t state = PLAIT__TASK_RUNS;

    /* a failure means that it is awaited already, or has ended */
    __atomic_compare_exchange_n(&task->state, &state, PLAIT__TASK_AWAITED, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_ACQUIRE);
    return PLAIT__TASK_AWAITED;
}

int plait__task_wait_ended(plait_task *task, plait_deadline until)
{
    int rc = 0;

    while (rc == 0 && !plait__task_has_ended(task)) {
        plait__say_wait(PLAIT__ON_TASK, &task->state);
        rc = plait__wait_word(&task->state, plait__task_await(task), until);
    }
    return rc;
}

int plait__task_look(plait_task *task)
{
    return plait__task_has_ended(task) ? 0 : -EAGAIN;
}

int plait__task_ask(plait_task *task)
{
    plait__cancel(&task->sleeper);
    return 0;
}

int plait__task_refuse_to_kill(plait_task *task)
{
    (void)task;
    return -ENOTSUP;
}

plait_task *plait_task_current(void)
{
    const struct plait__strand *strand = plait__strand_here();
    pid_t pid, known;

    if (strand != NULL && strand->task != NULL)
        return strand->task;
    pid = plait__self_pid();
    /* relaxed: in one process all threads store the same, and a fork leaves one thread */
    known = __atomic_load_n(&process_task_pid, __ATOMIC_RELAXED);

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

plait_task *plait_task_main(void)
{
    plait_task_current(); /* in a child that the host forked: sets it */
    return process_task;
}
