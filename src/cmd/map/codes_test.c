/* SPDX-License-Identifier: MIT */
#include "cmd/map/codes.h"

#include "test.h"

TEST(numbers_and_ranges_are_a_list)
{
    CHECK(map_codes_is_list("1"));
    CHECK(map_codes_is_list("255"));
    CHECK(map_codes_is_list("75,100-110,7"));
    CHECK(map_codes_is_list("5-5"));
}

TEST(anything_else_is_none)
{
    static const char *const wrong[] = { "",    ",",  "1,", ",1",   "0",
                                         "256", "1-", "-1", "9-5",  "1-2-3",
                                         "x",   "1 ", " 1", "1,,2", "99999999999999999999",
                                         "0-5" };

    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!map_codes_is_list(wrong[i]));
}

TEST(a_list_has_its_codes_and_no_others)
{
    CHECK(map_codes_has("75,100-110", 75));
    CHECK(map_codes_has("75,100-110", 100));
    CHECK(map_codes_has("75,100-110", 110));
    CHECK(!map_codes_has("75,100-110", 111));
    CHECK(!map_codes_has("75,100-110", 99));
    CHECK(!map_codes_has("75,100-110", 0));
}
