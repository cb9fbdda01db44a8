/* Conditions.
 * SPDX-License-Identifier: MIT
 *
 *     struct box { plait_lock lock; plait_condition filled; int items; } *box = …;
 *
 *     plait_lock_acquire(&box->lock, PLAIT_FOREVER);          // a taker
 *     while (box->items == 0)
 *         plait_condition_wait(&box->filled, &box->lock, PLAIT_FOREVER);
 *     box->items--;
 *     plait_lock_release(&box->lock);
 *
 *     plait_lock_acquire(&box->lock, PLAIT_FOREVER);          // a giver
 *     box->items++;
 *     plait_condition_notify(&box->filled, 1);
 *     plait_lock_release(&box->lock);
 *
 * What is waited for stands in memory that a lock guards. Wait gives the lock back, sleeps until it
 * is notified, and takes the lock again. All who wait at the same time use the same lock; for a
 * recursive one give &rlock->lock: it is given back whole, and comes back as often held as before.
 *
 * A wait may return for nothing, so look again in a loop, as above, or use
 * plait_condition_wait_for. That happens only after a process was killed while it waited or
 * notified. Without such a death notify(n) lets exactly n waiters go on, or all if there are fewer,
 * and nothing is kept for who comes later. Which ones is not said: where waiters wait for different
 * things, notify all. A killed waiter holds nobody up and does not keep a notify from the others.
 *
 * It lies in private memory, in the family's heap or a named segment, as locks do (plait/lock.h);
 * zero bytes are a condition that nobody waits for. Nobody may wait on it when its memory is given
 * back.
 */
#ifndef PLAIT_CONDITION_H
#define PLAIT_CONDITION_H

#include <plait/export.h>
#include <plait/lock.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

PLAIT_BEGIN

/* A condition; 64 bytes, its fields are plait's own. */
typedef struct plait_condition {
    uint32_t sequence; /* changes with each notify */
    uint32_t pad;
    uint64_t state; /* how many wait, and how many of them may go on */
    uint64_t spare[6];
} plait_condition;

/* Is what is waited for true? Called with the lock held. */
typedef bool plait_condition_fn(void *arg);

/* Give the lock back, wait for a notify, take the lock again.
 *
 *   condition  the condition.
 *   lock       the lock that guards what is waited for; the caller holds it.
 *   until      how long to wait for a notify. To take the lock again takes as long as it takes, and
 *              no cancel cuts it short.
 *   Returns    0: notified; the caller holds the lock. Holds it also with -ETIMEDOUT and
 *              -ECANCELED.
 *   Blocks     until the notify or the deadline, and then until the lock is free. A cancellation
 *              point.
 *   From       any task that holds the lock.
 *   Errors     -ETIMEDOUT   no notify until the deadline; the caller holds the lock.
 *              -ECANCELED   the task was asked to end; the caller holds the lock.
 *              -EOWNERDEAD  a holder of the lock was killed, meanwhile or before, and nobody has
 *                           said plait_lock_repaired; the caller does not hold the lock, and may
 *                           have been notified: plait_lock_recover, and look.
 *              -EPERM       the caller did not hold the lock; nothing happened.
 *              -EINVAL      condition or lock is NULL.
 *   Fork       usable in the child; in private memory it is a copy.
 *   Since      0.1
 */
PLAIT_API int plait_condition_wait(plait_condition *condition, plait_lock *lock,
                                   plait_deadline until);

/* Wait until something is true: asks the predicate, and as long as it says no, waits for a notify.
 *
 *   condition  the condition.
 *   lock       the lock that guards what the predicate looks at; the caller holds it.
 *   predicate  asked with the lock held.
 *   arg        handed to it.
 *   until      how long to wait.
 *   Returns    0: the predicate said yes; the caller holds the lock. Holds it also with -ETIMEDOUT
 *              and -ECANCELED.
 *   Blocks     until the predicate says yes or the deadline, as plait_condition_wait. A
 *              cancellation point.
 *   From       any task that holds the lock.
 *   Errors     -ETIMEDOUT   it still said no at the deadline; the caller holds the lock.
 *              -ECANCELED   the task was asked to end; the caller holds the lock.
 *              -EOWNERDEAD  a holder of the lock was killed; the caller does not hold the lock.
 *              -EPERM       the caller did not hold the lock; the predicate was not asked.
 *              -EINVAL      condition, lock or predicate is NULL.
 *   Fork       usable in the child; in private memory it is a copy.
 *   Since      0.1
 */
PLAIT_API int plait_condition_wait_for(plait_condition *condition, plait_lock *lock,
                                       plait_condition_fn *predicate, void *arg,
                                       plait_deadline until);

/* Let some of those who wait go on; nothing happens when nobody waits.
 *
 *   condition  the condition.
 *   n          how many, at least 1.
 *   Returns    0.
 *   Blocks     no.
 *   From       any task; it should hold the lock, or have changed what is waited for while it held
 *              it.
 *   Errors     -EINVAL  condition is NULL, or n is 0.
 *   Fork       usable in the child; in private memory it is a copy.
 *   Since      0.1
 */
PLAIT_API int plait_condition_notify(plait_condition *condition, uint32_t n);

/* Let all who wait go on.
 *
 *   condition  the condition.
 *   Returns    0.
 *   Blocks     no.
 *   From       any task, as plait_condition_notify.
 *   Errors     -EINVAL  condition is NULL.
 *   Fork       usable in the child; in private memory it is a copy.
 *   Since      0.1
 */
PLAIT_API int plait_condition_notify_all(plait_condition *condition);

PLAIT_END

#endif
