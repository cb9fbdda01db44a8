/* The contract of coroutines that start later.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int order[8], n_begun;

static int note(void *arg)
{
    order[n_begun++] = *(int *)arg;
    return 7;
}

static plait_task *after(int64_t ms, int *number)
{
    plait_task *task = NULL;

    CHECK_INT(plait_go_after(&task, ms, note, number), 0);
    return task;
}

static plait_outcome join(plait_task *task)
{
    plait_outcome end;

    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    plait_task_destroy(task);
    return end;
}

TEST(they_begin_when_their_time_has_come)
{
    int numbers[] = { 0, 1, 2 };
    plait_deadline soon = plait_after_ms(20);
    plait_task *last = after(60, &numbers[2]), *middle = after(20, &numbers[1]),
               *first = after(-1, &numbers[0]);

    CHECK_INT(n_begun, 0);
    CHECK_INT(join(first).code, 7);
    CHECK_INT(join(middle).code, 7);
    CHECK_INT(plait_left_ns(soon), 0); /* not before */
    CHECK_INT(join(last).kind, PLAIT_RETURNED);
    for (int i = 0; i < 3; i++)
        CHECK_INT(order[i], i);
}

TEST(one_that_is_asked_to_end_before_never_begins)
{
    int number = 0;
    plait_task *fresh = after(1000000, &number), *waiting = after(1000000, &number);
    plait_outcome end;

    CHECK_INT(plait_task_terminate(fresh), 0);
    end = join(fresh);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    CHECK_INT(end.code, -ECANCELED);
    CHECK_INT(plait_task_terminate(waiting), 0); /* it sleeps by now */
    CHECK_INT(join(waiting).kind, PLAIT_CANCELLED);
    plait_task_destroy(after(1000000, &number));
    CHECK_INT(n_begun, 0);
}

TEST(the_end_of_the_program_does_not_wait_for_them)
{
    int number = 0, status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        after(1000000, &number);
        plait_yield();
        exit(5);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(WEXITSTATUS(status), 5);
}

TEST(what_makes_no_sense_is_refused)
{
    plait_task *task = NULL;

    CHECK_INT(plait_go_after(NULL, 1, note, NULL), -EINVAL);
    CHECK_INT(plait_go_after(&task, 1, NULL, NULL), -EINVAL);
}
