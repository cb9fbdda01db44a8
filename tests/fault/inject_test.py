#!/usr/bin/env python3
"""Lets allocations and system calls fail under the tool and the library, one a run, and judges each run.

SPDX-License-Identifier: MIT

usage: inject_test.py [--full] [--seed N] [--runs N] [SCENARIO…]

Each scenario (scenarios.py) runs once untouched, to count the points that it reaches. Then points are sampled, rare places
as often as common ones (--full: all points, each with every error that it may give), and the scenario runs again with that
point failing. A run has to end in time, with a documented exit status, with words on standard error unless the result is
whole, with nothing left running and no file left; the job log has whole lines, and none for a job whose output is missing.
A few runs meet a failure that lasts (no memory, no descriptors, a full disk, no processes), and every scenario runs with
every second call that a signal may interrupt saying EINTR, which must change nothing.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import errno
import itertools
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import injector
import processes
from injector import Injection, errors_of
from scenarios import HEADER, LIBRARY, TOOL, Scenario

PLAIT = os.environ.get("PLAIT", str(injector.BUILD / "plait"))
CODES = {0, 1, 2, 5, 125, 126, 127}  # 128 and more are for signals, which nobody sends here
LIMIT_S, LASTING_LIMIT_S = 20, 60  # a tool that cannot start anything tries for 25 s
AT_ONE_PLACE = 100  # points of a scenario, about; a search through /proc comes by for each descriptor of the machine
ATTEMPTS = itertools.count()


@dataclasses.dataclass
class Run:
    """One run of a scenario and what it left."""
    scenario: Scenario
    injection: Injection
    folder: pathlib.Path
    code: int = 0
    out: str = ""
    err: str = ""
    is_late: bool = False
    left: tuple = ()

    @property
    def log(self):
        return self.folder / "log"

    @property
    def program(self):
        name = self.scenario.program
        return PLAIT if name == "plait" else str(injector.BUILD / "tests" / name)


def run(scenario, root, *how):
    """Runs a scenario with an injection in a folder of its own."""
    number = next(ATTEMPTS)
    folder = pathlib.Path(root, f"{scenario.name}-{number}")
    folder.mkdir()
    scenario.prepare(folder)
    done = Run(scenario, Injection(folder / "points", *how), folder)
    token = f"{os.getpid()}.{number}"
    environment = {**os.environ, **done.injection.environment(), processes.TOKEN: token, "SHELL": "/bin/sh",
                   "TMPDIR": str(folder / "tmp"), "LC_ALL": "C.UTF-8", **scenario.environment}
    with open(folder / "in", "wb+") as stdin, open(folder / "out", "wb") as file:
        stdin.write(scenario.stdin)
        stdin.seek(0)
        process = subprocess.Popen([done.program, *scenario.command(folder)], env=environment, stdin=stdin,
                                   stdout=file if scenario.to_file else subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            limit = LASTING_LIMIT_S if done.injection.is_lasting else LIMIT_S
            out, err = process.communicate(timeout=limit * processes.SLOW)
        except subprocess.TimeoutExpired:
            done.is_late = True
            processes.end(token)
            out, err = process.communicate()
    done.left = processes.left_after(token, 2)
    processes.end(token)
    out = (folder / "out").read_bytes() if scenario.to_file else out
    done.code, done.out, done.err = process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
    done.injection.read()
    return done


def is_whole(done, good):
    try:
        return done.code == good.code and done.scenario.whole(done) == done.scenario.whole(good)
    except (ValueError, OSError, KeyError, IndexError):  # half a JSON line, no log
        return False


def judge_log(done):
    """What is wrong with the job log."""
    if not done.log.exists():
        return
    text = done.log.read_text()
    if text == done.scenario.log:
        return
    if text and not text.endswith("\n"):
        yield "the job log has a torn line"
    old = (done.scenario.log or HEADER).count("\n")
    for line in text.splitlines()[old:]:
        fields = line.split("\t")
        if len(fields) != 9:
            yield f"the job log has a line of {len(fields)} columns"
        elif fields[6:8] == ["0", "0"] and fields[8].split()[-1].strip("'") not in done.out.split():
            yield f"job {fields[0]} is in the job log, but its output was not printed"


def judge(done, good):
    """What is wrong with a run; good: the one without faults."""
    if done.is_late:
        yield "it did not end"
        return
    if done.code < 0:
        yield f"it was ended by signal {-done.code}"
    elif done.code not in CODES:
        yield f"it ended with {done.code}"
    whole = is_whole(done, good)
    if done.code == 0 and good.code == 0 and not whole:
        yield "it said that all is well, but its result is not whole"
    if not whole and not done.err.strip():
        yield f"it ended with {done.code} without a whole result and without a word"
    # a keeper that can open nothing finds nobody to kill: it tries until it can
    if not (done.injection.is_lasting and done.injection.first.error == errno.EMFILE):
        yield from (f"left running: {process}" for process in done.left)
    yield from (f"left behind: {path.name}" for path in (done.folder / "tmp").iterdir())
    yield from judge_log(done)


def sample(good, generator, count):
    """Points to fail: (scenario, mode, number, error, kind, executed again?); rare places as often as common ones. count None: all points."""
    places = collections.defaultdict(list)
    for name, done in good.items():
        for number, point in done.injection.points:
            if point.kind not in done.scenario.cannot_fail:
                places[name, point].append(number)
    if count is None:
        return [(good[name].scenario, "fail", number, error, point.kind, point.is_again)
                for (name, point), numbers in places.items()
                for number in numbers[::len(numbers) // AT_ONE_PLACE + 1] for error in errors_of(point.kind)]
    chosen, keys = [], list(places)
    while len(chosen) < count:
        generator.shuffle(keys)
        for name, point in keys[:count - len(chosen)]:
            numbers = places[name, point]
            number = generator.choice([numbers[0], generator.choice(numbers)])  # the first one opens the way for the others
            error = generator.choice(errors_of(point.kind))
            chosen.append((good[name].scenario, "fail", number, error, point.kind, point.is_again))
    return chosen


def sample_lasting(good, generator, count):
    """Failures that last, from any point of their class on."""
    points = [(done.scenario, number, point) for done in good.values()
              for number, point in done.injection.points if point.kind in injector.LASTING]
    by_kind = collections.defaultdict(list)
    for entry in points:
        by_kind[entry[2].kind].append(entry)
    kinds = sorted(by_kind)
    generator.shuffle(kinds)
    chosen = [generator.choice(by_kind[kind]) for kind in itertools.islice(itertools.cycle(kinds), count)]
    return [(scenario, "from", number, errno.ENOSPC if "write" in point.kind else errors_of(point.kind)[0], point.kind,
             point.is_again)
            for scenario, number, point in chosen]


class Test:
    """All runs, their verdicts, and the account."""

    def __init__(self, root):
        self.root, self.good, self.wrong = root, {}, []
        self.kinds = collections.Counter()
        self.runs = self.failed = 0

    def say_wrong(self, done, complaints):
        for complaint in complaints:
            where = done.injection.where(done.program)
            self.wrong.append(f"{done.scenario.name}: {done.injection} ({where}): {complaint}")
            print(f"FAILED {self.wrong[-1]}")
        if complaints:
            said = done.err.splitlines()
            said[3:-3] = ["…"] if len(said) > 6 else said[3:-3]  # why a program gave up is said last
            print("".join(f"    | {line}\n" for line in said), end="", flush=True)

    def count(self, scenarios):
        """The runs without faults: how many points there are of each kind."""
        for scenario in scenarios:
            done = self.good[scenario.name] = run(scenario, self.root)
            self.kinds.update(point.kind for _, point in done.injection.points)
            complaints = list(judge(done, done))
            if done.code != scenario.code:
                complaints.append(f"without faults it ended with {done.code}, not {scenario.code}")
            self.say_wrong(done, complaints)

    def check_reach(self, kinds, is_all):
        """All kinds are reached by some scenario, and so is a program that is executed again."""
        for kind in kinds:
            print(f"{self.kinds[kind]:7} {kind}")
        again = sum(point.is_again for done in self.good.values() for _, point in done.injection.points)
        missing = [kind for kind in kinds if self.kinds[kind] == 0] + ([] if again else ["a program that is executed again"])
        for what in missing if is_all else ():
            self.wrong.append(f"no scenario reaches {what}")
            print(f"FAILED {self.wrong[-1]}")

    def fail(self, plan):
        """Runs with faults, several at once."""
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0)) + 2) as pool:
            for done in pool.map(lambda entry: run(entry[0], self.root, *entry[1:]), plan):
                good = self.good[done.scenario.name]
                complaints = list(judge(done, good))
                if done.injection.mode.startswith("eintr") and not is_whole(done, good):
                    complaints.append(f"interrupted calls changed the result (exit {done.code})")
                self.say_wrong(done, complaints)
                self.runs += 1
                self.failed += done.injection.failed
                if not complaints:
                    subprocess.run(["rm", "-rf", done.folder], check=False)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="every point with every error")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("PLAIT_SEED", "1")))
    parser.add_argument("--runs", type=int, default=600)
    parser.add_argument("--lasting", type=int, default=None)
    parser.add_argument("scenario", nargs="*")
    args = parser.parse_args()
    if args.lasting is None:
        args.lasting = 100 if args.full else 8
    return args


def main():
    args = parse()
    injector.skip_unless_built()
    start, generator = time.monotonic(), random.Random(args.seed)
    chosen = [scenario for scenario in [*TOOL, *LIBRARY] if not args.scenario or scenario.name in args.scenario]
    with tempfile.TemporaryDirectory(prefix="plait-fault-") as root:
        test = Test(root)
        test.count(chosen)
        test.check_reach(test.good[chosen[0].name].injection.kinds, not args.scenario)
        test.fail(sample_lasting(test.good, generator, args.lasting)
                  + [(scenario, "eintr", 2) for scenario in chosen]
                  + sample(test.good, generator, None if args.full else args.runs))
    places = {point for done in test.good.values() for _, point in done.injection.points}
    print(f"{sum(test.kinds.values())} points in {len(places)} places reached by {len(chosen)} scenarios; "
          f"{test.failed} failed in {test.runs} runs, seed {args.seed}, {time.monotonic() - start:.0f} s; {len(test.wrong)} complaints")
    return 1 if test.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
