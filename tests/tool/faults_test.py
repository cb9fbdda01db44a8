"""What plait map does when jobs fail: retries, time-outs, --halt."""

import time

import plaittest


class Retries(plaittest.Case):
    def test_a_job_is_started_as_often_as_said_until_it_succeeds(self):
        run = self.plait("--retries", "5", "echo x >>ran; echo {}; [ $(wc -l <ran) -ge 3 ]", ":::", "try")
        self.assertEqual((run.code, run.err), (0, ""), run)
        self.assertEqual(self.read("ran"), "x\n" * 3)
        self.assertEqual(run.lines, ["try"])

    def test_the_last_failure_is_the_one_that_is_told(self):
        run = self.plait("--retries", "3", "echo x >>ran; echo out; echo err >&2; exit {}", ":::", "7")
        self.assertEqual((run.code, run.out), (1, "out\n"))
        self.assertEqual(self.read("ran"), "x\n" * 3)
        self.assertIn("failed after 3 attempts: exit 7", run.err)
        self.assertEqual(run.err.count("err\n"), 1)

    def test_retry_on_names_the_statuses_that_are_worth_it(self):
        run = self.plait("-k", "--retries", "3", "--retry-on", "75,100-110", "echo x >>ran{}; exit {}", ":::", "75",
                         "105", "111", "1")
        self.assertEqual(run.code, 1)
        tries = {status: len(self.read(f"ran{status}").split()) for status in (75, 105, 111, 1)}
        self.assertEqual(tries, {75: 3, 105: 3, 111: 1, 1: 1})

    def test_backoff_doubles_the_pause(self):
        self.plait("--retries", "4", "--retry-backoff", "0.1..0.2", "date +%s.%N >>ran; exit {}", ":::", "1")
        times = list(map(float, self.read("ran").split()))
        pauses = [after - before for before, after in zip(times, times[1:])]
        for pause, least in zip(pauses, (0.1, 0.2, 0.2)):
            self.assertGreaterEqual(pause, least)

    def test_other_jobs_go_on_during_a_pause(self):
        self.plait("-j1", "--retries", "2", "--retry-backoff", "0.3..0.3", "echo {} >>ran; [ {} = b ]", ":::", "a", "b")
        self.assertEqual(self.read("ran").split(), ["a", "b", "a"])

    def test_a_time_out_is_a_failure_too(self):
        self.plait("--retries", "2", "--timeout", "0.1", "echo {} >>ran; exec sleep 100", ":::", "a")
        self.assertEqual(self.read("ran").split(), ["a", "a"])

    def test_nonsense_is_refused(self):
        for words in (["--retries", "x"], ["--retry-on", "300"], ["--retry-on", "a"], ["--retry-backoff", "2..1"],
                      ["--retries", "-1"]):
            self.refused(*words, "true", ":::", "a")


class Timeout(plaittest.Case):
    def test_a_job_that_is_too_slow_is_ended(self):
        run = self.plait("--timeout", "0.2", "sleep", ":::", "100", "0")
        self.assertEqual(run.code, 1)
        self.assertIn("timed out after", run.err)

    def test_one_that_ignores_it_is_killed_later(self):
        begin = time.monotonic()
        run = self.plait("--timeout", "0.1", "--kill-after", "0.3",
                         "trap '' TERM; : {}; while :; do sleep 0.05; done", ":::", "a")
        self.assertEqual(run.code, 1, run)
        self.assertGreaterEqual(time.monotonic() - begin, 0.4)
        self.nothing_left()

    def test_a_job_may_use_the_time_to_clean_up(self):
        run = self.plait("--timeout", "0.2", "trap 'echo cleaned; exit 0' TERM; : {}; sleep 100 & wait", ":::", "a")
        self.assertEqual((run.code, run.out), (1, "cleaned\n"), run)

    def test_everything_that_it_started_ends_too(self):
        fifo = self.fifo()
        self.script("job", f"""
            sleep 1001 &
            setsid sleep 1002 &
            (setsid sh -c 'sleep 1003 & sleep 1004 & wait' &)
            setsid --fork sh -c 'trap "" TERM; echo >{fifo.path}; while :; do sleep 1; done'
            wait
        """)
        process = self.start("--timeout", "1", "--kill-after", "0.3", "./job", ":::", "a")
        fifo.line()
        self.assertGreaterEqual(len(self.marked()), 6)
        run = self.end(process)
        self.assertEqual(run.code, 1, run)
        self.nothing_left()

    def test_the_others_are_left_in_peace(self):
        run = self.plait("-j2", "-k", "--timeout", "0.5", "sleep {}; echo {}", ":::", "100", "0.1", "0.2")
        self.assertEqual(run.lines, ["0.1", "0.2"])

    def test_percent_of_the_median(self):
        run = self.plait("-j1", "--timeout", "1000%", "sleep {}", ":::", "0.05", "0.05", "0.05", "100")
        self.assertEqual(run.code, 1)
        self.assertIn("job 4 failed: timed out", run.err)

    def test_nonsense_is_refused(self):
        for value in ("x", "-1", "1x", "1m30", ""):
            self.refused("--timeout", value, "true", ":::", "a")


