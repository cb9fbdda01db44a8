/* The contract of locks and what is made of them, between processes that are no relatives.
 * SPDX-License-Identifier: MIT
 */
#include "strangers.h"

enum {
    ROUNDS = 2000,
    IS_THERE = 0, /* of the numbers: the other one is where it should be */
    RESULT = 1,
    N_DONE = 2
};

/* Says that it is there, and waits until it is killed. */
static void wait_to_be_killed(struct stage *stage)
{
    add_number(stage, IS_THERE);
    stay();
}

/* ---- locks ---- */

PART(count_under_lock)
{
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), 0);
        stage->sum++;
        CHECK_INT(plait_lock_release(&stage->lock), 0);
    }
}

BOTH(a_lock_keeps_strangers_apart)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t pids[3];

    for (int i = 0; i < 3; i++)
        pids[i] = start_stranger("count_under_lock", name);
    for (int i = 0; i < 3; i++)
        see_end(pids[i]);
    CHECK_INT(stage->sum, 3 * ROUNDS);
    CHECK_INT(stage->lock.word, 0);
    CHECK_INT(plait_lock_token(&stage->lock), 3 * ROUNDS);
}

PART(hold_lock)
{
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), 0);
    wait_to_be_killed(stage);
}

PART(say_what_the_lock_says)
{
    add_number(stage, IS_THERE);
    set_number(stage, RESULT, plait_lock_acquire(&stage->lock, PLAIT_FOREVER));
}

BOTH(who_waits_for_the_lock_of_a_killed_stranger_is_told)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t holder = start_stranger("hold_lock", name), waiter;

    UNTIL(number(stage, IS_THERE) == 1);
    CHECK(plait_lock_is_held(&stage->lock));
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_NOWAIT), -ETIMEDOUT);
    waiter = start_stranger("say_what_the_lock_says", name);
    UNTIL(number(stage, IS_THERE) == 2);
    CHECK_INT(plait_lock_acquire(&stage->lock, plait_after_ms(150)), -ETIMEDOUT);
    CHECK_INT(number(stage, RESULT), 0);
    kill_stranger(holder);
    see_end(waiter);
    CHECK_INT(number(stage, RESULT), -EOWNERDEAD);
    CHECK(!plait_lock_is_held(&stage->lock));
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait_lock_recover(&stage->lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_lock_repaired(&stage->lock), 0);
    CHECK_INT(plait_lock_release(&stage->lock), 0);
    CHECK_INT(stage->lock.word, 0);
}

BOTH(a_stranger_that_is_only_stopped_keeps_its_lock)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t holder = start_stranger("hold_lock", name);

    UNTIL(number(stage, IS_THERE) == 1);
    CHECK_INT(kill(holder, SIGSTOP), 0);
    CHECK_INT(plait_lock_acquire(&stage->lock, plait_after_ms(300)), -ETIMEDOUT);
    kill_stranger(holder);
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), -EOWNERDEAD);
}

PART(hold_lock_and_close)
{
    plait_segment *segment = open_segment(segment_name); /* once more */

    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_segment_close(segment), 0);
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_NOWAIT), -EDEADLK); /* open still */
    add_number(stage, IS_THERE);
    UNTIL(number(stage, N_DONE) == 1);
    CHECK_INT(plait_segment_close(segment), 0);
    stay();
}

BOTH(who_closes_a_segment_gives_up_what_it_holds)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t holder = start_stranger("hold_lock_and_close", name);

    UNTIL(number(stage, IS_THERE) == 1);
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_NOWAIT), -ETIMEDOUT);
    add_number(stage, N_DONE);
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), -EOWNERDEAD);
    kill_stranger(holder);
}

