"""Python's pools; the protocol is that of bench.h, the scenarios those of pools.h.

SPDX-License-Identifier: MIT

    pools.py pool|executor SCENARIO COUNT                                     multiprocessing, concurrent.futures
    mpirun -np 3 python3 -m mpi4py.futures pools.py mpi4py SCENARIO COUNT     the first of them is the master
"""

import concurrent.futures
import multiprocessing
import multiprocessing.pool
import re
import sys
import time

FORK = multiprocessing.get_context("fork")
WORKERS = 2
BATCH = 100_000  # items of one map, at most
PAGE = 4096
THINKING = 100_000  # ns, as in pools.h
SIZES = {"latency": 64, "args-1KiB": 1024, "args-1MiB": 1 << 20, "args-64MiB": 64 << 20}


def trivial(number):
    return number + 1


def job(data):
    return sum(data[::PAGE])


def make(kind, is_process):
    """The pool, its map, and its apply."""
    if kind == "pool":
        pool = FORK.Pool(WORKERS) if is_process else multiprocessing.pool.ThreadPool(WORKERS)
        return pool, pool.map, lambda function, *arguments: pool.apply(function, arguments)
    if kind == "mpi4py":
        from mpi4py.futures import MPIPoolExecutor  # only here, so that the others need no MPI

        pool = MPIPoolExecutor(WORKERS)
    elif is_process:
        pool = concurrent.futures.ProcessPoolExecutor(WORKERS, mp_context=FORK)
    else:
        pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
    return (pool, lambda *arguments, **options: list(pool.map(*arguments, **options)),
            lambda function, *arguments: pool.submit(function, *arguments).result())


def run_map(call, options, count):
    seconds = 0
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        begin = time.monotonic()
        results = call(trivial, numbers, **options)
        seconds += time.monotonic() - begin
        if results != list(range(first + 1, numbers[-1] + 2)):
            sys.exit("a wrong result")
    return seconds


def run_apply(call, size, thinks, count):
    data = bytearray(b"\1" * size)
    same = job(data) - 1
    seconds = 0
    for i in range(count):
        data[0] = i % 256
        sent = bytes(data)
        begin = now = time.monotonic_ns()
        while thinks and now < begin + THINKING:
            now = time.monotonic_ns()
        if call(job, sent) != same + i % 256:
            sys.exit("a wrong result")
        seconds += (time.monotonic_ns() - now) / 1e9
    return seconds


def main():
    kind, scenario, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    layer, _, name = scenario.partition("/")
    pool, pool_map, apply = make(kind, layer == "pool-process")
    with pool:
        if re.match("tasks", name):
            options = {"chunksize": 1} if name == "tasks-1" else {}
            run_map(pool_map, options, 64)
            seconds = run_map(pool_map, options, count)
        else:
            run_apply(apply, SIZES[name], False, 2)
            seconds = run_apply(apply, SIZES[name], name == "latency", count)
    print("%.9f" % seconds)


if __name__ == "__main__":
    main()
