/* Deadlines.
 * SPDX-License-Identifier: MIT
 *
 *     int rc = plait_task_join(task, plait_after_ms(500));   // wait at most half a second
 *     rc = plait_task_join(task, PLAIT_NOWAIT);              // look, do not wait
 *     rc = plait_task_join(task, PLAIT_FOREVER);
 *
 * Everything that can block takes an absolute deadline as its last parameter. One deadline may be
 * handed to several calls in a row: it is a point in time, not a length. The clock is
 * CLOCK_MONOTONIC: it knows no leap and no setting.
 */
#ifndef PLAIT_TIME_H
#define PLAIT_TIME_H

#include <plait/export.h>
#include <stdint.h>

PLAIT_BEGIN

/* A point in time; zero bytes are a deadline that has passed. */
typedef struct plait_deadline {
    int64_t ns; /* nanoseconds on CLOCK_MONOTONIC; INT64_MAX: never */
} plait_deadline;

/* Do not wait at all. */
static const plait_deadline PLAIT_NOWAIT = { 0 };
/* Wait as long as it takes. */
static const plait_deadline PLAIT_FOREVER = { INT64_MAX };

/* The deadline so many milliseconds from now.
 *
 *   ms        milliseconds; negative counts as 0; what is too far to say becomes PLAIT_FOREVER.
 *   Returns   the deadline; plait_after_ms(0) has passed at once, as PLAIT_NOWAIT has.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child; a deadline means the same there.
 *   Since     0.1
 */
PLAIT_API plait_deadline plait_after_ms(int64_t ms);

/* The deadline so many nanoseconds from now.
 *
 *   ns        nanoseconds; negative counts as 0; what is too far to say becomes PLAIT_FOREVER.
 *   Returns   the deadline.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child; a deadline means the same there.
 *   Since     0.1
 */
PLAIT_API plait_deadline plait_after_ns(int64_t ns);

/* Nanoseconds left until a deadline.
 *
 *   until     the deadline.
 *   Returns   0 when it has passed; INT64_MAX for PLAIT_FOREVER.
 *   Blocks    no.
 *   From      any task; a signal handler too.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int64_t plait_left_ns(plait_deadline until);

/* Sleep until a deadline; only this task sleeps.
 *
 *   until     when to go on; PLAIT_FOREVER sleeps until the task is cancelled. One that has passed
 *             lets other coroutines of the thread run, as plait_yield.
 *   Blocks    until the deadline. A cancellation point.
 *   From      any task.
 *   Errors    -ECANCELED  the task was asked to end before the deadline.
 *             -ETIMEDOUT  a scope's deadline came first (plait/scope.h).
 *             -EDEADLK    a thread with coroutines would sleep for ever, and so do all of them
 *                         (plait/coroutine.h).
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_sleep(plait_deadline until);

PLAIT_END

#endif
