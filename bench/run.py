#!/usr/bin/env python3
"""Run plait's benchmarks beside their peers; bench/scenarios.md says what is measured and by which rules.

SPDX-License-Identifier: MIT

    bench/run.py                     every scenario, as tables
    bench/run.py 'map/*'             some of them (shell patterns)
    bench/run.py --json              one JSON object a scenario and line
    bench/run.py --quick             each program once: do they work? Its figures mean nothing
    bench/run.py --docs FILE         also write the page with the tables; with patterns only those scenarios' sections

Ends with 1 when a program of this repository fails. A peer that is not installed is left out with a note.
"""

import argparse
import datetime
import fnmatch
import json
import os
import pathlib
import platform
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATH = "/usr/bin:/bin"
TURN_SECONDS = 0.2  # a self-timed program's turn, after calibration
TIME_LIMIT = 120
FEWEST_TURNS = 5  # below that no claim is made
CALIBRATIONS = 4  # a warm-up that was too short to tell is repeated so often
LIBRARIES = ("zeromq", "nng", "boost")
PACKAGED = (*LIBRARIES, "python", "glib", "glib-pool", "gio", "openmp", "tbb", "libuv", "libuv-timers", "boost-context",
            "boost-fiber", "st", "pth", "go", "limit-return", "ucontext")  # what may not be there
MPIRUN = "mpirun -q --allow-run-as-root --oversubscribe --bind-to none --mca btl self,vader -np".split()
SIZES = {"16B": 5000, "64B": 5000, "1KiB": 2000, "64KiB": 100, "1MiB": 20}  # messages of the first warm-up
SNIPPET = "gzip -c {} | wc -c"
PREAMBLE = """# Performance

Made by `bench/run.py --docs`; do not edit. [bench/scenarios.md](../bench/scenarios.md) says what each scenario does and by
which rules it is measured. Medians, with the smallest and the largest of all turns; "plait is" says how many times a peer's
rate plait reaches, and where lower is better how many times plait's figure a peer's is (below 1: plait is worse). Ratios of
one run compare well, figures of two runs or machines badly.

| | |
|---|---|"""


class Failure(Exception):
    pass


class Program:
    """One program of a scenario: its words, and whether it stands on a package that may be missing."""

    def __init__(self, name, command, is_optional=False, portion=1):
        self.name, self.command, self.is_optional = name, [str(word) for word in command], is_optional
        self.portion = portion  # of the scenario's count, where that is fixed
        self.count = 0
        self.rates = []

    def missing(self):
        if not self.is_optional:
            return None
        files = [word for word in self.command if word.startswith("/")]  # mpirun is given one
        if not installed(self.command[0]) or not all(map(os.path.exists, files)):
            return "not installed (bench/setup installs the peers)"
        is_other = self.name == "parallel" and not run_text(["parallel", "--version"]).startswith("GNU")
        return "the installed parallel is not GNU parallel" if is_other else None


class Scenario:
    def __init__(self, name, unit, cpus, count, programs, **more):
        self.name, self.unit, self.cpus, self.count, self.programs = name, unit, cpus, count, programs
        self.is_whole = "inputs" in more  # a whole command, timed here; else the program times itself
        self.inputs = more.get("inputs")
        self.quick = more.get("quick", 4)
        self.is_quick_alone = more.get("is_quick_alone", False)  # the peers run the same code in another scenario
        self.prints = more.get("prints")  # inputs -> the sorted words on stdout; None: as the first program's
        self.printed = {}  # what that one printed, by the number of inputs
        self.seconds = more.get("seconds", TURN_SECONDS)
        self.is_fixed = self.is_whole or more.get("is_fixed", False)  # its count is not calibrated
        self.is_long = more.get("is_long", False)  # --quick leaves it out; fixed, it has no warm-up
        self.is_size = more.get("is_size", False)  # the program says bytes, not seconds: fewer are better
        # (ours, peers, least ratio of our rate to their best, words); instead of peers a figure may be given
        self.goals = more.get("goals", [])
        self.notes = []

    def ratio(self, ours, theirs):
        """How many times as good ours is."""
        return theirs / ours if self.is_size else ours / theirs


def installed(name):
    return shutil.which(name, path=PATH)


def numbers(count):
    return ["%d" % i for i in range(1, count + 1)]


