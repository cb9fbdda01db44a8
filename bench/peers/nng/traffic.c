/* nng over ipc: push and pull, each receiver with a socket that all senders dial; to and fro, a pair.
 * Its sockets are made after the fork, as it starts threads.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

enum {
    RETRY_MS = 1, /* a sender may be there before its receiver */
    LOOK_MS = 2,  /* of several receivers one does not know when it has had its last */
};

static nng_socket sock;
static pid_t maker;

static int traffic_make(void)
{
    maker = getpid();
    traffic_deals_out = traffic.senders > 1;
    return 0;
}

static int explain(int error)
{
    if (error != 0 && error != NNG_ETIMEDOUT)
        fprintf(stderr, "nng: %s\n", nng_strerror(error));
    return error == 0 ? 0 : error == NNG_ETIMEDOUT ? -EAGAIN : -EIO;
}

static int set_all(void)
{
    int rc = nng_socket_set_ms(sock, NNG_OPT_RECONNMINT, RETRY_MS);

    if (rc == 0)
        rc = nng_socket_set_ms(sock, NNG_OPT_RECONNMAXT, RETRY_MS);
    if (rc == 0)
        rc = nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, 0);
    if (rc == 0 && traffic.senders > 1)
        rc = nng_socket_set_ms(sock, NNG_OPT_RECVTIMEO, LOOK_MS);
    return rc;
}

static int reach(unsigned number, bool is_bound)
{
    char address[64];

    snprintf(address, sizeof address, "abstract://plait-bench-nng-%d-%u", (int)maker, number);
    return is_bound ? nng_listen(sock, address, NULL, 0)
                    : nng_dial(sock, address, NULL, NNG_FLAG_NONBLOCK);
}

static int traffic_enter(unsigned number)
{
    bool sends = traffic_is_sender(number);
    int rc = traffic.is_round_trip ? nng_pair0_open(&sock)
             : sends               ? nng_push0_open(&sock)
                                   : nng_pull0_open(&sock);

    if (rc == 0)
        rc = set_all();
    if (rc == 0 && !sends)
        rc = reach(number, true);
    for (unsigned i = 0; rc == 0 && sends && i < traffic.senders; i++)
        rc = reach(traffic.senders + i, false);
    return explain(rc);
}

static int traffic_put(unsigned channel, const void *bytes, size_t n)
{
    (void)channel;
    return explain(nng_send(sock, (void *)(uintptr_t)bytes, n, 0));
}

static ssize_t traffic_get(unsigned channel, void *buf, size_t cap)
{
    int rc = explain(nng_recv(sock, buf, &cap, 0));

    (void)channel;
    return rc < 0 ? rc : (ssize_t)cap;
}

int main(int argc, char **argv)
{
    return traffic_main(argc, argv);
}
