"""What the tests of the scripts share: a made-up tree in a scratch folder, and the scripts of tools/ as modules.

SPDX-License-Identifier: MIT
"""
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))


class TreeCase(unittest.TestCase):
    """A test whose tree is `files`: path -> text."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write({"src/LAYERS": "base\nos\ntask\ntask/deep\ntask/main.c\n"})

    def write(self, files):
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def assert_wrong(self, wrong, *words):
        """Exactly one complaint, with all the words in it."""
        self.assertEqual(len(wrong), 1, wrong)
        for word in words:
            self.assertIn(word, wrong[0])
