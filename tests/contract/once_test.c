/* The contract of what is done once.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

static int do_it(void *arg)
{
    (void)arg;
    add_number(0);
    a_moment(); /* others come meanwhile */
    board->sum = 42;
    return 0;
}

static int run_it(void *arg)
{
    int rc = plait_once_run(arg, do_it, NULL, PLAIT_FOREVER);

    CHECK_INT(board->sum, 42);
    return rc;
}

CLAIM(it_is_done_once_and_the_others_wait_until_it_is)
{
    plait_once *once = make(sizeof *once);
    plait_task *tasks[5];

    CHECK_INT(sizeof *once, 128);
    CHECK(!plait_once_is_done(once));
    for (int i = 0; i < 5; i++)
        tasks[i] = start(run_it, once);
    for (int i = 0; i < 5; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(number(0), 1);
    CHECK(plait_once_is_done(once));
    CHECK_INT(plait_once_run(once, do_it, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(number(0), 1);
}

static int fail_twice(void *arg)
{
    (void)arg;
    add_number(0);
    return number(0) < 3 ? -EIO : 0;
}

CLAIM(what_failed_is_done_again)
{
    plait_once *once = make(sizeof *once);

    CHECK_INT(plait_once_run(once, fail_twice, NULL, PLAIT_FOREVER), -EIO);
    CHECK(!plait_once_is_done(once));
    CHECK_INT(plait_once_run(once, fail_twice, NULL, PLAIT_FOREVER), -EIO);
    CHECK_INT(plait_once_run(once, fail_twice, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_once_run(once, fail_twice, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(number(0), 3);
}

static int wait_until_told(void *arg)
{
    (void)arg;
    set_number(1, 1);
    UNTIL(number(2) == 1);
    return 0;
}

static int run_slowly(void *arg)
{
    return plait_once_run(arg, wait_until_told, NULL, PLAIT_FOREVER);
}

CLAIM(who_waits_for_it_waits_until_the_deadline)
{
    plait_once *once = make(sizeof *once);
    plait_task *task = start(run_slowly, once);

    UNTIL(number(1) == 1);
    CHECK_INT(plait_once_run(once, do_it, NULL, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_once_run(once, do_it, NULL, plait_after_ms(20)), -ETIMEDOUT);
    set_number(2, 1);
    CHECK_INT(join(task), 0);
    CHECK_INT(plait_once_run(once, do_it, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(number(0), 0);
}

static int run_inside(void *arg)
{
    CHECK_INT(plait_once_run(arg, run_inside, arg, PLAIT_FOREVER), -EDEADLK);
    return 0;
}

TEST(a_bad_once_is_refused)
{
    plait_once once = { 0 };

    CHECK_INT(plait_once_run(NULL, do_it, NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_once_run(&once, NULL, NULL, PLAIT_FOREVER), -EINVAL);
    CHECK(!plait_once_is_done(NULL));
    CHECK_INT(plait_once_run(&once, run_inside, &once, PLAIT_FOREVER), 0);
}

static int die(void *arg)
{
    (void)arg;
    set_number(1, 1);
    a_moment();
    raise(SIGKILL);
    return 0;
}

static int run_and_die(void *arg)
{
    return plait_once_run(arg, die, NULL, PLAIT_FOREVER);
}

CLAIM_OF_PROCESSES(what_a_killed_process_was_doing_is_done_again)
{
    plait_once *once = make(sizeof *once);
    plait_task *first = start(run_and_die, once), *second;

    UNTIL(number(1) == 1);
    second = start(run_it, once);
    see_killed(first);
    CHECK_INT(join(second), 0);
    CHECK_INT(number(0), 1);
    CHECK(plait_once_is_done(once));
}

static void find_it_undone(void *arg)
{
    CHECK_INT(plait_once_run(arg, do_it, NULL, PLAIT_NOWAIT), is_private ? -EDEADLK : -ETIMEDOUT);
}

static int fork_inside(void *arg)
{
    in_forked_child(find_it_undone, arg);
    return 0;
}

CLAIM(what_is_being_done_across_a_fork_does_not_hang_the_child)
{
    plait_once *once = make(sizeof *once);

    CHECK_INT(plait_once_run(once, fork_inside, once, PLAIT_FOREVER), 0);
}
