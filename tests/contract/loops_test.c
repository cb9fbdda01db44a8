/* Loops that share what has not begun.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <unistd.h>

#include "test.h"

enum {
    TASKS = 2000,
    FANOUT = 10,
#ifdef __SANITIZE_THREAD__
    LEAVES = 1000 /* it makes a fiber of each coroutine */
#else
    LEAVES = 10000
#endif
};

static plait_lock lock;
static pid_t threads[8]; /* lock: which have begun something */
static size_t n_threads;
static long sum;      /* atomic */
static uint32_t gate; /* atomic */

static void note_thread(void)
{
    pid_t self = gettid();
    size_t i = 0;

    CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
    while (i < n_threads && threads[i] != self)
        i++;
    if (i == n_threads && n_threads < sizeof threads / sizeof *threads)
        threads[n_threads++] = self;
    CHECK_INT(plait_lock_release(&lock), 0);
}

static size_t count_threads(void)
{
    size_t n;

    CHECK_INT(plait_lock_acquire(&lock, PLAIT_FOREVER), 0);
    n = n_threads;
    CHECK_INT(plait_lock_release(&lock), 0);
    return n;
}

/* Keeps its thread busy until another thread has begun something too. */
static int hold_the_thread(void *arg)
{
    (void)arg;
    note_thread();
    while (count_threads() < 2)
        usleep(100);
    __atomic_fetch_add(&sum, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int start_many(void *arg)
{
    for (int i = 0; i < TASKS; i++)
        CHECK_INT(plait_go(hold_the_thread, arg), 0);
    return 0;
}

static void run_to_end(plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, fn, arg, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    plait_task_destroy(task);
}

TEST(a_loop_with_nothing_to_do_begins_what_another_is_too_busy_for)
{
    CHECK_INT(plait_loops_start(2), 0);
    run_to_end(start_many, NULL);
    CHECK_INT(sum, TASKS);
    CHECK(n_threads >= 2);
}

struct node {
    long first, n;
};

static int add_up(void *arg)
{
    const struct node *node = arg;

    if (node->n == 1) {
        __atomic_fetch_add(&sum, node->first, __ATOMIC_SEQ_CST);
        return 0;
    }
    for (int i = 0; i < FANOUT; i++) {
        struct node part = { node->first + i * (node->n / FANOUT), node->n / FANOUT };
        CHECK_INT(plait_go_copy(add_up, &part, sizeof part), 0);
    }
    return 0;
}

TEST(a_tree_of_coroutines_on_several_threads_ends_whole)
{
    struct node all = { 0, LEAVES };

    CHECK_INT(plait_loops_start(3), 0);
    for (int i = 1; i <= 5; i++) {
        run_to_end(add_up, &all);
        CHECK_INT(sum, i * (long)LEAVES * (LEAVES - 1) / 2);
    }
}

static int wait_for_gate(void *arg)
{
    pid_t thread = gettid();

    (void)arg;
    while (__atomic_load_n(&gate, __ATOMIC_SEQ_CST) == 0)
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    CHECK_INT(gettid(), thread);
    __atomic_fetch_add(&sum, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int start_sleepers(void *arg)
{
    for (int i = 0; i < TASKS; i++)
        CHECK_INT(plait_go(wait_for_gate, arg), 0);
    CHECK_INT(plait_sleep(plait_after_ms(20)), 0);
    __atomic_store_n(&gate, 1, __ATOMIC_SEQ_CST);
    return 0;
}

TEST(what_has_begun_stays_in_its_thread)
{
    CHECK_INT(plait_loops_start(2), 0);
    run_to_end(start_sleepers, NULL);
    CHECK_INT(sum, TASKS);
}

TEST(its_threads_are_nobodys_children)
{
    CHECK_INT(plait_loops_start(2), 0);
    CHECK_INT(plait_task_children(NULL, 0), 0);
    run_to_end(start_sleepers, NULL);
    CHECK_INT(plait_task_children(NULL, 0), 0);
}

static int start_loops(void *arg)
{
    (void)arg;
    return plait_loops_start(1);
}

TEST(a_coroutine_starts_no_loops)
{
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(plait_loops_start(1025), -EINVAL);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, start_loops, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, -EBUSY);
    plait_task_destroy(task);
}
