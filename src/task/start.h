/* Process tasks that are no forks of who starts them.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_START_H
#define PLAIT__TASK_START_H

#include "task/task.h"

struct plait__death;

/* ---- the keeper forks it ---- */

int plait__forkserver_start(plait_task *task, const plait_task_opts *opts);
int plait__forkserver_join(plait_task *task, plait_deadline until);
/* How it ended; never waits. 0, -EAGAIN. */
int plait__forkserver_wait(const plait_task *task, struct plait__death *ret);

/* ---- the program again ---- */

int plait__spawn_start(plait_task *task, const plait_task_opts *opts);

#endif
