/* Queues of one process: leases.
 * SPDX-License-Identifier: MIT
 *
 * A leased item has left its lane. It lies in a slot, which its lease names; the lease's number tells
 * whether it is that one still.
 */
#include "chan/queue_own.h"
#include "chan/queue_own_inside.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FIRST_SLOTS = 8,
};

static int add_slots(struct plait__own_queue *queue)
{
    uint32_t n = queue->n_slots == 0 ? FIRST_SLOTS : queue->n_slots * 2;
    struct plait__own_slot *slots = realloc(queue->slots, n * sizeof *slots);

    if (slots == NULL)
        return -ENOMEM;
    for (uint32_t i = queue->n_slots; i < n; i++)
        slots[i] = (struct plait__own_slot){ .next_free = i + 1 < n ? i + 2 : 0 };
    queue->free_slot = queue->n_slots + 1;
    queue->slots = slots;
    queue->n_slots = n;
    return 0;
}

static void fill_slot(struct plait__own_queue *queue, struct plait__item *item)
{
    struct plait__own_slot *slot = &queue->slots[queue->free_slot - 1];

    item->slot = queue->free_slot - 1;
    queue->free_slot = slot->next_free;
    slot->item = item;
    slot->token = ++queue->n_leased;
}

static ssize_t try_lease(struct plait__own_queue *queue, struct plait__own_call *call)
{
    plait_lease *ret = call->ret;
    struct plait__item *item;
    int rc = plait__own_find(queue, true, &item);

    if (rc == 0 && queue->free_slot == 0)
        rc = add_slots(queue);
    if (rc < 0)
        return rc;
    plait__own_take(queue, item);
    fill_slot(queue, item);
    if (item->attempts == 0) {
        plait__own_leave_bounds(item);
        item->lane->n_leases++;
        item->order = queue->n_leased;
    }
    item->attempts++;
    item->state = PLAIT__ITEM_LEASED;
    *ret = (plait_lease){ .bytes = item->bytes,
                          .size = item->size,
                          .attempts = item->attempts,
                          .entry = item->slot,
                          .word = queue->n_leased,
                          .queue = ret->queue };
    return 0;
}

int plait__own_lease(plait_queue *handle, plait_lease *ret, plait_deadline until)
{
    struct plait__own_queue *queue = plait__own_of(handle);
    plait_lease lease = { .queue = handle };
    struct plait__own_call call = { .attempt = try_lease, .list = &queue->getters, .ret = &lease };
    ssize_t rc = plait__own_run(queue, &call, until);

    if (rc == 0)
        *ret = lease;
    return (int)rc;
}

/* Its item, which is leased no more; NULL: it has ended. */
static struct plait__item *empty_slot(struct plait__own_queue *queue, const plait_lease *lease)
{
    struct plait__own_slot *slot;
    struct plait__item *item;

    if (lease->entry >= queue->n_slots)
        return NULL;
    slot = &queue->slots[lease->entry];
    item = slot->item;
    if (item == NULL || slot->token != lease->word)
        return NULL;
    slot->item = NULL;
    slot->next_free = queue->free_slot;
    queue->free_slot = lease->entry + 1;
    return item;
}

/* Before what was never leased, and behind what was leased before it. */
static void put_back(struct plait__own_queue *queue, struct plait__item *item)
{
    struct plait__list *at = item->lane->items.next;

    while (at != &item->lane->items) {
        const struct plait__item *other = plait__list_entry(at, struct plait__item, node);
        if (other->attempts == 0 || other->order > item->order)
            break;
        at = at->next;
    }
    item->state = PLAIT__ITEM_READY;
    plait__list_push_back(at, &item->node); /* before it */
    queue->n_listed++;
}

int plait__own_end_lease(const plait_lease *lease, bool back)
{
    struct plait__own_queue *queue = plait__own_of(lease->queue);
    struct plait__item *item, *gone = NULL;
    int rc = plait__own_lock(queue);

    if (rc < 0)
        return rc;
    item = empty_slot(queue, lease);
    if (item == NULL) {
        rc = -EINVAL;
    } else if (back) {
        put_back(queue, item);
    } else {
        plait__own_leave_bounds(item);
        gone = plait__own_retire(queue, item);
    }
    if (rc == 0)
        plait__own_serve(queue);
    plait__own_unlock(queue);
    free(gone);
    return rc;
}
