/* Barriers.
 * SPDX-License-Identifier: MIT
 *
 *     plait_barrier *barrier = …;
 *     plait_barrier_init(barrier, 4);
 *
 *     int rc = plait_barrier_wait(barrier, plait_after_ms(1000));   // in four tasks
 *     if (rc == PLAIT_EBROKEN)
 *         give_up();
 *
 * So many tasks wait for each other; when the last one has come, all go on, and the barrier is
 * ready for the next round. When one of them cannot wait any longer, is cancelled, or is killed
 * while it waits, the barrier is broken: the others are told at once, or within 100 ms of a death,
 * and so is everybody who comes later, until a reset.
 *
 * Waiting tasks are known by their processes, of which 80 can wait at the same time. It lies in
 * private memory, in the family's heap or a named segment, as locks do (plait/lock.h). Nobody may
 * wait at it when its memory is given back.
 */
#ifndef PLAIT_BARRIER_H
#define PLAIT_BARRIER_H

#include <plait/condition.h>
#include <plait/export.h>
#include <plait/lock.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

PLAIT_BEGIN

/* A barrier; 512 bytes, its fields are plait's own. */
typedef struct plait_barrier {
    plait_lock lock;
    plait_condition changed;
    uint32_t parties;
    uint32_t arrived;
    uint32_t is_broken;
    uint32_t round;    /* how many have ended */
    uint64_t failures; /* of the last 64 rounds, those that did not end well */
    int64_t looked_ns; /* when somebody last looked for the dead */
    uint32_t spare[8];
    uint32_t members[80]; /* the processes of those who have arrived */
} plait_barrier;

/* What the last one to arrive does before all go on: 0, or a negative code, which breaks the
 * barrier. It must not wait at the same barrier. */
typedef int plait_barrier_fn(void *arg);

/* Begin, for so many tasks.
 *
 *   barrier   the memory of it, whatever is in there.
 *   parties   how many wait for each other, at least 1.
 *   Returns   0.
 *   Blocks    no.
 *   From      any task, before others use it.
 *   Errors    -EINVAL  barrier is NULL, or parties is 0 or more than 2147483647.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_barrier_init(plait_barrier *barrier, uint32_t parties);

/* Arrive, and wait for the others.
 *
 *   barrier   the barrier.
 *   until     how long to wait; a task that comes as the last one does not wait.
 *   Returns   which one the caller was: 0 for the first to arrive, parties - 1 for the last.
 *   Blocks    until all have arrived or the deadline. A cancellation point.
 *   From      any task; any process of the family when it is in the family's heap.
 *   Errors    PLAIT_EBROKEN  the barrier was broken, or reset, or a task that waited was killed.
 *             -ETIMEDOUT     not all came until the deadline; this broke the barrier.
 *             -ECANCELED     the task was asked to end; this broke the barrier.
 *             -EUSERS        80 other processes wait already; or the family has 4095 living ones.
 *             -EDEADLK       it is private memory, and its lock stayed behind in a fork.
 *             -EINVAL        barrier is NULL, or was never begun.
 *             -ENOMEM        the family's memory could not be made.
 *   Fork      usable in the child; in private memory it is a copy.
 *   Since     0.1
 */
PLAIT_API int plait_barrier_wait(plait_barrier *barrier, plait_deadline until);

/* Arrive, wait for the others, and have something done once between their coming and their going.
 *
 *   barrier   the barrier.
 *   action    run by the caller if it is the last one to arrive; NULL: nothing.
 *   arg       handed to it.
 *   until     how long to wait. Who waits does so while the action runs, too.
 *   Returns   as plait_barrier_wait; what action returned, if that was negative.
 *   Blocks    until all have arrived and the action was run, or the deadline. A cancellation point.
 *   From      any task; any process of the family when it is in the family's heap.
 *   Errors    PLAIT_EBROKEN  the barrier was broken, or reset, or a task that waited was killed, or
 *                            the action failed in another task.
 *             -ETIMEDOUT     not all came, or the action did not end, until the deadline; this
 *                            broke the barrier.
 *             -ECANCELED     the task was asked to end; this broke the barrier.
 *             -EUSERS        80 other processes wait already; or the family has 4095 living ones.
 *             -EDEADLK       it is private memory, and its lock stayed behind in a fork.
 *             -EINVAL        barrier is NULL, or was never begun.
 *             -ENOMEM        the family's memory could not be made.
 *   Fork      usable in the child; in private memory it is a copy.
 *   Since     0.1
 */
PLAIT_API int plait_barrier_wait_action(plait_barrier *barrier, plait_barrier_fn *action, void *arg,
                                        plait_deadline until);

/* Break the barrier: who waits, and who comes until a reset, is told PLAIT_EBROKEN.
 *
 *   barrier   the barrier.
 *   Returns   0, also when it was broken already.
 *   Blocks    no longer than it takes others to arrive or leave.
 *   From      any task; any process of the family when it is in the family's heap.
 *   Errors    -EDEADLK  it is private memory, and its lock stayed behind in a fork.
 *             -EINVAL   barrier is NULL, or was never begun.
 *             -ENOMEM   the family's memory could not be made.
 *             -EUSERS   the family has 4095 living processes already.
 *   Fork      usable in the child; in private memory it is a copy.
 *   Since     0.1
 */
PLAIT_API int plait_barrier_abort(plait_barrier *barrier);

/* Make the barrier as new. Who waits is told PLAIT_EBROKEN; who comes from now on waits again.
 *
 *   barrier   the barrier.
 *   Returns   0.
 *   Blocks    no longer than it takes others to arrive or leave.
 *   From      any task; any process of the family when it is in the family's heap.
 *   Errors    -EDEADLK  it is private memory, and its lock stayed behind in a fork.
 *             -EINVAL   barrier is NULL, or was never begun.
 *             -ENOMEM   the family's memory could not be made.
 *             -EUSERS   the family has 4095 living processes already.
 *   Fork      usable in the child; in private memory it is a copy.
 *   Since     0.1
 */
PLAIT_API int plait_barrier_reset(plait_barrier *barrier);

/* Is the barrier broken?
 *
 *   barrier   the barrier; NULL is not.
 *   Returns   true from when it broke to the next reset.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_barrier_is_broken(const plait_barrier *barrier);

/* How many wait at the barrier now.
 *
 *   barrier   the barrier; at NULL nobody waits.
 *   Returns   the number, which may have changed since.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API uint32_t plait_barrier_waiting(const plait_barrier *barrier);

PLAIT_END

#endif
