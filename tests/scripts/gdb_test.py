"""tools/gdb lists the coroutines of a program, and shows their stacks: of one that runs, and in a core.

SPDX-License-Identifier: MIT
"""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import ROOT

SCRIPT = ROOT / "tools/gdb/plait-gdb.py"
PROGRAM = pathlib.Path(os.environ.get("PLAIT_BUILD", ROOT / "build/dev")) / "tests/scripts-gdb-program"
ASK = ("-ex", f"source {SCRIPT}", "-ex", "plait coroutines", "-ex", "plait bt all")


@unittest.skipUnless(shutil.which("gdb"), "gdb is not installed")
@unittest.skipIf(os.environ.get("PLAIT_SLOW", "1") != "1", "a sanitizer's memory is too much for a core")
class Gdb(unittest.TestCase):
    def gdb(self, *words, **env):
        done = subprocess.run(["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", *map(str, words)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=200,
                              check=False, text=True, env={**os.environ, **env})
        if "Could not trace" in done.stdout or "Operation not permitted" in done.stdout:
            self.skipTest("no process can be traced here")
        return done.stdout

    def check(self, said):
        lines = said.splitlines()

        def line_with(*words):
            found = [line for line in lines if all(word in line for word in words)]
            self.assertTrue(found, f"no line with {words} in:\n{said}")
            return found[0]

        line_with("holder", "waits for event", "main")
        line_with("Coroutine-2", "waits for lock", "main")
        line_with("stopper", "runs", "main")
        stacks = said.split("stack of ")[1:]
        self.assertEqual(len(stacks), 4, said)
        for stack, functions in zip(stacks, (("plait_event_wait", "main"), ("wait_inside", "hold_and_wait"),
                                             ("want_lock",), ("stop_here", "stop "))):
            for function in functions:
                self.assertIn(function, stack)

    def test_a_program_that_is_stopped(self):
        self.check(self.gdb("-ex", "break stop_here", "-ex", "run", *ASK, PROGRAM))

    def test_a_core(self):
        with tempfile.TemporaryDirectory() as folder:
            core = pathlib.Path(folder) / "core"
            said = self.gdb("-ex", "break stop_here", "-ex", "run", "-ex", f"generate-core-file {core}", PROGRAM,
                            PLAIT_DISABLE="guard_marks") # gdb cannot read stacks with such guards
            self.assertTrue(core.exists(), said)
            self.check(self.gdb(*ASK, PROGRAM, core))


if __name__ == "__main__":
    unittest.main()
