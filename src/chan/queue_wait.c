/* Waiting at a queue.
 * SPDX-License-Identifier: MIT
 *
 * A waiting task looks for a moment, as most waits are shorter than a sleep, then sleeps in slices.
 * After a slice in which nobody rang it looks thoroughly: at what the dead left behind.
 *
 * Who waits is on a list in the queue, so that a destroy knows when all have left. An entry names
 * its process: that of a dead one is void.
 */
#include "base/time.h"
#include "chan/queue.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "wait/wait.h"

#include <errno.h>

enum {
    SPINS = 400,       /* looks before the first sleep */
    SPINS_A_LOOK = 15, /* that a look with the lock counts more */
    LEAVING_MS = 1000, /* how long a destroy waits for those who wait */
    NOBODY = PLAIT__QUEUE_VISITS,
};

/* How long one sleep may last: soon at first, at most 100 ms. */
static const int64_t slices_ns[] = { 1000 * 1000, 10 * 1000 * 1000, 50 * 1000 * 1000,
                                     100 * 1000 * 1000 };

/* ---- who is here ---- */

static bool change(uint64_t *word, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Is it ours, or can it be? */
static bool visit_is_for(uint64_t visit, uint32_t self, bool of_dead)
{
    if ((uint32_t)visit == self || visit == 0)
        return true;
    return of_dead && plait__member_is_dead((uint32_t)visit);
}

unsigned plait__queue_enter(plait_queue *queue)
{
    uint32_t self = plait__member_self();

    for (unsigned i = 0; i < 2 * PLAIT__QUEUE_VISITS; i++) {
        unsigned at = (self + i) % PLAIT__QUEUE_VISITS;
        uint64_t visit = __atomic_load_n(&queue->visits[at], __ATOMIC_SEQ_CST);
        while (visit_is_for(visit, self, i >= PLAIT__QUEUE_VISITS)) {
            uint64_t count = (uint32_t)visit == self ? visit >> 32 : 0;
            if (change(&queue->visits[at], visit, (count + 1) << 32 | self))
                return at;
            visit = __atomic_load_n(&queue->visits[at], __ATOMIC_SEQ_CST);
        }
    }
    __atomic_store_n(&queue->had_strays, 1, __ATOMIC_SEQ_CST);
    return NOBODY;
}

void plait__queue_leave(plait_queue *queue, unsigned at)
{
    uint64_t visit, next;

    if (at == NOBODY)
        return;
    do {
        visit = __atomic_load_n(&queue->visits[at], __ATOMIC_SEQ_CST);
        next = visit >> 32 == 1 ? 0 : visit - (UINT64_C(1) << 32);
    } while (!change(&queue->visits[at], visit, next));
}

static bool has_visitor(plait_queue *queue)
{
    for (unsigned i = 0; i < PLAIT__QUEUE_VISITS; i++) {
        uint64_t visit = __atomic_load_n(&queue->visits[i], __ATOMIC_SEQ_CST);
        if (visit != 0 && !plait__member_is_dead((uint32_t)visit))
            return true;
    }
    return false;
}

bool plait__queue_is_left(plait_queue *queue)
{
    plait_deadline until = plait_after_ms(LEAVING_MS);
    uint32_t nothing = 0;

    while (has_visitor(queue)) {
        if (plait_left_ns(until) == 0)
            return false;
        plait__wait_word(&nothing, 0, plait_after_ms(1)); /* returns at once if we are cancelled */
    }
    return __atomic_load_n(&queue->had_strays, __ATOMIC_SEQ_CST) == 0;
}

/* ---- waiting ---- */

static uint32_t *bell_of(plait_queue *queue, const struct plait__queue_call *call)
{
    switch (call->side) {
    case PLAIT__QUEUE_GETS:
        return &queue->ring.get_bell;
    case PLAIT__QUEUE_PUTS:
        return &queue->ring.put_bell;
    case PLAIT__QUEUE_JOINS:
        break;
    }
    return &queue->ring.join_bell;
}

static bool may_succeed(plait_queue *queue, const struct plait__queue_call *call)
{
    switch (call->side) {
    case PLAIT__QUEUE_GETS:
        return plait__ring_may_get(&queue->ring);
    case PLAIT__QUEUE_PUTS:
        return plait__ring_may_put(&queue->ring, call->bytes);
    case PLAIT__QUEUE_JOINS:
        break;
    }
    return plait__ring_unfinished(&queue->ring) == 0;
}

static uint32_t announce(plait_queue *queue, const struct plait__queue_call *call, bool thorough)
{
    if (call->side == PLAIT__QUEUE_PUTS)
        return plait__ring_announce_put(&queue->ring, call->bytes, thorough);
    if (thorough && call->side == PLAIT__QUEUE_JOINS)
        plait__ring_tidy(&queue->ring, true);
    return plait__bell_announce(bell_of(queue, call), 0);
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
        int64_t slice = slices_ns[round < 3 ? round : 3];
        plait_deadline soon = plait__deadline_after(plait__os_now_ns(), slice);
        int woken;
        if (rc != -EAGAIN)
            return rc;
        if (is_last)
            return -ETIMEDOUT;
        woken = plait__wait_word(bell, seen, plait__deadline_earlier(until, soon));
        if (woken < 0 && woken != -ETIMEDOUT) {
            announce(queue, call, false); /* a wake may have been ours: the caller passes it on */
            return woken;
        }
        look.thorough = woken == -ETIMEDOUT;
        is_last = look.thorough && plait_left_ns(until) == 0;
    }
}

/* There is no time to wait; but what the dead left behind is not in the way. */
static ssize_t try_at_once(plait_queue *queue, const struct plait__queue_call *call,
                           plait_deadline until)
{
    ssize_t rc;

    if (call->side != PLAIT__QUEUE_GETS)
        plait__ring_tidy(&queue->ring, true);
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

    if (plait_left_ns(until) == 0)
        return try_at_once(queue, call, until);
    visit = plait__queue_enter(queue);
    rc = spin(queue, call, until);
    if (rc == -EAGAIN)
        rc = sleep_and_try(queue, call, until);
    /* the wake may have been ours, and others sleep on it, perhaps for less than we wanted */
    call_for_less.bytes = 0;
    if (plait__bell_awaited(bell) != 0 && may_succeed(queue, &call_for_less))
        plait__bell_ring(bell);
    plait__queue_leave(queue, visit);
    return rc;
}
