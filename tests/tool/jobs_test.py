"""How many jobs of plait map run at once, how fast they start, and where."""

import os
import resource
import time

import plaittest


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

    def test_jobs_get_the_signal_actions_that_plait_was_given(self):
        run = self.ok("-n0", "grep", "-E", "SigBlk|SigIgn", "/proc/self/status", ":::", "a")
        ours = 0x3 << 31  # the C library keeps 32 and 33 for itself: whoever started us may have left them ignored
        self.assertEqual({int(line.split()[1], 16) & ~ours for line in run.lines}, {0}, run)
        run = self.end(self.start("-c",
                                  f"trap '' HUP; exec '{plaittest.PLAIT}' map -n0 grep SigIgn /proc/self/status ::: a",
                                  program="/bin/sh", verb=()))
        self.assertEqual(int(run.out.split()[1], 16) & ~ours, 1, run)

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
                                   preexec_fn=lambda: become(54321, 8)))
        self.assertIn("fork", bare.err, "the limit bites")
        for limit in 3, 8:  # plait, its keeper, and what is left
            run = self.plait("-j20", "--joblog", f"log{limit}", "sleep", "0.02", text="0\n" * 30, program=program,
                             preexec_fn=lambda limit=limit: become(54322, limit))
            self.assertEqual((run.code, run.err), (0, ""), run)
            self.assertEqual(sorted(int(entry["Seq"]) for entry in self.log(f"log{limit}")), list(range(1, 31)))


if __name__ == "__main__":
    plaittest.main()
