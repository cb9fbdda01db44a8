/* A pair of AF_UNIX sockets that keep packets apart. A message above 64 KiB is several packets,
 * which only a receiver that is alone puts together again.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"
#include <sys/socket.h>

enum {
    PACKET = 64 * 1024
};

static int ends[2]; /* of the sender, of the receiver */

static int traffic_make(void)
{
    if (traffic.senders > 1 && traffic.size > PACKET)
        return -ENOTSUP;
    return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0 ? -errno : 0;
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
        size_t part = n - done < PACKET ? n - done : PACKET;
        ssize_t rc = send(ends[channel], (const char *)bytes + done, part, MSG_NOSIGNAL);
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
        ssize_t rc = recv(ends[1 - channel], (char *)buf + done, cap - done, 0);
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
