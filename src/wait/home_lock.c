/* A small lock that costs next to nothing as long as one thread alone takes it.
 * SPDX-License-Identifier: MIT
 */
#include "wait/home_lock.h"
#include "family/self.h"
#include "os/barrier.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/probe.h"

enum {
    LOOK_NS = 50 * 1000 /* between two looks whether home has left it */
};

static bool has_barrier(void)
{
    static uint32_t
        prepared; /* atomic, relaxed: the process that has: a fork does not hand it on */
    uint32_t pid = (uint32_t)plait__self_pid();

    if (__atomic_load_n(&prepared, __ATOMIC_RELAXED) == pid)
        return true;
    if (!plait__probe_has(PLAIT__PROBE_MEMBARRIER) || plait__os_barrier_prepare() < 0)
        return false;
    __atomic_store_n(&prepared, pid, __ATOMIC_RELAXED);
    return true;
}

void plait__home_lock_init(struct plait__home_lock *lock)
{
    *lock = (struct plait__home_lock){ .home = has_barrier() ? plait__this_thread() : NULL };
}

static void take_home_away(struct plait__home_lock *lock)
{
    uint32_t never = 0;

    __atomic_store_n(&lock->home, NULL, __ATOMIC_SEQ_CST);
    plait__os_barrier();
    /* acquire: what home wrote; it was interrupted inside, or leaves in a moment */
    while (__atomic_load_n(&lock->inside, __ATOMIC_ACQUIRE) != 0)
        plait__os_futex_wait(&never, 0, plait__os_now_ns() + LOOK_NS);
}

void plait__home_lock_slowly(struct plait__home_lock *lock)
{
    plait__mutex_lock(&lock->mutex);
    if (__atomic_load_n(&lock->home, __ATOMIC_RELAXED) != NULL)
        take_home_away(lock);
    lock->is_at_home = 0;
}
