/* Looking inside: what the coroutines of a program do.
 * SPDX-License-Identifier: MIT
 *
 *     plait_dump_on_signal(SIGQUIT);            // Ctrl-\ says what every task waits for
 *     ...
 *     plait_dump(NULL, NULL, plait_after_ms(100)); // the same now, to standard error
 *
 * A dump has a line for each coroutine, and for each thread that runs some:
 *
 *     task "Coroutine-2": waits for lock 0x7f..., held by task "Coroutine-1", since 3.0 s, started at
 *     serve+0x4d (program+0x124d)
 *         #0 plait_lock_acquire+0x5c (libplait.so.0+0x2145c)
 *         ...
 *
 * A place is FUNCTION+OFFSET (FILE+OFFSET), or FILE+OFFSET alone where the program exports no symbols
 * (link it with -rdynamic); `addr2line -fe FILE OFFSET` gives the line.
 *
 * When all coroutines of a program that has no other thread wait for ever, nobody needs to ask: the
 * log tells it, and the wait of the thread itself ends with -EDEADLK (plait/coroutine.h).
 */
#ifndef PLAIT_INSPECT_H
#define PLAIT_INSPECT_H

#include <plait/export.h>
#include <plait/time.h>

#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

/* Called for each line of a dump, without its newline; the line is gone after the call. */
typedef void (*plait_dump_fn)(const char *line, void *arg);

/* Tell what the coroutines of this process do, of all its threads.
 *
 *   fn        called in the running task for each line; NULL: they are written to standard error.
 *   arg       handed to fn as it is.
 *   until     how long to wait for other threads, each of which is held up for a moment. One whose
 *             task goes on without waiting until then is said to be busy, and its tasks are not told.
 *   Returns   how many threads were busy.
 *   Blocks    until then, the thread with all its coroutines. Not a cancellation point.
 *   From      any task; not a signal handler.
 *   Errors    -ENOMEM  no memory; some lines were perhaps told.
 *   Fork      usable in the child, which has only the running task.
 *   Since     0.1
 */
PLAIT_API int plait_dump(plait_dump_fn fn, void *arg, plait_deadline until);

/* Keep the last switches between coroutines, in each thread: when, who waited for what, and who went
 * on. A dump tells them after the tasks of the thread, by the coroutines' numbers (plait_task_id).
 * Also by PLAIT_TRACE=N in the environment.
 *
 *   n_switches how many in each thread; 0: none, as at first. Those kept so far are forgotten.
 *   Blocks    for a moment, if other threads have coroutines; one that is busy may keep none.
 *   From      any task; not a signal handler.
 *   Errors    -ENOMEM  no memory.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_trace(size_t n_switches);

/* Have each thread with coroutines write such a dump to standard error when a signal comes. A thread
 * that is busy does so as soon as its task waits.
 *
 *   number    the signal; SIGQUIT for one.
 *   Blocks    no.
 *   From      any task, one at a time. It sets the signal's handler, which stays.
 *   Errors    -EBUSY   the program has a handler for it.
 *             -EINVAL  no such signal, or one that cannot be handled.
 *   Fork      usable in the child, which keeps the handler.
 *   Since     0.1
 */
PLAIT_API int plait_dump_on_signal(int number);

/* Have the task named whose stack was too small: when a coroutine touches the page below its stack, a
 * line on standard error says which one, how much it had, and where it was started. Then the program
 * ends as it would have. Also by PLAIT_DEBUG=stacks in the environment.
 *
 *   Blocks    for a moment, if other threads have coroutines.
 *   From      any task, one at a time. It sets the handler of SIGSEGV, which hands on to the one that
 *             was there, and gives each thread with coroutines an alternate stack (sigaltstack), if it
 *             has none.
 *   Errors    -ENOMEM  no memory.
 *   Fork      usable in the child, which keeps the handler.
 *   Since     0.1
 */
PLAIT_API int plait_name_overflows(void);

/* Start a thread that looks whether a task keeps its thread from running others: the log says which
 * one, where it was started, and its stack at that moment, once each time. Also by PLAIT_WATCHDOG=MS
 * in the environment, from the first coroutine on.
 *
 *   limit_ms  how long it may, at least 1.
 *   Blocks    for a moment, if other threads have coroutines.
 *   From      any task, one at a time. It takes a real-time signal that the program has no handler
 *             for, and gives each thread with coroutines an alternate stack. The signal may end a
 *             system call of that task with EINTR. As after any thread, the first process task is
 *             refused then (PLAIT_ETHREADS) unless plait_keeper_start came before.
 *   Errors    -EALREADY  there is one.
 *             -EINVAL    limit_ms is out of range.
 *             -EBUSY     all real-time signals are in use.
 *             -ENOMEM    no memory.
 *             -EAGAIN    no thread can be started.
 *   Fork      the child has none, and may start one.
 *   Since     0.1
 */
PLAIT_API int plait_watchdog_start(int64_t limit_ms);

/* End that thread.
 *
 *   Blocks    until it has ended.
 *   From      any task, one at a time.
 *   Errors    -ESRCH  there is none.
 *   Fork      usable in the child, which has none.
 *   Since     0.1
 */
PLAIT_API int plait_watchdog_stop(void);

/* What all coroutines that were started at one place have used of their stacks. */
typedef struct plait_stack_use {
    const char *started_at; /* a place as in a dump; gone after the call */
    size_t count;           /* coroutines */
    size_t used_bytes;      /* the most that one of them has used, in whole pages about */
    size_t stack_bytes;     /* the most that one of them had */
} plait_stack_use;

typedef void (*plait_stack_census_fn)(const plait_stack_use *use, void *arg);

/* From now on note how much of its stack each coroutine has used when it ends. That costs each some
 * microseconds.
 *
 *   Returns   0.
 *   Blocks    no.
 *   From      any task. Best before the first coroutine: what those have used that ended before counts
 *             for the next ones on the same stack.
 *   Errors    none.
 *   Fork      the child goes on with what its parent has counted.
 *   Since     0.1
 */
PLAIT_API int plait_stack_census_start(void);

/* Tell how much of their stacks coroutines have used, by where they were started: those that ended
 * since plait_stack_census_start, and those that are there.
 *
 *   fn        called in the running task for each place.
 *   arg       handed to fn as it is.
 *   until     as in plait_dump.
 *   Returns   how many threads were busy: theirs are not counted.
 *   Blocks    as plait_dump.
 *   From      any task; not a signal handler.
 *   Errors    -EINVAL  fn is NULL.
 *             -ENOMEM  no memory.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_stack_census(plait_stack_census_fn fn, void *arg, plait_deadline until);

PLAIT_END

#endif
