"""The public headers taken apart: each function with the block above it. Used by docs.py.

SPDX-License-Identifier: MIT
"""
import re

FIELDS = ("Blocks", "From", "Errors", "Fork", "Since")
FUNCTION = re.compile(r"(?:/\*(?P<block>(?:(?!\*/).)*)\*/\n)?(?P<head>(?:PLAIT_API|static inline) [^;{}]*?\b(?P<name>plait_\w+)"
                      r"\((?P<params>[^;{}]*)\)[^;{}()]*(?:__attribute__\s*\(\(.*?\)\))?\s*[;{])", re.DOTALL)
FIELD = re.compile(r"^  (\w[\w, .]*?|\.\.\.)(?: {2,}|$)(.*)$")
ERROR = re.compile(r"^(-E[A-Z0-9]+|PLAIT_E[A-Z]+)(?:\s{2,}|$)(.*)$")
PROSE_ERROR = re.compile(r"-(E[A-Z][A-Z0-9]+)\b|\b(PLAIT_E[A-Z]+)\b")


class Function:
    """One function with its block taken apart: summary, prose, and fields as name -> lines."""

    def __init__(self, header, found):
        self.header, self.name = header, found["name"]
        self.exported = found["head"].startswith("PLAIT_API")
        self.head = re.sub(r"\s+", " ", found["head"].replace("PLAIT_API ", "").rstrip("{; "))
        self.params = re.findall(r"(\w+)(?:\[[^\]]*\])?\s*(?:,|$)", re.sub(r"\([^()]*\*\s*(\w+)\)\([^()]*\)", r"\1",
                                 found["params"]) if found["params"].strip() != "void" else "")
        self.params += ["..."] if "..." in found["params"] else []
        self.block, self.fields, self.prose = found["block"] is not None, {}, []
        lines = [re.sub(r"^ \* ?", "", line) for line in (found["block"] or "").strip().splitlines()]
        self.summary, current = lines[0].strip() if lines else "", None
        for line in lines[1:]:
            match = FIELD.match(line) or self.params and re.match(rf"^  ({'|'.join(self.params)}) (.*)$", line)
            if match:
                current = self.fields.setdefault(match[1], [match[2].strip()])
            elif current is not None and line.strip():
                current.append(line.strip())
            elif current is None:
                self.prose.append(line.rstrip())
        while self.summary and self.prose and self.prose[0]:  # the first sentence may take two lines
            self.summary += " " + self.prose.pop(0).strip()

    def errors(self):
        """[(name, text)] of the Errors field."""
        found = []
        for line in self.fields.get("Errors", ()):
            match = ERROR.match(line)
            if match:
                found.append([match[1], match[2]])
            elif found:
                found[-1][1] += " " + line
        return found

    def field(self, name):
        return " ".join(self.fields.get(name, ()))

    def says(self, name):
        """Is there text for a parameter or field? One line may stand for several names: "argc, argv"."""
        return any(self.field(key) for key in self.fields if name in re.split(r",\s*", key))


def read(root):
    """Every public function, in the order of the headers; an inline one once, where its block is."""
    for header in sorted((root / "include/plait").glob("*.h")):
        seen = set()
        for found in FUNCTION.finditer(header.read_text()):
            if found["block"] is not None or found["name"] not in seen:
                seen.add(found["name"])
                yield Function(header.stem, found)
