"""subprocess.run with captured output, and 64 MiB through cat; the protocol is that of bench.h.

SPDX-License-Identifier: MIT
"""

import subprocess
import sys
import time

FEED_BYTES = 64 << 20


def main():
    scenario, count = sys.argv[2], int(sys.argv[3])
    words, feed = ["/bin/echo", "hello"], None
    if scenario.endswith("/cat-64MiB"):
        words, feed = ["/bin/cat"], bytes(range(256)) * (FEED_BYTES // 256)
    begin = time.monotonic()
    for _ in range(count):
        done = subprocess.run(words, input=feed, capture_output=True, check=True)
        if len(done.stdout) != (6 if feed is None else FEED_BYTES):
            sys.exit("not what was expected")
    print("%.9f" % (time.monotonic() - begin))


if __name__ == "__main__":
    main()
