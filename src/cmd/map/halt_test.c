/* Tests of --halt.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/halt.h"

#include "test.h"

static bool is_reached(enum map_halt_what what, uint64_t number, bool is_percent,
                       struct map_counts counts)
{
    struct map_options options = { .halt_when = MAP_HALT_SOON,
                                   .halt_what = what,
                                   .halt_number = number,
                                   .halt_is_percent = is_percent };

    return map_halt_is_reached(&options, &counts);
}

TEST(without_halt_nothing_is_reached)
{
    struct map_options options = { 0 };

    CHECK(!map_halt_is_reached(&options, &(struct map_counts){ .failed = 1000, .total = 1000 }));
}

TEST(a_number_of_failures_is_reached_exactly)
{
    CHECK(!is_reached(MAP_HALT_FAIL, 2, false,
                      (struct map_counts){ .failed = 1, .succeeded = 9, .total = -1 }));
    CHECK(is_reached(MAP_HALT_FAIL, 2, false, (struct map_counts){ .failed = 2, .total = -1 }));
}

TEST(success_does_not_count_failures_and_done_counts_both)
{
    CHECK(!is_reached(MAP_HALT_SUCCESS, 1, false, (struct map_counts){ .failed = 5, .total = -1 }));
    CHECK(
        is_reached(MAP_HALT_SUCCESS, 1, false, (struct map_counts){ .succeeded = 1, .total = -1 }));
    CHECK(is_reached(MAP_HALT_DONE, 3, false,
                     (struct map_counts){ .succeeded = 1, .failed = 2, .total = -1 }));
}

TEST(a_percentage_waits_for_the_total)
{
    CHECK(!is_reached(MAP_HALT_FAIL, 10, true, (struct map_counts){ .failed = 50, .total = -1 }));
    CHECK(is_reached(MAP_HALT_FAIL, 10, true, (struct map_counts){ .failed = 50, .total = 100 }));
}

TEST(a_percentage_of_failures_needs_three_of_them)
{
    CHECK(!is_reached(MAP_HALT_FAIL, 10, true, (struct map_counts){ .failed = 2, .total = 4 }));
    CHECK(is_reached(MAP_HALT_FAIL, 10, true, (struct map_counts){ .failed = 3, .total = 4 }));
    CHECK(
        is_reached(MAP_HALT_SUCCESS, 50, true, (struct map_counts){ .succeeded = 1, .total = 2 }));
}
