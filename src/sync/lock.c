/* Locks, recursive ones too.
 * SPDX-License-Identifier: MIT
 *
 * The word says which process holds the lock: that is what a death can be proven of. Which of its
 * tasks it is, `holder` says. That field is written after the word was taken and cleared before it
 * is released, and holds the whole name of a task, its process included. So it can be missing or
 * left over from the dead, but it never names a living task that does not hold the lock: a task
 * that finds its own name there holds it.
 */
#include "sync/lock.h"
#include "sync/debug.h"
#include "sync/owned.h"

#include <errno.h>
#include <stddef.h>

/* The word is ours. */
static inline int enter(plait_lock *lock, uint64_t self)
{
    /* relaxed, both: the word's release hands them on */
    __atomic_store_n(&lock->holder, self, __ATOMIC_RELAXED);
    __atomic_store_n(&lock->token, lock->token + 1, __ATOMIC_RELAXED);
    return 0;
}

/* place: where the program has called us, for the debug mode. */
static __attribute__((noinline)) int acquire_slowly(plait_lock *lock, bool takes_broken,
                                                    plait_deadline until, const void *place)
{
    bool is_watched = plait__debug_locks();
    int rc;

    if (lock == NULL)
        return -EINVAL;
    if (plait__lock_is_mine(lock))
        return -EDEADLK;
    if (is_watched)
        plait__debug_waits(PLAIT__NOTE_WAITS, lock, place);
    plait__say_wait(PLAIT__ON_LOCK, &lock->word);
    rc = plait__owned_acquire_slowly(&lock->word, takes_broken, until);
    if (is_watched)
        plait__debug_waits_no_more();
    if (rc < 0)
        return rc;
    if (is_watched)
        plait__debug_holds(PLAIT__NOTE_HOLDS, lock, place);
    return enter(lock, plait__task_id()); /* only now we are surely a member */
}

/* The way of a free lock: no call, no frame. Whatever is not as usual goes the slow one. place: as
 * there; NULL: where the exported function that this is a part of was called, found out only if it
 * is needed. */
static inline __attribute__((always_inline)) int acquire(plait_lock *lock, bool takes_broken,
                                                         plait_deadline until, const void *place)
{
    uint32_t member = plait__member_self(), number = plait__running_number, free = 0;

    if (__builtin_expect(lock == NULL || member == 0 || number == 0, 0))
        return acquire_slowly(lock, takes_broken, until, place != NULL ? place : PLAIT__CALLER);
    /* acquire: pairs with the release of the last holder */
    if (__atomic_compare_exchange_n(&lock->word, &free, member, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return enter(lock, plait__make_task_id(member, number));
    return acquire_slowly(lock, takes_broken, until, place != NULL ? place : PLAIT__CALLER);
}

/* pre: we hold it. */
static inline int release(plait_lock *lock)
{
    __atomic_store_n(&lock->holder, 0, __ATOMIC_RELAXED);
    plait__owned_release(&lock->word);
    return 0;
}

static __attribute__((noinline)) int release_slowly(plait_lock *lock)
{
    if (lock == NULL)
        return -EINVAL;
    if (!plait__lock_is_mine(lock))
        return -EPERM;
    if (plait__debug_locks())
        plait__debug_releases(PLAIT__NOTE_HOLDS, lock);
    return release(lock);
}

int plait_lock_acquire(plait_lock *lock, plait_deadline until)
{
    return acquire(lock, false, until, NULL);
}

int plait_lock_recover(plait_lock *lock, plait_deadline until)
{
    return acquire(lock, true, until, NULL);
}

int plait_lock_release(plait_lock *lock)
{
    uint64_t self = plait__make_task_id(plait__member_self(), plait__running_number);

    /* 0: we have never been asked who we are, and it is nobody's. In the debug mode our number is
     * kept back, and this never ours at the first look. */
    if (__builtin_expect(lock == NULL || self == 0, 0) ||
        __atomic_load_n(&lock->holder, __ATOMIC_RELAXED) != self)
        return release_slowly(lock);
    return release(lock);
}

int plait_lock_repaired(plait_lock *lock)
{
    if (lock == NULL)
        return -EINVAL;
    if (!plait__lock_is_mine(lock))
        return -EPERM;
    plait__owned_mend(&lock->word);
    return 0;
}

uint64_t plait_lock_token(const plait_lock *lock)
{
    return lock == NULL ? 0 : __atomic_load_n(&lock->token, __ATOMIC_RELAXED);
}

bool plait_lock_is_held(const plait_lock *lock)
{
    uint32_t owner;

    if (lock == NULL)
        return false;
    owner = plait__owned_by(__atomic_load_n(&lock->word, __ATOMIC_RELAXED));
    return owner != 0 && !plait__holder_is_dead(lock, owner);
}

uint32_t plait__lock_let_go(plait_lock *lock)
{
    uint32_t depth = lock->depth;

    lock->depth = 0;
    if (plait__debug_locks())
        plait__debug_releases(PLAIT__NOTE_HOLDS, lock);
    release(lock);
    return depth;
}

int plait__lock_take_back(plait_lock *lock, uint32_t depth, const void *place)
{
    int rc;

    plait__mask_cancel();
    rc = acquire(lock, false, PLAIT_FOREVER, place);
    plait__unmask_cancel();
    if (rc == 0)
        lock->depth = depth;
    return rc;
}

/* ---- recursive ---- */

static inline __attribute__((always_inline)) int
acquire_again(plait_rlock *rlock, bool takes_broken, plait_deadline until)
{
    int rc;

    if (rlock == NULL)
        return -EINVAL;
    if (plait__lock_is_mine(&rlock->lock)) {
        if (rlock->lock.depth == UINT32_MAX)
            return -EOVERFLOW;
        rlock->lock.depth++;
        return 0;
    }
    rc = acquire(&rlock->lock, takes_broken, until, NULL);
    if (rc == 0)
        rlock->lock.depth = 1; /* whatever the dead left there */
    return rc;
}

int plait_rlock_acquire(plait_rlock *rlock, plait_deadline until)
{
    return acquire_again(rlock, false, until);
}

int plait_rlock_recover(plait_rlock *rlock, plait_deadline until)
{
    return acquire_again(rlock, true, until);
}

int plait_rlock_repaired(plait_rlock *rlock)
{
    return plait_lock_repaired(rlock != NULL ? &rlock->lock : NULL);
}

int plait_rlock_release(plait_rlock *rlock)
{
    if (rlock == NULL)
        return -EINVAL;
    if (!plait__lock_is_mine(&rlock->lock))
        return -EPERM;
    if (rlock->lock.depth > 1) {
        rlock->lock.depth--;
        return 0;
    }
    plait__lock_let_go(&rlock->lock);
    return 0;
}

uint32_t plait_rlock_depth(const plait_rlock *rlock)
{
    return rlock != NULL && plait__lock_is_mine(&rlock->lock) ? rlock->lock.depth : 0;
}
