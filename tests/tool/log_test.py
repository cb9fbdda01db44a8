"""The job log of plait map, and what is resumed from it."""

import os
import signal

import plaittest

COLUMNS = "Seq Host Starttime JobRuntime Send Receive Exitval Signal Command".split()


class Joblog(plaittest.Case):
    def test_the_columns_are_gnu_parallels_nine(self):
        self.plait("-k", "--joblog", "log", "echo {}; exit {}", ":::", "0", "3")
        header, *lines = self.read("log").splitlines()
        self.assertEqual(header.split("\t"), COLUMNS)
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertRegex(line, r"^\d+\t:\t\d+\.\d{3}\t *\d+\.\d{3}\t0\t2\t[03]\t0\techo [03]; exit [03]$")

    def test_signals_and_time_outs_have_their_own_marks(self):
        self.plait("--joblog", "log", "-k", "--timeout", "0.2", "--kill-after", "0.1",
                   "case {} in a) kill -9 $$ ;; b) exec sleep 100 ;; esac", ":::", "a", "b")
        log = {entry["Seq"]: (entry["Exitval"], entry["Signal"]) for entry in self.log()}
        self.assertEqual(log, {"1": ("0", "9"), "2": ("-1", "15")})

    def test_only_the_last_attempt_has_a_line(self):
        self.plait("--joblog", "log", "--retries", "3", "false", ":::", "a")
        self.assertEqual(len(self.log()), 1)

    def test_a_command_is_one_line_that_a_shell_reads(self):
        values = ["a b", "c'd", "e\nf", "$(g)", "\t"]
        self.ok("-0", "-j1", "--joblog", "log", "printf", "%s", text="\0".join(values))
        commands = [entry["Command"] for entry in self.log()]
        self.assertEqual(len(commands), len(values))
        for command, value in zip(commands, values):
            run = self.end(self.start("-c", command, program="bash", verb=()))
            self.assertEqual(run.out, value)

    def test_lines_are_added_to_what_is_there_only_when_resuming(self):
        self.ok("--joblog", "log", "true", ":::", "a")
        self.ok("--joblog", "log", "true", ":::", "b")
        self.assertEqual([entry["Command"] for entry in self.log()], ["true b"])

    def test_it_must_be_writable(self):
        self.refused("--joblog", "none/log", "true", ":::", "a", says="none/log", code=125)


class Resume(plaittest.Case):
    def run_some(self, *words):
        """Jobs 1 … 4 of which 2 and 3 fail; what ran is in the file `ran`."""
        open(self.dir / "ran", "w").close()
        return self.plait("-j1", "--joblog", "log", *words)

    def ran(self):
        return self.read("ran").split()

    command = ["echo {} >>ran; [ ! -e fail{} ]", ":::", "1", "2", "3", "4"]

    def setUp(self):
        super().setUp()
        self.file("fail2")
        self.file("fail3")
        self.assertEqual(self.run_some(*self.command).code, 1)
        self.assertEqual(self.ran(), ["1", "2", "3", "4"])

    def cut_log(self, *keep):
        lines = self.read("log").splitlines(keepends=True)
        self.file("log", lines[0] + "".join(line for line in lines[1:] if line.split("\t")[0] in keep))

    def test_resume_runs_what_has_no_line(self):
        self.cut_log("1", "3")
        self.assertEqual(self.run_some("--resume", *self.command).code, 1)
        self.assertEqual(self.ran(), ["2", "4"])
        self.assertEqual([entry["Seq"] for entry in self.log()], ["1", "3", "2", "4"])

    def test_resume_failed_runs_failed_ones_too(self):
        self.cut_log("1", "2", "3")
        os.remove(self.dir / "fail2")
        self.assertEqual(self.run_some("--resume-failed", *self.command).code, 1)
        self.assertEqual(self.ran(), ["2", "3", "4"])
        self.assertEqual(self.run_some("--resume-failed", *self.command).code, 1)
        self.assertEqual(self.ran(), ["3"])

    def test_retry_failed_takes_the_commands_from_the_log(self):
        os.remove(self.dir / "fail2")
        self.assertEqual(self.run_some("--retry-failed").code, 1)
        self.assertEqual(self.ran(), ["2", "3"])
        os.remove(self.dir / "fail3")
        self.assertEqual(self.run_some("--retry-failed").code, 0)
        self.assertEqual(self.ran(), ["3"])
        self.assertEqual(self.run_some("--retry-failed").code, 0)
        self.assertEqual(self.ran(), [])

    def test_a_torn_last_line_is_cut_and_its_job_runs_again(self):
        self.file("log", self.read("log")[:-3])
        self.assertEqual(self.run_some("--resume", *self.command).code, 0)
        self.assertEqual(self.ran(), ["4"])
        self.assertEqual([entry["Seq"] for entry in self.log()], ["1", "2", "3", "4"])

    def test_a_changed_input_is_said(self):
        run = self.plait("--joblog", "log", "--resume", "echo", ":::", "other")
        self.assertIn("another command in the job log", run.err)

    def test_a_log_that_is_none_is_refused(self):
        self.file("log", "this is my letter\n")
        run = self.plait("--joblog", "log", "--resume", "true", ":::", "a")
        self.assertEqual(run.code, 125, run)
        self.assertEqual(self.read("log"), "this is my letter\n")


