/* Tasks of kind thread.
 * SPDX-License-Identifier: MIT
 *
 * The thread says that its task has ended when its function has; the kernel thread is gone a moment
 * later. Whoever sees the end first joins that, so that a program which has joined all its tasks
 * has no thread left, and may fork.
 */
#include "os/thread.h"
#include "task/task.h"

#include <errno.h>
#include <limits.h>

/* The last act of the thread: it holds a reference until here. */
static void end(plait_task *task, const plait_outcome *outcome)
{
    plait__task_delist(task);
    plait__task_set_ended(task, outcome);
    plait__task_enter(NULL);
    plait__task_unref(task);
}

static void run(void *arg)
{
    plait_task *task = arg;
    plait_outcome outcome = { .kind = PLAIT_RETURNED };

    __atomic_store_n(&task->id, (uint32_t)plait__os_thread_id(), __ATOMIC_SEQ_CST);
    plait__wake_word(&task->id, UINT_MAX); /* the starter waits for the id */
    plait__os_thread_set_name(task->name);
    plait__task_enter(task);
    outcome.code = task->fn(task->arg);
    if (outcome.code == -ECANCELED && plait__is_cancelled(&task->sleeper))
        outcome.kind = PLAIT_CANCELLED;
    end(task, &outcome);
}

/* Its function called pthread_exit. */
static void run_exited(void *arg)
{
    end(arg, &(plait_outcome){ .kind = PLAIT_EXITED });
}

int plait__thread_start(plait_task *task, size_t stack_bytes)
{
    struct plait__thread_entry entry = { .fn = run, .on_exit = run_exited, .arg = task };
    struct plait__sleeper *self = plait__sleeper_current();
    int rc;

    plait__task_ref(task); /* the thread's own */
    plait__task_enlist(task);
    rc = plait__os_thread_start(&task->thread, &entry, stack_bytes);
    if (rc < 0) {
        plait__task_delist(task);
        plait__task_unref(task);
        return rc;
    }
    /* the thread is there: this takes no longer than its first instructions, and no cancel may cut
     * it short */
    plait__sleeper_set_current(NULL);
    while (__atomic_load_n(&task->id, __ATOMIC_SEQ_CST) == 0)
        plait__wait_word(&task->id, 0, PLAIT_FOREVER);
    plait__sleeper_set_current(self);
    return 0;
}

void plait__thread_reap(plait_task *task)
{
    if (__atomic_exchange_n(&task->is_reaped, 1, __ATOMIC_SEQ_CST) == 0)
        plait__os_thread_join(task->thread);
}

void plait__thread_let_go(plait_task *task)
{
    if (__atomic_exchange_n(&task->is_reaped, 1, __ATOMIC_SEQ_CST) == 0)
        plait__os_thread_detach(task->thread);
}
