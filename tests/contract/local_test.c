/* The contract of variables of which each task has its own.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const plait_kind kinds[] = { PLAIT_PROCESS, PLAIT_COROUTINE, PLAIT_THREAD };

static int *n_destroyed; /* shared by the processes */

static void count_destroyed(void *value)
{
    __atomic_fetch_add(n_destroyed, (int)(intptr_t)value, __ATOMIC_SEQ_CST);
}

static void *add_100(void *value)
{
    return (void *)((intptr_t)value + 100);
}

static plait_local plain, counted = { .destroy = count_destroyed },
                          passed_on = { .destroy = count_destroyed, .inherit = add_100 };

static void prepare(void)
{
    n_destroyed = plait_shared_alloc(sizeof *n_destroyed);
    CHECK(n_destroyed != NULL);
}

static void set(plait_local *local, intptr_t value)
{
    CHECK_INT(plait_local_set(local, (void *)value), 0);
}

static intptr_t get(const plait_local *local)
{
    return (intptr_t)plait_local_get(local);
}

static void run_one(plait_kind kind, plait_task_fn *fn)
{
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(plait_task_start(&task, kind, fn, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.kind, PLAIT_RETURNED);
    CHECK_INT(end.code, 0);
    plait_task_destroy(task);
}

static int use_own(void *arg)
{
    (void)arg;
    CHECK_INT(get(&plain), 0);
    set(&plain, 2);
    plait_yield();
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    CHECK_INT(get(&plain), 2);
    set(&plain, 0);
    CHECK_INT(get(&plain), 0);
    return 0;
}

TEST(each_task_has_its_own)
{
    plait_group *group = NULL;

    prepare();
    CHECK_INT(get(&plain), 0);
    CHECK_INT(get(NULL), 0);
    CHECK_INT(plait_local_set(NULL, &plain), -EINVAL);
    set(&plain, 1);
    for (int i = 0; i < 3; i++) {
        run_one(kinds[i], use_own);
        CHECK_INT(get(&plain), 1);
    }
    CHECK_INT(plait_group_create(&group, NULL), 0);
    for (int i = 0; i < 10; i++)
        CHECK_INT(plait_group_go(group, use_own, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    plait_group_destroy(group);
    CHECK_INT(get(&plain), 1);
}

static int set_counted(void *arg)
{
    (void)arg;
    set(&counted, 3);
    set(&counted, 1); /* the first one is not destroyed */
    return 0;
}

TEST(a_value_is_destroyed_when_its_task_ends)
{
    prepare();
    for (int i = 0; i < 3; i++) {
        run_one(kinds[i], set_counted);
        CHECK_INT(*n_destroyed, i + 1);
    }
}

static int look_at_inherited(void *arg)
{
    (void)arg;
    CHECK_INT(get(&passed_on), 101);
    CHECK_INT(get(&counted), 0);
    return 0;
}

static int set_and_leave(void *arg)
{
    set_counted(arg);
    pthread_exit(NULL);
}

TEST(a_value_is_destroyed_too_when_a_thread_task_leaves_by_pthread_exit)
{
    plait_task *task = NULL;

    prepare();
    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, set_and_leave, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(*n_destroyed, 1);
    plait_task_destroy(task);
}

static int start_later(void *arg)
{
    plait_task *later = NULL;

    (void)arg;
    set(&passed_on, 1);
    CHECK_INT(plait_go_after(&later, 0, look_at_inherited, NULL), 0);
    CHECK_INT(plait_task_join(later, PLAIT_FOREVER), 0);
    plait_task_destroy(later);
    return 0;
}

static int look_in_timer(void *arg, uint64_t ticks)
{
    (void)ticks;
    return look_at_inherited(arg);
}

TEST(what_begins_later_inherits_what_there_was_at_its_start)
{
    const plait_kind in[] = { PLAIT_THREAD, PLAIT_COROUTINE };

    prepare();
    run_one(PLAIT_COROUTINE, start_later);
    CHECK_INT(*n_destroyed, 102);
    set(&passed_on, 1);
    for (int i = 0; i < 2; i++) {
        plait_task *timer = NULL;
        plait_outcome end;
        CHECK_INT(plait_timer_start(&timer, in[i], look_in_timer, NULL, NULL), 0);
        CHECK_INT(plait_task_join(timer, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(timer, &end), 0);
        CHECK_INT(end.kind, PLAIT_RETURNED);
        plait_task_destroy(timer);
        CHECK_INT(*n_destroyed, 102 + 101 * (i + 1));
    }
}

static void *set_in_thread(void *arg)
{
    set_counted(arg);
    return NULL;
}

TEST(a_value_of_a_thread_of_the_hosts_is_destroyed_too)
{
    pthread_t thread;

    prepare();
    CHECK_INT(pthread_create(&thread, NULL, set_in_thread, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(*n_destroyed, 1);
}

static void leave(void)
{
    _exit(0);
}

static int set_and_fork(void *arg)
{
    pid_t pid;

    set_counted(arg);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) /* no sanitizer shall look for leaks in half a program */
        return atexit(leave);
    CHECK_INT(test_waitpid(pid, NULL, 0), pid);
    CHECK_INT(*n_destroyed, 0);
    return 0;
}

TEST(in_a_child_of_the_hosts_fork_nothing_is_destroyed)
{
    prepare();
    for (int i = 0; i < 3; i++) {
        run_one(kinds[i], set_and_fork);
        CHECK_INT(*n_destroyed, 1);
        *n_destroyed = 0;
    }
}

static int n_looks;

static int look_and_pass_on(void *arg)
{
    n_looks++;
    CHECK_INT(get(&passed_on), 101 + 100 * (intptr_t)arg);
    if (arg != NULL)
        return 0;
    CHECK_INT(plait_go(look_and_pass_on, (void *)1), 0);
    set(&passed_on, 0); /* later than that: nothing of it is inherited, or destroyed */
    return 0;
}

TEST(what_is_inherited_is_made_of_the_starters_value_at_the_start)
{
    plait_group *group = NULL;

    prepare();
    set(&passed_on, 1);
    set(&counted, 1);
    for (int i = 0; i < 3; i++) {
        run_one(kinds[i], look_at_inherited);
        CHECK_INT(*n_destroyed, 101 * (i + 1));
    }
    *n_destroyed = 0;
    CHECK_INT(plait_group_create(&group, NULL), 0);
    CHECK_INT(plait_group_go(group, look_and_pass_on, NULL, PLAIT_NOWAIT), 0);
    set(&passed_on, 50);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    CHECK_INT(n_looks, 2);
    CHECK_INT(*n_destroyed, 201);
    plait_group_destroy(group);
}

static int start_process(void *arg)
{
    (void)arg;
    set(&passed_on, 1);
    run_one(PLAIT_PROCESS, look_at_inherited);
    return 0;
}

TEST(a_process_inherits_from_a_coroutine)
{
    prepare();
    run_one(PLAIT_COROUTINE, start_process);
    CHECK_INT(*n_destroyed, 102);
}

static plait_local again;

static void set_again(void *value)
{
    count_destroyed((void *)1);
    plait_local_set(&again, value); /* without an end */
}

static int use_again(void *arg)
{
    (void)arg;
    again.destroy = set_again;
    set(&again, 1);
    return 0;
}

TEST(a_value_that_always_comes_again_does_not_keep_its_task)
{
    prepare();
    run_one(PLAIT_THREAD, use_again);
    CHECK(*n_destroyed > 1);
    *n_destroyed = 0;
    run_one(PLAIT_COROUTINE, use_again);
    CHECK(*n_destroyed > 1);
}

TEST(a_task_may_have_many)
{
    static plait_local many[100];

    for (int i = 0; i < 100; i++)
        set(&many[i], i + 1);
    for (int i = 0; i < 100; i++)
        CHECK_INT(get(&many[i]), i + 1);
}
