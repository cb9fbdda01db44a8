"""Signals to plait map: it ends with all that it started, or stops with it."""

import os
import pathlib
import pty
import signal
import time

import plaittest


class Signals(plaittest.Case):
    def running(self, *options, jobs=2, trap="", **more):
        """A run whose jobs have started, with descendants that went away from them."""
        fifo = self.fifo()
        self.script("job", f"""
            {trap}
            sleep 1001 &
            setsid --fork sh -c '{trap or ":"}; echo $$ >{fifo.path}; while :; do sleep 0.05; done'
            while :; do sleep 0.05; done
        """)
        process = self.start(f"-j{jobs}", *options, "./job", ":::", *range(jobs + 1), **more)
        fifo.lines(jobs)
        return process

    def test_sigint_sigterm_and_sighup_end_everything(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(number):
                process = self.running("--joblog", "log")
                process.send_signal(number)
                run = self.end(process)
                self.assertEqual(run.code, code, run)
                self.nothing_left()
                self.assertEqual(self.log(), [])
                self.assertIn("ending 2 running jobs", run.err)
                os.remove(self.dir / "fifo")

    def test_what_ignores_the_first_one_is_killed_after_the_grace(self):
        process = self.running("--kill-after", "0.3", trap='trap "" TERM')
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.end(process).code, 130)
        self.assertGreaterEqual(time.monotonic() - begin, 0.3)
        self.nothing_left()

    def test_a_second_one_kills_at_once(self):
        process = self.running("--kill-after", "1000", trap='trap "" TERM')
        process.send_signal(signal.SIGINT)
        self.assertIn(b"once more: kill", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.end(process).code, 130)
        self.nothing_left()

    def test_output_that_was_complete_is_printed(self):
        fifo = self.fifo()
        process = self.start("-k", "-j2",
                             f"case {{}} in a) echo >{fifo.path}; exec sleep 1000 ;; "
                             f"*) echo {{}}; echo >{fifo.path} ;; esac",
                             ":::", "a", "b")
        fifo.lines(2)
        plaittest.until(lambda: len(self.marked()) == 3, "the second job has ended")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(process).out, "b\n")

    def test_waiting_for_input_is_ended_too(self):
        reading, writing = os.pipe()
        process = self.start("echo", stdin=reading)
        os.write(writing, b"a\n")
        self.assertEqual(process.stdout.readline(), b"a\n")
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.end(process).code, 130)
        os.close(reading)
        os.close(writing)

    def test_writing_to_a_reader_that_sleeps_is_ended_by_the_second_one(self):
        reading, writing = os.pipe()
        process = self.start("head", "-c", "10000000", ":::", "/dev/zero", stdout=writing)
        os.close(writing)
        os.read(reading, 1)
        process.send_signal(signal.SIGINT)
        plaittest.until(lambda: process.poll() is not None or process.send_signal(signal.SIGINT), "the run has ended")
        self.assertEqual(process.returncode, 130)
        os.close(reading)

    def test_nohup_is_respected(self):
        started, go = self.fifo("started"), self.fifo("go")
        process = self.start("-c",
                             f"trap '' HUP; exec '{plaittest.PLAIT}' map 'echo >started; read x <go; echo {{}}' ::: a",
                             program="/bin/sh", verb=())
        started.line()
        process.send_signal(signal.SIGHUP)
        go.send("\n")
        run = self.end(process)
        self.assertEqual((run.code, run.out), (0, "a\n"), run)

    def leaders(self):
        """The main processes of the jobs: what they have forked meanwhile is in their groups."""
        found = []
        for pid in self.marked():
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if words[1:2] == [b"./job"] and os.getpgid(pid) == pid:
                    found.append(pid)
            except OSError:
                pass  # it ended while we looked
        return found

    def test_sigtstp_stops_the_jobs_and_sigcont_resumes_them(self):
        process = self.running()
        pids = self.leaders()
        self.assertEqual(len(pids), 2)
        process.send_signal(signal.SIGTSTP)
        plaittest.until(lambda: plaittest.state_of(process.pid) == "T", "plait is stopped")
        plaittest.until(lambda: all(plaittest.state_of(pid) == "T" for pid in pids), "the jobs are stopped")
        process.send_signal(signal.SIGCONT)
        plaittest.until(lambda: all(plaittest.state_of(pid) in "SRD" for pid in pids), "the jobs go on")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(process).code, 143)
        self.nothing_left()

    def test_ctrl_c_on_a_terminal(self):
        """The shell's way: plait in the foreground of a terminal that sends the signal to its group."""
        fifo = self.fifo()
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.dir)
            os.execve(plaittest.PLAIT, ["plait", "map", "sh", "-c", f"echo >{fifo.path}; sleep 1000; :", "sh", ":::",
                                        "a"], self.env)
        fifo.line()
        os.write(terminal, b"\x03")
        seen = b""
        while b"ending" not in seen:
            seen += os.read(terminal, 1000)
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 130)
        self.nothing_left()


class Killed(plaittest.Case):
    def test_sigkill_of_plait_leaves_nothing_running(self):
        process = Signals.running(self)
        process.kill()
        self.end(process)
        self.nothing_left()

    def test_sigkill_of_the_keeper_is_said_and_survived(self):
        fifo = self.fifo("fifo2")
        process = self.start("-j1", f"case {{}} in a) echo $PPID >{fifo.path}; exec sleep 1000 ;; esac; echo {{}}",
                             ":::", "a", "b")
        os.kill(int(fifo.line()), signal.SIGKILL)
        run = self.end(process)
        self.assertEqual((run.code, run.out), (1, "b\n"), run)
        self.assertIn("the keeper died", run.err)
        self.nothing_left()


if __name__ == "__main__":
    plaittest.main()
