/* The coroutines that belong together: what ends with whom.
 * SPDX-License-Identifier: MIT
 *
 * Each task has a group for what it starts by plait_go; others are made by plait_group_create. A
 * group counts those that have not begun, too. Its memory must live until the count is 0.
 */
#ifndef PLAIT__TASK_GROUP_H
#define PLAIT__TASK_GROUP_H

#include "base/list.h"
#include "wait/mutex.h"
#include "wait/sleeper.h"
#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

enum {
    PLAIT__GROUP_AWAITED = UINT32_C(1) << 31 /* in `count`: somebody sleeps until it is 0 */
};

/* Zero bytes are an empty group. */
struct plait__group {
    uint32_t count;        /* atomic, a futex word: of members, begun or not, and AWAITED */
    uint32_t is_cancelled; /* atomic: who begins from now on is asked to end at once */
    struct plait__mutex lock;
    bool is_bare; /* const: who starts in it happens to: they have no parent, and inherit nothing */
    struct plait__list begun; /* lock: struct plait__group_member; zero before the first */
    /* const: one has ended, or never will begin, with this code (0 if it was cancelled), and is
     * still counted; NULL: nobody asks */
    void (*on_end)(struct plait__group *group, int code);
};

/* One that has begun. */
struct plait__group_member {
    struct plait__list node;        /* the group's lock */
    struct plait__sleeper *sleeper; /* const */
};

/* One more, which has not begun. */
void plait__group_add(struct plait__group *group);
/* One of them begins. */
void plait__group_begin(struct plait__group *group, struct plait__group_member *member);
/* It has ended; the group may be gone afterwards. */
void plait__group_end(struct plait__group *group, struct plait__group_member *member, int code);
/* One that has not begun never will. */
void plait__group_drop(struct plait__group *group, int code);
/* One that was added is not counted any more; on_end is not told. */
void plait__group_uncount(struct plait__group *group);

/* Waits until there is none. 0, -ETIMEDOUT, -ECANCELED. */
int plait__group_wait(struct plait__group *group, plait_deadline until);
/* Asks all to end, also those that have not begun. */
void plait__group_cancel(struct plait__group *group);

static inline uint32_t plait__group_count(const struct plait__group *group)
{
    /* acquire: who sees 0 sees what the last one did */
    return __atomic_load_n(&group->count, __ATOMIC_ACQUIRE) & ~(uint32_t)PLAIT__GROUP_AWAITED;
}

#endif
