"""Small runs of the tool and of the library for the fault injector: what is run, and what a whole result looks like.

SPDX-License-Identifier: MIT
"""
import json
import os
import pathlib

HEADER = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
PLUGIN = os.environ.get("PLAIT_BUILD", str(pathlib.Path(__file__).resolve().parents[2] / "build")) + \
    "/tests/libfault-plugin.so"
LATE = PLUGIN.replace("plugin", "late-task")
INPUTS = ["one", "two", "three", "four"]


def sorted_lines(run):
    return sorted(run.out.splitlines())


def json_results(run):
    return sorted((line["seq"], line["stdout"]) for line in map(json.loads, run.out.splitlines()))


def results_tree(run):
    """The files of --results, and what was printed."""
    tree = run.folder / "results"
    return sorted((str(path.relative_to(tree)), path.read_bytes()) for path in tree.rglob("*") if path.is_file()), \
        sorted_lines(run)


def logged_and_printed(run):
    """The job log without its times, and what was printed."""
    lines = [line.split(b"\t") for line in run.log.read_bytes().splitlines()[1:]]
    return sorted((int(line[0]), line[6], line[7]) for line in lines), sorted_lines(run)


class Scenario:
    """words: the command line behind the program; {log}, {dir} and {tmp} stand for places of this run, {id} for a name.

    whole    what of a run must be as without faults when it says that it succeeded
    code     the exit status without faults
    log      what the job log holds before the run; None: there is none
    to_file  standard output is a file, not a pipe
    environment  more of it
    program  what is run: the tool, or one of tests/fault, which judges its own result
    cannot_fail  kinds of calls that cannot fail on what they are used for there
    """

    def __init__(self, name, *words, whole=sorted_lines, code=0, log=None, stdin=b"", to_file=False,
                 environment=None, program="plait", cannot_fail=()):
        self.name, self.words, self.whole, self.code = name, words, whole, code
        self.program, self.cannot_fail = program, cannot_fail
        self.log, self.stdin, self.to_file = log, stdin, to_file
        self.environment = environment or {}

    def command(self, folder):
        places = {"log": str(folder / "log"), "dir": str(folder), "tmp": str(folder / "tmp"), "id": f"{os.getpid()}-{folder.name}",
                  "plugin": PLUGIN, "late": LATE}
        return [place(word, places) for word in self.words]

    def prepare(self, folder):
        (folder / "tmp").mkdir(parents=True)
        if self.log is not None:
            (folder / "log").write_text(self.log)
        (folder / "short").write_text("short\n")
        (folder / "long").write_text("".join(letter * 30000 + "\n" for letter in "abc"))


def place(word, places):
    for name, path in places.items():
        word = word.replace("{" + name + "}", path)
    return word


def exact(run):
    return run.out


def line_of(seq, status, command):
    return f"{seq}\t:\t1700000000.000\t     0.010\t0\t4\t{status}\t0\t{command}\n"


def at_all(run):
    """Figures of this machine: that they are there."""
    return bool(run.out.strip())


