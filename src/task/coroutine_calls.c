/* The public calls on coroutines.
 * SPDX-License-Identifier: MIT
 */
#include <plait/coroutine.h>

#include "loop/loop.h"
#include "os/sched.h"
#include "task/coroutine.h"

#include <errno.h>

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

void plait_yield(void)
{
    if (plait__loop_here() != NULL)
        plait__strand_yield();
    else
        plait__os_yield();
}
