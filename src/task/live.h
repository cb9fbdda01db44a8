/* The life of a process that is a task.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_LIVE_H
#define PLAIT__TASK_LIVE_H

#include <plait/task.h>

/* From where it enters its function to its end. The process has entered the task, and may do so. */
void plait__live(plait_task *task) __attribute__((noreturn));

#endif
