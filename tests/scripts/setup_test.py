"""tools/setup installs what is missing, does nothing when all is there, and says what to do where it may not.

SPDX-License-Identifier: MIT
"""
import os
import pathlib
import shutil
import subprocess
import unittest

from support import ROOT, TreeCase

DPKG = """#!/bin/sh
for name; do
    case $name in -*|*'$'*) ;; *) grep -qx "$name" "$FAKE/missing" || echo "$name:amd64 installed" ;; esac
done
"""
APT = """#!/bin/sh
echo "$*" >>"$FAKE/apt"
test ! -e "$FAKE/broken" || { echo "E: no such package"; exit 100; }
"""


class Setup(TreeCase):
    def setUp(self):
        super().setUp()
        for name in ("sh", "sed", "cat", "rm", "mktemp", "env", "grep"):
            (self.root / "bin").mkdir(exist_ok=True)
            (self.root / "bin" / name).symlink_to(shutil.which(name))
        self.fake("id", "#!/bin/sh\necho 0\n")
        self.fake("dpkg-query", DPKG)
        self.fake("apt-get", APT)
        self.write({"missing": ""})

    def fake(self, name, text):
        self.write({f"bin/{name}": text})
        (self.root / "bin" / name).chmod(0o755)

    def run_setup(self, **env):
        return subprocess.run([ROOT / "tools/setup"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              env={"PATH": str(self.root / "bin"), "FAKE": str(self.root), **env})

    def apt_calls(self):
        file = self.root / "apt"
        return file.read_text().splitlines() if file.exists() else []

    def test_nothing_happens_when_all_is_there(self):
        done = self.run_setup()
        self.assertEqual((done.returncode, done.stdout, done.stderr, self.apt_calls()), (0, "", "", []))

    def test_what_is_missing_and_nothing_else_is_installed(self):
        self.write({"missing": "ninja-build\nmandoc\n"})
        done = self.run_setup()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.apt_calls(), ["update", "install -y --no-install-recommends ninja-build mandoc"])
        self.assertIn("installing ninja-build mandoc", done.stderr)

    def test_a_failed_installation_fails_with_what_apt_said(self):
        self.write({"missing": "mandoc\n", "broken": ""})
        done = self.run_setup()
        self.assertEqual(done.returncode, 1)
        self.assertIn("E: no such package", done.stderr)
        self.assertIn("could not install: mandoc", done.stderr)

    def test_without_root_the_command_to_type_is_said(self):
        self.fake("id", "#!/bin/sh\necho 1000\n")
        self.write({"missing": "mandoc\n"})
        done = self.run_setup()
        self.assertEqual((done.returncode, self.apt_calls()), (1, []))
        self.assertIn("apt-get install --no-install-recommends mandoc", done.stderr)

    def test_sudo_is_used_when_it_asks_for_nothing(self):
        self.fake("id", "#!/bin/sh\necho 1000\n")
        self.fake("sudo", '#!/bin/sh\nif [ "$1" = -n ]; then shift; fi\nif [ "$1" = true ]; then exit 0; fi\nexec "$@"\n')
        self.write({"missing": "mandoc\n"})
        self.assertEqual(self.run_setup().returncode, 0)
        self.assertEqual(self.apt_calls(), ["update", "install -y --no-install-recommends mandoc"])

    def test_elsewhere_than_on_debian_the_list_is_said(self):
        (self.root / "bin/dpkg-query").unlink()
        done = self.run_setup()
        self.assertEqual(done.returncode, 1)
        self.assertIn("not Debian", done.stderr)
        self.assertIn("cmake", done.stderr)

    def test_skipping_is_possible_and_said(self):
        self.write({"missing": "mandoc\n"})
        done = self.run_setup(PLAIT_SETUP="skip")
        self.assertEqual((done.returncode, self.apt_calls()), (0, []))
        self.assertIn("going on without: mandoc", done.stderr)


class Run(unittest.TestCase):
    def run_it(self, *words):
        return subprocess.run([ROOT / "run", *words], capture_output=True, text=True, check=False, cwd="/",
                              env={**os.environ, "PLAIT_SETUP": "skip"})

    def test_help_is_help_and_nothing_is_a_usage_error(self):
        self.assertEqual((self.run_it("--help").returncode, self.run_it().returncode), (0, 1))
        self.assertIn("usage: ./run demo", self.run_it("-h").stdout)

    def test_any_target_is_handed_on(self):
        self.assertIn("build", self.run_it("-n", "clean").stdout)

    def test_the_checks_are_what_the_readme_says(self):
        lines = pathlib.Path(ROOT / ".ci/run").read_text().splitlines()
        self.assertTrue(lines[-1].endswith("exec ./run check"))


if __name__ == "__main__":
    unittest.main()
