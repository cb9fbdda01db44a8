/* Locks.
 * SPDX-License-Identifier: MIT
 *
 *     struct account { plait_lock lock; long balance; } *account = …; // zero bytes: a free lock
 *
 *     int rc = plait_lock_acquire(&account->lock, PLAIT_FOREVER);
 *     if (rc == -EOWNERDEAD) {                       // a holder was killed; we do not hold it
 *         rc = plait_lock_recover(&account->lock, PLAIT_FOREVER);
 *         if (rc == 0) {
 *             repair(account);
 *             plait_lock_repaired(&account->lock);   // else the next one is told again
 *         }
 *     }
 *     if (rc < 0)
 *         return rc;                                 // negative: we do not hold it
 *     account->balance += 10;
 *     plait_lock_release(&account->lock);
 *
 * One lock for all kinds of task. It lies in private memory, where the tasks of one process share
 * it, in the family's heap, where all processes of the family do, or in a named segment
 * (plait/segment.h), where all do that have it open; not in memory that a program shares by itself.
 * It needs no creation and no destruction; nobody may wait on it or hold it when its memory is
 * given back.
 *
 * A lock is held by a task, not by a process. When the process of the holder dies, however it dies,
 * the lock is not lost: the next ones are told -EOWNERDEAD, within 100 ms if they sleep, until one
 * of them recovers it, repairs what it guards, and says so. A task that ends without releasing it
 * while its process lives on is a bug of the program: the lock stays held.
 *
 * A lock in private memory that is held during a fork stays held in the child's copy, by a task
 * that is not there: there acquire says -EDEADLK. Set its bytes to zero to use it in the child.
 *
 * In a program that is started with PLAIT_DEBUG=locks in its environment plait writes to its log
 * (plait/log.h) who holds what where: once for each wait that lasts more than a second, once for
 * tasks that wait for each other in a circle, and for each task that ends while it holds a lock. It
 * says so and changes nothing. Places are FILE+OFFSET, for addr2line -fe FILE OFFSET. Without it
 * this costs nothing.
 *
 * The recursive lock, Python's RLock, may be acquired again by the task that holds it, and is free
 * when it was released as often. All else is the same.
 */
#ifndef PLAIT_LOCK_H
#define PLAIT_LOCK_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

PLAIT_BEGIN

/* A lock; 64 bytes, its fields are plait's own. */
typedef struct plait_lock {
    uint32_t word;   /* the process that holds it */
    uint32_t depth;  /* of a recursive lock: how often it is held */
    uint64_t holder; /* the task that holds it */
    uint64_t token;  /* the last fencing token */
    uint64_t spare[5];
} plait_lock;

/* A recursive lock; 64 bytes. Where a lock is wanted (a condition), give &rlock->lock. */
typedef struct plait_rlock {
    plait_lock lock;
} plait_rlock;

/* Take the lock; waits while another task holds it.
 *
 *   lock      the lock.
 *   until     how long to wait. A free lock is taken also after that, and by a cancelled task.
 *   Returns   0: the caller holds it.
 *   Blocks    until the lock is free or the deadline. A cancellation point.
 *   From      any task; any process of the family when the lock is in the family's heap.
 *   Errors    -EOWNERDEAD  a former holder was killed, and nobody has said plait_lock_repaired
 *                          since.
 *             -ETIMEDOUT   held until the deadline.
 *             -EDEADLK     the caller holds it already; or it is private memory, and its holder
 *                          stayed behind in a fork.
 *             -ECANCELED   the task was asked to end.
 *             -EINVAL      lock is NULL.
 *             -ENOMEM      the family's memory could not be made.
 *             -EUSERS      the family has 4095 living processes already.
 *   Fork      usable in the child; what the parent holds the child does not.
 *   Since     0.1
 */
PLAIT_API int plait_lock_acquire(plait_lock *lock, plait_deadline until);

/* Take the lock, also when a former holder was killed: then what it guards may be half changed.
 *
 *   lock      the lock.
 *   until     how long to wait, as in plait_lock_acquire.
 *   Returns   0: the caller holds it.
 *   Blocks    as plait_lock_acquire. A cancellation point.
 *   From      any task; any process of the family when the lock is in the family's heap.
 *   Errors    -ETIMEDOUT   held until the deadline.
 *             -EDEADLK     as in plait_lock_acquire.
 *             -ECANCELED   the task was asked to end.
 *             -EINVAL      lock is NULL.
 *             -ENOMEM      the family's memory could not be made.
 *             -EUSERS      the family has 4095 living processes already.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_lock_recover(plait_lock *lock, plait_deadline until);

/* Say that what the lock guards is whole again. Without it the next acquire says -EOWNERDEAD again.
 *
 *   lock      the lock; the caller holds it.
 *   Returns   0, also when nothing was broken.
 *   Blocks    no.
 *   From      the task that holds the lock.
 *   Errors    -EPERM   the caller does not hold it.
 *             -EINVAL  lock is NULL.
 *   Fork      not usable in the child for what the parent holds (-EPERM).
 *   Since     0.1
 */