def real_files(count):
    """The first C headers by name, of a middle size, with names that no tool's quoting rules touch."""
    found = []
    for folder, folders, files in os.walk("/usr/include"):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".h") and re.fullmatch(r"[\w./+-]+", path) and not os.path.islink(path):
                if 1024 <= os.path.getsize(path) <= 65536:
                    found.append(path)
        if len(found) >= count:
            break
    if not found:
        raise Failure("no C headers below /usr/include to work on")
    return found[:count]


def scenarios(build):
    tool, bench = build / "plait", build / "bench"

    def whole(command, words, *limit_options, portion=1):
        """`command` is what plait and GNU parallel are given, `words` the same for those that know no snippets."""
        limit = [bench / "limit-posix-spawn", *limit_options, installed(words[0]) or words[0]]
        return [
            Program("plait", [tool, "map", "-j2", command]),
            Program("limit-posix-spawn", [*limit, *words[1:]]),
            Program("xargs", ["xargs", "-d", "\\n", "-P2", "-n1", *words], True),
            Program("parallel", ["parallel", "-j2", command], True, portion),
        ]

    def own_clock(*names, plait="start-join", script="ipc.py", portions=None):
        """NAME is bench/NAME; NAME:VARIANT bench/NAME VARIANT, and is called NAME-VARIANT."""
        for name in ("plait", *names):
            program, *variant = name.split(":")
            words = [bench / (plait if program == "plait" else program), *variant]
            if program == "python":
                words = ["python3", ROOT / "bench/peers/python" / (script if variant else "start_join.py"), *variant]
            name = name.replace(":", "-")
            yield Program(name, words, program in PACKAGED, (portions or {}).get(name, 1))

    def processes(name, peers=(), portions=None, **more):
        peers = ("plait:forkserver", "plait:spawn", "limit-vfork", "fork", *peers, "posix-spawn", "glib", "python",
                 "python:forkserver", "python:spawn")
        small = "fork-small" if "fork:small" in peers else "fork"
        goals = [("plait-forkserver", [small], 1 / 1.2, "by forkserver at most 1.2 × the time of a fork from a small process")]
        return Scenario("process/" + name, "starts/s", 1, more.pop("count", 5),
                        list(own_clock(*peers, script="start_join.py", portions=portions)), quick=1, goals=goals, **more)

    def subprocesses(name, unit, count=50, quick=4):
        """From start to end, by calls of the same shape."""
        return Scenario(f"subprocess/{name}", unit, 2, count,
                        list(own_clock("posix-spawn-pipes", "gio", "python:run", plait="subprocess", script="subprocesses.py")),
                        quick=quick)

    def locks(name, *peers, goals=()):
        programs = own_clock("limit-lock", *peers, plait="lock")
        return Scenario(name, "pairs/s", 2, 10000, list(programs), quick=100, goals=goals)

    def traffic(name, peers, cpus=2, unit="messages/s", **more):
        plait = "queue" if name.startswith("queue/") else "message-pipe"
        return Scenario(name, unit, cpus, SIZES.get(name.rpartition("-")[2].rpartition("/")[2], 200),
                        list(own_clock(*peers, plait=plait)), **more)

    def queue(shape, size):
        peers = [*LIBRARIES, "python:queue", "python:simple-queue"]
        if SIZES[size] > SIZES["64KiB"]:
            peers += ["mq", "seqpacket", "pipe"]
        elif shape == "1to1" or size == "64KiB":
            peers += ["seqpacket"]
        if shape == "1to1":
            peers = ["plait:declared", "limit-queue", *peers]
        goals = queue_goals.get(size, ()) if shape == "1to1" else ()
        return traffic("queue/%s-%s" % (shape, size), peers, goals=goals)

    def pool(name, *peers, mpi=(), unit="jobs/s", count=100, **more):
        """`mpi`: how many workers each of its programs has; 0: two of Python's."""
        programs = list(own_clock(*peers, plait="pool", script="pools.py"))
        for workers in mpi:
            words = [bench / "mpi"]
            if not workers:
                words = ["python3", "-m", "mpi4py.futures", ROOT / "bench/peers/python/pools.py", "mpi4py"]
            label = {0: "mpi4py", 1: "mpi-one-worker", 2: "mpi"}[workers]
            programs.append(Program(label, [*MPIRUN, 1 + (workers or 2), *words], True))
        return Scenario("pool-" + name, unit, 2, count, programs, **more)

    def coroutines(name, *peers, unit="times/s", count=2000, cpus=1, plait="coroutine", portions=None, **more):
        programs = list(own_clock(*peers, plait=plait, script="coroutines.py", portions=portions))
        return Scenario("coroutine/" + name, unit, cpus, count, programs, **more)

    def heap(name, malloc):
        return [Scenario("heap/%s-%s" % (name, size), "blocks/s", 2, 1000, list(own_clock(*malloc, plait="heap")))
                for size in ("64B", "1KiB", "64KiB")]

    shell = ["sh", "-c", SNIPPET.replace("{}", '"$1"'), "sh"]
    once = {"plait": 0.01, "fork": 0.01, "python": 0.01, "python-forkserver": 0.2, "python-spawn": 0.02}
    map_goals = [
        ("plait", ["limit-posix-spawn"], 1 / 1.1, "at most 1.1 × the time of the posix_spawn loop"),
        ("plait", ["parallel"], 5, "5 × as fast as GNU parallel"),
    ]
    small_goals = [
        ("plait", ["limit-queue"], 0.3, "0.3 × the rate of the spinning ring"),
        ("plait-declared", ["limit-queue"], 0.5, "declared, 0.5 × the rate of the spinning ring"),
    ]
    queue_goals = {
        "16B": [*small_goals, ("plait", LIBRARIES, 2, "2 × the best message library")],
        "64B": [*small_goals, ("plait", LIBRARIES, 3, "3 × the best message library")],
        "64KiB": [("plait", ["limit-queue"], 0.8, "0.8 × the rate of the slots handed over"),
                  ("plait", LIBRARIES, 1.5, "1.5 × the best message library")],
    }
    lock_goals = [("plait", ["pthread-private"], 1 / 1.1, "at most 1.1 × the time of a private pthread mutex")]
    asleep_goals = [("plait", ["limit-queue"], 1 / 1.15, "at most 1.15 × the time of two futex wakes")]
    pool_goals = {
        "one": [("plait", ["mpi", "mpi-one-worker"], 1, "the rate of an MPI master and its workers"),
                ("plait", ["python-pool"], 50, "50 × Python's Pool")],
        "chunked": [("plait", ["python-pool"], 10, "10 × Python's Pool.map")],
        "thread": [("plait", ["openmp", "tbb"], 1, "the rate of the best of OpenMP and TBB")],
    }
    co_peers = ["boost-fiber", "st", "pth"]
    co_others = [*co_peers, "go"]
    co_pythons = ["python:gevent", "python:asyncio", "python:uvloop"]
    few = {name.replace(":", "-"): 0.01 for name in ["st", *co_pythons]}  # for the others can't, or take too long
    fewer = {"boost-fiber": 0.02, "st": 0.1, "python-gevent": 0.02, "python-asyncio": 0.1, "python-uvloop": 0.1}
    co_goals = {
        "switch": [("plait", ["boost-context", "ucontext", *co_peers], 1, "the rate of the best peer"),
                   ("limit-switch", ["boost-context", "ucontext"], 1, "plait's switch alone: the rate of the best one alone")],
        "start": [("plait", 1e9 / 60, 1, "60 ns at most"), ("plait", co_peers, 1, "the rate of the best peer")],
        "hop": [("plait-private", 1e9 / 60, 1, "60 ns at most")],
        "skynet": [("plait", ["go"], 2, "at most half of Go's time")],
        "parked": [("plait", 4.3 * 2**30 / 1e6, 1, "at most 4.3 GiB for a million")],
    }
    pythons = ["python:pool", "python:executor"]
    to_and_fro = ["limit-queue", *LIBRARIES, "python:queue", "python:simple-queue", "mq", "seqpacket", "pipe"]
    pipes = ["seqpacket", "python:pipe"]
    return [
        Scenario("map/true", "jobs/s", 2, 1000, whole("true", ["true"], portion=0.3),
                 inputs=numbers, quick=20, prints=lambda _: [], goals=map_goals),
        Scenario("map/true-output", "jobs/s", 2, 1000, whole("echo", ["echo"], "-g", portion=0.3),
                 inputs=numbers, quick=20, prints=sorted),
        Scenario("map/files", "jobs/s", 2, 200, whole(SNIPPET, shell, "-g"), inputs=real_files, quick=10),
        processes("start-join", count=100),
        processes("start-join-10MiB", ["fork:small"]),
        processes("start-join-512MiB", ["fork:small"], is_long=True),
        processes("start-join-4GiB", ["fork:small"], portions=once, count=100, is_fixed=True, is_long=True),
        Scenario("thread/start-join", "starts/s", 1, 500, list(own_clock("limit-pthread", "glib", "python"))),
        *[Scenario(name, "reads/s", 1, 100000, list(own_clock("limit-thread-local", "pthread-local", plait="local")), quick=100)
          for name in ("thread/local", "thread/local-16th")],
        subprocesses("run", "runs/s"),
        subprocesses("cat-64MiB", "rounds/s", count=1, quick=1),
        locks("lock/uncontended", "pthread:private", "pthread:pshared", "pthread:robust",
              "python:threading", "python:multiprocessing", goals=lock_goals),
        locks("lock/contended-processes", "pthread:pshared", "pthread:robust", "python:multiprocessing"),
        locks("lock/contended-threads", "pthread:private", "pthread:robust", "python:threading"),
        locks("semaphore/uncontended", "pthread:private", "pthread:pshared",
              "python:threading", "python:multiprocessing"),
        locks("semaphore/contended-processes", "pthread:pshared", "python:multiprocessing"),
        locks("semaphore/contended-threads", "pthread:private", "python:threading"),
        *[queue("1to1", size) for size in SIZES],
        *[queue("4to4", size) for size in SIZES],
        traffic("queue/round-trip", to_and_fro, unit="round trips/s"),
        traffic("queue/round-trip-asleep", to_and_fro, unit="round trips/s", goals=asleep_goals, seconds=0.08),
        traffic("queue/round-trip-one-cpu", to_and_fro, unit="round trips/s", cpus=1),
        traffic("pipe/round-trip", pipes, unit="round trips/s"),
        traffic("pipe/64B", pipes),
        traffic("pipe/1MiB", pipes),
        *heap("alloc-free", ["malloc", "malloc:calloc"]),
        *heap("hand-over", ["malloc", "malloc:calloc"]),
        pool("process/tasks-1", "plait:submit", "limit-queues", *pythons, mpi=(2, 1, 0), goals=pool_goals["one"]),
        pool("process/tasks-chunked", "python:pool", goals=pool_goals["chunked"]),
        pool("process/latency", "limit-queues", *pythons, mpi=(2,), seconds=0.02),
        pool("process/args-1KiB", "plait:heap", "limit-queues", "python:pool", mpi=(2,)),
        pool("process/args-1MiB", "plait:heap", "python:pool", mpi=(2,), count=10, is_quick_alone=True),
        pool("process/args-64MiB", "plait:heap", "python:pool", mpi=(2,), count=1, is_quick_alone=True, quick=1),
        pool("thread/tasks-1", "plait:submit", "openmp", "tbb", "glib-pool", "libuv", *pythons,
             goals=pool_goals["thread"]),
        pool("thread/fib", "openmp", "tbb", unit="rounds/s", count=1, quick=1, goals=pool_goals["thread"]),
        pool("thread/nqueens", "openmp", "tbb", unit="rounds/s", count=1, quick=1, goals=pool_goals["thread"]),
        coroutines("switch", "limit-switch", "limit-return", "boost-context", "ucontext", *co_others, "python:greenlet",
                   *co_pythons, unit="switches/s", goals=co_goals["switch"]),
        coroutines("spawn-join", *co_others, *co_pythons, unit="starts/s", goals=co_goals["start"]),
        coroutines("spawn-join-1000", "plait:go", *co_others, *co_pythons, unit="starts/s"),
        coroutines("hop", "plait:private", "plait:declared", *co_others, *co_pythons, unit="hops/s",
                   goals=co_goals["hop"]),
        coroutines("lock", "plait:heap", *co_others, *co_pythons, unit="hand-overs/s"),
        coroutines("timers", "boost-fiber", "st", "go", "libuv-timers", *co_pythons, unit="timers/s", quick=100),
        coroutines("timers-1M", "libuv-timers", unit="timers/s", count=1000000, quick=10000, is_fixed=True),
        coroutines("parked", "boost-fiber", "st", "go", *co_pythons, unit="bytes each", count=1000000, quick=10000,
                   portions=fewer, is_fixed=True, is_size=True, goals=co_goals["parked"]),
        coroutines("skynet", "boost-fiber", "st", "go", *co_pythons, unit="leaves/s", count=1000000, quick=1000,
                   portions=few, is_fixed=True, goals=co_goals["skynet"]),
        *[coroutines("wake-by-" + who, "plait:threads", "limit-futex", unit="round trips/s", cpus=2, count=200,
                     plait="wake") for who in ("coroutine", "thread", "process")],
    ]


