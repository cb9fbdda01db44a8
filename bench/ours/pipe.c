/* plait's message pipe.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"
#include <plait.h>

static plait_pipe *ends[2]; /* of the sender, of the receiver */

static int traffic_make(void)
{
    return plait_pipe_create(&ends[0], &ends[1], NULL);
}

static int traffic_enter(unsigned number)
{
    return plait_pipe_close(ends[1 - number]);
}

static int traffic_put(unsigned channel, const void *bytes, size_t n)
{
    return plait_pipe_send(ends[channel], bytes, n, PLAIT_FOREVER);
}

static ssize_t traffic_get(unsigned channel, void *buf, size_t cap)
{
    return plait_pipe_recv(ends[1 - channel], buf, cap, PLAIT_FOREVER);
}

int main(int argc, char **argv)
{
    return traffic_main(argc, argv);
}
