/* Queues in named segments: unrelated programs put items and get them.
 * SPDX-License-Identifier: MIT
 *
 *     plait_queue_opts opts = {.max_items = 100}; // the same in all programs
 *     plait_queue *queue = NULL;
 *     size_t bytes = 0;
 *     void *block = NULL;
 *     int rc = plait_queue_bytes(&opts, &bytes);
 *     if (rc == 0)
 *         rc = plait_segment_get(segment, &block, "jobs", bytes, PLAIT_FOREVER);
 *     if (rc == 0)
 *         rc = plait_queue_attach(&queue, block, bytes, &opts);
 *     ...
 *     rc = plait_queue_put(queue, "hello", 6, plait_after_ms(500)); // all of plait/queue.h
 *     ...
 *     plait_queue_destroy(queue); // the handle: the queue stays there
 *     plait_segment_close(segment);
 *
 * Whoever comes first makes the queue, and it lives as long as its segment. All that plait/queue.h
 * says goes for it, also of those who are killed, but that no item is larger than half of max_bytes
 * (-EMSGSIZE). A lease waits also while there is no room for the item: leased items of more than 208
 * bytes together take at most as much as the queue has. A single producer or consumer is that one
 * until it ends or closes the segment.
 *
 * Those who share it need not trust each other in one thing: whatever one of them writes there, or
 * anywhere in the segment, no function here reads or writes outside of the queue, or lasts longer
 * than its deadline lets it. What makes no sense is -EBADMSG. But items can be lost, or come that
 * nobody has put; and what is read in its place (plait_queue_borrow, plait_queue_lease) may change
 * while it is read.
 */
#ifndef PLAIT_SEGMENT_QUEUE_H
#define PLAIT_SEGMENT_QUEUE_H

#include <plait/export.h>
#include <plait/queue.h>
#include <plait/segment.h>

#include <stddef.h>

PLAIT_BEGIN

/* How many bytes a queue takes in a segment: for plait_segment_get.
 *
 *   opts      options, or NULL.
 *   ret       gets them; untouched on failure.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  ret is NULL; max_bytes is too small or too large, max_leases, lanes or
 *                      max_item_bytes too large.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline int plait_queue_bytes(const plait_queue_opts *opts, size_t *ret);

/* plait_queue_bytes with the size of the options in words: what the inline function calls, for
 * bindings.
 *
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   ret        as there.
 *   Blocks     as plait_queue_bytes.
 *   From       as plait_queue_bytes.
 *   Errors     as plait_queue_bytes.
 *   Fork       as plait_queue_bytes.
 *   Since      0.1
 */
PLAIT_API int plait_queue_bytes_sized(const plait_queue_opts *opts, size_t opts_bytes, size_t *ret);

static inline int plait_queue_bytes(const plait_queue_opts *opts, size_t *ret)
{
    return plait_queue_bytes_sized(opts, sizeof *opts, ret);
}

/* Use the queue in a block of a segment; a block of zeroes becomes an empty one. All who use it say
 * the same options.
 *
 *   ret       gets the handle, of this process alone; untouched on failure. Given back by
 *             plait_queue_destroy, before the segment is closed.
 *   block     what plait_segment_get gave, or plait_segment_at.
 *   bytes     its size: at least what plait_queue_bytes says.
 *   opts      options, or NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -ERANGE  the queue was made with other options.
 *             -EBADMSG what is there is no queue.
 *             -EINVAL  ret or block is NULL; it is in no segment, or not all of it; or as
 *                      plait_queue_bytes.
 *             -ENOSPC  the block is too small.
 *             -ENOMEM  no memory.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *   Fork      usable in the child, and so is the handle: a child has one of its own.
 *   Since     0.1
 */
static inline int plait_queue_attach(plait_queue **ret, void *block, size_t bytes,
                                     const plait_queue_opts *opts);

/* plait_queue_attach with the size of the options in words: what the inline function calls, for
 * bindings.
 *
 *   ret        as there.
 *   block      as there.
 *   bytes      as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   Blocks     as plait_queue_attach.
 *   From       as plait_queue_attach.
 *   Errors     as plait_queue_attach.
 *   Fork       as plait_queue_attach.
 *   Since      0.1
 */
PLAIT_API int plait_queue_attach_sized(plait_queue **ret, void *block, size_t bytes,
                                       const plait_queue_opts *opts, size_t opts_bytes);

static inline int plait_queue_attach(plait_queue **ret, void *block, size_t bytes,
                                     const plait_queue_opts *opts)
{
    return plait_queue_attach_sized(ret, block, bytes, opts, sizeof *opts);
}

PLAIT_END

#endif
