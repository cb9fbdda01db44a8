"""multiprocessing.Process and threading.Thread, started and joined; the protocol is that of bench.h.

Before the scenario may stand how processes are made: spawn or forkserver.

SPDX-License-Identifier: MIT
"""

import mmap
import multiprocessing
import sys
import threading
import time


def work():
    pass


def touch(size):
    ballast = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        ballast.madvise(mmap.MADV_NOHUGEPAGE)
    except OSError:
        pass  # a kernel without huge pages
    for at in range(0, size, mmap.PAGESIZE):
        ballast[at] = 1
    return ballast


def main():
    *method, scenario, count = sys.argv[1:]
    count = int(count)
    kind = threading.Thread
    if scenario.startswith("process/"):
        kind = multiprocessing.get_context(*method or ["fork"]).Process
    ballast = touch(512 << 20) if scenario.endswith("-512MiB") else None
    begin = time.monotonic()
    for _ in range(count):
        task = kind(target=work)
        task.start()
        task.join()
        if getattr(task, "exitcode", 0) != 0:
            sys.exit("a process failed")
    print("%.9f" % (time.monotonic() - begin))
    del ballast


if __name__ == "__main__":
    main()
