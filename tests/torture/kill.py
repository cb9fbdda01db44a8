#!/usr/bin/env python3
"""SIGKILL, SIGINT and SIGTERM at random moments of `plait map`: of a job, of the keeper, of the tool.

SPDX-License-Identifier: MIT

usage: kill.py [--count N] [--seed N] [VICTIM…]        victims: job keeper tool interrupt

A job appends its number to a file at the end of its work, so what was done can be compared with the job log and with what
was printed. Whoever is killed: nobody hangs, and nothing is left running after two seconds.

job        one line in the log for each job; the killed one's says signal 9
keeper     its running jobs are dead and said on standard error; a new keeper goes on with all others
tool       --resume runs the jobs without a line in the log, and only these; then all have run
interrupt  SIGINT or SIGTERM to the tool: exit status 130 or 143
"""
import argparse
import concurrent.futures
import itertools
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))
import processes  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAIT = os.environ.get("PLAIT", str(pathlib.Path(os.environ.get("PLAIT_BUILD", ROOT / "build")) / "plait"))
JOBS = 16
WORK = "sleep 0.0{}; echo out $PLAIT_SEQ; echo $PLAIT_SEQ >>$RUNS"
WORDS = ["map", "-j4", "--kill-after", "200ms", WORK, ":::", *(str(1 + i % 3) for i in range(JOBS))]
ALL = set(range(1, JOBS + 1))
LIMIT_S = 20
ATTEMPTS = itertools.count()


class Wrong(Exception):
    """What a run should not have done."""


def check(holds, what):
    if not holds:
        raise Wrong(what)


class Run:
    """A run of the tool in a folder of its own."""

    def __init__(self, folder, *options):
        self.folder, self.token = pathlib.Path(folder), f"kill.{os.getpid()}.{next(ATTEMPTS)}"
        self.out_file, self.runs_file = self.folder / "out", self.folder / "runs"
        environment = {**os.environ, processes.TOKEN: self.token, "RUNS": str(self.runs_file), "SHELL": "/bin/sh",
                       "TMPDIR": str(self.folder)}
        self.begin = time.monotonic()
        with open(self.out_file, "ab") as out:
            self.process = subprocess.Popen([PLAIT, WORDS[0], "--joblog", str(self.folder / "log"), *options, *WORDS[1:]],
                                            env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)

    def wait(self):
        """Waits for its end; self.code, self.err."""
        try:
            self.err = self.process.communicate(timeout=LIMIT_S * processes.SLOW)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:
            processes.end(self.token)
            self.process.communicate()
            raise Wrong("it hung") from None
        self.code = self.process.returncode

    def kill(self, pid, number=signal.SIGKILL):
        """True if there was somebody to be killed."""
        try:
            os.kill(pid, number)
        except (ProcessLookupError, TypeError):
            return False
        return True

    def must_leave_nothing(self):
        left = processes.left_after(self.token, 2)
        processes.end(self.token)
        check(not left, f"left running: {left}")

    def log(self):
        """{seq: (exit status, signal)}; of whole lines only. The log's text is checked to consist of such."""
        path = self.folder / "log"
        text = path.read_text() if path.exists() else ""
        whole, torn = text[:text.rfind("\n") + 1], text[text.rfind("\n") + 1:]
        lines = [line.split("\t") for line in whole.splitlines()[1:]]
        check(all(len(line) == 9 for line in lines), f"a broken line in the job log: {whole!r}")
        check(len({line[0] for line in lines}) == len(lines), f"two lines for one job: {whole!r}")
        self.torn = torn
        return {int(line[0]): (int(line[6]), int(line[7])) for line in lines}

    def runs(self):
        """The jobs that came to the end of their work, in that order."""
        return [int(word) for word in self.runs_file.read_text().split()] if self.runs_file.exists() else []

    def printed(self):
        """The jobs whose output was printed, each once for each time."""
        return [int(number) for number in re.findall(r"^out (\d+)$", self.out_file.read_text(), re.MULTILINE)]


def kill_job(folder, generator, moment):
    """Returns whether the kill met a running job."""
    run = Run(folder)
    time.sleep(moment)
    jobs = processes.children(processes.keeper_of(run.process.pid) or 0)
    was_met = bool(jobs) and run.kill(generator.choice(jobs))
    run.wait()
    run.must_leave_nothing()
    log = run.log()
    killed = {seq for seq, end in log.items() if end[1] == signal.SIGKILL}
    check(set(log) == ALL and not run.torn, f"the job log has {sorted(log)}")
    check(len(killed) <= was_met, f"one job was killed, and {killed} are said to be")
    check(run.code == (1 if killed else 0), f"exit status {run.code}, killed: {killed}")
    check(set(run.runs()) >= ALL - killed and len(run.runs()) == len(set(run.runs())), f"run: {run.runs()}")
    check(set(run.printed()) >= ALL - killed, f"printed: {run.printed()}")
    check(not killed or "SIGKILL" in run.err, f"nothing was said: {run.err}")
    return bool(killed)


