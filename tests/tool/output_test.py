"""What plait map does with the output of its jobs."""

import hashlib
import json
import os
import pathlib
import resource
import subprocess

import plaittest

BLOCK = 1 << 16


class Grouped(plaittest.Case):
    def test_jobs_are_never_mixed(self):
        first, second = self.fifo("first"), self.fifo("second")
        # each job writes one half, lets the other one go on, and waits for it
        run = self.ok("-j2", "sh", "-c", 'echo "$1 begins"; echo >"$2"; read x <"$3"; echo "$1 ends"', "sh", "{1}",
                      "{2}", "{3}",
                      ":::", "a", "b", ":::+", first.path, second.path, ":::+", second.path, first.path)
        lines = run.lines
        self.assertEqual(len(lines), 4)
        for half in (lines[:2], lines[2:]):
            self.assertEqual(half, [f"{half[0][0]} begins", f"{half[0][0]} ends"])

    def test_order_of_the_end_by_default_and_of_the_input_with_k(self):
        for options in ([], ["-k"]):
            go, ended = self.fifo(f"go{options}"), self.fifo(f"ended{options}")
            process = self.start("-j2", *options, "sh", "-c", '[ $1 = second ] || read x <"$2"; echo $1; echo >"$3"',
                                 "sh",
                                 "{}", go.path, ended.path, ":::", "first", "second")
            ended.line()
            if not options:
                self.assertEqual(os.read(process.stdout.fileno(), 100), b"second\n")
            go.send("\n")
            self.assertEqual(self.end(process).lines, ["first", "second"] if options else ["first"])

    def test_the_two_streams_stay_apart(self):
        run = self.plait("-k", "echo out-{}; echo err-{} >&2", ":::", "a", "b")
        self.assertEqual((run.code, run.out, run.err), (0, "out-a\nout-b\n", "err-a\nerr-b\n"))

    def test_a_missing_newline_is_not_added(self):
        self.assertEqual(self.ok("-k", "printf", "{}", ":::", "a", "b").raw, b"ab")

    def test_any_bytes_come_through(self):
        path = self.file("bytes", bytes(range(256)) * 100)
        self.assertEqual(self.ok("cat", ":::", path).raw, pathlib.Path(path).read_bytes())

    def test_the_standard_input_of_a_job_is_dev_null(self):
        self.assertEqual(self.ok("-n0", "readlink /proc/self/fd/0", text="a\n").lines, ["/dev/null"])
        self.assertEqual(self.ok("-n0", "cat", text="a\nb\nc\n").out, "")

    def test_a_job_can_open_its_own_streams_by_name(self):
        run = self.plait("-n0", "echo out >/dev/stdout; echo err >/dev/stderr", ":::", "a")
        self.assertEqual((run.code, run.out, run.err), (0, "out\n", "err\n"), run)

    def test_jobs_inherit_no_other_descriptors(self):
        for option in ([], ["-u"]):
            run = self.ok("-n0", *option, "sh", "-c", "ls /proc/$$/fd; :", ":::", "a")
            self.assertEqual(set(run.out.split()), {"0", "1", "2"}, run)

    def test_output_of_any_size_is_kept_outside_of_memory(self):
        process = self.start("-k", "-j2", f"head -c {96 * 1024 * 1024} /dev/zero | tr '\\0' {{}}", ":::", "a", "b")
        digest = hashlib.sha256()
        while piece := process.stdout.read(BLOCK):
            digest.update(piece)
        wanted = hashlib.sha256()
        for letter in b"a", b"b":
            for _ in range(96):
                wanted.update(letter * (1 << 20))
        self.assertEqual(digest.hexdigest(), wanted.hexdigest())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        if plaittest.SLOW == 1:
            self.assertLess(usage.ru_maxrss, 64 * 1024)

    def test_what_a_job_leaves_in_the_background_lives_on_and_holds_up_nobody(self):
        fifo = self.fifo()
        run = self.ok("-n0", f"echo now; (read x <{fifo.path}; echo done >{fifo.path}.out) &", ":::", "a")
        self.assertEqual(run.lines, ["now"])
        out = self.fifo("fifo.out")
        fifo.send("go\n")
        self.assertEqual(out.line(), "done")

    def test_what_it_writes_later_kills_it_not_while_the_run_lasts(self):
        go, wrote, end = self.fifo("go"), self.fifo("wrote"), self.fifo("end")
        process = self.start("-j1", "-n0",
                             f"if [ {{#}} = 1 ]; then (read x <{go.path}; head -c 300000 /dev/zero; "
                             f"echo >{wrote.path}) & "
                             f"else echo >{wrote.path}; read x <{end.path}; fi", ":::", "a", "b")
        wrote.line()  # the second job runs: the first one is over
        go.send("\n")
        wrote.line()
        end.send("\n")
        run = self.end(process)
        self.assertEqual((run.code, run.err), (0, ""), run)


