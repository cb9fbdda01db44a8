/* Queues of one process: their making and end, and how calls are tried and wait.
 * SPDX-License-Identifier: MIT
 */
#include "chan/queue_own.h"
#include "chan/queue_own_inside.h"
#include "family/self.h"
#include "os/cpu.h"
#include "os/futex.h"
#include "wait/wait.h"
#include "wait/waitable.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SPINS = 400,       /* looks of a thread before it sleeps */
    LEAVING_MS = 1000, /* how long a destroy waits for those who wait */
};

/* ---- those who wait ---- */

static struct plait__own_call *call_at(struct plait__list *node)
{
    return plait__list_entry(node, struct plait__own_call, waiting.node);
}

/* False: it goes on waiting. */
static bool try_again(struct plait__own_queue *queue, struct plait__own_call *call)
{
    ssize_t rc;

    if (plait__is_left(call->waiting.sleeper)) { /* it is as if it had never come */
        plait__list_remove(&call->waiting.node);
        queue->n_waiting--;
        queue->n_inside--;
        return false;
    }
    rc = call->attempt(queue, call);
    if (rc != -EAGAIN)
        plait__own_finish(queue, call, rc);
    return rc != -EAGAIN;
}

/* Has anybody been served? */
static bool serve_getters(struct plait__own_queue *queue)
{
    struct plait__item *item;
    bool any = false;

    list_for_each_safe(node, &queue->getters)
    {
        if (plait__own_find(queue, false, &item) == -EAGAIN)
            break;
        any |= try_again(queue, call_at(node));
    }
    return any;
}

static bool serve_putters(struct plait__own_queue *queue, struct plait__own_lane *lane)
{
    bool any = false;

    list_for_each_safe(node, &lane->putters)
    {
        if (!queue->is_closed &&
            (lane->n_items >= queue->max_items || lane->granules + lane->least > queue->limit))
            break;
        any |= try_again(queue, call_at(node));
    }
    return any;
}

/* Those who select look for themselves. */
static void ring(struct plait__own_queue *queue)
{
    struct plait__item *item;

    if (plait__own_find(queue, false, &item) != -EAGAIN && plait__bell_awaited(&queue->get_bell))
        plait__bell_ring_all(&queue->get_bell);
    if ((queue->is_closed || plait__own_has_room(queue, &queue->lanes[0], 0)) &&
        plait__bell_awaited(&queue->put_bell))
        plait__bell_ring_all(&queue->put_bell);
    queue->is_watched =
        plait__bell_awaited(&queue->get_bell) != 0 || plait__bell_awaited(&queue->put_bell) != 0;
}

void plait__own_serve_all(struct plait__own_queue *queue)
{
    bool any = true;

    while (any && queue->n_waiting > 0) {
        any = serve_getters(queue);
        for (uint32_t i = 0; i < queue->n_lanes; i++)
            any |= serve_putters(queue, &queue->lanes[i]);
    }
    list_for_each_safe(node, &queue->joiners) try_again(queue, call_at(node));
    if (queue->is_watched)
        ring(queue);
}

/* Most waits of a thread are shorter than a sleep. The lock is given back and taken again. */
static __attribute__((noinline)) ssize_t spin(struct plait__own_queue *queue,
                                              struct plait__own_call *call)
{
    ssize_t rc = -EAGAIN;

    queue->n_inside++; /* a destroy waits for us */
    for (int i = 0; rc == -EAGAIN && i < SPINS; i++) {
        uint32_t seen = queue->changes;
        plait__own_unlock(queue);
        while (++i < SPINS && __atomic_load_n(&queue->changes, __ATOMIC_RELAXED) == seen)
            plait__os_cpu_relax();
        plait__home_lock(&queue->lock);
        rc = call->attempt(queue, call);
    }
    queue->n_inside--;
    return rc;
}

static void begin_to_wait(struct plait__own_queue *queue, struct plait__own_call *call,
                          struct plait__sleeper *sleeper)
{
    if (call->lane != NULL) {
        uint32_t want = plait__own_granules(queue, call->n);
        if (plait__list_is_empty(call->list) || want < call->lane->least)
            call->lane->least = want;
    }
    plait__waiting_begin(&call->waiting, call->list, sleeper);
    queue->n_waiting++;
    queue->n_inside++;
}

