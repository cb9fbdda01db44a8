/* boost::interprocess::message_queue, made before the fork.
 * SPDX-License-Identifier: MIT
 */
#include "traffic.h"
#include <algorithm>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <memory>

using boost::interprocess::create_only;
using boost::interprocess::interprocess_exception;
using boost::interprocess::message_queue;

static std::unique_ptr<message_queue> queues[2];

static int make_queue(unsigned channel)
{
    char name[64];
    size_t messages = std::clamp<size_t>(traffic_capacity() / traffic.size, 8, 1000);

    snprintf(name, sizeof name, "plait-bench-%d-%u", (int)getpid(), channel);
    try {
        queues[channel].reset(new message_queue(create_only, name, messages, traffic.size));
    } catch (const interprocess_exception &) {
        message_queue::remove(name);
        return -EIO;
    }
    message_queue::remove(name); /* the mapping stays */
    return 0;
}

static int traffic_make(void)
{
    int rc = make_queue(0);

    return rc < 0 || !traffic.is_round_trip ? rc : make_queue(1);
}

static int traffic_enter(unsigned)
{
    return 0;
}

static int traffic_put(unsigned channel, const void *bytes, size_t n)
{
    queues[channel]->send(bytes, n, 0);
    return 0;
}

static ssize_t traffic_get(unsigned channel, void *buf, size_t cap)
{
    message_queue::size_type n = 0;
    unsigned priority = 0;

    queues[channel]->receive(buf, cap, n, priority);
    return (ssize_t)n;
}

int main(int argc, char **argv)
{
    return traffic_main(argc, argv);
}
