/* The contract of barriers.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

enum {
    PARTIES = 4
};

static plait_barrier *make_barrier(uint32_t parties)
{
    plait_barrier *barrier = make(sizeof *barrier);

    CHECK_INT(plait_barrier_init(barrier, parties), 0);
    return barrier;
}

static int walk_in_step(void *arg)
{
    for (uint32_t round = 1; round <= 200; round++) {
        int rc;
        add_number(0);
        rc = plait_barrier_wait(arg, PLAIT_FOREVER);
        CHECK(rc >= 0 && rc < PARTIES);
        CHECK(number(0) >= round * PARTIES);
        if (rc == PARTIES - 1)
            add_number(1);
        CHECK(plait_barrier_wait(arg, PLAIT_FOREVER) >= 0);
        CHECK_INT(number(1), round); /* one of them is the last */
    }
    return 0;
}

CLAIM(all_go_on_when_the_last_one_has_come)
{
    plait_barrier *barrier = make_barrier(PARTIES);
    plait_task *tasks[PARTIES];

    CHECK_INT(sizeof *barrier, 512);
    for (int i = 0; i < PARTIES; i++)
        tasks[i] = start(walk_in_step, barrier);
    for (int i = 0; i < PARTIES; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(number(0), 200 * PARTIES);
    CHECK_INT(plait_barrier_waiting(barrier), 0);
    CHECK(!plait_barrier_is_broken(barrier));
}

/* Its index, or which error. */
static int arrive(void *arg)
{
    int rc = plait_barrier_wait(arg, PLAIT_FOREVER);

    return rc == PLAIT_EBROKEN ? 1000 : rc;
}

static void start_waiters(plait_barrier *barrier, plait_task **ret_tasks, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        ret_tasks[i] = start(arrive, barrier);
        UNTIL(plait_barrier_waiting(barrier) == i + 1);
    }
}

