#!/usr/bin/env python3
"""Fails on an include that goes upward in src/LAYERS, and on modules that include each other in a circle.

SPDX-License-Identifier: MIT

A module is foo.c with foo.h and foo_private.h: a circle of two of them can neither be read nor tested one at a time, even where the
compiler would take it. An entry of src/LAYERS may be a file; it then is a layer of its own within its folder. A public
header belongs to the lowest layer that has a folder or a file of its name.
"""
import argparse
import pathlib
import re
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.MULTILINE)


def read_layers(root):
    lines = (root / "src/LAYERS").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def layer_of(layers, path):
    """The index of a path below src/: of the file itself if it is listed, else of its folder; None: not listed."""
    for name in (path.as_posix(), path.parent.as_posix()):
        if name in layers:
            return layers.index(name)
    return None


def public_layer(layers, src, path):
    """The layer of include/plait/foo.h."""
    for index, layer in enumerate(layers):
        if layer == path.stem or (src / layer / (path.stem + ".c")).exists():
            return index
    return 0


def resolve(root, file, mark, name):
    """What an include means: ("src", path below src/), ("public", path), ("harness", …), ("system", …) or None."""
    src = root / "src"
    if mark == "<":
        return ("public", pathlib.Path(name)) if name.startswith("plait/") or name == "plait.h" else ("system", name)
    if (src / name).exists():
        return "src", pathlib.Path(name)
    if file.stem.endswith("_test") and (root / "tests/harness" / name).exists():
        return "harness", name
    return None


def module_of(path):
    return path.with_suffix("").as_posix().removesuffix("_private")


def find_circle(graph):
    """One circle as a list of modules, or None."""
    state = {}

    def visit(node, path):
        state[node] = "open"
        for other in sorted(graph.get(node, ())):
            if state.get(other) == "open":
                return path[path.index(other):] + [other]
            if other not in state:
                circle = visit(other, path + [other])
                if circle:
                    return circle
        state[node] = "done"
        return None

    for node in sorted(graph):
        if node not in state:
            circle = visit(node, [node])
            if circle:
                return circle
    return None


def check(root):
    """The list of what is wrong below root."""
    layers, src, wrong = read_layers(root), root / "src", []
    modules, folders = {}, {}
    for file in sorted(list(src.rglob("*.[ch]"))):
        path = file.relative_to(src)
        mine = layer_of(layers, path)
        if mine is None:
            wrong.append(f"src/{path}: its folder is not in src/LAYERS")
            continue
        text = file.read_text(errors="replace")
        for found in INCLUDE.finditer(text):
            where = f"src/{path}:{text.count(chr(10), 0, found.start()) + 1}"
            target = resolve(root, file, *found.groups())
            if target is None:
                wrong.append(f'{where}: "{found.group(2)}" is no file below src/')
                continue
            kind, name = target
            if kind == "public":
                theirs = public_layer(layers, src, name) if name.name != "plait.h" else len(layers)
            elif kind == "src":
                theirs = layer_of(layers, name)
            else:
                continue
            if theirs is not None and theirs > mine:
                wrong.append(f"{where}: {layers[mine]} includes {found.group(2)}, which lies above it")
            if kind == "src" and not file.stem.endswith(("_test", "_fuzz")):
                module, other = module_of(path), module_of(name)
                if module != other:
                    modules.setdefault(module, set()).add(other)
                if theirs is not None and theirs != mine:
                    folders.setdefault(layers[mine], set()).add(layers[theirs])
    for what, graph in (("modules", modules), ("folders", folders)):
        circle = find_circle(graph)
        if circle:
            wrong.append(f"{what} include each other in a circle: {' -> '.join(circle)}")
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
