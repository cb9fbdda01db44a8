/* Coroutines: tasks that share a thread, and run while the others of the thread wait.
 * SPDX-License-Identifier: MIT
 *
 *     static int serve(void *arg)
 *     {
 *         char buf[64];
 *         while (plait_queue_get(jobs, buf, sizeof buf, PLAIT_FOREVER) >= 0) // others run meanwhile
 *             printf("%s\n", buf);
 *         return 0;
 *     }
 *
 *     for (int i = 0; i < 1000; i++)
 *         plait_go(serve, NULL);
 *
 * A coroutine has a stack of its own, but no thread: it runs until it waits in plait, in whatever
 * call, and then the next one runs. Every lock, event, queue, pipe, future and task can be waited for,
 * whoever wakes: a coroutine of this thread, another thread, another process. A call that need not
 * wait, or may not (PLAIT_NOWAIT), lets nobody else run: say plait_yield in a loop of such. What blocks
 * elsewhere, such as read(2), stops all coroutines of the thread: wait for the descriptor by
 * plait_fd_wait or plait_select before, and run what cannot be waited for by plait_offload.
 *
 * The first coroutine makes its thread a loop, which runs whenever that thread waits in plait, and
 * only then. Other threads may have loops of their own. A coroutine that has begun stays in its
 * thread, so that errno and other variables of the thread may be used; errno itself is kept for each.
 *
 * A task ends only after what it started by plait_go: its function returns, then it waits for them.
 * Returning from main asks those that are left to end, and waits for them; those that were started
 * with a handle and are no daemons are waited for only.
 *
 * When all tasks of a program wait that has only one thread, for things of its own memory (queues
 * are not, but for those of one_process: other processes may reach them; signal handlers do not
 * count) and without a deadline, then they do so for ever: the log names each, and what it waits for, and the wait of the thread
 * itself (the task that is no coroutine) ends with -EDEADLK, whatever call it is in. That comes
 * once, until a coroutine has run again.
 *
 * The kind PLAIT_COROUTINE of plait_task_start gives a coroutine with a handle: to be joined, asked
 * to end, waited for by a select.
 */
#ifndef PLAIT_COROUTINE_H
#define PLAIT_COROUTINE_H

#include <plait/export.h>
#include <plait/task.h>
#include <plait/time.h>

#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

/* Start a coroutine that nobody joins: it belongs to the running task, which ends only after it.
 *
 *   fn        the function to run. What it returns is not looked at.
 *   arg       handed to fn; belongs to the coroutine from success on.
 *   Blocks    no: the coroutine begins when the running task waits, after those that are ready
 *             already.
 *   From      any task; in a thread that is no loop yet it makes one. Not from a signal handler.
 *   Errors    -EINVAL  fn is NULL.
 *             -ENOMEM  no memory.
 *   Fork      usable in the child; of the parent's coroutines only the one that forked is there.
 *   Since     0.1
 */
PLAIT_API int plait_go(plait_task_fn *fn, void *arg);

/* The same with a copy of what arg points to.
 *
 *   fn        as there; gets the address of the copy, which is freed when fn has returned.
 *   arg       what is copied.
 *   arg_bytes how much of it; 0: fn gets NULL.
 *   Blocks    no.
 *   From      as plait_go.
 *   Errors    -EINVAL  fn is NULL, or arg is NULL and arg_bytes is not 0.
 *             -ENOMEM  no memory.
 *   Fork      as plait_go.
 *   Since     0.1
 */
PLAIT_API int plait_go_copy(plait_task_fn *fn, const void *arg, size_t arg_bytes);

/* Let coroutines run on several threads: start so many threads with a loop each, which together with
 * the calling thread's share what plait_go starts. A coroutine that has begun stays where it is; one
 * that has not may be begun by whichever of them has nothing to do. May be called again, to add some.
 * The calling thread ends only after those that it has begun, whoever started them; when its function
 * has returned it begins no more of the others'. The threads are
 * plait's own: none of plait_task_children.
 *
 *   threads   how many to start beside the calling one.
 *   Blocks    no.
 *   From      a task that is no coroutine. The threads end with the process.
 *   Errors    -EINVAL         threads is more than 1024.
 *             -EAGAIN         a limit on threads; those that could be started stay.
 *             -ENOMEM         no memory.
 *             -EBUSY          called by a coroutine.
 *   Fork      the child has none of them.
 *   Since     0.1
 */
PLAIT_API int plait_loops_start(unsigned threads);

/* Start a coroutine later: gevent's spawn_later. plait_task_terminate before that, and it never begins:
 * its outcome is PLAIT_CANCELLED, with -ECANCELED, and arg is the caller's again.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_task_destroy, which asks the
 *             coroutine to end, begun or not.
 *   ms        in how many milliseconds; negative counts as 0.
 *   fn        the function to run.
 *   arg       handed to fn; belongs to the coroutine from success on.
 *   Blocks    no. When its time has come, the coroutine begins as soon as this thread waits.
 *   From      any task, as plait_go. At the end of its thread it is asked to end.
 *   Errors    -EINVAL  ret or fn is NULL.
 *             -ENOMEM  no memory.
 *   Fork      as plait_go.
 *   Since     0.1
 */
PLAIT_API int plait_go_after(plait_task **ret, int64_t ms, plait_task_fn *fn, void *arg);

/* Let all others run that are ready in this thread: Python's sleep(0).
 *
 *   Blocks    until they have waited or ended. Not a cancellation point.
 *   From      any task; without a loop in this thread it gives the processor to other threads.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API void plait_yield(void);

/* Give way until nothing else is ready in this thread: gevent's idle. A task that does a piece of work
 * and says this, again and again, works only while the thread would sleep otherwise:
 *
 *     while (plait_idle(PLAIT_FOREVER) == 0 && n_old > 0)
 *         n_old -= drop_some();
 *
 * Several such tasks take turns. In a foreign loop they are something to do: plait_loop_fd tells of
 * them, and each plait_loop_run lets them go on a few times.
 *
 *   until     how long to give way.
 *   Blocks    until no other task of this thread can go on, or the deadline. A cancellation point,
 *             also when nothing else is ready.
 *   From      any task; without a loop in this thread there is nothing else.
 *   Errors    -ETIMEDOUT  others were ready all the time.
 *             -ECANCELED  the caller was asked to end.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_idle(plait_deadline until);

PLAIT_END

#endif