CLAIM(each_is_told_which_one_it_was)
{
    plait_barrier *barrier = make_barrier(3);
    plait_task *tasks[2];

    start_waiters(barrier, tasks, 2);
    CHECK_INT(plait_barrier_wait(barrier, PLAIT_NOWAIT), 2); /* the last one does not wait */
    CHECK_INT(join(tasks[0]), 0);
    CHECK_INT(join(tasks[1]), 1);
    CHECK_INT(plait_barrier_init(barrier, 1), 0);
    CHECK_INT(plait_barrier_wait(barrier, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_barrier_wait(barrier, PLAIT_NOWAIT), 0);
}

/* ---- the action ---- */

static int act(void *arg)
{
    a_moment(); /* nobody goes on meanwhile */
    add_number(0);
    return arg != NULL ? -EIO : 0;
}

static int arrive_with_action(void *arg)
{
    int rc = plait_barrier_wait_action(arg, act, NULL, PLAIT_FOREVER);

    CHECK_INT(number(0), 1);
    return rc;
}

CLAIM(one_of_them_acts_before_all_go_on)
{
    plait_barrier *barrier = make_barrier(3);
    plait_task *tasks[3];
    int sum = 0;

    for (int i = 0; i < 3; i++)
        tasks[i] = start(arrive_with_action, barrier);
    for (int i = 0; i < 3; i++)
        sum += join(tasks[i]);
    CHECK_INT(sum, 0 + 1 + 2);
    CHECK_INT(number(0), 1);
}

CLAIM(an_action_that_fails_breaks_the_barrier)
{
    plait_barrier *barrier = make_barrier(2);
    plait_task *task;

    start_waiters(barrier, &task, 1);
    CHECK_INT(plait_barrier_wait_action(barrier, act, barrier, PLAIT_FOREVER), -EIO);
    CHECK_INT(join(task), 1000);
    CHECK(plait_barrier_is_broken(barrier));
}

static int act_for_long(void *arg)
{
    UNTIL(plait_barrier_is_broken(arg)); /* somebody could not wait for us */
    return 0;
}

static int arrive_and_act_for_long(void *arg)
{
    int rc;

    UNTIL(plait_barrier_waiting(arg) == 1 || plait_barrier_is_broken(arg)); /* the last one acts */
    rc = plait_barrier_wait_action(arg, act_for_long, arg, PLAIT_FOREVER);
    return rc == PLAIT_EBROKEN ? 1000 : rc;
}

CLAIM(a_deadline_that_passes_during_the_action_breaks_the_barrier)
{
    plait_barrier *barrier = make_barrier(2);
    plait_task *task = start(arrive_and_act_for_long, barrier);

    CHECK_INT(plait_barrier_wait(barrier, plait_after_ms(200)), -ETIMEDOUT);
    CHECK_INT(join(task), 1000);
}

/* ---- broken ---- */

CLAIM(who_cannot_wait_any_longer_breaks_the_barrier_for_all)
{
    plait_barrier *barrier = make_barrier(PARTIES);
    plait_task *tasks[2];
    plait_deadline soon = plait_after_ms(20);

    start_waiters(barrier, tasks, 2);
    CHECK_INT(plait_barrier_wait(barrier, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK(plait_barrier_is_broken(barrier));
    CHECK_INT(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
    for (int i = 0; i < 2; i++)
        CHECK_INT(join(tasks[i]), 1000);
    CHECK_INT(plait_barrier_waiting(barrier), 0);
}

CLAIM(an_abort_breaks_the_barrier_and_a_reset_makes_it_new)
{
    plait_barrier *barrier = make_barrier(3);
    plait_task *tasks[2];

    start_waiters(barrier, tasks, 2);
    CHECK_INT(plait_barrier_abort(barrier), 0);
    CHECK_INT(plait_barrier_abort(barrier), 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(join(tasks[i]), 1000);
    CHECK_INT(plait_barrier_wait(barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
    CHECK_INT(plait_barrier_reset(barrier), 0);
    CHECK(!plait_barrier_is_broken(barrier));
    start_waiters(barrier, tasks, 2);
    CHECK_INT(plait_barrier_wait(barrier, PLAIT_FOREVER), 2);
    for (int i = 0; i < 2; i++)
        CHECK_INT(join(tasks[i]), i);
}

CLAIM(a_reset_sends_those_away_who_wait)
{
    plait_barrier *barrier = make_barrier(3);
    plait_task *tasks[2];

    for (int i = 0; i < 3; i++) {
        start_waiters(barrier, tasks, 2);
        CHECK_INT(plait_barrier_reset(barrier), 0);
        CHECK(!plait_barrier_is_broken(barrier));
        for (int k = 0; k < 2; k++)
            CHECK_INT(join(tasks[k]), 1000);
    }
    CHECK_INT(plait_barrier_reset(barrier), 0);
}

static int be_sent_away_and_come_back(void *arg)
{
    for (int round = 0; round < 20; round++) {
        CHECK_INT(plait_barrier_wait(arg, PLAIT_FOREVER), PLAIT_EBROKEN);
        CHECK(plait_barrier_wait(arg, PLAIT_FOREVER) >= 0);
    }
    return 0;
}

CLAIM(those_whom_a_reset_sends_away_may_come_back_at_once)
{
    plait_barrier *barrier = make_barrier(PARTIES);
    plait_task *tasks[PARTIES - 1];

    for (int i = 0; i < PARTIES - 1; i++)
        tasks[i] = start(be_sent_away_and_come_back, barrier);
    for (int round = 0; round < 20; round++) {
        UNTIL(plait_barrier_waiting(barrier) == PARTIES - 1);
        CHECK_INT(plait_barrier_reset(barrier), 0);
        CHECK(plait_barrier_wait(barrier, PLAIT_FOREVER) >= 0);
    }
    for (int i = 0; i < PARTIES - 1; i++)
        CHECK_INT(join(tasks[i]), 0);
}

CLAIM(who_comes_too_late_breaks_the_barrier_unless_it_is_the_last)
{
    plait_barrier *barrier = make_barrier(2);
    plait_task *task;

    start_waiters(barrier, &task, 1);
    CHECK_INT(plait_barrier_wait(barrier, plait_after_ms(-1)), 1);
    CHECK_INT(join(task), 0);
    CHECK_INT(plait_barrier_wait(barrier, plait_after_ms(-1)), -ETIMEDOUT);
    CHECK(plait_barrier_is_broken(barrier));
    CHECK_INT(plait_barrier_wait(barrier, plait_after_ms(-1)), PLAIT_EBROKEN);
}

CLAIM_OF_THREADS(a_cancelled_task_breaks_the_barrier)
{
    plait_barrier *barrier = make_barrier(3);
    plait_task *tasks[2];

    start_waiters(barrier, tasks, 2);
    cancel_it(tasks[0]);
    CHECK_INT(join(tasks[1]), 1000);
}

TEST(a_bad_barrier_is_refused)
{
    plait_barrier barrier = { 0 };

    CHECK_INT(plait_barrier_init(NULL, 1), -EINVAL);
    CHECK_INT(plait_barrier_init(&barrier, 0), -EINVAL);
    CHECK_INT(plait_barrier_init(&barrier, UINT32_MAX), -EINVAL);
    CHECK_INT(plait_barrier_wait(&barrier, PLAIT_FOREVER), -EINVAL); /* never begun */
    CHECK_INT(plait_barrier_wait(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_barrier_abort(NULL), -EINVAL);
    CHECK_INT(plait_barrier_reset(NULL), -EINVAL);
    CHECK(!plait_barrier_is_broken(NULL));
    CHECK_INT(plait_barrier_waiting(NULL), 0);
    CHECK_STR(plait_errname(PLAIT_EBROKEN), "PLAIT_EBROKEN");
}

static void arrive_as_child(void *arg)
{
    CHECK_INT(plait_barrier_wait(arg, PLAIT_NOWAIT), -ETIMEDOUT);
}

CLAIM(a_forked_child_arrives_at_the_same_barrier_in_the_heap)
{
    plait_barrier *barrier = make_barrier(2);

    in_forked_child(arrive_as_child, barrier);
    CHECK_INT(plait_barrier_is_broken(barrier), !is_private);
}

/* ---- death ---- */

CLAIM_OF_PROCESSES(the_death_of_one_who_waits_breaks_the_barrier)
{
    plait_barrier *barrier = make_barrier(PARTIES);
    plait_task *tasks[3];

    start_waiters(barrier, tasks, 3);
    kill_it(tasks[1]);
    CHECK_INT(join(tasks[0]), 1000);
    CHECK_INT(join(tasks[2]), 1000);
    CHECK(plait_barrier_is_broken(barrier));
    CHECK_INT(plait_barrier_reset(barrier), 0);
    start_waiters(barrier, tasks, 3);
    CHECK_INT(plait_barrier_wait(barrier, PLAIT_FOREVER), 3);
    for (int i = 0; i < 3; i++)
        CHECK_INT(join(tasks[i]), i);
}

static int die(void *arg)
{
    (void)arg;
    raise(SIGKILL);
    return 0;
}

static int arrive_and_die_acting(void *arg)
{
    return plait_barrier_wait_action(arg, die, NULL, PLAIT_FOREVER);
}

CLAIM_OF_PROCESSES(the_death_of_one_who_acts_breaks_the_barrier)
{
    plait_barrier *barrier = make_barrier(3);
    plait_task *tasks[2];

    start_waiters(barrier, tasks, 2);
    see_killed(start(arrive_and_die_acting, barrier));
    for (int i = 0; i < 2; i++)
        CHECK_INT(join(tasks[i]), 1000);
}

static int arrive_until_killed(void *arg)
{
    while (number(7) == 0) {
        int rc = plait_barrier_wait(arg, PLAIT_FOREVER);
        CHECK((rc >= 0 && rc < 3) || rc == PLAIT_EBROKEN);
        add_number(rc >= 0 ? 1 : 2);
        if (rc == PLAIT_EBROKEN)
            CHECK_INT(plait_barrier_reset(arg), 0);
    }
    return 0;
}

CLAIM_OF_PROCESSES(it_lives_through_kills_at_any_time)
{
    plait_barrier *barrier = make_barrier(3);
    plait_task *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = start(arrive_until_killed, barrier);
    for (int i = 0; i < 30; i++) {
        uint32_t before;
        plait_sleep(plait_after_ns(700000 + i * 37000));
        kill_it(tasks[i % 3]);
        before = number(1);
        tasks[i % 3] = start(arrive_until_killed, barrier);
        UNTIL(number(1) > before);
    }
    for (int i = 0; i < 3; i++)
        kill_it(tasks[i]);
}
