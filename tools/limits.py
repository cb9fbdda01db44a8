#!/usr/bin/env python3
"""Fails on a file, function, nesting or parameter list that is longer than the house allows.

SPDX-License-Identifier: MIT

tools/limits.txt excuses places, one a line: KIND PATH[:FUNCTION] MEASURE REASON. The list only shrinks: an excuse whose
place is within the limit, or smaller than the excuse says, fails as well.
"""
import argparse
import pathlib
import re
import sys

LIMITS = {"file": 600, "function": 80, "nesting": 4, "parameters": 5}
FOLDERS = ("src", "include", "tests", "examples", "bench", "tools")
NOISE = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
HEAD = re.compile(r"([A-Za-z_]\w*)\s*\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\s*$")
ATTRIBUTE = re.compile(r"__attribute__\s*\(\(.*?\)\)\s*", re.DOTALL)


def blank(match):
    """Comments, strings and directives count as lines but not as code."""
    return re.sub(r"[^\n]", " ", match.group())


def parameters(text):
    """How many parameters a list between parentheses declares."""
    depth, commas = 0, 0
    for char in text:
        depth += (char == "(") - (char == ")")
        commas += char == "," and depth == 0
    return 0 if text.strip() in ("", "void") else commas + 1


def functions(text):
    """Yields (name, lines, nesting, parameters) of each function defined in a C text."""
    text = DIRECTIVE.sub(blank, NOISE.sub(blank, text))
    depth, start, head_from, deepest, name, count = 0, 0, 0, 0, None, 0
    for found in re.finditer(r"[{};]", text):
        char, at = found.group(), found.start()
        if char == "{":
            if depth == 0:
                head = ATTRIBUTE.sub("", text[head_from:at]).rstrip()
                match = HEAD.search(head)
                name = match.group(1) if match else None
                if match:
                    count = parameters(match.group(2)) - name.endswith("_sized")  # the twin's size is no one's choice
                    lead = re.search(r"\S", text[head_from:at])
                    start = head_from + (lead.start() if lead else 0)
            deepest = depth if name and depth > deepest else deepest
            depth += 1
        elif char == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if name:
                    yield name, text.count("\n", start, at) + 1, deepest, count
                name, deepest, head_from = None, 0, at + 1
        elif depth == 0:
            head_from = at + 1


def measure(root):
    """Yields (kind, place, measure) of everything that has a limit."""
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in (".c", ".h", ".py", ".cc") or not file.is_file():
                continue
            text, path = file.read_text(errors="replace"), file.relative_to(root).as_posix()
            yield "file", path, text.count("\n")
            if file.suffix in (".c", ".h"):
                for name, lines, nesting, count in functions(text):
                    yield "function", f"{path}:{name}", lines
                    yield "nesting", f"{path}:{name}", nesting
                    yield "parameters", f"{path}:{name}", count


def read_excuses(root, wrong):
    """{(kind, place): allowed} from tools/limits.txt."""
    excuses, file = {}, root / "tools/limits.txt"
    for line in file.read_text().splitlines() if file.exists() else ():
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(None, 3)
        if len(words) < 4 or words[0] not in LIMITS or not words[2].isdigit():
            wrong.append(f"tools/limits.txt: not KIND PLACE MEASURE REASON: {line}")
            continue
        excuses[words[0], words[1]] = int(words[2])
    return excuses


def check(root):
    """The list of what is wrong below root."""
    wrong = []
    excuses = read_excuses(root, wrong)
    for kind, place, size in measure(root):
        allowed = excuses.pop((kind, place), None)
        if allowed is not None and size <= LIMITS[kind]:
            wrong.append(f"{place}: {kind} {size} needs no excuse any more; remove it from tools/limits.txt")
        elif allowed is not None and size < allowed:
            wrong.append(f"{place}: {kind} shrank to {size}; say so in tools/limits.txt")
        elif size > (allowed or LIMITS[kind]):
            wrong.append(f"{place}: {kind} {size}, and {allowed or LIMITS[kind]} is the limit")
    wrong += [f"{place}: {kind} is excused in tools/limits.txt but not there" for kind, place in excuses]
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    wrong = check(parser.parse_args().root)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