PLAIT_API int plait_lock_repaired(plait_lock *lock);

/* Give the lock back, and wake one who waits.
 *
 *   lock      the lock; the caller holds it.
 *   Returns   0.
 *   Blocks    no.
 *   From      the task that holds the lock; not another one of the same process.
 *   Errors    -EPERM   the caller does not hold it; nothing changed.
 *             -EINVAL  lock is NULL.
 *   Fork      not usable in the child for what the parent holds (-EPERM).
 *   Since     0.1
 */
PLAIT_API int plait_lock_release(plait_lock *lock);

/* The fencing token: a number that grows with each acquisition of this lock. Hand it on with what
 * is written somewhere else: who has seen a larger one can refuse a smaller one, from a holder that
 * is late.
 *
 *   lock      the lock.
 *   Returns   the holder's token; asked by another task, that of the last holder. 0: never held, or
 *             lock is NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API uint64_t plait_lock_token(const plait_lock *lock);

/* Does any living task hold the lock? Python's locked(). True or not, it may have changed since.
 *
 *   lock      the lock; NULL is not held.
 *   Returns   true while it is held; false when its holder was killed.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child; there a private lock that was held during the fork is held.
 *   Since     0.1
 */
PLAIT_API bool plait_lock_is_held(const plait_lock *lock);

/* Take the recursive lock, or take it once more; waits while another task holds it.
 *
 *   rlock     the lock.
 *   until     how long to wait. What is free, or held by the caller, is taken also after that.
 *   Returns   0: the caller holds it, once more than before.
 *   Blocks    until the lock is free or the deadline. A cancellation point.
 *   From      any task; any process of the family when the lock is in the family's heap.
 *   Errors    -EOWNERDEAD  a former holder was killed, and nobody has said plait_rlock_repaired
 *                          since.
 *             -ETIMEDOUT   held until the deadline.
 *             -EDEADLK     it is private memory, and its holder stayed behind in a fork.
 *             -EOVERFLOW   held 4294967295 times already.
 *             -ECANCELED   the task was asked to end.
 *             -EINVAL      rlock is NULL.
 *             -ENOMEM      the family's memory could not be made.
 *             -EUSERS      the family has 4095 living processes already.
 *   Fork      usable in the child; what the parent holds the child does not.
 *   Since     0.1
 */
PLAIT_API int plait_rlock_acquire(plait_rlock *rlock, plait_deadline until);

/* Take the recursive lock, also when a former holder was killed; it is held once then. The caller
 * that holds it takes it once more.
 *
 *   rlock     the lock.
 *   until     how long to wait, as in plait_rlock_acquire.
 *   Returns   0: the caller holds it.
 *   Blocks    as plait_rlock_acquire. A cancellation point.
 *   From      any task; any process of the family when the lock is in the family's heap.
 *   Errors    -ETIMEDOUT   held until the deadline.
 *             -EDEADLK     as in plait_rlock_acquire.
 *             -EOVERFLOW   held 4294967295 times already.
 *             -ECANCELED   the task was asked to end.
 *             -EINVAL      rlock is NULL.
 *             -ENOMEM      the family's memory could not be made.
 *             -EUSERS      the family has 4095 living processes already.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_rlock_recover(plait_rlock *rlock, plait_deadline until);

/* Say that what the recursive lock guards is whole again.
 *
 *   rlock     the lock; the caller holds it.
 *   Returns   0, also when nothing was broken.
 *   Blocks    no.
 *   From      the task that holds the lock.
 *   Errors    -EPERM   the caller does not hold it.
 *             -EINVAL  rlock is NULL.
 *   Fork      not usable in the child for what the parent holds (-EPERM).
 *   Since     0.1
 */
PLAIT_API int plait_rlock_repaired(plait_rlock *rlock);

/* Give the recursive lock back once; it is free when it was given back as often as taken.
 *
 *   rlock     the lock; the caller holds it.
 *   Returns   0.
 *   Blocks    no.
 *   From      the task that holds the lock; not another one of the same process.
 *   Errors    -EPERM   the caller does not hold it; nothing changed.
 *             -EINVAL  rlock is NULL.
 *   Fork      not usable in the child for what the parent holds (-EPERM).
 *   Since     0.1
 */
PLAIT_API int plait_rlock_release(plait_rlock *rlock);

/* How often the caller holds the recursive lock.
 *
 *   rlock     the lock; NULL is not held.
 *   Returns   how often; 0: another task holds it, or nobody.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child; 0 there.
 *   Since     0.1
 */
PLAIT_API uint32_t plait_rlock_depth(const plait_rlock *rlock);

PLAIT_END

#endif
