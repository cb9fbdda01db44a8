/* Being told of tasks that fail.
 * SPDX-License-Identifier: MIT
 *
 *     static void tell(plait_task *task, const plait_outcome *end, void *ctx)
 *     {
 *         fprintf(ctx, "%s failed: %s\n", plait_task_name(task),
 *                 end->kind == PLAIT_SIGNALLED ? "killed" : plait_strerror(end->code));
 *     }
 *
 *     plait_on_task_failure(tell, stderr); // first, before tasks are started
 *
 * What a task ended in is told to who joins it. Often nobody does: then this is how a program hears
 * of it. It is Python's threading.excepthook, for every kind of task. Without it nothing is said.
 *
 * A task has failed when
 *   - its function returned a negative number, but for -ECANCELED after it was asked to end;
 *   - it is a process, and a signal ended it, or it exited with another status than 0.
 * Processes that this process itself terminated, killed or destroyed have not failed. Jobs of a
 * pool are no tasks: their futures tell.
 */
#ifndef PLAIT_FAILURE_H
#define PLAIT_FAILURE_H

#include <plait/export.h>
#include <plait/task.h>

PLAIT_BEGIN

/* What is called for a task that failed: with how it ended, and what plait_on_task_failure was
 * given. The handle is there until it returns. */
typedef void plait_task_failure_fn(plait_task *task, const plait_outcome *end, void *ctx);

/* Have a function called for each task that fails, once.
 *
 * For a thread or a coroutine it is called by the task itself, as soon as its function has
 * returned, before anybody can have joined it, and while it has its plait_local values. For a
 * process it is called in the process that started it, by whichever task first notices the end: in
 * plait_task_join, plait_task_is_alive, plait_task_outcome, plait_task_children, plait_task_destroy
 * or a select, or at the latest when the program exits. Nothing of plait's is locked meanwhile.
 * Several tasks may call it at once.
 *
 *   hook      the function, in place of the one before; NULL: none.
 *   ctx       handed to hook.
 *   Blocks    no.
 *   From      any task. A task that ends at this moment may still be in the hook of before.
 *   Errors    none; it returns 0.
 *   Fork      a child begins with its parent's hook: it is called there for what the child starts.
 *             A process task that was spawned, or made by the forkserver, has what was set before
 *             plait_init, or before the keeper was made.
 *   Since     0.1
 */
PLAIT_API int plait_on_task_failure(plait_task_failure_fn *hook, void *ctx);

PLAIT_END

#endif
