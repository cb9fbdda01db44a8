/* Waitables: what a select waits for.
 * SPDX-License-Identifier: MIT
 *
 *     plait_waitable on[3] = {0};
 *     plait_queue_on_get(&on[0], jobs);
 *     plait_event_on_set(&on[1], &stop);
 *     plait_on_fd(&on[2], fd, PLAIT_READABLE);
 *     ssize_t which = plait_select(on, 3, PLAIT_FOREVER);
 *
 * A waitable says what to wait for. It is filled once and used often, also by several tasks at once;
 * it is plain memory of the caller's, needs no end, and may be copied. Zero bytes are a waitable
 * that is never ready: a place in the array that is not used, or not any more.
 */
#ifndef PLAIT_WAITABLE_H
#define PLAIT_WAITABLE_H

#include <plait/export.h>

#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

struct plait_event;
struct plait_future;
struct plait_pipe;
struct plait_queue;
struct plait_task;

/* Something to wait for; 64 bytes, its fields are plait's own. */
typedef struct plait_waitable {
    const void *ops;
    void *object;
    uint64_t arg;
    uint64_t spare[5];
} plait_waitable;

/* What plait_on_fd waits for. */
enum {
    PLAIT_READABLE = 1, /* a read would not block; end of file and errors count */
    PLAIT_WRITABLE = 2  /* a write would not block; errors count */
};

/* Ready when plait_queue_get and its like would not wait: there is an item, or the queue is closed
 * and drained.
 *
 *   ret       filled; untouched on failure.
 *   queue     the queue; must not be destroyed before the last select on it has begun.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret or queue is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_queue_on_get(plait_waitable *ret, struct plait_queue *queue);

/* Ready when plait_queue_put and its like would not wait: there is room, or the queue is closed.
 *
 *   ret       filled; untouched on failure.
 *   queue     the queue; must not be destroyed before the last select on it has begun.
 *   n         the size of the item that is to be put. One that is larger than the queue takes is
 *             ready to be refused.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret or queue is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_queue_on_put(plait_waitable *ret, struct plait_queue *queue, size_t n);

/* Ready when plait_pipe_recv would not wait: there is a message, or the end of file.
 *
 *   ret       filled; untouched on failure.
 *   end       the end of a pipe; lives as long as the waitable is used.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EBADF   the end is closed, or only sends.
 *             -EINVAL  ret or end is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_pipe_on_recv(plait_waitable *ret, struct plait_pipe *end);

/* Ready when plait_pipe_send would not wait: there is room, or nobody is left to receive.
 *
 *   ret       filled; untouched on failure.
 *   end       the end of a pipe; lives as long as the waitable is used.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EBADF   the end is closed, or only receives.
 *             -EINVAL  ret or end is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_pipe_on_send(plait_waitable *ret, struct plait_pipe *end);

/* Ready when the event is set, or was since the select began.
 *
 *   ret       filled; untouched on failure.
 *   event     the event; lives as long as the waitable is used.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret or event is NULL.
 *   Fork      usable in the child; in private memory the event is a copy.
 *   Since     0.1
 */
PLAIT_API int plait_event_on_set(plait_waitable *ret, struct plait_event *event);

/* Ready when the task has ended, so that plait_task_join does not wait.
 *
 *   ret       filled; untouched on failure.
 *   task      the task; lives as long as the waitable is used.
 *   Blocks    no.
 *   From      any task of the process that started it, but not the task itself.
 *   Errors    -EDEADLK  the task is the caller.
 *             -ECHILD   the task is not one of this process.
 *             -EINVAL   ret or task is NULL.
 *   Fork      not usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_task_on_end(plait_waitable *ret, struct plait_task *task);

/* Ready when a future is, so that plait_future_get does not wait.
 *
 *   ret       filled; untouched on failure.
 *   future    the future, of a job or of a map; lives as long as the waitable is used.
 *   Blocks    no. A select on it calls callbacks, as plait_future_wait does.
 *   From      any task of the process that submitted it, but not a job of the same pool.
 *   Errors    -EDEADLK  the caller is a job of the pool; plait_future_wait knows what to do then.
 *             -ECHILD   it is a future of another process.
 *             -EINVAL   ret or future is NULL.
 *   Fork      not usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_future_on_end(plait_waitable *ret, struct plait_future *future);

/* Ready when a descriptor is.
 *
 *   ret       filled; untouched on failure.
 *   fd        the descriptor. If it is closed when it is selected on, it counts as ready, as poll
 *             says it.
 *   events    PLAIT_READABLE, PLAIT_WRITABLE or both; to be told which of them, use two waitables.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EBADF   fd is negative.
 *             -EINVAL  ret is NULL, or events is 0 or has other bits.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_on_fd(plait_waitable *ret, int fd, unsigned events);

PLAIT_END

#endif