PART(hold_rlock_twice)
{
    CHECK_INT(plait_rlock_acquire(&stage->rlock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rlock_acquire(&stage->rlock, PLAIT_FOREVER), 0);
    wait_to_be_killed(stage);
}

BOTH(the_recursive_lock_of_a_killed_stranger_is_told_of)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t holder = start_stranger("hold_rlock_twice", name);

    UNTIL(number(stage, IS_THERE) == 1);
    CHECK_INT(plait_rlock_acquire(&stage->rlock, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_stranger(holder);
    CHECK_INT(plait_rlock_acquire(&stage->rlock, PLAIT_FOREVER), -EOWNERDEAD);
    CHECK_INT(plait_rlock_recover(&stage->rlock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rlock_depth(&stage->rlock), 1);
}

PART(read_for_ever)
{
    CHECK_INT(plait_rwlock_acquire_read(&stage->rwlock, PLAIT_FOREVER), 0);
    wait_to_be_killed(stage);
}

PART(write_for_ever)
{
    CHECK_INT(plait_rwlock_acquire_write(&stage->rwlock, PLAIT_FOREVER), 0);
    wait_to_be_killed(stage);
}

BOTH(a_killed_reader_is_forgotten_and_a_killed_writer_told_of)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t readers[2] = { start_stranger("read_for_ever", name),
                         start_stranger("read_for_ever", name) };

    UNTIL(number(stage, IS_THERE) == 2);
    CHECK_INT(plait_rwlock_acquire_read(&stage->rwlock, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_rwlock_release(&stage->rwlock), 0);
    kill_stranger(readers[0]);
    CHECK_INT(plait_rwlock_acquire_write(&stage->rwlock, plait_after_ms(300)), -ETIMEDOUT);
    kill_stranger(readers[1]);
    CHECK_INT(plait_rwlock_acquire_write(&stage->rwlock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_rwlock_release(&stage->rwlock), 0);
    readers[0] = start_stranger("write_for_ever", name);
    UNTIL(number(stage, IS_THERE) == 3);
    kill_stranger(readers[0]);
    CHECK_INT(plait_rwlock_acquire_read(&stage->rwlock, PLAIT_FOREVER), -EOWNERDEAD);
}

/* ---- the others ---- */

PART(take_two_units)
{
    CHECK_INT(plait_held_semaphore_acquire(&stage->held, PLAIT_FOREVER), 0);
    CHECK_INT(plait_held_semaphore_acquire(&stage->held, PLAIT_FOREVER), 0);
    wait_to_be_killed(stage);
}

BOTH(held_units_come_back_from_a_killed_stranger)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t holder;

    CHECK_INT(plait_held_semaphore_init(&stage->held, 2), 0);
    holder = start_stranger("take_two_units", name);
    UNTIL(number(stage, IS_THERE) == 1);
    CHECK_INT(plait_held_semaphore_acquire(&stage->held, plait_after_ms(150)), -ETIMEDOUT);
    kill_stranger(holder);
    CHECK_INT(plait_held_semaphore_acquire(&stage->held, PLAIT_FOREVER), 0);
    CHECK_INT(plait_held_semaphore_acquire(&stage->held, PLAIT_FOREVER), 0);
}

PART(wait_for_all_three)
{
    add_number(stage, IS_THERE);
    CHECK_INT(plait_event_wait(&stage->event, PLAIT_FOREVER), 0);
    add_number(stage, N_DONE);
    CHECK_INT(plait_semaphore_acquire(&stage->semaphore, PLAIT_FOREVER), 0);
    add_number(stage, N_DONE);
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), 0);
    add_number(stage, N_DONE);
    while (stage->sum == 0)
        CHECK_INT(plait_condition_wait(&stage->condition, &stage->lock, PLAIT_FOREVER), 0);
    CHECK_INT(plait_lock_release(&stage->lock), 0);
}

BOTH(strangers_wake_each_other)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t other = start_stranger("wait_for_all_three", name);

    UNTIL(number(stage, IS_THERE) == 1);
    CHECK_INT(plait_event_set(&stage->event), 0);
    UNTIL(number(stage, N_DONE) == 1);
    CHECK_INT(plait_semaphore_release(&stage->semaphore), 0);
    UNTIL(number(stage, N_DONE) == 3);
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), 0);
    stage->sum = 1;
    CHECK_INT(plait_condition_notify(&stage->condition, 1), 0);
    CHECK_INT(plait_lock_release(&stage->lock), 0);
    see_end(other);
}

PART(meet)
{
    add_number(stage, IS_THERE);
    set_number(stage, RESULT, plait_barrier_wait(&stage->barrier, PLAIT_FOREVER));
}

BOTH(strangers_meet_at_a_barrier_and_a_death_breaks_it)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t other;

    CHECK_INT(plait_barrier_init(&stage->barrier, 2), 0);
    other = start_stranger("meet", name);
    CHECK(plait_barrier_wait(&stage->barrier, PLAIT_FOREVER) >= 0);
    see_end(other);
    CHECK(number(stage, RESULT) >= 0);

    /* who lives and waits is not taken for dead */
    CHECK_INT(plait_barrier_init(&stage->barrier, 3), 0);
    other = start_stranger("meet", name);
    UNTIL(plait_barrier_waiting(&stage->barrier) == 1);
    CHECK_INT(plait_barrier_wait(&stage->barrier, plait_after_ms(200)), -ETIMEDOUT);
    see_end(other);
    CHECK_INT(number(stage, RESULT), PLAIT_EBROKEN);

    CHECK_INT(plait_barrier_init(&stage->barrier, 3), 0);
    other = start_stranger("meet", name);
    UNTIL(plait_barrier_waiting(&stage->barrier) == 1);
    kill_stranger(other);
    CHECK_INT(plait_barrier_wait(&stage->barrier, PLAIT_FOREVER), PLAIT_EBROKEN);
}

static int do_it(void *arg)
{
    add_number(arg, N_DONE);
    return 0;
}

static int die_in_it(void *arg)
{
    (void)arg;
    raise(SIGKILL);
    return 0;
}