class Runner:
    """Runs one program at a time, pinned, with the environment and the folder that all share."""

    def __init__(self, scratch):
        self.scratch = pathlib.Path(scratch)
        self.cpus = sorted(os.sched_getaffinity(0))
        self.environment = {"PATH": PATH, "LC_ALL": "C", "SHELL": "/bin/sh", "PARALLEL_SHELL": "/bin/sh",
                            "HOME": scratch, "TMPDIR": scratch, "USER": "bench", "TERM": "dumb"}

    def pin(self, count):
        os.sched_setaffinity(0, self.cpus[:count])  # inherited by what is started

    def run(self, command, lines):
        """Seconds of the whole command, and what it printed."""
        listing, out, err = (self.scratch / name for name in ("in", "out", "err"))
        listing.write_text("".join(line + "\n" for line in lines))
        with open(listing) as stdin, open(out, "w+b") as stdout, open(err, "w+b") as stderr:
            begin = time.monotonic()
            process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr,
                                       env=self.environment, cwd=self.scratch, start_new_session=True)
            self.await_end(process)
            seconds = time.monotonic() - begin
            stdout.seek(0)
            stderr.seek(0)
            if process.returncode != 0:
                said = stderr.read(400).decode(errors="replace").strip()
                raise Failure("ended with %d: %s" % (process.returncode, said))
            return seconds, stdout.read().decode(errors="replace")

    @staticmethod
    def await_end(process):
        """Popen.wait with a time-out polls, and would round every figure up to its next look."""
        handle = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            if not poll.poll(TIME_LIMIT * 1000):
                raise Failure("still running after %d s" % TIME_LIMIT)
        except BaseException:  # Ctrl-C too: it sits in a session of its own
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            os.close(handle)
            process.wait()

    def turn(self, scenario, program):
        """One measurement: things a second."""
        if not scenario.is_whole:
            out = self.run([*program.command, scenario.name, str(program.count)], [])[1]
            try:
                return float(out) / program.count if scenario.is_size else program.count / float(out)
            except (ValueError, ZeroDivisionError):
                raise Failure("printed %r instead of seconds" % out[:80]) from None
        lines = scenario.inputs(program.count)
        seconds, out = self.run(program.command, lines)
        printed = sorted(out.split())
        if scenario.prints is None and len(printed) != len(lines):
            raise Failure("%d results for %d inputs" % (len(printed), len(lines)))
        if printed != (scenario.prints(lines) if scenario.prints else scenario.printed.setdefault(len(lines), printed)):
            raise Failure("printed the wrong thing")
        return len(lines) / seconds

    def warm_up(self, scenario, program, is_quick):
        """Not counted; finds out how often a self-timed program's loop must run to be measured well."""
        program.count = scenario.quick if is_quick or scenario.is_fixed else scenario.count
        if is_quick:
            return
        if scenario.is_fixed:
            if not scenario.is_long:
                self.turn(scenario, program)
            program.count = int(scenario.count * program.portion)
            return
        for _ in range(CALIBRATIONS):
            seconds = program.count / self.turn(scenario, program)
            if seconds > scenario.seconds / 2:
                break
            program.count = int(program.count * min(scenario.seconds / max(seconds, 1e-4), 50))


