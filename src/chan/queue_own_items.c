/* Queues of one process: putting and getting.
 * SPDX-License-Identifier: MIT
 *
 * Small items lie in cells, which are kept; others in memory of their own, which is got and filled
 * before the lock is taken, and copied from and freed after.
 */
#include "chan/queue_own.h"
#include "chan/queue_own_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    GRANULE = 16,
};

#define MOST_BYTES ((size_t)1 << 40) /* nobody has so much */

/* ---- bounds: those of a ring ---- */

static bool is_large(const struct plait__own_queue *queue, size_t n)
{
    return n > queue->half;
}

uint32_t plait__own_granules(const struct plait__own_queue *queue, size_t n)
{
    return (uint32_t)((is_large(queue, n) ? GRANULE : n + GRANULE - 1) / GRANULE + 1);
}

static uint32_t kib_of(const struct plait__own_queue *queue, size_t n)
{
    if (!is_large(queue, n))
        return 0;
    return n < MOST_BYTES / 2 ? (uint32_t)(n / 1024) + 1 : UINT32_MAX / 2;
}

bool plait__own_has_room(const struct plait__own_queue *queue, const struct plait__own_lane *lane,
                         size_t n)
{
    return lane->n_items < queue->max_items &&
           lane->granules + plait__own_granules(queue, n) <= queue->limit &&
           (!is_large(queue, n) || lane->kib == 0 ||
            (uint64_t)lane->kib + kib_of(queue, n) <= queue->max_kib);
}

/* What has been leased takes no room, but is one of so many leases, until its end. */
void plait__own_leave_bounds(const struct plait__item *item)
{
    struct plait__own_lane *lane = item->lane;

    if (item->attempts > 0) {
        lane->n_leases--;
        return;
    }
    lane->n_items--;
    lane->granules -= item->granules;
    lane->kib -= item->kib;
}

/* ---- memory ---- */

static struct plait__item *make_item(size_t n)
{
    struct plait__item *item = n < MOST_BYTES ? malloc(sizeof *item + n) : NULL;

    if (item != NULL) {
        item->state = PLAIT__ITEM_READY;
        item->is_cell = false;
        item->attempts = 0;
        item->size = n;
    }
    return item;
}

/* For at most PLAIT__CELL bytes. */
static struct plait__item *get_cell(struct plait__own_queue *queue, size_t n)
{
    struct plait__item *item = queue->spares;

    if (item == NULL) {
        item = make_item(PLAIT__CELL);
        if (item == NULL)
            return NULL;
        item->is_cell = true;
    } else {
        queue->spares = item->next_spare;
        queue->n_spares--;
        item->state = PLAIT__ITEM_READY;
        item->attempts = 0;
    }
    item->size = n;
    return item;
}

struct plait__item *plait__own_retire(struct plait__own_queue *queue, struct plait__item *item)
{
    if (!item->is_cell || queue->n_spares == PLAIT__SPARES)
        return item;
    item->next_spare = queue->spares;
    queue->spares = item;
    queue->n_spares++;
    return NULL;
}

static void free_all(struct plait__list *list, bool in_hand)
{
    struct plait__list *node;

    while ((node = plait__list_pop_front(list)) != NULL)
        free(in_hand ? plait__list_entry(node, struct plait__item, hand)
                     : plait__list_entry(node, struct plait__item, node));
}

void plait__own_free_items(struct plait__own_queue *queue)
{
    struct plait__item *spare;

    list_for_each_safe(node, &queue->in_hand)
    {
        if (plait__list_entry(node, struct plait__item, hand)->state == PLAIT__ITEM_RESERVED)
            plait__list_remove(node); /* it is in its lane, too */
    }
    free_all(&queue->in_hand, true);
    for (uint32_t i = 0; i < queue->n_lanes; i++)
        free_all(&queue->lanes[i].items, false);
    for (uint32_t i = 0; i < queue->n_slots; i++)
        free(queue->slots[i].item);
    while ((spare = queue->spares) != NULL) {
        queue->spares = spare->next_spare;
        free(spare);
    }
}

