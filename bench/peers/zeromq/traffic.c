/* ZeroMQ over ipc: push and pull, each receiver with a socket that all senders connect to; to and
 * fro, a pair. Its sockets are made after the fork, as it asks.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"
#include <zmq.h>

enum {
    MOST_WAITING = 1000, /* messages: its own default */
    FEWEST_WAITING = 8,
    RETRY_MS = 1, /* a sender may be there before its receiver */
    LOOK_MS = 2,  /* of several receivers one does not know when it has had its last */
};

static void *sock;
static pid_t maker;

static int traffic_make(void)
{
    maker = getpid();
    traffic_deals_out = traffic.senders > 1;
    return 0;
}

static int set(int option, int value)
{
    return zmq_setsockopt(sock, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int set_all(void)
{
    size_t waiting = traffic_capacity() / traffic.size;
    int most = waiting < FEWEST_WAITING ? FEWEST_WAITING
               : waiting > MOST_WAITING ? MOST_WAITING
                                        : (int)waiting;
    int rc = set(ZMQ_SNDHWM, most);

    if (rc == 0)
        rc = set(ZMQ_RCVHWM, most);
    if (rc == 0)
        rc = set(ZMQ_RECONNECT_IVL, RETRY_MS);
    if (rc == 0 && traffic.senders > 1)
        rc = set(ZMQ_RCVTIMEO, LOOK_MS);
    return rc;
}

static int reach(unsigned number, bool is_bound)
{
    char address[64];

    snprintf(address, sizeof address, "ipc://@plait-bench-zmq-%d-%u", (int)maker, number);
    return (is_bound ? zmq_bind : zmq_connect)(sock, address) < 0 ? -errno : 0;
}

static int traffic_enter(unsigned number)
{
    bool sends = traffic_is_sender(number);
    void *context = zmq_ctx_new();
    int rc;

    if (context == NULL)
        return -ENOMEM;
    sock = zmq_socket(context, traffic.is_round_trip ? ZMQ_PAIR : sends ? ZMQ_PUSH : ZMQ_PULL);
    rc = sock == NULL ? -errno : set_all();
    if (rc == 0 && !sends)
        rc = reach(number, true);
    for (unsigned i = 0; rc == 0 && sends && i < traffic.senders; i++)
        rc = reach(traffic.senders + i, false);
    return rc;
}

static int traffic_put(unsigned channel, const void *bytes, size_t n)
{
    (void)channel;
    return zmq_send(sock, bytes, n, 0) < 0 ? -errno : 0;
}

static ssize_t traffic_get(unsigned channel, void *buf, size_t cap)
{
    int n = zmq_recv(sock, buf, cap, 0);

    (void)channel;
    return n < 0 ? -errno : n;
}

int main(int argc, char **argv)
{
    return traffic_main(argc, argv);
}
