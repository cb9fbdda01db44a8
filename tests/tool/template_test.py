"""What becomes of the command of plait map: replacement strings, quoting, and who executes it."""

import os
import shutil
import unittest

import plaittest

NASTY = ["a b", "a'b", 'a"b', "$(touch evil)", "`touch evil`", "; touch evil", "a\\b", "*", "~", "-n", "#", "!x",
         "{}", "{1}",
         "\x1b[31m", "ä", "\udcff", "%s", "a&b", "|", ">evil", "", " ", "\t", "a\\", "$HOME", "'\"'"]


class Strings(plaittest.Case):
    def each(self, table, *values):
        for string, wanted in table.items():
            self.assertEqual(self.ok("-k", "printf", "%s\\n", string, ":::", *values).lines, wanted, string)
            snippet = self.ok("-k", f"printf '%s\\n' x{string}", ":::", *values)
            self.assertEqual(snippet.lines, ["x" + line for line in wanted], string)

    def test_parts_of_a_path(self):
        self.each({"{}": ["dir.d/a.tar.gz"], "{.}": ["dir.d/a.tar"], "{/}": ["a.tar.gz"], "{//}": ["dir.d"],
                   "{/.}": ["a.tar"], "{:}": ["dir.d/a"], "{^.tar.gz}": ["dir.d/a"], "{^.zip}": ["dir.d/a.tar.gz"]},
                  "dir.d/a.tar.gz")
        self.each({"{}": ["plain"], "{.}": ["plain"], "{/}": ["plain"], "{//}": ["."], "{/.}": ["plain"]}, "plain")

    def test_number_of_job_and_slot(self):
        self.each({"{#}": ["1", "2", "3"]}, "a", "b", "c")
        self.assertEqual(self.ok("-j1", "echo", "{%}", ":::", "a", "b").lines, ["1", "1"])

    def test_no_two_running_jobs_share_a_slot(self):
        run = self.ok("-j4", "mkdir s{%} && rmdir s{%} && echo {%}", text="x\n" * 100)
        self.assertEqual(len(run.lines), 100)
        self.assertLessEqual(set(run.lines), set("1234"))

    def test_numbered_values(self):
        run = self.ok("-k", "echo", "{2/}:{1.}:{-1}", ":::", "a.c", ":::", "d/x", "d/y")
        self.assertEqual(run.lines, ["x:a:d/x", "y:a:d/y"])

    def test_without_one_the_input_is_appended(self):
        self.assertEqual(self.ok("echo", "x", ":::", "a b").lines, ["x a b"])
        self.assertEqual(self.ok("echo x;  echo", ":::", "a  b").lines, ["x", "a  b"])

    def test_a_number_of_a_job_does_not_stand_for_the_input(self):
        self.assertEqual(self.ok("echo", "{#}", ":::", "a").lines, ["1"])

    def test_what_is_no_replacement_string_is_text(self):
        self.assertEqual(self.ok("echo", "{a} {,} {1,2} { } {}", ":::", "x").lines, ["{a} {,} {1,2} { } x"])

    def test_replacement_strings_in_the_values_are_data(self):
        self.assertEqual(self.ok("echo", "{1} {2}", ":::", "{2}", ":::", "{#}").lines, ["{2} {#}"])

    def test_a_number_that_no_input_has_is_refused(self):
        self.refused("echo", "{3}", ":::", "a", ":::", "b", says="{3}")
        self.refused("echo", "{0}", ":::", "a", says="{0}")

    def test_a_brace_behind_a_dollar_belongs_to_the_shell(self):
        self.assertEqual(self.ok("x=v; echo ${x} {}", ":::", "a").lines, ["v a"])


class SeveralValues(plaittest.Case):
    def test_a_whole_word_becomes_as_many_words(self):
        self.assertEqual(self.ok("-n3", "printf", "<%s>", "{}", ":::", "a b", "c", "").out, "<a b><c><>")

    def test_inside_a_word_of_a_snippet_blanks_join_them(self):
        self.assertEqual(self.ok("-n2", "printf '<%s>' x{}y", ":::", "a b", "c").out, "<xa b><cy>")
        self.assertEqual(self.ok("-n2", "printf '<%s>' \"x{}y\"", ":::", "a b", "c").out, "<xa b cy>")

    def test_inside_a_word_executed_directly_they_are_refused(self):
        self.refused("-n2", "echo", "x{}", ":::", "a", "b", says=["{1}", "-X"])
        self.assertEqual(self.ok("-n2", "echo", "x{1}", ":::", "a", "b").lines, ["xa"])


