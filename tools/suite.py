"""One suite of tools/check: runs commands into a log, and counts.

SPDX-License-Identifier: MIT
"""
import os
import re
import subprocess
import xml.etree.ElementTree

CPUS = str(len(os.sched_getaffinity(0)))
AT_ONCE = str(len(os.sched_getaffinity(0)) + 1)  # tests; many of them sleep for most of their time
SKIPPED_CASE = re.compile(r"^(?:skipped\s+(\w+) \(|(\w+) \(.*\) \.\.\. skipped)", re.MULTILINE)
SKIPPED_COUNT = re.compile(r"^OK \(.*skipped=(\d+)", re.MULTILINE)


class Suite:
    """One suite while it runs: its log, and what it counts."""

    def __init__(self, root, name, full=False):
        self.root, self.name, self.full = root, name, full
        self.passed, self.failed, self.skips, self.details = 0, [], [], []
        self.logs = root / "build/check"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.log = (self.logs / f"{name}.log").open("w", buffering=1)

    def run(self, *words, **env):
        """Runs a command into the log; True if it ended well."""
        words = [str(word) for word in words]
        self.log.write(f"$ {' '.join(words)}\n")
        done = subprocess.run(words, cwd=self.root, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              env={**os.environ, **env}, check=False)
        return done.returncode == 0

    def step(self, title, *words, **env):
        """A command that counts as one check."""
        start = os.path.getsize(self.log.name)
        if self.run(*words, **env):
            self.passed += 1
            return
        self.failed.append(title)
        with open(self.log.name, "rb") as log:
            log.seek(start)
            self.details += [line[:200] for line in log.read().decode(errors="replace").splitlines()[:25]]

    def build(self, preset, *options, target="all"):
        """Configures and builds a preset. Only a failure counts: a build is no test."""
        good = self.run("cmake", "--preset", preset, *options) and \
            self.run("cmake", "--build", f"build/{preset}", "-j", CPUS, "--target", target)
        if not good:
            self.failed.append(f"build of {preset}")
        return good

    def ctest(self, preset, *selection):
        """Runs tests of a build, each once, and counts each."""
        report = self.logs / f"{self.name}.xml"
        report.unlink(missing_ok=True)
        self.run("ctest", "--test-dir", f"build/{preset}", "-j", AT_ONCE, "--output-on-failure", "--output-junit", report,
                 "--test-output-size-passed", 1 << 20, *selection)
        cases = xml.etree.ElementTree.parse(report).getroot().findall("testcase") if report.exists() else []
        if not cases:
            self.failed.append(f"no test in build/{preset} is selected by {' '.join(selection)}")
        for case in cases:
            name, status = case.get("name"), case.get("status")
            if status == "run":
                self.passed += 1
            elif status != "notrun" or case.find("skipped") is None or "SKIP_RETURN_CODE" not in case.find("skipped").get(
                    "message", ""):
                self.failed.append(name)
                self.details += (case.findtext("system-out") or "").splitlines()[-25:]
                continue
            self.count_skips(name, status, case.findtext("system-out") or "")

    def count_skips(self, name, status, output):
        """Fails unless each skip within a test is one that tests/skips.txt lists."""
        skipped = [f"{name}.{match[1] or match[2]}" for match in SKIPPED_CASE.finditer(output)]
        if not skipped and (status != "run" or SKIPPED_COUNT.search(output)):
            skipped = [name]
        listed = {line.split(":")[0] for line in (self.root / "tests/skips.txt").read_text().splitlines()}
        self.skips += skipped
        self.failed += [f"{skip} was skipped, and tests/skips.txt does not list it" for skip in skipped
                        if skip not in listed and name not in listed]

    def verdict(self, took, budget):
        """The line of the suite, and what failed."""
        over = ", OVER ITS BUDGET" if took > budget else ""
        skips = f", {len(self.skips)} skipped" if self.skips else ""
        lines = [f"{'FAILED' if self.failed else 'ok'} ({took:.0f} s of {budget}{over}): {self.passed} passed{skips}"]
        if self.failed:
            self.log.flush()
            log = (self.logs / f"{self.name}.log").read_text(errors="replace").splitlines()
            lines += [f"    {failure}" for failure in self.failed]
            lines += [f"    | {line}" for line in self.details or log[-40:]]
            lines.append(f"    (all of it: build/check/{self.name}.log)")
        return "\n".join(lines)
