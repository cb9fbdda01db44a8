/* Threads that do nothing but run coroutines.
 * SPDX-License-Identifier: MIT
 */
#include <plait/coroutine.h>

#include "loop/balance.h"
#include "loop/loop.h"
#include "task/coroutine.h"

#include <errno.h>

enum {
    THREADS_MOST = 1024
};

/* Until the process ends; the loop runs while it waits. */
static int help(void *arg)
{
    struct plait__loop *loop;

    (void)arg;
    if (plait__coroutine_get_loop(&loop) < 0)
        return -ENOMEM;
    plait__balance_join(loop);
    return plait_sleep(PLAIT_FOREVER);
}

int plait_loops_start(unsigned threads)
{
    plait_task_opts opts = { .name = "plait-loop", .daemon = true };
    struct plait__strand *strand = plait__strand_here();
    struct plait__loop *loop;
    int rc;

    if (threads > THREADS_MOST)
        return -EINVAL;
    if (strand != NULL && strand->task != NULL)
        return -EBUSY;
    rc = plait__coroutine_get_loop(&loop);
    if (rc < 0)
        return rc;
    plait__balance_join(loop);
    for (unsigned i = 0; i < threads && rc == 0; i++) {
        plait_task *task = NULL;
        rc = plait_task_start(&task, PLAIT_THREAD, help, NULL, &opts);
        if (rc < 0)
            break;
        plait__task_delist(task); /* it is plait's, no child of the caller's */
        plait__task_unref(task);  /* nobody joins it, and a destroy would end it */
    }
    return rc;
}
