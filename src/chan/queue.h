/* A queue, and how a task waits at it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CHAN_QUEUE_H
#define PLAIT__CHAN_QUEUE_H

#include "chan/ring.h"
#include <plait/queue.h>

enum {
    PLAIT__QUEUE_VISITS = 127
};

struct plait_queue {
    void *block;           /* const: what the heap gave; we begin at the next cache line in it */
    uint32_t is_destroyed; /* atomic */
    uint32_t had_strays;   /* atomic: somebody waited without a visit */
    /* atomic: of a process: how many of its tasks wait here << 32 | its member id */
    uint64_t visits[PLAIT__QUEUE_VISITS];
    struct plait__ring ring; /* its bytes follow */
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
/* A task is about to wait, and a destroy waits for it: what to hand to leave. pre: this process is in
 * the family. */
unsigned plait__queue_enter(plait_queue *queue);
/* The last that is done here: the queue may be gone after it. */
void plait__queue_leave(plait_queue *queue, unsigned at);
/* The queue is dropped: waits until nobody waits. False: somebody does not leave. */
bool plait__queue_is_left(plait_queue *queue);

#endif
