"""Where the inputs of plait map come from, and how they are cut."""

import os
import subprocess

import plaittest


class Sources(plaittest.Case):
    def test_arguments(self):
        self.assertEqual(self.ok("-k", "echo", ":::", "a", "b c", "").lines, ["a", "b c", ""])

    def test_standard_input_a_line_each(self):
        self.assertEqual(self.ok("-k", "echo", text="a\nb c\n\nlast").lines, ["a", "b c", "", "last"])

    def test_files_by_four_colons_and_by_option(self):
        path = self.file("in", "a\nb\n")
        for words in (["echo", "::::", path], ["-a", path, "echo"], ["--arg-file", path, "echo"],
                      [f"--arg-file={path}", "echo"]):
            self.assertEqual(self.ok("-k", *words).lines, ["a", "b"], words)

    def test_dash_is_standard_input(self):
        self.assertEqual(self.ok("-k", "echo", "::::", "-", text="a\nb\n").lines, ["a", "b"])
        self.assertEqual(self.ok("-k", "-a", "-", "echo", text="a\nb\n").lines, ["a", "b"])

    def test_a_pipe_by_name_is_a_file(self):
        reading, writing = os.pipe()
        os.write(writing, b"a\nb\n")
        os.close(writing)
        run = self.ok("-k", "echo", "::::", f"/dev/fd/{reading}", pass_fds=[reading])
        os.close(reading)
        self.assertEqual(run.lines, ["a", "b"])

    def test_sources_are_crossed_and_the_last_one_turns_fastest(self):
        run = self.ok("-k", "echo", ":::", "a", "b", ":::", "1", "2", ":::", "x", "y")
        self.assertEqual(run.lines, [f"{a} {b} {c}" for a in "ab" for b in "12" for c in "xy"])

    def test_files_behind_four_colons_are_crossed_with_each_other(self):
        a, b = self.file("a", "a\nb\n"), self.file("b", "1\n2\n")
        self.assertEqual(self.ok("-k", "echo", "::::", a, b).lines, ["a 1", "a 2", "b 1", "b 2"])
        self.assertEqual(self.ok("-k", "-a", a, "-a", b, "echo").lines, ["a 1", "a 2", "b 1", "b 2"])

    def test_linked_sources_go_in_step(self):
        self.assertEqual(self.ok("-k", "echo", ":::", "a", "b", ":::+", "1", "2").lines, ["a 1", "b 2"])
        path = self.file("b", "1\n2\n")
        self.assertEqual(self.ok("-k", "echo", ":::", "a", "b", "::::+", path).lines, ["a 1", "b 2"])

    def test_linked_sources_are_crossed_with_others(self):
        run = self.ok("-k", "echo", ":::", "a", "b", ":::+", "1", "2", ":::", "x", "y")
        self.assertEqual(run.lines, ["a 1 x", "a 1 y", "b 2 x", "b 2 y"])

    def test_no_input_is_no_job(self):
        for words, text in ((["echo", ":::"], None), (["echo"], ""), (["echo", "::::", self.file("empty")], None)):
            self.assertEqual(self.ok(*words, text=text).out, "", words)

    def test_a_missing_or_unreadable_file_is_said_and_nothing_runs(self):
        self.refused("echo", "::::", "none", says=["none", "No such file"], code=125)
        self.refused("-a", "none", "echo", says="No such file", code=125)
        self.refused("echo", "::::", str(self.dir), says="Is a directory", code=125)

    def test_a_file_without_permission_is_said(self):
        path = self.file("in", "a\n")
        os.chmod(path, 0)
        nobody = {"user": 65534} if os.getuid() == 0 else {}  # root may read everything
        self.refused("echo", "::::", path, says="Permission denied", code=125, program=self.copy_for_all(), **nobody)

    def test_closed_standard_input_is_an_error(self):
        run = self.end(self.start("-c", f"exec '{plaittest.PLAIT}' map echo <&-", program="/bin/sh", verb=()))
        self.assertEqual((run.code, run.out), (125, ""), run)
        self.assertIn("Bad file descriptor", run.err)

    def test_inputs_are_taken_as_they_come(self):
        fifo = self.fifo()
        process = self.start(f"echo {{}} >{fifo.path}", stdin=subprocess.PIPE)
        for word in ("first", "second"):
            process.stdin.write(word.encode() + b"\n")
            process.stdin.flush()
            self.assertEqual(fifo.line(), word)
        self.assertEqual(self.end(process).code, 0)

    def test_a_thousand_values_of_any_bytes_come_through(self):
        values = [bytes([1 + i % 255, 1 + i * 7 % 255]) for i in range(1000)]
        values = [value for value in values if b"\n" not in value]
        run = self.ok("-k", "printf", "%s\\n", text=b"\n".join(values))
        self.assertEqual(run.raw.split(b"\n")[:-1], values)