/* Most messages are small. */
static inline void copy(void *to, const void *from, size_t n)
{
    uint64_t first, last;

    if (n >= sizeof first && n <= 2 * sizeof first) {
        memcpy(&first, from, sizeof first);
        memcpy(&last, (const char *)from + n - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy((char *)to + n - sizeof last, &last, sizeof last);
    } else if (n > 0) {
        memcpy(to, from, n);
    }
}

/* ---- putting ---- */

static void enter(struct plait__own_queue *queue, struct plait__own_lane *lane,
                  struct plait__item *item)
{
    item->lane = lane;
    item->granules = plait__own_granules(queue, item->size);
    item->kib = kib_of(queue, item->size);
    lane->n_items++;
    lane->granules += item->granules;
    lane->kib += item->kib;
    plait__list_push_back(&lane->items, &item->node);
    if (item->state == PLAIT__ITEM_RESERVED)
        plait__list_push_back(&queue->in_hand, &item->hand);
    queue->n_listed++;
    queue->n_put++;
}

static ssize_t try_get(struct plait__own_queue *queue, struct plait__own_call *call);

/* Somebody waits for it, and nothing is before it: right to where he wants it. */
static inline bool hand_over(struct plait__own_queue *queue, const void *bytes, size_t n)
{
    struct plait__own_call *get;

    if (plait__list_is_empty(&queue->getters) || queue->n_listed > 0 || queue->is_closed ||
        n > PLAIT__RING_SMALL)
        return false;
    get = plait__list_entry(queue->getters.next, struct plait__own_call, waiting.node);
    if (get->attempt != try_get || get->n < n || plait__is_left(get->waiting.sleeper))
        return false;
    copy(get->ret, bytes, n);
    queue->n_put++;
    queue->n_taken++;
    plait__own_finish(queue, get, (ssize_t)n);
    return true;
}

/* For an item that is not made yet a cell is large enough. */
static ssize_t try_put(struct plait__own_queue *queue, struct plait__own_call *call)
{
    if (queue->is_closed)
        return -EPIPE;
    if (!plait__own_has_room(queue, call->lane, call->n))
        return -EAGAIN;
    if (call->item == NULL) {
        call->item = get_cell(queue, call->n);
        if (call->item == NULL)
            return -ENOMEM;
        copy(call->item->bytes, call->bytes, call->n);
    }
    enter(queue, call->lane, call->item);
    return 0;
}

/* One that is too large for a cell, with the lock, which is given back: its copy is made without. */
static int put_larger(struct plait__own_queue *queue, struct plait__own_call *call,
                      plait_deadline until)
{
    bool has_room = plait__own_has_room(queue, call->lane, call->n), is_over = queue->is_closed;
    bool goes_on = !is_over && (has_room || plait_left_ns(until) > 0);
    ssize_t rc = is_over ? -EPIPE : -ETIMEDOUT;

    queue->n_inside += goes_on; /* a destroy waits for us */
    plait__own_unlock(queue);
    if (!goes_on)
        return (int)rc;
    call->item = make_item(call->n);
    if (call->item != NULL)
        memcpy(call->item->bytes, call->bytes, call->n);
    plait__home_lock(&queue->lock);
    queue->n_inside--;
    if (call->item == NULL) {
        plait__own_unlock(queue);
        return -ENOMEM;
    }
    rc = plait__own_go_on(queue, call, until);
    if (rc < 0)
        free(call->item);
    return (int)rc;
}

/* It could not be handed over. With the lock, which is given back. */
static __attribute__((noinline)) int put_slowly(struct plait__own_queue *queue, unsigned lane,
                                                const void *bytes, size_t n, plait_deadline until)
{
    struct plait__own_call call;

    call.attempt = try_put;
    call.lane = &queue->lanes[lane];
    call.list = &call.lane->putters;
    call.bytes = bytes;
    call.n = n;
    call.item = NULL;
    return n > PLAIT__CELL ? put_larger(queue, &call, until)
                           : (int)plait__own_go_on(queue, &call, until);
}

/* With the lock, which is given back. */
static inline int put_locked(struct plait__own_queue *queue, unsigned lane, const void *bytes,
                             size_t n, plait_deadline until)
{
    if (!hand_over(queue, bytes, n))
        return put_slowly(queue, lane, bytes, n, until);
    plait__own_serve(queue);
    plait__own_unlock(queue);
    return 0;
}

static __attribute__((noinline)) int put_elsewhere(struct plait__own_queue *queue, unsigned lane,
                                                   const void *bytes, size_t n,
                                                   plait_deadline until)
{
    int rc = plait__own_lock(queue);

    return rc < 0 ? rc : put_locked(queue, lane, bytes, n, until);
}

int plait__own_put(plait_queue *handle, unsigned lane, const void *bytes, size_t n,
                   plait_deadline until)
{
    struct plait__own_queue *queue = plait__own_of(handle);

    if (lane >= queue->n_lanes)
        return -EINVAL;
    if (n > queue->max_item_bytes)
        return -EMSGSIZE;
    return plait__own_lock_at_home(queue) ? put_locked(queue, lane, bytes, n, until)
                                          : put_elsewhere(queue, lane, bytes, n, until);
}

int plait__own_reserve(plait_queue *handle, void **ret, size_t n, plait_deadline until)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    struct plait__own_call call = {
        .attempt = try_put, .lane = &queue->lanes[0], .list = &queue->lanes[0].putters, .n = n
    };
    ssize_t rc;

    if (n > queue->max_item_bytes)
        return -EMSGSIZE;
    call.item = make_item(n);
    if (call.item == NULL)
        return -ENOMEM;
    call.item->state = PLAIT__ITEM_RESERVED;
    rc = plait__own_run(queue, &call, until);
    if (rc == 0)
        *ret = call.item->bytes;
    else
        free(call.item);
    return (int)rc;
}

