/* Queues.
 * SPDX-License-Identifier: MIT
 *
 * Each call tries the ring; what would have to wait goes to queue_wait.c. The calls on a queue of one
 * process go to queue_own.c.
 */
#include "chan/queue.h"
#include "base/opts.h"
#include "chan/queue_own.h"
#include "family/heap.h"
#include "family/member.h"

#include <plait/shared.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first look: asks nobody. */
static struct plait__look first_look(plait_deadline until)
{
    return (struct plait__look){ until, false };
}

/* ---- making and ending ---- */

int plait_queue_create_sized(plait_queue **ret, const plait_queue_opts *opts, size_t opts_bytes)
{
    plait_queue_opts ours;
    struct plait__ring plan;
    plait_queue *queue;
    size_t handle;
    void *block;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc == 0)
        rc = ret == NULL ? -EINVAL : plait__ring_plan(&plan, &ours, false);
    if (rc == 0 && ours.one_process)
        return plait__own_create(ret, &plan);
    if (rc == 0)
        rc = plait__member_join();
    if (rc < 0)
        return rc;
    handle = plait__queue_handle_bytes(&plan);
    block = plait__heap_alloc(handle + plait__ring_bytes(&plan) + PLAIT__RING_LINE);
    if (block == NULL)
        return -ENOMEM;
    queue = plait__queue_align(block);
    plait__queue_make(queue, block, &plan, (char *)queue + handle);
    plait__ring_clear(&queue->ring);
    *ret = queue;
    return 0;
}

/* In the family the queue ends for all; in a segment, what this process has of it. */
void plait_queue_destroy(plait_queue *queue)
{
    if (queue == NULL)
        return;
    if (plait__queue_is_own(queue)) {
        plait__own_destroy(queue);
        return;
    }
    __atomic_store_n(&queue->is_destroyed, 1, __ATOMIC_SEQ_CST);
    if (queue->ring.in_segment)
        plait__ring_wake_all(&queue->ring);
    else
        plait__ring_drop(&queue->ring);
    if (!plait__visits_are_over(&queue->visits))
        return;
    if (queue->ring.in_segment) {
        free(queue->block);
        return;
    }
    plait__ring_fini(&queue->ring);
    plait_shared_free(queue->block);
}

int plait_queue_close(plait_queue *queue)
{
    if (queue == NULL)
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_close(queue, false);
    plait__ring_close(&queue->ring);
    return 0;
}

int plait_queue_shutdown(plait_queue *queue, bool immediate)
{
    if (queue == NULL)
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_close(queue, immediate);
    if (immediate)
        plait__ring_drop(&queue->ring);
    else
        plait__ring_close(&queue->ring);
    return 0;
}

/* ---- putting ---- */

struct items {
    struct plait__ring *lane;
    const plait_bytes *items;
    size_t count;
};

static ssize_t try_put(plait_queue *queue, void *arg, struct plait__look look)
{
    const struct items *items = arg;

    (void)queue;
    return plait__ring_put_many(items->lane, items->items, items->count, look);
}

/* Apart from its callers, which stay the faster. */
static __attribute__((noinline)) ssize_t put_slowly(plait_queue *queue, unsigned lane,
                                                    const plait_bytes *items, size_t count,
                                                    plait_deadline until)
{
    struct plait__ring *ring = plait__ring_lane(&queue->ring, lane);
    struct items arg = { ring, items, count };
    struct plait__queue_call call = { PLAIT__QUEUE_PUTS, try_put, &arg, ring, items[0].size };

    return plait__queue_wait(queue, &call, until);
}

static __attribute__((noinline)) int put(plait_queue *queue, const void *bytes, size_t n,
                                         plait_deadline until)
{
    const plait_bytes item = { bytes, n };
    ssize_t rc = plait__ring_put_many(&queue->ring, &item, 1, first_look(until));

    if (rc == -EAGAIN)
        rc = put_slowly(queue, 0, &item, 1, until);
    return rc < 0 ? (int)rc : 0;
}

