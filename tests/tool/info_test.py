"""plait info: text, JSON, wrong command lines, limits as they are."""

import json
import os
import re
import resource
import subprocess
import unittest

PLAIT = os.environ["PLAIT"]


def info(*words, limit=None, **env):
    def lower():
        if limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    return subprocess.run([PLAIT, "info", *words], env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30, preexec_fn=lower)


def has_json():
    return "jansson" in info().stdout


def value_of(text, label):
    return re.search(rf"^ +{re.escape(label)}  +(.*)$", text, re.M).group(1).split("  ")[0]


class Text(unittest.TestCase):
    def test_groups_are_aligned_and_nothing_is_wider_than_a_screen(self):
        run = info()
        self.assertEqual(run.returncode, 0)
        self.assertEqual(run.stderr, "")
        for line in run.stdout.splitlines():
            self.assertLessEqual(len(line), 120, line)
            if line.startswith("  "):
                self.assertRegex(line, r"^.{20} \S", line)
        for group in ("plait", "system", "cpus", "memory", "limits", "kernel features"):
            self.assertIn(group, run.stdout.splitlines())

    def test_used_cpus_follow_the_affinity(self):
        cpu = min(os.sched_getaffinity(0))
        run = subprocess.run(["taskset", "-c", str(cpu), PLAIT, "info"], capture_output=True, text=True, timeout=30)
        self.assertEqual(value_of(run.stdout, "affinity"), "1")
        self.assertEqual(value_of(run.stdout, "used"), "1")

    def test_jobs_that_fit_follow_the_limit_of_open_files(self):
        run = info(limit=256)
        self.assertEqual(value_of(run.stdout, "open files"), "256")
        self.assertEqual(value_of(run.stdout, "jobs that fit"), "120")

    def test_features_switched_off_are_said_to_be(self):
        run = info(PLAIT_DISABLE="all")
        self.assertIn("disabled   by PLAIT_DISABLE", run.stdout)
        self.assertNotRegex(run.stdout, r"(?m)^  [a-z_]+ +on ")


class Json(unittest.TestCase):
    def setUp(self):
        if not has_json():
            self.skipTest("plait was built without jansson")

    def test_one_object_in_one_line(self):
        run = info("--json")
        self.assertEqual(run.returncode, 0)
        self.assertEqual(run.stdout.count("\n"), 1)
        facts = json.loads(run.stdout)
        self.assertEqual(facts["limits"]["open_files"], resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self.assertEqual(facts["cpus"]["affinity"], len(os.sched_getaffinity(0)))
        self.assertLessEqual(1, facts["cpus"]["used"])
        self.assertGreater(facts["memory"]["total_bytes"], 1 << 20)

    def test_what_is_not_limited_is_null(self):
        facts = json.loads(info("--json").stdout)
        for value in (facts["cpus"]["cgroup_quota"], facts["limits"]["cgroup_processes"]):
            self.assertTrue(value is None or value > 0)


class Wrong(unittest.TestCase):
    def test_unknown_option_is_answered_with_the_one_that_was_meant(self):
        run = info("--jsn")
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("did you mean '--json'", run.stderr)

    def test_words_are_refused(self):
        run = info("everything")
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("everything", run.stderr)

    def test_full_disk_is_a_failure_and_a_closed_reader_is_none(self):
        with open("/dev/full", "w") as full:
            run = subprocess.run([PLAIT, "info"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
        self.assertEqual(run.returncode, 125)
        self.assertIn("No space left", run.stderr)


if __name__ == "__main__":
    unittest.main()
