/* The end of a thread that has a loop: one that plait did not start, and one that shares coroutines.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "test.h"

enum {
    THREADS = 20,
    MANY = 400,
    LONG_MS = 20 * 1000, /* only a guard */
};

/* ---- threads of the host ---- */

static plait_loop ended;
static plait_local value;
static int n_destroyed;

static int wait_for_byte(void *arg)
{
    plait_waitable on;

    CHECK_INT(plait_on_fd(&on, *(int *)arg, PLAIT_READABLE), 0);
    CHECK_INT(plait_select(&on, 1, PLAIT_FOREVER), 0);
    return 0;
}

static void *use_coroutines(void *arg)
{
    plait_task *task = NULL;
    int fds[2];

    (void)arg;
    CHECK_INT(pipe(fds), 0);
    CHECK_INT(plait_local_set(&value, &value), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, wait_for_byte, &fds[0], NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    plait_task_destroy(task);
    CHECK_INT(plait_loop_current(&ended), 0);
    CHECK(plait_loop_fd() >= 0);
    close(fds[0]);
    close(fds[1]);
    return NULL;
}

static void count_destroyed(void *at)
{
    (void)at;
    __atomic_fetch_add(&n_destroyed, 1, __ATOMIC_SEQ_CST);
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

TEST(a_thread_of_the_host_takes_its_loop_with_it)
{
    pthread_t thread;
    unsigned fds = 0;

    value.destroy = count_destroyed;
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&thread, NULL, use_coroutines, NULL), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(plait_loop_call(ended, do_nothing, NULL), -ESRCH);
        CHECK_INT(n_destroyed, i + 1);
        if (i == 0)
            fds = count_fds();
    }
    CHECK_INT(count_fds(), fds);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

static void *leave_one(void *arg)
{
    CHECK_INT(plait_go(sleep_for_ever, arg), 0);
    plait_yield();
    CHECK_INT(plait_loop_current(&ended), 0);
    return NULL;
}

TEST(one_that_leaves_coroutines_is_gone_all_the_same)
{
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, leave_one, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(plait_loop_call(ended, do_nothing, NULL), -ESRCH);
}

/* ---- threads that share ---- */

static plait_group *group;
static plait_event gate;
static uint32_t has_filler, is_full, may_go_on; /* atomic */
static uint32_t n_ended;                        /* atomic */

static void await(const uint32_t *flag)
{
    while (__atomic_load_n(flag, __ATOMIC_SEQ_CST) == 0)
        usleep(100); /* the loop does not run meanwhile */
}

static int wait_at_gate(void *arg)
{
    (void)arg;
    CHECK_INT(plait_event_wait(&gate, PLAIT_FOREVER), 0);
    __atomic_fetch_add(&n_ended, 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* The first one that runs, in the other thread: it starts many, and keeps that thread busy. */
static int fill_shelf(void *arg)
{
    if (__atomic_exchange_n(&has_filler, 1, __ATOMIC_SEQ_CST) != 0)
        return 0;
    for (int i = 0; i < MANY; i++)
        CHECK_INT(plait_group_go(group, wait_at_gate, arg, PLAIT_FOREVER), 0);
    __atomic_store_n(&is_full, 1, __ATOMIC_SEQ_CST);
    await(&may_go_on);
    return 0;
}

static int share_and_end(void *arg)
{
    CHECK_INT(plait_loops_start(1), 0);
    while (__atomic_load_n(&has_filler, __ATOMIC_SEQ_CST) == 0) {
        CHECK_INT(plait_group_go(group, fill_shelf, arg, PLAIT_FOREVER), 0);
        usleep(500);
    }
    await(&is_full);
    return 0;
}

TEST_LIMIT(a_thread_that_ends_begins_nothing_of_the_others, 60)
{
    plait_task *task = NULL;

    CHECK_INT(plait_group_create(&group, NULL), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, share_and_end, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, plait_after_ms(LONG_MS)), 0);
    plait_task_destroy(task);
    CHECK_INT(n_ended, 0);
    __atomic_store_n(&may_go_on, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(plait_event_set(&gate), 0);
    CHECK_INT(plait_group_join(group, plait_after_ms(LONG_MS)), 0);
    CHECK_INT(n_ended, MANY);
    plait_group_destroy(group);
}

static int count(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&n_ended, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int share_alone(void *arg)
{
    CHECK_INT(plait_loops_start(0), 0);
    for (int i = 0; i < MANY; i++)
        CHECK_INT(plait_group_go(group, count, arg, PLAIT_FOREVER), 0);
    return 0;
}

TEST_LIMIT(the_last_one_that_shares_leaves_nothing_behind, 60)
{
    plait_task *task = NULL;

    CHECK_INT(plait_group_create(&group, NULL), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, share_alone, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, plait_after_ms(LONG_MS)), 0);
    plait_task_destroy(task);
    CHECK_INT(plait_group_join(group, plait_after_ms(LONG_MS)), 0);
    CHECK_INT(n_ended, MANY);
    plait_group_destroy(group);
}

/* ---- a fork in a coroutine ---- */

static int value_of_thread = 1, value_of_coroutine = 2;

static int live_in_child(void)
{
    plait_scope scope;

    CHECK(plait_local_get(&value) == &value_of_coroutine);
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0); /* no scope: it was the coroutine's */
    CHECK_INT(plait_scope_enter(&scope, plait_after_ms(1)), 0);
    CHECK_INT(plait_sleep(PLAIT_FOREVER), -ETIMEDOUT);
    CHECK(plait_scope_leave(&scope));
    CHECK_INT(plait_local_set(&value, NULL), 0);
    CHECK(plait_local_get(&value) == NULL);
    return 7;
}

static int fork_here(void *arg)
{
    plait_scope scope;
    int status, code;
    pid_t pid;

    (void)arg;
    CHECK_INT(plait_local_set(&value, &value_of_coroutine), 0);
    CHECK_INT(plait_scope_enter(&scope, PLAIT_NOWAIT), 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        code = live_in_child();
        plait_scope_leave(&scope);
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
        return code;
    }
    CHECK(plait_scope_leave(&scope));
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 7);
    CHECK(plait_local_get(&value) == &value_of_coroutine);
    return 0;
}

static void run_to_end(plait_task_fn *fn)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, fn, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    plait_task_destroy(task);
    CHECK(plait_local_get(&value) == &value_of_thread);
}

TEST(who_was_forked_by_a_coroutine_has_its_values_and_none_of_its_scopes)
{
    CHECK_INT(plait_local_set(&value, &value_of_thread), 0);
    run_to_end(fork_here);
}
