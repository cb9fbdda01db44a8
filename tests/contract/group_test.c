/* The contract of groups.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static plait_event gate;
static int n_running, n_most, n_run;

static plait_group *make(uint32_t max_running, bool cancel_on_error)
{
    plait_group_opts opts = { .max_running = max_running, .cancel_on_error = cancel_on_error };
    plait_group *group = NULL;

    CHECK_INT(plait_group_create(&group, &opts), 0);
    return group;
}

static int give_back(void *arg)
{
    n_run++;
    return (int)(intptr_t)arg;
}

static int stand(void *arg)
{
    int rc;

    (void)arg;
    n_run++;
    n_running++;
    n_most = n_running > n_most ? n_running : n_most;
    rc = plait_event_wait(&gate, PLAIT_FOREVER);
    n_running--;
    return rc;
}

static void *code(int number)
{
    return (void *)(intptr_t)number;
}

TEST(join_waits_for_all)
{
    plait_group *group = make(0, false);

    for (int i = 0; i < 100; i++)
        CHECK_INT(plait_group_go(group, stand, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_group_count(group), 100);
    CHECK_INT(plait_group_join(group, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_group_join(group, plait_after_ms(1)), -ETIMEDOUT);
    plait_event_set(&gate);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    CHECK_INT(n_run, 100);
    CHECK_INT(plait_group_count(group), 0);
    plait_group_destroy(group);
}

TEST(join_counts_those_that_failed_and_keeps_the_first_error)
{
    plait_group *group = make(0, false);

    CHECK_INT(plait_group_error(group), 0);
    plait_group_go(group, give_back, code(7), PLAIT_NOWAIT);
    plait_group_go(group, give_back, code(-EIO), PLAIT_NOWAIT);
    plait_group_go(group, give_back, code(-EPERM), PLAIT_NOWAIT);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 2);
    CHECK_INT(plait_group_error(group), -EIO);
    plait_group_go(group, give_back, code(-EIO), PLAIT_NOWAIT); /* it is used on */
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 3);
    plait_group_destroy(group);
}

TEST(the_others_go_on_when_one_fails_unless_it_was_said_otherwise)
{
    plait_group *patient = make(0, false), *strict = make(0, true);

    plait_group_go(patient, stand, NULL, PLAIT_NOWAIT);
    plait_group_go(patient, give_back, code(-EIO), PLAIT_NOWAIT);
    plait_group_go(strict, stand, NULL, PLAIT_NOWAIT);
    plait_group_go(strict, give_back, code(-EIO), PLAIT_NOWAIT);
    plait_group_go(strict, stand, NULL, PLAIT_NOWAIT);
    CHECK_INT(plait_group_join(strict, PLAIT_FOREVER), 1); /* who is asked to end does not fail */
    CHECK_INT(plait_group_error(strict), -EIO);
    CHECK_INT(plait_group_go(strict, give_back, NULL, PLAIT_NOWAIT), -EPIPE);
    CHECK_INT(plait_group_count(patient), 1);
    plait_event_set(&gate);
    CHECK_INT(plait_group_join(patient, PLAIT_FOREVER), 1);
    plait_group_destroy(patient);
    plait_group_destroy(strict);
}

