/* Tests of values.c.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/values.h"

#include "test.h"

TEST(values_are_copied_with_their_length)
{
    struct map_values values = { 0 };
    char text[] = "onetwo";

    CHECK_INT(map_values_add(&values, text, 3), 0);
    CHECK_INT(map_values_add(&values, text + 3, 3), 0);
    CHECK_INT(map_values_add(&values, NULL, 0), 0);
    text[0] = 'X';
    CHECK_INT(values.n, 3);
    CHECK_STR(values.v[0], "one");
    CHECK_STR(values.v[1], "two");
    CHECK_STR(values.v[2], "");
    map_values_fini(&values);
    CHECK_INT(values.n, 0);
}

TEST(many_values_grow_the_array)
{
    struct map_values values = { 0 };

    for (int i = 0; i < 1000; i++)
        CHECK_INT(map_values_add(&values, "x", 1), 0);
    CHECK_INT(values.n, 1000);
    CHECK_STR(values.v[999], "x");
    map_values_fini(&values);
    map_values_fini(&values);
}
