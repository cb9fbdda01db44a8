/* The contract of semaphores that know no holders.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

#define WAITERS (UINT32_C(1) << 31) /* of a semaphore's word */

enum {
    ROUNDS = 3000
};

static bool has_waiter(const plait_semaphore *semaphore)
{
    return has_bit(&semaphore->word, WAITERS);
}

static plait_semaphore *make_semaphore(uint32_t count)
{
    plait_semaphore *semaphore = make(sizeof *semaphore);

    CHECK_INT(plait_semaphore_init(semaphore, count), 0);
    return semaphore;
}

CLAIM(units_are_taken_until_there_is_none)
{
    plait_semaphore *semaphore = make_semaphore(2);
    plait_deadline soon = plait_after_ms(20);

    CHECK_INT(sizeof *semaphore, 64);
    CHECK_INT(plait_semaphore_count(semaphore), 2);
    CHECK_INT(plait_semaphore_acquire(semaphore, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_semaphore_acquire(semaphore, plait_after_ms(-1)), 0);
    CHECK_INT(plait_semaphore_count(semaphore), 0);
    CHECK_INT(plait_semaphore_acquire(semaphore, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_semaphore_acquire(semaphore, plait_after_ms(-1)), -ETIMEDOUT);
    CHECK_INT(plait_semaphore_acquire(semaphore, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK_INT(plait_semaphore_count(semaphore), 0);
    CHECK_INT(plait_semaphore_release(semaphore), 0);
    CHECK_INT(plait_semaphore_count(semaphore), 1);
    CHECK_INT(plait_semaphore_release_n(semaphore, 10), 0); /* not bounded */
    CHECK_INT(plait_semaphore_count(semaphore), 11);
}

TEST(zero_bytes_are_a_semaphore_without_units)
{
    plait_semaphore semaphore = { 0 };

    CHECK_INT(plait_semaphore_acquire(&semaphore, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_semaphore_release(&semaphore), 0);
    CHECK_INT(plait_semaphore_acquire(&semaphore, PLAIT_NOWAIT), 0);
}

static int take(void *arg)
{
    int rc = plait_semaphore_acquire(arg, PLAIT_FOREVER);

    if (rc == 0)
        add_number(0);
    return rc;
}

CLAIM(an_acquire_waits_for_a_unit)
{
    plait_semaphore *semaphore = make_semaphore(0);
    plait_task *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = start(take, semaphore);
    UNTIL(has_waiter(semaphore));
    a_moment();
    CHECK_INT(number(0), 0);
    CHECK_INT(plait_semaphore_release(semaphore), 0);
    UNTIL(number(0) == 1);
    CHECK_INT(plait_semaphore_release_n(semaphore, 2), 0);
    UNTIL(number(0) == 3);
    a_moment();
    CHECK_INT(number(0), 3);
    CHECK_INT(plait_semaphore_release(semaphore), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(join(tasks[i]), 0);
}

/* The first release takes the waiters' bit away, so that the others wake nobody. */
CLAIM(units_that_come_quickly_reach_all_who_wait)
{
    plait_semaphore *semaphore = make_semaphore(0);
    plait_task *tasks[6];

    for (int i = 0; i < 6; i++)
        tasks[i] = start(take, semaphore);
    UNTIL(has_waiter(semaphore));
    a_moment();
    for (int i = 0; i < 6; i++)
        CHECK_INT(plait_semaphore_release(semaphore), 0);
    for (int i = 0; i < 6; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(plait_semaphore_count(semaphore), 0);
}

static int try_twice(void *arg)
{
    for (int i = 0; i < 2; i++) {
        int rc = plait_semaphore_acquire(arg, PLAIT_NOWAIT);
        CHECK(rc == 0 || rc == -ETIMEDOUT);
        if (rc == 0)
            add_number(0);
    }
    return 0;
}

CLAIM(as_many_who_try_succeed_as_there_are_units)
{
    plait_semaphore *semaphore = make_semaphore(3);
    plait_task *tasks[5];

    for (int i = 0; i < 5; i++)
        tasks[i] = start(try_twice, semaphore);
    for (int i = 0; i < 5; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(number(0), 3);
    CHECK_INT(plait_semaphore_count(semaphore), 0);
}

struct room {
    plait_semaphore places;
    uint32_t inside, most; /* atomic */
};

static int visit_often(void *arg)
{
    struct room *room = arg;

    for (int i = 0; i < ROUNDS; i++) {
        uint32_t inside;
        CHECK_INT(plait_semaphore_acquire(&room->places, PLAIT_FOREVER), 0);
        inside = __atomic_add_fetch(&room->inside, 1, __ATOMIC_SEQ_CST);
        CHECK(inside <= 2);
        if (i % 64 == 0)
            plait_sleep(plait_after_ns(1000));
        __atomic_fetch_sub(&room->inside, 1, __ATOMIC_SEQ_CST);
        CHECK_INT(plait_semaphore_release(&room->places), 0);
    }
    return 0;
}

CLAIM(no_more_are_inside_than_there_are_units)
{
    struct room *room = make(sizeof *room);
    plait_task *tasks[5];

    CHECK_INT(plait_semaphore_init_bounded(&room->places, 2), 0);
    for (int i = 0; i < 5; i++)
        tasks[i] = start(visit_often, room);
    for (int i = 0; i < 5; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(plait_semaphore_count(&room->places), 2);
}

/* ---- bounds ---- */

TEST(a_bounded_semaphore_refuses_one_too_many)
{
    plait_semaphore semaphore;

    CHECK_INT(plait_semaphore_init_bounded(&semaphore, 2), 0);
    CHECK_INT(plait_semaphore_release(&semaphore), -EOVERFLOW);
    CHECK_INT(plait_semaphore_acquire(&semaphore, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_semaphore_release_n(&semaphore, 2), -EOVERFLOW);
    CHECK_INT(plait_semaphore_count(&semaphore), 1);
    CHECK_INT(plait_semaphore_release(&semaphore), 0);
    CHECK_INT(plait_semaphore_release(&semaphore), -EOVERFLOW);
    CHECK_INT(plait_semaphore_count(&semaphore), 2);
    CHECK_INT(plait_semaphore_init_bounded(&semaphore, 0), 0);
    CHECK_INT(plait_semaphore_release(&semaphore), -EOVERFLOW);
}

static int give(void *arg)
{
    return -plait_semaphore_release(arg);
}

/* What Python's Lock is, too. */
CLAIM(a_bounded_semaphore_of_one_is_a_lock_that_any_task_gives_back)
{
    plait_semaphore *semaphore = make(sizeof *semaphore);

    CHECK_INT(plait_semaphore_init_bounded(semaphore, 1), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait_semaphore_acquire(semaphore, PLAIT_NOWAIT), 0);
        CHECK_INT(plait_semaphore_acquire(semaphore, PLAIT_NOWAIT), -ETIMEDOUT);
        CHECK_INT(join(start(give, semaphore)), 0);
        CHECK_INT(join(start(give, semaphore)), EOVERFLOW);
        CHECK_INT(plait_semaphore_release(semaphore), -EOVERFLOW);
        CHECK_INT(plait_semaphore_count(semaphore), 1);
    }
}

TEST(no_semaphore_grows_beyond_what_can_be_counted)
{
    plait_semaphore semaphore;

    CHECK_INT(plait_semaphore_init(&semaphore, PLAIT_SEMAPHORE_MAX), 0);
    CHECK_INT(plait_semaphore_release(&semaphore), -EOVERFLOW);
    CHECK_INT(plait_semaphore_acquire(&semaphore, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_semaphore_release_n(&semaphore, 2), -EOVERFLOW);
    CHECK_INT(plait_semaphore_release_n(&semaphore, UINT32_MAX), -EOVERFLOW);
    CHECK_INT(plait_semaphore_release(&semaphore), 0);
    CHECK_INT(plait_semaphore_count(&semaphore), PLAIT_SEMAPHORE_MAX);
    CHECK_INT(plait_semaphore_init_bounded(&semaphore, PLAIT_SEMAPHORE_MAX), 0);
    CHECK_INT(plait_semaphore_release(&semaphore), -EOVERFLOW);
}

TEST(a_bad_semaphore_is_refused)
{
    plait_semaphore semaphore = { .word = 7 };

    CHECK_INT(plait_semaphore_init(NULL, 1), -EINVAL);
    CHECK_INT(plait_semaphore_init_bounded(NULL, 1), -EINVAL);
    CHECK_INT(plait_semaphore_init(&semaphore, UINT32_C(1) << 31), -EINVAL);
    CHECK_INT(plait_semaphore_init_bounded(&semaphore, UINT32_MAX), -EINVAL);
    CHECK_INT(semaphore.word, 7);
    CHECK_INT(plait_semaphore_acquire(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_semaphore_release(NULL), -EINVAL);
    CHECK_INT(plait_semaphore_release_n(NULL, 1), -EINVAL);
    CHECK_INT(plait_semaphore_release_n(&semaphore, 0), -EINVAL);
    CHECK_INT(plait_semaphore_count(NULL), 0);
}

/* ---- being asked to end ---- */

CLAIM_OF_THREADS(a_cancel_ends_the_wait_for_a_unit)
{
    plait_semaphore *semaphore = make_semaphore(0);
    plait_task *task = start(take, semaphore);

    UNTIL(has_waiter(semaphore));
    cancel_it(task);
    CHECK_INT(plait_semaphore_release(semaphore), 0);
    CHECK_INT(plait_semaphore_acquire(semaphore, PLAIT_NOWAIT), 0);
}

static int take_cancelled(void *arg)
{
    UNTIL(plait_task_is_cancelled());
    CHECK_INT(plait_semaphore_acquire(arg, PLAIT_FOREVER), 0);
    CHECK_INT(plait_semaphore_acquire(arg, PLAIT_FOREVER), -ECANCELED);
    return 0;
}

CLAIM_OF_THREADS(a_cancelled_task_takes_a_unit_that_is_there)
{
    plait_semaphore *semaphore = make_semaphore(1);
    plait_task *task = start(take_cancelled, semaphore);

    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(join(task), 0);
}

/* ---- fork and death ---- */

static void use_it(void *arg)
{
    CHECK_INT(plait_semaphore_acquire(arg, PLAIT_NOWAIT), 0);
}

CLAIM(a_forked_child_takes_from_the_same_units_in_the_heap)
{
    plait_semaphore *semaphore = make_semaphore(1);

    in_forked_child(use_it, semaphore);
    CHECK_INT(plait_semaphore_count(semaphore), is_private);
}

static int sleep_and_die(void *arg)
{
    plait_semaphore *semaphore = arg;

    __atomic_store_n(&semaphore->word, WAITERS, __ATOMIC_SEQ_CST);
    die_with_the_wake(&semaphore->word, WAITERS);
    return 0;
}

CLAIM_OF_PROCESSES(a_killed_waiter_takes_no_unit_along)
{
    plait_semaphore *semaphore = make_semaphore(0);

    for (uint32_t i = 1; i <= 5; i++) {
        plait_task *first = start(sleep_and_die, semaphore), *second;
        see_dying(i);
        second = start(take, semaphore);
        a_moment();
        CHECK_INT(plait_semaphore_release(semaphore), 0);
        see_killed(first);
        CHECK_INT(join(second), 0);
        CHECK_INT(plait_semaphore_count(semaphore), 0);
    }
}

static int die_with_a_unit(void *arg)
{
    CHECK_INT(plait_semaphore_acquire(arg, PLAIT_FOREVER), 0);
    raise(SIGKILL);
    return 0;
}

CLAIM_OF_PROCESSES(a_unit_that_a_killed_process_had_is_gone)
{
    plait_semaphore *semaphore = make_semaphore(2);

    see_killed(start(die_with_a_unit, semaphore));
    CHECK_INT(plait_semaphore_acquire(semaphore, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_semaphore_acquire(semaphore, plait_after_ms(200)), -ETIMEDOUT);
}