static ssize_t sleep_in_list(struct plait__own_queue *queue, struct plait__own_call *call,
                             struct plait__sleeper *sleeper, plait_deadline until)
{
    /* its address is the queue's, for people */
    struct plait__waits_for what = { &queue->head.is_own, PLAIT__ON_QUEUE };
    ssize_t rc;

    begin_to_wait(queue, call, sleeper);
    plait__own_unlock(queue);
    rc = plait__waiting_sleep(&call->waiting, what, until);
    if (rc == 1)
        return call->result;
    plait__home_lock(&queue->lock);
    queue->n_inside--;
    if (plait__waiting_leave(&call->waiting))
        rc = call->result;
    else
        queue->n_waiting--;
    plait__own_unlock(queue);
    return rc;
}

ssize_t plait__own_wait(struct plait__own_queue *queue, struct plait__own_call *call,
                        plait_deadline until)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    ssize_t rc = -EAGAIN;

    until = plait__in_scope(sleeper, until);
    if (until.ns != INT64_MAX && plait_left_ns(until) == 0) {
        plait__own_unlock(queue);
        return -ETIMEDOUT;
    }
    if (sleeper == NULL || sleeper->ops == NULL)
        rc = spin(queue, call);
    if (rc == -EAGAIN)
        return sleep_in_list(queue, call, sleeper, until);
    plait__own_serve(queue);
    plait__own_unlock(queue);
    return rc;
}

ssize_t plait__own_go_on(struct plait__own_queue *queue, struct plait__own_call *call,
                         plait_deadline until)
{
    ssize_t rc = call->attempt(queue, call);

    if (rc == -EAGAIN)
        return plait__own_wait(queue, call, until);
    plait__own_serve(queue);
    plait__own_unlock(queue);
    return rc;
}

ssize_t plait__own_run(struct plait__own_queue *queue, struct plait__own_call *call,
                       plait_deadline until)
{
    int rc = plait__own_lock(queue);

    return rc < 0 ? rc : plait__own_go_on(queue, call, until);
}

/* ---- making and ending ---- */

int plait__own_create(plait_queue **ret, const struct plait__ring *plan)
{
    struct plait__own_queue *queue =
        calloc(1, sizeof *queue + plan->n_lanes * sizeof queue->lanes[0]);

    if (queue == NULL)
        return -ENOMEM;
    plait__self_keep(); /* each call asks */
    queue->head.is_own = 1;
    queue->owner = plait__self_pid();
    plait__home_lock_init(&queue->lock);
    queue->limit = plan->limit;
    queue->max_items = plan->max_items;
    queue->max_leases = plan->max_leases;
    queue->max_kib = plan->max_kib;
    queue->n_lanes = plan->n_lanes;
    queue->half = (size_t)(plan->limit / 2) * 16 - 16; /* as is_too_large of ring_record.h */
    queue->max_item_bytes = plan->max_item_bytes;
    plait__list_init(&queue->getters);
    plait__list_init(&queue->joiners);
    plait__list_init(&queue->in_hand);
    for (uint32_t i = 0; i < queue->n_lanes; i++) {
        plait__list_init(&queue->lanes[i].items);
        plait__list_init(&queue->lanes[i].putters);
    }
    *ret = (plait_queue *)(void *)queue;
    return 0;
}

static bool is_left(struct plait__own_queue *queue)
{
    bool is;

    plait__home_lock(&queue->lock);
    is = queue->n_inside == 0;
    plait__own_unlock(queue);
    return is;
}

/* Those who were told that it is over leave it. Have all? */
static bool await_leaving(struct plait__own_queue *queue)
{
    plait_deadline until = plait_after_ms(LEAVING_MS);
    uint32_t nothing = 0;
    bool is_over;

    plait__mask_cancel(); /* else a cancelled task would not sleep */
    while (!(is_over = is_left(queue)) && plait_left_ns(until) > 0)
        plait__wait_word(&nothing, 0, plait_after_ms(1));
    plait__unmask_cancel();
    return is_over;
}

