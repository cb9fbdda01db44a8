/* Priority queues: their calls, and how a task waits in them.
 * SPDX-License-Identifier: MIT
 *
 * Who finds nothing to do announces itself at a bell, looks once more, and sleeps in slices of at
 * most 100 ms: then it looks again, and with that takes the lock from the dead and finds what they
 * had put without ringing. bell.h says why no wake is lost.
 */
#include "chan/priority_queue.h"
#include "base/opts.h"
#include "chan/bell.h"
#include "family/member.h"
#include "sync/nap.h"
#include "wait/sleeper.h"

#include <plait/shared.h>

#include <errno.h>
#include <stdlib.h>

/* ---- making and ending ---- */

int plait_priority_queue_create_sized(plait_priority_queue **ret,
                                      const plait_priority_queue_opts *opts, size_t opts_bytes)
{
    plait_priority_queue_opts ours;
    plait_priority_queue *queue;
    size_t bytes = 0;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc == 0)
        rc = ret == NULL ? -EINVAL : plait__items_bytes(&ours, &bytes);
    if (rc == 0)
        rc = plait__member_join();
    if (rc < 0)
        return rc;
    queue = plait_shared_alloc(offsetof(plait_priority_queue, items) + bytes);
    if (queue == NULL)
        return -ENOMEM;
    plait__items_init(&queue->items, &ours);
    *ret = queue;
    return 0;
}

static void end(plait_priority_queue *queue, bool immediate)
{
    plait__items_end(&queue->items, PLAIT__ITEMS_CLOSED | (immediate ? PLAIT__ITEMS_DROPPED : 0));
    plait__bell_ring_all(&queue->get_bell);
    plait__bell_ring_all(&queue->put_bell);
    if (immediate)
        plait__bell_ring_all(&queue->join_bell);
}

void plait_priority_queue_destroy(plait_priority_queue *queue)
{
    if (queue == NULL)
        return;
    __atomic_store_n(&queue->is_destroyed, 1, __ATOMIC_SEQ_CST);
    end(queue, true);
    if (plait__visits_are_over(&queue->visits))
        plait_shared_free(queue);
}

int plait_priority_queue_close(plait_priority_queue *queue)
{
    return plait_priority_queue_shutdown(queue, false);
}

int plait_priority_queue_shutdown(plait_priority_queue *queue, bool immediate)
{
    if (queue == NULL)
        return -EINVAL;
    end(queue, immediate);
    return 0;
}

/* ---- waiting ---- */

/* A call that may have to wait. */
struct call {
    uint32_t *bell;
    uint32_t want; /* cells that it wants to put */
    /* -EAGAIN: wait and try again */
    ssize_t (*attempt)(plait_priority_queue *queue, const struct call *call, plait_deadline until);
    /* whether another one at the bell may succeed now */
    bool (*is_worth_it)(const plait_priority_queue *queue);
    void *arg;
};

static ssize_t sleep_and_try(plait_priority_queue *queue, const struct call *call,
                             plait_deadline until)
{
    int woken = 0;

    for (unsigned round = 0;; round++) {
        uint32_t seen = plait__bell_announce(call->bell, call->want);
        ssize_t rc = call->attempt(queue, call, until);
        if (rc != -EAGAIN)
            return rc;
        if (woken < 0)
            return woken;
        plait__say_wait(PLAIT__ON_QUEUE, call->bell);
        woken = plait__nap(call->bell, seen, round, until);
        if (woken == -ECANCELED)
            return woken;
    }
}

/* pre: an attempt said -EAGAIN, so we are in the family. */
static ssize_t wait_for(plait_priority_queue *queue, const struct call *call, plait_deadline until)
{
    unsigned visit;
    ssize_t rc;

    if (plait_left_ns(until) == 0)
        return -ETIMEDOUT;
    visit = plait__visits_enter(&queue->visits);
    rc = sleep_and_try(queue, call, until);
    /* the wake may have been ours, and others sleep on it */
    if (plait__bell_awaited(call->bell) != 0 && call->is_worth_it(queue))
        plait__bell_ring(call->bell);
    plait__visits_leave(&queue->visits, visit);
    return rc;
}

static ssize_t run(plait_priority_queue *queue, const struct call *call, plait_deadline until)
{
    ssize_t rc = call->attempt(queue, call, until);

    return rc == -EAGAIN ? wait_for(queue, call, until) : rc;
}

/* ---- putting ---- */

struct put {
    int64_t priority;
    plait_bytes item;
};

static ssize_t try_put(plait_priority_queue *queue, const struct call *call, plait_deadline until)
{
    const struct put *put = call->arg;
    int rc = plait__items_put(&queue->items, put->priority, &put->item, until);

    if (rc == 0)
        plait__bell_ring(&queue->get_bell);
    return rc;
}

static bool another_may_put(const plait_priority_queue *queue)
{
    return plait__items_may_put(&queue->items, 1);
}

