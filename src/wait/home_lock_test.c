/* The lock with a home.
 * SPDX-License-Identifier: MIT
 */
#include "wait/home_lock.h"

#include "os/sched.h"

#include "test.h"
#include "threads.h"

enum {
    GUESTS = 2,
    LOCKS = 100,
    ROUNDS = 20, /* of each guest, at each lock */
};

static struct plait__home_lock locks[LOCKS];
static long counters[LOCKS]; /* its lock */
static uint32_t next;        /* atomic: the lock that is fought for */
static uint32_t n_done;      /* atomic: guests that have done with it */

static void count(int i)
{
    plait__home_lock(&locks[i]);
    counters[i]++;
    plait__home_unlock(&locks[i]);
}

static void be_guest(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < LOCKS; i++) {
        while (__atomic_load_n(&next, __ATOMIC_SEQ_CST) < i)
            plait__os_yield();
        for (int round = 0; round < ROUNDS; round++)
            count((int)i);
        __atomic_fetch_add(&n_done, 1, __ATOMIC_SEQ_CST);
    }
}

TEST_LIMIT(nothing_is_lost_when_others_come_while_home_is_at_it, 30)
{
    for (int i = 0; i < LOCKS; i++)
        plait__home_lock_init(&locks[i]);
    for (int i = 0; i < GUESTS; i++)
        CHECK_INT(start_detached(be_guest, NULL, 0), 0);
    for (int i = 0; i < LOCKS; i++) {
        long ours = 0;
        __atomic_store_n(&next, (uint32_t)i, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&n_done, __ATOMIC_SEQ_CST) < GUESTS * (uint32_t)(i + 1)) {
            count(i);
            ours++;
        }
        CHECK_INT(counters[i], ours + GUESTS * ROUNDS);
        CHECK(locks[i].home == NULL);
    }
}

TEST(home_takes_no_mutex)
{
    struct plait__home_lock lock;

    plait__home_lock_init(&lock);
    if (lock.home == NULL)
        return; /* the kernel has no such barrier, or the thread sanitizer does not know it */
    plait__home_lock(&lock);
    CHECK_INT(lock.mutex.state, 0);
    CHECK_INT(lock.inside, 1);
    plait__home_unlock(&lock);
    CHECK_INT(lock.inside, 0);
}