void plait__own_destroy(plait_queue *handle)
{
    struct plait__own_queue *queue = plait__own_of(handle);

    if (plait__own_lock(queue) < 0) { /* its lists may be half changed: only this is freed */
        free(queue);
        return;
    }
    queue->is_destroyed = queue->is_closed = queue->is_dropped = true;
    plait__own_serve(queue);
    plait__own_unlock(queue);
    if (!is_left(queue) && !await_leaving(queue))
        return;
    plait__own_free_items(queue);
    free(queue->slots);
    free(queue);
}

int plait__own_close(plait_queue *handle, bool drops)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    int rc = plait__own_lock(queue);

    if (rc < 0)
        return rc;
    queue->is_closed = true;
    queue->is_dropped |= drops;
    plait__own_serve(queue);
    plait__own_unlock(queue);
    return 0;
}

/* ---- looking ---- */

size_t plait__own_size(const plait_queue *handle)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    size_t n;

    if (plait__own_lock(queue) < 0)
        return 0;
    n = queue->is_dropped ? 0 : queue->n_listed;
    plait__own_unlock(queue);
    return n;
}

bool plait__own_is_full(const plait_queue *handle)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    bool is_full = true;

    if (plait__own_lock(queue) < 0)
        return false;
    for (uint32_t i = 0; is_full && i < queue->n_lanes; i++)
        is_full = !plait__own_has_room(queue, &queue->lanes[i], 0);
    plait__own_unlock(queue);
    return is_full;
}

/* ---- joining ---- */

/* Of a dropped queue only what has been taken counts. */
uint64_t plait__own_unfinished(const struct plait__own_queue *queue)
{
    uint64_t n = queue->is_dropped ? queue->n_taken : queue->n_put;

    return n > queue->n_finished ? n - queue->n_finished : 0;
}

int plait__own_task_done(plait_queue *handle)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    int rc = plait__own_lock(queue);

    if (rc < 0)
        return rc;
    if (plait__own_unfinished(queue) == 0) {
        rc = -EINVAL;
    } else {
        queue->n_finished++;
        plait__own_serve(queue);
    }
    plait__own_unlock(queue);
    return rc;
}

static ssize_t try_join(struct plait__own_queue *queue, struct plait__own_call *call)
{
    (void)call;
    if (queue->is_destroyed)
        return -EPIPE;
    return plait__own_unfinished(queue) == 0 ? 0 : -EAGAIN;
}

int plait__own_join(plait_queue *handle, plait_deadline until)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    struct plait__own_call call = { .attempt = try_join, .list = &queue->joiners };

    return (int)plait__own_run(queue, &call, until);
}

/* ---- selecting ---- */

/* What the watch remembers: that it is counted. */
#define IS_INSIDE UINT64_C(1)

/* With the lock. */
static void announce(struct plait__own_queue *queue, struct plait__watch *watch,
                     struct plait__how how, uint32_t *bell)
{
    if ((how.glance || how.will_sleep) && watch->state == 0) {
        watch->state = IS_INSIDE;
        queue->n_inside++;
    }
    if (!how.will_sleep)
        return;
    watch->word = bell;
    watch->expected = plait__bell_announce(bell, 0);
    queue->is_watched = true;
}

int plait__own_look(plait_queue *handle, struct plait__watch *watch, struct plait__how how)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    struct plait__item *item;
    int rc = plait__own_lock(queue);

    if (rc < 0)
        return rc;
    announce(queue, watch, how, &queue->get_bell);
    rc = queue->is_destroyed ? -EPIPE : plait__own_find(queue, false, &item) != -EAGAIN;
    plait__own_unlock(queue);
    return rc;
}

int plait__own_look_put(plait_queue *handle, struct plait__watch *watch, struct plait__how how,
                        size_t n)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    int rc = plait__own_lock(queue);

    if (rc < 0)
        return rc;
    announce(queue, watch, how, &queue->put_bell);
    rc = queue->is_destroyed ? -EPIPE
                             : queue->is_closed || n > queue->max_item_bytes ||
                                   plait__own_has_room(queue, &queue->lanes[0], n);
    plait__own_unlock(queue);
    return rc;
}

void plait__own_leave(plait_queue *handle, const struct plait__watch *watch)
{
    struct plait__own_queue *queue = plait__own_of(handle);

    if (watch->state == 0)
        return;
    plait__home_lock(&queue->lock);
    queue->n_inside--;
    plait__own_unlock(queue);
}
