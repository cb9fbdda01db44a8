/* Queues: many tasks put items, many tasks get them.
 * SPDX-License-Identifier: MIT
 *
 *     plait_queue *queue = NULL;
 *     plait_queue_opts opts = {.max_items = 100};
 *     int rc = plait_queue_create(&queue, &opts);           // before the tasks are started
 *     ...
 *     rc = plait_queue_put(queue, "hello", 6, plait_after_ms(500));
 *     ...
 *     char text[100];
 *     ssize_t n = plait_queue_get(queue, text, sizeof text, PLAIT_FOREVER); // 6
 *     ...
 *     plait_lease job;                                      // where getting is a promise to work
 *     while (plait_queue_lease(queue, &job, PLAIT_FOREVER) == 0) {
 *         work(job.bytes, job.size);
 *         plait_queue_ack(&job);                            // killed before: somebody else gets it
 *     }
 *     ...
 *     plait_queue_close(queue); // what is in it can still be got, and then -EPIPE
 *     plait_queue_destroy(queue);
 *
 *     plait_queue_opts two = {.lanes = 2};                  // where some items are more urgent
 *     ...
 *     rc = plait_queue_put_lane(queue, 1, "later", 5, PLAIT_FOREVER);
 *     rc = plait_queue_put_lane(queue, 0, "soon", 4, PLAIT_FOREVER); // got first
 *
 * A queue lies in the heap of the family: the handle is the same in all its processes. Items are
 * bytes, of any size, zero included, and come out in the order in which they went in. Those that are
 * larger than half of max_bytes lie in memory of their own, which goes when they do; borrowed or
 * leased, they are not copied.
 *
 * Or it lies in a named segment, for programs that are no relatives: plait/segment_queue.h.
 *
 * Or it is private to one process (plait_queue_opts.one_process), for threads and coroutines of it: an
 * item is copied right to where a task waits for it, and those who wait are served in the order in
 * which they came. All that is said of "any process of the family" is this process then. In a forked
 * child all calls are -ECHILD, the selects on it too, and there is nothing in it; plait_queue_destroy
 * frees memory there. Any put may be -ENOMEM. A thread with coroutines that would wait at it for ever,
 * as all of them do, is told -EDEADLK (plait/coroutine.h).
 *
 * A queue may have lanes: who gets, gets from the first lane that has an item, lane 0 before lane 1,
 * and so on, for as long as there is one; within a lane the order is that of the puts. Each lane has
 * the bounds of the options, so a full one is in nobody's way but of those who put into it. An item
 * that is reserved and not committed holds up its own lane only, and one that comes again, given
 * back or after a death, is the first of its lane. For more than a few priorities there is
 * plait_priority_queue.
 *
 * A process may be killed at any moment, also within these functions. An item whose put has
 * returned is got by exactly one task, whole. One that a killed process was about to put may have
 * come in or not; one that it was about to get is handed to somebody else, in its place, or is gone
 * with it if it had been handed over already (unless it was leased). The others go on, 100 ms after
 * the death at the latest. A process that is only stopped keeps what it has in hand, and those who
 * need that wait.
 *
 * The words are those of Python's Queue and JoinableQueue: put, get, qsize (size), empty, full,
 * close, shutdown, task_done, join. What is put can be got as soon as put returns; there is no
 * thread behind a queue, and nothing of it is left to be flushed at exit.
 */
#ifndef PLAIT_QUEUE_H
#define PLAIT_QUEUE_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

PLAIT_BEGIN

/* A queue; opaque. */
typedef struct plait_queue plait_queue;

/* Options of plait_queue_create; zero is the default of each field. */
typedef struct plait_queue_opts {
    /* the most items in it; 0: as many as max_bytes takes */
    size_t max_items;
    /* the most bytes in it, with 16 more for each item, and rounded up to 16; 0: 1 MiB, in a segment
     * 64 KiB; else at least 64 and at most 1 GiB. Items larger than half of it may together take as
     * much once more; one alone of them may be of any size. In a segment there are none such, but as
     * much once more for leased items */
    size_t max_bytes;
    /* one task at a time puts, of one process as long as that lives: faster */
    bool single_producer;
    /* one task at a time gets, of one process as long as that lives: faster */
    bool single_consumer;
    /* the most items that are leased, and neither acked nor given back; at most 65536, in a segment
     * 4096. Each takes 256 bytes. 0: 64 */
    size_t max_leases;
    /* the most bytes of one item; 0: as many as there is memory for. In a segment at most, and by
     * default, 16 less than half of max_bytes */
    size_t max_item_bytes;
    /* how many lanes it has, at most 8; 0: 1. See plait_queue_put_lane. max_items, max_bytes and
     * max_leases are the bounds of each lane, not of all together; a single producer is one of each
     * lane, a single consumer one of all */
    size_t lanes;
    /* only tasks of this process use it: much faster between coroutines. Not in a segment. Who waits is
     * handed what comes: a coroutine whose thread ends without it (not one of plait's) takes along what
     * it was handed and has not looked at */
    bool one_process;
} plait_queue_opts;

