// Boost.Fiber. Its stacks come from a pool; those of coroutine/parked are mapped one by one, as the pool
// writes into the far end of each.
// SPDX-License-Identifier: MIT
#include <boost/fiber/all.hpp>
#include <chrono>
#include <mutex>

namespace fibers = boost::fibers;

typedef int coroutines_result;

struct coroutines_task {
    fibers::fiber fiber;
};

#include "coroutines.h"

static fibers::pooled_fixedsize_stack stacks;
static fibers::unbuffered_channel<uint64_t> channels[2];
static fibers::mutex lock, event_lock;
static fibers::condition_variable event;

static int coroutines_make()
{
    return 0;
}

static int coroutines_start(coroutines_task *ret, coroutines_fn *fn, void *arg)
{
    ret->fiber = fibers::fiber(std::allocator_arg, stacks, fn, arg);
    return 0;
}

static int coroutines_join(coroutines_task *task)
{
    task->fiber.join();
    return 0;
}

static int coroutines_go(coroutines_fn *fn, void *arg)
{
    fibers::fiber(std::allocator_arg, fibers::protected_fixedsize_stack(), fn, arg).detach();
    return 0;
}

static int coroutines_yield()
{
    boost::this_fiber::yield();
    return 0;
}

static int coroutines_put(unsigned channel, uint64_t number)
{
    return channels[channel].push(number) == fibers::channel_op_status::success ? 0 : -EPIPE;
}

static int coroutines_get(unsigned channel, uint64_t *ret)
{
    return channels[channel].pop(*ret) == fibers::channel_op_status::success ? 0 : -EPIPE;
}

static int coroutines_acquire()
{
    lock.lock();
    return 0;
}

static int coroutines_release()
{
    lock.unlock();
    return 0;
}

static int coroutines_wait(int ms)
{
    std::unique_lock<fibers::mutex> held(event_lock);

    if (ms < 0)
        event.wait(held);
    else if (event.wait_for(held, std::chrono::milliseconds(ms)) == fibers::cv_status::timeout)
        return -ETIMEDOUT;
    return 0;
}

static int coroutines_wake_all()
{
    event.notify_all();
    return 0;
}

/* Each child runs at once, so that few stacks are in use. */
static int sum(uint64_t first, uint64_t leaves, uint64_t *ret)
{
    fibers::fiber children[COROUTINES_TREE];
    uint64_t sums[COROUTINES_TREE], share = leaves / COROUTINES_TREE;

    *ret = first;
    if (leaves == 1) {
        coroutines_count++;
        return 0;
    }
    for (unsigned i = 0; i < COROUTINES_TREE; i++)
        children[i] = fibers::fiber(fibers::launch::dispatch, std::allocator_arg, stacks, sum,
                                    first + i * share, share, &sums[i]);
    *ret = 0;
    for (unsigned i = 0; i < COROUTINES_TREE; i++) {
        children[i].join();
        *ret += sums[i];
    }
    return 0;
}

static int tree_at_once(uint64_t leaves, uint64_t *ret)
{
    return sum(0, leaves, ret);
}

int main(int argc, char **argv)
{
    coroutines_tree = tree_at_once;
    return coroutines_main(argc, argv);
}
