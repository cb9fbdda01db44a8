/* How each handle of a queue begins.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CHAN_QUEUE_HEAD_H
#define PLAIT__CHAN_QUEUE_HEAD_H

#include <plait/queue.h>

#include <stdbool.h>
#include <stdint.h>

struct plait__queue_head {
    uint32_t is_own; /* const: it is a plait__own_queue; else a plait_queue */
};

static inline bool plait__queue_is_own(const plait_queue *queue)
{
    return ((const struct plait__queue_head *)(const void *)queue)->is_own != 0;
}

#endif