/* Some bytes. */
typedef struct plait_bytes {
    const void *bytes;
    size_t size;
} plait_bytes;

/* Where plait_queue_get_many puts its items. */
typedef struct plait_queue_batch {
    void *buf;          /* gets their bytes; each item begins 16 bytes, or a multiple, behind buf */
    size_t cap;         /* room in buf */
    plait_bytes *items; /* gets where each of them is, and its size */
    size_t max_items;   /* room in items */
} plait_queue_batch;

/* An item that was leased. */
typedef struct plait_lease {
    const void *bytes; /* the item, aligned to 16 bytes; until plait_queue_ack */
    size_t size;
    unsigned attempts; /* how often it was leased, this time included: 1 at first */

    /* plait's own */
    uint32_t entry;
    uint64_t word;
    uint64_t parcel;
    plait_queue *queue;
    uint64_t spare[2];
} plait_lease;

/* Make a queue.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_queue_destroy.
 *   opts      options, or NULL.
 *   Blocks    no.
 *   From      any task. Tasks of other processes can use it when they were forked after the first
 *             queue, or other shared object, of the program was made.
 *   Errors    -EINVAL  ret is NULL; max_bytes is too small or too large, max_leases or lanes too
 *                      large.
 *             -ENOMEM  no memory.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *   Fork      usable in the child, and so is the queue.
 *   Since     0.1
 */
static inline int plait_queue_create(plait_queue **ret, const plait_queue_opts *opts);

/* plait_queue_create with the size of the options in words: what the inline function calls, for
 * bindings.
 *
 *   ret        as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   Blocks     as plait_queue_create.
 *   From       as plait_queue_create.
 *   Errors     as plait_queue_create.
 *   Fork       as plait_queue_create.
 *   Since      0.1
 */
PLAIT_API int plait_queue_create_sized(plait_queue **ret, const plait_queue_opts *opts,
                                       size_t opts_bytes);

static inline int plait_queue_create(plait_queue **ret, const plait_queue_opts *opts)
{
    return plait_queue_create_sized(ret, opts, sizeof *opts);
}

/* Free a queue, and what is in it. Tasks that wait in plait_queue_put, plait_queue_get or their
 * like are told -EPIPE. Of a queue in a segment only the handle is freed, and those are told who wait
 * with it in this process: the queue and what is in it stay, for as long as the segment.
 *
 *   queue     the queue; NULL is fine. No call on it may begin after this, in any process (in a
 *             segment: in this one), and none be under way but such as wait for an item, for room or
 *             in plait_queue_join.
 *   Blocks    until those who wait have left it; no longer than a second. (Its memory stays behind
 *             if one of them is stopped.)
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child: the queue is gone for all; in a segment, the child's handle is.
 *   Since     0.1
 */
PLAIT_API void plait_queue_destroy(plait_queue *queue);

