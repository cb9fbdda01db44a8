"""tools/docs.py and tools/examples.py fail on what they are there to find.

SPDX-License-Identifier: MIT
"""
import pathlib
import tempfile
import unittest

from support import ROOT, TreeCase

import docs
import examples
import headers

GOOD = """
/* Put an item.
 *
 * It waits while the queue is full.
 *
 *   item      copied.
 *   n         how many
 *             bytes.
 *   Blocks    until there is room.
 *   From      any task.
 *   Errors    -ETIMEDOUT  full.
 *             PLAIT_EGONE  it went away.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_put(const void *item, size_t n);
"""


class Docs(TreeCase):
    def check(self, text):
        self.write({"include/plait.h": "#include <plait/error.h>\n#include <plait/queue.h>\n",
                    "include/plait/error.h": "enum {\n    PLAIT_EGONE = -5000,\n};\n",
                    "include/plait/queue.h": text})
        return docs.check(self.root)

    def without(self, line):
        self.assertIn(line, GOOD)
        return "\n".join(text for text in GOOD.split("\n") if line not in text)

    def test_it_finds_the_functions_of_the_project(self):
        self.assertIn("plait_strerror", [function.name for function in headers.read(ROOT)])

    def test_a_whole_block_passes(self):
        self.assertEqual(self.check(GOOD), [])

    def test_a_function_without_a_block_fails(self):
        self.assert_wrong(self.check("PLAIT_API void plait_put(void);\n"), "plait_put has no block")

    def test_a_block_apart_from_its_function_is_none(self):
        self.assert_wrong(self.check(GOOD.replace(" */\nPLAIT", " */\n\nPLAIT")), "plait_put has no block")

    def test_each_field_is_compulsory(self):
        for field in ("Blocks", "From", "Fork", "Since"):
            self.assert_wrong(self.check(self.without(f"   {field} ")), "does not say", field)

    def test_an_empty_field_fails(self):
        self.assert_wrong(self.check(GOOD.replace("any task.", "")), "does not say", "From")

    def test_each_parameter_is_compulsory(self):
        self.assert_wrong(self.check(self.without("   item ")), "does not say", "item")

    def test_a_function_pointer_is_a_parameter(self):
        self.assert_wrong(self.check(GOOD.replace("size_t n", "int (*call)(void *arg), size_t n")), "call")

    def test_errors_may_be_none_but_not_a_mystery(self):
        cut = GOOD.replace(" *             PLAIT_EGONE  it went away.\n", "")
        self.assertEqual(self.check(cut.replace("-ETIMEDOUT  full.", "none.")), [])
        self.assert_wrong(self.check(cut.replace("-ETIMEDOUT  full.", "several.")), "neither a code nor none")

    def test_an_error_that_does_not_exist_fails(self):
        self.assert_wrong(self.check(GOOD.replace("-ETIMEDOUT", "-ETIMEOUT")), "-ETIMEOUT", "does not exist")
        self.assert_wrong(self.check(GOOD.replace("PLAIT_EGONE", "PLAIT_EWENT")), "PLAIT_EWENT")

    def test_the_header_of_everything_includes_everything(self):
        self.write({"include/plait/extra.h": ""})
        self.assert_wrong(self.check(GOOD), "plait.h does not include plait/extra.h")

    def test_a_sized_twin_may_go_without(self):
        twin = "PLAIT_API int plait_put_sized(const void *item, size_t n, size_t bytes);\n"
        self.assertEqual(self.check(GOOD + twin), [])
        self.assert_wrong(self.check(GOOD + twin.replace("put_sized", "get_sized")), "plait_get_sized")

    def test_an_inline_function_needs_a_block_once(self):
        inline = "static inline int plait_get(void)\n{\n    return 0;\n}\n"
        self.assert_wrong(self.check(GOOD + inline), "plait_get has no block")

    def test_the_pages_say_what_the_block_says(self):
        self.assertEqual(self.check(GOOD), [])
        function = next(f for f in headers.read(self.root) if f.name == "plait_put")
        self.assertEqual(function.field("n"), "how many bytes.")
        page = docs.man_page(function, "1.2.3", "2025-01-01")
        for text in (".SH BLOCKS\nuntil there is room.", ".B \\-ETIMEDOUT\nfull.", "plait_put \\- Put an item\n"):
            self.assertIn(text, page)
        self.assertIn("`PLAIT_EGONE` it went away.", docs.reference([function]))


class Examples(unittest.TestCase):
    def run_program(self, source):
        with tempfile.TemporaryDirectory() as folder:
            return examples.run_program("it", source, pathlib.Path(folder))

    def test_a_program_must_say_what_it_prints(self):
        self.assertIn("prints", self.run_program("int main(void) { return 0; }\n")[0])

    def test_a_program_must_compile(self):
        self.assertIn("does not compile", self.run_program("int main(void) { retrun 0; }\n/* prints:\n * 1\n */\n")[0])

    def test_a_program_must_print_what_it_says(self):
        source = '#include <stdio.h>\nint main(void)\n{\n    puts("1");\n}\n/* prints:\n * %s\n */\n'
        self.assertEqual(self.run_program(source % "1"), [])
        self.assertIn("prints", self.run_program(source % "2")[0])

    def test_a_program_of_a_guide_must_print_what_the_file_beside_it_says(self):
        source = '#include <stdio.h>\nint main(void)\n{\n    puts("1");\n}\n'
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.assertEqual(examples.run_program("it", source, folder, "1\n"), [])
            self.assertIn("prints", examples.run_program("it", source, folder, "2\n")[0])

        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "a.c").write_text("a")
            (folder / "a.out").write_text("1\n")
            (folder / "b.c").write_text("b")
            self.assertEqual(examples.read_guide(folder), {"a": "1\n", "b": ""})

    def test_a_page_must_show_what_a_program_of_a_guide_prints(self):
        guide = {"source": "1\n"}
        self.assertEqual(examples.check_shown("page:1", "source", "\n```text\n1\n```\nand so on", guide), [])
        for behind in ("", "\n```text\n2\n```\n", "\nwords\n\n```text\n1\n```\n"):
            self.assertIn("missing", examples.check_shown("page:1", "source", behind, guide)[0])

    def test_a_console_must_print_what_it_says(self):
        with tempfile.TemporaryDirectory() as folder:
            run = lambda text: examples.run_console("it", text, pathlib.Path(folder))
            self.assertEqual(run("$ echo a \\\n  b\na b\n$ true\n$ echo c\nc\n"), [])
            self.assertEqual(len(run("$ echo a\nb\n$ echo c\n")), 2)


if __name__ == "__main__":
    unittest.main()
