/* The small lock.
 * SPDX-License-Identifier: MIT
 */
#include "wait/mutex.h"

#include "test.h"
#include <plait/time.h>

#include "threads.h"

enum {
    THREADS = 4,
    ROUNDS = 20000
};

static struct plait__mutex mutex;
static int counter;     /* mutex */
static uint32_t n_done; /* atomic */

static void count(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        plait__mutex_lock(&mutex);
        counter++;
        plait__mutex_unlock(&mutex);
    }
    __atomic_fetch_add(&n_done, 1, __ATOMIC_SEQ_CST);
}

TEST_LIMIT(one_at_a_time_holds_it, 30)
{
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(start_detached(count, NULL, 0), 0);
    while (__atomic_load_n(&n_done, __ATOMIC_SEQ_CST) < THREADS)
        plait_sleep(plait_after_ms(1));
    CHECK_INT(counter, THREADS * ROUNDS);
    CHECK_INT(mutex.state, 0);
}

TEST(who_waits_sleeps_and_is_woken)
{
    plait__mutex_lock(&mutex);
    CHECK_INT(start_detached(count, NULL, 0), 0);
    while (__atomic_load_n(&mutex.state, __ATOMIC_SEQ_CST) != 2)
        plait_sleep(plait_after_ms(1));
    CHECK_INT(counter, 0);
    plait__mutex_unlock(&mutex);
    while (__atomic_load_n(&n_done, __ATOMIC_SEQ_CST) == 0)
        plait_sleep(plait_after_ms(1));
    CHECK_INT(counter, ROUNDS);
}
