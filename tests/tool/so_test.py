"""plait map --so: C functions of a shared object, in processes and threads."""

import json
import os
import pathlib
import pty
import select
import shlex
import signal
import subprocess
import tempfile

import plaittest

SOURCE = pathlib.Path(__file__).with_name("so_plugin.c")
CC = shlex.split(os.environ.get("CC", "cc"))
BUILD = pathlib.Path(os.environ.get("PLAIT_BUILD") or plaittest.ROOT / "build")
KINDS = ("process", "thread", "coroutine")


def compile_it(target, *options):
    subprocess.run([*CC, "-D_GNU_SOURCE", "-I", plaittest.ROOT / "include", "-o", target, *options], check=True)


class Functions(plaittest.Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="plait-so-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.library = cls.folder.name + "/plugin.so"
        compile_it(cls.library, "-shared", "-fPIC", SOURCE)

    def so(self, function):
        return f"--so={self.library}:{function}"

    def both(self, *words, says=""):
        """In both kinds, with the same outcome, which is returned once."""
        runs = [self.plait("--as", kind, *words) for kind in KINDS]
        self.assertEqual(runs[0].code, runs[1].code, runs)
        self.assertEqual(sorted(runs[0].lines), sorted(runs[1].lines), runs)
        for run in runs:
            self.assertIn(says, run.err)
        return runs[0]

    def fifo_run(self, function, *options, jobs=2):
        """A run whose jobs are in their functions now."""
        fifo = self.fifo(function)
        process = self.start(f"-j{jobs}", *options, self.so(function), ":::", *[fifo.path] * (jobs + 1))
        fifo.lines(jobs)
        return process

    # what is seen of it

    def test_the_bar_tells_how_far_the_running_functions_are(self):
        for kind in ("process", "thread"):
            ours, its = pty.openpty()
            self.addCleanup(os.close, ours)
            path = self.dir / kind
            process = self.start("--bar", "-j2", "--as", kind, self.so("half"), ":::", path, path, stderr=its,
                                 env={"TERM": "xterm"})
            os.close(its)
            seen = b""
            while b"running (50%)" not in seen:
                self.assertTrue(select.select([ours], [], [], plaittest.LIMIT)[0], seen)
                seen += os.read(ours, 65536)
            path.write_text("")
            try:
                while os.read(ours, 65536):
                    pass
            except OSError:  # the other end is closed
                pass
            self.assertEqual(self.end(process).code, 0)

    # what a function gets and gives

    def test_each_input_is_a_call_and_what_it_writes_is_the_output(self):
        for kind in KINDS:
            run = self.ok("-k", "--as", kind, self.so("shout"), ":::", *range(200), "a b", "")
            self.assertEqual(run.lines, [*map(str, range(200)), "A B", ""])

    def test_a_function_runs_in_processes_by_default(self):
        run = self.ok("-j2", self.so("pid"), ":::", *range(20))
        self.assertIn(len(set(run.lines)), (1, 2))
        threads = self.ok("-j2", "--as=thread", self.so("pid"), ":::", *range(20))
        self.assertEqual(len(set(threads.lines)), 1)

    def test_several_values_have_a_nul_between_them(self):
        self.assertEqual(self.both("-k", "-n2", self.so("bytes"), ":::", "a", "bc", "d").lines, ["4:a.bc.", "1:d."])
        self.assertEqual(self.both("-k", self.so("bytes"), "x{}", "{.}", ":::", "a.b").lines, ["6:xa.b.a."])
        self.assertEqual(self.both("-n0", self.so("bytes"), ":::", "a").lines, ["0:."])

    def test_a_function_like_main_gets_words_and_its_result_is_the_exit_status(self):
        for kind in KINDS:
            alone = ("-j1",) if kind == "thread" else ()  # threads share standard output, word by word
            run = self.plait("-k", *alone, "--as", kind, "--argv", "--joblog", kind, self.so("words"), "{}", "a {.}",
                             ":::", "0.x", "3.y")
            self.assertEqual(run.code, 1, run)
            self.assertEqual(sorted(run.lines), ["<words><0.x><a 0>", "<words><3.y><a 3>"])
            self.assertEqual(sorted(row["Exitval"] for row in self.log(kind)), ["0", "3"])
            self.assertIn("job 2 failed: exit 3: ", run.err)

    def test_what_processes_print_is_collected(self):
        run = self.ok("-j3", "--argv", "--tag", self.so("slowly"), ":::", "a", "b", "c")
        self.assertEqual(sorted(run.lines), sorted(f"{x}\t{x} line" for x in "abc" for _ in range(20)))
        blocks = ["".join(line[0] for line in run.lines)[i:i + 20] for i in (0, 20, 40)]
        self.assertEqual(sorted(blocks), ["a" * 20, "b" * 20, "c" * 20])

    def test_what_processes_print_is_not_collected_with_u(self):
        self.assertEqual(self.ok("-u", "-j1", "--argv", self.so("words"), ":::", "0").lines, ["<words><0>"])

    def test_standard_error_is_plaits_own(self):
        for kind in KINDS:
            run = self.plait("--as", kind, self.so("complain"), ":::", "a")
            self.assertEqual((run.code, run.out, run.err), (0, "", "a\n"))

    def test_standard_input_of_a_process_is_empty(self):
        self.assertEqual(self.ok(self.so("reads"), ":::", "a", text="for somebody else").lines, ["0"])

    def test_folder_and_niceness(self):
        (self.dir / "below").mkdir()
        self.assertEqual(self.ok("--wd", "below", "--nice=7", self.so("place"), ":::", "a").lines, ["below 7"])

    def test_much_output(self):
        for kind in KINDS:
            run = self.ok("--as", kind, self.so("much"), ":::", "50000", "0", "1")
            self.assertEqual(len(run.raw), 64 * 50001)

    def test_dry_run_calls_nothing(self):
        run = self.ok("--dry-run", self.so("crash"), "{}", "x y", ":::", "bad")
        self.assertEqual(run.lines, [f"{self.library}:crash bad 'x y'"])

    def test_results_are_kept_in_files(self):
        self.ok("--results", "out", self.so("shout"), ":::", "a")
        self.assertEqual(self.read("out/1/a/stdout"), "A\n")

    def test_the_function_of_the_documentation(self):
        page = (plaittest.ROOT / "docs/from-parallel-and-xargs.md").read_text()
        source = self.file("rev.c", page.split("```c\n", 1)[1].split("```", 1)[0])
        compile_it(self.dir / "librev.so", "-shared", "-fPIC", source)
        self.assertEqual(self.ok("--so", "./librev.so:rev", ":::", "plait").lines, ["tialp"])

    # one library

    def test_a_plugin_finds_the_libplait_of_the_tool(self):
        linked = str(self.dir / "linked.so")
        if not (BUILD / "libplait.so").exists():
            subprocess.run(["cmake", "--build", BUILD, "--target", "plait-shared"], check=True, capture_output=True)
        compile_it(linked, "-shared", "-fPIC", SOURCE, "-L", BUILD, "-lplait")
        # musl's linker looks for libplait although the tool has its name
        for library in [self.library] if "musl" in CC[0] else [self.library, linked]:
            for kind in KINDS:
                run = self.ok("--as", kind, f"--so={library}:where", ":::", "a", env={"LD_LIBRARY_PATH": str(BUILD)})
                self.assertTrue(os.path.samefile(self.dir / run.out, plaittest.PLAIT), run)

    # faults

    def test_why_a_function_failed_is_said(self):
        run = self.both(self.so("fail"), ":::", "no such colour", says="job 1 failed: no such colour: ")
        self.assertEqual((run.code, run.out), (1, ""))

    def test_a_negative_result_is_an_exit_status(self):
        for kind in KINDS:
            run = self.plait("--as", kind, "--joblog", kind, self.so("negative"), ":::", "0", "7", "300")
            self.assertEqual(run.code, 1)
            self.assertEqual(sorted(row["Exitval"] for row in self.log(kind)), ["0", "255", "7"])

    def test_a_crash_is_one_failed_job(self):
        run = self.plait("-j2", "--joblog", "log", self.so("crash"), ":::", *range(50), "bad", *range(50, 100))
        self.assertEqual(run.code, 1)
        self.assertEqual(sorted(map(int, run.lines)), list(range(100)))
        self.assertIn("job 51 failed: killed by SIGSEGV", run.err)
        self.assertEqual([row["Seq"] for row in self.log() if row["Signal"] == "11"], ["51"])
        self.assertEqual(len(self.log()), 101)

    def test_who_ends_its_process_is_told_of(self):
        run = self.plait(self.so("leave"), ":::", "4")
        self.assertIn("job 1 failed: it ended its process: exit 4", run.err)
        self.assertEqual(self.plait("--argv", "--exit=count", self.so("quits"), ":::", "0", "1").code, 2)

    def test_a_process_is_killed_when_its_time_is_over(self):
        fifo = self.fifo()
        run = self.plait("-k", "--timeout=0.3", "--joblog", "log", self.so("hang"), ":::", "a", fifo.path, "b")
        self.assertEqual((run.code, run.lines), (1, ["A", "B"]), run)
        self.assertIn("job 2 failed: timed out after ", run.err)
        self.assertEqual([(row["Exitval"], row["Signal"]) for row in self.log() if row["Seq"] == "2"], [("-1", "15")])

    def test_who_looks_is_told_that_its_time_is_over(self):
        fifo = self.fifo()
        for options in (["--as=thread"], ["--kill-after=60"]):
            run = self.plait("--timeout=0.2", *options, self.so("told"), ":::", fifo.path)
            self.assertEqual(run.code, 1, run)
            self.assertRegex(run.err, "job 1 failed: (asked to end|timed out after )")

    def test_retries(self):
        for kind in KINDS:
            run = self.ok("--as", kind, "--retries=2", self.so("twice"), ":::", self.dir / kind)
            self.assertEqual(run.lines, ["TWICE"])
        run = self.plait("--retries=3", self.so("crash"), ":::", "bad", "good")
        self.assertEqual((run.code, run.lines), (1, ["GOOD"]))
        self.assertIn("job 1 failed after 3 attempts: killed by SIGSEGV", run.err)

    def test_halt(self):
        for kind in KINDS:
            run = self.plait("-j1", "-k", "--as", kind, "--halt=now,fail=1", self.so("one_bad"), ":::", "a", "bad", "b")
            self.assertEqual((run.code, run.lines), (5, ["A"]), run)

    # records

    def test_resume_runs_what_is_not_in_the_log(self):
        options = ["-k", "--joblog", "log", self.so("one_bad"), ":::", "a", "bad"]
        self.plait(*options)
        self.assertEqual(self.ok("--resume", *options, "c").lines, ["C"])
        self.assertEqual(self.plait("--resume-failed", *options, "c", "d").lines, ["D"])
        self.assertEqual([row["Seq"] for row in self.log()], ["1", "2", "3", "2", "4"])

    def test_json(self):
        run = self.plait("-k", "--json", self.so("one_bad"), ":::", "a", "bad")
        if "without JSON" in run.err:
            self.skipTest("this plait was built without JSON")
        good, bad = map(json.loads, run.lines)
        self.assertEqual((good["stdout"], good["exit"], good["values"]), ("A\n", 0, ["a"]))
        self.assertEqual((bad["exit"], bad["signal"]), (1, None))
        run = self.plait("--json", self.so("fail"), ":::", "why")
        self.assertEqual(json.loads(run.out)["message"], "why")

    # the end

    def test_ctrl_c_ends_everything(self):
        for options in (["--kill-after=0.1"], []):
            process = self.fifo_run("hang", "--joblog", "log", *options)
            process.send_signal(signal.SIGINT)
            run = self.end(process)
            self.assertEqual(run.code, 130, run)
            self.assertIn("ending 2 running jobs", run.err)
            self.nothing_left()
            self.assertEqual(self.log(), [])
            os.remove(self.dir / "hang")

    def test_ctrl_c_asks_threads_and_the_second_one_leaves_them(self):
        process = self.fifo_run("told", "--as=thread")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(process).code, 143)
        process = self.fifo_run("hang", "--as=thread")
        process.send_signal(signal.SIGINT)
        self.assertIn("ending 2 running jobs", process.stderr.readline().decode())
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.end(process).code, 130)

    def test_when_plait_is_killed_nothing_is_left(self):
        process = self.fifo_run("hang")
        process.kill()
        self.nothing_left()

    # what is refused

    def test_a_wrong_library_or_function_is_said_before_anything_runs(self):
        self.file("text.so", "hello")
        self.file("short.so", "\x7fELF")
        other = bytearray(pathlib.Path(self.library).read_bytes())
        other[18] ^= 0x55  # the machine
        (self.dir / "other.so").write_bytes(other)
        compile_it(self.dir / "object.so", "-c", "-fPIC", SOURCE)
        program = "int main(void) { return 0; }"
        subprocess.run([*CC, "-x", "c", "-", "-o", self.dir / "program"], input=program, text=True, check=True)
        lost = "int nowhere(void); int lost(void) { return nowhere(); }"
        subprocess.run([*CC, "-shared", "-fPIC", "-x", "c", "-", "-o", self.dir / "lost.so"], input=lost, text=True,
                       check=True)
        for spec, code, says in (("nothing.so:f", 127, "'./nothing.so' is not there"),
                                 (f"{self.library}:nope", 127, "has no function 'nope'"),
                                 ("text.so:f", 126, "cc -shared -fPIC"),
                                 ("short.so:f", 126, "is not a shared object"),
                                 ("other.so:f", 126, "another kind of machine"),
                                 ("object.so:f", 126, "is an object file"),
                                 ("program:main", 127 if "musl" in CC[0] else 126, ""),
                                 ("lost.so:lost", 126, "nowhere"),
                                 (f"{self.dir}:f", 126, "is a folder"),
                                 ("plain.so", 2, "--so wants a library and a function"),
                                 ("plain.so:", 2, "--so wants a library and a function"),
                                 (":f", 2, "--so wants a library and a function")):
            with self.subTest(spec):
                self.refused("--so", spec, ":::", "a", code=code, says=says)

    def test_what_makes_no_sense_is_refused(self):
        for words, says in ((["--exec"], "--exec"), (["--shell"], "--shell"), (["-q"], "--quote"), (["-j0"], "-j 0"),
                            (["--line-buffer"], "--line-buffer"), (["-u"], "--ungroup"), (["-j1001"], "1000"),
                            (["--timeout=200%"], "--timeout"), (["--retry-failed", "--joblog=log"], "--resume-failed"),
                            (["--as=thread", "--wd=/"], "--wd"), (["--as=thread", "--nice=1"], "--nice"),
                            (["--as=thread", "--kill-after=1"], "--kill-after"), (["--as=coroutine", "--wd=/"], "--wd"),
                            (["--as=fiber"], "process, thread or coroutine")):
            with self.subTest(words):
                self.refused(*words, self.so("crash"), ":::", "bad", says=says)
        self.refused("--as=thread", "echo", ":::", "a", says="--as needs --so")
        self.refused("--argv", "echo", ":::", "a", says="--argv needs --so")


if __name__ == "__main__":
    plaittest.main()
