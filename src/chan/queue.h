/* A queue, and how a task waits at it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CHAN_QUEUE_H
#define PLAIT__CHAN_QUEUE_H

#include "chan/queue_head.h"
#include "chan/ring.h"
#include "chan/visits.h"
#include <plait/queue.h>

#include <string.h>

/* In the family all share it; of a queue in a segment each process has its own. */
struct plait_queue {
    struct plait__queue_head head;
    void *block;           /* const: to be freed; we begin at the next cache line in it */
    uint32_t is_destroyed; /* atomic */
    int64_t look;          /* atomic: when a lane that is passed over is looked at thoroughly */
    struct plait__visits visits; /* of those who wait */
    struct plait__ring ring;     /* the first lane; the others follow */
};

/* The first cache line in it. */
static inline void *plait__queue_align(void *block)
{
    return (void *)(((uintptr_t)block + PLAIT__RING_LINE - 1) & ~(uintptr_t)(PLAIT__RING_LINE - 1));
}

/* With all its lanes, but without what is shared of them; a multiple of PLAIT__RING_LINE. */
static inline size_t plait__queue_handle_bytes(const struct plait__ring *plan)
{
    return offsetof(struct plait_queue, ring) + plan->n_lanes * sizeof *plan;
}

static inline void plait__queue_make(struct plait_queue *queue, void *block,
                                     const struct plait__ring *plan, void *shared)
{
    memset(queue, 0, offsetof(struct plait_queue, ring));
    queue->block = block;
    plait__ring_place(&queue->ring, plan, shared);
}

enum plait__queue_side {
    PLAIT__QUEUE_GETS,
    PLAIT__QUEUE_PUTS,
    PLAIT__QUEUE_JOINS
};

/* A call that may have to wait. */
struct plait__queue_call {
    enum plait__queue_side side;
    /* what the ring says; -EAGAIN: wait and try again */
    ssize_t (*attempt)(plait_queue *queue, void *arg, struct plait__look look);
    void *arg;
    struct plait__ring *lane; /* that it puts into */
    size_t bytes;             /* that it wants to put */
};

/* How something is got from one lane: what the ring says. */
struct plait__queue_get {
    ssize_t (*from)(struct plait__ring *lane, void *arg, struct plait__look look);
    void *arg;
};

/* An attempt, whose arg is a plait__queue_get: at the first lane that has an item. */
ssize_t plait__queue_first(plait_queue *queue, void *arg, struct plait__look look);
/* Adds to a batch that has n items what the lanes have. How many are in it. */
size_t plait__queue_get_more(plait_queue *queue, const plait_queue_batch *batch, size_t n);

/* An attempt said -EAGAIN: tries until it says something else. Or -ETIMEDOUT, -ECANCELED. */
ssize_t plait__queue_wait(plait_queue *queue, const struct plait__queue_call *call,
                          plait_deadline until);

#endif
