/* Locks and what is made of them hold for tasks that are no threads: a fake scheduler plugs in.
 * SPDX-License-Identifier: MIT
 */
#include <plait/barrier.h>
#include <plait/condition.h>
#include <plait/event.h>
#include <plait/lock.h>
#include <plait/semaphore.h>

#include "test.h"

#include <errno.h>
#include <string.h>

#include "fake_loop.h"

static struct fake_loop loop;
static plait_lock lock;
static plait_condition condition;
static plait_semaphore semaphore;
static plait_held_semaphore held;
static plait_event event;
static plait_barrier barrier;
static int inside, n, results[LOOP_TASKS];

/* Gives the thread to the other tasks. */
static void yield(void)
{
    plait_sleep(plait_after_ms(1));
}

static struct fake_task *add(void (*fn)(void *arg))
{
    return loop_add(&loop, fn, (void *)(uintptr_t)loop.n);
}

static void take_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
        CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), -EDEADLK);
        CHECK_INT(++inside, 1);
        yield();
        inside--;
        n++;
        CHECK_INT(plait_lock_release(&lock), 0);
    }
}

TEST(tasks_of_one_thread_exclude_each_other)
{
    for (int i = 0; i < 4; i++)
        add(take_often);
    loop_run(&loop);
    CHECK_INT(n, 80);
    CHECK_INT(plait_lock_token(&lock), 80);
    CHECK(!plait_lock_is_held(&lock));
}

static void hold(void *arg)
{
    (void)arg;
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
    yield();
    yield();
    CHECK_INT(plait_lock_release(&lock), 0);
}

static void meddle(void *arg)
{
    (void)arg;
    CHECK(plait_lock_is_held(&lock));
    CHECK_INT(plait_lock_release(&lock), -EPERM);
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_NOWAIT), -ETIMEDOUT);
}

TEST(what_one_task_of_a_thread_holds_another_cannot_release)
{
    add(hold);
    add(meddle);
    loop_run(&loop);
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_NOWAIT), 0); /* this thread, no task of the loop */
    add(meddle);
    loop_run(&loop);
    CHECK_INT(plait_lock_release(&lock), 0);
}

static void take_cancelled(void *arg)
{
    (void)arg;
    results[0] = plait_lock_acquire(&lock, PLAIT_FOREVER);
}

static void cancel_first(void *arg)
{
    (void)arg;
    plait__cancel(&loop.tasks[0].sleeper);
}

TEST(a_parked_task_that_waits_for_a_lock_is_cancelled)
{
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_NOWAIT), 0);
    add(take_cancelled);
    add(cancel_first);
    loop_run(&loop);
    CHECK_INT(results[0], -ECANCELED);
}

static void wait_for_notify(void *arg)
{
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
    results[(uintptr_t)arg] = plait_condition_wait(&condition, &lock, PLAIT_FOREVER);
    n++;
    CHECK_INT(plait_lock_release(&lock), 0);
}

static void cancel_and_keep_the_lock(void *arg)
{
    (void)arg;
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
    plait__cancel(&loop.tasks[0].sleeper);
    yield();
    CHECK_INT(n, 0); /* it waits for the lock, cancelled or not */
    CHECK_INT(plait_condition_notify(&condition, 1), 0);
    CHECK_INT(plait_lock_release(&lock), 0);
}

TEST(a_cancelled_wait_takes_the_lock_back_by_parking)
{
    add(wait_for_notify);
    add(wait_for_notify);
    add(cancel_and_keep_the_lock);
    loop_run(&loop);
    CHECK_INT(results[0], -ECANCELED);
    CHECK_INT(results[1], 0);
    CHECK(!plait_lock_is_held(&lock));
}

static void consume(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK_INT(plait_semaphore_acquire(&semaphore, PLAIT_FOREVER), 0);
    CHECK_INT(plait_event_wait(&event, PLAIT_FOREVER), 0);
    CHECK(plait_barrier_wait(&barrier, PLAIT_FOREVER) >= 0);
    n++;
}

static void produce(void *arg)
{
    (void)arg;
    for (int i = 0; i < 15; i++) {
        CHECK_INT(plait_semaphore_release_n(&semaphore, 2), 0);
        if (i % 3 == 0)
            yield();
    }
    yield();
    CHECK_INT(n, 0);
    CHECK_INT(plait_event_set(&event), 0);
}

TEST(tasks_of_one_thread_wait_for_units_events_and_each_other)
{
    CHECK_INT(plait_barrier_init(&barrier, 3), 0);
    for (int i = 0; i < 3; i++)
        add(consume);
    add(produce);
    loop_run(&loop);
    CHECK_INT(n, 3);
}

/* ---- no wake is lost ----
 *
 * One thread, so that each step comes when it is told to. In private memory nobody looks after a
 * slice: who is forgotten here sleeps for ever. The tasks park in the order in which they were
 * added, and are woken in it. */

static void oversleep(void)
{
    plait_deadline until = plait_after_ms(30);

    while (plait_left_ns(until) > 0) /* the impatient's deadline passes; nobody runs meanwhile */
        ;
}

