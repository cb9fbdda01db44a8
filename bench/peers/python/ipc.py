"""Python's locks, queues and pipes; the protocol is that of bench.h, the scenarios those of crowd.h's users.

SPDX-License-Identifier: MIT

    ipc.py KIND SCENARIO COUNT        KIND: threading, multiprocessing; queue, simple-queue, pipe
"""

import multiprocessing
import os
import re
import sys
import threading
import time

FORK = multiprocessing.get_context("fork")
SIZES = {"16B": 16, "64B": 64, "1KiB": 1024, "64KiB": 65536, "1MiB": 1 << 20}
ROUND_TRIP_BYTES = 64
THINKING = 20_000  # ns, as in traffic.h


class Crowd:
    """Workers that begin together; in processes or threads."""

    def __init__(self, n, kind):
        self.n, self.kind = n, kind
        make = threading if kind is threading.Thread else FORK
        self.barrier = make.Barrier(n)
        self.begin, self.end, self.thinking, self.got = (FORK.RawArray("q", n) for _ in range(4))

    def run(self, work):
        """Seconds, less what the workers were thinking; work(number) returns nanoseconds of that, and a sum."""
        workers = [self.kind(target=self.one, args=(number, work), daemon=True) for number in range(self.n)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if not all(self.end) or any(getattr(worker, "exitcode", 0) for worker in workers):
            sys.exit("a worker failed")
        return (max(self.end) - min(self.begin) - sum(self.thinking)) / 1e9

    def one(self, number, work):
        cpus = sorted(os.sched_getaffinity(0))
        if self.n == 2 and len(cpus) > 1:
            os.sched_setaffinity(0, cpus[number : number + 1])
        self.barrier.wait()
        self.begin[number] = time.monotonic_ns()
        self.thinking[number], self.got[number] = work(number)
        self.end[number] = time.monotonic_ns()
        self.barrier.wait()  # no worker's end disturbs another


def share(count, number, n):
    return count // n + (number < count % n)


def locks(kind, scenario, count):
    module = threading if kind == "threading" else FORK
    lock = module.Semaphore(1) if scenario.startswith("semaphore/") else module.Lock()
    n, worker = {"uncontended": (1, threading.Thread), "contended-processes": (2, FORK.Process),
                 "contended-threads": (4, threading.Thread)}[scenario.split("/")[1]]

    def work(number):
        acquire, release = lock.acquire, lock.release
        for _ in range(share(count, number, n)):
            acquire()
            release()
        return 0, 0

    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return Crowd(n, worker).run(work)


def channel(kind):
    """put(bytes), get()"""
    if kind == "pipe":
        receiver, sender = FORK.Pipe(duplex=False)
        return sender.send_bytes, receiver.recv_bytes
    queue = FORK.Queue() if kind == "queue" else FORK.SimpleQueue()
    return queue.put, queue.get


def round_trip(kind, thinks, count):
    (ask, asked), (answer, answered) = channel(kind), channel(kind)
    message = bytes(ROUND_TRIP_BYTES)

    def think():
        begin = now = time.monotonic_ns()
        while thinks and now < begin + THINKING:
            now = time.monotonic_ns()
        return now - begin

    def work(number):
        put, get = (ask, answered) if number == 0 else (answer, asked)
        thinking = 0
        for _ in range(count):
            if number == 1:
                get()
            thinking += think()
            put(message)
            if number == 0:
                get()
        return thinking, 0

    return Crowd(2, FORK.Process).run(work)


def stream(kind, senders, size, count):
    put, get = channel(kind)
    message = bytes(size)

    def work(number):
        if number < senders:
            for _ in range(share(count, number, senders)):
                put(message)
            return 0, 0
        return 0, sum(len(get()) for _ in range(share(count, number - senders, senders)))

    crowd = Crowd(2 * senders, FORK.Process)
    seconds = crowd.run(work)
    if sum(crowd.got) != count * size:
        sys.exit("something was lost")
    return seconds


def main():
    kind, scenario, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if kind in ("threading", "multiprocessing"):
        seconds = locks(kind, scenario, count)
    elif "round-trip" in scenario:
        seconds = round_trip(kind, scenario.endswith("asleep"), count)
    else:
        size = SIZES[re.split("[-/]", scenario)[-1]]
        seconds = stream(kind, 4 if "4to4" in scenario else 1, size, count)
    print("%.9f" % seconds)


if __name__ == "__main__":
    main()
