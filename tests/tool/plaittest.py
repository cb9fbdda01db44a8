"""What the tests of the tool share: a folder for each test, a time limit for each run, and nothing left running.

The tool is $PLAIT, else build/plait. Every process of a test carries a mark in its environment, however far from plait
it has gone: a new session, a double fork. When a test ends and a marked process is left, the test has failed.
"""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import uuid

ROOT = pathlib.Path(os.environ.get("PLAIT_SOURCE") or pathlib.Path(__file__).resolve().parents[2])
PLAIT = os.environ.get("PLAIT") or str(ROOT / "build/plait")
SLOW = int(os.environ.get("PLAIT_SLOW") or 1)  # a sanitizer's build takes so many times as long
LIMIT = 30 * SLOW
MARK = "PLAIT_TEST_MARK"


def until(condition, what, limit=LIMIT):
    """Waits for what tells nobody when it happens: a process that is gone."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"in vain waited for: {what}")
        time.sleep(0.005)


def state_of(pid):
    """R, S, T, Z …; None: there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return None


def is_over(pid):
    return state_of(pid) in (None, "Z")


class Fifo:
    """By which a job says where it is. It stays open in the test: no writer ever waits for a reader."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.rest = b""

    def line(self, limit=LIMIT):
        while b"\n" not in self.rest:
            if not select.select([self.fd], [], [], limit)[0]:
                raise AssertionError(f"nobody wrote to {self.path}")
            self.rest += os.read(self.fd, 65536)
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def lines(self, count):
        return [self.line() for _ in range(count)]

    def send(self, text):
        os.write(self.fd, text.encode())


class Run:
    """A run that has ended."""

    def __init__(self, code, out, err):
        self.code, self.raw = code, out
        self.out, self.err = out.decode(errors="surrogateescape"), err.decode(errors="surrogateescape")
        self.lines = self.out.splitlines()

    def __repr__(self):
        return f"exit {self.code}\n--- out\n{self.out[:4000]}\n--- err\n{self.err[:4000]}"


def to_bytes(text):
    return text.encode(errors="surrogateescape") if isinstance(text, str) else text


class Case(unittest.TestCase):
    longMessage = True

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="plait-test-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.mark = uuid.uuid4().hex
        unset = ("PLAIT_JOBS", "PLAIT_SHELL", "SHELL", "NO_COLOR", "COLUMNS", "PARALLEL", "PARALLEL_SHELL",
                 "PLAIT_SEQ", "PLAIT_SLOT", "PLAIT_JOB_ID")
        self.env = {name: value for name, value in os.environ.items() if name not in unset}
        self.env |= {MARK: self.mark, "LC_ALL": "C.UTF-8", "HOME": str(self.dir)}
        self.addCleanup(self.end_all)

    # processes

    def marked(self):
        """The processes of this test that run now."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                with contextlib.suppress(OSError):
                    if wanted in pathlib.Path("/proc", name, "environ").read_bytes() and not is_over(name):
                        found.append(int(name))
        return found

    def nothing_left(self, limit=5 * SLOW):
        until(lambda: not self.marked(), "nothing is left running", limit)

    def end_all(self):
        """The end of each test."""
        try:
            self.nothing_left()
        finally:
            for pid in self.marked():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    # runs

    def start(self, *words, program=PLAIT, verb=("map",), env=None, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   "cwd": self.dir, **options}
        command = [program, *verb, *map(str, words)]
        process = subprocess.Popen(command, env={**self.env, **(env or {})}, **options)
        self.addCleanup(self.reap, process)
        return process

    @staticmethod
    def reap(process):
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
        process.wait()

    @staticmethod
    def end(process, text=None):
        out, err = process.communicate(to_bytes(text), timeout=LIMIT)
        return Run(process.returncode, out or b"", err or b"")

    def plait(self, *words, text=None, **options):
        """plait map WORDS, with text on its standard input."""
        if text is not None:
            options["stdin"] = subprocess.PIPE
        return self.end(self.start(*words, **options), text)

    def ok(self, *words, **options):
        """As plait, and it must succeed without a word on stderr."""
        run = self.plait(*words, **options)
        self.assertEqual((run.code, run.err), (0, ""), run)
        return run

    def refused(self, *words, says=(), code=2, **options):
        """As plait, and it must have run nothing and have said why."""
        run = self.plait(*words, **options)
        self.assertEqual((run.code, run.out), (code, ""), run)
        self.assertTrue(run.err.startswith("plait map: "), run)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, run.err)
        return run

    # files

    def file(self, name, text=""):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_bytes(text))
        return str(path)

    def copy_for_all(self):
        """The tool where every user can reach it; its own folder may be closed to them."""
        os.chmod(self.dir, 0o777)
        return shutil.copy(PLAIT, self.dir / "plait")

    def script(self, name, text):
        path = self.file(name, "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def fifo(self, name="fifo"):
        fifo = Fifo(str(self.dir / name))
        self.addCleanup(os.close, fifo.fd)
        return fifo

    def read(self, name):
        return (self.dir / name).read_text(errors="surrogateescape")

    def log(self, name="log"):
        """The lines of a job log as dictionaries."""
        header, *lines = self.read(name).splitlines()
        return [dict(zip(header.split("\t"), line.split("\t", 8))) for line in lines]


def main():
    unittest.main(verbosity=2)  # by its names the checks count what was skipped