int plait_priority_queue_put(plait_priority_queue *queue, int64_t priority, const void *bytes,
                             size_t n, plait_deadline until)
{
    struct put put = { priority, { bytes, n } };
    struct call call = { .attempt = try_put, .is_worth_it = another_may_put, .arg = &put };

    if (queue == NULL || (bytes == NULL && n > 0))
        return -EINVAL;
    call.bell = &queue->put_bell;
    call.want = plait__items_cells_for(n);
    return (int)run(queue, &call, until);
}

/* ---- getting ---- */

static void tell_of_room(plait_priority_queue *queue)
{
    uint32_t awaited = plait__bell_awaited(&queue->put_bell);

    if (awaited == 0)
        return;
    if (plait__items_may_put(&queue->items, plait__bell_want(awaited)) &&
        !(awaited & PLAIT__BELL_MIXED))
        plait__bell_ring(&queue->put_bell);
    else
        plait__bell_ring_all(&queue->put_bell);
}

static ssize_t try_get(plait_priority_queue *queue, const struct call *call, plait_deadline until)
{
    ssize_t rc = plait__items_get(&queue->items, call->arg, until);

    if (rc >= 0)
        tell_of_room(queue);
    return rc;
}

static ssize_t try_peek(plait_priority_queue *queue, const struct call *call, plait_deadline until)
{
    return plait__items_peek(&queue->items, call->arg, until);
}

static bool another_may_get(const plait_priority_queue *queue)
{
    return plait__items_may_get(&queue->items);
}

static ssize_t run_get(plait_priority_queue *queue, struct call call, int64_t *ret_priority,
                       plait_deadline until)
{
    struct plait__items_hand *hand = call.arg;
    ssize_t rc;

    if (queue == NULL || (hand->buf == NULL && hand->cap > 0))
        return -EINVAL;
    call.bell = &queue->get_bell;
    call.is_worth_it = another_may_get;
    rc = run(queue, &call, until);
    if (rc >= 0 && ret_priority != NULL)
        *ret_priority = hand->priority;
    return rc;
}

ssize_t plait_priority_queue_get(plait_priority_queue *queue, int64_t *ret_priority, void *buf,
                                 size_t cap, plait_deadline until)
{
    struct plait__items_hand hand = { .buf = buf, .cap = cap };
    struct call call = { .attempt = try_get, .arg = &hand };

    return run_get(queue, call, ret_priority, until);
}

ssize_t plait_priority_queue_peek(plait_priority_queue *queue, int64_t *ret_priority, void *buf,
                                  size_t cap, plait_deadline until)
{
    struct plait__items_hand hand = { .buf = buf, .cap = cap };
    struct call call = { .attempt = try_peek, .arg = &hand };

    return run_get(queue, call, ret_priority, until);
}

ssize_t plait_priority_queue_get_alloc(plait_priority_queue *queue, int64_t *ret_priority,
                                       void **ret, plait_deadline until)
{
    ssize_t n = ret == NULL ? -EINVAL : plait_priority_queue_peek(queue, NULL, NULL, 0, until);

    while (n >= 0) {
        size_t cap = (size_t)n;
        void *buf = malloc(cap > 0 ? cap : 1);
        if (buf == NULL)
            return -ENOMEM;
        n = plait_priority_queue_get(queue, ret_priority, buf, cap, until);
        if (n >= 0) {
            *ret = buf;
            return n;
        }
        free(buf);
        if (n == -EMSGSIZE) /* what we looked at is not the first any more */
            n = plait_priority_queue_peek(queue, NULL, NULL, 0, until);
    }
    return n;
}

/* ---- looking ---- */

/* Only what killed processes left behind is changed by a look. */
static struct plait__items *items_of(const plait_priority_queue *queue)
{
    return &((plait_priority_queue *)(uintptr_t)queue)->items;
}

size_t plait_priority_queue_size(const plait_priority_queue *queue)
{
    return queue == NULL ? 0 : plait__items_count(items_of(queue));
}

bool plait_priority_queue_is_empty(const plait_priority_queue *queue)
{
    return plait_priority_queue_size(queue) == 0;
}

bool plait_priority_queue_is_full(const plait_priority_queue *queue)
{
    return queue != NULL && !plait__items_have_room(items_of(queue), 1);
}

/* ---- joining ---- */

int plait_priority_queue_task_done(plait_priority_queue *queue)
{
    bool is_last = false;
    int rc = queue == NULL ? -EINVAL : plait__items_task_done(&queue->items, &is_last);

    if (rc == 0 && is_last)
        plait__bell_ring_all(&queue->join_bell);
    return rc;
}

static ssize_t try_join(plait_priority_queue *queue, const struct call *call, plait_deadline until)
{
    (void)call;
    if (__atomic_load_n(&queue->is_destroyed, __ATOMIC_SEQ_CST))
        return -EPIPE;
    return plait__items_are_finished(&queue->items, until);
}

/* Who joins is never woken alone. */
static bool no_other_one(const plait_priority_queue *queue)
{
    (void)queue;
    return false;
}

int plait_priority_queue_join(plait_priority_queue *queue, plait_deadline until)
{
    struct call call = { .attempt = try_join, .is_worth_it = no_other_one };

    if (queue == NULL)
        return -EINVAL;
    call.bell = &queue->join_bell;
    return (int)run(queue, &call, until);
}
