"""tools/limits.py fails on what it is there to find.

SPDX-License-Identifier: MIT
"""
import unittest

from support import TreeCase

import limits


def function(lines, name="long_one"):
    return f"int {name}(void)\n{{\n" + "    work();\n" * (lines - 3) + "}\n"


class Limits(TreeCase):
    def test_what_is_just_within_passes(self):
        self.write({
            "src/a.c": function(80) + "int f(int a, int b, int c, int d, void (*e)(int, int))\n{\n"
                       "    if (a) {\n        while (b) {\n            for (;;) {\n                do {\n"
                       "                } while (c);\n            }\n        }\n    }\n}\n",
            "src/b.c": "\n" * 600,
        })
        self.assertEqual(limits.check(self.root), [])

    def test_a_long_file_fails(self):
        self.write({"src/a.c": "\n" * 601})
        self.assert_wrong(limits.check(self.root), "src/a.c", "file 601", "600")

    def test_a_long_function_fails(self):
        self.write({"src/a.c": function(81)})
        self.assert_wrong(limits.check(self.root), "src/a.c:long_one", "function 81", "80")

    def test_a_long_test_case_fails(self):
        self.write({"src/a_test.c": "TEST(claims_too_much)\n{\n" + "    work();\n" * 90 + "}\n"})
        self.assert_wrong(limits.check(self.root), "src/a_test.c:TEST", "function 93")

    def test_deep_nesting_fails(self):
        self.write({"src/a.c": "void f(void)\n{" + "if (x) {" * 5 + "}" * 5 + "}\n"})
        self.assert_wrong(limits.check(self.root), "src/a.c:f", "nesting 5", "4")

    def test_many_parameters_fail(self):
        self.write({"src/a.c": "void f(int a, int b, int c, int d, int e, int f)\n{\n}\n"})
        self.assert_wrong(limits.check(self.root), "src/a.c:f", "parameters 6", "5")

    def test_a_sized_twin_has_one_parameter_more(self):
        self.write({"src/a.c": "int f_sized(int a, int b, int c, int d, int e, int bytes)\n{\n}\n"})
        self.assertEqual(limits.check(self.root), [])

    def test_braces_in_comments_strings_and_macros_are_not_counted(self):
        self.write({"src/a.c": '#define OPEN \\\n    {{{{{{{{\n/* {{{ */\nvoid f(void)\n{\n    g("{{{{{{", \'{\'); // {{{\n}\n'})
        self.assertEqual([name for name, *_ in limits.functions((self.root / "src/a.c").read_text())], ["f"])
        self.assertEqual(limits.check(self.root), [])

    def test_tables_and_structures_are_not_functions(self):
        text = "struct a {\n    int b;\n};\nstatic const int c[] = {1, 2};\nenum d { E };\n"
        self.assertEqual(list(limits.functions(text)), [])

    def test_an_excuse_excuses(self):
        self.write({"src/a.c": function(90), "tools/limits.txt": "function src/a.c:long_one 90 a table in disguise\n"})
        self.assertEqual(limits.check(self.root), [])

    def test_an_excuse_does_not_let_it_grow(self):
        self.write({"src/a.c": function(91), "tools/limits.txt": "function src/a.c:long_one 90 a table in disguise\n"})
        self.assert_wrong(limits.check(self.root), "function 91", "90 is the limit")

    def test_an_excuse_that_is_too_large_fails(self):
        self.write({"src/a.c": function(85), "tools/limits.txt": "function src/a.c:long_one 90 a table in disguise\n"})
        self.assert_wrong(limits.check(self.root), "shrank to 85")

    def test_an_excuse_that_is_no_longer_needed_fails(self):
        self.write({"src/a.c": function(20), "tools/limits.txt": "function src/a.c:long_one 90 a table in disguise\n"})
        self.assert_wrong(limits.check(self.root), "needs no excuse")

    def test_an_excuse_for_what_is_gone_fails(self):
        self.write({"src/a.c": "", "tools/limits.txt": "function src/a.c:long_one 90 a table in disguise\n"})
        self.assert_wrong(limits.check(self.root), "src/a.c:long_one", "not there")

    def test_an_excuse_without_a_reason_fails(self):
        self.write({"src/a.c": "", "tools/limits.txt": "function src/a.c:long_one 90\n"})
        self.assert_wrong(limits.check(self.root), "REASON")


if __name__ == "__main__":
    unittest.main()
