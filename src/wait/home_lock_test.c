/* The lock with a home.
 * SPDX-License-Identifier: MIT
 */
#include "wait/home_lock.h"

#include "os/clock.h"
#include "os/sched.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

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

/* As a program may do it to itself at any time. False: it cannot here. */
static bool forbid_barriers(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { sizeof code / sizeof *code, code };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static void take_once(void *arg)
{
    plait__home_lock(arg);
    plait__home_unlock(arg);
    __atomic_store_n(&n_done, 1, __ATOMIC_SEQ_CST);
}

/* Nobody can see a store that is too late, but the time that is left to it. */
TEST(where_the_kernel_gives_no_barrier_any_more_there_is_time_instead_and_no_home_from_then_on)
{
    static struct plait__home_lock old, new;
    int64_t began = plait__os_now_ns();

    plait__home_lock_init(&old);
    if (old.home == NULL || !forbid_barriers())
        return;
    CHECK_INT(start_detached(take_once, &old, 0), 0);
    while (__atomic_load_n(&n_done, __ATOMIC_SEQ_CST) == 0)
        plait__os_yield();
    CHECK(plait__os_now_ns() - began >= 10 * 1000 * 1000);
    CHECK(old.home == NULL);
    plait__home_lock_init(&new);
    CHECK(new.home == NULL);
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
