/* Queues to be selected on.
 * SPDX-License-Identifier: MIT
 *
 * A select waits as a get or a put does (queue_wait.c), but takes nothing. It looks whether the call
 * it stands for would wait.
 */
#include "chan/queue.h"
#include "chan/queue_own.h"
#include "family/member.h"
#include "wait/waitable.h"

#include <errno.h>

/* What the watch remembers: that it has a visit, and which. */
#define HAS_VISIT (UINT64_C(1) << 32)

static int enter(plait_queue *queue, struct plait__watch *watch)
{
    int rc;

    if (watch->state & HAS_VISIT)
        return 0;
    rc = plait__member_join();
    if (rc == 0)
        watch->state = HAS_VISIT | plait__visits_enter(&queue->visits);
    return rc;
}

static int check_destroyed(const plait_queue *queue)
{
    return __atomic_load_n(&queue->is_destroyed, __ATOMIC_SEQ_CST) ? -EPIPE : 0;
}

/* ---- getting ---- */

static ssize_t peek(struct plait__ring *lane, void *arg, struct plait__look look)
{
    (void)arg;
    return plait__ring_peek(lane, NULL, 0, look);
}

/* Not what plait__ring_may_get says: an item that is not committed is there, but not to be had, and
 * who is told of it would ask again and again. */
static int has_item(plait_queue *queue, bool thorough)
{
    struct plait__look look = { PLAIT_NOWAIT, thorough };
    struct plait__queue_get get = { peek, NULL };
    ssize_t rc = -EAGAIN;

    /* seq_cst: the partner of who puts, and then looks at the bell; may_get sees no less */
    for (uint32_t i = 0; i < queue->ring.n_lanes; i++)
        (void)__atomic_load_n(&plait__ring_lane(&queue->ring, i)->shared->tail, __ATOMIC_SEQ_CST);
    if (thorough || plait__ring_may_get(&queue->ring))
        rc = plait__queue_first(queue, &get, look);
    if (rc == -EAGAIN || rc == -ETIMEDOUT) /* -ETIMEDOUT: of its lock */
        return 0;
    return rc == -ECANCELED || rc == -ENOMEM || rc == -EUSERS ? (int)rc : 1;
}

static int look_get(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    plait_queue *queue = on->object;
    int rc = how.glance || how.will_sleep ? enter(queue, watch) : 0;

    if (rc == 0 && how.will_sleep) {
        watch->word = &queue->ring.shared->get_bell;
        watch->expected = plait__ring_announce(&queue->ring, watch->word);
        watch->in_slices = true;
    }
    if (rc == 0)
        rc = check_destroyed(queue);
    if (rc < 0)
        return rc;
    return how.glance ? plait__ring_may_get(&queue->ring) : has_item(queue, how.thorough);
}

static void leave_get(const plait_waitable *on, struct plait__watch *watch)
{
    plait_queue *queue = on->object;

    if (!(watch->state & HAS_VISIT))
        return;
    if (plait__bell_awaited(&queue->ring.shared->get_bell) && plait__ring_may_get(&queue->ring))
        plait__bell_ring(&queue->ring.shared->get_bell);
    plait__visits_leave(&queue->visits, (unsigned)watch->state);
}

static int look_get_own(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    return plait__own_look(on->object, watch, how);
}

static void leave_own(const plait_waitable *on, struct plait__watch *watch)
{
    plait__own_leave(on->object, watch);
}

int plait_queue_on_get(plait_waitable *ret, plait_queue *queue)
{
    static const struct plait__waitable_ops ops = { look_get, leave_get, true },
                                            own_ops = { look_get_own, leave_own, true };

    if (ret == NULL || queue == NULL)
        return -EINVAL;
    plait__waitable_make(ret, plait__queue_is_own(queue) ? &own_ops : &ops, queue, 0);
    return 0;
}

/* ---- putting ---- */

/* Also when the put would be refused at once. */
static bool may_put(const plait_queue *queue, size_t n)
{
    /* seq_cst: the partner of who frees, and then looks at the bell; may_put sees no less */
    (void)__atomic_load_n(&queue->ring.shared->free, __ATOMIC_SEQ_CST);
    return n > queue->ring.max_item_bytes || plait__ring_may_put(&queue->ring, n);
}

static int look_put(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    plait_queue *queue = on->object;
    int rc = how.glance || how.will_sleep ? enter(queue, watch) : 0;

    if (rc == 0 && how.will_sleep) {
        watch->word = &queue->ring.shared->put_bell;
        watch->expected = plait__ring_announce_put(&queue->ring, on->arg, how.thorough);
        watch->in_slices = true;
    } else if (rc == 0 && how.thorough) {
        plait__ring_tidy(&queue->ring, true);
    }
    if (rc == 0)
        rc = check_destroyed(queue);
    return rc < 0 ? rc : may_put(queue, on->arg);
}

static void leave_put(const plait_waitable *on, struct plait__watch *watch)
{
    plait_queue *queue = on->object;

    if (!(watch->state & HAS_VISIT))
        return;
    /* others may sleep for less than we wanted */
    if (plait__bell_awaited(&queue->ring.shared->put_bell) && plait__ring_may_put(&queue->ring, 0))
        plait__bell_ring(&queue->ring.shared->put_bell);
    plait__visits_leave(&queue->visits, (unsigned)watch->state);
}

static int look_put_own(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    return plait__own_look_put(on->object, watch, how, on->arg);
}

int plait_queue_on_put(plait_waitable *ret, plait_queue *queue, size_t n)
{
    static const struct plait__waitable_ops ops = { look_put, leave_put, true },
                                            own_ops = { look_put_own, leave_own, true };

    if (ret == NULL || queue == NULL)
        return -EINVAL;
    plait__waitable_make(ret, plait__queue_is_own(queue) ? &own_ops : &ops, queue, n);
    return 0;
}
