"""How many jobs of plait map run at once, how fast they start, and where."""

import os
import pathlib
import resource
import signal
import socket
import sys
import time

import plaittest

ALL_SIGNALS = sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP})
USER = 20000 + os.getpid() * 4 % 40000  # of whom nothing else runs, not even another run of these tests
# a sanitizer puts handlers of its own before plait can see that the signals were ignored
SANITIZER = ":".join([os.environ.get("ASAN_OPTIONS", ""), "handle_segv=0:handle_sigbus=0:handle_sigfpe=0"])
POSIX_SPAWN = """
import os, sys
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def naps(pid):
    """How often a process has gone to sleep of its own accord."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches:")), 0)


def ignore_only(numbers):
    for number in ALL_SIGNALS:
        signal.signal(number, signal.SIG_IGN if number in numbers else signal.SIG_DFL)


def bits(numbers):
    return sum(1 << number - 1 for number in numbers)


def use_one_cpu():
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


class AtOnce(plaittest.Case):
    def check(self, wanted, *options, inputs=6, **more):
        """So many jobs run at once, and no more: the highest slot says so."""
        count = len(os.listdir(self.dir))
        started, go = self.fifo(f"started{count}"), self.fifo(f"go{count}")
        process = self.start(*options, "-n0", f"echo >{started.path}; read x <{go.path}; echo {{%}}", ":::",
                             *range(inputs), **more)
        started.lines(wanted)
        go.send("\n" * inputs)
        run = self.end(process)
        self.assertEqual((run.code, run.err, len(run.lines)), (0, "", inputs), run)
        self.assertEqual(max(map(int, run.lines)), wanted, options)

    def test_a_number(self):
        for option in (["-j1"], ["-j", "3"], ["-P", "2"], ["--jobs=2"], ["--max-procs", "4"]):
            self.check(int(option[-1][-1]), *option)

    def test_one_for_each_cpu_by_default(self):
        self.check(min(len(os.sched_getaffinity(0)), 6))
        self.check(1, preexec_fn=use_one_cpu)

    def test_the_environment_says_the_default(self):
        self.check(3, env={"PLAIT_JOBS": "3"})

    def test_relative_to_the_cpus(self):
        for value, wanted in (("100%", 1), ("300%", 3), ("+2", 3), ("-1", 1), ("-100", 1), ("1%", 1)):
            self.check(wanted, "-j", value, preexec_fn=use_one_cpu)

    def test_zero_is_as_many_as_there_are_inputs(self):
        self.check(20, "-j0", inputs=20)

    def test_nonsense_is_refused(self):
        for value in ("x", "0%", "", "1.5", "--2", "1 2", "99999999999999999999"):
            self.refused("-j", value, "true", ":::", "a")

    def test_a_job_knows_its_number_and_slot(self):
        run = self.ok("-j1", "-n0", "sh", "-c", "echo $PLAIT_SEQ $PLAIT_SLOT ${PLAIT_JOB_ID:+id}", ":::", "a", "b")
        self.assertEqual(run.lines, ["1 1 id", "2 1 id"])


class Starts(plaittest.Case):
    def starts(self, *options, jobs=4):
        self.ok(*options, "-j0", "-n0", "date", "+%s.%N", ":::", *range(jobs))
        run = self.ok(*options, "-k", "-j0", "-n0", "date", "+%s.%N", ":::", *range(jobs))
        times = sorted(map(float, run.lines))
        return times[-1] - times[0]

    def test_delay_is_between_two_starts(self):
        self.assertGreaterEqual(self.starts("--delay", "0.1"), 0.29)

    def test_rate_bounds_the_starts(self):
        self.assertGreaterEqual(self.starts("--rate", "20/s"), 0.14)
        self.assertGreaterEqual(self.starts("--rate", "600/m"), 0.29)

    def test_load_and_memfree_that_are_reached_hold_back_nothing(self):
        self.assertEqual(self.ok("--load", "100000%", "--memfree", "1k", "echo", ":::", "a").out, "a\n")

    def test_memory_that_is_never_free_holds_back_all(self):
        process = self.start("--memfree", "1000T", "echo", ":::", "a")
        time.sleep(0.3)  # nothing happens, and it cannot be waited for
        self.assertIsNone(process.poll())
        process.terminate()
        run = self.end(process)
        self.assertEqual((run.code, run.out), (143, ""), run)

    def test_nonsense_is_refused(self):
        for words in (["--delay", "x"], ["--rate", "0/s"], ["--rate", "x"], ["--load", "x"], ["--memfree", "x"],
                      ["--nice", "x"]):
            self.refused(*words, "true", ":::", "a")


