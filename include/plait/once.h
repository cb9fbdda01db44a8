/* Doing something once.
 * SPDX-License-Identifier: MIT
 *
 *     static int fill_table(void *arg) { … return 0; }
 *
 *     int rc = plait_once_run(&table->once, fill_table, table, PLAIT_FOREVER);   // in every task
 *
 * Whoever comes first runs the function; the others wait until it is done. When the process that
 * runs it dies, the next one runs it again, on whatever was left.
 *
 * It lies in private memory or in the family's heap, as locks do (plait/lock.h); zero bytes are not
 * done. Nobody may wait on it when its memory is given back.
 */
#ifndef PLAIT_ONCE_H
#define PLAIT_ONCE_H

#include <plait/export.h>
#include <plait/lock.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

PLAIT_BEGIN

/* What is done once; 128 bytes, its fields are plait's own. */
typedef struct plait_once {
    plait_lock lock;
    uint32_t is_done;
    uint32_t spare[15];
} plait_once;

/* What is to be done: 0 when it is done; a negative code when it failed, and may be tried again. */
typedef int plait_once_fn(void *arg);

/* Have it done, unless it was: run the function, or wait for the task that runs it.
 *
 *   once      says whether it was done.
 *   fn        runs in this task if nobody has done it. It must not call this for the same `once`.
 *   arg       handed to fn.
 *   until     how long to wait for another task that runs it; fn itself is not cut short.
 *   Returns   0: it is done, and what fn wrote can be read. What fn returned, if it failed.
 *   Blocks    while another task runs it, or until the deadline. A cancellation point.
 *   From      any task; any process of the family when it is in the family's heap.
 *   Errors    -ETIMEDOUT  another task ran it until the deadline.
 *             -EDEADLK    called from fn; or it is private memory, and the task that ran it stayed
 *                         behind in a fork.
 *             -ECANCELED  the task was asked to end.
 *             -EINVAL     once or fn is NULL.
 *             -ENOMEM     the family's memory could not be made.
 *             -EUSERS     the family has 4095 living processes already.
 *   Fork      usable in the child; in private memory it is a copy.
 *   Since     0.1
 */
PLAIT_API int plait_once_run(plait_once *once, plait_once_fn *fn, void *arg, plait_deadline until);

/* Was it done?
 *
 *   once      says so; NULL was not.
 *   Returns   true when it was; what fn wrote can be read then.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_once_is_done(const plait_once *once);

PLAIT_END

#endif
