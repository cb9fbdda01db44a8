#!/usr/bin/env python3
"""Compiles and runs every program that the documentation shows, and compares what it prints with what it says.

SPDX-License-Identifier: MIT

Programs are examples/*.c and the ```c blocks with a main() of README.md and docs/*.md; each ends with a comment
`/* prints: … */`, whose lines are the whole output. The programs of the guides are files of their own, examples/guide/NAME.c,
and print what NAME.out says: a page shows such a program whole, and behind it, in a ```text block, what it prints; each of
them is on some page. A line ` * needs: NAME` in one names a pkg-config package; where that
is not installed, the program is left out with a word. In ```console blocks each `$ command` is run by sh in an empty folder
with the built tool in PATH, and the lines up to the next `$` are its output. PLAIT_BUILD names the build directory, CC
the compiler.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(os.environ.get("PLAIT_SOURCE", pathlib.Path(__file__).resolve().parents[1]))
BUILD = pathlib.Path(os.environ.get("PLAIT_BUILD", ROOT / "build")).resolve()
NEEDS = re.compile(r"^ \* needs: (\S+)$", re.MULTILINE)
PRINTS = re.compile(r"/\*\s*prints:\n?(.*?)\s*\*/\s*\Z", re.DOTALL)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def expected(source):
    """What the comment at the end of a program says it prints; None: there is no such comment."""
    match = PRINTS.search(source)
    if match is None:
        return None
    return "".join(re.sub(r"^ ?\* ?", "", line).strip() + "\n" for line in match[1].splitlines())


def strip_lines(text):
    return "".join(line.strip() + "\n" for line in text.splitlines())


def compare(what, got, want):
    if got == want:
        return []
    return [f"{what} prints\n{got.rstrip()}\n--- and says that it prints\n{want.rstrip()}"]


def flags_of(package):
    """What pkg-config says of a package; None: it is not installed."""
    try:
        asked = subprocess.run(["pkg-config", "--cflags", "--libs", package], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return shlex.split(asked.stdout) if asked.returncode == 0 else None


def private_libs():
    """What the static library stands on, as its pkg-config file says."""
    return re.search(r"^Libs.private: (.*)$", (BUILD / "plait.pc").read_text(), re.M).group(1).split()


def read_guide(folder):
    """What the programs of the guides print, by their sources."""
    outs = {file: file.with_suffix(".out") for file in sorted(folder.glob("*.c"))}
    return {file.read_text(): out.read_text() if out.exists() else "" for file, out in outs.items()}


def check_shown(where, source, behind, guide):
    """A program of the guides on a page: is what it prints behind it?"""
    want = f"\n```text\n{guide[source]}```\n"
    return [] if behind.startswith(want) else [f"{where}: behind the program what it prints is missing:{want}"]


def run_program(what, source, folder, want=None):
    """Compiles one program as C11 with warnings and runs it; the list of what is wrong."""
    want = expected(source) if want is None else want
    if want is None:
        return [f"{what}: no /* prints: … */ at its end"]
    flags = []
    for package in NEEDS.findall(source):
        more = flags_of(package)
        if more is None:
            print(f"{what}: left out, {package} is not installed")
            return []
        flags += more
    file, program = folder / "example.c", folder / "example"
    file.write_text(source)
    command = [*shlex.split(os.environ.get("CC", "cc")), "-std=gnu11", "-Wall", "-Wextra", "-Werror",
               *shlex.split(os.environ.get("PLAIT_FLAGS", "")), "-I", ROOT / "include", "-o", program, file,
               BUILD / "libplait.a", *private_libs(), *flags]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        return [f"{what} does not compile:\n{built.stderr}"]
    ran = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False, cwd=folder)
    if ran.returncode != 0:
        return [f"{what} ends with {ran.returncode}: {ran.stderr}"]
    return compare(what, strip_lines(ran.stdout), strip_lines(want))


def run_console(what, text, folder):
    """Runs the commands of a console block one after the other; the list of what is wrong."""
    wrong, env = [], {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        length = next(i for i, line in enumerate(lines, 1) if not line.endswith("\\\n"))
        command = "".join(lines[:length])
        ran = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                             check=False, env=env, cwd=folder, stdin=subprocess.DEVNULL)
        wrong += compare(f"{what}: $ {command.strip()}", ran.stdout, "".join(lines[length:]).rstrip("\n") + "\n"
                         if "".join(lines[length:]).strip() else "")
    return wrong


def find_jobs(guide):
    """What is to be run, as (where, kind, source), and what is wrong already."""
    jobs = [(file.relative_to(ROOT), "c", file.read_text())
            for file in sorted((ROOT / "examples").glob("*.c")) + sorted((ROOT / "examples/guide").glob("*.c"))]
    wrong, shown = [], set()
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = page.read_text()
        for block in BLOCK.finditer(text):
            where = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, block.start()) + 1}"
            if block[2] in guide:
                shown.add(block[2])
                wrong += check_shown(where, block[2], text[block.end() + 1:], guide)
            elif block[1] == "console" or (block[1] == "c" and re.search(r"\bmain\(", block[2])):
                jobs.append((where, block[1], block[2]))
    wrong += [f"{what} is on no page" for what, _, source in jobs if source in guide and source not in shown]
    return jobs, wrong


def main():
    guide = read_guide(ROOT / "examples/guide")
    jobs, wrong = find_jobs(guide)
    for what, kind, source in jobs:
        with tempfile.TemporaryDirectory() as folder:
            if kind == "console":
                wrong += run_console(what, source, pathlib.Path(folder))
            else:
                wrong += run_program(what, source, pathlib.Path(folder), guide.get(source))
    for line in wrong:
        print(line)
    print(f"{len(jobs)} programs and consoles, {len(wrong)} wrong")
    return 1 if wrong or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
