"""tools/layers.py fails on what it is there to find.

SPDX-License-Identifier: MIT
"""
import unittest

from support import TreeCase

import layers


class Layers(TreeCase):
    def test_downward_and_sideways_includes_pass(self):
        self.write({
            "src/base/a.h": "",
            "src/os/b.c": '#include "base/a.h"\n#include <stdio.h>\n',
            "src/os/c.c": '#include "os/d.h"\n', "src/os/d.h": "",
        })
        self.assertEqual(layers.check(self.root), [])

    def test_an_upward_include_fails(self):
        self.write({"src/base/a.c": '\n#include "os/b.h"\n', "src/os/b.h": ""})
        self.assert_wrong(layers.check(self.root), "src/base/a.c:2", "os/b.h", "above")

    def test_an_upward_include_of_a_folder_within_fails(self):
        self.write({"src/task/a.c": '#include "task/deep/b.h"\n', "src/task/deep/b.h": ""})
        self.assert_wrong(layers.check(self.root), "src/task/a.c:1")

    def test_a_listed_file_is_a_layer_of_its_own(self):
        self.write({"src/task/main.c": '#include "task/deep/b.h"\n', "src/task/deep/b.h": ""})
        self.assertEqual(layers.check(self.root), [])

    def test_an_upward_include_of_a_public_header_fails(self):
        self.write({"src/base/a.c": "#include <plait/task.h>\n"})
        self.assert_wrong(layers.check(self.root), "src/base/a.c:1", "plait/task.h")

    def test_the_header_of_everything_is_above_everything(self):
        self.write({"src/task/main.c": "#include <plait.h>\n"})
        self.assert_wrong(layers.check(self.root), "plait.h")

    def test_a_circle_of_headers_fails(self):
        self.write({"src/os/a.h": '#include "os/b.h"\n', "src/os/b.h": '#include "os/a.h"\n'})
        self.assert_wrong(layers.check(self.root), "circle", "os/a -> os/b -> os/a")

    def test_a_circle_through_sources_fails(self):
        self.write({
            "src/os/a.h": "", "src/os/a.c": '#include "os/b.h"\n',
            "src/os/b.h": "", "src/os/b.c": '#include "os/a.h"\n',
        })
        self.assert_wrong(layers.check(self.root), "circle")

    def test_a_private_header_belongs_to_its_module(self):
        self.write({
            "src/os/a.h": "", "src/os/a_private.h": '#include "os/a.h"\n', "src/os/a.c": '#include "os/a_private.h"\n',
        })
        self.assertEqual(layers.check(self.root), [])

    def test_a_circle_of_folders_fails_even_when_no_file_closes_it(self):
        self.write({
            "src/base/a.c": '#include "os/b.h"\n', "src/os/b.h": "",
            "src/os/c.c": '#include "base/d.h"\n', "src/base/d.h": "",
        })
        wrong = layers.check(self.root)
        self.assertTrue(any("folders" in line and "base -> os -> base" in line for line in wrong), wrong)

    def test_an_include_that_is_no_file_fails(self):
        self.write({"src/base/a.c": '#include "a.h"\n', "src/base/a.h": ""})
        self.assert_wrong(layers.check(self.root), "a.h", "no file")

    def test_a_folder_that_is_not_listed_fails(self):
        self.write({"src/attic/a.c": ""})
        self.assert_wrong(layers.check(self.root), "src/attic/a.c", "LAYERS")


if __name__ == "__main__":
    unittest.main()
