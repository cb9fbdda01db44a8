/* The contract of events.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

static bool has_waiter(const plait_event *event)
{
    return has_bit(&event->word, 2);
}

static int wait_and_count(void *arg)
{
    int rc = plait_event_wait(arg, PLAIT_FOREVER);

    if (rc == 0)
        add_number(0);
    return rc;
}

CLAIM(all_who_wait_go_on_when_it_is_set)
{
    plait_event *event = make(sizeof *event);
    plait_task *tasks[4];

    CHECK_INT(sizeof *event, 64);
    CHECK(!plait_event_is_set(event));
    for (int i = 0; i < 4; i++)
        tasks[i] = start(wait_and_count, event);
    UNTIL(has_waiter(event));
    a_moment();
    CHECK_INT(number(0), 0);
    CHECK_INT(plait_event_set(event), 0);
    CHECK(plait_event_is_set(event));
    for (int i = 0; i < 4; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(plait_event_wait(event, PLAIT_NOWAIT), 0); /* it stays set */
    CHECK_INT(plait_event_wait(event, PLAIT_FOREVER), 0);
    CHECK_INT(join(start(wait_and_count, event)), 0);
}

CLAIM(a_wait_ends_at_its_deadline)
{
    plait_event *event = make(sizeof *event);
    plait_deadline soon = plait_after_ms(20);

    CHECK_INT(plait_event_wait(event, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_event_wait(event, plait_after_ms(-1)), -ETIMEDOUT);
    CHECK_INT(plait_event_wait(event, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK_INT(plait_event_set(event), 0);
    CHECK_INT(plait_event_set(event), 0);
    CHECK_INT(plait_event_clear(event), 0);
    CHECK_INT(plait_event_clear(event), 0);
    CHECK(!plait_event_is_set(event));
    CHECK_INT(plait_event_wait(event, PLAIT_NOWAIT), -ETIMEDOUT);
}

CLAIM(sets_and_clears_in_quick_order_lose_no_waiter)
{
    plait_event *event = make(sizeof *event);
    plait_task *tasks[4];

    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 4; i++)
            tasks[i] = start(wait_and_count, event);
        UNTIL(has_waiter(event));
        CHECK_INT(plait_event_set(event), 0);
        CHECK_INT(plait_event_clear(event), 0);
        CHECK_INT(plait_event_set(event), 0); /* for those who came too late */
        for (int i = 0; i < 4; i++)
            CHECK_INT(join(tasks[i]), 0);
        CHECK_INT(plait_event_clear(event), 0);
    }
    CHECK_INT(number(0), 80);
}

CLAIM(who_waits_when_it_is_set_goes_on_though_it_is_cleared_at_once)
{
    plait_event *event = make(sizeof *event);

    for (uint32_t round = 1; round <= 20; round++) {
        plait_task *task = start(wait_and_count, event);
        UNTIL(has_waiter(event)); /* the only one: it waits */
        CHECK_INT(plait_event_set(event), 0);
        CHECK_INT(plait_event_clear(event), 0);
        CHECK_INT(join(task), 0);
        CHECK_INT(number(0), round);
    }
    CHECK_INT(plait_event_wait(event, PLAIT_NOWAIT), -ETIMEDOUT); /* who comes later does not */
}

TEST(no_event_is_refused)
{
    CHECK_INT(plait_event_set(NULL), -EINVAL);
    CHECK_INT(plait_event_clear(NULL), -EINVAL);
    CHECK_INT(plait_event_wait(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK(!plait_event_is_set(NULL));
}

/* Two events handed to and fro: a wake that is lost stops it. */
static int play_back(void *arg)
{
    plait_event *events = arg;

    for (int i = 0; i < 3000; i++) {
        CHECK_INT(plait_event_wait(&events[0], PLAIT_FOREVER), 0);
        CHECK_INT(plait_event_clear(&events[0]), 0);
        CHECK_INT(board->sum, 2 * i + 1);
        board->sum++;
        CHECK_INT(plait_event_set(&events[1]), 0);
    }
    return 0;
}

CLAIM(what_was_written_before_the_set_is_seen_after_the_wait)
{
    plait_event *events = make(2 * sizeof *events);
    plait_task *task = start(play_back, events);

    for (int i = 0; i < 3000; i++) {
        CHECK_INT(board->sum, 2 * i);
        board->sum++;
        CHECK_INT(plait_event_set(&events[0]), 0);
        CHECK_INT(plait_event_wait(&events[1], PLAIT_FOREVER), 0);
        CHECK_INT(plait_event_clear(&events[1]), 0);
    }
    CHECK_INT(join(task), 0);
}

CLAIM_OF_THREADS(a_cancel_ends_the_wait_for_an_event)
{
    plait_event *event = make(sizeof *event);
    plait_task *task = start(wait_and_count, event);

    UNTIL(has_waiter(event));
    cancel_it(task);
}

static int wait_cancelled(void *arg)
{
    plait_event *event = arg;

    UNTIL(plait_task_is_cancelled());
    CHECK_INT(plait_event_wait(event, PLAIT_FOREVER), 0);
    plait_event_clear(event);
    CHECK_INT(plait_event_wait(event, PLAIT_FOREVER), -ECANCELED);
    return 0;
}

CLAIM_OF_THREADS(a_cancelled_task_is_told_of_a_set_event)
{
    plait_event *event = make(sizeof *event);
    plait_task *task;

    CHECK_INT(plait_event_set(event), 0);
    task = start(wait_cancelled, event);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(join(task), 0);
}

static void set_it(void *arg)
{
    CHECK_INT(plait_event_set(arg), 0);
}

CLAIM(a_forked_child_sets_the_same_event_in_the_heap)
{
    plait_event *event = make(sizeof *event);

    in_forked_child(set_it, event);
    CHECK_INT(plait_event_is_set(event), !is_private);
}

CLAIM_OF_PROCESSES(killed_waiters_hold_nobody_up)
{
    plait_event *event = make(sizeof *event);
    plait_task *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = start(wait_and_count, event);
    UNTIL(has_waiter(event));
    a_moment();
    for (int i = 0; i < 3; i++)
        kill_it(tasks[i]);
    CHECK_INT(plait_event_set(event), 0);
    CHECK_INT(join(tasks[3]), 0);
    CHECK_INT(number(0), 1);
}

static int flip_until_killed(void *arg)
{
    while (number(7) == 0) {
        plait_event_set(arg);
        plait_event_clear(arg);
    }
    return 0;
}

CLAIM_OF_PROCESSES(a_setter_that_is_killed_at_any_time_loses_no_waiter)
{
    plait_event *event = make(sizeof *event);

    for (int i = 0; i < 30; i++) {
        plait_task *flipper = start(flip_until_killed, event), *waiter;
        plait_sleep(plait_after_ns(500000 + i * 41000));
        waiter = start(wait_and_count, event);
        kill_it(flipper);
        CHECK_INT(plait_event_set(event), 0); /* it may have been killed before the first set */
        CHECK_INT(join(waiter), 0);
        CHECK_INT(plait_event_clear(event), 0);
    }
}