/* Put an item; waits while the queue is full.
 *
 *   queue     the queue.
 *   bytes     the item, copied; the caller keeps its own. May be NULL when n is 0.
 *   n         its size.
 *   until     how long to wait.
 *   Blocks    until there is room or the deadline. A cancellation point. Whatever the deadline, a
 *             task that was stopped in the middle of a put is waited for, for 100 ms.
 *   From      any task; any process of the family.
 *   Errors    In each case nothing was put.
 *             -ETIMEDOUT  full until the deadline.
 *             -EPIPE      closed.
 *             -EMSGSIZE   larger than max_item_bytes.
 *             -EBUSY      the queue has a single producer, in another process that lives.
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     queue is NULL, or bytes is.
 *             -EBADMSG    in a segment: somebody has written over the queue.
 *             -ENOMEM     no memory for an item larger than half of max_bytes.
 *             -ENOMEM, -EUSERS  this process cannot join the family.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_queue_put(plait_queue *queue, const void *bytes, size_t n,
                              plait_deadline until);

/* Put an item into a lane; waits while that lane is full. plait_queue_put, plait_queue_put_many,
 * plait_queue_reserve and plait_queue_on_put use lane 0, which comes before all others: an item of
 * lane 1 is got when lane 0 has none.
 *
 *   queue     the queue.
 *   lane      which: 0 to plait_queue_opts.lanes - 1.
 *   bytes     the item, copied; the caller keeps its own. May be NULL when n is 0.
 *   n         its size.
 *   until     how long to wait.
 *   Blocks    as plait_queue_put.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue is NULL, or bytes is, or there is no such lane.
 *             -ETIMEDOUT, -EPIPE, -EMSGSIZE, -EBUSY, -ECANCELED, -EBADMSG, -ENOMEM, -EUSERS  as
 *             plait_queue_put.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_queue_put_lane(plait_queue *queue, unsigned lane, const void *bytes, size_t n,
                                   plait_deadline until);

/* Put many items, in their order; waits while the queue is full. Those of one call may have others'
 * between them.
 *
 *   queue     the queue.
 *   items     the items, copied.
 *   count     how many.
 *   until     how long to wait.
 *   Returns   how many were put: all, or fewer when the deadline came, the queue was closed, the
 *             caller was asked to end, or the next one is too large.
 *   Blocks    until there is room for all or the deadline. A cancellation point.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue, items or the bytes of an item are NULL.
 *             -ETIMEDOUT, -EPIPE, -EMSGSIZE, -EBUSY, -ECANCELED, -EBADMSG, -ENOMEM, -EUSERS  as
 *             plait_queue_put; nothing was put.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_queue_put_many(plait_queue *queue, const plait_bytes *items, size_t count,
                                       plait_deadline until);

/* Reserve room for an item, to be filled in its place; waits while the queue is full. The order of
 * the items is that of their reservation: what is put later is got after this one has been
 * committed or aborted, or this process has been killed.
 *
 *   queue     the queue.
 *   ret       gets where the item goes, aligned to 16 bytes; untouched on failure.
 *   n         the most bytes that the item will have.
 *   until     how long to wait.
 *   Blocks    until there is room or the deadline. A cancellation point.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue or ret is NULL.
 *             -ETIMEDOUT, -EPIPE, -EMSGSIZE, -EBUSY, -ECANCELED, -EBADMSG, -ENOMEM, -EUSERS  as
 *             plait_queue_put.
 *   Fork      usable in the child; but what was reserved before belongs to the parent.
 *   Since     0.1
 */
PLAIT_API int plait_queue_reserve(plait_queue *queue, void **ret, size_t n, plait_deadline until);

/* Put what was reserved.
 *
 *   queue     the queue.
 *   bytes     what plait_queue_reserve gave; not to be touched any more.
 *   n         the size of the item, at most what was reserved.
 *   Blocks    no.
 *   From      any task of the process that reserved it. Also when the queue was closed since.
 *   Errors    -EINVAL  queue is NULL, n is more than was reserved, or these bytes are not reserved
 *                      by this process.
 *   Fork      usable in the child for what it reserved itself.
 *   Since     0.1
 */
PLAIT_API int plait_queue_commit(plait_queue *queue, void *bytes, size_t n);

/* Give up what was reserved: there is no item.
 *
 *   queue     the queue.
 *   bytes     what plait_queue_reserve gave; not to be touched any more.
 *   Blocks    no.
 *   From      any task of the process that reserved it.
 *   Errors    -EINVAL  queue is NULL, or these bytes are not reserved by this process.
 *   Fork      usable in the child for what it reserved itself.
 *   Since     0.1
 */
PLAIT_API int plait_queue_abort(plait_queue *queue, void *bytes);

