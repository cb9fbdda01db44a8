/* A queue of hints.
 * SPDX-License-Identifier: MIT
 */
#include "pool/hints.h"
#include "test.h"

#include <plait/task.h>

#include <string.h>

enum {
    PLACES = 4,
    PLACES_LOG2 = 2,
};

static uint64_t places[PLACES];

static struct plait__hints make(void)
{
    memset(places, 0, sizeof places);
    return (struct plait__hints){ .mask = PLACES - 1, .shift = PLACES_LOG2, .places = places };
}

TEST(hints_come_out_in_the_order_in_which_they_went_in_round_after_round)
{
    struct plait__hints hints = make();
    uint64_t current = 0;

    for (uint32_t i = 1; i < 100; i += 3) {
        for (uint32_t k = 0; k < 3; k++)
            CHECK(plait__hints_put(&hints, i + k));
        for (uint32_t k = 0; k < 3; k++)
            CHECK_INT(plait__hints_take(&hints, &current), i + k);
        CHECK_INT(plait__hints_take(&hints, &current), 0);
        CHECK(plait__hints_is_empty(&hints));
    }
}

TEST(a_full_queue_takes_no_more)
{
    struct plait__hints hints = make();
    uint64_t current;

    for (uint32_t i = 1; i <= PLACES; i++)
        CHECK(plait__hints_put(&hints, i));
    CHECK(!plait__hints_put(&hints, 9));
    CHECK_INT(plait__hints_take(&hints, &current), 1);
    CHECK(plait__hints_put(&hints, 9));
    CHECK(!plait__hints_put(&hints, 10));
}

TEST(the_current_hint_is_named_when_it_is_taken)
{
    struct plait__hints hints = make();
    uint64_t current = 0;

    CHECK(plait__hints_put(&hints, 7));
    CHECK_INT(plait__hints_take(&hints, &current), 7);
    CHECK_INT(current, 7);
}

TEST(who_finds_nothing_is_left_with_no_current_hint)
{
    struct plait__hints hints = make();
    uint64_t current = 7; /* of a race that it has lost */

    CHECK_INT(plait__hints_take(&hints, &current), 0);
    CHECK_INT(current, 0);
}

TEST(who_was_killed_before_it_moved_the_tail_is_in_nobodys_way)
{
    struct plait__hints hints = make();
    uint64_t current;

    CHECK(plait__hints_put(&hints, 1));
    hints.tail = 0; /* as if it had been killed behind its first step */
    CHECK_INT(plait__hints_take(&hints, &current), 1);
    CHECK(plait__hints_put(&hints, 2));
    CHECK_INT(plait__hints_take(&hints, &current), 2);
    CHECK_INT(plait__hints_take(&hints, &current), 0);
}

TEST(who_was_killed_before_it_moved_the_head_is_in_nobodys_way)
{
    struct plait__hints hints = make();
    uint64_t current;

    CHECK(plait__hints_put(&hints, 1));
    CHECK(plait__hints_put(&hints, 2));
    CHECK_INT(plait__hints_take(&hints, &current), 1);
    hints.head = 0;
    CHECK_INT(plait__hints_take(&hints, &current), 2);
    for (uint32_t i = 3; i < 3 + PLACES; i++)
        CHECK(plait__hints_put(&hints, i));
    CHECK(!plait__hints_put(&hints, 99));
    for (uint32_t i = 3; i < 3 + PLACES; i++)
        CHECK_INT(plait__hints_take(&hints, &current), i);
}

/* ---- several at once ---- */

enum {
    THREADS = 4,
    EACH = 20000
};

static struct plait__hints shared;
static uint64_t sum_in, sum_out, n_out, n_wrong;

static int move(void *arg)
{
    uint32_t first = (uint32_t)(uintptr_t)arg * EACH + 1;
    uint64_t current = 0;

    for (uint32_t i = 0; i < EACH;) {
        uint32_t taken;
        if (plait__hints_put(&shared, first + i)) {
            __atomic_fetch_add(&sum_in, first + i, __ATOMIC_RELAXED);
            i++;
        }
        taken = plait__hints_take(&shared, &current);
        if (current != taken)
            __atomic_fetch_add(&n_wrong, 1, __ATOMIC_RELAXED);
        if (taken != 0) {
            __atomic_fetch_add(&sum_out, taken, __ATOMIC_RELAXED);
            __atomic_fetch_add(&n_out, 1, __ATOMIC_RELAXED);
        }
    }
    return 0;
}

TEST_LIMIT(each_hint_comes_out_once_whoever_puts_and_takes, 60)
{
    plait_task *tasks[THREADS] = { NULL };
    uint64_t current;
    uint32_t taken;

    shared = make();
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_THREAD, move, (void *)i, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        plait_task_destroy(tasks[i]);
    }
    while ((taken = plait__hints_take(&shared, &current)) != 0) {
        sum_out += taken;
        n_out++;
    }
    CHECK_INT(n_out, THREADS * EACH);
    CHECK_INT(sum_out, sum_in);
    CHECK_INT(n_wrong, 0);
}