class Halt(plaittest.Case):
    """Jobs one after the other, each of which fails when its input is f."""

    def halted(self, when, inputs, jobs=1, code=None, ran=None):
        open(self.dir / "ran", "w").close()
        run = self.plait(f"-j{jobs}", "--halt", when, "echo {} >>ran; [ {} != f ]", ":::", *inputs)
        self.assertEqual(run.code, code, run)
        self.assertEqual(len(self.read("ran").split()), ran, run)
        return run

    def test_fail(self):
        for when in "now", "soon":
            self.halted(f"{when},fail=1", "sfsss", code=5, ran=2)
            self.halted(f"{when},fail=2", "sfsfs", code=5, ran=4)
            self.halted(f"{when},fail=3", "sfsfs", code=1, ran=5)
            self.halted(f"{when},fail=60%", "sfffssssss"[:5], code=5, ran=4)

    def test_success(self):
        for when in "now", "soon":
            self.halted(f"{when},success=1", "ffsff", code=0, ran=3)
            self.halted(f"{when},success=2", "sfsff", code=0, ran=3)
            self.halted(f"{when},success=5", "sfsff", code=1, ran=5)

    def test_done(self):
        for when in "now", "soon":
            self.halted(f"{when},done=2", "sssss", code=0, ran=2)
            self.halted(f"{when},done=2", "fssss", code=1, ran=2)
            self.halted(f"{when},done=40%", "sssss", code=0, ran=2)

    def test_short_forms(self):
        self.halted("0", "fff", code=1, ran=3)
        self.halted("never", "fff", code=1, ran=3)
        self.halted("1", "fff", code=5, ran=1)
        self.halted("2", "fff", code=5, ran=1)
        self.halted("-1", "fsf", code=0, ran=2)

    def test_soon_lets_running_jobs_end(self):
        fifo = self.fifo()
        process = self.start("-j2", "--halt", "soon,fail=1",
                             f"case {{}} in a) read x <{fifo.path}; echo ended ;; *) exit 1 ;; esac",
                             ":::", "a", "b", "c")
        self.assertIn(b"job 2 failed", process.stderr.readline())
        fifo.send("go\n")
        run = self.end(process)
        self.assertEqual((run.code, run.out, run.err), (5, "ended\n", ""), run)

    def test_now_ends_running_jobs(self):
        run = self.plait("-j2", "--halt", "now,fail=1", "case {} in a) exec sleep 1000 ;; *) exit 1 ;; esac", ":::",
                         "a", "b", "c")
        self.assertEqual(run.code, 5, run)
        self.nothing_left()

    def test_now_kills_after_the_grace(self):
        fifo = self.fifo()
        run = self.plait("-j2", "--halt", "now,done=1", "--kill-after", "0.2",
                         f"case {{}} in a) trap '' TERM; echo >{fifo.path}; while :; do sleep 0.05; done ;; "
                         f"*) read x <{fifo.path} ;; esac",
                         ":::", "a", "b", "c")
        self.assertEqual(run.code, 0, run)
        self.nothing_left()

    def test_nonsense_is_refused(self):
        for value in ("x", "now", "soon,fail", "now,fail=x", "now,fail=0%", "later,fail=1"):
            self.refused("--halt", value, "true", ":::", "a")


if __name__ == "__main__":
    plaittest.main()