PART(be_killed_once)
{
    plait_once_run(&stage->once, die_in_it, NULL, PLAIT_FOREVER);
}

PART(run_once)
{
    CHECK_INT(plait_once_run(&stage->once, do_it, stage, PLAIT_FOREVER), 0);
}

BOTH(what_a_stranger_was_killed_in_is_run_again_and_then_no_more)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t pids[4] = { start_stranger("be_killed_once", name) };

    waitpid(pids[0], NULL, 0);
    for (int i = 0; i < 4; i++)
        pids[i] = start_stranger("run_once", name);
    for (int i = 0; i < 4; i++)
        see_end(pids[i]);
    CHECK_INT(number(stage, N_DONE), 1);
}

/* ---- forked children ---- */

/* Its child has the lock, and it is gone. */
PART(leave_a_child_with_the_lock)
{
    pid_t pid = fork();

    if (pid == 0) {
        set_number(stage, RESULT, getpid());
        hold_lock(stage, NULL);
    }
    UNTIL(number(stage, IS_THERE) == 1);
    raise(SIGKILL);
}

BOTH(a_forked_child_of_a_stranger_is_alive_by_itself)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t parent = start_stranger("leave_a_child_with_the_lock", name);

    waitpid(parent, NULL, 0);
    CHECK_INT(plait_lock_acquire(&stage->lock, plait_after_ms(300)), -ETIMEDOUT);
    CHECK_INT(kill(number(stage, RESULT), SIGKILL), 0);
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), -EOWNERDEAD);
}

PART(fork_and_exit)
{
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), 0);
    add_number(stage, IS_THERE);
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) { /* its end, joined or not, is not its parent's */
            if (number(stage, N_DONE) % 2 == 0)
                plait_lock_acquire(&stage->lock, PLAIT_NOWAIT);
            _exit(0);
        }
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        add_number(stage, N_DONE);
    }
}

BOTH(the_end_of_a_child_takes_nothing_from_its_parent)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t other = start_stranger("fork_and_exit", name);

    UNTIL(number(stage, IS_THERE) == 1);
    for (int i = 1; i < 8; i++) {
        UNTIL(number(stage, N_DONE) >= i);
        CHECK_INT(plait_lock_acquire(&stage->lock, plait_after_ms(30)), -ETIMEDOUT);
    }
    kill_stranger(other);
    CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), -EOWNERDEAD);
}

/* ---- deaths at any moment ---- */

PART(be_busy)
{
    unsigned seed = (unsigned)getpid();

    for (;;) {
        int rc = plait_lock_acquire(&stage->lock, PLAIT_FOREVER);
        if (rc == -EOWNERDEAD) {
            rc = plait_lock_recover(&stage->lock, PLAIT_FOREVER);
            set_number(stage, IS_THERE, 0);
            CHECK_INT(plait_lock_repaired(&stage->lock), rc);
        }
        CHECK_INT(rc, 0);
        CHECK_INT(number(stage, IS_THERE), 0); /* nobody else is in here */
        set_number(stage, IS_THERE, 1);
        if (rand_r(&seed) % 4 == 0)
            usleep(50);
        set_number(stage, IS_THERE, 0);
        stage->sum++;
        CHECK_INT(plait_lock_release(&stage->lock), 0);
    }
}

BOTH_LIMIT(strangers_killed_at_any_moment_leave_the_lock_to_the_others, 60)
{
    struct stage *stage = stage_of(open_segment(name));
    pid_t pids[3];
    unsigned seed = 1;

    for (int i = 0; i < 3; i++)
        pids[i] = start_stranger("be_busy", name);
    for (int i = 0; i < 60; i++) {
        usleep(rand_r(&seed) % 20000);
        kill_stranger(pids[i % 3]);
        pids[i % 3] = start_stranger("be_busy", name);
    }
    long before = __atomic_load_n(&stage->sum, __ATOMIC_SEQ_CST);
    UNTIL(__atomic_load_n(&stage->sum, __ATOMIC_SEQ_CST) > before + 100);
    for (int i = 0; i < 3; i++)
        kill_stranger(pids[i]);
}

BOTH(a_held_semaphore_written_over_counts_no_units_outside_of_it)
{
    plait_held_semaphore *held = &stage_of(open_segment(name))->held;
    uint32_t *count = &held->count;

    CHECK_INT(plait_held_semaphore_init(held, 2), 0);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_NOWAIT), 0);
    __atomic_store_n(count, UINT32_MAX, __ATOMIC_RELAXED);
    CHECK(plait_held_semaphore_count(held) <= PLAIT_HELD_SEMAPHORE_MAX);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_held_semaphore_release(held), -EPERM);
    __atomic_store_n(count, 2, __ATOMIC_RELAXED);
    CHECK_INT(plait_held_semaphore_release(held), 0);
}
