/* The public calls on loops.
 * SPDX-License-Identifier: MIT
 */
#include <plait/loop.h>

#include "loop/loop.h"
#include "task/coroutine.h"

#include <errno.h>

int plait_loop_fd(void)
{
    struct plait__loop *loop;
    int fd = -1, rc = plait__coroutine_get_loop(&loop);

    if (rc == 0)
        rc = plait__loop_fd(loop, &fd);
    return rc < 0 ? rc : fd;
}

int plait_loop_run(plait_deadline until)
{
    struct plait__strand *strand = plait__strand_here();
    int rc;

    if (strand == NULL)
        return 0;
    if (strand->task != NULL)
        return -EDEADLK;
    rc = plait__loop_run(strand->loop, until);
    /* other loops may have begun some of ours */
    return rc < 0 ? rc : plait__group_wait(plait__group_here(), until);
}

int plait_loop_current(plait_loop *ret)
{
    struct plait__loop *loop;
    int rc;

    if (ret == NULL)
        return -EINVAL;
    rc = plait__coroutine_get_loop(&loop);
    if (rc == 0)
        *ret = (plait_loop){ .at = loop, .number = plait__loop_number(loop) };
    return rc;
}

int plait_loop_call(plait_loop loop, plait_task_fn *fn, void *arg)
{
    if (loop.at == NULL || fn == NULL)
        return -EINVAL;
    return plait__coroutine_call(loop.at, loop.number, fn, arg);
}