static void acquire_impatiently(void *arg)
{
    (void)arg;
    results[0] = plait_lock_acquire(&lock, plait_after_ms(10));
}

static void acquire_patiently(void *arg)
{
    (void)arg;
    results[1] = plait_lock_acquire(&lock, PLAIT_FOREVER);
}

static void release_and_take_again(void *arg)
{
    (void)arg;
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_NOWAIT), 0);
    yield();
    oversleep();
    CHECK_INT(plait_lock_release(&lock), 0); /* wakes the impatient one */
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_NOWAIT), 0);
    yield(); /* which finds it held, and has no time left */
    CHECK_INT(results[0], -ETIMEDOUT);
    CHECK_INT(plait_lock_release(&lock), 0);
}

TEST(a_wake_spent_on_who_gives_up_reaches_the_next_one)
{
    results[1] = 99;
    add(release_and_take_again);
    add(acquire_impatiently);
    add(acquire_patiently);
    loop_run(&loop);
    CHECK_INT(results[1], 0);
}

static void acquire_and_release(void *arg)
{
    results[(uintptr_t)arg] = plait_lock_acquire(&lock, PLAIT_FOREVER);
    CHECK_INT(plait_lock_release(&lock), 0);
}

static void hold_once(void *arg)
{
    (void)arg;
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_NOWAIT), 0);
    yield(); /* the others park */
    CHECK_INT(plait_lock_release(&lock), 0);
}

TEST(who_was_woken_wakes_the_next_one)
{
    add(hold_once);
    for (int i = 1; i <= 3; i++) {
        results[i] = 99;
        add(acquire_and_release);
    }
    loop_run(&loop);
    for (int i = 1; i <= 3; i++)
        CHECK_INT(results[i], 0);
}

static void take_impatiently(void *arg)
{
    (void)arg;
    results[0] = plait_semaphore_acquire(&semaphore, plait_after_ms(10));
}

static void take_patiently(void *arg)
{
    (void)arg;
    results[1] = plait_semaphore_acquire(&semaphore, PLAIT_FOREVER);
}

static void release_and_take_back(void *arg)
{
    (void)arg;
    yield();
    oversleep();
    CHECK_INT(plait_semaphore_release(&semaphore), 0); /* wakes the impatient one */
    CHECK_INT(plait_semaphore_acquire(&semaphore, PLAIT_NOWAIT), 0);
    yield();
    CHECK_INT(results[0], -ETIMEDOUT);
    CHECK_INT(plait_semaphore_release(&semaphore), 0);
}

TEST(a_unit_announced_to_who_gives_up_reaches_the_next_one)
{
    results[1] = 99;
    add(take_impatiently);
    add(take_patiently);
    add(release_and_take_back);
    loop_run(&loop);
    CHECK_INT(results[1], 0);
}

static void take_held(void *arg)
{
    results[(uintptr_t)arg] = plait_held_semaphore_acquire(&held, PLAIT_FOREVER);
}

static void release_held_twice(void *arg)
{
    (void)arg;
    yield();
    CHECK_INT(plait_held_semaphore_release(&held), 0); /* wakes the first one … */
    CHECK_INT(plait_held_semaphore_release(&held), 0); /* … and nobody */
}

TEST(held_units_that_come_quickly_reach_all_who_wait)
{
    results[0] = results[1] = 99;
    CHECK_INT(plait_held_semaphore_init(&held, 2), 0);
    CHECK_INT(plait_held_semaphore_acquire(&held, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_held_semaphore_acquire(&held, PLAIT_NOWAIT), 0);
    add(take_held);
    add(take_held);
    add(release_held_twice);
    loop_run(&loop);
    CHECK_INT(results[0], 0);
    CHECK_INT(results[1], 0);
}

static void wait_for_event(void *arg)
{
    results[(uintptr_t)arg] = plait_event_wait(&event, PLAIT_FOREVER);
}

static void set_and_clear(void *arg)
{
    (void)arg;
    yield();
    CHECK_INT(plait_event_set(&event), 0);
    CHECK_INT(plait_event_clear(&event), 0); /* before they have looked */
}

TEST(who_waited_for_an_event_goes_on_also_when_it_is_cleared_at_once)
{
    results[0] = results[1] = 99;
    add(wait_for_event);
    add(wait_for_event);
    add(set_and_clear);
    loop_run(&loop);
    CHECK_INT(results[0], 0);
    CHECK_INT(results[1], 0);
}

static void wait_impatiently(void *arg)
{
    CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
    results[(uintptr_t)arg] = plait_condition_wait(&condition, &lock, plait_after_ms(10));
    CHECK_INT(plait_lock_release(&lock), 0);
}

static void notify_late(void *arg)
{
    (void)arg;
    yield();
    oversleep();
    CHECK_INT(plait_condition_notify(&condition, 1), 0);
}

TEST(a_notify_that_meets_time_outs_is_told_to_one)
{
    add(wait_impatiently);
    add(wait_impatiently);
    add(notify_late);
    loop_run(&loop);
    CHECK_INT(results[0] + results[1], -ETIMEDOUT); /* the other one is 0 */
    CHECK_INT(condition.state, 0);
}