TOOL = [
    Scenario("plain", "map", "-j2", "echo", "job", ":::", *INPUTS),
    Scenario("stdin", "map", "-j2", "-n2", "echo", stdin=b"".join(f"line {i}\n".encode() for i in range(6))),
    Scenario("columns", "map", "-k", "--tag", "--colsep", ",", "echo", "{2}", "{1}", whole=exact, stdin=b"a,b\nc,d\n"),
    Scenario("keep-order", "map", "-j3", "-k", "test {} != a || sleep 0.03; head -c 100000 /dev/zero | tr '\\0' {}",
             ":::", "a", "b", "c", whole=exact, to_file=True),
    Scenario("named-spool", "map", "head -c 200000 /dev/zero | tr '\\0' {}", ":::", "a", whole=exact,
             environment={"PLAIT_INJECT_NO_TMPFILE": "1"}),
    Scenario("no-such-command", "map", "{}", ":::", "/nonexistent/a", "true", code=1),
    Scenario("shell", "map", "-k", "printf '<%s>\\n' {}; echo {.} >&2", ":::", "a b.c", "it's", whole=exact),
    Scenario("lines", "map", "--line-buffer", "-j2", "--nice", "1", "--wd", "{dir}", "echo {}; echo {}; cat ./short",
             ":::", *INPUTS[:2]),
    Scenario("raw", "map", "-u", "true", ":::", "a", "b"),
    Scenario("long-command", "map", "-k", "-n3", "echo", "::::", "{dir}/long", whole=exact, to_file=True),
    Scenario("retries", "map", "-j2", "--retries", "3", "--retry-backoff", "10ms", "--joblog", "{log}",
             "test -e {tmp}/../tried-{} || { : >{tmp}/../tried-{}; exit 9; }; echo ok {}", ":::", *INPUTS[:3],
             whole=logged_and_printed),
    Scenario("resume", "map", "--joblog", "{log}", "--resume", "echo", ":::", *INPUTS, whole=logged_and_printed,
             log=HEADER + line_of(1, 0, "echo one") + line_of(3, 1, "echo three") + "2\t:\t17000"),
    Scenario("retry-failed", "map", "--joblog", "{log}", "--retry-failed", whole=logged_and_printed,
             log=HEADER + line_of(1, 0, "echo one") + line_of(2, 1, "echo two")),
    Scenario("json", "map", "--json", "echo", ":::", *INPUTS[:3], whole=json_results),
    Scenario("results", "map", "--results", "{dir}/results", "echo", ":::", *INPUTS[:2], whole=results_tree),
    Scenario("time-outs", "map", "-j3", "--timeout", "50ms", "--kill-after", "50ms", "--joblog", "{log}",
             "sh -c {}", ":::", "sleep 5", "setsid sleep 5", "echo good", code=1, whole=logged_and_printed),
    Scenario("halt", "map", "-j3", "--halt", "now,fail=1", "--kill-after", "50ms", "sh -c {}", ":::", "sleep 5", "exit 3",
             "sleep 5", code=5),
    Scenario("bar", "map", "--bar=always", "--summary", "echo", ":::", "a", "b"),
    Scenario("dry-run", "map", "-k", "--dry-run", "echo", ":::", *INPUTS, whole=exact),
    Scenario("function", "map", "-j2", "--joblog", "{log}", "--so", "{plugin}:shout", ":::", "1", "2", "3", "4",
             whole=logged_and_printed),
    Scenario("function-thread", "map", "-j2", "--as=thread", "--so", "{plugin}:shout", ":::", *INPUTS),
    Scenario("function-main", "map", "-k", "--retries=2", "--argv", "--so", "{plugin}:words", ":::", "0", "3", code=1,
             whole=exact),
    Scenario("function-crash", "map", "-k", "--timeout", "5s", "--so", "{plugin}:crash", ":::", "good", "bad", code=1,
             whole=exact),
    Scenario("info", "info", whole=at_all),
    Scenario("info-json", "info", "--json", whole=at_all),
    Scenario("help", "help", "map", whole=exact),
]


def judges_itself(_):
    return True


def shared(name, *words, environment=None):
    """All its files are local, or in memory: fstat has no network to ask."""
    return Scenario(name, *words, whole=judges_itself, program="fault-shared-program", environment=environment,
                    cannot_fail=("fstat",))


LIBRARY = [
    Scenario("tasks", whole=judges_itself, program="fault-task-program"),
    Scenario("process", whole=judges_itself, program="fault-process-program", cannot_fail=("fcntl",)),
    *(Scenario(f"process-{method}", method, "{late}", whole=judges_itself, program="fault-process-program",
               cannot_fail=("fcntl",)) for method in ("spawn", "forkserver")),
    Scenario("process-threads", "forkserver", "{late}", "threads", whole=judges_itself, program="fault-process-program",
             cannot_fail=("fcntl",)),
    *(shared(f"shared-{part}", part) for part in ("heap", "sync", "queue", "values", "pipe", "select")),
    shared("segment", "segment", "fault-{id}"),
    shared("segment-path", "segment", "{dir}/segment"),
    shared("pool-processes", "pool"),
    shared("pool-threads", "pool", "threads"),
    shared("coroutines", "coroutines"),
    shared("subprocess", "subprocess"),
    shared("coroutines-epoll_wait", "coroutines", environment={"PLAIT_DISABLE": "epoll_pwait2"}),
    shared("segment-named-file", "segment", "{dir}/segment", environment={"PLAIT_INJECT_NO_TMPFILE": "1"}),
]
