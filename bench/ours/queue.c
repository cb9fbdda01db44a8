/* plait's queue. "declared": with a single producer and a single consumer.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"
#include <plait.h>

static plait_queue *queues[2];
static bool is_declared;

static int traffic_make(void)
{
    plait_queue_opts opts = { .max_bytes = traffic_capacity(),
                              .single_producer = is_declared,
                              .single_consumer = is_declared };
    int rc = plait_queue_create(&queues[0], &opts);

    return rc < 0 ? rc : plait_queue_create(&queues[1], &opts);
}

static int traffic_enter(unsigned number)
{
    (void)number;
    return 0;
}

static int traffic_put(unsigned channel, const void *bytes, size_t n)
{
    return plait_queue_put(queues[channel], bytes, n, PLAIT_FOREVER);
}

static ssize_t traffic_get(unsigned channel, void *buf, size_t cap)
{
    return plait_queue_get(queues[channel], buf, cap, PLAIT_FOREVER);
}

int main(int argc, char **argv)
{
    is_declared = argc == 4 && strcmp(argv[1], "declared") == 0;
    return traffic_main(argc, argv);
}
