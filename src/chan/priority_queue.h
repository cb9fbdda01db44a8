/* A priority queue, as its tests know it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CHAN_PRIORITY_QUEUE_H
#define PLAIT__CHAN_PRIORITY_QUEUE_H

#include "chan/items.h"
#include "chan/visits.h"

struct plait_priority_queue {
    struct plait__visits visits; /* of those who wait */
    uint32_t is_destroyed;       /* atomic */
    uint32_t get_bell, put_bell, join_bell;
    struct plait__items items; /* its cells follow */
};

#endif