int plait_queue_put(plait_queue *queue, const void *bytes, size_t n, plait_deadline until)
{
    if (queue == NULL || (bytes == NULL && n > 0))
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_put(queue, 0, bytes, n, until);
    return put(queue, bytes, n, until);
}

int plait_queue_put_lane(plait_queue *queue, unsigned lane, const void *bytes, size_t n,
                         plait_deadline until)
{
    const plait_bytes item = { bytes, n };
    ssize_t rc;

    if (queue == NULL || (bytes == NULL && n > 0))
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_put(queue, lane, bytes, n, until);
    if (lane >= queue->ring.n_lanes)
        return -EINVAL;
    rc = plait__ring_put_many(plait__ring_lane(&queue->ring, lane), &item, 1, first_look(until));
    if (rc == -EAGAIN)
        rc = put_slowly(queue, lane, &item, 1, until);
    return rc < 0 ? (int)rc : 0;
}

static ssize_t put_each(plait_queue *queue, const plait_bytes *items, size_t count,
                        plait_deadline until)
{
    ssize_t n = 0;
    int rc = 0;

    while ((size_t)n < count && rc == 0) {
        rc = plait__own_put(queue, 0, items[n].bytes, items[n].size, until);
        n += rc == 0;
    }
    return n > 0 ? n : rc;
}

ssize_t plait_queue_put_many(plait_queue *queue, const plait_bytes *items, size_t count,
                             plait_deadline until)
{
    size_t n = 0;
    ssize_t rc = 0;

    if (queue == NULL || items == NULL)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (items[i].bytes == NULL && items[i].size > 0)
            return -EINVAL;
    if (plait__queue_is_own(queue))
        return put_each(queue, items, count, until);
    while (n < count && rc >= 0) {
        rc = plait__ring_put_many(&queue->ring, items + n, count - n, first_look(until));
        if (rc == -EAGAIN)
            rc = put_slowly(queue, 0, items + n, count - n, until);
        n += rc > 0 ? (size_t)rc : 0;
    }
    return n > 0 ? (ssize_t)n : rc;
}

struct reservation {
    void *bytes;
    size_t n;
};

static ssize_t try_reserve(plait_queue *queue, void *arg, struct plait__look look)
{
    struct reservation *reservation = arg;

    return plait__ring_reserve(&queue->ring, &reservation->bytes, reservation->n, look);
}

int plait_queue_reserve(plait_queue *queue, void **ret, size_t n, plait_deadline until)
{
    struct reservation arg = { NULL, n };
    struct plait__queue_call call = { PLAIT__QUEUE_PUTS, try_reserve, &arg, NULL, n };
    ssize_t rc;

    if (queue == NULL || ret == NULL)
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_reserve(queue, ret, n, until);
    call.lane = &queue->ring;
    rc = try_reserve(queue, &arg, first_look(until));
    if (rc == -EAGAIN)
        rc = plait__queue_wait(queue, &call, until);
    if (rc == 0)
        *ret = arg.bytes;
    return (int)rc;
}

int plait_queue_commit(plait_queue *queue, void *bytes, size_t n)
{
    if (queue == NULL)
        return -EINVAL;
    return plait__queue_is_own(queue) ? plait__own_commit(queue, bytes, n)
                                      : plait__ring_commit(&queue->ring, bytes, n);
}

int plait_queue_abort(plait_queue *queue, void *bytes)
{
    if (queue == NULL)
        return -EINVAL;
    return plait__queue_is_own(queue) ? plait__own_abort(queue, bytes)
                                      : plait__ring_abort(&queue->ring, bytes);
}

/* ---- getting ---- */

struct room {
    void *buf;
    size_t cap;
};

static ssize_t get_from(struct plait__ring *lane, void *arg, struct plait__look look)
{
    const struct room *room = arg;

    return plait__ring_get(lane, room->buf, room->cap, look);
}

static ssize_t peek_from(struct plait__ring *lane, void *arg, struct plait__look look)
{
    const struct room *room = arg;

    return plait__ring_peek(lane, room->buf, room->cap, look);
}

