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
    LOOK_NS = 50 * 1000, /* between two looks whether home has left it */
    SETTLED_NS =
        20 * 1000 * 1000, /* what a thread has written is seen by all in a ten-thousandth */
};

static uint32_t prepared; /* atomic, relaxed: the process that has: a fork does not hand it on */
static uint32_t
    refused; /* atomic, relaxed: the kernel knows the barrier, and gives none any more */

static bool has_barrier(void)
{
    uint32_t pid = (uint32_t)plait__self_pid();

    if (__atomic_load_n(&prepared, __ATOMIC_RELAXED) == pid)
        return true;
    if (__atomic_load_n(&refused, __ATOMIC_RELAXED) != 0 ||
        !plait__probe_has(PLAIT__PROBE_MEMBARRIER) || plait__os_barrier_prepare() < 0)
        return false;
    __atomic_store_n(&prepared, pid, __ATOMIC_RELAXED);
    return true;
}

void plait__home_lock_init(struct plait__home_lock *lock)
{
    *lock = (struct plait__home_lock){ .home = has_barrier() ? plait__this_thread() : NULL };
}

static void sleep_ns(int64_t ns)
{
    uint32_t never = 0;
    int64_t until = plait__os_now_ns() + ns;

    while (plait__os_now_ns() < until)
        plait__os_futex_wait(&never, 0, until);
}

/* All others have passed a barrier. Where the kernel gives none any more, long enough for what home was
 * writing to have left its processor, and locks made from now on have no home. */
static void pass_barrier(void)
{
    if (plait__os_barrier() == 0 || (plait__os_barrier_prepare() == 0 && plait__os_barrier() == 0))
        return;
    __atomic_store_n(&refused, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&prepared, 0, __ATOMIC_RELAXED);
    sleep_ns(SETTLED_NS);
}

static void take_home_away(struct plait__home_lock *lock)
{
    __atomic_store_n(&lock->home, NULL, __ATOMIC_SEQ_CST);
    pass_barrier();
    /* acquire: what home wrote; it was interrupted inside, or leaves in a moment */
    while (__atomic_load_n(&lock->inside, __ATOMIC_ACQUIRE) != 0)
        sleep_ns(LOOK_NS);
}

void plait__home_lock_slowly(struct plait__home_lock *lock)
{
    plait__mutex_lock(&lock->mutex);
    if (__atomic_load_n(&lock->home, __ATOMIC_RELAXED) != NULL)
        take_home_away(lock);
    lock->is_at_home = 0;
}
