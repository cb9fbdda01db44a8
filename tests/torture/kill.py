#!/usr/bin/env python3
"""SIGKILL, SIGINT and SIGTERM at random moments of `plait map`: of a job, of the keeper, of the tool.

SPDX-License-Identifier: MIT

usage: kill.py [--count N] [--seed N] [VICTIM…]        victims: job keeper tool interrupt

A job appends its number to a file at the end of its work, so what was done can be compared with the job log and with what
was printed. Whoever is killed: nobody hangs, and nothing is left running after two seconds.

Every job says when it begins and when its work is done. The moment is a random one of a run that was measured undisturbed,
but it is kept as "so long after so many of these words": on a loaded machine it is as far in the work as on an idle one.
Every eighth kill is meant for the time before the first word, another eighth for the time behind the last one. A kill that
comes after the end, or finds nobody, counts and has met nothing. At least half of them have to meet their victim at work.

job        one line in the log for each job; the killed one's says signal 9
keeper     its running jobs are dead and said on standard error; a new keeper goes on with all others
tool       --resume runs the jobs without a line in the log, and only these; then all have run
interrupt  SIGINT or SIGTERM to the tool: exit status 130 or 143
"""
import argparse
import bisect
import concurrent.futures
import itertools
import os
import pathlib
import random
import re
import select
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
WORK = "echo >$STEPS; sleep 0.0{}; echo out $PLAIT_SEQ; echo $PLAIT_SEQ >>$RUNS; echo >$STEPS"
WORDS = ["map", "-j4", "--kill-after", "200ms", WORK, ":::", *(str(1 + i % 3) for i in range(JOBS))]
ALL = set(range(1, JOBS + 1))
WORKERS = len(os.sched_getaffinity(0)) + 1
STEPS = 2 * JOBS
FLOOR = 0.5  # so many of the kills meet their victim at work
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
        steps = self.folder / f"steps{len(options)}"
        os.mkfifo(steps)
        self.fifo = os.open(steps, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # stays open here: no job waits for a reader
        self.steps = 0
        environment = {**os.environ, processes.TOKEN: self.token, "RUNS": str(self.runs_file), "STEPS": str(steps),
                       "SHELL": "/bin/sh", "TMPDIR": str(self.folder)}
        self.begin = time.monotonic()
        with open(self.out_file, "ab") as out:
            self.process = subprocess.Popen([PLAIT, WORDS[0], "--joblog", str(self.folder / "log"), *options, *WORDS[1:]],
                                            env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)

    def see_steps(self, seconds=0):
        """Counts in self.steps what the jobs said; waits so long for the next word."""
        if select.select([self.fifo], [], [], seconds)[0]:
            self.steps += os.read(self.fifo, 4096).count(b"\n")

    def has_ended(self):
        """Its pid stays its own: it is not reaped."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def reach(self, moment):
        """Waits until so many words were said, or the run has ended; then so long."""
        count, seconds = moment
        until = time.monotonic() + LIMIT_S * processes.SLOW
        while self.steps < count and not self.has_ended() and time.monotonic() < until:
            self.see_steps(0.05)
        time.sleep(seconds)
        self.see_steps()

    def wait(self):
        """Waits for its end; self.code, self.err."""
        try:
            self.err = self.process.communicate(timeout=LIMIT_S * processes.SLOW)[1].decode(errors="replace")
        except subprocess.TimeoutExpired:
            processes.end(self.token)
            self.process.communicate()
            raise Wrong("it hung") from None
        finally:
            os.close(self.fifo)
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
    run.reach(moment)
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
    run.reach(moment)
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
    run.reach(moment)
    had_begun = run.steps > 0
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
    return had_begun and set(logged) != ALL


def interrupt(folder, generator, moment):
    number = generator.choice((signal.SIGINT, signal.SIGTERM))
    run = Run(folder)
    run.reach(moment)
    had_begun = run.steps > 0
    run.kill(run.process.pid, number)
    run.wait()
    run.must_leave_nothing()
    log = run.log()
    # before the tool watches signals it dies of them; after its last job it has ended
    check(run.code in (128 + number, -number, 0), f"exit status {run.code} after signal {number}: {run.err}")
    check(run.code != 0 or set(log) == ALL, f"it said that all is well, but the log has {sorted(log)}")
    check(not run.torn and set(log) <= set(run.printed()) and set(log) <= set(run.runs()),
          f"logged {set(log)}, run {run.runs()}, printed {run.printed()}: {run.err}")
    return had_begun and run.code == 128 + number


VICTIMS = {"job": kill_job, "keeper": kill_keeper, "tool": kill_tool, "interrupt": interrupt}


class Pace:
    """When the jobs of a run say their words that nobody disturbs."""

    def __init__(self, folder):
        """Runs one."""
        run = Run(folder)
        self.steps = []
        until = run.begin + LIMIT_S * processes.SLOW
        while len(self.steps) < STEPS and time.monotonic() < until:
            run.see_steps(1)
            self.steps += [time.monotonic()] * (run.steps - len(self.steps))
        run.wait()
        self.start, self.end = run.begin, time.monotonic()
        if run.code != 0 or set(run.log()) != ALL or len(self.steps) != STEPS:
            raise Wrong(f"a run that nobody disturbs fails: {run.err}")

    def took(self):
        return self.end - self.start

    def moment(self, generator, number):
        """A random moment for a kill: (how many words were said, seconds after the last of them)."""
        first, last = self.steps[0], self.steps[-1]
        if number % 8 == 3:
            return 0, generator.uniform(0, first - self.start)
        if number % 8 == 7:
            return STEPS, generator.uniform(0, self.end - last)
        at = generator.uniform(first, last)
        count = bisect.bisect_right(self.steps, at)
        return count, at - self.steps[count - 1]


def measure(root, pool):
    """The pace of a run, with as many others beside it as the kills will have."""
    def once(number):
        with tempfile.TemporaryDirectory(prefix=f"undisturbed{number}-", dir=root) as folder:
            return Pace(folder)

    return sorted(pool.map(once, range(3 * WORKERS)), key=Pace.took)[3 * WORKERS // 2]


def torture(victim, count, seed, root):
    """Kills so often, no more and no less. Returns (how many met it at work, complaints)."""
    def once(number):
        generator = random.Random(f"{seed} {victim} {number}")
        moment = pace.moment(generator, number)
        with tempfile.TemporaryDirectory(dir=root) as folder:
            try:
                return VICTIMS[victim](folder, generator, moment), None
            except Wrong as complaint:
                print(f"FAILED {victim} {number}: {complaint}", flush=True)
                return False, complaint

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        pace = measure(root, pool)
        results = list(pool.map(once, range(count)))
    return sum(was_met for was_met, _ in results), [complaint for _, complaint in results if complaint]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50, help="kills of each victim")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("PLAIT_SEED", "1")))
    parser.add_argument("victim", nargs="*", help=", ".join(VICTIMS))
    args = parser.parse_args()
    unknown = set(args.victim) - set(VICTIMS)
    if unknown:
        parser.error(f"no such victim: {', '.join(sorted(unknown))}")
    if args.count < 1:
        parser.error("no kill, no figure")
    failed = False
    for victim in args.victim or VICTIMS:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="plait-kill-") as root:
            met, wrong = torture(victim, args.count, args.seed, root)
        is_idle = met < args.count * FLOOR
        if is_idle:
            print(f"FAILED {victim}: less than {FLOOR:.0%} of the kills met it at work")
        print(f"{victim}: {args.count} kills, {met} ({met / args.count:.0%}) met it at work, {len(wrong)} complaints, "
              f"seed {args.seed}, {time.monotonic() - start:.0f} s", flush=True)
        failed |= bool(wrong) or is_idle
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
