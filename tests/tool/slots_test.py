"""Slots, while jobs follow each other closely."""

import plaittest


class Slots(plaittest.Case):
    # a job takes its slot's folder and gives it back; one that finds it there shares its slot with another that runs
    TAKE = "mkdir slot.$PLAIT_SLOT && rmdir slot.$PLAIT_SLOT && echo $PLAIT_SLOT"

    def test_no_two_jobs_share_a_slot_while_they_run(self):
        """The next job waits with the keeper: it gets the slot of the one that was over, whichever that is"""
        run = self.ok("-j3", "-n0", self.TAKE, text="x\n" * 400)
        slots = run.out.split()
        self.assertEqual(len(slots), 400)
        self.assertEqual(set(slots), {"1", "2", "3"})

    def test_a_slot_that_the_command_names_is_the_one_it_gets(self):
        """{%} is filled in before the start, PLAIT_SLOT at it"""
        run = self.ok("-j3", "echo {%} $PLAIT_SLOT; : {}", text="x\n" * 200)
        for line in run.out.splitlines():
            named, got = line.split()
            self.assertEqual(named, got)

    def test_every_input_runs_once(self):
        """Whatever the order of starts and ends, failures and second attempts"""
        run = self.plait("-j4", "--retries", "2", "echo {}; exit $(( {} % 3 == 0 ))",
                         text="".join(f"{i}\n" for i in range(400)))
        self.assertEqual(run.code, 1)
        self.assertEqual(sorted(map(int, run.out.split())), list(range(400)))


if __name__ == "__main__":
    plaittest.main()
