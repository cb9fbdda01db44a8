/* A POSIX message queue; what an ordinary user may have: 10 messages of up to 8 KiB.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"
#include <fcntl.h>
#include <mqueue.h>

enum {
    MESSAGES = 10,
    LARGEST = 8192
};

static mqd_t queues[2];

static int make_queue(mqd_t *ret)
{
    struct mq_attr attr = { .mq_maxmsg = MESSAGES, .mq_msgsize = (long)traffic.size };
    char name[64];

    snprintf(name, sizeof name, "/plait-bench-%d", (int)getpid());
    *ret = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
    if (*ret == (mqd_t)-1)
        return -errno;
    return mq_unlink(name) < 0 ? -errno : 0;
}

static int traffic_make(void)
{
    int rc = traffic.size > LARGEST ? -ENOTSUP : make_queue(&queues[0]);

    return rc < 0 ? rc : make_queue(&queues[1]);
}

static int traffic_enter(unsigned number)
{
    (void)number;
    return 0;
}

static int traffic_put(unsigned channel, const void *bytes, size_t n)
{
    return mq_send(queues[channel], (const char *)bytes, n, 0) < 0 ? -errno : 0;
}

static ssize_t traffic_get(unsigned channel, void *buf, size_t cap)
{
    ssize_t n = mq_receive(queues[channel], (char *)buf, cap, NULL);

    return n < 0 ? -errno : n;
}

int main(int argc, char **argv)
{
    return traffic_main(argc, argv);
}
