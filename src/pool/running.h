/* The item that runs in this thread, as the functions of plait/plugin.h see it.
 * SPDX-License-Identifier: MIT
 *
 * An executor keeps one for each worker, and runs each item by plait__run_item.
 */
#ifndef PLAIT__POOL_RUNNING_H
#define PLAIT__POOL_RUNNING_H

#include "base/buf.h"
#include "pool/job.h"

struct plait__running {
    plait_pool *pool;        /* what plait_pool_current says */
    struct plait__buf wrote; /* by plait_task_write; the executor takes it after each item */
    char *message;           /* by plait_task_fail; so too; for free() */
    bool has_failed;         /* it called plait_task_fail, whatever became of the message */
    bool is_out_of_memory;   /* a plait_task_write or plait_task_fail found none */
    int64_t soft_until_ns;   /* when the soft limit passes; 0: never */
    /* Was it asked to end? NULL: nobody can ask. */
    bool (*is_cancelled)(struct plait__running *running);
    /* NULL: nobody looks. */
    void (*progress)(struct plait__running *running, uint64_t done, uint64_t total);
    struct plait__running *outer; /* what ran on this stack when this one began (help) */
};

/* Runs one item: `fn` or `text_fn`. What it returned; ret->end, ret->cause and ret->code say
 * what it ended in: VALUE, ERROR, or LOST(MEMORY). `running` is what it says; its wrote,
 * message, has_failed and is_out_of_memory are emptied first. */
struct plait__call {
    plait_pool_fn *fn;
    plait_pool_text_fn *text_fn;
    const void *in;
    size_t in_bytes;
    void *out;
    void *ctx;
};

void plait__run_item(struct plait__running *running, const struct plait__call *call,
                     plait_result *ret);
void plait__running_fini(struct plait__running *running);
/* The innermost of this thread; NULL: no item runs. */
struct plait__running *plait__running_current(void);

#endif
