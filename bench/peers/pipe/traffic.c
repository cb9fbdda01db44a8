/* A pipe. All messages of a scenario have one size, so nothing marks where one ends; with several
 * readers only those up to PIPE_BUF stay whole.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"
#include <limits.h>

static int pipes[2][2];

static int traffic_make(void)
{
    if (traffic.senders > 1 && traffic.size > PIPE_BUF)
        return -ENOTSUP;
    return pipe(pipes[0]) < 0 || pipe(pipes[1]) < 0 ? -errno : 0;
}

static int traffic_enter(unsigned number)
{
    (void)number;
    return 0;
}

static int traffic_put(unsigned channel, const void *bytes, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t rc = write(pipes[channel][1], (const char *)bytes + done, n - done);
        if (rc < 0)
            return -errno;
        done += (size_t)rc;
    }
    return 0;
}

static ssize_t traffic_get(unsigned channel, void *buf, size_t cap)
{
    size_t done = 0;

    while (done < cap) {
        ssize_t rc = read(pipes[channel][0], (char *)buf + done, cap - done);
        if (rc <= 0)
            return rc < 0 ? -errno : -EPIPE;
        done += (size_t)rc;
    }
    return (ssize_t)done;
}

int main(int argc, char **argv)
{
    return traffic_main(argc, argv);
}
