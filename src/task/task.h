/* What all kinds of task have in common.
 * SPDX-License-Identifier: MIT
 *
 * A task object is held by its handle, by the thread that runs it, and by each of its children
 * (which may ask for their parent): it is freed by the last of them.
 *
 * Each kind is a file with a table of what differs. This file and those know nothing of the public
 * calls (task_calls.c), which stand above them all.
 */
#ifndef PLAIT__TASK_TASK_H
#define PLAIT__TASK_TASK_H

#include "base/list.h"
#include "os/rmw.h"
#include "wait/mutex.h"
#include "wait/sleeper.h"
#include <plait/task.h>

struct plait__locals;
struct plait__order;
struct plait__verdict;

/* What differs between the kinds. The task is one that this process started. */
struct plait__task_ops {
    int (*start)(plait_task *task, const plait_task_opts *opts);
    int (*join)(plait_task *task, plait_deadline until);
    /* Takes the end over if there is one: 0, or -EAGAIN while it runs. Never waits. */
    int (*look)(plait_task *task);
    int (*terminate)(plait_task *task);
    int (*kill)(plait_task *task);
    /* The handle is given up: nobody will join. */
    void (*give_up)(plait_task *task);
    /* Frees what only this kind has; NULL: nothing. */
    void (*fini)(plait_task *task);
    /* Frees the task itself; NULL: it was allocated. */
    void (*free)(plait_task *task);
};

enum {
    PLAIT__TASK_NAME_BYTES = 24 /* of a name that plait makes */
};

struct plait_task {
    struct plait__sleeper sleeper;     /* says itself who touches what */
    const struct plait__task_ops *ops; /* const */
    plait_kind kind;                   /* const after start */
    bool daemon;                       /* const after start */
    bool is_main;                      /* const: the task that nobody started */
    char *name;        /* atomic: own_name, or allocated; of a coroutine NULL until somebody asks */
    bool owns_arg;     /* const after start: arg was copied */
    plait_task_fn *fn; /* const after start; NULL: what is in the table */
    const plait_task_table *table; /* const after start */
    void *arg;                     /* const after start */
    struct plait_task *parent;     /* const after start; holds a reference */
    pid_t owner;                   /* const after start: the process that started it */
    uint32_t number; /* const after start: of a process, among those that its owner started */
    /* a coroutine: its own; a thread: what it begins with; until then who starts it */
    struct plait__locals *locals;
    uint32_t id; /* atomic: pid, thread id or number; 0: not known yet */

    union {
        struct {
            /* atomic, a futex word: enum plait__task_state. Who stores ENDED releases `outcome` by
             * it. */
            uint32_t state;
            uint32_t refs; /* atomic */
        };

        uint64_t state_and_refs; /* atomic: both change at once when a coroutine ends */
    };

    /* what is below is not cleared in a coroutine, to whose start memory is dear */
    plait_outcome outcome; /* whoever ends it, before that */
    char own_name[PLAIT__TASK_NAME_BYTES];
    struct plait__list node; /* in the live tasks of this process; tasks lock */

    /* a thread only */
    uintptr_t thread;  /* const after start */
    uint32_t joinable; /* atomic: see task/thread.c */

    /* a process only */
    struct plait__mutex reaping; /* held by who reaps */
    int64_t told_until_ns;       /* reaping lock: wait for word of its end until then */
    uint64_t keeper;             /* tasks lock: the keeper that guards it, by its generation */
    uint32_t was_asked;          /* atomic: to end, by this process: its death is no failure */
    int pidfd;                   /* const after start; with a guard: the guard's */
    int guard;                   /* const after start: a channel to its guard, or -1 */
    int64_t oom_kills;           /* const after start: of its control group, when it was started */
    struct plait__verdict *verdict; /* shared with the child: what its function returned */
    struct plait__order *order;     /* const after start: of one that is no fork; NULL: a fork */
    bool is_kept;                   /* const after start: the keeper forked it, and reaps it */
};

enum plait__task_state {
    PLAIT__TASK_RUNS,
    PLAIT__TASK_AWAITED, /* it runs, and somebody sleeps until it has ended */
    PLAIT__TASK_ENDED,
};

/* A new task object with one reference, in no list; its ops are still to be set. -ENOMEM. The kind
 * and a number make the default name. */
int plait__task_create(plait_task **ret, plait_kind kind, plait_task_fn *fn, void *arg,
                       const plait_task_opts *opts);
/* The same of what is there when a process begins that is no fork of its parent: of its task, or of that
 * one's parent. In memory that is never freed. */
int plait__task_init_process(plait_task *task, plait_kind kind, const char *name);
/* Both: -ENOMEM. */
int plait__task_set_name(plait_task *task, const char *name);
int plait__task_copy_arg(plait_task *task, size_t bytes);
void plait__task_unref(plait_task *task);

static inline void plait__task_ref(plait_task *task)
{
    /* whoever refs holds one already, there is nothing to order */
    if (!task->is_main)
        plait__rmw_add(&task->refs, 1);
}

/* The numbers by which a process is called, "1:2", those of its ancestors first; as many as fit. */
enum {
    PLAIT__PATH_BYTES = 64
};

void plait__task_path(const plait_task *task, char ret[PLAIT__PATH_BYTES]);
/* In a process that is no fork of its parent: those are its own. */
void plait__tasks_root(const char path[PLAIT__PATH_BYTES]);

/* What has to happen at the end of the process, and in a forked child, will. 0, -ENOMEM. */
int plait__task_set_handlers(void);
/* What else ends with the process: called twice, while there is a keeper, the first time before tasks are
 * waited for, and then, `is_last`, when none is left. */
void plait__tasks_at_end(void (*fn)(bool is_last));
/* Among the live tasks of this process, or not any more. */
void plait__task_enlist(plait_task *task);
void plait__task_delist(plait_task *task);
/* The outcome is there: say so to who waits. */
void plait__task_set_ended(plait_task *task, const plait_outcome *outcome);
/* The same of one whose outcome is in its place; and with it, its own reference is given up. */
void plait__task_tell_ended(plait_task *task);
void plait__task_tell_ended_unref(plait_task *task);

static inline bool plait__task_has_ended(const plait_task *task)
{
    return __atomic_load_n(&task->state, __ATOMIC_ACQUIRE) == PLAIT__TASK_ENDED;
}

/* Somebody is about to sleep until it has ended: what to wait for at `state`. */
uint32_t plait__task_await(plait_task *task);
/* Waits for plait__task_set_ended. 0, -ETIMEDOUT, -ECANCELED. */
int plait__task_wait_ended(plait_task *task, plait_deadline until);
/* The ops of a task that is a part of this process: look, terminate and kill. */
int plait__task_look(plait_task *task);
int plait__task_ask(plait_task *task);
int plait__task_refuse_to_kill(plait_task *task);

/* What the task runs, in the task: its result. */
int plait__task_call_table(plait_task *task);

static inline int plait__task_call(plait_task *task)
{
    return task->fn != NULL ? task->fn(task->arg) : plait__task_call_table(task);
}

/* This thread runs that task now. In a forked child: the process does. */
void plait__task_enter(plait_task *task);
void plait__task_enter_process(plait_task *task);

/* The live tasks of this process, in the order of their start, for who looks through them. */
struct plait__list *plait__tasks_lock(void);
void plait__tasks_unlock(void);
/* Calls fn on each live process task of this process. */
void plait__task_each_process(void (*fn)(plait_task *task));

/* At the end of a process: daemons are killed, the others waited for; then the keeper may go. */
void plait__tasks_end(void);

#endif
