/* Tests of a word that changes when something happened.
 * SPDX-License-Identifier: MIT
 */
#include "sync/eventcount.h"
#include "wait/wait.h"

#include "test.h"
#include "threads.h"

static uint32_t word;
static uint32_t items, n_taken; /* atomic */

TEST(a_signal_is_seen_by_who_announced_before)
{
    uint32_t before = plait__eventcount_announce(&word);

    CHECK_INT(plait__eventcount_announce(&word), before);
    CHECK_INT(word, before);
    plait__eventcount_signal(&word, 1);
    CHECK(word != before);
    CHECK_INT(word & 1, 0); /* nobody has announced since: the next signal wakes nobody */
    plait__eventcount_signal(&word, 1);
    CHECK_INT(word & 1, 0);
}

enum {
    ROUNDS = 5000
};

static bool take(void)
{
    uint32_t n = __atomic_load_n(&items, __ATOMIC_SEQ_CST);

    while (n > 0)
        if (__atomic_compare_exchange_n(&items, &n, n - 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return true;
    return false;
}

static void consume(void *arg)
{
    (void)arg;
    while (__atomic_load_n(&n_taken, __ATOMIC_SEQ_CST) < ROUNDS) {
        uint32_t before;
        if (take()) {
            __atomic_fetch_add(&n_taken, 1, __ATOMIC_SEQ_CST);
            if (__atomic_load_n(&items, __ATOMIC_SEQ_CST) > 0)
                plait__eventcount_signal(&word, 1);
            continue;
        }
        before = plait__eventcount_announce(&word);
        if (__atomic_load_n(&items, __ATOMIC_SEQ_CST) == 0)
            plait__wait_word(&word, before, PLAIT_FOREVER);
        plait__eventcount_announce(&word);
    }
}

/* All sleep without a deadline: one that is forgotten stops it. */
TEST_LIMIT(no_signal_is_lost, 30)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(start_detached(consume, NULL, 0), 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        __atomic_fetch_add(&items, 1, __ATOMIC_SEQ_CST);
        plait__eventcount_signal(&word, 1);
        if (i % 3 == 0)
            while (__atomic_load_n(&n_taken, __ATOMIC_SEQ_CST) <= i)
                plait_sleep(plait_after_ns(1000));
    }
    while (__atomic_load_n(&n_taken, __ATOMIC_SEQ_CST) < ROUNDS)
        plait_sleep(plait_after_ms(1));
}
