/* Timers: a function that is called later, once or again and again.
 * SPDX-License-Identifier: MIT
 *
 *     static int tick(void *arg, uint64_t ticks)             // ticks: 1, or more if it came late
 *     {
 *         *(uint64_t *)arg += ticks;
 *         return 0;                                           // negative: no more ticks
 *     }
 *
 *     plait_task *timer = NULL;
 *     plait_timer_opts every = {.repeat_ms = 100};
 *     int rc = plait_timer_start(&timer, PLAIT_THREAD, tick, &n, &every);
 *     ...
 *     plait_task_terminate(timer);                            // Python's cancel
 *     plait_task_join(timer, PLAIT_FOREVER);                  // from here on nobody uses n
 *     plait_task_destroy(timer);
 *
 * A timer is a task, and takes each call for tasks: a thread of its own, as Python's
 * threading.Timer, or a coroutine of the thread that starts it, as gevent's spawn_later, which
 * costs much less but is called only while that thread waits in plait. For many timers beside a
 * thread that is busy, start one thread task, and in it the timers as coroutines.
 *
 * A repeating timer keeps to its schedule: the n-th tick is due n times repeat_ms after the first,
 * however long the function takes. Ticks that have become due meanwhile come as one call which says
 * how many they are. The clock is CLOCK_MONOTONIC: setting the time of day changes nothing.
 *
 * Timers are daemons: the end of the program does not wait for them.
 */
#ifndef PLAIT_TIMER_H
#define PLAIT_TIMER_H

#include <plait/export.h>
#include <plait/task.h>

#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

/* The function of a timer. `ticks`: how many have become due since the last call, at least 1. A
 * negative number ends a repeating timer; what it returns last is the result of the task. */
typedef int plait_timer_fn(void *arg, uint64_t ticks);

/* Options of plait_timer_start; zero is the default of each field. */
typedef struct plait_timer_opts {
    int64_t after_ms;   /* until the first tick; 0: repeat_ms, and without that at once */
    int64_t repeat_ms;  /* from one tick to the next; 0: there is one tick only */
    const char *name;   /* copied; NULL: as any task */
    size_t stack_bytes; /* as plait_task_opts.stack_bytes */
} plait_timer_opts;

/* Start a timer.
 *
 * To stop it: plait_task_terminate, or plait_task_destroy. Before a tick, it is never called again,
 * and the task has ended as PLAIT_CANCELLED; while the function runs, its waits in plait say
 * -ECANCELED, and it is not called again. After a plait_task_join the function does not run any
 * more.
 *
 *   ret       gets the handle of its task; untouched on failure. Destroyed by plait_task_destroy.
 *   kind      PLAIT_THREAD or PLAIT_COROUTINE.
 *   fn        the function to call.
 *   arg       handed to fn.
 *   opts      when; NULL: at once, and only once.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL   ret or fn is NULL, there is no such kind, a time is negative, or the stack
 *                       is too small.
 *             -ENOTSUP  kind is PLAIT_PROCESS: start the process in the function of a timer.
 *             -EAGAIN   a limit on threads.
 *             -ENOMEM   no memory.
 *             -E2BIG    opts is larger than this library knows and sets what it does not know.
 *             PLAIT_EKEEPER, -EMFILE  the first thread after plait_init, for which the keeper could
 *                       not be made.
 *   Fork      a child has none of its parent's timers.
 *   Since     0.1
 */
static inline int plait_timer_start(plait_task **ret, plait_kind kind, plait_timer_fn *fn,
                                    void *arg, const plait_timer_opts *opts)
    __attribute__((always_inline)); /* where a timer was started is not in here */

/* plait_timer_start with the size of the options in words: what the inline function calls, for
 * bindings. */
PLAIT_API int plait_timer_start_sized(plait_task **ret, plait_kind kind, plait_timer_fn *fn,
                                      void *arg, const plait_timer_opts *opts, size_t opts_bytes);

static inline int plait_timer_start(plait_task **ret, plait_kind kind, plait_timer_fn *fn,
                                    void *arg, const plait_timer_opts *opts)
{
    return plait_timer_start_sized(ret, kind, fn, arg, opts, sizeof *opts);
}

PLAIT_END

#endif