class Surroundings(plaittest.Case):
    def test_nice(self):
        """The niceness itself, not an addition, as GNU parallel has it; without the option plait's own."""
        self.assertEqual(int(self.ok("--nice", "15", "-n0", "nice", ":::", "a").out), 15)
        self.assertEqual(int(self.ok("-n0", "nice", ":::", "a").out), os.nice(0))

    def test_the_folder_of_the_jobs(self):
        os.mkdir(self.dir / "sub")
        self.assertEqual(self.ok("--wd", "sub", "-n0", "pwd", ":::", "a").out, f"{self.dir}/sub\n")
        self.assertEqual(self.ok(f"--workdir={self.dir}/sub", "-n0", "pwd", ":::", "a").out, f"{self.dir}/sub\n")

    def test_a_folder_that_is_none_is_refused(self):
        self.refused("--wd", "none", "true", ":::", "a", says="No such file")
        self.refused("--wd", self.file("plain"), "true", ":::", "a", says="Not a directory")

    def test_each_job_has_a_process_group_of_its_own(self):
        run = self.ok("-k", "-n0", "sh", "-c", "ps -o pgid= -p $$; echo $$", ":::", "a", "b")
        groups = list(map(int, run.out.split()))
        self.assertEqual(groups[0], groups[1])
        self.assertEqual(groups[2], groups[3])
        self.assertNotEqual(groups[0], groups[2])

    def check_signal_actions(self, *through, **options):
        """A job ignores what a program does that is started in plait's place. Returns it: bit n-1 is signal n."""
        def look(before=(), behind=()):
            program, *words = *through, *before, "cat", "/proc/self/status", *behind
            run = self.end(self.start(*words, program=program, verb=(), env={"ASAN_OPTIONS": SANITIZER}, **options))
            self.assertEqual((run.code, run.err), (0, ""), run)
            return [line.split()[1] for line in run.lines if line.startswith(("SigBlk:", "SigIgn:"))]

        given, got = look(), look((plaittest.PLAIT, "map", "-n0", "--exec"), (":::", "a"))
        self.assertEqual(got, ["0" * 16, given[1]], through)
        return int(given[1], 16)

    def test_jobs_get_the_signal_actions_that_plait_was_given(self):
        self.check_signal_actions()
        for numbers in ALL_SIGNALS, ALL_SIGNALS[::2], ALL_SIGNALS[1::2], []:
            given = self.check_signal_actions(preexec_fn=lambda numbers=numbers: ignore_only(numbers))
            self.assertEqual(given & bits(ALL_SIGNALS), bits(numbers))

    def test_jobs_get_the_signal_actions_that_only_the_c_library_can_set(self):
        """The children of glibc's posix_spawn, as those of make and ninja, ignore 32 and 33."""
        self.check_signal_actions(sys.executable, "-c", POSIX_SPAWN)

    def test_a_script_without_an_interpreter_line_is_found_in_path_and_takes_very_many_arguments(self):
        self.file("denied/script", "exit 1\n")
        os.chmod(self.file("bin/script", "echo $# $2\n"), 0o755)
        words = ["script", *["x"] * 60000]
        for path in (f"{self.dir}/none:{self.dir}/denied:{self.dir}/bin", f"{self.dir}/bin"):
            run = self.ok("--exec", *words, ":::", "a", env={"PATH": f"{path}:{os.environ['PATH']}"})
            self.assertEqual(run.out, "60001 x\n")

    def test_the_environment_is_inherited(self):
        self.assertEqual(self.ok("-n0", "sh", "-c", "echo $SOMETHING", ":::", "a", env={"SOMETHING": "x y"}).out,
                         "x y\n")


class Scarce(plaittest.Case):
    def test_thirty_two_descriptors_are_enough(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))

        for jobs in ("-j2", "-j0", "-j1000"):
            run = self.plait("-k", jobs, "echo", text="\n".join(map(str, range(100))), preexec_fn=few)
            self.assertEqual((run.code, run.lines), (0, list(map(str, range(100)))), run)
        self.assertIn("the limit on open files", run.err)

    def test_a_limit_on_processes_makes_fewer_at_once_and_loses_none(self):
        if os.getuid() != 0:
            self.skipTest("only root can become a user of whom nothing else runs")
        program = self.copy_for_all()

        def become(user, limit):
            resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
            os.setgid(user)
            os.setuid(user)

        bare = self.end(self.start("-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1 & done; wait", program="/bin/sh",
                                   verb=(),
                                   preexec_fn=lambda: become(USER, 8)))
        self.assertIn("fork", bare.err, "the limit bites")
        for limit in 3, 8:  # plait, its keeper, and what is left
            run = self.plait("-j20", "--joblog", f"log{limit}", "sleep", "0.02", text="0\n" * 30, program=program,
                             preexec_fn=lambda limit=limit: become(USER + 1, limit))
            self.assertEqual((run.code, run.err), (0, ""), run)
            self.assertEqual(sorted(int(entry["Seq"]) for entry in self.log(f"log{limit}")), list(range(1, 31)))

    def test_what_jobs_leave_in_the_background_uses_up_no_descriptors(self):
        def few(limit):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        inputs = list(map(str, range(60)))
        for limit in 32, 64:
            fifo = self.fifo(f"fifo{limit}")
            run = self.plait("-k", "-j2", f"read x <{fifo.path} & echo {{}}", text="\n".join(inputs),
                             preexec_fn=lambda limit=limit: few(limit))
            self.assertEqual((run.code, run.err, run.lines), (0, "", inputs), run)
            plaittest.until(lambda: len(self.marked()) == len(inputs), "only what the jobs have left runs")
            fifo.send("\n" * len(inputs))
            self.nothing_left()

    def test_a_job_waits_until_the_user_may_send_descriptors_again(self):
        if os.getuid() != 0:
            self.skipTest("only root can become a user of whom nothing else runs")
        user, program = USER + 2, self.copy_for_all()

        def become():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            os.setgid(user)
            os.setuid(user)

        near, far = socket.socketpair()
        sender = os.fork()  # what it has sent counts as the user's until it is received
        if sender == 0:
            os.setuid(user)
            null = os.open("/dev/null", os.O_RDONLY)
            for _ in range(3):
                socket.send_fds(near, [b"x"], [null] * 50)
            os._exit(0)
        self.assertEqual(os.waitpid(sender, 0)[1], 0)
        process = self.start("echo", ":::", "a", program=program, preexec_fn=become)
        plaittest.until(lambda: plaittest.is_over(process.pid) or naps(process.pid) > 50, "plait tries again and again")
        near.close()
        far.close()
        run = self.end(process)
        self.assertEqual((run.code, run.out, run.err), (0, "a\n", ""), run)


if __name__ == "__main__":
    plaittest.main()
