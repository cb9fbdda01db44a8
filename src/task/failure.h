/* Being told of tasks that fail.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_FAILURE_H
#define PLAIT__TASK_FAILURE_H

#include <plait/task.h>

/* That task ended so: calls the program's hook if that is a failure. With nothing locked; once. */
void plait__failure_tell(plait_task *task, const plait_outcome *end);

#endif