def measure(runner, scenario, rounds, is_quick):
    """Fill each program's rates; returns how many programs of this repository failed."""
    failed = 0
    alive = []
    runner.pin(scenario.cpus)
    for program in scenario.programs:
        if is_quick and scenario.is_quick_alone and program.is_optional:
            continue
        missing = program.missing()
        if missing:
            scenario.notes.append("%s: %s" % (program.name, missing))
        else:
            alive.append(program)
    for number in range(-1, rounds):
        for program in list(alive):
            try:
                if number < 0:
                    runner.warm_up(scenario, program, is_quick)
                else:
                    program.rates.append(runner.turn(scenario, program))
            except (Failure, OSError) as failure:
                scenario.notes.append("%s: %s" % (program.name, failure))
                failed += not program.is_optional
                alive.remove(program)
                program.rates = []
    return failed


def median_of(scenario, name):
    rates = next((p.rates for p in scenario.programs if p.name == name), [])
    return statistics.median(rates) if rates else None


def rows(scenario):
    """Header and rows of one scenario's table, as text."""
    ours = median_of(scenario, "plait")
    yield ["program", "median", "min", "max", "turns", "plait is"]
    for program in scenario.programs:
        if program.rates:
            median = statistics.median(program.rates)
            ratio = "%.3g ×" % scenario.ratio(ours, median) if ours and program.name != "plait" else ""
            figures = ["%.*f" % (median < 100, rate) for rate in (median, min(program.rates), max(program.rates))]
            yield [program.name, *figures, str(len(program.rates)), ratio]


