"""bench/run.py --docs keeps what was not measured, and says of each section what is not as the head says.

SPDX-License-Identifier: MIT
"""
import contextlib
import io
import sys
import unittest
from unittest import mock

from support import ROOT, TreeCase

sys.path.insert(0, str(ROOT / "bench"))
import run

FACTS = {"date": "2026-01-01", "load at the start": "1.00", "peers": "Boost 1.74, libuv 1.44"}
LATER = {"date": "2026-01-02", "load at the start": "1.00", "peers": "Boost 1.74, Go 1.19, libuv 1.44"}


class Docs(TreeCase):
    def setUp(self):
        super().setUp()
        self.file = self.root / "performance.md"

    def measure(self, facts, seconds, *patterns, names=("a/one", "a/two", "b/one")):
        """Runs with programs that say so many seconds; the page."""
        command = ["sh", "-c", "echo %s" % seconds]
        known = [run.Scenario(name, "times/s", 1, 100, [run.Program("plait", command)], is_fixed=True) for name in names]
        words = ["run.py", "--no-build", "--docs", str(self.file), *patterns]
        with mock.patch.multiple(run, scenarios=lambda _: known, machine=lambda _: facts), \
                mock.patch.object(run.Runner, "pin"), mock.patch.object(sys, "argv", words), \
                contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(run.main(), 0)
        return self.file.read_text()

    def sections(self, page):
        """Name -> text; "" has the head."""
        head, *parts = page.split("\n## ")
        return {"": head, **{part.partition("\n")[0]: part.strip() for part in parts}}

    def test_patterns_replace_their_sections_and_keep_all_else(self):
        old = self.sections(self.measure(FACTS, 0.5))
        new = self.sections(self.measure(LATER, 0.25, "a/two"))
        self.assertIn("| plait | 200 |", old["a/two"])
        self.assertIn("| plait | 400 |", new.pop("a/two"))
        del old["a/two"]
        self.assertEqual(new, old)

    def test_a_section_says_which_facts_are_not_those_of_the_head(self):
        self.measure(FACTS, 0.5)
        page = self.measure(LATER, 0.5, "a/*")
        line = "Measured apart (date: 2026-01-02; peers: Go 1.19)."
        self.assertEqual([line in text for text in self.sections(page).values()], [False, True, True, False])
        self.assertNotIn("apart", self.measure(FACTS, 0.5, "a/*"))

    def test_a_new_scenario_comes_where_the_list_has_it_and_one_that_is_gone_goes(self):
        self.measure(FACTS, 0.5)
        page = self.measure(FACTS, 0.5, "a/new", names=("a/one", "a/new", "b/one"))
        self.assertEqual(list(self.sections(page)), ["", "a/one", "a/new", "b/one"])

    def test_a_run_of_all_makes_the_page_anew(self):
        self.measure(FACTS, 0.5)
        self.measure(LATER, 0.5, "a/one")
        page = self.measure(LATER, 0.5)
        self.assertIn("| date | 2026-01-02 |", page)
        self.assertNotIn("apart", page)

    def test_the_page_of_record_is_read_and_written_without_a_change(self):
        text = (ROOT / "docs/performance.md").read_text()
        names = [line[3:] for line in text.splitlines() if line.startswith("## ")]
        self.assertGreater(len(names), 20)
        head = "\n| date | "
        self.assertEqual(run.page([], {}, text, names).partition(head), (run.PREAMBLE, *text.partition(head)[1:]))


if __name__ == "__main__":
    unittest.main()
