/* Priority queues and stacks: many tasks put items, many get them in another order.
 * SPDX-License-Identifier: MIT
 *
 *     plait_priority_queue *queue = NULL;
 *     int rc = plait_priority_queue_create(&queue, NULL); // before the tasks are started
 *     ...
 *     rc = plait_priority_queue_put(queue, 10, "later", 5, PLAIT_FOREVER);
 *     rc = plait_priority_queue_put(queue, 1, "soon", 4, PLAIT_FOREVER);
 *     ...
 *     char text[100];
 *     int64_t priority;
 *     ssize_t n = plait_priority_queue_get(queue, &priority, text, sizeof text, PLAIT_FOREVER);
 *     ...                                                 // 4, "soon", and priority is 1
 *     plait_priority_queue_close(queue); // what is in it can still be got, and then -EPIPE
 *     plait_priority_queue_destroy(queue);
 *
 * The item with the lowest priority comes first, and of those with the same one the one that was
 * put first; or last, by the option newest_first. So this is Python's PriorityQueue; and with
 * newest_first and priority 0 for all it is LifoQueue, a stack:
 *
 *     plait_priority_queue_opts opts = {.newest_first = true};
 *     plait_priority_queue_create(&stack, &opts);
 *     plait_priority_queue_put(stack, 0, "pushed", 6, PLAIT_FOREVER);
 *
 * It lies in the heap of the family: the handle is the same in all its processes. For items in the
 * order in which they were put there is plait_queue, which is faster.
 *
 * A process may be killed at any moment, also within these functions. An item whose put has
 * returned is got by exactly one task, whole. One that a killed process was about to put may have
 * come in or not; one that it was about to get is there still, in its place, or is gone with it if
 * it had been handed over already. The others go on, 100 ms after the death at the latest. A
 * process that is stopped in the middle of one of these functions holds up the others.
 */
#ifndef PLAIT_PRIORITY_QUEUE_H
#define PLAIT_PRIORITY_QUEUE_H

#include <plait/export.h>
#include <plait/queue.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

PLAIT_BEGIN

/* A priority queue; opaque. */
typedef struct plait_priority_queue plait_priority_queue;

/* Options of plait_priority_queue_create; zero is the default of each field. */
typedef struct plait_priority_queue_opts {
    /* the most items in it; 0: as many as max_bytes takes */
    size_t max_items;
    /* the most bytes in it, where an item takes 64 for each 40 of its own, and at least 64;
     * 0: 1 MiB; else at least 64 and at most 1 GiB */
    size_t max_bytes;
    /* of items with the same priority the one that was put last comes first */
    bool newest_first;
} plait_priority_queue_opts;

/* Make a priority queue.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_priority_queue_destroy.
 *   opts      options, or NULL.
 *   Blocks    no.
 *   From      any task. Tasks of other processes can use it when they were forked after the first
 *             queue, or other shared object, of the program was made.
 *   Errors    -EINVAL  ret is NULL, or max_bytes is too small or too large.
 *             -ENOMEM  no memory.
 *             -EUSERS  the family has 4095 living processes already.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *   Fork      usable in the child, and so is the queue.
 *   Since     0.1
 */
static inline int plait_priority_queue_create(plait_priority_queue **ret,
                                              const plait_priority_queue_opts *opts);

/* plait_priority_queue_create with the size of the options in words: what the inline function
 * calls, for bindings.
 *
 *   ret        as there.
 *   opts       as there.
 *   opts_bytes  sizeof *opts as the caller was compiled.
 *   Blocks     as plait_priority_queue_create.
 *   From       as plait_priority_queue_create.
 *   Errors     as plait_priority_queue_create.
 *   Fork       as plait_priority_queue_create.
 *   Since      0.1
 */
PLAIT_API int plait_priority_queue_create_sized(plait_priority_queue **ret,
                                                const plait_priority_queue_opts *opts,
                                                size_t opts_bytes);

static inline int plait_priority_queue_create(plait_priority_queue **ret,
                                              const plait_priority_queue_opts *opts)
{
    return plait_priority_queue_create_sized(ret, opts, sizeof *opts);
}

/* Free a priority queue, and what is in it. Tasks that wait in its functions are told -EPIPE.
 *
 *   queue     the queue; NULL is fine. No call on it may begin after this, in any process, and none
 *             be under way but such as wait for an item, for room or in plait_priority_queue_join.
 *   Blocks    until those who wait have left it; no longer than a second. (Its memory stays behind
 *             if one of them is stopped.)
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child: the queue is gone for all.
 *   Since     0.1
 */
PLAIT_API void plait_priority_queue_destroy(plait_priority_queue *queue);

