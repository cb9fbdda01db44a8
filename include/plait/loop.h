/* Loops: plait's coroutines inside a foreign loop, and calls into another thread's loop.
 * SPDX-License-Identifier: MIT
 *
 *     // a program with its own loop (poll, epoll, libuv, GLib, …) that also uses coroutines
 *     struct pollfd fds[2] = { { .fd = plait_loop_fd(), .events = POLLIN }, … };
 *     for (;;) {
 *         poll(fds, 2, -1);
 *         if (fds[0].revents)
 *             plait_loop_run(PLAIT_NOWAIT);
 *         …
 *     }
 *
 *     // another thread gives work to the coroutines of this one
 *     plait_loop loop;
 *     plait_loop_current(&loop);   // here
 *     plait_loop_call(loop, fn, arg); // there: fn runs here
 *
 * Each thread that has coroutines has a loop, which runs whenever that thread waits in plait. A
 * thread that waits elsewhere runs it by plait_loop_run, when plait_loop_fd says so.
 */
#ifndef PLAIT_LOOP_H
#define PLAIT_LOOP_H

#include <plait/export.h>
#include <plait/task.h>
#include <plait/time.h>

#include <stdint.h>

PLAIT_BEGIN

/* The loop of a thread of this process; a value, to be copied. Its fields are plait's own. */
typedef struct plait_loop {
    void *at;
    uint64_t number;
} plait_loop;

/* A descriptor that is readable when the calling thread's loop has something to do: for a foreign
 * poll, epoll or select. Then plait_loop_run does it.
 *
 *   Returns   the descriptor, the same one each time. It belongs to the loop: neither read nor close
 *             it.
 *   Blocks    no.
 *   From      any task; in a thread that is no loop yet it makes one.
 *   Errors    -EMFILE  no descriptor is left.
 *             -ENOMEM  no memory.
 *   Fork      not usable in the child, which asks for its own.
 *   Since     0.1
 */
PLAIT_API int plait_loop_fd(void);

/* Run the coroutines of this thread.
 *
 *   until     how long, at most. With PLAIT_NOWAIT those run that are ready, each at most a few
 *             times, so that coroutines that never wait for anything else do not keep the caller.
 *   Returns   0: none is left.
 *   Blocks    until none is left or the deadline. A cancellation point.
 *   From      any task that is no coroutine.
 *   Errors    -ETIMEDOUT  some are left: they wait, or are ready again.
 *             -ECANCELED  the caller was asked to end.
 *             -EDEADLK    the caller is a coroutine.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_loop_run(plait_deadline until);

/* The loop of the calling thread, for plait_loop_call.
 *
 *   ret       gets it; untouched on failure.
 *   Blocks    no.
 *   From      any task; in a thread that is no loop yet it makes one.
 *   Errors    -EINVAL  ret is NULL.
 *             -ENOMEM  no memory.
 *   Fork      in the child the loops of the parent have ended.
 *   Since     0.1
 */
PLAIT_API int plait_loop_current(plait_loop *ret);

/* Run a function as a coroutine of that loop: Python's call_soon_threadsafe. It begins when the
 * loop's thread waits in plait, or runs plait_loop_run, and belongs to that thread as if the thread
 * itself had called plait_go: it does not end before.
 *
 *   loop      the loop.
 *   fn        the function to run. What it returns is not looked at.
 *   arg       handed to fn; belongs to the coroutine from success on.
 *   Blocks    no.
 *   From      any task of the process. Not from a signal handler.
 *   Errors    -ESRCH   that loop has ended, with its task; or it is the parent's, before a fork.
 *             -EINVAL  fn is NULL, or the loop is zero bytes.
 *             -ENOMEM  no memory.
 *   Fork      as plait_loop_current.
 *   Since     0.1
 */
PLAIT_API int plait_loop_call(plait_loop loop, plait_task_fn *fn, void *arg);

PLAIT_END

#endif