/* With the lock: what somebody has in hand; NULL: it is not so. */
static struct plait__item *find_in_hand(struct plait__own_queue *queue, const void *bytes,
                                        enum plait__item_state state)
{
    for (struct plait__list *node = queue->in_hand.prev; node != &queue->in_hand;
         node = node->prev) { /* the newest first: that is mostly it */
        struct plait__item *item = plait__list_entry(node, struct plait__item, hand);
        if (item->bytes == bytes)
            return item->state == state ? item : NULL;
    }
    return NULL;
}

int plait__own_commit(plait_queue *handle, void *bytes, size_t n)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    struct plait__item *item;
    int rc = plait__own_lock(queue);

    if (rc < 0)
        return rc;
    item = find_in_hand(queue, bytes, PLAIT__ITEM_RESERVED);
    if (item == NULL || n > item->size) {
        rc = -EINVAL;
    } else {
        item->size = n;
        item->state = PLAIT__ITEM_READY;
        plait__list_remove(&item->hand);
        plait__own_serve(queue);
    }
    plait__own_unlock(queue);
    return rc;
}

/* What was in hand in that state is gone. */
static int let_go(plait_queue *handle, const void *bytes, enum plait__item_state state)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    struct plait__item *item;
    int rc = plait__own_lock(queue);

    if (rc < 0)
        return rc;
    item = find_in_hand(queue, bytes, state);
    if (item == NULL) {
        rc = -EINVAL;
    } else {
        plait__list_remove(&item->hand);
        if (state == PLAIT__ITEM_RESERVED) { /* as if it had never been put */
            plait__list_remove(&item->node);
            queue->n_listed--;
            queue->n_put--;
        }
        plait__own_leave_bounds(item);
        item = plait__own_retire(queue, item);
        plait__own_serve(queue);
    }
    plait__own_unlock(queue);
    free(item);
    return rc;
}

int plait__own_abort(plait_queue *handle, void *bytes)
{
    return let_go(handle, bytes, PLAIT__ITEM_RESERVED);
}

int plait__own_release(plait_queue *handle, const void *bytes)
{
    return let_go(handle, bytes, PLAIT__ITEM_BORROWED);
}

/* ---- getting ---- */

/* May it be leased, too? */
static bool is_for(const struct plait__own_queue *queue, const struct plait__item *item,
                   bool leases)
{
    return item->state == PLAIT__ITEM_READY &&
           (!leases || item->attempts > 0 || item->lane->n_leases < queue->max_leases);
}

int plait__own_find(const struct plait__own_queue *queue, bool leases, struct plait__item **ret)
{
    if (queue->is_dropped)
        return -EPIPE;
    if (queue->n_listed == 0)
        return queue->is_closed ? -EPIPE : -EAGAIN;
    for (uint32_t i = 0; i < queue->n_lanes; i++) {
        struct plait__list *first = queue->lanes[i].items.next;
        *ret = plait__list_entry(first, struct plait__item, node);
        if (first != &queue->lanes[i].items && is_for(queue, *ret, leases))
            return 0;
    }
    return -EAGAIN;
}

