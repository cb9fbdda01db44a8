/* A task that is no fork of who starts it: what it is told, and what it leaves, in the family's heap.
 * SPDX-License-Identifier: MIT
 *
 * The starter makes the order. The process that is to be the task, forked by the keeper or spawned,
 * waits for the order's word before it enters the function. So it is registered before, and a
 * process whose start came to nothing never enters it.
 */
#ifndef PLAIT__TASK_ORDER_H
#define PLAIT__TASK_ORDER_H

#include "os/process.h"
#include "task/task.h"
#include "task/verdict.h"
#include <plait/process.h>
#include <plait/task.h>

#include <stdbool.h>
#include <stdint.h>

struct plait__beginning;

/* A function as another process finds it. */
struct plait__entry {
    const struct plait__function *function; /* NULL: it is in the program itself */
    uint64_t offset;                        /* of it there; 0: there is none */
};

struct plait__order {
    struct plait__verdict verdict;
    uint32_t word;      /* atomic, a futex word: 0, or what plait__order_go said */
    uint32_t has_ended; /* atomic, a futex word: the keeper releases `death` by it */
    struct plait__death death;

    /* the rest is const once it is made */
    struct plait__entry init, run, fini;
    plait_task_table table;             /* the task's: they, where they are there */
    struct plait__beginning *beginning; /* NULL: as the keeper */
    void *arg;
    size_t arg_bytes; /* 0: the pointer itself */
    bool daemon;
    pid_t owner; /* the process that starts it */
    plait_kind parent_kind;
    uint32_t parent_id;
    plait_start_method start_method; /* what the program has chosen */
    size_t parent_name;              /* where that begins in `names`, behind the task's own */
    char path[PLAIT__PATH_BYTES];
    char names[];
};

/* The order for that task. -EINVAL: its argument, or its function, means nothing to another process;
 * -ENOMEM. Joins the family. */
int plait__order_make(struct plait__order **ret, const plait_task *task,
                      const plait_task_opts *opts);
/* pre: nobody looks at it any more. */
void plait__order_free(struct plait__order *order);

/* Whoever waits for this token enters the function. */
void plait__order_go(struct plait__order *order, uint32_t token);
/* Nobody does any more. */
void plait__order_withdraw(struct plait__order *order);

/* In the process that is to be the task: is its function there? 0 or -ENOENT; then the log says why. */
int plait__order_check(const struct plait__order *order);
/* Waits for the word. -1: it is another one. */
int plait__order_await(struct plait__order *order, uint32_t token);
/* Its life from there on. */
void plait__order_live(struct plait__order *order) __attribute__((noreturn));

/* The keeper has reaped it. */
void plait__order_tell_end(struct plait__order *order, const struct plait__death *death);

#endif
