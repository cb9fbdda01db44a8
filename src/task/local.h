/* Variables of which each task has its own: their beginning and their end with the task.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_LOCAL_H
#define PLAIT__TASK_LOCAL_H

#include "task/task.h"

struct plait__locals;

/* Has the running task any? If not, who it starts inherits none. */
bool plait__locals_has_any(void);
/* What a task that the running one starts begins with; NULL: nothing. 0, -ENOMEM. */
int plait__locals_inherit(struct plait__locals **ret);
/* The end of a task, or of what was inherited for one that never began. */
void plait__locals_end(struct plait__locals **locals);

/* What the running task has of them, for as long as somebody of plait's acts in it: sets other ones,
 * and tells which there were. */
struct plait__locals *plait__locals_swap(struct plait__locals *with);

/* This thread runs that task from now on: it has its inherited ones. Or, in a child that a coroutine
 * has forked: it is that, and those of the thread are the parent's. */
void plait__locals_enter_thread(plait_task *task);
void plait__locals_leave_thread(void);
/* This process was forked to be that task. It inherits from its parent, or has none. */
void plait__locals_enter_process(void);

#endif
