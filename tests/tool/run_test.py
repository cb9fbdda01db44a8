"""A whole run of plait map: its exit status, what it says on the way, and how large it may be."""

import os
import pty
import resource
import subprocess

import plaittest


class ExitStatus(plaittest.Case):
    def test_success_failure_usage(self):
        self.assertEqual(self.plait("true", ":::", "a").code, 0)
        self.assertEqual(self.plait("-n0", "false", ":::", *"abc").code, 1)
        self.assertEqual(self.plait("--no-such-option", "true").code, 2)

    def test_exit_count_is_gnu_parallels(self):
        count = ["--exit=count", "--quiet"]
        self.assertEqual(self.plait(*count, "exit {}", ":::", "0", "0").code, 0)
        self.assertEqual(self.plait(*count, "exit {}", ":::", "0", "7", "9").code, 2)
        self.assertEqual(self.plait(*count, "-n0", "false", text="x\n" * 100).code, 100)
        self.assertEqual(self.plait(*count, "-n0", "false", text="x\n" * 120).code, 101)
        self.assertEqual(self.plait(*count, "--halt", "now,fail=1", "exit {}", ":::", "7").code, 7)

    def test_a_job_killed_by_a_signal_is_a_failed_job(self):
        run = self.plait("kill -9 $$; : {}", ":::", "a")
        self.assertEqual(run.code, 1)
        self.assertIn("killed by SIGKILL", run.err)


class Shown(plaittest.Case):
    def test_dry_run_prints_commands_and_runs_none(self):
        run = self.ok("-k", "--dry-run", "touch", "{}", ":::", "a b", "c")
        self.assertEqual(run.lines, ["touch 'a b'", "touch c"])
        self.assertEqual(os.listdir(self.dir), [])
        self.assertEqual(self.ok("-k", "--dryrun", "echo {} | cat", ":::", "a b").lines, ["echo 'a b' | cat"])

    def test_t_prints_each_command_before_it_runs(self):
        for option in ("-t", "--verbose"):
            run = self.plait("-j1", option, "echo", ":::", "a b", "c")
            self.assertEqual((run.code, run.out, run.err), (0, "a b\nc\n", "echo 'a b'\necho c\n"))


class Noise(plaittest.Case):
    def test_nothing_is_said_on_success(self):
        self.assertEqual(self.ok("true", text="x\n" * 50).out, "")

    def test_the_first_ten_failures_and_a_count(self):
        run = self.plait("-n0", "false", text="x\n" * 25)
        lines = run.err.splitlines()
        self.assertEqual(len(lines), 11, run)
        for line in lines[:10]:
            self.assertRegex(line, r"^plait map: job \d+ failed: exit 1: false$")
        self.assertEqual(lines[10], "plait map: … and 15 more failed")

    def test_quiet_says_nothing_about_them(self):
        run = self.plait("--quiet", "-n0", "false", text="x\n" * 25)
        self.assertEqual((run.code, run.err), (1, ""))

    def test_control_characters_of_a_value_do_not_reach_the_terminal(self):
        run = self.plait("false", "{}", ":::", "\x1b[2J\r")
        self.assertNotIn("\x1b", run.err)
        self.assertNotIn("\r", run.err)

    def test_the_summary_adds_up(self):
        run = self.plait("--summary", "--quiet", "sleep {}; exit {}", ":::", "0", "1", "0", "2")
        self.assertEqual(run.code, 1)
        self.assertRegex(run.err, r"plait map: 4 jobs in .*: 2 ok, 2 failed\n")
        self.assertRegex(run.err, r"slowest +\S+ m?s \(\S+ [KM] rss\): job 4: sleep 2; exit 2\n")


class Terminal(plaittest.Case):
    def on_terminal(self, *words):
        """What appears when standard error is a terminal."""
        ours, its = pty.openpty()
        self.addCleanup(os.close, ours)
        process = self.start(*words, stderr=its, env={"TERM": "xterm"})
        os.close(its)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            seen += piece
        self.assertEqual(self.end(process).code, 0)
        return seen.decode()

    def test_a_short_run_draws_nothing(self):
        self.assertEqual(self.on_terminal("true", ":::", "a", "b"), "")

    def test_a_bar_that_was_asked_for_is_drawn_and_wiped(self):
        seen = self.on_terminal("--bar", "-j1", "sleep", ":::", "0.15", "0.15", "0.15")
        self.assertIn("\r", seen)
        self.assertIn("/3", seen)
        self.assertTrue(seen.endswith("\r\x1b[K"), repr(seen[-80:]))

    def test_it_appears_by_itself_after_two_seconds(self):
        seen = self.on_terminal("-j1", "sleep", ":::", "2.3", "0")
        self.assertIn("/2", seen)
        self.assertTrue(seen.endswith("\r\x1b[K"), repr(seen[-80:]))

    def test_it_can_be_forbidden(self):
        self.assertEqual(self.on_terminal("--bar=never", "sleep", ":::", "2.2"), "")


class Large(plaittest.Case):
    def measure(self, *words, lines):
        """Peak memory in KiB of a run over so many lines. (What wait4 says contains the memory of who forked it.)"""
        process = self.start(*words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        piece = b"".join(b"line %07d\n" % i for i in range(10000))
        for _ in range(lines // 10000):
            process.stdin.write(piece)
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
        run = self.end(process)
        self.assertEqual((run.code, run.err), (0, ""), run)
        return peak

    def test_memory_does_not_grow_with_the_input(self):
        small = self.measure("--dry-run", "echo", lines=10000)
        large = self.measure("--dry-run", "echo", lines=int(os.environ.get("PLAIT_TEST_LINES", "500000")))
        if plaittest.SLOW == 1:  # a sanitizer keeps what was freed
            self.assertLess(large, small + 16 * 1024)

    def test_nor_with_a_job_log_that_is_resumed(self):
        header = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
        lines = 500000
        self.file("log",
                  header + "".join(f"{i + 1}\t:\t1700000000.000\t     0.001\t0\t0\t0\t0\techo 'line {i % 10000:07}'\n"
                                          for i in range(lines)))
        peak = self.measure("--joblog", "log", "--resume", "echo", lines=lines)
        if plaittest.SLOW == 1:
            self.assertLess(peak, 48 * 1024)


class OutOfMemory(plaittest.Case):
    def test_a_small_address_space_ends_a_run_with_words(self):
        def tiny():
            resource.setrlimit(resource.RLIMIT_AS, (48 << 20, 48 << 20))

        if plaittest.SLOW > 1:
            self.skipTest("sanitizers need terabytes of address space")
        run = self.plait("-0", "echo", text="x" * (64 << 20), preexec_fn=tiny)
        self.assertIn(run.code, (1, 2, 125), run)
        self.assertNotEqual(run.err, "")


if __name__ == "__main__":
    plaittest.main()
