"""multiprocessing.Process and threading.Thread, started and joined; the protocol is that of bench.h.

Before the scenario may stand how processes are made: spawn or forkserver.

SPDX-License-Identifier: MIT
"""

import mmap
import multiprocessing
import re
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
    size = re.search(r"-(\d+)([MG])iB$", scenario)
    ballast = touch(int(size[1]) << {"M": 20, "G": 30}[size[2]]) if size else None
    begin = time.monotonic()
    for i in range(-1 if size else 0, count):
        if i == 0:
            begin = time.monotonic()
        task = kind(target=work)
        task.start()
        task.join()
        if getattr(task, "exitcode", 0) != 0:
            sys.exit("a process failed")
    print("%.9f" % (time.monotonic() - begin))
    del ballast


if __name__ == "__main__":
    main()
