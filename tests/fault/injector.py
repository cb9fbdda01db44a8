"""Runs a program with tests/fault/inject.c in it, and reads what that reached and failed.

SPDX-License-Identifier: MIT
"""
import dataclasses
import errno
import os
import pathlib
import struct
import subprocess
import sys

BUILD = pathlib.Path(os.environ.get("PLAIT_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
LIBRARY = BUILD / "tests/libplait-inject.so"
IN_LIBRARY = 1 << 63
NAMES, NAME_BYTES = 96, 24  # as in struct state

# The errors that each kind of call may really give (the first one also for those that are not listed: EIO).
MEMORY, TABLES = ("ENOMEM",), ("EMFILE", "ENFILE", "ENOMEM")
ERRORS = {
    "malloc": MEMORY, "calloc": MEMORY, "realloc": MEMORY, "mmap": MEMORY, "getdelim": ("ENOMEM", "EIO"),
    "open": ("EMFILE", "ENFILE", "EACCES", "ENOMEM"), "fopen": TABLES, "opendir": TABLES, "pipe2": TABLES,
    "socketpair": TABLES, "eventfd": TABLES, "memfd_create": TABLES, "mkostemp": ("EMFILE", "ENOSPC"), "signalfd": TABLES,
    "fcntl": ("EINVAL",), "fcntl_dup": ("EMFILE",), "fcntl_lock": ("ENOLCK", "EAGAIN", "EINTR"), "fcntl_look": ("ENOMEM",),
    "dup2": ("EBUSY",), "openat": TABLES, "fdopendir": MEMORY, "socket": TABLES, "bind": ("EADDRINUSE", "ENOMEM"),
    "read": ("EINTR", "EIO"), "pread": ("EINTR", "EIO"), "write": ("EINTR", "ENOSPC", "EIO"), "pwrite": ("EINTR", "ENOSPC"),
    "fallocate": ("ENOSPC", "EOPNOTSUPP", "EINTR"), "posix_fallocate": ("ENOSPC", "EINTR"), "madvise": ("ENOMEM", "EINVAL"),
    "mprotect": MEMORY, "ftruncate": ("ENOMEM", "EINTR"), "lstat": MEMORY, "fstatat": MEMORY,
    "readlink": ("ENOMEM", "EACCES"), "readlinkat": MEMORY, "fchmod": ("EPERM",), "linkat": ("ENOSPC", "EEXIST", "ENOENT"),
    "sys_renameat2": ("ENOSPC", "EEXIST", "EINVAL"),
    "stat": ("ENOMEM", "EACCES"), "access": ("EACCES",), "mkdir": ("ENOSPC",),
    "sendmsg": ("EINTR", "EAGAIN", "ENOBUFS", "ENOMEM"), "recvmsg": ("EINTR", "ENOMEM"),
    "ppoll": ("EINTR", "ENOMEM"), "poll": ("EINTR",), "fork": ("EAGAIN", "ENOMEM"), "clone": ("EAGAIN", "ENOMEM"),
    "pthread_create": ("EAGAIN",), "wait4": ("EINTR",), "waitpid": ("EINTR",), "sigaction": ("EINVAL",),
    "prctl": ("EINVAL",), "getrlimit": ("EINVAL",), "getrandom": ("EAGAIN", "ENOSYS"), "setpgid": ("EPERM",),
    "chdir": ("EACCES", "EIO"), "setpriority": ("EPERM", "EACCES"), "execve": ("ENOMEM", "EAGAIN", "EACCES", "ETXTBSY"),
    "sys_clone": ("EAGAIN", "ENOMEM", "EMFILE"), "sys_pidfd_open": TABLES, "sys_pidfd_send_signal": ("EPERM",),
    "sys_waitid": ("EINTR",), "sys_futex": ("EINTR",), "sys_close_range": ("ENOSYS", "ENOMEM"),
    "mincore": ("EAGAIN",), "epoll_create1": TABLES, "epoll_ctl": ("ENOMEM", "ENOSPC"), "epoll_wait": ("EINTR",),
    "sys_epoll_pwait2": ("EINTR",), "setrlimit": ("EPERM", "EINVAL"), "sys_setresuid": ("EPERM", "EAGAIN", "ENOMEM"),
}
# What may also be used up for good.
LASTING = {"malloc", "calloc", "realloc", "mmap", "open", "fopen", "opendir", "pipe2", "socketpair", "eventfd", "memfd_create",
           "mkostemp", "signalfd", "fcntl_dup", "write", "pwrite", "fork", "clone", "pthread_create", "sys_clone",
           "sys_pidfd_open", "openat", "socket", "fallocate", "posix_fallocate", "madvise", "epoll_create1", "epoll_ctl"}


@dataclasses.dataclass(frozen=True)
class Point:
    kind: str
    place: int
    is_fork: bool
    error: int = 0
    is_again: bool = False  # in the program that was executed again

    def __str__(self):
        name = f"{self.kind}{' executed again' if self.is_again else ''}{' in a fork' if self.is_fork else ''}"
        return f"{name} = {errno.errorcode.get(self.error, self.error)}" if self.error else name


def errors_of(kind):
    return [getattr(errno, name) for name in ERRORS.get(kind, ("EIO",))]


def read_state(file, is_again):
    """What a file of the injector holds: the kinds, how many points failed, the first of them, and all that were reached."""
    data = file.read_bytes()
    n_kinds, reached, failed, _ = struct.unpack_from("4I", data)
    kinds = [data[16 + NAME_BYTES * i:][:NAME_BYTES].split(b"\0")[0].decode() for i in range(n_kinds)]
    at = 16 + NAME_BYTES * NAMES
    points = [Point(kinds[kind], place, bool(is_fork), error, is_again)
              for place, kind, is_fork, error in struct.iter_unpack("QHHI", data[at:at + 16 * (reached + 1)])]
    return kinds, failed, points[0], points[1:]


class Injection:
    """One way to run a program: its mode, and afterwards what was reached. What fails, fails in the program and its forks, or
    (is_again) in those processes in which it is executed again, which are numbered for themselves."""

    def __init__(self, file, mode="count", number=1, error=errno.EINTR, kind="any", is_again=False):
        self.file, self.again = pathlib.Path(file), pathlib.Path(f"{file}.again")
        self.mode, self.is_again = f"{mode}:{number}:{error}:{kind}", is_again
        self.is_lasting = mode == "from"

    def __str__(self):
        return f"{self.mode}{' executed again' if self.is_again else ''}"

    def environment(self):
        is_everywhere = self.mode.startswith("eintr")
        return {"LD_PRELOAD": str(LIBRARY), "PLAIT_INJECT_FILE": str(self.file), "PLAIT_INJECT_AGAIN_FILE": str(self.again),
                "PLAIT_INJECT": "count" if self.is_again else self.mode,
                "PLAIT_INJECT_AGAIN": self.mode if self.is_again or is_everywhere else "count"}

    def read(self):
        """Reads the files: self.failed, self.first (the first point that failed) and self.points with their numbers."""
        self.kinds, self.failed, self.first, points = read_state(self.file, False)
        self.points = list(enumerate(points, 1))
        if self.again.exists():
            _, failed, first, points = read_state(self.again, True)
            self.failed += failed
            self.first = first if failed and self.is_again else self.first
            self.points += enumerate(points, 1)
        return self

    def where(self, program):
        """The first failed point in words, with the source line if addr2line is there."""
        if self.first.place & IN_LIBRARY or not self.failed:
            return str(self.first)
        try:
            line = subprocess.run(["addr2line", "-spfie", program, hex(self.first.place - 1)], capture_output=True,
                                  text=True, check=False).stdout.strip().splitlines()
        except OSError:
            line = []
        return f"{self.first} at {line[0] if line else hex(self.first.place)}"


def skip_unless_built():
    """Exit status 77 where the injector cannot be: with a sanitizer, without glibc."""
    if not LIBRARY.exists():
        print(f"skipped: there is no {LIBRARY} in this build")
        sys.exit(77)
