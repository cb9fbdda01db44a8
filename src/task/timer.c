/* Timers: a task that sleeps until each tick.
 * SPDX-License-Identifier: MIT
 */
#include <plait/timer.h>

#include "base/opts.h"
#include "base/time.h"
#include "os/clock.h"
#include "task/coroutine.h"

#include <errno.h>
#include <stdlib.h>

struct timer {
    plait_deadline next;
    int64_t repeat_ns; /* 0: once */
    plait_timer_fn *fn;
    void *arg;
};

/* How many ticks have become due by now, the next one included, which has; moves on to the one
 * after them. */
static uint64_t take_ticks(struct timer *timer)
{
    int64_t late_ns = plait__os_now_ns() - timer->next.ns, n = 1;

    if (timer->repeat_ns == 0)
        return 1;
    if (late_ns > 0)
        n += late_ns / timer->repeat_ns;
    timer->next = plait__deadline_after(timer->next.ns, n * timer->repeat_ns);
    return (uint64_t)n;
}

static int tick(void *arg)
{
    struct timer timer = *(struct timer *)arg;
    int rc;

    free(arg);
    do {
        rc = plait_sleep(timer.next);
        if (rc == 0)
            rc = timer.fn(timer.arg, take_ticks(&timer));
    } while (rc >= 0 && timer.repeat_ns > 0);
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): one more parameter, for bindings only */
int plait_timer_start_sized(plait_task **ret, plait_kind kind, plait_timer_fn *fn, void *arg,
                            const plait_timer_opts *opts, size_t opts_bytes)
{
    plait_task_opts task_opts = { .daemon = true };
    plait_timer_opts ours;
    plait_task *task = NULL;
    struct timer *timer;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc < 0)
        return rc;
    if (ret == NULL || fn == NULL || kind < PLAIT_PROCESS || kind > PLAIT_COROUTINE ||
        ours.after_ms < 0 || ours.repeat_ms < 0)
        return -EINVAL;
    if (kind == PLAIT_PROCESS)
        return -ENOTSUP;
    timer = malloc(sizeof *timer);
    if (timer == NULL)
        return -ENOMEM;
    *timer = (struct timer){ plait_after_ms(ours.after_ms > 0 ? ours.after_ms : ours.repeat_ms),
                             plait__ns_of_ms(ours.repeat_ms), fn, arg };
    task_opts.name = ours.name;
    task_opts.stack_bytes = ours.stack_bytes;
    if (kind == PLAIT_THREAD)
        rc = plait_task_start(&task, kind, tick, timer, &task_opts);
    else
        rc = plait__coroutine_create(&task, tick, timer, &task_opts);
    if (rc < 0) {
        free(timer);
        return rc;
    }
    if (kind == PLAIT_COROUTINE)
        task->ops->start(task, &task_opts); /* of a coroutine it cannot fail */
    *ret = task;
    return 0;
}
