"""Signals to plait map: it ends with all that it started, or stops with it."""

import ctypes
import os
import pathlib
import pty
import signal
import subprocess
import time

import plaittest


def bit(number):
    return 1 << (number - 1)


def bits_of(pid, name):
    """A set of signals of a process; none when it is gone."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith(name + ":")), 0)


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

    def test_one_is_enough_when_the_reader_takes_nothing(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(number):
                reading, writing = os.pipe()
                process = self.start("head", "-c", "10000000", ":::", "/dev/zero", stdout=writing)
                os.close(writing)
                os.read(reading, 1)
                process.send_signal(number)
                self.assertEqual(process.wait(plaittest.LIMIT), code)
                os.close(reading)

    def test_the_third_one_waits_for_nobody(self):
        fifo = self.fifo()
        process = self.start(f"echo $PPID >{fifo.path}; exec sleep {{}}", ":::", "1000")
        keeper = int(fifo.line())
        os.kill(keeper, signal.SIGSTOP)  # it ends nothing, and tells of no end
        process.send_signal(signal.SIGINT)
        self.assertIn(b"once more: kill", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        plaittest.until(lambda: not bits_of(process.pid, "ShdPnd") & bit(signal.SIGINT), "the second one is taken")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(plaittest.LIMIT), 130)
        os.kill(keeper, signal.SIGCONT)
        self.nothing_left()

    def test_endless_inputs_leave_time_for_a_signal(self):
        """Commands that are only shown; blank inputs that are skipped"""
        for options in (("--dry-run",), ("-r",)):
            with self.subTest(options), open("/dev/zero", "rb") as zero:
                # it never has nothing: no wait in which a signal could be heard
                process = self.start("-0", *options, "echo", stdin=zero, stdout=subprocess.DEVNULL)
                plaittest.until(lambda: bits_of(process.pid, "SigBlk") & bit(signal.SIGINT), "plait watches signals")
                process.send_signal(signal.SIGINT)
                self.assertEqual(self.end(process).code, 130)

    def test_one_is_enough_when_nobody_reads_what_is_said(self):
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        while True:
            try:
                os.write(writing, b"x" * 65536)
            except BlockingIOError:
                break
        os.set_blocking(writing, True)
        fifo = self.fifo()
        process = self.start(f"echo >{fifo.path}; exec sleep {{}}", ":::", "1000", stderr=writing)
        fifo.line()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(plaittest.LIMIT), 130)
        os.close(reading)
        os.close(writing)

    def test_a_keeper_that_takes_no_more_requests_makes_nobody_deaf(self):
        fifo = self.fifo()
        process = self.start("-j3000", "-n0", f"echo $PPID >{fifo.path}; exec sleep 1000", ":::", *range(3000))
        keeper = int(fifo.line())
        os.kill(keeper, signal.SIGSTOP)
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            plaittest.until(lambda: process.poll() is not None or
                            not bits_of(process.pid, "ShdPnd") & bit(signal.SIGTERM), "it is heard")
        self.assertEqual(process.wait(plaittest.LIMIT), 143)
        os.kill(keeper, signal.SIGCONT)
        self.nothing_left()

    def test_no_keeper_is_left_for_somebody_else_to_reap(self):
        """In a container pid 1 may reap nothing: then each would stay as a zombie"""
        adopt = 36  # PR_SET_CHILD_SUBREAPER
        libc = ctypes.CDLL(None)
        self.assertEqual(libc.prctl(adopt, 1, 0, 0, 0), 0)
        self.addCleanup(libc.prctl, adopt, 0, 0, 0, 0)
        self.ok("true", ":::", "1")
        process = self.running()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(process).code, 143)
        self.nothing_left()
        names = [pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
                 for pid in pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()]
        self.assertNotIn("plait-keeper", names)

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

    def stop_for_a_second(self, process, job):
        """Stops the run and goes on with it; how long at least it has stood still."""
        process.send_signal(signal.SIGTSTP)
        for pid in process.pid, job:
            plaittest.until(lambda pid=pid: plaittest.state_of(pid) == "T", "plait and its job are stopped")
        begin = time.monotonic()
        time.sleep(1)
        paused = time.monotonic() - begin
        process.send_signal(signal.SIGCONT)
        return paused

    def check_times_out_later(self, process, begin, allowed, paused):
        """Its last job, started after begin, has had all its time besides the pause, and the log knows of no pause."""
        run = self.end(process)
        took = time.monotonic() - begin
        self.assertEqual(run.code, 1, run)
        self.assertIn("timed out", run.err)
        self.assertGreaterEqual(took, allowed + paused)
        self.assertLessEqual(float(self.log()[-1]["JobRuntime"]), took - paused + 0.001)

    def test_the_time_in_which_all_is_stopped_counts_for_no_time_out(self):
        started, begin = self.fifo(), time.monotonic()
        process = self.start("--joblog", "log", "--timeout", "3", f"echo $$ >{started.path}; exec sleep {{}}", ":::",
                             "1000")
        paused = self.stop_for_a_second(process, int(started.line()))
        self.check_times_out_later(process, begin, 3, paused)

    def test_nor_for_one_that_others_set(self):
        started, go = self.fifo("started"), self.fifo("go")
        process = self.start("-j1", "--joblog", "log", "--timeout", "1000%",
                             f"echo $$ >{started.path}; case {{}} in wait) read x <{go.path} ;; *) exec sleep {{}} ;; "
                             "esac",
                             ":::", "0.3", "0.3", "wait", "1000")
        started.lines(3)
        time.sleep(0.3)
        begin = time.monotonic()
        go.send("\n")  # only now the last one is started
        paused = self.stop_for_a_second(process, int(started.line()))
        least = min(float(entry["JobRuntime"]) for entry in self.log())  # the median was that of two or of three
        self.check_times_out_later(process, begin, 10 * (least - 0.001), paused)

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