class Lines(plaittest.Case):
    def test_a_line_comes_as_soon_as_it_is_whole(self):
        fifo = self.fifo()
        process = self.start("--line-buffer", "sh", "-c", f"printf 'one\\ntw'; read x <{fifo.path}; echo o", ":::", "a")
        self.assertEqual(os.read(process.stdout.fileno(), 100), b"one\n")
        fifo.send("go\n")
        self.assertEqual(self.end(process).out, "two\n")

    def test_lines_are_never_mixed(self):
        run = self.ok("-j4", "--lb", "i=0; while [ $i -lt 200 ]; do echo {}{}{}{}{}{}{}{}; i=$((i+1)); done", ":::",
                      *"abcd")
        self.assertEqual(len(run.lines), 800)
        for line in run.lines:
            self.assertEqual(line, line[0] * 8)

    def test_a_last_line_without_newline_comes_at_the_end(self):
        self.assertEqual(self.ok("-n0", "--line-buffer", "printf", "a\\nb", ":::", "x").raw, b"a\nb")

    def test_with_k_the_first_job_streams_and_the_others_wait(self):
        fifo = self.fifo()
        process = self.start("-k", "-j2", "--line-buffer",
                             f"case {{}} in first) echo 1; read x <{fifo.path}; echo 2 ;; *) echo 3 ;; esac", ":::",
                             "first", "second")
        self.assertEqual(os.read(process.stdout.fileno(), 100), b"1\n")
        fifo.send("go\n")
        self.assertEqual(self.end(process).out, "2\n3\n")

    def test_ungrouped_output_goes_straight_through(self):
        out = self.file("out")
        with open(out, "wb") as file:
            run = self.plait("-u", "-n0", "readlink /proc/$$/fd/1", ":::", "a", stdout=file)
        self.assertEqual((run.code, run.err), (0, ""))
        self.assertEqual(self.read("out"), out + "\n")


class Tags(plaittest.Case):
    def test_each_line_of_both_streams_begins_with_the_input(self):
        run = self.plait("-k", "--tag", ": {}; echo 1; echo 2; echo e >&2", ":::", "a", "b")
        self.assertEqual(run.out, "a\t1\na\t2\nb\t1\nb\t2\n")
        self.assertEqual(run.err, "a\te\nb\te\n")

    def test_several_values_are_joined_by_blanks(self):
        self.assertEqual(self.ok("--tag", "echo", "x", ":::", "a", ":::", "b").out, "a b\tx a b\n")

    def test_a_text_of_ones_own(self):
        self.assertEqual(self.ok("--tagstring", "<{#}:{/}>", "echo", "x", ":::", "d/a").out, "<1:a>\tx d/a\n")

    def test_with_line_buffer(self):
        self.assertEqual(self.ok("--tag", "--line-buffer", "printf", "a\\nb{}", ":::", "x").raw, b"x\ta\nx\tbx")


class Results(plaittest.Case):
    def test_output_is_kept_in_gnu_parallels_tree(self):
        run = self.plait("-k", "--results", "out", "echo {}; echo e >&2", ":::", "a", "b/c", ":::", "1")
        self.assertEqual((run.code, run.out, run.err), (0, "a 1\nb/c 1\n", "e\ne\n"), run)
        files = sorted(str(path.relative_to(self.dir)) for path in self.dir.rglob("*") if path.is_file())
        self.assertEqual(files, [f"out/1/{value}/2/1/{name}" for value in ("a", "b\\_c") for name in ("seq", "stderr",
                                                                                                      "stdout")])
        self.assertEqual(self.read("out/1/a/2/1/stdout"), "a 1\n")
        self.assertEqual(self.read("out/1/a/2/1/stderr"), "e\n")
        self.assertEqual(self.read("out/1/b\\_c/2/1/seq").strip(), "2")

    def test_values_that_name_folders_stay_below(self):
        self.ok("--results", "out/x", "true", ":::", "..", ".", "../../../evil")
        outside = [path for path in self.dir.rglob("stdout") if "out/x/1/" not in str(path)]
        self.assertEqual(outside, [])
        self.assertEqual(sorted(os.listdir(self.dir / "out/x/1")), sorted(["\\..", "\\.", "..\\_..\\_..\\_evil"]))

    def test_long_values_get_different_names(self):
        self.ok("--results", "out", "true", ":::", "x" * 300 + "1", "x" * 300 + "2")
        self.assertEqual(len(os.listdir(self.dir / "out/1")), 2)

    def test_results_of_several_records_number_the_columns_of_each(self):
        """--results with -n: the columns begin anew in each record, as with GNU parallel"""
        self.ok("-n2", "--results", "out", "true {}", ":::", "a", "b", ":::", "x")
        self.assertTrue((self.dir / "out/1/a/2/x/1/b/2/x/stdout").exists())
        self.ok("-n2", "--results", "one", "true {}", text="a\nb\nc\n")
        self.assertTrue((self.dir / "one/1/a/1/b/stdout").exists())
        self.assertTrue((self.dir / "one/1/c/stdout").exists())

    def test_a_folder_that_cannot_be_made_is_a_failure_of_plait(self):
        run = self.plait("--results", "/proc/none", "true", ":::", "a")
        self.assertEqual(run.code, 125, run)


