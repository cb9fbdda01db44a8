/* The contract of plait_idle.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

enum {
    OTHERS = 10,
    TURNS = 100
};

static int n_others, n_idle, is_over;
static int order[2 * TURNS], n_order;
static int fds[2];
static plait_event event;

static plait_task *start(plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, fn, arg, NULL), 0);
    return task;
}

static int end(plait_task *task)
{
    plait_outcome outcome;

    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &outcome), 0);
    plait_task_destroy(task);
    return outcome.code;
}

/* Always ready. */
static int go_round(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++)
        plait_yield();
    n_others--;
    return 0;
}

static int wait_for_others(void *arg)
{
    (void)arg;
    CHECK_INT(plait_idle(PLAIT_FOREVER), 0);
    return n_others;
}

TEST(it_comes_after_all_that_is_ready)
{
    plait_task *task = start(wait_for_others, NULL);

    for (n_others = 0; n_others < OTHERS; n_others++)
        CHECK_INT(plait_go(go_round, NULL), 0);
    CHECK_INT(end(task), 0);
}

static int idle_on(void *arg)
{
    int rc = 0;

    (void)arg;
    while (!is_over && (rc = plait_idle(PLAIT_FOREVER)) == 0)
        n_idle++;
    return rc;
}

static int sleep_and_end(void *arg)
{
    (void)arg;
    CHECK_INT(plait_sleep(plait_after_ms(5)), 0);
    is_over = 1;
    return 0;
}

TEST(it_goes_on_while_others_sleep)
{
    plait_task *task = start(idle_on, NULL);

    CHECK_INT(end(start(sleep_and_end, NULL)), 0);
    CHECK_INT(end(task), 0);
    CHECK(n_idle > 1);
}

static int read_and_end(void *arg)
{
    char byte;

    (void)arg;
    CHECK_INT(plait_fd_wait(fds[0], PLAIT_READABLE, PLAIT_FOREVER), PLAIT_READABLE);
    CHECK_INT(read(fds[0], &byte, 1), 1);
    CHECK_INT(plait_event_wait(&event, PLAIT_FOREVER), 0);
    is_over = 1;
    return 0;
}

static void *write_and_set(void *arg)
{
    CHECK_INT(write(fds[1], "x", 1), 1);
    usleep(1000);
    plait_event_set(&event);
    return arg;
}

TEST(who_is_idle_keeps_nobody_waiting)
{
    pthread_t thread;
    plait_task *task = start(idle_on, NULL), *reader = start(read_and_end, NULL);

    CHECK_INT(pipe(fds), 0);
    CHECK_INT(pthread_create(&thread, NULL, write_and_set, NULL), 0);
    CHECK_INT(end(reader), 0);
    CHECK_INT(end(task), 0);
    pthread_join(thread, NULL);
}

TEST(a_descriptor_that_is_ready_comes_first)
{
    plait_task *reader;

    CHECK_INT(pipe(fds), 0);
    CHECK_INT(plait_event_set(&event), 0);
    reader = start(read_and_end, NULL);
    plait_yield(); /* it waits */
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(plait_idle(PLAIT_FOREVER), 0);
    CHECK_INT(is_over, 1);
    CHECK_INT(end(reader), 0);
}

static int take_turns(void *arg)
{
    for (int i = 0; i < TURNS; i++) {
        CHECK_INT(plait_idle(PLAIT_FOREVER), 0);
        order[n_order++] = *(int *)arg;
    }
    return 0;
}

TEST(several_take_turns)
{
    int numbers[] = { 0, 1 };
    plait_task *first = start(take_turns, &numbers[0]), *second = start(take_turns, &numbers[1]);

    CHECK_INT(end(first), 0);
    CHECK_INT(end(second), 0);
    for (int i = 0; i < 2 * TURNS; i++)
        CHECK_INT(order[i], i % 2);
}

static int be_busy(void *arg)
{
    (void)arg;
    while (!is_over)
        plait_yield();
    return 0;
}

static int idle_briefly(void *arg)
{
    plait_scope scope;

    (void)arg;
    CHECK_INT(plait_idle(PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_idle(plait_after_ms(2)), -ETIMEDOUT);
    CHECK_INT(plait_scope_enter(&scope, plait_after_ms(2)), 0);
    CHECK_INT(plait_idle(PLAIT_FOREVER), -ETIMEDOUT);
    CHECK(plait_scope_leave(&scope));
    is_over = 1;
    CHECK_INT(plait_idle(PLAIT_FOREVER), 0);
    CHECK_INT(plait_idle(PLAIT_NOWAIT), 0);
    return 0;
}

TEST(it_has_a_deadline)
{
    plait_task *busy = start(be_busy, NULL);

    CHECK_INT(end(start(idle_briefly, NULL)), 0);
    CHECK_INT(end(busy), 0);
}

TEST(who_is_asked_to_end_is_told)
{
    plait_task *busy = start(be_busy, NULL), *task = start(idle_on, NULL);

    plait_yield();
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(end(task), -ECANCELED);
    is_over = 1;
    CHECK_INT(end(busy), 0);
    is_over = 0;
    task = start(idle_on, NULL); /* nothing else is ready: it could go on for ever */
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(end(task), -ECANCELED);
}

static int idle_when_asked(void *arg)
{
    (void)arg;
    CHECK_INT(plait_sleep(PLAIT_FOREVER), -ECANCELED);
    return plait_idle(PLAIT_FOREVER);
}

TEST(a_thread_without_a_loop_is_told_too)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, idle_when_asked, NULL, NULL), 0);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(end(task), -ECANCELED);
}

TEST(the_thread_itself_may_be_idle)
{
    CHECK_INT(plait_idle(PLAIT_FOREVER), 0); /* there is no loop */
    for (n_others = 0; n_others < OTHERS; n_others++)
        CHECK_INT(plait_go(go_round, NULL), 0);
    CHECK_INT(plait_idle(PLAIT_FOREVER), 0);
    CHECK_INT(n_others, 0);
}

TEST(a_foreign_loop_is_told_of_it)
{
    struct pollfd polled = { .fd = plait_loop_fd(), .events = POLLIN };
    plait_task *task = start(idle_on, NULL);

    for (int i = 0; i < 5; i++) {
        int before = n_idle;
        int rc;
        do
            rc = poll(&polled, 1, 5000);
        while (rc < 0 && errno == EINTR);
        CHECK_INT(rc, 1);
        CHECK_INT(plait_loop_run(PLAIT_NOWAIT), -ETIMEDOUT);
        CHECK(n_idle > before);
        CHECK(n_idle < before + 100); /* it comes back */
    }
    is_over = 1;
    CHECK_INT(end(task), 0);
}
