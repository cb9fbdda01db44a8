/* The contract of locks.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

enum {
    WAITERS_BIT = 31, /* of a lock's word */
    ROUNDS = 3000
};

static bool has_waiter(const plait_lock *lock)
{
    return has_bit(&lock->word, UINT32_C(1) << WAITERS_BIT);
}

/* ---- what a lock is ---- */

CLAIM(a_free_lock_is_taken_and_released)
{
    plait_lock *lock = make(sizeof *lock);

    CHECK_INT(sizeof *lock, 64);
    CHECK(!plait_lock_is_held(lock));
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    CHECK(plait_lock_is_held(lock));
    CHECK_INT(plait_lock_release(lock), 0);
    CHECK(!plait_lock_is_held(lock));
    CHECK_INT(plait_lock_acquire(lock, PLAIT_NOWAIT), 0); /* free: the deadline does not matter */
    CHECK_INT(plait_lock_release(lock), 0);
    CHECK_INT(plait_lock_recover(lock, plait_after_ms(-1)), 0);
    CHECK_INT(plait_lock_release(lock), 0);
    CHECK_INT(lock->word, 0);
    CHECK_INT(lock->holder, 0);
}

static int take_note_release(void *arg)
{
    plait_lock *lock = arg;
    int rc;

    set_number(0, 1);
    rc = plait_lock_acquire(lock, PLAIT_FOREVER);
    set_number(0, 2);
    return rc < 0 ? rc : plait_lock_release(lock);
}

CLAIM(an_acquire_waits_until_the_lock_is_released)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *task;

    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    task = start(take_note_release, lock);
    UNTIL(has_waiter(lock));
    a_moment();
    CHECK_INT(number(0), 1);
    CHECK_INT(plait_lock_release(lock), 0);
    CHECK_INT(join(task), 0);
    CHECK_INT(number(0), 2);
}

