/* The contract of locks when processes are killed.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

static bool has_waiter(const plait_lock *lock)
{
    return has_bit(&lock->word, UINT32_C(1) << 31);
}

static int take_and_die(void *arg)
{
    CHECK_INT(plait_lock_acquire(arg, PLAIT_FOREVER), 0);
    raise(SIGKILL);
    return 0;
}

static int take_and_sleep(void *arg)
{
    CHECK_INT(plait_lock_acquire(arg, PLAIT_FOREVER), 0);
    add_number(0);
    plait_sleep(PLAIT_FOREVER);
    return 0;
}

static int take_and_release(void *arg)
{
    int rc = plait_lock_acquire(arg, PLAIT_FOREVER);

    if (rc < 0)
        return -rc;
    return plait_lock_release(arg);
}

CLAIM_OF_PROCESSES(the_lock_of_a_killed_holder_is_told_of_and_recovered)
{
    plait_lock *lock = make(sizeof *lock);

    see_killed(start(take_and_die, lock));
    CHECK(!plait_lock_is_held(lock));
    CHECK_INT(plait_lock_acquire(lock, PLAIT_NOWAIT), -EOWNERDEAD);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait_lock_release(lock), -EPERM); /* we do not hold it */
    CHECK_INT(plait_lock_recover(lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_lock_repaired(lock), 0);
    CHECK_INT(plait_lock_repaired(lock), 0);
    CHECK_INT(plait_lock_release(lock), 0);
    CHECK_INT(join(start(take_and_release, lock)), 0);
    CHECK_INT(plait_lock_token(lock), 3);
    CHECK_INT(lock->word, 0);
}

CLAIM_OF_PROCESSES(what_is_not_repaired_is_told_again)
{
    plait_lock *lock = make(sizeof *lock);

    see_killed(start(take_and_die, lock));
    for (int i = 0; i < 3; i++) {
        CHECK_INT(join(start(take_and_release, lock)), EOWNERDEAD);
        CHECK_INT(plait_lock_recover(lock, PLAIT_NOWAIT), 0);
        CHECK_INT(plait_lock_release(lock), 0);
    }
    CHECK_INT(plait_lock_acquire(lock, PLAIT_NOWAIT), -EOWNERDEAD);
}

CLAIM_OF_PROCESSES(the_next_holder_may_be_killed_too)
{
    plait_lock *lock = make(sizeof *lock);

    see_killed(start(take_and_die, lock));
    for (int i = 0; i < 3; i++) {
        plait_task *task;
        CHECK_INT(plait_lock_recover(lock, PLAIT_FOREVER), 0);
        CHECK_INT(plait_lock_repaired(lock), 0);
        CHECK_INT(plait_lock_release(lock), 0);
        set_number(0, 0);
        task = start(take_and_sleep, lock);
        UNTIL(number(0) == 1);
        kill_it(task);
        CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), -EOWNERDEAD);
    }
}

CLAIM_OF_PROCESSES(all_who_sleep_are_told_of_the_death)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *holder = start(take_and_sleep, lock), *tasks[4];

    UNTIL(number(0) == 1);
    for (int i = 0; i < 4; i++)
        tasks[i] = start(take_and_release, lock);
    UNTIL(has_waiter(lock));
    kill_it(holder);
    for (int i = 0; i < 4; i++)
        CHECK_INT(join(tasks[i]), EOWNERDEAD);
}

CLAIM_OF_PROCESSES(a_killed_sleeper_leaves_nothing_behind)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *sleeper;

    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    sleeper = start(take_and_release, lock);
    UNTIL(has_waiter(lock));
    kill_it(sleeper);
    CHECK_INT(plait_lock_release(lock), 0);
    CHECK_INT(join(start(take_and_release, lock)), 0);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_lock_release(lock), 0);
    CHECK_INT(lock->word, 0);
}

