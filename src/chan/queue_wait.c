/* Waiting at a queue.
 * SPDX-License-Identifier: MIT
 *
 * A waiting task looks for a moment, as most waits are shorter than a sleep, then sleeps in slices.
 * After a slice in which nobody rang it looks thoroughly: at what the dead left behind.
 */
#include "base/time.h"
#include "chan/queue.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "wait/wait.h"

#include <errno.h>

enum {
    SPINS = 400,       /* looks before the first sleep */
    SPINS_A_LOOK = 15, /* that a look with the lock counts more */
};

static uint32_t *bell_of(plait_queue *queue, const struct plait__queue_call *call)
{
    switch (call->side) {
    case PLAIT__QUEUE_GETS:
        return &queue->ring.shared->get_bell;
    case PLAIT__QUEUE_PUTS:
        return &call->lane->shared->put_bell;
    case PLAIT__QUEUE_JOINS:
        break;
    }
    return &queue->ring.shared->join_bell;
}

static bool may_succeed(plait_queue *queue, const struct plait__queue_call *call)
{
    switch (call->side) {
    case PLAIT__QUEUE_GETS:
        return plait__ring_may_get(&queue->ring);
    case PLAIT__QUEUE_PUTS:
        return plait__ring_may_put(call->lane, call->bytes);
    case PLAIT__QUEUE_JOINS:
        break;
    }
    return plait__ring_unfinished(&queue->ring) == 0;
}

/* What the dead left in the way of those who join. */
static void tidy_all(plait_queue *queue)
{
    for (uint32_t i = 0; i < queue->ring.n_lanes; i++)
        plait__ring_tidy(plait__ring_lane(&queue->ring, i), true);
}

static uint32_t announce(plait_queue *queue, const struct plait__queue_call *call, bool thorough)
{
    if (thorough)
        plait__ring_follow_first(&queue->ring);
    if (call->side == PLAIT__QUEUE_PUTS)
        return plait__ring_announce_put(call->lane, call->bytes, thorough);
    if (thorough && call->side == PLAIT__QUEUE_JOINS)
        tidy_all(queue);
    return plait__ring_announce(&queue->ring, bell_of(queue, call));
}

static ssize_t spin(plait_queue *queue, const struct plait__queue_call *call, plait_deadline until)
{
    for (int i = 0; i < SPINS; i++) {
        plait__os_cpu_relax();
        if (may_succeed(queue, call)) {
            ssize_t rc = call->attempt(queue, call->arg, (struct plait__look){ until, false });
            if (rc != -EAGAIN)
                return rc;
            i += SPINS_A_LOOK;
        }
    }
    return -EAGAIN;
}

static ssize_t sleep_and_try(plait_queue *queue, const struct plait__queue_call *call,
                             plait_deadline until)
{
    uint32_t *bell = bell_of(queue, call);
    struct plait__look look = { until, false };
    bool is_last = false;

    for (unsigned round = 0;; round++) {
        uint32_t seen = announce(queue, call, look.thorough);
        ssize_t rc = call->attempt(queue, call->arg, look);
        plait_deadline soon;
        int64_t now;
        int woken;
        if (rc != -EAGAIN)
            return rc;
        if (__atomic_load_n(&queue->is_destroyed, __ATOMIC_SEQ_CST))
            return -EPIPE;
        if (is_last)
            return -ETIMEDOUT;
        now = plait__os_now_ns();
        soon = plait__deadline_after(now, plait__slice_ns(round));
        plait__say_wait(PLAIT__ON_QUEUE, bell);
        woken = plait__wait_word(bell, seen, plait__deadline_earlier(until, soon));
        if (woken < 0 && woken != -ETIMEDOUT) {
            announce(queue, call, false); /* a wake may have been ours: the caller passes it on */
            return woken;
        }
        /* in a segment the bell may be rung for ever */
        is_last = woken == -ETIMEDOUT ? plait_left_ns(until) == 0 : until.ns <= now;
        look.thorough = woken == -ETIMEDOUT || is_last;
    }
}

/* There is no time to wait; but what the dead left behind is not in the way. */
static ssize_t try_at_once(plait_queue *queue, const struct plait__queue_call *call,
                           plait_deadline until)
{
    ssize_t rc;

    if (call->side == PLAIT__QUEUE_PUTS)
        plait__ring_tidy(call->lane, true);
    else if (call->side == PLAIT__QUEUE_JOINS)
        tidy_all(queue);
    rc = call->attempt(queue, call->arg, (struct plait__look){ until, true });
    return rc == -EAGAIN ? -ETIMEDOUT : rc;
}

ssize_t plait__queue_wait(plait_queue *queue, const struct plait__queue_call *call,
                          plait_deadline until)
{
    struct plait__queue_call call_for_less = *call;
    uint32_t *bell = bell_of(queue, call);
    unsigned visit;
    ssize_t rc;

    until = plait__until_here(until);
    if (plait_left_ns(until) == 0)
        return try_at_once(queue, call, until);
    visit = plait__visits_enter(&queue->visits);
    rc = plait__may_spin() ? spin(queue, call, until) : -EAGAIN;
    if (rc == -EAGAIN)
        rc = sleep_and_try(queue, call, until);
    /* the wake may have been ours, and others sleep on it, perhaps for less than we wanted */
    call_for_less.bytes = 0;
    if (plait__bell_awaited(bell) != 0 && may_succeed(queue, &call_for_less))
        plait__bell_ring(bell);
    plait__visits_leave(&queue->visits, visit);
    return rc;
}
