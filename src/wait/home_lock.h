/* A small lock that costs next to nothing as long as one thread alone takes it.
 * SPDX-License-Identifier: MIT
 *
 * It has a home: the thread that made it. That one says that it is inside, and looks whether the lock
 * has its home still; it needs neither a locked instruction nor a barrier for that, as who takes the
 * home away has it pass one (os/barrier.h). From then on the lock is a mutex for all, for ever.
 *
 *     home                                another thread, with the mutex, once
 *       inside = 1                          home = none
 *       home is us still? ours              barrier for all
 *       no: inside = 0, the mutex           wait until inside == 0
 *
 * Either home sees that it is none any more, or the other one sees that it is inside. The same rules
 * as for the mutex: held for a few instructions, never across a sleep.
 */
#ifndef PLAIT__WAIT_HOME_LOCK_H
#define PLAIT__WAIT_HOME_LOCK_H

#include "wait/mutex.h"
#include "wait/sleeper.h"

struct plait__home_lock {
    struct plait__mutex mutex;
    uint32_t is_at_home; /* who has it: it was taken without the mutex */
    uint32_t inside;     /* atomic: home has it, or is about to look whether it may */
    const void *home;    /* atomic: something of that thread alone; NULL: none */
};

/* Something of this thread alone. */
static inline const void *plait__this_thread(void)
{
    return &plait__running_number;
}

void plait__home_lock_init(struct plait__home_lock *lock);
void plait__home_lock_slowly(struct plait__home_lock *lock);

/* Has it been taken at home? */
static inline bool plait__home_try(struct plait__home_lock *lock)
{
    if (__atomic_load_n(&lock->home, __ATOMIC_RELAXED) != plait__this_thread())
        return false;
    __atomic_store_n(&lock->inside, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the partner is plait__home_lock_slowly */
    if (__builtin_expect(__atomic_load_n(&lock->home, __ATOMIC_RELAXED) == NULL, 0)) {
        __atomic_store_n(&lock->inside, 0, __ATOMIC_RELAXED);
        return false;
    }
    lock->is_at_home = 1;
    return true;
}

static inline void plait__home_lock(struct plait__home_lock *lock)
{
    if (!plait__home_try(lock))
        plait__home_lock_slowly(lock);
}

static inline void plait__home_unlock(struct plait__home_lock *lock)
{
    if (lock->is_at_home) /* release: the partner is who takes the home away */
        __atomic_store_n(&lock->inside, 0, __ATOMIC_RELEASE);
    else
        plait__mutex_unlock(&lock->mutex);
}

#endif