static int sleep_and_die(void *arg)
{
    plait_lock *lock = arg;
    uint32_t bit = UINT32_C(1) << 31;

    die_with_the_wake(&lock->word, __atomic_or_fetch(&lock->word, bit, __ATOMIC_SEQ_CST));
    return 0;
}

CLAIM_OF_PROCESSES(a_sleeper_that_dies_with_the_wake_delays_the_others_only)
{
    plait_lock *lock = make(sizeof *lock);

    for (uint32_t i = 1; i <= 5; i++) {
        plait_task *first, *second;
        CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
        first = start(sleep_and_die, lock);
        see_dying(i);
        second = start(take_and_release, lock);
        a_moment();
        CHECK_INT(plait_lock_release(lock), 0);
        see_killed(first);
        CHECK_INT(join(second), 0);
    }
}

CLAIM_OF_PROCESSES(nothing_is_taken_from_a_holder_that_is_only_stopped)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *holder = start(take_and_sleep, lock);

    UNTIL(number(0) == 1);
    CHECK_INT(kill(plait_task_id(holder), SIGSTOP), 0);
    CHECK_INT(plait_lock_acquire(lock, plait_after_ms(300)), -ETIMEDOUT);
    CHECK(plait_lock_is_held(lock));
    CHECK_INT(kill(plait_task_id(holder), SIGCONT), 0);
    CHECK_INT(plait_lock_recover(lock, plait_after_ms(30)), -ETIMEDOUT);
    kill_it(holder);
    CHECK_INT(plait_lock_recover(lock, PLAIT_FOREVER), 0);
}

static int die_with_a_thread_inside(void *arg)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, take_and_sleep, arg, NULL), 0);
    UNTIL(number(0) == 1);
    raise(SIGKILL);
    return 0;
}

CLAIM_OF_PROCESSES(a_thread_of_a_killed_process_is_a_killed_holder)
{
    plait_lock *lock = make(sizeof *lock);

    see_killed(start(die_with_a_thread_inside, lock));
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), -EOWNERDEAD);
}

static int leave_by_exit(void *arg)
{
    CHECK_INT(plait_lock_acquire(arg, PLAIT_FOREVER), 0);
    _exit(3);
}

CLAIM_OF_PROCESSES(a_holder_that_exits_is_dead_too)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *task = start(leave_by_exit, lock);

    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), -EOWNERDEAD);
    plait_task_destroy(task);
}

/* Killed at any time, also inside acquire and release: the lock goes on, and nobody is in there
 * together with another. */
struct traffic {
    plait_lock lock;
    uint32_t inside; /* atomic: the pid of who is inside */
};

static int work_until_killed(void *arg)
{
    struct traffic *traffic = arg;

    while (number(0) == 0) {
        int rc = plait_lock_acquire(&traffic->lock, PLAIT_FOREVER);
        if (rc == -EOWNERDEAD && plait_lock_recover(&traffic->lock, PLAIT_FOREVER) == 0) {
            __atomic_store_n(&traffic->inside, 0, __ATOMIC_SEQ_CST);
            rc = plait_lock_repaired(&traffic->lock);
        }
        CHECK_INT(rc, 0);
        CHECK_INT(__atomic_exchange_n(&traffic->inside, 1, __ATOMIC_SEQ_CST), 0);
        add_number(1);
        __atomic_store_n(&traffic->inside, 0, __ATOMIC_SEQ_CST);
        CHECK_INT(plait_lock_release(&traffic->lock), 0);
    }
    return 0;
}

CLAIM_OF_PROCESSES(a_lock_lives_through_kills_at_any_time)
{
    struct traffic *traffic = make(sizeof *traffic);
    plait_task *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = start(work_until_killed, traffic);
    for (int i = 0; i < 60; i++) {
        uint32_t before = number(1);
        plait_sleep(plait_after_ns(700000 + i * 37000));
        kill_it(tasks[i % 3]);
        tasks[i % 3] = start(work_until_killed, traffic);
        UNTIL(number(1) > before);
    }
    for (int i = 0; i < 3; i++)
        kill_it(tasks[i]);
}