class Json(plaittest.Case):
    def setUp(self):
        super().setUp()
        if "without JSON" in self.plait("--json", "true", ":::", "a").err:
            self.skipTest("plait was built without jansson")

    def test_one_object_a_job_with_its_output(self):
        run = self.plait("-k", "--json", "echo {}; echo e >&2; exit $(({#} - 1))", ":::", "a b", "c")
        first, second = map(json.loads, run.lines)
        self.assertEqual((first["seq"], first["values"], first["exit"], first["stdout"], first["stderr"]),
                         ("1", ["a b"], 0, "a b\n", "e\n"))
        self.assertEqual((second["seq"], second["exit"], second["signal"]), ("2", 1, None))
        self.assertEqual(run.code, 1)

    def test_bytes_that_are_no_text_are_kept_apart(self):
        one = json.loads(self.ok("--json", "printf", "\\377", ":::", "a").out)
        self.assertTrue(any("base64" in name or isinstance(value, dict) for name, value in one.items()), one)

    def test_a_log_of_objects(self):
        run = self.plait("--log-json", "log", "-k", "--retries", "2", "echo {}; exit {}", ":::", "0", "3")
        self.assertEqual((run.code, run.out), (1, "0\n3\n"), run)
        entries = sorted((json.loads(line) for line in self.read("log").splitlines()), key=lambda entry: entry["seq"])
        self.assertEqual([(e["seq"], e["attempt"], e["exit"]) for e in entries], [("1", 1, 0), ("2", 2, 3)])
        for entry in entries:
            self.assertGreater(entry["max_rss_kib"], 0)


class Gone(plaittest.Case):
    def test_a_reader_that_goes_away_ends_the_run_quietly(self):
        command = f"yes | '{plaittest.PLAIT}' map -j4 'echo {{}}; echo {{#}}' 2>err | head -n 3"
        run = self.end(self.start("-c", command, program="/bin/sh", verb=()))
        self.assertEqual((run.code, len(run.lines)), (0, 3), run)
        self.nothing_left()
        self.assertEqual(self.read("err"), "")

    def test_and_its_running_jobs(self):
        fifo, other = self.fifo(), self.fifo("fifo2")
        process = self.start("-j3",
                             f"case {{}} in a) read x <{fifo.path}; echo out ;; "
                             f"*) echo ready >{fifo.path}2; sleep 1000 ;; esac",
                             ":::", "b", "c", "a")
        other.lines(2)
        process.stdout.close()
        process.stdout = None
        fifo.send("go\n")
        run = self.end(process)
        self.assertEqual((run.code, run.err), (141, ""), run)
        self.nothing_left()

    def test_a_closed_standard_output_is_an_error(self):
        run = self.end(self.start("-c", f"exec '{plaittest.PLAIT}' map echo ::: a >&-", program="/bin/sh", verb=()))
        self.assertEqual(run.code, 125, run)
        self.assertIn("Bad file descriptor", run.err)

    def test_a_closed_standard_error_is_none(self):
        run = self.end(self.start("-c", f"exec '{plaittest.PLAIT}' map 'echo {{}}; echo e >&2' ::: a 2>&-",
                                  program="/bin/sh", verb=()))
        self.assertEqual(run.out, "a\n", run)

    def test_a_full_disk_is_said_and_the_jobs_have_no_line_in_the_log(self):
        with open("/dev/full", "wb") as full:
            run = self.plait("--joblog", "log", "echo", ":::", "a", "b", stdout=full)
        self.assertEqual(run.code, 125, run)
        self.assertIn("No space left on device", run.err)
        self.assertEqual(self.log(), [])

    def test_a_job_log_on_a_full_disk_is_said(self):
        run = self.plait("--joblog", "/dev/full", "echo", ":::", "a")
        self.assertEqual(run.code, 125, run)
        self.assertIn("No space left on device", run.err)

    def test_a_full_disk_below_the_spool_is_said(self):
        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        run = self.plait("head", "-c", str(256 << 20), "/dev/zero", "-q", ":::", "/dev/null", preexec_fn=small_files,
                         stdout=subprocess.PIPE)
        self.assertEqual(run.code, 125, run)
        self.assertIn("cannot keep the output", run.err)


if __name__ == "__main__":
    plaittest.main()
