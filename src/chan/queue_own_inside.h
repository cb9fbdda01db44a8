/* The inside of a queue of one process, for the files of it.
 * SPDX-License-Identifier: MIT
 *
 * One lock guards all of it. A call is tried with the lock held; one that has to wait is left in a
 * list, and tried again by whoever changes something: who waits is woken when it is done. So what is
 * put is copied right to where somebody waits for it, nobody looks again in vain, and those who wait
 * are served in the order in which they came.
 *
 *     item   RESERVED --commit--> READY --get--> · READY --borrow--> BORROWED --release-->
 *            READY --lease--> LEASED --ack--> · LEASED --nack--> READY, among the first
 *
 * What is RESERVED or READY is in its lane's list; what is RESERVED or BORROWED in that of those that
 * somebody has in hand; what is LEASED has a slot.
 */
#ifndef PLAIT__CHAN_QUEUE_OWN_INSIDE_H
#define PLAIT__CHAN_QUEUE_OWN_INSIDE_H

#include "chan/bell.h"
#include "chan/queue_head.h"
#include "family/self.h"
#include "os/futex.h"
#include "wait/home_lock.h"
#include "wait/waitlist.h"

#include <errno.h>
#include <stdalign.h>
#include <sys/types.h>

enum {
    PLAIT__CELL = 64,   /* room in an item that is kept for the next one */
    PLAIT__SPARES = 64, /* so many are */
};

enum plait__item_state {
    PLAIT__ITEM_RESERVED,
    PLAIT__ITEM_READY,
    PLAIT__ITEM_BORROWED,
    PLAIT__ITEM_LEASED,
};

struct plait__item {
    struct plait__list node; /* in its lane */
    struct plait__list hand; /* among those in hand */
    struct plait__item *next_spare;
    struct plait__own_lane *lane;
    size_t size;
    uint64_t order;         /* how many had been leased before */
    uint32_t granules, kib; /* of its lane's bounds */
    uint32_t slot;
    uint32_t attempts; /* it was leased: counts as one of the lane's leases instead */
    enum plait__item_state state;
    bool is_cell;
    alignas(16) char bytes[];
};

struct plait__own_lane {
    struct plait__list items;
    struct plait__list putters;                /* calls */
    uint32_t least;                            /* granules that one of them wants at least */
    uint32_t n_items, granules, kib, n_leases; /* what is bounded */
};

struct plait__own_slot {
    struct plait__item *item; /* NULL: free */
    uint64_t token;           /* of the lease */
    uint32_t next_free;       /* behind this one, plus one; 0: none */
};

struct plait__own_queue {
    struct plait__queue_head head;
    pid_t owner; /* const */
    struct plait__home_lock lock;
    uint32_t changes;      /* atomic, relaxed, changed with the lock: worth another look */
    uint32_t n_waiting;    /* calls in the lists */
    const uint32_t *later; /* to be woken when the lock is given back */
    /* those who will take the lock once more before they leave. Not beside n_waiting: a compiler counts
     * both at once, and the processor waits for the halves, which were stored one by one */
    uint32_t n_inside;
    bool is_closed, is_dropped, is_destroyed;
    bool is_watched; /* somebody selects, and sleeps */

    uint32_t limit, max_items, max_leases, max_kib, n_lanes; /* const */
    size_t half, max_item_bytes;                             /* const */

    struct plait__list getters, joiners; /* calls */
    size_t n_listed;                     /* items in lists of lanes */
    uint64_t n_put, n_taken, n_finished;
    struct plait__list in_hand;
    struct plait__item *spares;
    uint32_t n_spares;
    struct plait__own_slot *slots;
    uint32_t n_slots, free_slot; /* plus one */
    uint64_t n_leased;           /* ever */
    uint32_t get_bell, put_bell; /* of selects */
    struct plait__own_lane lanes[];
};

/* A call; on the caller's stack. */
struct plait__own_call {
    struct plait__waiting waiting;
    /* With the lock: what the call says; -EAGAIN: it has to wait. What fails changes nothing. */
    ssize_t (*attempt)(struct plait__own_queue *queue, struct plait__own_call *call);
    struct plait__list *list;     /* in which it waits */
    struct plait__own_lane *lane; /* of a put */
    const void *bytes;
    void *ret; /* buffer, batch, lease, pointer */
    size_t n;
    struct plait__item *item; /* to be put; or got, and still to be copied */
    ssize_t result;
};

static inline struct plait__own_queue *plait__own_of(const plait_queue *handle)
{
    return (struct plait__own_queue *)(uintptr_t)handle;
}

/* ---- the core (queue_own.c) ---- */

/* 0; -ECHILD. */
static inline int plait__own_lock(struct plait__own_queue *queue)
{
    /* in a forked child somebody who is not there may hold it */
    if (queue->owner != plait__self_pid())
        return -ECHILD;
    plait__home_lock(&queue->lock);
    return 0;
}

/* The same for the thread that the queue belongs to. False: nothing is said. */
static inline bool plait__own_lock_at_home(struct plait__own_queue *queue)
{
    return queue->owner == plait__self_kept_pid() && plait__home_try(&queue->lock);
}

static inline void plait__own_unlock(struct plait__own_queue *queue)
{
    const uint32_t *later = queue->later;

    queue->later = NULL;
    plait__home_unlock(&queue->lock);
    if (later != NULL)
        plait__os_futex_wake(later, 1);
}

void plait__own_serve_all(struct plait__own_queue *queue);

/* Something has changed: does what can be done now for those who wait. */
static inline void plait__own_serve(struct plait__own_queue *queue)
{
    __atomic_store_n(&queue->changes, queue->changes + 1, __ATOMIC_RELAXED);
    if (queue->n_waiting > 0 || queue->is_watched)
        plait__own_serve_all(queue);
}

/* Tries it, and waits. What it says; -ECHILD, -ETIMEDOUT, -ECANCELED, -EDEADLK. */
ssize_t plait__own_run(struct plait__own_queue *queue, struct plait__own_call *call,
                       plait_deadline until);
/* The same with the lock, which is given back. */
ssize_t plait__own_go_on(struct plait__own_queue *queue, struct plait__own_call *call,
                         plait_deadline until);
/* It was tried with the lock, which is given back. */
ssize_t plait__own_wait(struct plait__own_queue *queue, struct plait__own_call *call,
                        plait_deadline until);

/* One that waits is done. */
static inline void plait__own_finish(struct plait__own_queue *queue, struct plait__own_call *call,
                                     ssize_t result)
{
    call->result = result;
    queue->n_waiting--;
    if (plait__waiting_wake(&call->waiting, &queue->later))
        queue->n_inside--;
}

uint64_t plait__own_unfinished(const struct plait__own_queue *queue);

/* ---- items (queue_own_items.c) ---- */

/* The next item for a get, or for a lease. 0, -EAGAIN, -EPIPE. */
int plait__own_find(const struct plait__own_queue *queue, bool leases, struct plait__item **ret);
bool plait__own_has_room(const struct plait__own_queue *queue, const struct plait__own_lane *lane,
                         size_t n);
uint32_t plait__own_granules(const struct plait__own_queue *queue, size_t n);
void plait__own_free_items(struct plait__own_queue *queue);
/* It has left the list of its lane, and does not count there any more. */
void plait__own_leave_bounds(const struct plait__item *item);
/* The item is not in its lane's list any more. */
void plait__own_take(struct plait__own_queue *queue, struct plait__item *item);
/* Nobody has it any more. What is to be freed when the lock has been given back. */
struct plait__item *plait__own_retire(struct plait__own_queue *queue, struct plait__item *item);

#endif
