"""Fifty kills of each victim: tests/torture/kill.py, whose thousands are `make torture`.

SPDX-License-Identifier: MIT
"""
import os
import pathlib
import runpy
import sys

COUNT = 50 if os.environ.get("PLAIT_SLOW", "1") == "1" else 16  # a sanitizer looks at the memory, not at the moments

sys.argv = ["kill.py", "--count", str(COUNT)]
runpy.run_path(str(pathlib.Path(__file__).resolve().parents[1] / "torture/kill.py"), run_name="__main__")
