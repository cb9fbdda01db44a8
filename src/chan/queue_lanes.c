/* Getting from the lanes of a queue.
 * SPDX-License-Identifier: MIT
 *
 * Who gets tries one lane after the other. What is in his way in one of them, an item that is not
 * committed yet or one that the dead had borrowed, does not hold up the others; and so nobody might
 * ever wait for it, and then look thoroughly. Therefore a lane that is passed over, though something
 * is in it, is looked at thoroughly from time to time.
 */
#include "chan/queue.h"
#include "os/clock.h"

#include <errno.h>

#define LOOK_EVERY_NS INT64_C(50000000)

/* Has nobody looked thoroughly for a while? */
static bool is_time_to_look(plait_queue *queue)
{
    int64_t now = plait__os_now_ns();

    if (now < __atomic_load_n(&queue->look, __ATOMIC_RELAXED))
        return false;
    __atomic_store_n(&queue->look, now + LOOK_EVERY_NS, __ATOMIC_RELAXED);
    return true;
}

/* The lane of a single consumer is locked also when nothing is in it: nobody else gets. */
static bool is_worth_a_try(const struct plait__ring *lane, bool thorough)
{
    return thorough || lane->has_one_consumer || !plait__ring_is_idle(lane);
}

ssize_t plait__queue_first(plait_queue *queue, void *arg, struct plait__look look)
{
    const struct plait__queue_get *get = arg;
    struct plait__ring *first = &queue->ring;
    bool is_over = true;

    if (first->n_lanes == 1)
        return get->from(first, get->arg, look);
    for (uint32_t i = 0; i < first->n_lanes; i++) {
        struct plait__ring *lane = plait__ring_lane(first, i);
        bool is_tried = is_worth_a_try(lane, look.thorough);
        ssize_t rc = is_tried ? get->from(lane, get->arg, look) : -EAGAIN;
        if (rc == -EAGAIN && is_tried && !look.thorough && is_time_to_look(queue)) {
            look.thorough = true;
            rc = get->from(lane, get->arg, look);
        }
        if (rc != -EAGAIN && rc != -EPIPE)
            return rc;
        if (i == 0 && (rc == -EPIPE || plait__ring_is_closed(lane)))
            plait__ring_follow_first(lane);
        is_over = is_over && rc == -EPIPE;
    }
    return is_over ? -EPIPE : -EAGAIN;
}

size_t plait__queue_get_more(plait_queue *queue, const plait_queue_batch *batch, size_t n)
{
    const struct plait__look look = { PLAIT_NOWAIT, false };

    for (uint32_t i = 0; i < queue->ring.n_lanes && n < batch->max_items; i++) {
        struct plait__ring *lane = plait__ring_lane(&queue->ring, i);
        const plait_bytes *last = &batch->items[n - 1];
        size_t used = (size_t)((const char *)last->bytes - (const char *)batch->buf) +
                      (last->size + 15) / 16 * 16;
        plait_queue_batch rest = { (char *)batch->buf + used, batch->cap - used, batch->items + n,
                                   batch->max_items - n };
        ssize_t rc;
        if (used >= batch->cap)
            break;
        rc = is_worth_a_try(lane, false) ? plait__ring_get_many(lane, &rest, look) : -EAGAIN;
        if (rc == -EMSGSIZE) /* it is the next one */
            break;
        n += rc > 0 ? (size_t)rc : 0;
    }
    return n;
}
