/* Select holds for tasks that are no threads: a fake scheduler plugs in.
 * SPDX-License-Identifier: MIT
 */
#include <plait/event.h>
#include <plait/pipe.h>
#include <plait/queue.h>
#include <plait/select.h>

#include "os/thread.h"
#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "fake_loop.h"
#include "threads.h"

enum {
    GET,
    EVENT,
    OTHER,
    RECV,
    READ,
    THINGS
};

static struct fake_loop loop;
static plait_queue *queue;
static plait_event event, other;
static plait_pipe *here, *there;
static int fds[2];
static plait_waitable on[THINGS];
static ssize_t results[LOOP_TASKS]; /* 99: not ended yet */

static void prepare(void)
{
    CHECK_INT(plait_queue_create(&queue, NULL), 0);
    CHECK_INT(plait_pipe_create(&here, &there, NULL), 0);
    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(plait_queue_on_get(&on[GET], queue), 0);
    CHECK_INT(plait_event_on_set(&on[EVENT], &event), 0);
    CHECK_INT(plait_event_on_set(&on[OTHER], &other), 0);
    CHECK_INT(plait_pipe_on_recv(&on[RECV], here), 0);
    CHECK_INT(plait_on_fd(&on[READ], fds[0], PLAIT_READABLE), 0);
    for (int i = 0; i < LOOP_TASKS; i++)
        results[i] = 99;
}

static struct fake_task *add(void (*fn)(void *arg))
{
    return loop_add(&loop, fn, (void *)(uintptr_t)loop.n);
}

static void make_ready(int thing)
{
    switch (thing) {
    case GET:
        CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), 0);
        break;
    case EVENT:
        CHECK_INT(plait_event_set(&event), 0);
        break;
    case OTHER:
        CHECK_INT(plait_event_set(&other), 0);
        break;
    case RECV:
        CHECK_INT(plait_pipe_send(there, "x", 1, PLAIT_NOWAIT), 0);
        break;
    default:
        CHECK_INT(write(fds[1], "x", 1), 1);
    }
}

static void select_all_kinds(void *arg)
{
    results[(uintptr_t)arg] = plait_select(on, THINGS, PLAIT_FOREVER);
}

static void select_words(void *arg)
{
    results[(uintptr_t)arg] = plait_select(on, RECV, PLAIT_FOREVER);
}

static void make_ready_one_by_one(void *arg)
{
    (void)arg;
    for (int i = 0; i < THINGS; i++) {
        CHECK_INT(results[i], 99);
        plait_sleep(plait_after_ms(5));
        make_ready(i);
        while (results[i] == 99)
            plait_sleep(plait_after_ms(1));
    }
}

static void select_one_by_one(void *arg)
{
    (void)arg;
    for (int i = 0; i < THINGS; i++) {
        results[i] = plait_select(on, THINGS, PLAIT_FOREVER);
        CHECK_INT(results[i], i);
        on[i] = (plait_waitable){ 0 };
    }
}

TEST(a_parked_task_is_woken_by_whatever_becomes_ready)
{
    prepare();
    add(select_one_by_one);
    add(make_ready_one_by_one);
    loop_run(&loop);
    CHECK_INT(results[THINGS - 1], THINGS - 1);
}

static void set_in_thread(void *arg)
{
    plait_sleep(plait_after_ms(10));
    CHECK_INT(plait_event_set(arg), 0);
}

TEST(a_parked_select_is_woken_by_another_thread)
{
    prepare();
    add(select_all_kinds);
    add(select_words);
    CHECK_INT(start_detached(set_in_thread, &other, 0), 0);
    loop_run(&loop);
    CHECK_INT(results[0], OTHER);
    CHECK_INT(results[1], OTHER);
}

static void cancel_both(void *arg)
{
    (void)arg;
    plait_sleep(plait_after_ms(5));
    plait__cancel(&loop.tasks[0].sleeper);
    plait__cancel(&loop.tasks[1].sleeper);
}

TEST(a_parked_select_is_cancelled)
{
    prepare();
    add(select_all_kinds);
    add(select_words);
    add(cancel_both);
    loop_run(&loop);
    CHECK_INT(results[0], -ECANCELED);
    CHECK_INT(results[1], -ECANCELED);
}

static void select_for_a_moment(void *arg)
{
    size_t i = (uintptr_t)arg;
    size_t n = i % 2 == 0 ? THINGS : RECV;

    results[i] = plait_select(on, n, plait_after_ms(20));
    CHECK_INT(plait_select(on, n, PLAIT_NOWAIT), -ETIMEDOUT);
}

TEST(a_parked_select_ends_at_its_deadline)
{
    plait_deadline soon = plait_after_ms(20);

    prepare();
    add(select_for_a_moment);
    add(select_for_a_moment);
    loop_run(&loop);
    CHECK_INT(results[0], -ETIMEDOUT);
    CHECK_INT(results[1], -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
}

static void get_an_item(void *arg)
{
    char byte;

    results[(uintptr_t)arg] = plait_queue_get(queue, &byte, 1, PLAIT_FOREVER);
}

static void put_an_item_then_end(void *arg)
{
    (void)arg;
    plait_sleep(plait_after_ms(5));
    make_ready(GET);
    while (results[1] == 99)
        plait_sleep(plait_after_ms(1));
    make_ready(EVENT);
}

/* Enters several words in the table, and takes all out again. */
static void select_often(void *arg)
{
    for (int i = 0; i < 200; i++)
        CHECK_INT(plait_select(on + OTHER, 3, plait_after_ns(100000)), -ETIMEDOUT);
    results[(uintptr_t)arg] = 0;
}

TEST(parked_selects_and_getters_share_a_queue)
{
    prepare();
    add(select_words);
    add(get_an_item);
    add(select_all_kinds);
    add(put_an_item_then_end);
    add(select_often);
    loop_run(&loop);
    CHECK(results[0] == GET || results[0] == EVENT);
    CHECK_INT(results[1], 1);
    CHECK(results[2] == GET || results[2] == EVENT);
    CHECK_INT(results[4], 0);
}

static plait_event events[100];

static void select_on_many(void *arg)
{
    static plait_waitable many[PLAIT_SELECT_MAX];

    for (size_t i = 0; i < PLAIT_SELECT_MAX; i++)
        CHECK_INT(plait_event_on_set(&many[i], &events[i]), 0);
    results[(uintptr_t)arg] = plait_select(many, PLAIT_SELECT_MAX, PLAIT_FOREVER);
}

static void set_the_last(void *arg)
{
    (void)arg;
    plait_sleep(plait_after_ms(5));
    CHECK_INT(plait_event_set(&events[99]), 0);
}

TEST(a_parked_task_selects_on_many)
{
    prepare();
    add(select_on_many);
    add(set_the_last);
    loop_run(&loop);
    CHECK_INT(results[0], 99);
}
