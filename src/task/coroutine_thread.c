/* Threads that have coroutines: their beginning, their end, and a fork.
 * SPDX-License-Identifier: MIT
 */
#include "family/self.h"
#include "loop/balance.h"
#include "loop/loop.h"
#include "os/thread.h"
#include "task/census.h"
#include "task/coroutine.h"
#include "task/inspect.h"
#include "task/local.h"

#include <errno.h>
#include <stdlib.h>

static int has_exit_handler, has_fork_handler; /* atomic, relaxed: twice is harmless */
/* Of a thread: its end will be told. */
static _Thread_local bool is_watched __attribute__((tls_model("initial-exec")));

static void end_at_exit(void)
{
    /* exit handlers that run after us may start coroutines too */
    __atomic_store_n(&has_exit_handler, 0, __ATOMIC_RELAXED);
    plait__coroutines_end(true);
}

/* A thread that is no task ends: all tasks have left their loops by then. What is left of its own
 * coroutines never goes on; those that others have begun are waited for. */
static void end_with_thread(void)
{
    struct plait__loop *loop = plait__loop_here();

    is_watched = false;
    if (loop == NULL)
        return;
    plait__balance_leave(loop);
    if (plait__loop_count(loop) > 0)
        plait__loop_abandon();
    else
        plait__coroutines_end(false);
}

/* In a forked child: what this thread had started is not there; a coroutine that has forked is the
 * main task from now on. */
static void forget(void)
{
    struct plait__strand *strand = plait__strand_here();

    if (strand != NULL && strand->task != NULL)
        plait__locals_enter_thread(strand->task);
    plait__coroutines_forget();
    plait__census_forget();
}

int plait__coroutine_get_loop(struct plait__loop **ret)
{
    if (plait__loop_here() == NULL) {
        plait__self_keep();
        plait_task_current(); /* in a forked child: it becomes somebody first */
        if (plait__task_set_handlers() < 0)
            return -ENOMEM;
        if (!__atomic_exchange_n(&has_fork_handler, 1, __ATOMIC_RELAXED) &&
            plait__os_at_fork_child(forget) < 0) {
            __atomic_store_n(&has_fork_handler, 0, __ATOMIC_RELAXED);
            return -ENOMEM;
        }
        /* after it, so that it comes before: the other tasks are joined when no loop needs them */
        if (!__atomic_exchange_n(&has_exit_handler, 1, __ATOMIC_RELAXED) &&
            atexit(end_at_exit) != 0) {
            __atomic_store_n(&has_exit_handler, 0, __ATOMIC_RELAXED);
            return -ENOMEM;
        }
        plait__inspect_begin();
        if (!is_watched && plait__os_at_thread_exit(end_with_thread) < 0)
            return -ENOMEM;
        is_watched = true;
    }
    return plait__loop_get(ret);
}
