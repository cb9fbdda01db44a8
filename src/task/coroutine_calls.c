/* The public calls on coroutines.
 * SPDX-License-Identifier: MIT
 */
#include <plait/coroutine.h>

#include "loop/loop.h"
#include "os/sched.h"
#include "task/coroutine.h"

#include <errno.h>
#include <stdlib.h>

int plait_go(plait_task_fn *fn, void *arg)
{
    return fn == NULL ? -EINVAL : plait__coroutine_go(plait__group_here(), fn, arg, 0);
}

int plait_go_copy(plait_task_fn *fn, const void *arg, size_t arg_bytes)
{
    if (fn == NULL || (arg == NULL && arg_bytes > 0))
        return -EINVAL;
    return plait__coroutine_go(plait__group_here(), fn, arg_bytes > 0 ? arg : NULL, arg_bytes);
}

struct later {
    plait_deadline at;
    plait_task_fn *fn;
    void *arg;
};

static int begin_later(void *arg)
{
    struct later later = *(struct later *)arg;
    int rc;

    free(arg);
    rc = plait_sleep(later.at);
    return rc < 0 ? rc : later.fn(later.arg);
}

int plait_go_after(plait_task **ret, int64_t ms, plait_task_fn *fn, void *arg)
{
    const plait_task_opts opts = { .daemon = true };
    plait_task *task = NULL;
    struct later *later;
    int rc;

    if (ret == NULL || fn == NULL)
        return -EINVAL;
    later = malloc(sizeof *later);
    if (later == NULL)
        return -ENOMEM;
    *later = (struct later){ plait_after_ms(ms), fn, arg };
    rc = plait__coroutine_create(&task, begin_later, later, &opts);
    if (rc < 0) {
        free(later);
        return rc;
    }
    task->ops->start(task, &opts); /* of a coroutine it cannot fail */
    *ret = task;
    return 0;
}

int plait_idle(plait_deadline until)
{
    return plait__strand_idle(until);
}

void plait_yield(void)
{
    if (plait__loop_here() != NULL)
        plait__strand_yield();
    else
        plait__os_yield();
}
