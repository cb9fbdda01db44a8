/* The contract of recursive locks: what differs from locks.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

static int fail_to_take(void *arg)
{
    plait_rlock *rlock = arg;
    plait_deadline soon = plait_after_ms(10);

    CHECK_INT(plait_rlock_acquire(rlock, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_rlock_acquire(rlock, plait_after_ms(-1)), -ETIMEDOUT);
    CHECK_INT(plait_rlock_acquire(rlock, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK_INT(plait_rlock_release(rlock), -EPERM);
    CHECK_INT(plait_rlock_repaired(rlock), -EPERM);
    CHECK_INT(plait_rlock_depth(rlock), 0);
    return 0;
}

static int take_and_release(void *arg)
{
    plait_rlock *rlock = arg;
    int rc = plait_rlock_acquire(rlock, PLAIT_FOREVER);

    if (rc < 0)
        return -rc;
    CHECK_INT(plait_rlock_depth(rlock), 1);
    return plait_rlock_release(rlock);
}

CLAIM(its_holder_takes_it_again_and_others_wait_for_the_last_release)
{
    plait_rlock *rlock = make(sizeof *rlock);
    plait_task *task;

    CHECK_INT(sizeof *rlock, 64);
    for (uint32_t i = 1; i <= 3; i++) {
        CHECK_INT(plait_rlock_acquire(rlock, i == 2 ? PLAIT_NOWAIT : PLAIT_FOREVER), 0);
        CHECK_INT(plait_rlock_depth(rlock), i);
    }
    CHECK_INT(plait_rlock_recover(rlock, PLAIT_NOWAIT), 0); /* held: once more */
    CHECK_INT(join(start(fail_to_take, rlock)), 0);
    for (uint32_t i = 3; i >= 1; i--) {
        CHECK_INT(plait_rlock_release(rlock), 0);
        CHECK_INT(plait_rlock_depth(rlock), i);
        CHECK_INT(join(start(fail_to_take, rlock)), 0);
    }
    task = start(take_and_release, rlock);
    CHECK_INT(plait_rlock_release(rlock), 0);
    CHECK_INT(join(task), 0);
    CHECK_INT(plait_rlock_release(rlock), -EPERM);
    CHECK_INT(plait_rlock_depth(rlock), 0);
    CHECK_INT(rlock->lock.word, 0);
}

CLAIM(taken_and_released_in_turns_it_is_free_at_the_end)
{
    plait_rlock *rlock = make(sizeof *rlock);

    CHECK_INT(plait_rlock_release(rlock), -EPERM);
    CHECK_INT(plait_rlock_acquire(rlock, PLAIT_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait_rlock_acquire(rlock, plait_after_ms(-1)), 0);
        CHECK_INT(plait_rlock_depth(rlock), 2);
        CHECK_INT(plait_rlock_release(rlock), 0);
        CHECK_INT(plait_rlock_depth(rlock), 1);
    }
    CHECK_INT(plait_rlock_release(rlock), 0);
    CHECK_INT(plait_rlock_release(rlock), -EPERM);
    CHECK_INT(join(start(take_and_release, rlock)), 0);
}

static int take_while_cancelled(void *arg)
{
    plait_rlock *rlocks = arg;

    CHECK_INT(plait_rlock_acquire(&rlocks[0], PLAIT_FOREVER), 0);
    set_number(0, 1);
    CHECK_INT(plait_rlock_acquire(&rlocks[1], PLAIT_FOREVER), -ECANCELED);
    CHECK_INT(plait_rlock_acquire(&rlocks[0], PLAIT_FOREVER), 0); /* ours: no wait */
    CHECK_INT(plait_rlock_release(&rlocks[0]), 0);
    return plait_rlock_release(&rlocks[0]);
}

CLAIM_OF_THREADS(a_cancel_ends_the_wait_for_a_recursive_lock_but_not_for_ones_own)
{
    plait_rlock *rlocks = make(2 * sizeof *rlocks);
    plait_task *task;

    CHECK_INT(plait_rlock_acquire(&rlocks[1], PLAIT_FOREVER), 0);
    task = start(take_while_cancelled, rlocks);
    UNTIL(number(0) == 1);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(join(task), 0);
    CHECK_INT(plait_rlock_release(&rlocks[1]), 0);
}

TEST(it_is_not_taken_more_often_than_can_be_counted)
{
    plait_rlock rlock = { 0 };

    CHECK_INT(plait_rlock_acquire(&rlock, PLAIT_FOREVER), 0);
    rlock.lock.depth = UINT32_MAX;
    CHECK_INT(plait_rlock_acquire(&rlock, PLAIT_FOREVER), -EOVERFLOW);
    CHECK_INT(plait_rlock_depth(&rlock), UINT32_MAX);
}

TEST(no_recursive_lock_is_refused)
{
    CHECK_INT(plait_rlock_acquire(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_rlock_recover(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_rlock_repaired(NULL), -EINVAL);
    CHECK_INT(plait_rlock_release(NULL), -EINVAL);
    CHECK_INT(plait_rlock_depth(NULL), 0);
}

static int die_deep_inside(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_rlock_acquire(arg, PLAIT_FOREVER), 0);
    raise(SIGKILL);
    return 0;
}

CLAIM_OF_PROCESSES(what_a_killed_holder_had_taken_thrice_is_recovered_once)
{
    plait_rlock *rlock = make(sizeof *rlock);

    see_killed(start(die_deep_inside, rlock));
    CHECK_INT(plait_rlock_acquire(rlock, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait_rlock_depth(rlock), 0);
    CHECK_INT(plait_rlock_recover(rlock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rlock_depth(rlock), 1);
    CHECK_INT(plait_rlock_acquire(rlock, PLAIT_FOREVER), 0); /* ours, though not repaired yet */
    CHECK_INT(plait_rlock_release(rlock), 0);
    CHECK_INT(plait_rlock_repaired(rlock), 0);
    CHECK_INT(plait_rlock_release(rlock), 0);
    CHECK_INT(join(start(take_and_release, rlock)), 0);
}

static void find_it_held(void *arg)
{
    CHECK_INT(plait_rlock_depth(arg), 0);
    CHECK_INT(plait_rlock_release(arg), -EPERM);
    CHECK_INT(plait_rlock_acquire(arg, PLAIT_NOWAIT), is_private ? -EDEADLK : -ETIMEDOUT);
}

CLAIM(a_recursive_lock_held_across_a_fork_is_not_the_childs)
{
    plait_rlock *rlock = make(sizeof *rlock);

    CHECK_INT(plait_rlock_acquire(rlock, PLAIT_FOREVER), 0);
    in_forked_child(find_it_held, rlock);
    CHECK_INT(plait_rlock_release(rlock), 0);
}
