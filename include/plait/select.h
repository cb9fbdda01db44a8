/* Select: wait for the first of several things.
 * SPDX-License-Identifier: MIT
 *
 *     plait_waitable on[3];
 *     plait_queue_on_get(&on[0], jobs);
 *     plait_task_on_end(&on[1], worker);            // or plait_future_on_end
 *     plait_on_fd(&on[2], fd, PLAIT_READABLE);
 *     ...
 *     switch (plait_select(on, 3, plait_after_ms(500))) {
 *     case 0:
 *         n = plait_queue_get(jobs, buf, sizeof buf, PLAIT_NOWAIT); // may be -ETIMEDOUT
 *         ...
 *     case -ETIMEDOUT:
 *         ...
 *     }
 *
 * Ready means that the call it stands for would not wait: it would succeed, or say that the queue is
 * closed, the end of file was reached, and so on. It is a hint, as that of poll is: a select takes
 * nothing, so all who select on the same thing are told of it, and somebody else may take the item
 * before. Therefore the call that follows is made with PLAIT_NOWAIT.
 */
#ifndef PLAIT_SELECT_H
#define PLAIT_SELECT_H

#include <plait/export.h>
#include <plait/time.h>
#include <plait/waitable.h>

#include <stddef.h>
#include <sys/types.h>

PLAIT_BEGIN

enum {
    PLAIT_SELECT_MAX = 100 /* the most waitables that one select takes */
};

/* Wait until one of several things is ready.
 *
 *   on        what to wait for.
 *   n         how many; with 0 it waits for the deadline, as poll does.
 *   until     how long to wait.
 *   Returns   the index of the first one in the array that is ready. Who must not neglect those
 *             behind it uses plait_select_all.
 *   Blocks    until one is ready or the deadline. Callbacks of futures may be called. A
 *             cancellation point: what is ready already is told also in a cancelled task. Neither
 *             a signal handler nor pthread_cancel ends it. Whatever the deadline, a task that was
 *             stopped in the middle of a get is waited for, for some 100 ms.
 *   From      any task.
 *   Errors    -ETIMEDOUT  none was ready until the deadline.
 *             -ECANCELED  the caller was asked to end.
 *             -EPIPE      one of the queues was destroyed; it must not be used any more.
 *             -EBADF      one of the pipes was closed by plait_pipe_close.
 *             -ECHILD     one of the tasks or futures is another process's.
 *             -EINVAL     on is NULL and n is not 0, or n is more than PLAIT_SELECT_MAX.
 *             -ENOMEM     no memory.
 *             -EMFILE     no descriptor is left, and one is needed: to be cancelled, or for a
 *                         signal or a process.
 *             -EUSERS     this process cannot join the family.
 *   Fork      usable in the child; so are the waitables, but those of tasks and futures
 *             (-ECHILD).
 *   Since     0.1
 */
PLAIT_API ssize_t plait_select(const plait_waitable *on, size_t n, plait_deadline until);

/* Wait until one of several things is ready, and be told of all that are.
 *
 *   on        what to wait for.
 *   n         how many.
 *   ret       gets the indexes of those that are ready, in ascending order; room for n. Untouched on
 *             failure.
 *   until     how long to wait.
 *   Returns   how many are ready; at least 1.
 *   Blocks    as plait_select.
 *   From      any task.
 *   Errors    those of plait_select.
 *             -EINVAL     also: ret is NULL and n is not 0.
 *   Fork      as plait_select.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_select_all(const plait_waitable *on, size_t n, size_t *ret,
                                   plait_deadline until);

PLAIT_END

#endif
