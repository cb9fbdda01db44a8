/* What all kinds of task have in common.
 * SPDX-License-Identifier: MIT
 *
 * A task object is held by its handle, by the thread that runs it, and by each of its children
 * (which may ask for their parent): it is freed by the last of them.
 */
#ifndef PLAIT__TASK_TASK_H
#define PLAIT__TASK_TASK_H

#include "base/list.h"
#include "wait/mutex.h"
#include "wait/wait.h"
#include <plait/task.h>

struct plait__verdict;

struct plait_task {
    struct plait__list node;       /* in the live tasks of this process; tasks lock */
    struct plait__sleeper sleeper; /* says itself who touches what */
    plait_kind kind;               /* const after start */
    bool daemon;                   /* const after start */
    bool is_main;                  /* const: the task that nobody started */
    char *name;                    /* const after start */
    plait_task_fn *fn;             /* const after start */
    void *arg;                     /* const after start */
    struct plait_task *parent;     /* const after start; holds a reference */
    pid_t owner;                   /* const after start: the process that started it */
    uint32_t refs;                 /* atomic */
    uint32_t id; /* atomic: pid or thread id; a futex word while a thread starts */
    uint32_t
        ended; /* atomic, a futex word: 1 once `outcome` is there (release; acquire by readers) */
    plait_outcome outcome; /* whoever sets `ended`, before it */

    /* a thread only */
    uintptr_t thread;   /* const after start */
    uint32_t is_reaped; /* atomic: `thread` was joined or detached */

    /* a process only */
    struct plait__mutex reaping;    /* held by who reaps */
    uint64_t keeper;                /* tasks lock: the keeper that guards it, by its generation */
    int pidfd;                      /* const after start */
    struct plait__verdict *verdict; /* shared with the child: what its function returned */
};

/* A new task object with one reference, in no list. -ENOMEM. `kind_name` and a number make the
 * default name. */
int plait__task_create(plait_task **ret, plait_kind kind, plait_task_fn *fn, void *arg,
                       const plait_task_opts *opts);
void plait__task_ref(plait_task *task);
void plait__task_unref(plait_task *task);

/* Among the live tasks of this process, or not any more. */
void plait__task_enlist(plait_task *task);
void plait__task_delist(plait_task *task);
/* The outcome is there: say so to who waits. */
void plait__task_set_ended(plait_task *task, const plait_outcome *outcome);
bool plait__task_has_ended(const plait_task *task);

/* This thread runs that task now. In a forked child: the process does. */
void plait__task_enter(plait_task *task);
void plait__task_enter_process(plait_task *task);
/* Calls fn on each live process task of this process. */
void plait__task_each_process(void (*fn)(plait_task *task));

/* At the end of a process: daemons are killed, the others waited for; then the keeper may go. */
void plait__tasks_end(void);

/* process.c */
int plait__process_start(plait_task *task);
int plait__process_join(plait_task *task, plait_deadline until);
/* Takes the end over if there is one: 0, or -EAGAIN while it runs. */
int plait__process_try_reap(plait_task *task);
int plait__process_signal(plait_task *task, int signal);
void plait__process_fini(plait_task *task);

/* thread.c */
int plait__thread_start(plait_task *task, size_t stack_bytes);
/* pre: the task has ended. Waits for the rest of its thread. */
void plait__thread_reap(plait_task *task);
/* Nobody will wait for the thread. */
void plait__thread_let_go(plait_task *task);

#endif