void plait__own_take(struct plait__own_queue *queue, struct plait__item *item)
{
    plait__list_remove(&item->node);
    queue->n_listed--;
    queue->n_taken += item->attempts == 0;
}

/* It is gone from the queue. */
static void consume(struct plait__own_queue *queue, struct plait__item *item)
{
    plait__own_take(queue, item);
    plait__own_leave_bounds(item);
}

/* A larger one is copied by the caller, without the lock. */
static ssize_t try_get(struct plait__own_queue *queue, struct plait__own_call *call)
{
    struct plait__item *item;
    ssize_t rc = plait__own_find(queue, false, &item);

    if (rc < 0)
        return rc;
    if (item->size > call->n)
        return -EMSGSIZE;
    rc = (ssize_t)item->size;
    consume(queue, item);
    if (rc > PLAIT__RING_SMALL) {
        call->item = item;
        return rc;
    }
    copy(call->ret, item->bytes, (size_t)rc);
    free(plait__own_retire(queue, item));
    return rc;
}

ssize_t plait__own_get(plait_queue *handle, void *buf, size_t cap, plait_deadline until)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    struct plait__own_call call;
    ssize_t rc = plait__own_lock(queue);

    if (rc < 0)
        return rc;
    call.attempt = try_get;
    call.list = &queue->getters;
    call.lane = NULL;
    call.ret = buf;
    call.n = cap;
    call.item = NULL;
    rc = queue->n_listed == 0 && !queue->is_closed ? plait__own_wait(queue, &call, until)
                                                   : plait__own_go_on(queue, &call, until);
    if (call.item != NULL) {
        memcpy(buf, call.item->bytes, (size_t)rc);
        free(call.item);
    }
    return rc;
}

static ssize_t run_get(struct plait__own_queue *queue, struct plait__own_call call,
                       plait_deadline until)
{
    call.list = &queue->getters;
    return plait__own_run(queue, &call, until);
}

static ssize_t try_peek(struct plait__own_queue *queue, struct plait__own_call *call)
{
    struct plait__item *item;
    int rc = plait__own_find(queue, false, &item);
    size_t n;

    if (rc < 0)
        return rc;
    n = call->n < item->size ? call->n : item->size;
    if (n > 0)
        memcpy(call->ret, item->bytes, n);
    return (ssize_t)item->size;
}

ssize_t plait__own_peek(plait_queue *handle, void *buf, size_t cap, plait_deadline until)
{
    return run_get(plait__own_of(handle),
                   (struct plait__own_call){ .attempt = try_peek, .ret = buf, .n = cap }, until);
}

static ssize_t try_get_many(struct plait__own_queue *queue, struct plait__own_call *call)
{
    const plait_queue_batch *batch = call->ret;
    size_t n = 0, used = 0;
    struct plait__item *item;
    int rc = 0;

    while (n < batch->max_items && used <= batch->cap &&
           (rc = plait__own_find(queue, false, &item)) == 0 && item->size <= batch->cap - used) {
        char *at = (char *)batch->buf + used;
        if (item->size > 0)
            memcpy(at, item->bytes, item->size);
        batch->items[n++] = (plait_bytes){ at, item->size };
        used += (item->size + GRANULE - 1) / GRANULE * GRANULE;
        consume(queue, item);
        free(plait__own_retire(queue, item));
    }
    if (n > 0)
        return (ssize_t)n;
    return rc < 0 ? rc : -EMSGSIZE;
}

ssize_t plait__own_get_many(plait_queue *handle, const plait_queue_batch *batch,
                            plait_deadline until)
{
    plait_queue_batch ours = *batch;

    return run_get(plait__own_of(handle),
                   (struct plait__own_call){ .attempt = try_get_many, .ret = &ours }, until);
}

static ssize_t try_borrow(struct plait__own_queue *queue, struct plait__own_call *call)
{
    struct plait__item *item;
    int rc = plait__own_find(queue, false, &item);

    if (rc < 0)
        return rc;
    plait__own_take(queue, item);
    item->state = PLAIT__ITEM_BORROWED;
    plait__list_push_back(&queue->in_hand, &item->hand);
    *(const void **)call->ret = item->bytes;
    return (ssize_t)item->size;
}

ssize_t plait__own_borrow(plait_queue *handle, const void **ret, plait_deadline until)
{
    return run_get(plait__own_of(handle),
                   (struct plait__own_call){ .attempt = try_borrow, .ret = (void *)ret }, until);
}
