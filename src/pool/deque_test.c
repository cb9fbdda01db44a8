/* Tests of the work-stealing deque.
 * SPDX-License-Identifier: MIT
 */
#include "os/cpu.h"
#include "os/thread.h"
#include "pool/deque.h"
#include "test.h"

#include <stdlib.h>

static void *item(size_t number)
{
    return (void *)(uintptr_t)number;
}

static size_t number(const void *from)
{
    return (size_t)(uintptr_t)from;
}

TEST(owner_takes_the_newest_first)
{
    struct plait__deque deque;

    CHECK_INT(plait__deque_init(&deque), 0);
    for (size_t i = 1; i <= 3; i++)
        CHECK_INT(plait__deque_push(&deque, item(i)), 0);
    for (size_t i = 3; i >= 1; i--)
        CHECK_INT(number(plait__deque_take(&deque)), i);
    CHECK(plait__deque_take(&deque) == NULL);
    plait__deque_fini(&deque);
}

TEST(owner_takes_a_certain_item_only_while_it_is_the_newest)
{
    struct plait__deque deque;

    CHECK_INT(plait__deque_init(&deque), 0);
    CHECK(!plait__deque_take_this(&deque, item(1)));
    CHECK_INT(plait__deque_push(&deque, item(1)), 0);
    CHECK_INT(plait__deque_push(&deque, item(2)), 0);
    CHECK(!plait__deque_take_this(&deque, item(1)));
    CHECK(plait__deque_take_this(&deque, item(2)));
    CHECK_INT(number(plait__deque_steal(&deque)), 1);
    CHECK(!plait__deque_take_this(&deque, item(1)));
    CHECK_INT(plait__deque_count(&deque), 0);
    plait__deque_fini(&deque);
}

TEST(thieves_steal_the_oldest_first)
{
    struct plait__deque deque;

    CHECK_INT(plait__deque_init(&deque), 0);
    for (size_t i = 1; i <= 3; i++)
        CHECK_INT(plait__deque_push(&deque, item(i)), 0);
    for (size_t i = 1; i <= 3; i++)
        CHECK_INT(number(plait__deque_steal(&deque)), i);
    CHECK(plait__deque_steal(&deque) == NULL);
    CHECK(plait__deque_take(&deque) == NULL);
    plait__deque_fini(&deque);
}

TEST(an_empty_deque_can_be_used_again)
{
    struct plait__deque deque;

    CHECK_INT(plait__deque_init(&deque), 0);
    for (size_t i = 1; i <= 1000; i++) {
        CHECK(plait__deque_take(&deque) == NULL);
        CHECK(plait__deque_steal(&deque) == NULL);
        CHECK_INT(plait__deque_push(&deque, item(i)), 0);
        CHECK_INT(plait__deque_count(&deque), 1);
        CHECK_INT(number(i % 2 ? plait__deque_take(&deque) : plait__deque_steal(&deque)), i);
        CHECK_INT(plait__deque_count(&deque), 0);
    }
    plait__deque_fini(&deque);
}

TEST(peek_tells_the_newest_and_leaves_it_in)
{
    struct plait__deque deque;

    CHECK_INT(plait__deque_init(&deque), 0);
    CHECK(plait__deque_peek(&deque) == NULL);
    CHECK_INT(plait__deque_push(&deque, item(1)), 0);
    CHECK_INT(plait__deque_push(&deque, item(2)), 0);
    CHECK_INT(number(plait__deque_peek(&deque)), 2);
    CHECK_INT(plait__deque_count(&deque), 2);
    CHECK_INT(number(plait__deque_take(&deque)), 2);
    CHECK_INT(number(plait__deque_steal(&deque)), 1);
    CHECK(plait__deque_peek(&deque) == NULL);
    plait__deque_fini(&deque);
}