def verdicts(scenario):
    for name, peers, least, words in scenario.goals:
        ours = median_of(scenario, name)
        is_given = isinstance(peers, float)
        theirs = peers if is_given else max((median_of(scenario, peer) or 0 for peer in peers), default=0)
        if ours and theirs and len(scenario.programs[0].rates) >= FEWEST_TURNS:
            ratio = scenario.ratio(ours, theirs)
            state = "met" if ratio >= least else "not met"
            yield "Goal: %s: %s (%.2f × %s)." % (words, state, ratio, "that" if is_given else "its rate")


def title(scenario):
    cpus = "one CPU" if scenario.cpus == 1 else "two CPUs"
    better = "lower" if scenario.is_size else "higher"
    return "%s: %s, %s is better; %s" % (scenario.name, scenario.unit, better, cpus)


def print_table(scenario):
    print(title(scenario))
    for name, *figures in rows(scenario):
        print("  %-22s" % name + "".join("%11s" % figure for figure in figures))
    for line in [*verdicts(scenario), *scenario.notes]:
        print("  " + line)
    print(flush=True)


def print_json(scenario):
    results = {
        p.name: {"median": round(statistics.median(p.rates), 3), "min": round(min(p.rates), 3),
                 "max": round(max(p.rates), 3), "n": len(p.rates)}
        for p in scenario.programs if p.rates
    }
    metric, better = ("size", "lower") if scenario.is_size else ("throughput", "higher")
    print(json.dumps({"scenario": scenario.name, "metric": metric, "unit": scenario.unit,
                      "better": better, "results": results}), flush=True)
    for note in scenario.notes:
        print("%s: %s" % (scenario.name, note), file=sys.stderr)


