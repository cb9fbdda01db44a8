/* Named coroutines, for tests of what is told of those that wait; and their end.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_STARTED_H
#define PLAIT_TESTS_STARTED_H

#include <plait.h>

#include "test.h"

static plait_event never;

static int wait_for_ever(void *arg)
{
    (void)arg;
    return plait_event_wait(&never, PLAIT_FOREVER);
}

static plait_task *started[10];
static int n_started;

static plait_task *start(plait_task_fn *fn, void *arg, const char *name)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, fn, arg, &(plait_task_opts){ .name = name }),
              0);
    started[n_started++] = task;
    return task;
}

/* Those that wait for ever do so no more. */
static void end_all(void)
{
    CHECK_INT(plait_event_set(&never), 0);
    while (n_started > 0) {
        CHECK_INT(plait_task_join(started[--n_started], PLAIT_FOREVER), 0);
        plait_task_destroy(started[n_started]);
    }
}

#endif
