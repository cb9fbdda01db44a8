"""plait map beside GNU parallel and xargs: equal, except as docs/from-parallel-and-xargs.md says.

Each numbered item of that page has an entry of the same title here, and the other way round. GNU parallel is run where
it is installed (Debian's package `parallel`); what plait does is checked in any case.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import unittest

import plaittest

PAGE = plaittest.ROOT / "docs/from-parallel-and-xargs.md"
PARALLEL = shutil.which("parallel")
HAS_GNU = PARALLEL is not None and subprocess.run([PARALLEL, "--version"], capture_output=True, text=True,
                                                  stdin=subprocess.DEVNULL).stdout.startswith("GNU parallel")

PATHS = ["d.d/a.tar.gz", "plain", ".hid", "/x", "d/", ""]
NASTY = ["a b", "c'd", 'e"f', "$x", "`g`", "*", "a\\b", ";", "-n", "ä", "", "#", "a&b", "{}"]

# Command lines that mean the same: (words, standard input).
SAME = [
    (["echo", ":::", "a", "b c", ""], None),
    (["echo"], "a\nb c\n\nlast"),
    (["-r", "echo"], "a\n\nb\n"),
    (["-0", "echo"], "a b\0c\0"),
    (["-d", ",", "echo"], "a,b,c"),
    (["-d", "\\t", "echo"], "a\tb"),
    (["echo x{}"], "a\r\n"),
    (["-a", "-", "echo"], "a\nb\n"),
    (["echo", "::::", "-"], "a\nb\n"),
    (["-a", "/dev/null", "echo"], None),
    (["echo", ":::", "a", "b", ":::", "1", "2"], None),
    (["echo", "{2}-{1}", ":::", "a", "b", ":::", "1", "2"], None),
    (["echo", "{2.}", "{-1}", ":::", "a", ":::", "b.c"], None),
    (["echo", "{1}", "{2}", ":::", "a", "b", "c", ":::+", "1", "2"], None),
    (["echo", ":::", "a", "b", ":::+", "1", "2", ":::", "x", "y"], None),
    (["echo", "{}", "{.}", "{/}", "{//}", "{/.}", "{#}", ":::", *PATHS], None),
    (["echo {} {.} {/} {//} {/.} {#}", ":::", *PATHS], None),
    (["/bin/echo", ":::", *NASTY], None),
    (["echo {} | cat", ":::", *NASTY], None),
    (["printf '<%s>' x{}y", ":::", *NASTY], None),
    (["-q", "echo", "a  b", "$HOME", ":::", "c"], None),
    ([":::", "echo a", "echo $((1+1))", "exit 0"], None),
    (["-C", ",", "echo", "{2}-{1}"], "a,b\nc,d\n"),
    (["-C", "[,;]", "echo", "{3}{2}{1}"], "a,b;c\n"),
    (["-C", "\\t", "echo", "{2}{1}"], "a\tb\n"),
    (["-C", "\\d", "echo", "{2}{1}"], "a1b\n"),
    (["-C", ",", "echo '<{1}|{2}>'", ":::", "a,b", "c"], None),
    (["-C", ",", "--header", ":", "echo", "{y}{x}"], "x,y\n1,2\n3,4\n"),
    (["--header", ":", "echo", "{x}{y}", ":::", "x", "1", "2", ":::", "y", "a"], None),
    (["-n2", "echo", ":::", *"abcde"], None),
    (["-N2", "echo {2}-{1}", ":::", *"abc"], None),
    (["-n2", "printf '<%s>' {}", ":::", "a b", "c", "d"], None),
    (["-n0", "echo", "x", ":::", "a", "b"], None),
    (["-j1", "-X", "echo", "x{}y", ":::", *"abcd"], None),
    (["-j1", "-X", "-n2", "echo", ":::", *"abc"], None),
    (["-j2", "-X", "echo", ":::", *"abcd"], None),
    (["-j1", "-X", "-s", "12", "echo", ":::", "abc", "defg", "hi"], None),
    (["-I", "@@", "echo", "@@-@@", "{}", ":::", "a"], None),
    (["--tag", "echo", "{2}", ":::", "a", ":::", "b"], None),
    (["--tagstring", "{/}:{#}", "echo", ":::", "d/a"], None),
    (["--line-buffer", "--tag", "printf 'a\\nb%s\\n' {}", ":::", "x"], None),
    (["-u", "-j1", "echo", ":::", "a", "b"], None),
    (["-t", "echo", ":::", "a b"], None),
    (["--dry-run", "echo", "{}", ":::", "a"], None),
    (["-j0", "echo", ":::", "a"], None),
    (["-j200%", "echo", ":::", "a"], None),
    (["-j+1", "echo", ":::", "a"], None),
    (["--retries", "3", "echo {}; false", ":::", "a"], None),
    (["--nice", "15", "-n0", "nice", ":::", "a"], None),
    (["--wd", "/tmp", "-n0", "pwd", ":::", "a"], None),
    (["--delay", "0.01", "--load", "1000", "--memfree", "1k", "echo", ":::", "a"], None),
    (["--timeout", "10", "echo", ":::", "a"], None),
    (["--halt", "never", "echo {}; exit {}", ":::", "0", "1"], None),
    (["--halt", "soon,success=1", "-j1", "echo", ":::", "a", "b"], None),
]

BAD = 2  # what plait answers a line with that it refuses

# title of the item: (words, standard input, GNU parallel's status and output, plait's)
DIFFERENT = {
    "Several words are executed directly": (["echo", "$((1+1))", ":::", "a"], None, (0, "2 a\n"), (0, "$((1+1)) a\n")),
    "A value is data in quotes, too": (["printf '[%s]' \"{}\"", ":::", "$(echo evil)"], None, (0, "['evil']"),
                                       (0, "[$(echo evil)]")),
    "Here-documents take no values": (["cat <<E\n{}\nE", ":::", "a"], None, (0, "a\n"), (BAD, "")),
    "Arithmetic takes numbers only": (["echo $(({}+1))", ":::", "x"], None, (0, "1\n"), (BAD, "")),
    "A brace behind a dollar belongs to the shell": (["x=1; : {}; echo ${#}", ":::", "a"], None, (0, None), (0, "0\n")),
    "There are no Perl expressions": (["echo", "{= $_=uc =}", ":::", "a"], None, (0, "A\n"), (0, "{= $_=uc =} a\n")),
    "There are two replacement strings more": (["echo", "{:}", "{^.c}", ":::", "a.b.c"], None,
                                               (0, "{:} {^.c} a.b.c\n"), (0, "a a.b\n")),
    "Several values inside a word are refused": (["-n2", "echo", "x{}y", ":::", "a", "b"], None, (0, "xa by\n"),
                                                 (BAD, "")),
    "A number that no input has is refused": (["echo", "{3}", ":::", "a"], None, (0, "\n"), (BAD, "")),
    "A missing program stops the run before it begins": (["no-such-program", ":::", "a", "b"], None, (2, ""),
                                                         (127, "")),
    "An empty source makes no job": (["echo", ":::", "a", ":::"], None, (0, "a \n"), (0, "")),
    "Values behind ::: are never cut by -d": (["-d", ";", "echo", ":::", "a;b"], None, (0, "a\nb\n"), (0, "a;b\n")),
    "-d takes one character": (["-d", "XY", "echo"], "aXYb", (0, "a\nb\n"), (BAD, "")),
    "--colsep is a POSIX expression": (["-C", "(?<=1)", "echo", "{2}{1}"], "ab1cd\n", (0, "cdab1\n"), (BAD, "")),
    "A NUL byte in a line is an error": (["printf %s {}"], "a\0b\n", (0, "a\\0b"), (BAD, "")),
    "Standard input is read once": (["echo", "::::", "-", "-"], "a\n", (0, "a \n"), (BAD, "")),
    "--results prints as well": (["--results", "out", "echo", ":::", "a"], None, (0, ""), (0, "a\n")),
    "The exit status says whether, not how many": (["exit {}", ":::", "0", "7", "9"], None, (2, ""), (1, "")),
    "--halt has an exit status of its own": (["-j1", "--halt", "now,fail=1", "exit {}", ":::", "7", "0"], None,
                                             (7, ""), (5, "")),
}


class Beside(plaittest.Case):
    def setUp(self):
        super().setUp()
        self.env |= {"SHELL": "/bin/sh", "PARALLEL_SHELL": "/bin/sh"}

    def gnu(self, *words, text=None, **more):
        more |= {} if text is None else {"stdin": subprocess.PIPE}
        run = self.start("--will-cite", *words, program=PARALLEL, verb=(), **more)
        return self.end(run, text)

    def kill_left(self):
        left = self.marked()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.nothing_left()
        return len(left)

    def compare(self, words, text, gnu, ours):
        if HAS_GNU:
            run = self.gnu("-k", *words, text=text)
            self.assertEqual(run.code, gnu[0], run)
            if gnu[1] is not None:
                self.assertEqual(run.out, gnu[1], run)
        run = self.plait("-k", *words, text=text)
        self.assertEqual((run.code, run.out), ours, run)


class Same(Beside):
    @unittest.skipUnless(HAS_GNU, "GNU parallel is not installed")
    def test_what_means_the_same(self):
        for words, text in SAME:
            with self.subTest(words=words):
                theirs, ours = self.gnu("-k", *words, text=text), self.plait("-k", *words, text=text)
                self.assertEqual((ours.code, ours.raw), (theirs.code, theirs.raw), (ours, theirs))

    @unittest.skipUnless(HAS_GNU, "GNU parallel is not installed")
    def test_exit_count_gives_gnu_parallels_statuses(self):
        for words in (["exit {}", ":::", "0", "7", "9"], ["--halt", "now,fail=1", "-j1", "exit {}", ":::", "0", "7"],
                      ["-n0", "false", ":::", *["x"] * 105], ["exit {}", ":::", "0"]):
            self.assertEqual(self.plait("--exit=count", *words).code, self.gnu(*words).code, words)

    @unittest.skipUnless(HAS_GNU, "GNU parallel is not installed")
    def test_each_goes_on_with_the_job_log_of_the_other(self):
        words = ["-j1", "echo {} >>ran; exit {}", ":::", "0", "1", "0"]
        self.gnu("--joblog", "log", *words)
        self.plait("--joblog", "log", "--resume-failed", *words)
        self.assertEqual(self.read("ran").split(), ["0", "1", "0", "1"])
        self.plait("--joblog", "log2", *words)
        self.gnu("--joblog", "log2", "--resume-failed", *words)
        self.assertEqual(self.read("ran").split()[4:], ["0", "1", "0", "1"])


class Different(Beside):
    def test_the_lines_of_the_table(self):
        for title, line in DIFFERENT.items():
            with self.subTest(title):
                self.compare(*line)

    def test_item_signs_of_the_shell_between_words_are_passed_on(self):
        """Signs of the shell between words are passed on"""
        if HAS_GNU:
            self.assertEqual(self.gnu("echo", "{}", ">", "out", ":::", "a").out, "")
            self.assertEqual(self.read("out"), "a\n")
        run = self.plait("echo", "{}", ">", "out", ":::", "a")
        self.assertEqual((run.code, run.out), (0, "a > out\n"))
        self.assertIn("plait map 'echo {} > out'", run.err)

    def test_item_the_shell(self):
        """The shell is chosen by other names"""
        shell = self.script("shell", "echo mine")
        if HAS_GNU:
            self.assertEqual(self.gnu("echo a; :", ":::", "x", env={"PARALLEL_SHELL": shell}).out, "mine\n")
        self.assertEqual(self.ok("echo a; :", ":::", "x", env={"PARALLEL_SHELL": shell}).out, "a\n")
        self.assertEqual(self.ok("echo a; :", ":::", "x", env={"PLAIT_SHELL": shell}).out, "mine\n")

    def test_item_no_configuration(self):
        """There are no profiles and no PARALLEL variable"""
        if HAS_GNU:
            self.assertEqual(self.gnu("echo", ":::", "a", env={"PARALLEL": "--tag"}).out, "a\ta\n")
        self.assertEqual(self.ok("echo", ":::", "a", env={"PARALLEL": "--tag"}).out, "a\n")

    def test_item_variables(self):
        """Jobs get PLAIT_SEQ and PLAIT_SLOT"""
        command = ["echo $PARALLEL_SEQ-$PLAIT_SEQ; : {}", ":::", "a"]
        if HAS_GNU:
            self.assertEqual(self.gnu(*command).out, "1-\n")
        self.assertEqual(self.ok(*command).out, "-1\n")

    def test_item_options_left_out(self):
        """Some options do not exist"""
        for option in ("-m", "-L1", "--pipe", "-Shost", "--link", "--shuf", "--onall", "--env", "--tmpdir", "--files"):
            run = self.refused(option, "echo", ":::", "a")
            self.assertIn("there is no option", run.err, option)

    def test_item_standard_input(self):
        """The standard input of all jobs is /dev/null"""
        words = ["-j1", "readlink /proc/self/fd/0; : {}", ":::", "a"]
        if HAS_GNU:
            self.assertNotEqual(self.gnu(*words, text="x").out, "/dev/null\n")
        self.assertEqual(self.ok(*words, text="x").out, "/dev/null\n")

    def test_item_results_of_dots(self):
        """--results escapes . and .., and shortens long values"""
        if HAS_GNU:
            self.gnu("-j1", "--results", "gnu", "true", ":::", "a", ".")
            self.assertTrue((self.dir / "gnu/1/stdout").exists())
        self.ok("--results", "ours", "true", ":::", ".", "x" * 300)
        self.assertTrue((self.dir / "ours/1/\\./stdout").exists())
        self.assertEqual(len(list((self.dir / "ours/1").iterdir())), 2)

    def test_item_failures_are_told(self):
        """Failed jobs are told of"""
        if HAS_GNU:
            self.assertEqual(self.gnu("false", ":::", "a").err, "")
        self.assertEqual(self.plait("false", ":::", "a").err, "plait map: job 1 failed: exit 1: false a\n")
        self.assertEqual(self.plait("--quiet", "false", ":::", "a").err, "")

    def test_item_log_lines(self):
        """A command in the job log is one line that gives the words back"""
        self.ok("-0", "--joblog", "log", "printf", "%s", text="a\nb\0")
        self.assertEqual(self.log()[0]["Command"], "printf %s $'a\\nb'")
        self.file("log", self.read("log").replace("\t0\t0\tprintf", "\t1\t0\tprintf"))
        self.assertEqual(self.ok("--joblog", "log", "--retry-failed").raw, b"a\nb")
        if HAS_GNU:
            self.gnu("-0", "--joblog", "gnu", "printf", "%s", text="a\nb\0")
            self.assertEqual(self.log("gnu")[0]["Command"], "printf %s 'a\0b'")

    def test_item_changed_input(self):
        """--resume says when the input has changed"""
        self.ok("--joblog", "log", "true", ":::", "a")
        if HAS_GNU:
            self.assertEqual(self.gnu("--joblog", "log", "--resume", "true", ":::", "b").err, "")
        self.assertIn("the input has changed", self.plait("--joblog", "log", "--resume", "true", ":::", "b").err)

    def test_item_time_out(self):
        """A time-out reaches everything that the job started"""
        command = ["--timeout", "1", "setsid sleep 1000; : {}", ":::", "a"]
        if HAS_GNU:
            self.gnu(*command)
            self.assertEqual(self.kill_left(), 1)
        self.assertEqual(self.plait(*command).code, 1)
        self.nothing_left()

    def test_item_signals(self):
        """Signals have their own exit status"""
        theirs, ours = (PARALLEL, ("--will-cite",), (255, 255)), (plaittest.PLAIT, ("map",), (143, 130))
        for program, verb, codes in (theirs, ours) if HAS_GNU else (ours,):
            for number, code in zip((signal.SIGTERM, signal.SIGINT), codes):
                fifo = self.fifo(f"{verb[0]}{number}")
                process = self.start(f"echo >{fifo.path}; exec sleep 1000; : {{}}", ":::", "a", program=program,
                                     verb=verb)
                fifo.line()
                process.send_signal(number)
                self.assertEqual(self.end(process).code, code)
                self.kill_left() if program == PARALLEL else self.nothing_left()

    def test_item_memfree(self):
        """--memfree ends no job"""
        # The real shortage cannot be made in a test: what runs when memory is short goes on, as nothing looks at it.
        process = self.start("--memfree", "1000T", "echo", ":::", "a")
        self.assertEqual(select.select([process.stdout], [], [], 0.3)[0], [])
        process.terminate()
        self.assertEqual(self.end(process).code, 143)


XARGS = {
    "xargs: an input is a line": (["echo"], "a b 'c d'\n", (0, "a b c d\n"), (0, "a b 'c d'\n")),
    "xargs: a job takes one input": (["echo"], "a\nb\n", (0, "a b\n"), (0, "a\nb\n")),
    "xargs: no input is no job": (["echo", "x"], "", (0, "x\n"), (0, "")),
    "xargs: a failed job is 1": (["false"], "a\n", (123, ""), (1, "")),
    "xargs: nothing is special about 255": (["-n1", "sh", "-c", "echo $0; exit 255"], "a\nb\n", (124, "a\n"),
                                            (1, "a\nb\n")),
}


class Xargs(Beside):
    def test_what_means_the_same(self):
        for words, text in ((["-n1", "echo"], "a\nb\n"), (["-0", "-n1", "echo"], "a b\0c\0"),
                            (["-I{}", "echo", "x{}", "{}"], "a b\nc\n"),
                            (["-n", "2", "echo"], "a\nb\nc\n"), (["-r", "echo"], ""),
                            (["-a", "/dev/null", "-r", "echo"], None),
                            (["-d", ",", "-n1", "echo"], "a,b"), (["-P", "1", "-n1", "echo"], "a\nb\n"),
                            (["no-such-program"], "a\n")):
            with self.subTest(words=words):
                theirs = self.end(self.start(*words, program="xargs", verb=(),
                                             **({"stdin": subprocess.PIPE} if text is not None else {})), text)
                ours = self.plait("-k", *words, text=text)
                self.assertEqual((ours.code, ours.raw), (theirs.code, theirs.raw), (ours, theirs))

    def test_what_differs(self):
        for title, (words, text, theirs, ours) in XARGS.items():
            with self.subTest(title):
                run = self.end(self.start(*words, program="xargs", verb=(), stdin=subprocess.PIPE), text)
                self.assertEqual((run.code, run.out), theirs, run)
                run = self.plait("-k", "-j1", *words, text=text)
                self.assertEqual((run.code, run.out), ours, run)


class Page(unittest.TestCase):
    def test_each_item_has_a_test_and_each_test_an_item(self):
        items = re.findall(r"(?m)^\d+\. \*\*(.+?)\.\*\*", PAGE.read_text(encoding="utf-8").replace("`", ""))
        tested = [*DIFFERENT,
                  *(method.__doc__ for name, method in vars(Different).items() if name.startswith("test_item_")),
                  *XARGS]
        self.assertEqual(sorted(items), sorted(tested))


if __name__ == "__main__":
    plaittest.main()