def kill_keeper(folder, generator, moment):
    run = Run(folder)
    del generator
    time.sleep(moment)
    run.kill(processes.keeper_of(run.process.pid))
    run.wait()
    run.must_leave_nothing()
    log = run.log()
    lost = {seq for seq, end in log.items() if end == (0, signal.SIGKILL)}
    said = re.search(r"the keeper died; (\d+) running job", run.err)
    check(set(log) == ALL and not run.torn, f"the job log has {sorted(log)}: {run.err}")
    check(len(lost) == (int(said[1]) if said else 0), f"lost: {lost}, said: {run.err}")
    check(run.code == (1 if lost else 0), f"exit status {run.code}, lost: {lost}: {run.err}")
    check(all(log[seq] == (0, 0) for seq in ALL - lost), f"others failed: {log}")
    check(set(run.runs()) >= ALL - lost and len(run.runs()) == len(set(run.runs())), f"run: {run.runs()}")
    check(set(run.printed()) >= ALL - lost, f"printed: {run.printed()}")
    return bool(lost)


def kill_tool(folder, generator, moment):
    run = Run(folder)
    del generator
    time.sleep(moment)
    was_met = run.process.poll() is None
    run.kill(run.process.pid)
    run.wait()
    run.must_leave_nothing()
    logged = run.log()
    before, printed = run.runs(), run.printed()
    check(set(logged) <= set(before) and set(logged) <= set(printed), f"logged {set(logged)}, run {before}, printed {printed}")
    second = Run(folder, "--resume")
    second.wait()
    second.must_leave_nothing()
    check(second.code == 0, f"--resume ended with {second.code}: {second.err}")
    check(sorted(second.runs()[len(before):]) == sorted(ALL - set(logged)),
          f"logged before: {sorted(logged)}; run by --resume: {second.runs()[len(before):]}")
    check(set(second.log()) == ALL and not second.torn, f"the job log has {sorted(second.log())}")
    check(set(second.printed()) == ALL, f"printed: {second.printed()}")
    return was_met and set(logged) != ALL and bool(logged or before)


def interrupt(folder, generator, moment):
    number = generator.choice((signal.SIGINT, signal.SIGTERM))
    run = Run(folder)
    time.sleep(moment)
    run.kill(run.process.pid, number)
    run.wait()
    run.must_leave_nothing()
    log = run.log()
    # before the tool watches signals it dies of them; after its last job it has ended
    check(run.code in (128 + number, -number, 0), f"exit status {run.code} after signal {number}: {run.err}")
    check(run.code != 0 or set(log) == ALL, f"it said that all is well, but the log has {sorted(log)}")
    check(not run.torn and set(log) <= set(run.printed()) and set(log) <= set(run.runs()),
          f"logged {set(log)}, run {run.runs()}, printed {run.printed()}: {run.err}")
    return run.code == 128 + number


VICTIMS = {"job": kill_job, "keeper": kill_keeper, "tool": kill_tool, "interrupt": interrupt}


def measure(root):
    """How long a run takes that nobody disturbs."""
    folder = pathlib.Path(root, "undisturbed")
    folder.mkdir()
    run = Run(folder)
    run.wait()
    took = time.monotonic() - run.begin
    if run.code != 0 or set(run.log()) != ALL:
        sys.exit(f"a run that nobody disturbs fails: {run.err}")
    return took


def torture(victim, count, seed, root):
    """Kills so often. Goes on until half of them met what they were meant for.
    Returns (kills, how many met it, complaints)."""
    took, met, tried, wrong = measure(root), 0, 0, []

    def once(number):
        generator = random.Random(f"{seed} {victim} {number}")
        with tempfile.TemporaryDirectory(dir=root) as folder:
            try:
                return VICTIMS[victim](folder, generator, generator.uniform(0, took)), None
            except Wrong as complaint:
                return False, f"{victim} {number}: {complaint}"

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0)) + 1) as pool:
        while tried < count or met * 2 < count and tried < count * 4:  # a loaded machine misses more often
            for was_met, complaint in pool.map(once, range(tried, tried + count)):
                met += was_met
                if complaint:
                    wrong.append(complaint)
                    print(f"FAILED {complaint}", flush=True)
            tried += count
    (pathlib.Path(root) / "undisturbed/log").unlink()
    for file in (pathlib.Path(root) / "undisturbed").iterdir():
        file.unlink()
    (pathlib.Path(root) / "undisturbed").rmdir()
    return tried, met, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50, help="kills of each victim")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("PLAIT_SEED", "1")))
    parser.add_argument("victim", nargs="*", help=", ".join(VICTIMS))
    args = parser.parse_args()
    unknown = set(args.victim) - set(VICTIMS)
    if unknown:
        parser.error(f"no such victim: {', '.join(sorted(unknown))}")
    failed = False
    for victim in args.victim or VICTIMS:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="plait-kill-") as root:
            tried, met, wrong = torture(victim, args.count, args.seed, root)
        if met * 2 < args.count:
            print(f"FAILED {victim}: less than {args.count // 2} kills met it at work")
        print(f"{victim}: {tried} kills, {met} met it at work, {len(wrong)} complaints, seed {args.seed}, "
              f"{time.monotonic() - start:.0f} s", flush=True)
        failed |= bool(wrong) or met * 2 < args.count
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