static ssize_t get_many_from(struct plait__ring *lane, void *arg, struct plait__look look)
{
    return plait__ring_get_many(lane, arg, look);
}

static ssize_t borrow_from(struct plait__ring *lane, void *arg, struct plait__look look)
{
    return plait__ring_borrow(lane, arg, look);
}

static ssize_t lease_from(struct plait__ring *lane, void *arg, struct plait__look look)
{
    return plait__ring_lease(lane, arg, look);
}

/* The first lane said this: are there others, do we wait? */
static ssize_t get_slowly(plait_queue *queue, ssize_t rc, struct plait__queue_get get,
                          plait_deadline until)
{
    struct plait__queue_call call = { .side = PLAIT__QUEUE_GETS,
                                      .attempt = plait__queue_first,
                                      .arg = &get };

    if ((rc == -EAGAIN || rc == -EPIPE) && queue->ring.n_lanes > 1)
        rc = plait__queue_first(queue, &get, first_look(until));
    return rc == -EAGAIN ? plait__queue_wait(queue, &call, until) : rc;
}

static __attribute__((noinline)) ssize_t get(plait_queue *queue, void *buf, size_t cap,
                                             plait_deadline until)
{
    struct room room = { buf, cap };
    ssize_t rc = plait__ring_get(&queue->ring, buf, cap, first_look(until));

    return rc >= 0 ? rc
                   : get_slowly(queue, rc, (struct plait__queue_get){ get_from, &room }, until);
}

ssize_t plait_queue_get(plait_queue *queue, void *buf, size_t cap, plait_deadline until)
{
    if (queue == NULL || (buf == NULL && cap > 0))
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_get(queue, buf, cap, until);
    return get(queue, buf, cap, until);
}

ssize_t plait_queue_peek(plait_queue *queue, void *buf, size_t cap, plait_deadline until)
{
    struct room room = { buf, cap };
    ssize_t rc;

    if (queue == NULL || (buf == NULL && cap > 0))
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_peek(queue, buf, cap, until);
    rc = plait__ring_peek(&queue->ring, buf, cap, first_look(until));
    return rc >= 0 ? rc
                   : get_slowly(queue, rc, (struct plait__queue_get){ peek_from, &room }, until);
}

/* In a segment each item may be written over as soon as its size is known; but not always. */
static bool is_hopeless(const plait_queue *queue, unsigned round)
{
    return !plait__queue_is_own(queue) && queue->ring.in_segment && round == 1000;
}

ssize_t plait_queue_get_alloc(plait_queue *queue, void **ret, plait_deadline until)
{
    ssize_t n = ret == NULL ? -EINVAL : plait_queue_peek(queue, NULL, 0, until);

    for (unsigned round = 0; n >= 0; round++) {
        size_t cap = (size_t)n;
        void *buf = malloc(cap > 0 ? cap : 1);
        if (buf == NULL)
            return -ENOMEM;
        n = plait_queue_get(queue, buf, cap, until);
        if (n >= 0) {
            *ret = buf;
            return n;
        }
        free(buf);
        if (n == -EMSGSIZE) /* somebody else got what we looked at */
            n = is_hopeless(queue, round) ? -EBADMSG : plait_queue_peek(queue, NULL, 0, until);
    }
    return n;
}

ssize_t plait_queue_get_many(plait_queue *queue, const plait_queue_batch *batch,
                             plait_deadline until)
{
    plait_queue_batch ours;
    ssize_t rc;

    if (queue == NULL || batch == NULL || batch->max_items == 0 || batch->items == NULL ||
        (batch->buf == NULL && batch->cap > 0))
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_get_many(queue, batch, until);
    ours = *batch;
    rc = plait__ring_get_many(&queue->ring, &ours, first_look(until));
    if (rc < 0)
        rc = get_slowly(queue, rc, (struct plait__queue_get){ get_many_from, &ours }, until);
    if (rc > 0 && queue->ring.n_lanes > 1)
        rc = (ssize_t)plait__queue_get_more(queue, &ours, (size_t)rc);
    return rc;
}

