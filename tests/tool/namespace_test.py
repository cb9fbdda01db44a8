"""plait map where /proc is that of another pid namespace: the numbers there are not those of the processes here."""

import subprocess

import plaittest

# One namespace in another, with the /proc of the outer one. Numbers begin anew in both, so that most of those in /proc
# are also numbers here, of others: the process that is 3 inside is 5 in /proc, and 3 in /proc is the first one inside.
WAYS = [], ["--user", "--map-root-user"]  # root's, and what other users may have
OUTER = ["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh"]
INNER = ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c"]

# plait is 2, its keeper 3, the job 4; then come the strangers. To be gone means to be reaped, too.
INSIDE = """
    "$PLAIT" map --kill-after 1000 "$@" ./job ::: a &
    plait=$!
    read x <ready
    for i in 1 2 3 4 5 6 7 8 9 10; do
        sleep 1000 &
        strangers="$strangers $!"
    done
    [ -z "$SIGNAL" ] || kill -$SIGNAL $plait
    wait $plait
    echo "exit $?"
    read left <left
    kill -0 $left 2>/dev/null || echo "what the job left is gone"
    for pid in $strangers; do
        kill -USR1 $pid
        wait $pid
        [ $? = 138 ] || echo "somebody else was hit"
    done
"""


def has_other_proc(way):
    try:
        done = subprocess.run(["unshare", *way, *OUTER, *INNER, "readlink /proc/self; :"], capture_output=True,
                              timeout=plaittest.LIMIT, check=False)
    except FileNotFoundError:
        return False
    return (done.returncode, done.stdout) == (0, b"4\n")


class OtherProc(plaittest.Case):
    def run_inside(self, *options, sends="", code):
        way = next(filter(has_other_proc, WAYS), None)
        if way is None:
            self.skipTest("no pid namespaces can be made here")
        ready = self.fifo("ready")
        self.script("job", f"sleep 1000 & echo $! >left; echo >{ready.path}; wait")
        run = self.end(self.start(*way, *OUTER, *INNER, INSIDE, "sh", *options, program="unshare", verb=(),
                                  env={"PLAIT": plaittest.PLAIT, "SIGNAL": sends}))
        self.assertEqual(run.lines, [f"exit {code}", "what the job left is gone"], run)
        return run

    def test_a_time_out_ends_the_group_of_the_job_and_nobody_else(self):
        self.assertIn("timed out", self.run_inside("--timeout", "1", code=1).err)

    def test_so_does_a_signal(self):
        self.run_inside(sends="TERM", code=143)


if __name__ == "__main__":
    plaittest.main()