class Execution(plaittest.Case):
    def test_several_words_are_executed_directly(self):
        self.assertEqual(self.ok("echo", "$HOME", "*", "a;b", ":::", "x").lines, ["$HOME * a;b x"])

    def test_a_plain_word_is_executed_directly(self):
        self.script("show", 'echo "$#:$1"')
        self.assertEqual(self.ok("./show", ":::", "a b").lines, ["1:a b"])

    def test_a_word_with_blanks_or_shell_characters_is_a_snippet(self):
        self.assertEqual(self.ok("echo x", ":::", "a").lines, ["x a"])
        self.assertEqual(self.ok("echo>out", ":::", "a").out, "")
        self.assertEqual(self.read("out"), "a\n")

    def test_exec_and_shell_decide_otherwise(self):
        self.script("a b", 'echo "exec:$1"')
        self.assertEqual(self.ok("--exec", "./a b", ":::", "x").lines, ["exec:x"])
        self.assertEqual(self.ok("--shell", "echo", "$((1+1))", ":::", "x").lines, ["2 x"])
        self.assertEqual(self.ok("-q", "./a b", ":::", "x").lines, ["exec:x"])

    def test_without_a_command_each_input_is_a_snippet(self):
        self.assertEqual(self.ok("-k", ":::", "echo a b", "echo $((1+1))").lines, ["a b", "2"])
        self.assertEqual(self.ok("-k", text="echo a | tr a b\n").lines, ["b"])

    def test_options_end_at_the_command(self):
        self.assertEqual(self.ok("echo", "-k", "-j", ":::", "a").lines, ["-k -j a"])
        self.assertEqual(self.ok("--", "echo", "--", ":::", "a").lines, ["-- a"])

    def test_the_words_of_a_shell_that_do_nothing_here_are_warned_of_once(self):
        run = self.plait("-k", "echo", "{}", "|", "cat", ":::", "a", "b")
        self.assertEqual((run.code, run.lines), (0, ["a | cat", "b | cat"]))
        self.assertEqual(run.err.count("\n"), 1, run)
        self.assertIn("'echo {} | cat'", run.err)
        for words in (["-q", "echo", "|"], ["--exec", "echo", "|"], ["echo", ";"]):
            self.ok(*words, ":::", "a")

    def test_the_shell_is_the_one_that_was_asked_for(self):
        shell = self.script("shell", 'echo "mine:$2"')
        self.assertEqual(self.ok(f"--shell={shell}", "echo x", ":::", "a").lines, ["mine:echo x a"])
        self.assertEqual(self.ok("echo x", ":::", "a", env={"PLAIT_SHELL": shell}).lines, ["mine:echo x a"])
        self.assertEqual(self.ok("echo x", ":::", "a", env={"SHELL": shell}).lines, ["x a"])

    @unittest.skipUnless(shutil.which("bash"), "bash is not installed")
    def test_functions_that_bash_exported_work_in_snippets(self):
        run = self.end(self.start("-c",
                                  f"f() {{ echo \"f:$1\"; }}; export -f f; '{plaittest.PLAIT}' map 'f {{}}' ::: 'a b'",
                                  program="bash", verb=(), env={"SHELL": shutil.which("bash")}))
        self.assertEqual((run.code, run.lines), (0, ["f:a b"]), run)


class Quoting(plaittest.Case):
    def test_a_value_is_data_wherever_it_stands(self):
        text = "\n".join(NASTY)
        for place in ("{}", "'{}'", '"{}"', "x'{}'", '"$(printf %s "{}")"', "'a'\"{}\"'b'"):
            run = self.ok("-k", f"printf '<%s>\\n' {place}", text=text)
            before = {"x'{}'": "x", "'a'\"{}\"'b'": "a"}.get(place, "")
            after = "b" if before == "a" else ""
            self.assertEqual(run.out.split("\n")[:-1], [f"<{before}{value}{after}>" for value in NASTY], place)
        self.assertEqual(os.listdir(self.dir), [])

    def test_values_of_direct_execution_are_never_read_by_a_shell(self):
        self.assertEqual(self.ok("-k", "printf", "<%s>\\n", text="\n".join(NASTY)).out.split("\n")[:-1],
                         [f"<{value}>" for value in NASTY])
        self.assertEqual(os.listdir(self.dir), [])

    def test_newlines_are_data_too(self):
        for command in ("printf '<%s>' {}", "printf '<%s>' '{}'", "printf '<%s>' \"{}\""):
            self.assertEqual(self.ok("-0", command, text="a\nb\0").out, "<a\nb>")

    def test_here_documents_are_refused(self):
        self.refused("cat <<E\n{}\nE", ":::", "a", says="here-document")

    def test_arithmetic_takes_numbers_only(self):
        self.assertEqual(self.ok("-k", "echo $(({} + 1))", ":::", "1", "-5").lines, ["2", "-4"])
        run = self.plait("echo $(({} + 1))", ":::", "x[$(touch evil)]")
        self.assertEqual(run.code, 2, run)
        self.assertFalse((self.dir / "evil").exists())

    def test_nonsense_is_refused_with_a_reason(self):
        for snippet in ("echo '{}", 'echo "{}', "echo $({}", "echo `{}"):
            run = self.plait(snippet, ":::", "a")
            self.assertNotEqual(run.code, 0, snippet)
            self.assertNotEqual(run.err, "", snippet)


class LookUp(plaittest.Case):
    def test_a_missing_program_is_127_and_nothing_runs(self):
        self.refused("no-such-program", ":::", "a", says="'no-such-program': command not found", code=127)
        self.refused("./none", "{}", ":::", "a", says="not found", code=127)

    def test_what_cannot_be_executed_is_126(self):
        self.refused(self.file("plain", "x"), "{}", ":::", "a", says="cannot be executed", code=126)
        self.refused(str(self.dir), "{}", ":::", "a", says="directory", code=126)

    def test_the_cure_is_named(self):
        self.refused("--exec", "echo a", ":::", "x", says="as one word", code=127)
        self.refused("cd", "{}", ":::", "x", says="builtin", code=127)

    def test_a_127_of_a_job_is_a_failed_job(self):
        run = self.plait("sh", "-c", "exit 127", ":::", "a")
        self.assertEqual(run.code, 1, run)
        run = self.plait("{}", ":::", "no-such-program")
        self.assertEqual(run.code, 1, run)


if __name__ == "__main__":
    plaittest.main()