ssize_t plait_queue_borrow(plait_queue *queue, const void **ret, plait_deadline until)
{
    const void *bytes = NULL;
    ssize_t rc;

    if (queue == NULL || ret == NULL)
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_borrow(queue, ret, until);
    rc = plait__ring_borrow(&queue->ring, &bytes, first_look(until));
    if (rc < 0)
        rc = get_slowly(queue, rc, (struct plait__queue_get){ borrow_from, &bytes }, until);
    if (rc >= 0)
        *ret = bytes;
    return rc;
}

int plait_queue_release(plait_queue *queue, const void *bytes)
{
    int rc;

    if (queue == NULL)
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_release(queue, bytes);
    rc = plait__ring_release(&queue->ring, bytes);
    for (uint32_t i = 1; rc == -EINVAL && i < queue->ring.n_lanes; i++)
        rc = plait__ring_release(plait__ring_lane(&queue->ring, i), bytes);
    return rc;
}

int plait_queue_lease(plait_queue *queue, plait_lease *ret, plait_deadline until)
{
    plait_lease lease = { .queue = queue };
    ssize_t rc;

    if (queue == NULL || ret == NULL)
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_lease(queue, ret, until);
    rc = plait__ring_lease(&queue->ring, &lease, first_look(until));
    if (rc < 0)
        rc = get_slowly(queue, rc, (struct plait__queue_get){ lease_from, &lease }, until);
    if (rc == 0)
        *ret = lease;
    return (int)rc;
}

int plait_queue_ack(const plait_lease *lease)
{
    if (lease == NULL || lease->queue == NULL)
        return -EINVAL;
    return plait__queue_is_own(lease->queue) ? plait__own_end_lease(lease, false)
                                             : plait__ring_ack(&lease->queue->ring, lease);
}

int plait_queue_nack(const plait_lease *lease)
{
    if (lease == NULL || lease->queue == NULL)
        return -EINVAL;
    return plait__queue_is_own(lease->queue) ? plait__own_end_lease(lease, true)
                                             : plait__ring_nack(&lease->queue->ring, lease);
}

/* ---- looking ---- */

size_t plait_queue_size(const plait_queue *queue)
{
    if (queue == NULL)
        return 0;
    return plait__queue_is_own(queue) ? plait__own_size(queue) : plait__ring_size(&queue->ring);
}

bool plait_queue_is_empty(const plait_queue *queue)
{
    return plait_queue_size(queue) == 0;
}

bool plait_queue_is_full(const plait_queue *queue)
{
    bool is_full = queue != NULL;

    if (is_full && plait__queue_is_own(queue))
        return plait__own_is_full(queue);
    for (uint32_t i = 0; is_full && i < queue->ring.n_lanes; i++)
        is_full = !plait__ring_has_room(plait__ring_lane(&queue->ring, i), 0);
    return is_full;
}

/* ---- joining ---- */

static ssize_t try_join(plait_queue *queue, void *arg, struct plait__look look)
{
    (void)arg;
    (void)look;
    if (__atomic_load_n(&queue->is_destroyed, __ATOMIC_SEQ_CST))
        return -EPIPE;
    return plait__ring_unfinished(&queue->ring) == 0 ? 0 : -EAGAIN;
}

int plait_queue_task_done(plait_queue *queue)
{
    if (queue == NULL)
        return -EINVAL;
    return plait__queue_is_own(queue) ? plait__own_task_done(queue)
                                      : plait__ring_task_done(&queue->ring);
}

int plait_queue_join(plait_queue *queue, plait_deadline until)
{
    struct plait__queue_call call = { .side = PLAIT__QUEUE_JOINS, .attempt = try_join };
    ssize_t rc;

    if (queue == NULL)
        return -EINVAL;
    if (plait__queue_is_own(queue))
        return plait__own_join(queue, until);
    rc = plait__member_join();
    if (rc == 0)
        rc = try_join(queue, NULL, first_look(until));
    if (rc == -EAGAIN)
        rc = plait__queue_wait(queue, &call, until);
    return (int)rc;
}
