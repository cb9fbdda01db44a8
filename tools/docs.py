#!/usr/bin/env python3
"""Checks the blocks above the functions in include/plait, and makes man pages and a reference from them.

SPDX-License-Identifier: MIT

Without --out it only checks: every function has a block with a summary, every parameter, Blocks, From, Errors, Fork and
Since, every error named exists, and plait.h includes each header. A foo_sized twin, which passes the size of an options
structure for its reader, may go without. With --out DIR it writes DIR/man3/*.3 and DIR/reference.md instead,
whatever the blocks say: a build must not fail of a missing sentence.
"""
import argparse
import errno
import pathlib
import re
import sys

import headers


def own_errors(root):
    text = "".join(header.read_text() for header in (root / "include/plait").glob("*.h"))
    return set(re.findall(r"\b(PLAIT_E[A-Z]+)\s*=", text))


def check(root):
    """The list of what is wrong below root."""
    wrong, functions, everything = [], list(headers.read(root)), (root / "include/plait.h").read_text()
    wrong += [f"include/plait.h does not include plait/{file.name}" for file in sorted((root / "include/plait").glob("*.h"))
              if f"#include <plait/{file.name}>" not in everything]
    known = own_errors(root) | {name for name in dir(errno) if name.startswith("E")} | {"ENOTSUP"}
    names = {function.name for function in functions if function.block}
    for function in functions:
        where = f"include/plait/{function.header}.h: {function.name}"
        if function.name.endswith("_sized") and function.name[:-len("_sized")] in names:
            continue
        if not function.block or not function.summary:
            wrong.append(f"{where} has no block above it")
            continue
        wrong += [f"{where} does not say: {name}" for name in [*headers.FIELDS, *function.params]
                  if not function.says(name)]
        if "Errors" in function.fields and not function.errors() and not function.field("Errors").startswith("none"):
            wrong.append(f"{where}: Errors lists neither a code nor none")
        text = " ".join([function.summary, *function.prose, *(function.field(name) for name in function.fields)])
        for found in headers.PROSE_ERROR.finditer(text):
            if (found[1] or found[2]) not in known:
                wrong.append(f"{where} names {found[0]}, which does not exist")
    return wrong


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


def man_page(function, version, date):
    lines = [f'.TH {function.name} 3 {date} "plait {version}" "Library Functions"', ".SH NAME",
             f"{function.name} \\- {roff(function.summary.rstrip('.'))}", ".SH SYNOPSIS", ".nf",
             f"#include <plait/{function.header}.h>", "", roff(function.head) + ";", ".fi", ".SH DESCRIPTION"]
    lines += [roff(function.summary)]
    lines += [roff(line.strip()) if line.strip() else ".PP" for line in "\n".join(function.prose).strip().splitlines()]
    for name in function.fields:
        if name == "Errors" and function.errors():
            lines.append(".SH ERRORS")
            for code, text in function.errors():
                lines += [".TP", f".B {roff(code)}", roff(text)]
        elif name in headers.FIELDS or name == "Returns":
            lines += [f".SH {name.upper()}", roff(function.field(name))]
        else:
            lines += [".TP", f".I {roff(name)}", roff(function.field(name))]
    return "\n".join(line or ".sp" for line in lines) + "\n"


def reference(functions):
    text, header = ["# Reference\n\nMade from the headers; one chapter a header.\n"], None
    for function in functions:
        if function.header != header:
            header = function.header
            text.append(f"## `<plait/{header}.h>`\n")
        text += [f"### {function.name}\n\n```c\n{function.head};\n```\n\n{function.summary}\n",
                 "\n".join(function.prose).strip() + "\n"]
        for name, lines in function.fields.items():
            if name == "Errors" and function.errors():
                text.append("- **Errors**")
                text += [f"  - `{code}` {about}" for code, about in function.errors()]
            else:
                text.append(f"- **{name}** {' '.join(lines)}")
        text.append("")
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[1])
    parser.add_argument("--out", type=pathlib.Path, help="write man pages and reference into this folder")
    args = parser.parse_args()
    if args.out:
        version = re.search(r"\bproject\(plait VERSION ([\d.]+)", (args.root / "CMakeLists.txt").read_text())[1]
        date = re.search(r'DATE\s+"(.*)"', (args.root / "src/cmd/version.h").read_text())[1]
        functions = [function for function in headers.read(args.root) if function.block and function.summary]
        (args.out / "man3").mkdir(parents=True, exist_ok=True)
        for function in functions:
            (args.out / "man3" / f"{function.name}.3").write_text(man_page(function, version, date))
        (args.out / "reference.md").write_text(reference(functions))
        return 0
    wrong = check(args.root)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
