/* Tasks of kind coroutine.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_COROUTINE_H
#define PLAIT__TASK_COROUTINE_H

#include "sync/debug.h"
#include "task/group.h"
#include "task/task.h"

struct plait__loop;

/* The loop of this thread, made at the first call. 0, -ENOMEM. */
int plait__coroutine_get_loop(struct plait__loop **ret);

/* A new one with one reference, ready to be started; as plait__task_create. site: where the program
 * asked for it, which exported functions need not say. */
int plait__coroutine_create_at(plait_task **ret, plait_task_fn *fn, void *arg,
                               const plait_task_opts *opts, const void *site);
#define plait__coroutine_create(ret, fn, arg, opts) \
    plait__coroutine_create_at(ret, fn, arg, opts, PLAIT__CALLER)

/* The same with no options, and started. */
int plait__coroutine_start_at(plait_task **ret, plait_task_fn *fn, void *arg, const void *site);
#define plait__coroutine_start(ret, fn, arg) plait__coroutine_start_at(ret, fn, arg, PLAIT__CALLER)

/* One that has not begun, and has no handle: fn(arg), with arg_bytes of arg copied unless they are
 * 0. -ENOMEM. */
int plait__coroutine_go_at(struct plait__group *group, plait_task_fn *fn, const void *arg,
                           size_t arg_bytes, const void *site);
#define plait__coroutine_go(group, fn, arg, arg_bytes) \
    plait__coroutine_go_at(group, fn, arg, arg_bytes, PLAIT__CALLER)
/* That of the running task. */
struct plait__group *plait__group_here(void);
/* The one that the running coroutine is in; NULL: none. */
struct plait__group *plait__group_around(void);
/* Puts one with a handle into a group before it is started. */
void plait__coroutine_enter(plait_task *task, struct plait__group *group);

/* The end of this thread as a task: until no coroutine of its loop is left. Those of its group are
 * asked to end before if `cancel`. */
void plait__coroutines_end(bool cancel);
/* Does this thread wait for its last ones, and have its daemons been asked to end? */
bool plait__coroutines_are_ending(void);
/* In a forked child: there are none. */
void plait__coroutines_forget(void);
/* The end of a job, which has a sleeper of its own: the same if the thread became a loop in it. */
void plait__coroutines_end_job(void);

/* One that has not begun on the loop of another thread, while that is the same use of it: it belongs
 * to that thread. -ESRCH: it is not · -ENOMEM. */
int plait__coroutine_call(struct plait__loop *loop, uint64_t number, plait_task_fn *fn, void *arg);

#endif