static int fail_to_take(void *arg)
{
    plait_lock *lock = arg;
    plait_deadline soon = plait_after_ms(30);

    CHECK_INT(plait_lock_acquire(lock, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_lock_acquire(lock, plait_after_ms(-1)), -ETIMEDOUT);
    CHECK_INT(plait_lock_acquire(lock, (plait_deadline){ -5 }), -ETIMEDOUT);
    CHECK_INT(plait_lock_acquire(lock, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK_INT(plait_lock_recover(lock, PLAIT_NOWAIT), -ETIMEDOUT); /* its holder lives */
    CHECK(plait_lock_is_held(lock));
    return 0;
}

CLAIM(an_acquire_ends_at_its_deadline)
{
    plait_lock *lock = make(sizeof *lock);

    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    CHECK_INT(join(start(fail_to_take, lock)), 0);
    CHECK_INT(plait_lock_release(lock), 0);
    CHECK(!plait_lock_is_held(lock)); /* who gave up left nothing behind */
    CHECK_INT(plait_lock_acquire(lock, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_lock_release(lock), 0);
}

static int take_count_release(void *arg)
{
    plait_lock *lock = arg;

    add_number(0);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    add_number(1);
    return plait_lock_release(lock);
}

CLAIM(of_many_who_wait_none_takes_a_held_lock_and_all_take_a_free_one)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *tasks[5];

    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    for (int i = 0; i < 5; i++)
        tasks[i] = start(take_count_release, lock);
    UNTIL(number(0) == 5);
    a_moment();
    CHECK_INT(number(1), 0);
    CHECK_INT(plait_lock_release(lock), 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(number(1), 5);
}

struct shared_sum {
    plait_lock lock;
    long sum; /* lock; two halves so that a lost update shows */
    long twice;
};

static int add_often(void *arg)
{
    struct shared_sum *shared = arg;

    for (int i = 0; i < ROUNDS; i++) {
        CHECK_INT(plait_lock_acquire(&shared->lock, PLAIT_FOREVER), 0);
        CHECK_INT(shared->twice, 2 * shared->sum);
        shared->sum++;
        if (i % 64 == 0)
            plait_sleep(plait_after_ns(1000)); /* others pile up */
        shared->twice += 2;
        CHECK_INT(plait_lock_release(&shared->lock), 0);
    }
    return 0;
}

CLAIM(one_at_a_time_is_inside)
{
    struct shared_sum *shared = make(sizeof *shared);
    plait_task *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = start(add_often, shared);
    for (int i = 0; i < 4; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(shared->sum, 4 * ROUNDS);
    CHECK_INT(plait_lock_token(&shared->lock), 4 * ROUNDS);
    CHECK(!plait_lock_is_held(&shared->lock));
}

/* ---- the fencing token ---- */

static int note_token(void *arg)
{
    plait_lock *lock = arg;

    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    board->tokens[0] = plait_lock_token(lock);
    return plait_lock_release(lock);
}

CLAIM(the_token_grows_with_each_acquisition)
{
    plait_lock *lock = make(sizeof *lock);
    uint64_t before = plait_lock_token(lock);

    CHECK_INT(before, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
        CHECK(plait_lock_token(lock) > before);
        before = plait_lock_token(lock);
        CHECK_INT(plait_lock_release(lock), 0);
        CHECK_INT(join(start(note_token, lock)), 0);
        CHECK(board->tokens[0] > before);
        before = board->tokens[0];
    }
    CHECK_INT(plait_lock_token(NULL), 0);
}

/* ---- what is refused ---- */

CLAIM(a_task_that_holds_the_lock_is_refused_at_once)
{
    plait_lock *lock = make(sizeof *lock);

    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_NOWAIT), -EDEADLK);
    CHECK_INT(plait_lock_recover(lock, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_lock_release(lock), 0);
}

static int meddle(void *arg)
{
    plait_lock *lock = arg;

    CHECK_INT(plait_lock_release(lock), -EPERM);
    CHECK_INT(plait_lock_repaired(lock), -EPERM);
    CHECK(plait_lock_is_held(lock));
    return 0;
}

CLAIM(only_the_holder_releases)
{
    plait_lock *lock = make(sizeof *lock);

    CHECK_INT(plait_lock_release(lock), -EPERM);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    CHECK_INT(join(start(meddle, lock)), 0);
    CHECK_INT(plait_lock_release(lock), 0);
    CHECK_INT(plait_lock_release(lock), -EPERM); /* once too often */
    CHECK_INT(plait_lock_repaired(lock), -EPERM);
    CHECK_INT(lock->word, 0);
}

TEST(a_free_lock_cannot_be_released_by_who_has_never_used_one)
{
    plait_lock lock = { 0 };

    CHECK_INT(plait_lock_release(&lock), -EPERM);
}

TEST(no_lock_is_refused)
{
    CHECK_INT(plait_lock_acquire(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_lock_recover(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_lock_repaired(NULL), -EINVAL);
    CHECK_INT(plait_lock_release(NULL), -EINVAL);
    CHECK(!plait_lock_is_held(NULL));
}

/* ---- being asked to end ---- */

static int take_cancelled(void *arg)
{
    plait_lock *locks = arg;

    UNTIL(plait_task_is_cancelled() || plait_sleep(PLAIT_FOREVER) == -ECANCELED);
    CHECK_INT(plait_lock_acquire(&locks[0], PLAIT_NOWAIT), 0);
    CHECK_INT(plait_lock_release(&locks[0]), 0);
    CHECK_INT(plait_lock_acquire(&locks[1], PLAIT_FOREVER), -ECANCELED);
    return 0;
}

CLAIM_OF_THREADS(a_cancelled_task_takes_what_is_free_and_waits_for_nothing)
{
    plait_lock *locks = make(2 * sizeof *locks);
    plait_task *task;

    CHECK_INT(plait_lock_acquire(&locks[1], PLAIT_FOREVER), 0);
    task = start(take_cancelled, locks);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(join(task), 0);
    CHECK_INT(plait_lock_release(&locks[1]), 0);
}

static int take_for_ever(void *arg)
{
    return plait_lock_acquire(arg, PLAIT_FOREVER);
}

CLAIM_OF_THREADS(a_cancel_ends_the_wait_for_a_lock)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *task;

    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    task = start(take_for_ever, lock);
    UNTIL(has_waiter(lock));
    cancel_it(task);
    CHECK_INT(plait_lock_release(lock), 0);
}

/* ---- after a fork ---- */

static void find_it_held(void *arg)
{
    plait_lock *lock = arg;

    CHECK_INT(plait_lock_release(lock), -EPERM);
    CHECK(plait_lock_is_held(lock));
    if (!is_private) {
        CHECK_INT(plait_lock_acquire(lock, PLAIT_NOWAIT), -ETIMEDOUT);
        return;
    }
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_lock_recover(lock, PLAIT_FOREVER), -EDEADLK);
    memset(lock, 0, sizeof *lock);
    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_lock_release(lock), 0);
}

CLAIM(what_is_held_across_a_fork_is_not_held_by_the_child)
{
    plait_lock *lock = make(sizeof *lock);

    CHECK_INT(plait_lock_acquire(lock, PLAIT_FOREVER), 0);
    in_forked_child(find_it_held, lock);
    CHECK_INT(plait_lock_release(lock), 0);
}

static void use_it(void *arg)
{
    CHECK_INT(plait_lock_acquire(arg, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_lock_acquire(arg, PLAIT_NOWAIT), -EDEADLK);
    CHECK_INT(plait_lock_release(arg), 0);
}

CLAIM(what_is_free_across_a_fork_is_usable_in_the_child)
{
    plait_lock *lock = make(sizeof *lock);

    use_it(lock);
    in_forked_child(use_it, lock);
    use_it(lock);
}

static int hold_until_told(void *arg)
{
    CHECK_INT(plait_lock_acquire(arg, PLAIT_FOREVER), 0);
    set_number(0, 1);
    UNTIL(number(1) == 1);
    return plait_lock_release(arg);
}

CLAIM_OF_THREADS(what_another_task_holds_across_a_fork_does_not_hang_the_child)
{
    plait_lock *lock = make(sizeof *lock);
    plait_task *task = start(hold_until_told, lock);

    UNTIL(number(0) == 1);
    in_forked_child(find_it_held, lock);
    set_number(1, 1);
    CHECK_INT(join(task), 0);
}

static void take_in_a_new_thread(void *arg)
{
    /* its number must not be the one that this thread brought along */
    CHECK_INT(plait_lock_acquire(arg, PLAIT_FOREVER), 0);
    CHECK_INT(join(start(meddle, arg)), 0);
    CHECK_INT(plait_lock_release(arg), 0);
}

CLAIM_OF_THREADS(a_thread_of_a_forked_child_is_a_task_of_its_own)
{
    plait_lock *lock = make(sizeof *lock);

    use_it(lock);
    in_forked_child(take_in_a_new_thread, lock);
}
