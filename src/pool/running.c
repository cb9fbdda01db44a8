/* The item that runs in this thread or coroutine, and the functions of plait/plugin.h.
 * SPDX-License-Identifier: MIT
 */
#include "pool/running.h"
#include "loop/loop.h"
#include "os/clock.h"
#include "task/coroutine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of the coroutine, or of the thread. */
static void **innermost_here(void)
{
    static _Thread_local void *of_thread __attribute__((tls_model("initial-exec")));

    return plait__strand_slot(PLAIT__SLOT_RUNNING, &of_thread);
}

struct plait__running *plait__running_current(void)
{
    return *innermost_here();
}

plait_pool *plait_pool_current(void)
{
    const struct plait__running *running = plait__running_current();

    return running != NULL ? running->pool : NULL;
}

/* ---- what an item may say ---- */

static struct plait__running *find(const plait_task *task)
{
    return task != NULL && task == plait_task_current() ? plait__running_current() : NULL;
}

int plait_task_write(plait_task *task, const void *bytes, size_t n)
{
    struct plait__running *running = find(task);

    if (running == NULL || (bytes == NULL && n > 0))
        return -EINVAL;
    if (n > 0 && plait__buf_add(&running->wrote, bytes, n) < 0) {
        running->is_out_of_memory = true;
        return -ENOMEM;
    }
    return 0;
}

int plait_task_fail(plait_task *task, const char *text)
{
    struct plait__running *running = find(task);
    char *copy;

    if (running == NULL || text == NULL)
        return -EINVAL;
    running->has_failed = true;
    copy = strdup(text);
    if (copy == NULL)
        return -ENOMEM;
    free(running->message);
    running->message = copy;
    return -ECANCELED;
}

int plait_task_progress(plait_task *task, uint64_t done, uint64_t total)
{
    struct plait__running *running = find(task);

    if (running == NULL)
        return -EINVAL;
    if (running->progress != NULL)
        running->progress(running, done, total);
    return 0;
}

bool plait_task_cancelled(plait_task *task)
{
    struct plait__running *running = find(task);

    if (running == NULL)
        return false;
    if (running->is_cancelled != NULL && running->is_cancelled(running))
        return true;
    return running->soft_until_ns != 0 && plait__os_now_ns() >= running->soft_until_ns;
}

/* ---- running one ---- */

static bool has_said(const struct plait__running *running)
{
    return running->wrote.len != 0 || running->message != NULL || running->has_failed ||
           running->is_out_of_memory;
}

static void empty(struct plait__running *running)
{
    plait__buf_clear(&running->wrote);
    free(running->message);
    running->message = NULL;
    running->has_failed = false;
    running->is_out_of_memory = false;
}

void plait__running_fini(struct plait__running *running)
{
    if (has_said(running))
        empty(running);
    if (running->wrote.data != NULL)
        plait__buf_fini(&running->wrote);
}

void plait__run_item(struct plait__running *running, const struct plait__call *call,
                     plait_result *ret)
{
    void **innermost = innermost_here();

    if (has_said(running))
        empty(running);
    running->outer = *innermost;
    *innermost = running;
    ret->code = call->fn != NULL ? call->fn(call->in, call->out, call->ctx)
                                 : call->text_fn(plait_task_current(), call->in, call->in_bytes);
    plait__coroutines_end_job();
    *innermost = running->outer;
    ret->cause = PLAIT_CAUSE_NONE;
    if (running->is_out_of_memory) {
        ret->end = PLAIT_JOB_LOST;
        ret->cause = PLAIT_CAUSE_MEMORY;
    } else {
        ret->end = ret->code < 0 || running->has_failed ? PLAIT_JOB_ERROR : PLAIT_JOB_VALUE;
    }
}
