/* Locks for many readers or one writer.
 * SPDX-License-Identifier: MIT
 *
 *     plait_rwlock *lock = …;                                 // zero bytes: free
 *
 *     rc = plait_rwlock_acquire_read(lock, PLAIT_FOREVER);    // many at the same time
 *     rc = plait_rwlock_acquire_write(lock, PLAIT_FOREVER);   // alone
 *     plait_rwlock_release(lock);                             // either
 *
 * A writer that waits comes before readers that arrive later, so that it is not kept out for ever;
 * therefore a task that reads must not ask to read once more, and to write not at all: both can
 * wait for each other until the deadline.
 *
 * When the process of a writer dies inside, the next ones are told -EOWNERDEAD until one of them
 * recovers the lock, as with plait_lock. Readers change nothing: one that dies is forgotten, within
 * 100 ms. Readers are known by their processes, of which 56 can read at the same time.
 *
 * It lies in private memory, in the family's heap or a named segment, as locks do (plait/lock.h).
 * Nobody may wait on it or hold it when its memory is given back.
 */
#ifndef PLAIT_RWLOCK_H
#define PLAIT_RWLOCK_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdint.h>

PLAIT_BEGIN

/* A lock for many readers or one writer; 512 bytes, its fields are plait's own. */
typedef struct plait_rwlock {
    uint32_t word;   /* the process that writes, or is about to */
    uint32_t event;  /* changes when a reader leaves while a writer waits */
    uint64_t holder; /* the task that writes, or is about to */
    uint64_t spare[6];
    uint64_t readers[56]; /* a process, and how often it reads; 0: nobody */
} plait_rwlock;

/* Take the lock for reading; waits while somebody writes, or waits to write.
 *
 *   rwlock    the lock.
 *   until     how long to wait. What is free is taken also after that, and by a cancelled task.
 *   Returns   0: the caller reads; nobody writes until it releases.
 *   Blocks    until no writer is there or the deadline. A cancellation point.
 *   From      any task; any process of the family when it is in the family's heap.
 *   Errors    -EOWNERDEAD  a writer was killed, and nobody has said plait_rwlock_repaired since.
 *             -ETIMEDOUT   a writer was there until the deadline.
 *             -EDEADLK     the caller writes; or it is private memory, and the writer stayed behind
 *                          in a fork.
 *             -EUSERS      56 processes read already, or the family has 4095 living ones.
 *             -ECANCELED   the task was asked to end.
 *             -EINVAL      rwlock is NULL.
 *             -ENOMEM      the family's memory could not be made.
 *   Fork      usable in the child, which reads nothing that the parent reads.
 *   Since     0.1
 */
PLAIT_API int plait_rwlock_acquire_read(plait_rwlock *rwlock, plait_deadline until);

/* Take the lock for writing; waits while anybody reads or writes.
 *
 *   rwlock    the lock.
 *   until     how long to wait. What is free is taken also after that, and by a cancelled task.
 *   Returns   0: the caller writes; nobody else reads or writes until it releases.
 *   Blocks    until it is alone or the deadline. A cancellation point.
 *   From      any task; any process of the family when it is in the family's heap.
 *   Errors    -EOWNERDEAD  a writer was killed, and nobody has said plait_rwlock_repaired since.
 *             -ETIMEDOUT   others read or wrote until the deadline.
 *             -EDEADLK     the caller writes already; or it is private memory, and the writer
 *                          stayed behind in a fork.
 *             -ECANCELED   the task was asked to end.
 *             -EINVAL      rwlock is NULL.
 *             -ENOMEM      the family's memory could not be made.
 *             -EUSERS      the family has 4095 living processes already.
 *   Fork      usable in the child; in private memory what the parent reads is free there.
 *   Since     0.1
 */
PLAIT_API int plait_rwlock_acquire_write(plait_rwlock *rwlock, plait_deadline until);

/* Take the lock for writing, also when a writer was killed: what it guards may be half changed.
 *
 *   rwlock    the lock.
 *   until     how long to wait.
 *   Returns   0: the caller writes.
 *   Blocks    as plait_rwlock_acquire_write. A cancellation point.
 *   From      any task; any process of the family when it is in the family's heap.
 *   Errors    -ETIMEDOUT   others read or wrote until the deadline.
 *             -EDEADLK     as in plait_rwlock_acquire_write.
 *             -ECANCELED   the task was asked to end.
 *             -EINVAL      rwlock is NULL.
 *             -ENOMEM      the family's memory could not be made.
 *             -EUSERS      the family has 4095 living processes already.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_rwlock_recover(plait_rwlock *rwlock, plait_deadline until);

/* Say that what the lock guards is whole again.
 *
 *   rwlock    the lock; the caller writes.
 *   Returns   0, also when nothing was broken.
 *   Blocks    no.
 *   From      the task that writes.
 *   Errors    -EPERM   the caller does not write.
 *             -EINVAL  rwlock is NULL.
 *   Fork      not usable in the child for what the parent holds (-EPERM).
 *   Since     0.1
 */
PLAIT_API int plait_rwlock_repaired(plait_rwlock *rwlock);

/* Give the lock back: the writer's, or one reading of this process.
 *
 *   rwlock    the lock; the caller holds it.
 *   Returns   0.
 *   Blocks    no.
 *   From      the task that writes; any task of a process that reads.
 *   Errors    -EPERM   the caller does not write, and its process does not read.
 *             -EINVAL  rwlock is NULL.
 *   Fork      not usable in the child for what the parent holds (-EPERM).
 *   Since     0.1
 */
PLAIT_API int plait_rwlock_release(plait_rwlock *rwlock);

PLAIT_END

#endif