/* Get the first item; waits while there is none.
 *
 *   queue     the queue.
 *   buf       gets the item; may be NULL when cap is 0.
 *   cap       room in buf.
 *   until     how long to wait.
 *   Returns   the size of the item, which may be 0.
 *   Blocks    until there is an item or the deadline. A cancellation point. Whatever the deadline,
 *             a task that was stopped in the middle of a get is waited for, for 100 ms.
 *   From      any task; any process of the family.
 *   Errors    In each case nothing was taken.
 *             -ETIMEDOUT  empty until the deadline.
 *             -EPIPE      closed, and everything has been got; or shut down at once.
 *             -EMSGSIZE   the item is larger than cap. It stays the first; plait_queue_peek tells
 *                         its size.
 *             -EBUSY      the queue has a single consumer, in another process that lives.
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     queue is NULL, or buf is.
 *             -EBADMSG    in a segment: somebody has written over the queue.
 *             -ENOMEM, -EUSERS  this process cannot join the family.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_queue_get(plait_queue *queue, void *buf, size_t cap, plait_deadline until);

/* Get the first item, in memory of its size; waits while there is none.
 *
 *   queue     the queue.
 *   ret       gets the item, never NULL, for free(); untouched on failure.
 *   until     how long to wait.
 *   Returns   the size of the item.
 *   Blocks    as plait_queue_get.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue or ret is NULL.
 *             -ENOMEM  no memory for the item, which stays; or as plait_queue_get.
 *             -ETIMEDOUT, -EPIPE, -EBUSY, -ECANCELED, -EBADMSG, -EUSERS  as plait_queue_get.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_queue_get_alloc(plait_queue *queue, void **ret, plait_deadline until);

/* Get as many items as there are, at least one; waits while there is none.
 *
 *   queue     the queue.
 *   batch     where they go.
 *   until     how long to wait for the first.
 *   Returns   how many.
 *   Blocks    as plait_queue_get.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL    queue or batch is NULL, or there is no room for an item at all.
 *             -EMSGSIZE  the first item is larger than cap; it stays.
 *             -ETIMEDOUT, -EPIPE, -EBUSY, -ECANCELED, -EBADMSG, -ENOMEM, -EUSERS  as
 *             plait_queue_get.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_queue_get_many(plait_queue *queue, const plait_queue_batch *batch,
                                       plait_deadline until);

/* Look at the first item and leave it there; waits while there is none. The next get may find
 * another one, as others get too.
 *
 *   queue     the queue.
 *   buf       gets the item, or as much of it as fits; may be NULL when cap is 0.
 *   cap       room in buf.
 *   until     how long to wait.
 *   Returns   the size of the item, which may be more than cap.
 *   Blocks    as plait_queue_get.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue is NULL, or buf is.
 *             -ETIMEDOUT, -EPIPE, -EBUSY, -ECANCELED, -EBADMSG, -ENOMEM, -EUSERS  as
 *             plait_queue_get.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_queue_peek(plait_queue *queue, void *buf, size_t cap, plait_deadline until);

/* Take the first item, to be read in its place; waits while there is none. It counts as room that is
 * in use until it is released. If this process is killed before, the item is handed to somebody
 * else.
 *
 *   queue     the queue.
 *   ret       gets the item, aligned to 16 bytes; untouched on failure.
 *   until     how long to wait.
 *   Returns   the size of the item.
 *   Blocks    as plait_queue_get.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue or ret is NULL.
 *             -ETIMEDOUT, -EPIPE, -EBUSY, -ECANCELED, -EBADMSG, -ENOMEM, -EUSERS  as
 *             plait_queue_get.
 *   Fork      usable in the child; but what was borrowed before belongs to the parent.
 *   Since     0.1
 */
PLAIT_API ssize_t plait_queue_borrow(plait_queue *queue, const void **ret, plait_deadline until);

/* Release what was borrowed: it has been read.
 *
 *   queue     the queue.
 *   bytes     what plait_queue_borrow gave; not to be touched any more.
 *   Blocks    no.
 *   From      any task of the process that borrowed it.
 *   Errors    -EINVAL  queue is NULL, or these bytes are not borrowed by this process.
 *   Fork      usable in the child for what it borrowed itself.
 *   Since     0.1
 */
PLAIT_API int plait_queue_release(plait_queue *queue, const void *bytes);

