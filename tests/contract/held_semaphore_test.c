/* The contract of semaphores whose units come back from the dead.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

static plait_held_semaphore *make_held(uint32_t count)
{
    plait_held_semaphore *held = make(sizeof *held);

    CHECK_INT(plait_held_semaphore_init(held, count), 0);
    return held;
}

static bool has_waiter(const plait_held_semaphore *held)
{
    return has_bit(&held->event, 1);
}

CLAIM(units_are_taken_until_there_is_none)
{
    plait_held_semaphore *held = make_held(2);
    plait_deadline soon = plait_after_ms(20);

    CHECK_INT(sizeof *held, 256);
    CHECK_INT(plait_held_semaphore_count(held), 2);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_held_semaphore_acquire(held, plait_after_ms(-1)), 0);
    CHECK_INT(plait_held_semaphore_count(held), 0);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_held_semaphore_acquire(held, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK_INT(plait_held_semaphore_release(held), 0);
    CHECK_INT(plait_held_semaphore_count(held), 1);
    CHECK_INT(plait_held_semaphore_release(held), 0);
    CHECK_INT(plait_held_semaphore_release(held), -EPERM); /* never more than there are */
    CHECK_INT(plait_held_semaphore_count(held), 2);
}

static int take_and_give_back(void *arg)
{
    int rc = plait_held_semaphore_acquire(arg, PLAIT_FOREVER);

    if (rc < 0)
        return rc;
    add_number(0);
    return plait_held_semaphore_release(arg);
}

CLAIM(an_acquire_waits_for_a_unit)
{
    plait_held_semaphore *held = make_held(1);
    plait_task *tasks[4];

    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_FOREVER), 0);
    for (int i = 0; i < 4; i++)
        tasks[i] = start(take_and_give_back, held);
    UNTIL(has_waiter(held));
    a_moment();
    CHECK_INT(number(0), 0);
    CHECK_INT(plait_held_semaphore_release(held), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(number(0), 4);
    CHECK_INT(plait_held_semaphore_count(held), 1);
}

struct room {
    plait_held_semaphore places;
    uint32_t inside; /* atomic */
};

static int visit_often(void *arg)
{
    struct room *room = arg;

    for (int i = 0; i < 2000; i++) {
        CHECK_INT(plait_held_semaphore_acquire(&room->places, PLAIT_FOREVER), 0);
        CHECK(__atomic_add_fetch(&room->inside, 1, __ATOMIC_SEQ_CST) <= 3);
        if (i % 64 == 0)
            plait_sleep(plait_after_ns(1000));
        __atomic_fetch_sub(&room->inside, 1, __ATOMIC_SEQ_CST);
        CHECK_INT(plait_held_semaphore_release(&room->places), 0);
    }
    return 0;
}

CLAIM(no_more_are_inside_than_there_are_units)
{
    struct room *room = make(sizeof *room);
    plait_task *tasks[6];

    CHECK_INT(plait_held_semaphore_init(&room->places, 3), 0);
    for (int i = 0; i < 6; i++)
        tasks[i] = start(visit_often, room);
    for (int i = 0; i < 6; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(plait_held_semaphore_count(&room->places), 3);
}

static int give_back(void *arg)
{
    return -plait_held_semaphore_release(arg);
}

CLAIM(only_a_process_that_has_a_unit_gives_one_back)
{
    plait_held_semaphore *held = make_held(2);

    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_FOREVER), 0);
    CHECK_INT(join(start(give_back, held)), kind != PLAIT_PROCESS ? 0 : EPERM);
    CHECK_INT(plait_held_semaphore_release(held), kind != PLAIT_PROCESS ? -EPERM : 0);
}

TEST(a_bad_held_semaphore_is_refused)
{
    plait_held_semaphore held = { 0 };

    CHECK_INT(plait_held_semaphore_init(NULL, 1), -EINVAL);
    CHECK_INT(plait_held_semaphore_init(&held, 0), -EINVAL);
    CHECK_INT(plait_held_semaphore_init(&held, PLAIT_HELD_SEMAPHORE_MAX + 1), -EINVAL);
    CHECK_INT(plait_held_semaphore_acquire(&held, PLAIT_FOREVER), -EINVAL); /* never begun */
    CHECK_INT(plait_held_semaphore_acquire(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_held_semaphore_release(NULL), -EINVAL);
    CHECK_INT(plait_held_semaphore_release(&held), -EPERM);
    CHECK_INT(plait_held_semaphore_count(NULL), 0);
    CHECK_INT(plait_held_semaphore_init(&held, PLAIT_HELD_SEMAPHORE_MAX), 0);
    CHECK_INT(plait_held_semaphore_count(&held), PLAIT_HELD_SEMAPHORE_MAX);
}

CLAIM_OF_THREADS(a_cancel_ends_the_wait_for_a_unit)
{
    plait_held_semaphore *held = make_held(1);
    plait_outcome end;
    plait_task *task;

    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_FOREVER), 0);
    task = start(take_and_give_back, held);
    UNTIL(has_waiter(held));
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    plait_task_destroy(task);
}

