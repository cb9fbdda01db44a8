/* Tasks of the contracts: started, and how they ended.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_TASKS_H
#define PLAIT_TESTS_TASKS_H

#include <plait.h>

#include "test.h"

static inline plait_task *start_of_kind(plait_kind kind, plait_task_fn *fn, void *arg)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, kind, fn, arg, NULL), 0);
    CHECK(task != NULL);
    return task;
}

/* When it has ended. */
static inline plait_outcome end_of(plait_task *task)
{
    plait_outcome outcome = { 0 };

    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &outcome), 0);
    return outcome;
}

/* The same; the handle is gone then. */
static inline plait_outcome outcome_of(plait_task *task)
{
    plait_outcome outcome = end_of(task);

    plait_task_destroy(task);
    return outcome;
}

/* What its function returned. */
static inline int result_of(plait_task *task)
{
    plait_outcome outcome = outcome_of(task);

    CHECK_INT(outcome.kind, PLAIT_RETURNED);
    return outcome.code;
}

/* Asks it to end, and sees that it has for that. */
static inline void cancel_it(plait_task *task)
{
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(outcome_of(task).kind, PLAIT_CANCELLED);
}

#endif
