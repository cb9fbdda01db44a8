/* A queue, and how a task waits at it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CHAN_QUEUE_H
#define PLAIT__CHAN_QUEUE_H

#include "chan/ring.h"
#include "chan/visits.h"
#include <plait/queue.h>

struct plait_queue {
    void *block;           /* const: what the heap gave; we begin at the next cache line in it */
    uint32_t is_destroyed; /* atomic */
    struct plait__visits visits; /* of those who wait */
    struct plait__ring ring;     /* its bytes follow */
};

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
    size_t bytes; /* that it wants to put */
};

/* An attempt said -EAGAIN: tries until it says something else. Or -ETIMEDOUT, -ECANCELED. */
ssize_t plait__queue_wait(plait_queue *queue, const struct plait__queue_call *call,
                          plait_deadline until);

#endif