class Records(plaittest.Case):
    def test_an_empty_line_is_a_job_and_r_skips_it(self):
        self.assertEqual(self.ok("-k", "echo", "<{}>", text="a\n\nb\n").lines, ["<a>", "<>", "<b>"])
        self.assertEqual(self.ok("-k", "-r", "echo", "<{}>", text="a\n\nb\n").lines, ["<a>", "<b>"])
        self.assertEqual(self.ok("-kr", "echo", "<{}>", ":::", "a", "", "b").lines, ["<a>", "<b>"])

    def test_carriage_returns_are_kept(self):
        self.assertEqual(self.ok("echo", text="a\r\n").raw, b"a\r\n")

    def test_null_ends_inputs(self):
        for option in ("-0", "--null"):
            self.assertEqual(self.ok("-k", option, "echo", "<{}>", text="a\nb\0c\0").out, "<a\nb>\n<c>\n")

    def test_a_null_without_the_option_is_an_error_that_names_it(self):
        run = self.plait("echo", text="a\0b\n")
        self.assertEqual((run.code, run.err), (2, "plait map: input line 1 contains a NUL byte: use -0\n"), run)

    def test_delimiters(self):
        for delimiter, text in ((",", "a,b,c"), ("\\t", "a\tb\tc"), ("\\0", "a\0b\0c"), (";", "a;b;c;")):
            self.assertEqual(self.ok("-k", "-d", delimiter, "echo", text=text).lines, ["a", "b", "c"], delimiter)
        self.assertEqual(self.ok("-k", "--delimiter=,", "echo", text="a\n,b").raw, b"a\n\nb\n")

    def test_values_behind_colons_are_never_cut(self):
        self.assertEqual(self.ok("-k", "-d", ",", "echo", ":::", "a,b").lines, ["a,b"])

    def test_a_line_longer_than_any_argument_is_an_error(self):
        run = self.plait("-k", "echo", text="a\n" + "x" * (1 << 18) + "\n")
        self.assertNotEqual(run.code, 0)
        self.assertNotEqual(run.err, "")


class Columns(plaittest.Case):
    def test_a_regular_expression_cuts_columns(self):
        self.assertEqual(self.ok("-k", "-C", ",", "echo", "{2}-{1}", text="a,b\nc,d\n").lines, ["b-a", "d-c"])
        self.assertEqual(self.ok("-k", "--colsep", " +|:", "echo", "{3}{2}{1}", text="a  b:c\n").lines, ["cba"])
        self.assertEqual(self.ok("-k", "-C", "\\t", "echo", "{2}{1}", text="a\tb\n").lines, ["ba"])

    def test_a_missing_column_is_empty(self):
        self.assertEqual(self.ok("-k", "-C", ",", "echo", "<{1}|{2}>", text="a,b\nc\n").lines, ["<a|b>", "<c|>"])

    def test_a_broken_expression_is_refused(self):
        self.refused("-C", "(", "echo", "{1}", text="a\n")

    def test_header_names_columns(self):
        path = self.file("people", "name,age\nAnn,7\nBob,9\n")
        run = self.ok("-k", "-C", ",", "--header", ":", "echo", "{name} {age} {1}", "::::", path)
        self.assertEqual(run.lines, ["Ann 7 Ann", "Bob 9 Bob"])

    def test_header_takes_the_first_value_of_each_source(self):
        run = self.ok("-k", "--header", ":", "echo", "{x}{y}", ":::", "x", "1", "2", ":::", "y", "a")
        self.assertEqual(run.lines, ["1a", "2a"])

    def test_an_unknown_name_is_text(self):
        self.assertEqual(self.ok("--header", ":", "echo", "{z}", "{x}", ":::", "x", "1").lines, ["{z} 1"])


class Batches(plaittest.Case):
    def test_n_gives_a_job_several_inputs(self):
        for option in ("-n", "-N"):
            self.assertEqual(self.ok("-k", option, "2", "echo", ":::", *"abcde").lines, ["a b", "c d", "e"])
        self.assertEqual(self.ok("-k", "-n2", "echo", "{2}-{1}", ":::", *"abc").lines, ["b-a", "-c"])

    def test_n0_takes_one_and_inserts_none(self):
        self.assertEqual(self.ok("-k", "-n0", "echo", "x", ":::", *"abc").lines, ["x", "x", "x"])

    def test_n_beyond_int_is_refused(self):
        self.refused("-n", "99999999999999999999999", "echo", ":::", "a")
        self.refused("-n", "-1", "echo", ":::", "a")

    def test_fill_line_takes_all_that_one_job_holds(self):
        self.assertEqual(self.ok("-j1", "-X", "echo", ":::", *"abc").lines, ["a b c"])
        self.assertEqual(self.ok("-j1", "-X", "echo", "pre-{}.c", ":::", *"abc").lines, ["pre-a.c pre-b.c pre-c.c"])

    def test_fill_line_spreads_over_the_jobs(self):
        run = self.ok("-k", "-j2", "-X", "echo", ":::", *"abcd")
        self.assertEqual(run.lines, ["a b", "c d"])

    def test_fill_line_never_makes_a_line_that_the_system_refuses(self):
        values = [f"{i:05}" + "x" * 195 for i in range(30000)]
        run = self.ok("-j1", "-k", "-X", "sh", "-c", "echo $#; printf '%s\\n' \"$@\" >>all", "sh",
                      text="\n".join(values))
        counts = list(map(int, run.lines))
        self.assertGreater(len(counts), 1)
        self.assertEqual(sum(counts), len(values))
        self.assertEqual(self.read("all").splitlines(), values)

    def test_max_chars_bounds_the_line(self):
        run = self.ok("-k", "-j1", "-X", "-s", "40", "echo", ":::", *(["1234567890"] * 6))
        self.assertGreater(len(run.lines), 1)
        self.assertEqual(sum(len(line.split()) for line in run.lines), 6)
        for line in run.lines:
            self.assertLessEqual(len("echo " + line), 40)


class Replace(plaittest.Case):
    def test_another_string_stands_for_the_input(self):
        self.assertEqual(self.ok("-k", "-I", "@", "echo", "@-@", "{}", ":::", "a").lines, ["a-a {}"])
        self.assertEqual(self.ok("-k", "-I@@", "echo @@ {}", ":::", "a b").lines, ["a b {}"])


if __name__ == "__main__":
    plaittest.main()