class RetryFailed(plaittest.Case):
    def test_words_of_direct_execution_come_back_exactly(self):
        self.script("show", 'printf "<%s>" "$@" >>seen; exit 1')
        values = ["a b", "c'd", "e\nf", "$(g)", "*", ""]
        self.plait("-0", "-j1", "--joblog", "log", "./show", text="\0".join(values) + "\0")
        wanted = "".join(f"<{value}>" for value in values)
        self.assertEqual(self.read("seen"), wanted)
        self.plait("-j1", "--joblog", "log", "--retry-failed")
        self.assertEqual(self.read("seen"), wanted * 2)

    def test_logs_of_gnu_parallel_are_read(self):
        self.file("log", "\t".join(COLUMNS) + "\n1\t:\t1700000000.000\t     0.001\t0\t0\t1\t0\techo a\\ b\n"
                  "2\t:\t1700000000.000\t     0.001\t0\t0\t0\t0\techo c\n")
        self.assertEqual(self.ok("--joblog", "log", "--retry-failed").lines, ["a b"])


class Killed(plaittest.Case):
    def test_after_sigkill_resume_runs_exactly_what_has_no_line(self):
        fifo = self.fifo()
        command = f"case {{}} in 3) echo 3 >{fifo.path}; exec sleep 1000 ;; esac; echo {{}} >>ran"
        process = self.start("-j1", "--joblog", "log", command, ":::", *"12345")
        self.assertEqual(fifo.line(), "3")
        plaittest.until(lambda: len(self.log()) == 2, "lines of jobs 1 and 2")  # the keeper may be ahead of who logs
        process.send_signal(signal.SIGKILL)
        self.end(process)
        self.nothing_left()
        self.assertRegex(self.read("log"), r"\n\Z")
        self.assertEqual([entry["Seq"] for entry in self.log()], ["1", "2"])
        self.plait("-j1", "--joblog", "log", "--resume", "echo {} >>ran", ":::", *"12345")
        self.assertEqual(self.read("ran").split(), list("12345"))

    def test_jobs_that_ctrl_c_ended_have_no_line(self):
        fifo = self.fifo()
        process = self.start("-j1", "--joblog", "log", f"[ {{}} = 1 ] || {{ echo >{fifo.path}; exec sleep 1000; }}",
                             ":::", "1", "2")
        fifo.line()
        process.send_signal(signal.SIGINT)
        run = self.end(process)
        self.assertEqual(run.code, 130, run)
        self.assertIn("left out of the job log", run.err)
        self.assertEqual([entry["Seq"] for entry in self.log()], ["1"])


if __name__ == "__main__":
    plaittest.main()