def run_text(command):
    """The first line that a command prints; '' when it can't be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30,
                              env={"PATH": PATH, "LC_ALL": "C"})
    except (OSError, subprocess.SubprocessError):
        return ""
    return (done.stdout.splitlines() or [""])[0].strip()


def file_text(path, pattern, default="?"):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text())
    except OSError:
        found = None
    return found.group(1).strip() if found else default


def machine(build):
    """What a figure depends on, without anything that names the machine."""
    cache = build / "CMakeCache.txt"
    kernel = re.match(r"[\d.]*\d", platform.release())
    facts = {
        "date": datetime.date.today().isoformat(),
        "CPUs": "%d usable, %s" % (len(os.sched_getaffinity(0)),
                                   file_text("/proc/cpuinfo", r"model name\s*:(.*)", platform.machine())),
        "memory": "%.0f GiB" % (os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": "Linux %s, %s %s" % (kernel.group() if kernel else "?", *platform.libc_ver()),
        "load at the start": "%.2f" % os.getloadavg()[0],
        "build": file_text(cache, r"CMAKE_BUILD_TYPE:\w+=(.*)"),
    }
    if file_text(cache, r"PLAIT_SANITIZE:\w+=(.*)", ""):
        facts["build"] += ", with sanitizers: compare nothing"
    peers = [run_text([name, "--version"]) for name in ("xargs", "parallel", "python3")]
    for name, package in (("GLib", "libglib2.0-dev"), ("ZeroMQ", "libzmq3-dev"), ("nng", "libnng-dev"),
                          ("Boost", "libboost-dev"), ("Open MPI", "libopenmpi-dev"), ("TBB", "libtbb-dev"),
                          ("libuv", "libuv1-dev"), ("State Threads", "libst-dev"), ("Pth", "libpth-dev"),
                          ("gevent", "python3-gevent"), ("uvloop", "python3-uvloop")):
        peers.append("%s %s" % (name, run_text(["dpkg-query", "-W", "-f", "${Version}", package]).split("-")[0]))
    peers.append(re.sub(r"^go version go(\S+).*", r"Go \1", run_text(["go", "version"])))
    facts["peers"] = ", ".join(text for text in peers if re.search(r"\d", text))
    return facts


def section(scenario, facts, head):
    """One scenario's part of the page; it says which facts are others than those at the page's head."""
    yield from ("## " + scenario.name, "", "In %s." % title(scenario).split(": ", 1)[1], "")
    header, *table = rows(scenario)
    yield "| %s |" % " | ".join(header)
    yield "|---" + "|---:" * (len(header) - 1) + "|"
    for row in table:
        yield "| %s |" % " | ".join(row)
    others = []
    for name, fact in facts.items():
        news = [part for part in fact.split(", ") if part not in head.get(name, "").split(", ")]
        others += ["%s: %s" % (name, ", ".join(news))] if news else []
    apart = ["Measured apart (%s)." % "; ".join(others)] if others else []
    for line in [*verdicts(scenario), *("Left out: %s." % note for note in scenario.notes), *apart]:
        yield from ("", line)


def page(done, facts, old="", order=()):
    """docs/performance.md. Of the page `old` the head is kept, and each section that is in `order` and was not measured."""
    top, *parts = re.split(r"^(?=## )", old, flags=re.MULTILINE)
    head = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", top, re.MULTILINE)) or facts
    sections = {part.splitlines()[0][3:]: part.strip() for part in parts}
    sections.update((s.name, "\n".join(section(s, facts, head))) for s in done)
    names = [name for name in order or sections if name in sections]
    lines = [PREAMBLE, *("| %s | %s |" % fact for fact in head.items())]
    return "\n\n".join(["\n".join(lines), *map(sections.get, names)]) + "\n"


def build_programs(build):
    if not (build / "CMakeCache.txt").exists():
        subprocess.run(["cmake", "-S", ROOT, "-B", build, "-DCMAKE_BUILD_TYPE=Release"],
                       check=True, stdout=sys.stderr)
    subprocess.run(["cmake", "--build", build, "--target", "plait-tool", "bench-programs"],
                   check=True, stdout=sys.stderr)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Run plait's benchmarks beside their peers.")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="scenarios, such as 'map/*'")
    parser.add_argument("--json", action="store_true", help="one JSON object a scenario and line")
    parser.add_argument("--quick", action="store_true", help="each program once; the figures mean nothing")
    parser.add_argument("--rounds", type=int, default=FEWEST_TURNS, help="turns of each program")
    parser.add_argument("--docs", type=pathlib.Path, metavar="FILE", help="write the page with the tables, or what PATTERN matches")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are")
    arguments = parser.parse_args()
    if arguments.docs and (arguments.quick or arguments.rounds < FEWEST_TURNS):
        parser.error("--docs needs at least five rounds: no figure without its spread")
    arguments.rounds = 1 if arguments.quick else max(arguments.rounds, 1)
    return arguments


def main():
    arguments = parse_arguments()
    build = arguments.build.resolve()
    if arguments.quick:
        print("quick: each program runs once; the figures mean nothing\n", file=sys.stderr)
    known = scenarios(build)
    chosen = [s for s in known
              if not (arguments.quick and s.is_long)
              and (not arguments.patterns or any(fnmatch.fnmatch(s.name, p) for p in arguments.patterns))]
    if not chosen:
        sys.exit("bench/run.py: no scenario matches; bench/scenarios.md lists them")
    if not arguments.no_build:
        build_programs(build)
    facts = machine(build)
    print(*("%s: %s\n" % fact for fact in facts.items()), sep="", file=sys.stderr, flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as scratch:
        runner = Runner(scratch)
        for scenario in chosen:
            failed += measure(runner, scenario, arguments.rounds, arguments.quick)
            (print_json if arguments.json else print_table)(scenario)
    if arguments.docs and not failed:
        old = arguments.docs.read_text() if arguments.patterns and arguments.docs.exists() else ""
        arguments.docs.write_text(page(chosen, facts, old, [s.name for s in known]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
