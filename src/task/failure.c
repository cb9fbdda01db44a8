/* Being told of tasks that fail.
 * SPDX-License-Identifier: MIT
 */
#include <plait/failure.h>

#include "task/failure.h"
#include "task/task.h"

static struct {
    plait_task_failure_fn *fn;
    void *ctx;
} hook; /* tasks lock */

int plait_on_task_failure(plait_task_failure_fn *fn, void *ctx)
{
    plait__tasks_lock();
    hook.fn = fn;
    hook.ctx = ctx;
    plait__tasks_unlock();
    return 0;
}

static bool is_failure(const plait_outcome *end)
{
    switch (end->kind) {
    case PLAIT_RETURNED:
        return end->code < 0;
    case PLAIT_EXITED:
        return end->code != 0;
    case PLAIT_SIGNALLED:
        return true;
    case PLAIT_CANCELLED:
    case PLAIT_UNKNOWN:
        break;
    }
    return false;
}

void plait__failure_tell(plait_task *task, const plait_outcome *end)
{
    plait_task_failure_fn *fn;
    void *ctx;

    if (!is_failure(end))
        return;
    plait__tasks_lock();
    fn = hook.fn;
    ctx = hook.ctx;
    plait__tasks_unlock();
    if (fn != NULL)
        fn(task, end, ctx);
}
