/* The contract of shared numbers.
 * SPDX-License-Identifier: MIT
 */
#define WITH_METHODS
#include "sync.h"

#include <plait/shared_number.h>

#include <math.h>

enum {
    ADDS = 100000
};

struct numbers {
    plait_shared_int64 count, exchanged;
    plait_shared_double sum;
};

static int add_all(void *arg)
{
    struct numbers *numbers = arg;

    add_number(0);
    UNTIL(number(0) == 4); /* all at once, or it proves nothing */
    for (int i = 0; i < ADDS; i++) {
        int64_t seen = 0;
        plait_shared_int64_add(&numbers->count, i % 2 == 0 ? 3 : -1);
        plait_shared_double_add(&numbers->sum, i % 2 == 0 ? 0.75 : -0.25);
        while (!plait_shared_int64_compare_exchange(&numbers->exchanged, &seen, seen + 1))
            continue;
    }
    return 0;
}

CLAIM(no_add_of_many_tasks_is_lost)
{
    struct numbers *numbers = make(sizeof *numbers);
    plait_task *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = start(add_all, numbers);
    for (int i = 0; i < 4; i++)
        CHECK_INT(join(tasks[i]), 0);
    CHECK_INT(plait_shared_int64_get(&numbers->count), 4 * ADDS);
    CHECK_INT(plait_shared_int64_get(&numbers->exchanged), 4 * ADDS);
    CHECK(plait_shared_double_get(&numbers->sum) == 4 * ADDS / 4.0);
}

static int set_both(void *arg)
{
    struct numbers *numbers = arg;

    CHECK_INT(plait_shared_double_set(&numbers->sum, 2.5), 0);
    return plait_shared_int64_set(&numbers->count, INT64_MIN);
}

CLAIM(what_one_sets_the_others_get)
{
    struct numbers *numbers = make(sizeof *numbers);

    CHECK_INT(plait_shared_int64_get(&numbers->count), 0);
    CHECK(plait_shared_double_get(&numbers->sum) == 0);
    CHECK_INT(join(start(set_both, numbers)), 0);
    CHECK_INT(plait_shared_int64_get(&numbers->count), INT64_MIN);
    CHECK(plait_shared_double_get(&numbers->sum) == 2.5);
}

TEST(add_tells_the_new_value_and_goes_round)
{
    plait_shared_int64 number = { 5 };
    plait_shared_double real = { 0 };

    CHECK_INT(plait_shared_int64_add(&number, -7), -2);
    CHECK_INT(plait_shared_int64_set(&number, INT64_MAX), 0);
    CHECK_INT(plait_shared_int64_add(&number, 1), INT64_MIN);
    CHECK(plait_shared_double_add(&real, -0.5) == -0.5);
    CHECK(plait_shared_double_add(&real, INFINITY) == INFINITY);
}

TEST(compare_exchange_sets_or_tells)
{
    plait_shared_int64 number = { 5 };
    plait_shared_double real = { 0 };
    int64_t expected = 4;
    double expected_real = -0.0;

    CHECK(!plait_shared_int64_compare_exchange(&number, &expected, 9));
    CHECK_INT(expected, 5);
    CHECK(plait_shared_int64_compare_exchange(&number, &expected, 9));
    CHECK_INT(plait_shared_int64_get(&number), 9);
    CHECK(!plait_shared_double_compare_exchange(&real, &expected_real, 1)); /* other bits */
    CHECK(plait_shared_double_compare_exchange(&real, &expected_real, NAN));
    expected_real = NAN;
    CHECK(plait_shared_double_compare_exchange(&real, &expected_real, 1.5));
    CHECK(plait_shared_double_get(&real) == 1.5);
}

static int add_for_ever(void *arg)
{
    struct numbers *numbers = arg;

    for (;;) {
        add_number(0);
        plait_shared_int64_add(&numbers->count, 1);
    }
    return 0;
}

CLAIM_OF_PROCESSES(who_is_killed_in_an_add_has_added_or_not)
{
    struct numbers *numbers = make(sizeof *numbers);

    for (uint32_t i = 1; i <= 30; i++) {
        uint32_t before = number(0);
        plait_task *task = start(add_for_ever, numbers);
        UNTIL(number(0) > before + 100);
        kill_it(task);
        CHECK(plait_shared_int64_get(&numbers->count) <= number(0));
        CHECK(plait_shared_int64_get(&numbers->count) + i >= number(0));
    }
}

TEST(mistakes_of_numbers_are_told)
{
    plait_shared_int64 number = { 5 };
    int64_t expected = 5;

    CHECK_INT(plait_shared_int64_get(NULL), 0);
    CHECK_INT(plait_shared_int64_set(NULL, 1), -EINVAL);
    CHECK_INT(plait_shared_int64_add(NULL, 1), 0);
    CHECK(!plait_shared_int64_compare_exchange(NULL, &expected, 1));
    CHECK(!plait_shared_int64_compare_exchange(&number, NULL, 1));
    CHECK(plait_shared_double_get(NULL) == 0);
    CHECK_INT(plait_shared_double_set(NULL, 1), -EINVAL);
    CHECK(plait_shared_double_add(NULL, 1) == 0);
    CHECK(!plait_shared_double_compare_exchange(NULL, NULL, 1));
    CHECK_INT(plait_shared_int64_get(&number), 5);
}