/* Not from index 0, so that the items lie around the end of the buffer. */
TEST(it_grows_and_keeps_the_order)
{
    enum {
        AHEAD = 40,
        N = 10000
    };

    struct plait__deque deque;

    CHECK_INT(plait__deque_init(&deque), 0);
    for (size_t i = 0; i < AHEAD; i++) {
        CHECK_INT(plait__deque_push(&deque, item(1)), 0);
        CHECK(plait__deque_steal(&deque) != NULL);
    }
    for (size_t i = 1; i <= N; i++)
        CHECK_INT(plait__deque_push(&deque, item(i)), 0);
    CHECK_INT(plait__deque_count(&deque), N);
    for (size_t i = 1; i <= N / 2; i++) {
        CHECK_INT(number(plait__deque_steal(&deque)), i);
        CHECK_INT(number(plait__deque_take(&deque)), N + 1 - i);
    }
    CHECK_INT(plait__deque_count(&deque), 0);
    plait__deque_fini(&deque);
}

TEST(zero_bytes_can_be_finished)
{
    struct plait__deque deque = { 0 };

    plait__deque_fini(&deque);
}

/* ---- the owner against thieves ---- */

enum {
    N_ITEMS = 500 * 1000,
    N_THIEVES = 3
};

static struct {
    struct plait__deque deque;
    uint32_t begun;        /* atomic: thieves that are at work */
    uint32_t is_over;      /* atomic: the owner has pushed and taken all that it will */
    uint32_t had[N_ITEMS]; /* atomic: how often each item was had */
    /* what an item is made of: written before the push, plainly, so that the thread sanitizer sees
     * whether it is handed over */
    size_t made[N_ITEMS];
    size_t stolen[N_THIEVES]; /* each thief its own, read when it is joined */
} crowd;

static void have(const void *got)
{
    size_t i = number(got) - 1;

    CHECK(i < N_ITEMS);
    CHECK_INT(crowd.made[i], i + 7);
    __atomic_fetch_add(&crowd.had[i], 1, __ATOMIC_RELAXED);
}

static void rob(void *arg)
{
    size_t *stolen = arg;

    __atomic_fetch_add(&crowd.begun, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        bool is_over = __atomic_load_n(&crowd.is_over, __ATOMIC_SEQ_CST) != 0;
        void *got = plait__deque_steal(&crowd.deque);
        if (got != NULL) {
            have(got);
            ++*stolen;
        } else if (is_over) {
            return;
        } else {
            plait__os_cpu_relax();
        }
    }
}

static void no_exit(void *arg)
{
    (void)arg;
}

/* Pushes all items in runs of `run` at most, and takes some between. */
static size_t own(size_t run)
{
    size_t taken = 0;

    for (size_t i = 0; i < N_ITEMS;) {
        for (size_t end = i + 1 + (i * 7) % run; i < end && i < N_ITEMS; i++) {
            crowd.made[i] = i + 7;
            CHECK_INT(plait__deque_push(&crowd.deque, item(i + 1)), 0);
        }
        for (size_t n = (i * 5) % run + 1; n > 0; n--) {
            void *got = plait__deque_take(&crowd.deque);
            if (got == NULL)
                break;
            have(got);
            taken++;
        }
    }
    return taken;
}

static void own_against_thieves(size_t run)
{
    uintptr_t thieves[N_THIEVES];
    size_t sum;

    CHECK_INT(plait__deque_init(&crowd.deque), 0);
    for (size_t i = 0; i < N_THIEVES; i++) {
        struct plait__thread_entry entry = { .fn = rob, .on_exit = no_exit };
        entry.arg = &crowd.stolen[i];
        CHECK_INT(plait__os_thread_start(&thieves[i], &entry, 0), 0);
    }
    while (__atomic_load_n(&crowd.begun, __ATOMIC_SEQ_CST) < N_THIEVES)
        plait__os_cpu_relax();
    sum = own(run);
    __atomic_store_n(&crowd.is_over, 1, __ATOMIC_SEQ_CST);
    for (size_t i = 0; i < N_THIEVES; i++) {
        plait__os_thread_join(thieves[i]);
        sum += crowd.stolen[i];
    }
    CHECK_INT(sum, N_ITEMS);
    for (size_t i = 0; i < N_ITEMS; i++)
        CHECK_INT(crowd.had[i], 1);
    plait__deque_fini(&crowd.deque);
}

/* One or two at a time: owner and thieves meet at the last item. */
TEST_LIMIT(each_item_is_had_once_when_the_deque_is_nearly_empty, 60)
{
    own_against_thieves(2);
}

TEST_LIMIT(each_item_is_had_once_while_the_deque_grows, 60)
{
    own_against_thieves(5000);
}
