/* Semaphores.
 * SPDX-License-Identifier: MIT
 *
 *     plait_semaphore *connections = …;
 *     plait_semaphore_init_bounded(connections, 10);
 *
 *     if (plait_semaphore_acquire(connections, plait_after_ms(500)) == 0) {
 *         talk();
 *         plait_semaphore_release(connections);
 *     }
 *
 * A count of units: acquire takes one and waits while there is none, release adds one. Anybody may
 * release, as with Python's Semaphore. A bounded one refuses to grow beyond what it began with.
 *
 * These two know no holders: a unit that a killed process had taken is gone. A held semaphore knows
 * them: its units come back when the process that took them dies, and only a process that has one
 * can release one.
 *
 * They lie in private memory, in the family's heap or a named segment, as locks do
 * (plait/lock.h). Nobody may wait on one when its memory is given back.
 */
#ifndef PLAIT_SEMAPHORE_H
#define PLAIT_SEMAPHORE_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdint.h>

PLAIT_BEGIN

enum {
    /* the most units that a semaphore can have */
    PLAIT_SEMAPHORE_MAX = 2147483647,
    /* the most units of a held semaphore */
    PLAIT_HELD_SEMAPHORE_MAX = 48
};

/* A semaphore; 64 bytes, its fields are plait's own. Zero bytes are one without bound and units. */
typedef struct plait_semaphore {
    uint32_t word;  /* the units, and whether somebody waits */
    uint32_t bound; /* 0: none; else the most units, plus one */
    uint64_t spare[7];
} plait_semaphore;

/* A held semaphore; 256 bytes, its fields are plait's own. */
typedef struct plait_held_semaphore {
    uint32_t event; /* changes when a unit comes back */
    uint32_t count; /* const: how many units there are */
    uint32_t spare[14];
    uint32_t units[48]; /* the process that has it; 0: free */
} plait_held_semaphore;

/* Begin with so many units; release may add any number.
 *
 *   semaphore  the memory of it, whatever is in there.
 *   count      units at the start, up to PLAIT_SEMAPHORE_MAX.
 *   Returns    0.
 *   Blocks     no.
 *   From       any task, before others use it.
 *   Errors     -EINVAL  semaphore is NULL, or count too large.
 *   Fork       usable in the child.
 *   Since      0.1
 */
PLAIT_API int plait_semaphore_init(plait_semaphore *semaphore, uint32_t count);

/* Begin with so many units; there may never be more.
 *
 *   semaphore  the memory of it, whatever is in there.
 *   count      units at the start, up to PLAIT_SEMAPHORE_MAX.
 *   Returns    0.
 *   Blocks     no.
 *   From       any task, before others use it.
 *   Errors     -EINVAL  semaphore is NULL, or count too large.
 *   Fork       usable in the child.
 *   Since      0.1
 */
PLAIT_API int plait_semaphore_init_bounded(plait_semaphore *semaphore, uint32_t count);

/* Take a unit; waits while there is none.
 *
 *   semaphore  the semaphore.
 *   until      how long to wait. What is there is taken also after that, and by a cancelled task.
 *   Returns    0: the caller has a unit.
 *   Blocks     until there is a unit or the deadline. A cancellation point.
 *   From       any task; any process of the family when it is in the family's heap.
 *   Errors     -ETIMEDOUT  no unit until the deadline.
 *              -ECANCELED  the task was asked to end.
 *              -EINVAL     semaphore is NULL.
 *   Fork       usable in the child; in private memory it is a copy.
 *   Since      0.1
 */
PLAIT_API int plait_semaphore_acquire(plait_semaphore *semaphore, plait_deadline until);

/* Add a unit, and wake one who waits for it.
 *
 *   semaphore  the semaphore.
 *   Returns    0.
 *   Blocks     no.
 *   From       any task, whether it has acquired one or not; not a signal handler.
 *   Errors     -EOVERFLOW  there are as many as may be already; nothing changed.
 *              -EINVAL     semaphore is NULL.
 *   Fork       usable in the child; in private memory it is a copy.
 *   Since      0.1
 */
PLAIT_API int plait_semaphore_release(plait_semaphore *semaphore);

/* Add several units at once.
 *
 *   semaphore  the semaphore.
 *   n          how many, at least 1.
 *   Returns    0.
 *   Blocks     no.
 *   From       any task, whether it has acquired one or not; not a signal handler.
 *   Errors     -EOVERFLOW  there would be more than may be; nothing changed.
 *              -EINVAL     semaphore is NULL, or n is 0.
 *   Fork       usable in the child; in private memory it is a copy.
 *   Since      0.1
 */
PLAIT_API int plait_semaphore_release_n(plait_semaphore *semaphore, uint32_t n);

/* How many units could be taken now: Python's get_value().
 *
 *   semaphore  the semaphore; NULL has none.
 *   Returns    the number, which may have changed since.
 *   Blocks     no.
 *   From       any task.
 *   Errors     none.
 *   Fork       usable in the child.
 *   Since      0.1
 */
PLAIT_API uint32_t plait_semaphore_count(const plait_semaphore *semaphore);

/* Begin with so many units, all of them free. There are never more or fewer.
 *
 *   held       the memory of it, whatever is in there.
 *   count      1 to PLAIT_HELD_SEMAPHORE_MAX.
 *   Returns    0.
 *   Blocks     no.
 *   From       any task, before others use it.
 *   Errors     -EINVAL  held is NULL, or count is 0 or too large.
 *   Fork       usable in the child.
 *   Since      0.1
 */
PLAIT_API int plait_held_semaphore_init(plait_held_semaphore *held, uint32_t count);

/* Take a unit; waits while none is free. Units of processes that died are free again, within
 * 100 ms if the caller sleeps.
 *
 *   held       the semaphore.
 *   until      how long to wait. A free unit is taken also after that, and by a cancelled task.
 *   Returns    0: the caller's process has one more.
 *   Blocks     until a unit is free or the deadline. A cancellation point.
 *   From       any task; any process of the family when it is in the family's heap.
 *   Errors     -ETIMEDOUT  none is free until the deadline.
 *              -ECANCELED  the task was asked to end.
 *              -EINVAL     held is NULL, or was never begun.
 *              -ENOMEM     the family's memory could not be made.
 *              -EUSERS     the family has 4095 living processes already.
 *   Fork       usable in the child, which has none of its parent's units; in private memory those
 *              are free for it.
 *   Since      0.1
 */
PLAIT_API int plait_held_semaphore_acquire(plait_held_semaphore *held, plait_deadline until);

/* Give a unit of this process back.
 *
 *   held       the semaphore.
 *   Returns    0.
 *   Blocks     no.
 *   From       any task of a process that has a unit.
 *   Errors     -EPERM   this process has none.
 *              -EINVAL  held is NULL.
 *   Fork       -EPERM in the child for what the parent took.
 *   Since      0.1
 */
PLAIT_API int plait_held_semaphore_release(plait_held_semaphore *held);

/* How many units are free now; those of the dead count once somebody has noticed.
 *
 *   held       the semaphore; NULL has none.
 *   Returns    the number, which may have changed since.
 *   Blocks     no.
 *   From       any task.
 *   Errors     none.
 *   Fork       usable in the child.
 *   Since      0.1
 */
PLAIT_API uint32_t plait_held_semaphore_count(const plait_held_semaphore *held);

PLAIT_END

#endif