static void find_units(void *arg)
{
    CHECK_INT(plait_held_semaphore_release(arg), -EPERM); /* its parent's */
    CHECK_INT(plait_held_semaphore_acquire(arg, PLAIT_NOWAIT), is_private ? 0 : -ETIMEDOUT);
}

CLAIM(units_held_across_a_fork_are_not_the_childs)
{
    plait_held_semaphore *held = make_held(1);

    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_FOREVER), 0);
    in_forked_child(find_units, held);
    CHECK_INT(plait_held_semaphore_release(held), 0);
}

/* ---- death ---- */

static int take_and_sleep(void *arg)
{
    CHECK_INT(plait_held_semaphore_acquire(arg, PLAIT_FOREVER), 0);
    CHECK_INT(plait_held_semaphore_acquire(arg, PLAIT_FOREVER), 0);
    add_number(1);
    plait_sleep(PLAIT_FOREVER);
    return 0;
}

CLAIM_OF_PROCESSES(the_units_of_a_killed_process_come_back)
{
    plait_held_semaphore *held = make_held(3);
    plait_task *holder = start(take_and_sleep, held);

    UNTIL(number(1) == 1);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_NOWAIT), -ETIMEDOUT);
    kill_it(holder);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_FOREVER), 0);
    CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_NOWAIT), -ETIMEDOUT);
}

CLAIM_OF_PROCESSES(sleepers_get_the_units_of_a_killed_process)
{
    plait_held_semaphore *held = make_held(2);
    plait_task *holder = start(take_and_sleep, held), *tasks[3];

    UNTIL(number(1) == 1);
    for (int i = 0; i < 3; i++)
        tasks[i] = start(take_and_give_back, held);
    UNTIL(has_waiter(held));
    CHECK_INT(number(0), 0);
    kill_it(holder);
    for (int i = 0; i < 3; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(plait_held_semaphore_count(held), 2);
}

static int sleep_and_die(void *arg)
{
    plait_held_semaphore *held = arg;

    die_with_the_wake(&held->event, __atomic_or_fetch(&held->event, 1, __ATOMIC_SEQ_CST));
    return 0;
}

CLAIM_OF_PROCESSES(a_sleeper_that_dies_with_the_wake_delays_the_others_only)
{
    plait_held_semaphore *held = make_held(1);

    for (uint32_t i = 1; i <= 5; i++) {
        plait_task *first, *second;
        CHECK_INT(plait_held_semaphore_acquire(held, PLAIT_FOREVER), 0);
        first = start(sleep_and_die, held);
        see_dying(i);
        second = start(take_and_give_back, held);
        a_moment();
        CHECK_INT(plait_held_semaphore_release(held), 0);
        see_killed(first);
        CHECK_INT(join(second), 0);
    }
}

static int work_until_killed(void *arg)
{
    struct room *room = arg;

    while (number(0) == 0) {
        CHECK_INT(plait_held_semaphore_acquire(&room->places, PLAIT_FOREVER), 0);
        add_number(1);
        CHECK_INT(plait_held_semaphore_release(&room->places), 0);
    }
    return 0;
}

CLAIM_OF_PROCESSES(no_unit_is_lost_by_kills_at_any_time)
{
    struct room *room = make(sizeof *room);
    plait_task *tasks[3];

    CHECK_INT(plait_held_semaphore_init(&room->places, 2), 0);
    for (int i = 0; i < 3; i++)
        tasks[i] = start(work_until_killed, room);
    for (int i = 0; i < 60; i++) {
        uint32_t before = number(1);
        plait_sleep(plait_after_ns(700000 + i * 37000));
        kill_it(tasks[i % 3]);
        tasks[i % 3] = start(work_until_killed, room);
        UNTIL(number(1) > before);
    }
    for (int i = 0; i < 3; i++)
        kill_it(tasks[i]);
    CHECK_INT(plait_held_semaphore_acquire(&room->places, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_held_semaphore_acquire(&room->places, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_held_semaphore_acquire(&room->places, PLAIT_NOWAIT), -ETIMEDOUT);
}
