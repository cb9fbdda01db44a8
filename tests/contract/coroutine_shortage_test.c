/* Coroutines that wait for a stack.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "shortage.h"

#include <errno.h>

enum {
    MOST = 10000,
    BLOCKS = 8,
    BLOCK_BYTES = 100 << 10
};

static plait_event may_destroy, has_begun;
static plait_task *tasks[MOST]; /* that have ended, and keep their stacks */
static int n_tasks;

static int return_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static int wait_for_it(void *arg)
{
    return plait_event_wait(arg, PLAIT_FOREVER);
}

static int set_it(void *arg)
{
    return plait_event_set(arg);
}

static int destroy_one(void *arg)
{
    (void)arg;
    CHECK_INT(plait_event_wait(&may_destroy, PLAIT_FOREVER), 0);
    plait_task_destroy(tasks[--n_tasks]);
    return 0;
}

/* So that malloc has something left when no stack can be mapped. */
static void keep_some(void)
{
    void *blocks[BLOCKS];

    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(BLOCK_BYTES);
    for (int i = 0; i < BLOCKS - 1;
         i++) /* the last one stays: what is below it is not given back */
        free(blocks[i]);
}

static void take_all_stacks(void)
{
    int rc = 0;

    while (n_tasks < MOST && (rc = plait_task_start(&tasks[n_tasks], PLAIT_COROUTINE,
                                                    return_at_once, NULL, NULL)) == 0)
        n_tasks++;
    CHECK_INT(rc, -ENOMEM);
    plait_yield();
}

TEST(a_stack_that_another_thread_gives_back_is_taken)
{
    plait_task *thread = NULL;

    CHECK_INT(plait_task_start(&thread, PLAIT_THREAD, destroy_one, NULL, NULL), 0);
    limit_memory();
    keep_some();
    CHECK_INT(plait_go(wait_for_it, &has_begun), 0); /* it has a stack, and will not give it back */
    plait_yield();
    take_all_stacks();
    CHECK_INT(plait_go(set_it, &has_begun), 0);
    CHECK_INT(plait_event_wait(&has_begun, plait_after_ms(20)), -ETIMEDOUT);
    plait_event_set(&may_destroy);
    CHECK_INT(plait_event_wait(&has_begun, plait_after_ms(8000)), 0);
    CHECK_INT(plait_task_join(thread, PLAIT_FOREVER), 0);
    while (n_tasks > 0)
        plait_task_destroy(tasks[--n_tasks]);
    plait_task_destroy(thread);
}
