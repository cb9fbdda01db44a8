"""Python's coroutines; the protocol is that of bench.h, the scenarios those of coroutines.h.

SPDX-License-Identifier: MIT

    coroutines.py KIND SCENARIO COUNT        KIND: greenlet, gevent, asyncio, uvloop
"""

import os
import random
import re
import sys
import time

MANY, TIMERS, TREE = 1000, 10_000, 10


class Done:
    """How much was done, and since when; of coroutine/parked how many bytes they take."""

    def __init__(self, scenario):
        self.count = 0
        self.is_memory = scenario == "parked"
        self.begin = self.figure()

    def figure(self):
        if not self.is_memory:
            return time.monotonic()
        with open("/proc/self/status") as file:
            return 1024 * sum(map(int, re.findall(r"^Vm(?:RSS|PTE):\s*(\d+)", file.read(), re.M)))

    def say(self, count):
        figure = self.figure() - self.begin
        if self.count != count:
            sys.exit("%d of %d were done" % (self.count, count))
        print("%.9f" % figure, flush=True)
        os._exit(0)  # a crowd may be parked


def halves(count):
    return count // 2, count - count // 2


def with_greenlet(scenario, count):
    import greenlet

    def there():
        while True:
            done.count += 2
            here.switch()

    if scenario != "switch":
        sys.exit("greenlet has no scheduler")
    here = greenlet.getcurrent()
    back = greenlet.greenlet(there)
    done = Done(scenario)
    for _ in range(count // 2):
        back.switch()
    done.say(count // 2 * 2)


class Gevent:
    def __init__(self, done):
        import gevent.event
        import gevent.lock
        import gevent.queue

        self.done = done
        self.gevent, self.event, self.lock = gevent, gevent.event.Event(), gevent.lock.Semaphore(1)
        self.channels = gevent.queue.Channel(), gevent.queue.Channel()

    def run_two(self, function, *arguments):
        self.gevent.joinall([self.gevent.spawn(function, argument) for argument in arguments])

    def switch(self, count):
        def yields(n):
            for _ in range(n):
                self.gevent.sleep(0)
                self.done.count += 1

        self.run_two(yields, *halves(count))

    def ends(self):
        self.done.count += 1

    def spawn_join(self, count):
        for _ in range(count):
            self.gevent.spawn(self.ends).join()

    def spawn_join_1000(self, count):
        for left in range(count, 0, -MANY):
            self.gevent.joinall([self.gevent.spawn(self.ends) for _ in range(min(left, MANY))])

    def hop(self, count):
        def hops(number):
            for i in range((count + 1) // 2):
                if number == 0:
                    self.channels[0].put(i)
                if self.channels[1 - number].get() != i:
                    sys.exit("a wrong number")
                if number == 1:
                    self.channels[1].put(i)
            self.done.count += halves(count)[number]

        self.run_two(hops, 0, 1)

    def locks(self, n):
        for _ in range(n):
            with self.lock:
                self.gevent.sleep(0)
                self.done.count += 1
            self.gevent.sleep(0)

    def run_lock(self, count):
        self.run_two(self.locks, *halves(count))

    def waits(self, share):
        for _ in range(share):
            if not self.event.wait(60 + random.random() * 60):
                sys.exit("a deadline came")
            self.done.count += 1

    def timers(self, count):
        n = min(count, TIMERS)
        for i in range(n):
            self.gevent.spawn(self.waits, count // n + (i < count % n))
        self.gevent.sleep(0)
        self.done.begin = self.done.figure()
        while self.done.count < count:
            self.gevent.sleep(0)
            self.event.set()
            self.event.clear()

    def parks(self):
        self.done.count += 1
        self.event.wait()

    def parked(self, count):
        for i in range(1, count + 1):
            self.gevent.spawn(self.parks)
            if i % MANY == 0 or i == count:
                self.gevent.sleep(0)

    def sum(self, first, leaves):
        if leaves == 1:
            self.done.count += 1
            return first
        share = leaves // TREE
        children = [self.gevent.spawn(self.sum, first + i * share, share) for i in range(TREE)]
        return sum(child.get() for child in children)

    def skynet(self, count):
        if self.gevent.spawn(self.sum, 0, count).get() != count * (count - 1) // 2:
            sys.exit("a wrong sum")


class Asyncio:
    def __init__(self, done):
        import asyncio

        self.done = done
        self.asyncio, self.event, self.lock = asyncio, asyncio.Event(), asyncio.Lock()
        self.queues = asyncio.Queue(1), asyncio.Queue(1)

    async def switch(self, count):
        async def yields(n):
            for _ in range(n):
                await self.asyncio.sleep(0)
                self.done.count += 1

        await self.asyncio.gather(*map(yields, halves(count)))

    async def ends(self):
        self.done.count += 1

    async def spawn_join(self, count):
        for _ in range(count):
            await self.asyncio.create_task(self.ends())

    async def spawn_join_1000(self, count):
        for left in range(count, 0, -MANY):
            await self.asyncio.gather(*(self.ends() for _ in range(min(left, MANY))))

    async def hop(self, count):
        async def hops(number):
            for i in range((count + 1) // 2):
                if number == 0:
                    await self.queues[0].put(i)
                if await self.queues[1 - number].get() != i:
                    sys.exit("a wrong number")
                if number == 1:
                    await self.queues[1].put(i)
            self.done.count += halves(count)[number]

        await self.asyncio.gather(hops(0), hops(1))

    async def locks(self, n):
        for _ in range(n):
            async with self.lock:
                await self.asyncio.sleep(0)
                self.done.count += 1
            await self.asyncio.sleep(0)

    async def run_lock(self, count):
        await self.asyncio.gather(*map(self.locks, halves(count)))

    async def waits(self, share):
        for _ in range(share):
            async with self.asyncio.timeout(60 + random.random() * 60):
                await self.event.wait()
            self.done.count += 1

    async def timers(self, count):
        n = min(count, TIMERS)
        tasks = [self.asyncio.create_task(self.waits(count // n + (i < count % n))) for i in range(n)]
        await self.asyncio.sleep(0)
        self.done.begin = self.done.figure()
        while self.done.count < count:
            await self.asyncio.sleep(0)
            self.event.set()
            self.event.clear()
        await self.asyncio.gather(*tasks)

    async def parks(self):
        self.done.count += 1
        await self.event.wait()

    async def parked(self, count):
        self.tasks = set()  # the loop keeps no reference
        for i in range(1, count + 1):
            self.tasks.add(self.asyncio.create_task(self.parks()))
            if i % MANY == 0 or i == count:
                await self.asyncio.sleep(0)

    async def sum(self, first, leaves):
        if leaves == 1:
            self.done.count += 1
            return first
        share = leaves // TREE
        tasks = [self.asyncio.create_task(self.sum(first + i * share, share)) for i in range(TREE)]
        return sum([await task for task in tasks])

    async def skynet(self, count):
        if await self.sum(0, count) != count * (count - 1) // 2:
            sys.exit("a wrong sum")


def with_asyncio(run, scenario, count):
    async def main():
        done = Done(scenario)
        await method_of(Asyncio(done), scenario)(count)
        done.say(count)

    run(main())


def method_of(kind, scenario):
    return getattr(kind, {"lock": "run_lock"}.get(scenario, scenario.replace("-", "_")))


def main():
    kind, scenario, count = sys.argv[1], sys.argv[2].partition("/")[2], int(sys.argv[3])
    if kind == "greenlet":
        with_greenlet(scenario, count)
    elif kind == "gevent":
        done = Done(scenario)
        gevent = Gevent(done)
        done.begin = done.figure()
        method_of(gevent, scenario)(count)
        done.say(count)
    elif kind == "asyncio":
        import asyncio

        with_asyncio(asyncio.run, scenario, count)
    else:
        import uvloop

        uvloop.install()
        import asyncio

        with_asyncio(asyncio.run, scenario, count)


if __name__ == "__main__":
    try:
        main()
    except ImportError as error:
        sys.exit(str(error))