/* Put an item; waits while the queue is full.
 *
 *   queue     the queue.
 *   priority  its place: a lower one comes before a higher one.
 *   bytes     the item, copied; the caller keeps its own. May be NULL when n is 0.
 *   n         its size.
 *   until     how long to wait.
 *   Blocks    until there is room or the deadline. Who waits for much room may be passed by those
 *             who need less. A cancellation point. Whatever the deadline, a task that was stopped
 *             within a call is waited for, for 100 ms.
 *   From      any task; any process of the family.
 *   Errors    In each case nothing was put.
 *             -ETIMEDOUT  full until the deadline.
 *             -EPIPE      closed.
 *             -EMSGSIZE   larger than the queue ever takes.
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     queue is NULL, or bytes is.
 *             -ENOMEM, -EUSERS  this process cannot join the family.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_priority_queue_put(plait_priority_queue *queue, int64_t priority,
                                       const void *bytes, size_t n, plait_deadline until);

/* Get the first item; waits while there is none.
 *
 *   queue         the queue.
 *   ret_priority  gets the priority of the item; may be NULL; untouched on failure.
 *   buf           gets the item; may be NULL when cap is 0.
 *   cap           room in buf.
 *   until         how long to wait.
 *   Returns   the size of the item, which may be 0.
 *   Blocks    until there is an item or the deadline. A cancellation point. Whatever the deadline,
 *             a task that was stopped within a call is waited for, for 100 ms.
 *   From      any task; any process of the family.
 *   Errors    In each case nothing was taken.
 *             -ETIMEDOUT  empty until the deadline.
 *             -EPIPE      closed, and everything has been got; or shut down at once.
 *             -EMSGSIZE   the item is larger than cap. It stays; plait_priority_queue_peek tells
 *                         its size.
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     queue is NULL, or buf is.
 *             -ENOMEM, -EUSERS  this process cannot join the family.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_priority_queue_get(plait_priority_queue *queue, int64_t *ret_priority,
                                           void *buf, size_t cap, plait_deadline until);

/* Get the first item, in memory of its size; waits while there is none.
 *
 *   queue         the queue.
 *   ret_priority  gets the priority of the item; may be NULL; untouched on failure.
 *   ret           gets the item, never NULL, for free(); untouched on failure.
 *   until         how long to wait.
 *   Returns   the size of the item.
 *   Blocks    as plait_priority_queue_get.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue or ret is NULL.
 *             -ENOMEM  no memory for the item, which stays; or as plait_priority_queue_get.
 *             -ETIMEDOUT, -EPIPE, -ECANCELED, -EUSERS  as plait_priority_queue_get.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_priority_queue_get_alloc(plait_priority_queue *queue, int64_t *ret_priority,
                                                 void **ret, plait_deadline until);

/* Look at the first item and leave it there; waits while there is none. The next get may find
 * another one, as others put and get too.
 *
 *   queue         the queue.
 *   ret_priority  gets the priority of the item; may be NULL; untouched on failure.
 *   buf           gets the item, or as much of it as fits; may be NULL when cap is 0.
 *   cap           room in buf.
 *   until         how long to wait.
 *   Returns   the size of the item, which may be more than cap.
 *   Blocks    as plait_priority_queue_get.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue is NULL, or buf is.
 *             -ETIMEDOUT, -EPIPE, -ECANCELED, -ENOMEM, -EUSERS  as plait_priority_queue_get.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_priority_queue_peek(plait_priority_queue *queue, int64_t *ret_priority,
                                            void *buf, size_t cap, plait_deadline until);

/* How many items are in the queue.
 *
 *   queue     the queue; NULL has none.
 *   Returns   how many, at some moment during the call; 0 after plait_priority_queue_shutdown at
 *             once.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API size_t plait_priority_queue_size(const plait_priority_queue *queue);

/* Is nothing in the queue?
 *
 *   queue     the queue; NULL is empty.
 *   Returns   true when plait_priority_queue_size is 0.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_priority_queue_is_empty(const plait_priority_queue *queue);

/* Would an item have to wait, however small?
 *
 *   queue     the queue; NULL is not full.
 *   Returns   true when there is no room, at some moment during the call.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_priority_queue_is_full(const plait_priority_queue *queue);

/* Close the queue: nothing more is put, in no process. What is in it can still be got, and then
 * -EPIPE; those who wait are told at once.
 *
 *   queue     the queue. One that is closed already stays so.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue is NULL.
 *   Fork      usable in the child: the queue is closed for all.
 *   Since     0.1
 */
PLAIT_API int plait_priority_queue_close(plait_priority_queue *queue);

/* Close the queue, and if wanted at once: then what is in it is not got any more either, and
 * plait_priority_queue_join waits only for what had been got.
 *
 *   queue     the queue.
 *   immediate false: as plait_priority_queue_close.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue is NULL.
 *   Fork      usable in the child: the queue is closed for all.
 *   Since     0.1
 */
PLAIT_API int plait_priority_queue_shutdown(plait_priority_queue *queue, bool immediate);

/* Say that an item that was got has been dealt with. Only plait_priority_queue_join asks for it.
 *
 *   queue     the queue.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue is NULL, or this was said for all items already.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_priority_queue_task_done(plait_priority_queue *queue);

/* Wait until plait_priority_queue_task_done was called for each item that was ever put. An item
 * that a killed process had got is never done: use a deadline, and another means to know of its
 * end.
 *
 *   queue     the queue.
 *   until     how long to wait.
 *   Blocks    until all is done or the deadline. A cancellation point.
 *   From      any task; any process of the family.
 *   Errors    -ETIMEDOUT  something is not done yet.
 *             -EPIPE      the queue was destroyed.
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     queue is NULL.
 *             -ENOMEM, -EUSERS  this process cannot join the family.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_priority_queue_join(plait_priority_queue *queue, plait_deadline until);

PLAIT_END

#endif
