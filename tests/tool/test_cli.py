"""The command line itself: verbs, help, version, what a wrong line is answered with, completions, man pages.

The tool is $PLAIT_BIN, else $PLAIT, else build/plait.
"""

import os
import pathlib
import pty
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("PLAIT_SOURCE") or pathlib.Path(__file__).resolve().parents[2])
PLAIT = os.environ.get("PLAIT_BIN") or os.environ.get("PLAIT") or str(ROOT / "build/plait")
VERBS = ("map", "info", "completion", "help")


def plait(*words, **env):
    clean = {name: value for name, value in os.environ.items()
             if name not in ("COLUMNS", "NO_COLOR", "PLAIT_JOBS")}
    return subprocess.run([PLAIT, *words], env={**clean, **env}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30)


def on_terminal(*words, **env):
    """What the tool writes when its output is a terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen([PLAIT, *words], env={**os.environ, "TERM": "xterm", **env},
                               stdin=subprocess.DEVNULL, stdout=its, stderr=its)
    os.close(its)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    process.wait(timeout=30)
    return seen.decode()


class Verbs(unittest.TestCase):
    def test_alone_it_shows_its_use_on_stderr_and_fails(self):
        run = plait()
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("Usage: plait VERB", run.stderr)
        for verb in VERBS:
            self.assertRegex(run.stderr, rf"(?m)^  {verb} ")

    def test_an_unknown_verb_gets_a_guess(self):
        run = plait("mpa")
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertEqual(run.stderr, "plait: there is no verb 'mpa'; did you mean 'map'?\nTry 'plait -h'.\n")

    def test_an_unknown_verb_without_a_guess_gets_the_list(self):
        run = plait("frobnicate")
        self.assertEqual(run.returncode, 2)
        self.assertIn("there are map, info, completion and help", run.stderr)

    def test_options_before_the_verb_are_the_tools_own(self):
        run = plait("--verison")
        self.assertEqual(run.returncode, 2)
        self.assertIn("did you mean '--version'?", run.stderr)
        run = plait("-j4", "map", "echo")
        self.assertEqual(run.returncode, 2)
        self.assertIn("plait map -j N", run.stderr)

    def test_control_characters_in_words_do_not_reach_the_terminal(self):
        for words in (["\x1b[2J"], ["map", "--\x1b[2J"], ["map", "-j", "\x1b[2J"], ["help", "\x1b[2J"]):
            run = plait(*words)
            self.assertEqual(run.returncode, 2)
            self.assertNotIn("\x1b", run.stderr)


class Version(unittest.TestCase):
    def test_it_is_the_one_of_the_build(self):
        wanted = re.search(r"project\(plait\s+VERSION\s+(\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
        for words in (["--version"], ["map", "--version"]):
            run = plait(*words)
            self.assertEqual((run.returncode, run.stdout, run.stderr), (0, f"plait {wanted}\n", ""))


class Help(unittest.TestCase):
    def test_short_help_is_one_screen_with_three_examples_first(self):
        run = plait("map", "-h")
        lines = run.stdout.splitlines()
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertLess(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)
        usage = next(i for i, line in enumerate(lines) if line.startswith("Usage: "))
        self.assertEqual(sum(re.match(r"  \S.*plait map|  plait map", line) is not None for line in lines[:usage]), 3)

    def test_every_verb_has_both_helps(self):
        for verb in VERBS:
            for words in ([verb, "-h"], [verb, "--help"], ["help", verb]):
                run = plait(*words)
                self.assertEqual((run.returncode, run.stderr), (0, ""), words)
                self.assertIn(f"Usage: plait {verb}", run.stdout)

    def test_help_of_a_verb_is_its_long_help(self):
        self.assertEqual(plait("help", "map").stdout, plait("map", "--help").stdout)
        self.assertEqual(plait("help").stdout, plait("--help").stdout)

    def test_long_help_has_topics_and_sections(self):
        text = plait("map", "--help").stdout
        self.assertLess(text.index("\nExamples\n"), text.index("\nUsage: "))
        for title in ("Input", "Output", "How many at once", "When jobs fail", "REPLACEMENT STRINGS", "EXIT STATUS",
                      "ENVIRONMENT"):
            self.assertIn(f"\n{title}\n", text)
        for option in ("-j, -P, --jobs, --max-procs N", "--bar[=WHEN]", "-X\n", "--joblog FILE", "-0, --null"):
            self.assertIn(f"\n  {option}", text)

    def test_text_is_wrapped_at_columns_and_never_wider_than_a_hundred(self):
        def widest(**env):  # examples and usage are lines to be copied: not wrapped
            body = plait("map", "--help", **env).stdout.split("\n\n", 3)[-1]
            return max(map(len, body.splitlines()))

        self.assertLessEqual(widest(COLUMNS="60"), 60)
        self.assertLessEqual(widest(), 80)
        self.assertTrue(80 < widest(COLUMNS="500") <= 100)
        self.assertLessEqual(widest(COLUMNS="nonsense"), 80)

    def test_headings_are_coloured_on_a_terminal_only(self):
        self.assertNotIn("\033", plait("map", "--help", TERM="xterm").stdout)
        self.assertIn("\033[1m", on_terminal("map", "--help", NO_COLOR=""))
        self.assertNotIn("\033", on_terminal("map", "--help", NO_COLOR="1"))
        self.assertNotIn("\033", on_terminal("map", "--help", TERM="dumb", NO_COLOR=""))

    def test_color_decides(self):
        self.assertIn("\033[1m", plait("map", "--color=always", "--help").stdout)
        self.assertNotIn("\033", on_terminal("map", "--color=never", "--help", NO_COLOR=""))

    def test_a_closed_or_full_output_is_an_error(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            run = subprocess.run([PLAIT, "map", "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
        self.assertEqual(run.returncode, 125)
        self.assertEqual(run.stderr, "plait: cannot write to standard output: No space left on device\n")
        run = subprocess.run(["sh", "-c", f"exec '{PLAIT}' --version >&-"], capture_output=True, text=True, timeout=30)
        self.assertEqual(run.returncode, 125)
        self.assertIn("Bad file descriptor", run.stderr)

    def test_a_reader_that_went_away_is_none(self):
        ours, its = os.pipe()
        os.close(ours)
        run = subprocess.run([PLAIT, "map", "--help"], stdout=its, stderr=subprocess.PIPE, timeout=30,
                             restore_signals=False)  # SIGPIPE is ignored, as Python has it
        os.close(its)
        self.assertEqual((run.returncode, run.stderr), (0, b""))


class WrongLines(unittest.TestCase):
    def check(self, words, *says):
        run = plait("map", *words)
        self.assertEqual((run.returncode, run.stdout), (2, ""), words)
        self.assertTrue(run.stderr.startswith("plait map: "), run.stderr)
        self.assertTrue(run.stderr.endswith("\nTry 'plait map -h'.\n"), run.stderr)
        self.assertEqual(run.stderr.count("\n"), 2, run.stderr)
        for text in says:
            self.assertIn(text, run.stderr)

    def test_unknown_options(self):
        self.check(["--retires", "3", "true"], "did you mean '--retries'?")
        self.check(["--keep", "true"], "did you mean '--keep-order'?")
        self.check(["--frobnicate"], "unknown option '--frobnicate'")

    def test_options_of_gnu_parallel_that_do_not_exist(self):
        self.check(["--pipe", "cat"], "there is no option '--pipe' here")
        self.check(["-S", "host", "true"], "ssh")
        self.check(["--citation"], "no notice")

    def test_missing_and_superfluous_values(self):
        self.check(["--joblog"], "--joblog needs a value: --joblog FILE")
        self.check(["--tag=x", "true"], "--tag takes no value")

    def test_values_are_strict(self):
        self.check(["-j", "x", "true"], "a number, N%, +N, -N or 0")
        self.check(["-j0%", "true"], "would run nothing")
        self.check(["--halt", "now", "true"], "--halt wants")

    def test_what_makes_no_sense_together(self):
        self.check(["--resume", "true"], "--joblog")
        self.check(["--retry-failed", "--joblog", "/dev/null", "true"], "leave command and inputs out")


class StandardDescriptors(unittest.TestCase):
    def test_closed_ones_are_not_taken_by_files(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "log")
            subprocess.run(["sh", "-c", f"exec '{PLAIT}' map --joblog '{log}' echo ::: hello <&- >&- 2>&-"],
                           timeout=30, check=False)
            text = pathlib.Path(log).read_text() if os.path.exists(log) else ""
            self.assertNotRegex(text, r"(?m)^hello$")


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.scripts = {}
        for shell in ("bash", "zsh", "fish"):
            run = plait("completion", shell)
            assert (run.returncode, run.stderr) == (0, ""), run
            cls.scripts[shell] = os.path.join(cls.folder, shell)
            pathlib.Path(cls.scripts[shell]).write_text(run.stdout)
        for name in ("data.txt", "data two.txt"):
            pathlib.Path(cls.folder, name).touch()
        os.mkdir(os.path.join(cls.folder, "datadir"))

    def check_syntax(self, shell):
        run = subprocess.run([shell, "-n", self.scripts[shell]], capture_output=True, text=True, timeout=30)
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def complete(self, *words):
        """What bash is offered for the words, the last of which is being typed."""
        line = "plait " + " ".join(words)
        pieces = []  # as bash cuts them
        for word in ("plait", *words):
            pieces += [p for p in re.split(r"([=:]+)", word) if p] or [""]
        script = ('source "$1"; shift; COMP_LINE=$1; shift; COMP_POINT=${#COMP_LINE}; COMP_WORDS=("$@")\n'
                  'COMP_CWORD=$(($# - 1)); _plait; ((${#COMPREPLY[@]} == 0)) || printf "%s\\n" "${COMPREPLY[@]}"')
        run = subprocess.run(["bash", "-uc", script, "bash", self.scripts["bash"], line, *pieces], cwd=self.folder,
                             capture_output=True, text=True, timeout=30)
        self.assertEqual(run.stderr, "")
        return sorted(set(run.stdout.splitlines()))

    def test_bash_reads_it(self):
        self.check_syntax("bash")

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_reads_it(self):
        self.check_syntax("zsh")

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_reads_it(self):
        self.check_syntax("fish")

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_completes_options_values_and_commands(self):
        def complete(line):
            run = subprocess.run(["fish", "--no-config", "-c", f"source {self.scripts['fish']}; complete -C '{line}'"],
                                 cwd=self.folder, capture_output=True, text=True, timeout=60)
            return [offer.split("\t")[0] for offer in run.stdout.splitlines()]

        self.assertEqual(complete("plait map --jobl"), ["--joblog"])
        self.assertEqual(sorted(complete("plait map --color ")), ["always", "auto", "never"])
        self.assertEqual(complete("plait map echo --jobl"), [])
        self.assertEqual(sorted(complete("plait completion ")), ["bash", "fish", "zsh"])

    def test_verbs(self):
        self.assertEqual(self.complete("ma"), ["map"])
        self.assertTrue(set(VERBS) <= set(self.complete("")))

    def test_every_option_of_the_help_is_offered(self):
        listed = set()
        for line in plait("map", "--help").stdout.splitlines():
            if re.match(r"  -", line):
                listed |= set(re.findall(r"(?<![\w-])--?[A-Za-z0-9][\w-]*", line))
        offered = set(self.complete("map", "-"))
        self.assertGreater(len(listed), 60)
        self.assertEqual(listed - offered, set())

    def test_values(self):
        self.assertEqual(self.complete("map", "--color", ""), ["always", "auto", "never"])
        self.assertEqual(self.complete("map", "--bar=al"), ["always"])
        self.assertEqual(self.complete("map", "--bar="), ["always", "auto", "never"])
        self.assertEqual(self.complete("map", "--joblog", "data."), ["data.txt"])
        self.assertEqual(self.complete("map", "-ka", "data.t"), ["data.txt"])
        self.assertEqual(self.complete("map", "--results", "data"), ["datadir"])
        self.assertEqual(self.complete("map", "--halt", "now,f"), ["now,fail=1"])
        self.assertEqual(self.complete("map", "-j", ""), [])

    def test_options_go_on_after_values(self):
        self.assertEqual(self.complete("map", "-j", "4", "--jobl"), ["--joblog"])
        self.assertEqual(self.complete("map", "-kj4", "-C", ":", "--jobl"), ["--joblog"])
        self.assertEqual(self.complete("map", "--joblog=a:b", "--hal"), ["--halt"])

    def test_behind_the_command_there_are_files_and_no_options(self):
        self.assertEqual(self.complete("map", "echo", "--jobl"), [])
        self.assertEqual(self.complete("map", "echo", ":::", "data"), ["data two.txt", "data.txt", "datadir"])
        self.assertIn("bash", self.complete("map", "-k", "bas"))
        self.assertIn("bash", self.complete("map", "--", "bas"))

    def test_words_of_small_verbs(self):
        self.assertEqual(self.complete("completion", ""), ["bash", "fish", "zsh"])
        self.assertEqual(self.complete("help", "ma"), ["map"])
        self.assertEqual(self.complete("help", "--m"), ["--man"])

    def test_other_shells_are_refused(self):
        for words in ([], ["tcsh"], ["bash", "zsh"]):
            run = plait("completion", *words)
            self.assertEqual((run.returncode, run.stdout), (2, ""))


class ManPages(unittest.TestCase):
    def page(self, *verb):
        run = plait("help", "--man", *verb)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout

    def lint(self, *verb):
        if shutil.which("mandoc"):
            command = ["mandoc", "-Tlint", "-Wstyle"]
        elif shutil.which("groff"):
            command = ["groff", "-ww", "-man", "-Tutf8", "-z"]
        else:
            self.skipTest("neither mandoc nor groff is installed")
        run = subprocess.run(command, input=self.page(*verb), capture_output=True, text=True, timeout=30)
        self.assertEqual(run.stdout + run.stderr, "")

    def test_pages_are_clean(self):
        self.lint()
        for verb in VERBS:
            with self.subTest(verb=verb):
                self.lint(verb)

    def test_map_has_its_sections(self):
        page = self.page("map")
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "REPLACEMENT STRINGS", "EXIT STATUS",
                        "ENVIRONMENT", "EXAMPLES", "SEE ALSO"):
            self.assertIn(f"\n.SH {section}\n", page)

    def test_every_option_of_the_help_is_in_the_page(self):
        page = self.page("map").replace("\\-", "-")
        for line in plait("map", "--help").stdout.splitlines():
            for option in re.findall(r"(?<![\w-])--?[A-Za-z0-9][\w-]*", line) if re.match(r"  -", line) else []:
                self.assertIn(option, page)

    def test_an_unknown_verb_has_no_page(self):
        run = plait("help", "--man", "mpa")
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("did you mean 'map'?", run.stderr)
        self.assertEqual(plait("help", "map", "info").returncode, 2)


if __name__ == "__main__":
    unittest.main()