/* Take the first item for good or until this process is killed, whichever comes first: what workers
 * do. It waits while there is no item, and while max_leases items are leased. The item is moved out
 * of the queue's ring, where it is no longer in anybody's way however long the work takes.
 *
 * If this process is killed before plait_queue_ack, whoever gets or leases next, 100 ms after the
 * proven death at the latest, gets the item, before all others; of several, that which was leased
 * first. It is never lost, and never in two hands. An item that was acked does not come again.
 * plait_queue_get and its like get such an item as well, without its count of attempts.
 *
 *   queue     the queue.
 *   ret       gets the item; untouched on failure. Ended by plait_queue_ack or plait_queue_nack.
 *   until     how long to wait.
 *   Blocks    as plait_queue_get.
 *   From      any task; any process of the family.
 *   Errors    In each case nothing was taken.
 *             -EINVAL  queue or ret is NULL.
 *             -ENOMEM  no memory for the item, which stays; or as plait_queue_get.
 *             -ETIMEDOUT, -EPIPE, -EBUSY, -ECANCELED, -EBADMSG, -EUSERS  as plait_queue_get. While another
 *             process has an item of a closed queue leased, that may come back: not -EPIPE yet.
 *   Fork      usable in the child; but what was leased before belongs to the parent.
 *   Since     0.1
 */
PLAIT_API int plait_queue_lease(plait_queue *queue, plait_lease *ret, plait_deadline until);

/* End a lease: the item has been dealt with, and is gone. This is not plait_queue_task_done, which
 * is to be said as well where somebody calls plait_queue_join.
 *
 *   lease     what plait_queue_lease gave, or a copy; its bytes are not to be touched any more.
 *   Blocks    no.
 *   From      any task of the process that leased it.
 *   Errors    -EINVAL  lease is NULL, or not leased by this process: ended already.
 *   Fork      usable in the child for what it leased itself.
 *   Since     0.1
 */
PLAIT_API int plait_queue_ack(const plait_lease *lease);

/* Give a leased item back, undone: it is the first of the queue again, as if this process had been
 * killed. (Who wants it to be the last puts it again and then acks it.)
 *
 *   lease     what plait_queue_lease gave, or a copy; its bytes are not to be touched any more.
 *   Blocks    no.
 *   From      any task of the process that leased it. Also when the queue was closed since.
 *   Errors    -EINVAL  lease is NULL, or not leased by this process: ended already.
 *   Fork      usable in the child for what it leased itself.
 *   Since     0.1
 */
PLAIT_API int plait_queue_nack(const plait_lease *lease);

/* How many items are in the queue: put or reserved, and not taken yet, or given back since. An
 * aborted one counts until those before it are taken.
 *
 *   queue     the queue; NULL has none.
 *   Returns   how many, at some moment during the call (of each lane, at its own); 0 after
 *             plait_queue_shutdown at once.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API size_t plait_queue_size(const plait_queue *queue);

/* Is nothing in the queue?
 *
 *   queue     the queue; NULL is empty.
 *   Returns   true when plait_queue_size is 0.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_queue_is_empty(const plait_queue *queue);

/* Would an item have to wait, however small?
 *
 *   queue     the queue; NULL is not full.
 *   Returns   true when there is no room, in none of its lanes, at some moment during the call.
 *             Items that are being got, or are borrowed, take room.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_queue_is_full(const plait_queue *queue);

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
PLAIT_API int plait_queue_close(plait_queue *queue);

/* Close the queue, and if wanted at once: then what is in it is not got any more either, and
 * plait_queue_join waits only for what had been got.
 *
 *   queue     the queue.
 *   immediate false: as plait_queue_close.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue is NULL.
 *   Fork      usable in the child: the queue is closed for all.
 *   Since     0.1
 */
PLAIT_API int plait_queue_shutdown(plait_queue *queue, bool immediate);

/* Say that an item that was got has been dealt with. Only plait_queue_join asks for it.
 *
 *   queue     the queue.
 *   Blocks    no.
 *   From      any task; any process of the family.
 *   Errors    -EINVAL  queue is NULL, or this was said for all items already.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_queue_task_done(plait_queue *queue);

/* Wait until plait_queue_task_done was called for each item that was ever put. An item that a killed
 * process had got is never done: use a deadline, and another means to know of its end.
 *
 *   queue     the queue.
 *   until     how long to wait.
 *   Blocks    until all is done or the deadline. A cancellation point.
 *   From      any task; any process of the family.
 *   Errors    -ETIMEDOUT  something is not done yet.
 *             -EPIPE      the queue was destroyed.
 *             -ECANCELED  the caller was asked to end.
 *             -EINVAL     queue is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_queue_join(plait_queue *queue, plait_deadline until);

PLAIT_END

#endif
