"""Which processes belong to a run: those whose environment holds its token.

SPDX-License-Identifier: MIT
"""
import os
import pathlib
import time

TOKEN = "PLAIT_TEST_RUN"
SLOW = int(os.environ.get("PLAIT_SLOW", "1"))


def read(path):
    """The bytes of a file in /proc; none if the process is gone."""
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b""


def stat_fields(pid):
    """(name, state, parent) of a process, or None."""
    line = read(f"/proc/{pid}/stat").decode(errors="replace")
    if ")" not in line:
        return None
    name, rest = line[line.index("(") + 1:line.rindex(")")], line[line.rindex(")") + 2:].split()
    return name, rest[0], int(rest[1])


def of_run(token):
    """The pids of all live processes that were started with this token."""
    needle = f"{TOKEN}={token}".encode() + b"\0"
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and needle in read(f"/proc/{entry}/environ"):
            fields = stat_fields(entry)
            if fields and fields[1] not in "ZX":
                found.append(int(entry))
    return found


def children(pid):
    """The children of a single-threaded process."""
    return [int(word) for word in read(f"/proc/{pid}/task/{pid}/children").split()]


def keeper_of(pid):
    """The keeper of a tool, or None."""
    for child in children(pid):
        fields = stat_fields(child)
        if fields and fields[0] == "plait-keeper":
            return child
    return None


def left_after(token, seconds):
    """What of the run still lives after so many seconds: none as soon as there is none; described for people."""
    until = time.monotonic() + seconds * SLOW
    while True:
        left = of_run(token)
        if not left or time.monotonic() > until:
            return [f"{pid} {(stat_fields(pid) or ('gone',))[0]}: "
                    + read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace") for pid in left]
        time.sleep(0.01)


def end(token):
    """Kills what is left, so that a failed run does not disturb the next one."""
    for pid in of_run(token):
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            pass
