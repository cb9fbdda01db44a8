/* Those who wait at an object of this process, in a list that the object has.
 * SPDX-License-Identifier: MIT
 *
 * Of a process nobody dies alone. So who changes the object does for the first in its list what that
 * one waits for, and wakes it: a wake is no hint but the end of the wait. No table is asked, no word
 * compared, and nobody looks again from time to time.
 *
 *     who waits                               who changes something
 *       lock                                    lock
 *       it has to wait: …_begin                 change
 *       unlock                                  what can be done for one in the list is done
 *       …_sleep; if that does not say 1:        …_wake
 *       lock · …_leave · unlock                 unlock
 *                                               plait__os_futex_wake of what …_wake left
 *
 * The lock is the object's. Who was woken by a task of its own thread needs it no more: it runs when
 * that one has given the thread away. All others take it once, so that the waker is out of their
 * stack, and the object knows when they have left it.
 */
#ifndef PLAIT__WAIT_WAITLIST_H
#define PLAIT__WAIT_WAITLIST_H

#include "base/list.h"
#include "wait/home_lock.h"
#include "wait/sleeper.h"
#include <plait/time.h>

#include <stdbool.h>
#include <stdint.h>

/* One wait, on the waiting task's stack. */
struct plait__waiting {
    struct plait__list node;        /* lock */
    struct plait__sleeper *sleeper; /* const: of a task that parks; NULL: the thread sleeps */
    const void *thread;             /* const: where it waits */
    uint32_t state;                 /* atomic, a futex word; changed with the lock */
};

enum {
    PLAIT__WAITS,
    PLAIT__WOKEN,
    PLAIT__WOKEN_NEAR /* by a task of its own thread */
};

/* For people who look on. */
struct plait__waits_for {
    const uint32_t *word; /* its address */
    enum plait__wait_kind kind;
};

/* With the lock: becomes the last; the sleeper is the current one. */
static inline void plait__waiting_begin(struct plait__waiting *waiting, struct plait__list *list,
                                        struct plait__sleeper *sleeper)
{
    waiting->sleeper = sleeper != NULL && sleeper->ops != NULL ? sleeper : NULL;
    waiting->thread = plait__this_thread();
    waiting->state = PLAIT__WAITS;
    plait__list_push_back(list, &waiting->node);
}

/* 1: woken, by a task of this thread · 0: woken · -ETIMEDOUT, -ECANCELED, -EDEADLK: not woken yet */
int plait__waiting_sleep(struct plait__waiting *waiting, struct plait__waits_for what,
                         plait_deadline until);
/* With the lock, unless it said 1: it is not in the list from now on. Was it woken? */
bool plait__waiting_leave(struct plait__waiting *waiting);

/* Only for the next function. */
void plait__waiting_wake_thread(struct plait__waiting *waiting, const uint32_t **later);

/* With the lock: takes it out, and makes it run. True: it will not take the lock. What *later gets
 * is to be woken when the lock has been given back; NULL at first. */
static inline bool plait__waiting_wake(struct plait__waiting *waiting, const uint32_t **later)
{
    struct plait__sleeper *sleeper = waiting->sleeper;
    bool is_near = sleeper != NULL && waiting->thread == plait__this_thread();

    plait__list_remove(&waiting->node);
    if (sleeper == NULL) {
        plait__waiting_wake_thread(waiting, later);
        return false;
    }
    /* release: what was done for it */
    __atomic_store_n(&waiting->state, is_near ? PLAIT__WOKEN_NEAR : PLAIT__WOKEN, __ATOMIC_RELEASE);
    sleeper->ops->unpark(sleeper);
    return is_near;
}

#endif
