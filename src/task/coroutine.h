/* Tasks of kind coroutine.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_COROUTINE_H
#define PLAIT__TASK_COROUTINE_H

#include "task/group.h"
#include "task/task.h"

extern const struct plait__task_ops plait__coroutine_ops;

struct plait__loop;

/* The loop of this thread, made at the first call. 0, -ENOMEM. */
int plait__coroutine_get_loop(struct plait__loop **ret);

/* A new one with one reference, ready to be started; as plait__task_create. */
int plait__coroutine_create(plait_task **ret, plait_task_fn *fn, void *arg,
                            const plait_task_opts *opts);

/* One that has not begun, and has no handle: fn(arg), with arg_bytes of arg copied unless they are
 * 0. -ENOMEM. */
int plait__coroutine_go(struct plait__group *group, plait_task_fn *fn, const void *arg,
                        size_t arg_bytes);
/* That of the running task. */
struct plait__group *plait__group_here(void);
/* The one that the running coroutine is in; NULL: none. */
struct plait__group *plait__group_around(void);
/* Puts one with a handle into a group before it is started. */
void plait__coroutine_enter(plait_task *task, struct plait__group *group);

/* The end of this thread as a task: until no coroutine of its loop is left. Those of its group are
 * asked to end before if `cancel`. */
void plait__coroutines_end(bool cancel);

#endif
