/* --colsep.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/input_columns.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The columns of a record, joined by bars; the result lives until the next call. */
static const char *split(const char *colsep, const char *record)
{
    static struct plait__buf joined;
    struct map_columns *columns = NULL;
    struct map_values values = { 0 };
    struct plait__buf error = { 0 };

    plait__buf_fini(&joined);
    CHECK_INT(map_columns_create(&columns, colsep, &error), 0);
    CHECK_INT(map_columns_split(columns, record, strlen(record), true, &values), 0);
    for (size_t i = 0; i < values.n; i++) {
        if (i > 0)
            plait__buf_add_char(&joined, '|');
        plait__buf_add_str(&joined, values.v[i]);
    }
    map_values_fini(&values);
    map_columns_destroy(columns);
    return joined.data == NULL ? "" : joined.data;
}

TEST(a_plain_separator_cuts)
{
    CHECK_STR(split(",", "a,b,c"), "a|b|c");
    CHECK_STR(split("::", "a::b:c"), "a|b:c");
}

TEST(empty_columns_count_everywhere)
{
    CHECK_STR(split("-", "-a--b--"), "|a||b||");
    CHECK_STR(split("[-]", "-a--b--"), "|a||b||");
    CHECK_STR(split("-", "-"), "|");
    CHECK_STR(split("-", ""), "");
}

TEST(blanks_around_a_column_are_taken_off)
{
    CHECK_STR(split(",", " a , b c ,\td\r"), "a|b c|d");
}

TEST(perls_escapes_are_understood)
{
    CHECK_STR(split("\\t", "a\tb"), "a|b");
    CHECK_STR(split("[\\t;]", "a\tb;c\\d"), "a|b|c\\d");
    CHECK_STR(split("\\|", "a|b"), "a|b");
    CHECK_STR(split("[\\|,]", "a|b,c\\d"), "a|b|c\\d");
    CHECK_STR(split("\\x2c", "a,b"), "a|b");
    CHECK_STR(split("\\x2e", "a.b,c"), "a|b,c");
    CHECK_STR(split("\\d+", "a12b3c"), "a|b|c");
    CHECK_STR(split("[\\d_]", "a1b_c"), "a|b|c");
    CHECK_STR(split("\\s+", "a \t b"), "a|b");
}

TEST(an_expression_takes_the_longest_match)
{
    CHECK_STR(split(", *|;", "a,   b;c"), "a|b|c");
    CHECK_STR(split("x+", "axxbxc"), "a|b|c");
    CHECK_STR(split("[[:space:],]+", "a, b"), "a|b");
    CHECK_STR(split("[],]", "a]b,c"), "a|b|c");
}

TEST(a_group_is_no_column)
{
    CHECK_STR(split("(-|,)", "a-b,c"), "a|b|c");
}

TEST(an_empty_match_cuts_between_characters)
{
    CHECK_STR(split("x*", "axxbc"), "a|b|c|");
    CHECK_STR(split("", "ab"), "a|b|");
}

TEST(the_start_anchor_holds_at_the_start_only)
{
    CHECK_STR(split("^a", "aab"), "|ab");
}

TEST(a_bad_expression_is_a_sentence)
{
    struct map_columns *columns = NULL;
    struct plait__buf error = { 0 };

    CHECK_INT(map_columns_create(&columns, "(", &error), -EINVAL);
    CHECK(strncmp(error.data, "--colsep '(' is no regular expression: ", 39) == 0);
    CHECK_INT(map_columns_create(&columns, "a\\", &error), -EINVAL);
    CHECK_INT(map_columns_create(&columns, "[a\\", &error), -EINVAL);
    CHECK(columns == NULL);
    plait__buf_fini(&error);
}

TEST(an_expression_refuses_what_would_take_for_ever)
{
    struct map_columns *columns = NULL;
    struct map_values values = { 0 };
    struct plait__buf error = { 0 };
    char *record = malloc(MAP_COLUMNS_REGEX_BYTES + 1);

    CHECK(record != NULL);
    memset(record, 'x', MAP_COLUMNS_REGEX_BYTES + 1);
    CHECK_INT(map_columns_create(&columns, "[,]", &error), 0);
    CHECK_INT(map_columns_split(columns, record, MAP_COLUMNS_REGEX_BYTES + 1, true, &values),
              -EMSGSIZE);
    map_columns_destroy(columns);
    map_values_fini(&values);
    free(record);
}
