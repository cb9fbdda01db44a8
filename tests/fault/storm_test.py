#!/usr/bin/env python3
"""A flood of signals changes nothing: a thousand a second, to the tool and to its keeper, while both work.

SPDX-License-Identifier: MIT

The signals are those that a bystander may send without meaning harm: of a terminal that changes its size, of urgent data,
of children of nobody's, to go on. (Calls that say EINTR, which needs a handler, are made by inject_test.py.)
"""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import processes

PLAIT = os.environ.get("PLAIT", "build/plait")
SEED = int(os.environ.get("PLAIT_SEED", "1"))
SIGNALS = (signal.SIGWINCH, signal.SIGURG, signal.SIGCHLD, signal.SIGCONT)
INPUTS = [str(i) for i in range(120)]
COMMAND = "sleep 0.02; head -c 70000 /dev/zero | tr '\\0' x; echo {}"


def run(token, folder, flood):
    """Runs the tool, with or without the flood. (exit status, output, errors, signals sent)"""
    environment = {**os.environ, processes.TOKEN: token, "SHELL": "/bin/sh", "TMPDIR": folder,
                   # the search for leaks stops all threads by signals of its own, and drowns in ours
                   "ASAN_OPTIONS": "detect_leaks=0"}
    generator, sent = random.Random(SEED), 0
    with open(f"{folder}/out", "wb+") as out, open(f"{folder}/err", "wb+") as err:
        with subprocess.Popen([PLAIT, "map", "-k", "-j4", COMMAND, ":::", *INPUTS], env=environment,
                              stdin=subprocess.DEVNULL, stdout=out, stderr=err) as tool:
            limit = time.monotonic() + 30 * processes.SLOW
            while tool.poll() is None and time.monotonic() < limit:
                keeper = processes.keeper_of(tool.pid)
                for pid in (tool.pid, keeper) * 10 if flood and keeper else ():
                    try:
                        os.kill(pid, generator.choice(SIGNALS))
                        sent += 1
                    except ProcessLookupError:
                        break
                    time.sleep(0.0005)
                if not flood:
                    time.sleep(0.01)
            if tool.poll() is None:
                processes.end(token)
        out.seek(0)
        err.seek(0)
        return tool.returncode, out.read(), err.read(), sent


def main():
    with tempfile.TemporaryDirectory(prefix="plait-storm-") as folder:
        calm = run(f"calm.{os.getpid()}", folder, False)
        token = f"storm.{os.getpid()}"
        storm = run(token, folder, True)
        left = processes.left_after(token, 2)
    print(f"{storm[3]} signals, exit {storm[0]}, {len(storm[1])} bytes, seed {SEED}")
    wrong = []
    if calm[0] != 0 or storm[:3] != calm[:3]:
        wrong.append(f"the flood changed the result: exit {storm[0]}, {len(storm[1])} bytes instead of {len(calm[1])}: "
                     f"{storm[2].decode(errors='replace')}")
    if storm[3] < 100:
        wrong.append("there was hardly a flood")
    wrong += [f"left running: {process}" for process in left]
    for complaint in wrong:
        print(f"FAILED {complaint}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
