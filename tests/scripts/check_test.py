"""tools/check counts honestly: what failed, what was not run, what was skipped without leave.

SPDX-License-Identifier: MIT
"""
import unittest

from support import TreeCase

from suite import Suite

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(x LANGUAGES NONE)
enable_testing()
add_test(NAME good COMMAND true)
add_test(NAME bad COMMAND false)
add_test(NAME absent COMMAND no-such-program)
add_test(NAME slow COMMAND sleep 20)
set_tests_properties(slow PROPERTIES TIMEOUT 1)
add_test(NAME skipped COMMAND sh -c "exit 77")
set_tests_properties(skipped PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME partly COMMAND sh -c "echo 'skipped  bites_only_root (0.01 s)'")
add_test(NAME unsteady COMMAND sh -c "test -e once || { touch once; exit 1; }")
add_test(NAME python COMMAND sh -c "echo 'test_it (a.B) ... skipped why'")
add_test(NAME quiet COMMAND sh -c "echo 'OK (skipped=2)'")
"""


class Check(TreeCase):
    def setUp(self):
        super().setUp()
        self.write({"CMakeLists.txt": PROJECT, "tests/skips.txt": "# none\n"})
        self.suite = Suite(self.root, "made-up")
        self.addCleanup(self.suite.log.close)
        self.assertTrue(self.suite.run("cmake", "-G", "Ninja", "-S", ".", "-B", "build/dev"))

    def count(self, *names):
        self.suite.ctest("dev", "-R", f"^({'|'.join(names)})$")
        return self.suite.passed, self.suite.failed

    def test_a_good_test_counts_once(self):
        self.assertEqual(self.count("good"), (1, []))

    def test_a_test_that_fails_hangs_or_is_not_there_fails(self):
        self.assertEqual(self.count("good", "bad", "absent", "slow"), (1, ["bad", "absent", "slow"]))

    def test_a_test_that_would_pass_the_second_time_fails(self):
        self.assertEqual(self.count("unsteady"), (0, ["unsteady"]))
        self.assertEqual(self.count("unsteady"), (1, ["unsteady"]))

    def test_no_test_at_all_fails(self):
        self.assertIn("no test", self.count("nothing")[1][0])

    def test_a_skip_that_is_not_listed_fails(self):
        for name, said in (("skipped", "skipped"), ("partly", "partly.bites_only_root"), ("python", "python.test_it"),
                           ("quiet", "quiet")):
            with self.subTest(name=name):
                self.suite.failed, self.suite.passed = [], 0
                self.assertIn(f"{said} was skipped", self.count(name)[1][0])

    def test_a_skip_that_is_listed_is_counted_apart(self):
        self.write({"tests/skips.txt": "skipped: no kernel has it\npartly.bites_only_root: needs root\n"})
        self.assertEqual(self.count("good", "skipped", "partly"), (2, []))
        self.assertEqual(self.suite.skips, ["skipped", "partly.bites_only_root"])

    def test_a_step_that_fails_is_said_with_its_log(self):
        self.suite.step("echo", "sh", "-c", "echo what went wrong; exit 1")
        verdict = self.suite.verdict(3.2, 2)
        for text in ("FAILED (3 s of 2, OVER ITS BUDGET): 0 passed", "    echo\n", "| what went wrong"):
            self.assertIn(text, verdict)


if __name__ == "__main__":
    unittest.main()
