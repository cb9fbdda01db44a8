"""An installed plait is what a stranger needs: consumers in C11 and C++17, by pkg-config and by CMake, static and shared.

SPDX-License-Identifier: MIT
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("PLAIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("PLAIT_BUILD", SOURCE / "build")).resolve()
HERE = pathlib.Path(__file__).resolve().parent
VERSION = re.search(r"project\(plait VERSION ([\d.]+)", (SOURCE / "CMakeLists.txt").read_text())[1]
sys.path.insert(0, str(SOURCE / "tools"))

import headers  # noqa: E402  (needs the path above)


def run(*words, **options):
    """Runs a command that must succeed; returns its standard output."""
    options.setdefault("timeout", 100)
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        cls.prefix = cls.scratch / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.libdir = next(cls.prefix.rglob("libplait.so")).parent
        cls.env = {**os.environ, "PKG_CONFIG_PATH": str(cls.libdir / "pkgconfig"),
                   "LD_LIBRARY_PATH": str(cls.libdir)}

    def pkg_config(self, *options):
        return run("pkg-config", *options, "plait", env=self.env).split()

    def build_and_run(self, compiler, source, *libs):
        program = self.scratch / "consumer"
        run(*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", program, HERE / source,
            *self.pkg_config("--cflags"), *libs)
        out = run(program, env=self.env)
        self.assertEqual(out, f"plait {VERSION} says ETIMEDOUT\n")
        return run("ldd", program)

    def test_pkg_config_consumers_build_and_run(self):
        for compiler, source in ((("cc", "-std=c11"), "consumer.c"), (("c++", "-std=c++17"), "consumer.cc")):
            with self.subTest(source=source, library="shared"):
                self.assertIn("libplait.so.0", self.build_and_run(compiler, source, *self.pkg_config("--libs")))
            with self.subTest(source=source, library="static"):
                ours = self.pkg_config("--libs-only-L", "--libs-only-l")
                below = [word for word in self.pkg_config("--static", "--libs") if word not in ours]
                libs = ["-Wl,-Bstatic", *ours, "-Wl,-Bdynamic", *below]
                self.assertNotIn("libplait", self.build_and_run(compiler, source, *libs))

    def test_cmake_consumers_build_and_run(self):
        build = self.scratch / "consumer-build"
        run("cmake", "-G", "Ninja", "-S", HERE / "consumer", "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)
        for program in ("c-shared", "c-static", "cc-shared", "cc-static"):
            with self.subTest(program=program):
                self.assertEqual(run(build / program), f"plait {VERSION} says ETIMEDOUT\n")
                self.assertEqual("libplait" in run("ldd", build / program), program.endswith("shared"))

    def test_a_wrong_version_is_refused(self):
        with self.assertRaisesRegex(AssertionError, "version"):
            run("cmake", "-G", "Ninja", "-S", HERE / "consumer", "-B", self.scratch / "wrong-version",
                f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DWANTED=99.0")

    def test_every_part_says_the_same_version(self):
        self.assertEqual(self.pkg_config("--modversion"), [VERSION])
        self.assertIn(VERSION, run(self.prefix / "bin/plait", "--version"))
        self.assertIn(f"## {VERSION}", (SOURCE / "CHANGELOG.md").read_text())

    def test_each_public_header_compiles_alone(self):
        include, empty = self.prefix / "include", self.scratch / "empty.c"
        empty.write_text("typedef int something;\n")  # ISO C forbids nothing at all
        found = sorted(include.rglob("*.h"))
        self.assertGreater(len(found), 5)
        for header in found:
            name = header.relative_to(include)
            for compiler in (["cc", "-x", "c", "-std=c99", "-pedantic-errors"], ["c++", "-x", "c++", "-std=c++17"]):
                with self.subTest(header=str(name), compiler=compiler[0]):
                    run(*compiler, "-Wall", "-Wextra", "-Wno-unused", "-Werror", "-fsyntax-only", "-I", include,
                        "-include", header, empty)

    def test_the_exported_symbols_are_the_documented_ones(self):
        lines = run("nm", "-D", "--defined-only", self.libdir / "libplait.so").splitlines()
        exported = {line.split()[2].split("@")[0] for line in lines if line.split()[1] != "A"}
        self.assertEqual(exported, {function.name for function in headers.read(SOURCE) if function.exported})

    def test_no_internal_symbol_of_the_archive_is_outside_our_names(self):
        lines = run("nm", "--defined-only", "--extern-only", self.libdir / "libplait.a").splitlines()
        names = {line.split()[2] for line in lines if len(line.split()) == 3}
        self.assertEqual({name for name in names if not name.startswith("plait_")}, set())

    def test_a_staged_install_writes_only_below_destdir(self):
        stage = self.scratch / "stage"
        run("cmake", "--install", BUILD, "--prefix", "/opt/plait", env={**os.environ, "DESTDIR": str(stage)})
        self.assertEqual([path.name for path in stage.iterdir()], ["opt"])
        for name in ("bin/plait", "include/plait.h", "share/man/man1/plait.1", "share/man/man1/plait-map.1",
                     "share/man/man3/plait_strerror.3", "share/bash-completion/completions/plait",
                     "share/zsh/site-functions/_plait", "share/fish/vendor_completions.d/plait.fish"):
            path = stage / "opt/plait" / name
            self.assertTrue(path.is_file() and path.stat().st_size > 0, name)
        for file in stage.rglob("*.pc"):
            self.assertNotIn(str(stage), file.read_text())

    def test_the_tool_is_one_file(self):
        moved = self.scratch / "elsewhere"
        moved.mkdir()
        shutil.copy(self.prefix / "bin/plait", moved)
        self.assertIn(VERSION, run(moved / "plait", "--version", env={"PATH": "/usr/bin:/bin"}))

    def test_the_man_pages_are_clean(self):
        pages = sorted((self.prefix / "share/man").rglob("*.[13]"))
        self.assertEqual(run("mandoc", "-T", "lint", "-W", "warning", *pages), "")


class LeftOut(unittest.TestCase):
    def test_it_builds_without_jansson(self):
        with tempfile.TemporaryDirectory() as scratch:
            run("cmake", "-G", "Ninja", "-S", SOURCE, "-B", scratch, "-DPLAIT_JANSSON=OFF", "-DPLAIT_TESTS=OFF",
                "-DPLAIT_WERROR=ON", "-DCMAKE_BUILD_TYPE=Debug", timeout=60)
            run("cmake", "--build", scratch, "--target", "plait-tool", timeout=100)
            tool = pathlib.Path(scratch) / "plait"
            self.assertNotIn("jansson", run("ldd", tool))
            self.assertEqual(run(tool, "map", "-k", "echo", ":::", "a", "b"), "a\nb\n")


if __name__ == "__main__":
    unittest.main()