TEST(a_bounded_group_never_has_more)
{
    plait_group *group = make(3, false);

    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait_group_free_count(group), 3 - i);
        CHECK_INT(plait_group_go(group, stand, NULL, PLAIT_NOWAIT), 0);
    }
    CHECK_INT(plait_group_go(group, stand, NULL, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_group_go(group, stand, NULL, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(plait_group_count(group), 3);
    plait_event_set(&gate);
    for (int i = 0; i < 20; i++)
        CHECK_INT(plait_group_go(group, stand, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    CHECK_INT(n_run, 23);
    CHECK_INT(n_most, 3);
    CHECK_INT(plait_group_free_count(group), 3);
    plait_group_destroy(group);
}

static int go_into_full(void *arg)
{
    return plait_group_go(arg, give_back, NULL, PLAIT_FOREVER);
}

TEST(who_waits_for_a_place_is_told_that_the_group_ends)
{
    plait_group *group = make(1, false);
    plait_task *waiter = NULL;
    plait_outcome end;

    CHECK_INT(plait_group_go(group, stand, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_task_start(&waiter, PLAIT_COROUTINE, go_into_full, group, NULL), 0);
    plait_yield();
    CHECK_INT(plait_group_cancel(group), 0);
    CHECK_INT(plait_task_join(waiter, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(waiter, &end), 0);
    CHECK_INT(end.code, -EPIPE);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    plait_task_destroy(waiter);
    plait_group_destroy(group);
}

TEST(a_copy_is_the_coroutines_own)
{
    plait_group *group = make(0, false);
    int text[2] = { 1, 2 };

    CHECK_INT(plait_group_go_copy(group, give_back, NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_group_go_copy(group, give_back, text, sizeof text, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_group_go_copy(group, give_back, text, 0, PLAIT_NOWAIT), 0);
    plait_group_join(group, PLAIT_FOREVER); /* what an address is as a code nobody knows */
    CHECK_INT(n_run, 2);
    plait_group_destroy(group);
}

TEST(one_with_a_handle_is_ended_alone)
{
    plait_group *group = make(2, false);
    plait_task *one = NULL;
    plait_outcome end;

    CHECK_INT(plait_group_start(group, &one, stand, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_group_go(group, stand, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_group_count(group), 2);
    CHECK_INT(plait_task_terminate(one), 0);
    CHECK_INT(plait_task_join(one, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(one, &end), 0);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    CHECK_INT(plait_group_count(group), 1);
    CHECK_INT(plait_group_free_count(group), 1);
    plait_task_destroy(one);
    plait_event_set(&gate);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    plait_group_destroy(group);
}

TEST(destroy_ends_what_is_left_and_waits_for_it)
{
    plait_group *group = make(0, false);

    plait_group_go(group, stand, NULL, PLAIT_NOWAIT);
    plait_yield();
    plait_group_go(group, stand, NULL, PLAIT_NOWAIT); /* one has begun, one has not */
    plait_group_destroy(group);
    CHECK_INT(n_run, 2);
    CHECK_INT(n_running, 0);
    plait_group_destroy(NULL);
}

static int join_own(void *arg)
{
    CHECK_INT(plait_group_join(arg, PLAIT_FOREVER), -EDEADLK);
    return plait_group_go(arg, give_back, NULL, PLAIT_NOWAIT); /* but it may start more */
}

TEST(nobody_waits_for_its_own_group)
{
    plait_group *group = make(0, false);

    plait_group_go(group, join_own, group, PLAIT_NOWAIT);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    CHECK_INT(n_run, 1);
    plait_group_destroy(group);
}

static int go_there(void *arg)
{
    for (int i = 0; i < 10; i++)
        if (plait_group_go(arg, stand, NULL, PLAIT_FOREVER) < 0)
            return 1;
    return 0; /* the thread ends after they have */
}

TEST(a_group_reaches_over_threads)
{
    plait_group *group = make(0, false);
    plait_task *thread = NULL;

    CHECK_INT(plait_task_start(&thread, PLAIT_THREAD, go_there, group, NULL), 0);
    while (plait_group_count(group) < 10)
        plait_sleep(plait_after_ms(1));
    CHECK_INT(plait_task_join(thread, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_group_cancel(group);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_join(thread, PLAIT_FOREVER), 0);
    plait_task_destroy(thread);
    plait_group_destroy(group);
}

TEST(a_group_that_nobody_destroyed_does_not_keep_the_program)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        plait_group *group = make(0, false);
        plait_group_go(group, stand, NULL, PLAIT_NOWAIT);
        plait_yield();
        plait_group_go(group, stand, NULL, PLAIT_NOWAIT);
        exit(5);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 5);
}

TEST(a_child_has_nobody_in_the_group)
{
    plait_group *group = make(0, false);
    pid_t pid;
    int status = 0;

    plait_group_go(group, stand, NULL, PLAIT_NOWAIT);
    plait_yield();
    pid = fork();
    if (pid == 0) {
        CHECK_INT(plait_group_count(group), 0);
        CHECK_INT(plait_group_join(group, PLAIT_FOREVER), -ECHILD);
        CHECK_INT(plait_group_go(group, stand, NULL, PLAIT_NOWAIT), -ECHILD);
        plait_group_destroy(group);
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    plait_group_destroy(group);
}

TEST(what_makes_no_sense_is_refused)
{
    plait_group *group = make(0, false);
    plait_task *task = NULL;
    plait_group_opts many = { .max_running = UINT32_MAX };

    CHECK_INT(plait_group_create(NULL, NULL), -EINVAL);
    CHECK_INT(plait_group_create(&group, &many), -EINVAL);
    CHECK_INT(plait_group_go(NULL, stand, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_group_go(group, NULL, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_group_start(group, NULL, stand, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_group_start(group, &task, NULL, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_group_join(NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_group_cancel(NULL), -EINVAL);
    CHECK_INT(plait_group_count(group), 0);
    CHECK_INT(plait_group_free_count(group), UINT32_MAX);
    plait_group_destroy(group);
}
