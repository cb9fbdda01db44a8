/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"
#include "loop/outside.h"

#include "test.h"

enum {
    WAITS = 6
};

static struct plait__outside_table table;
static struct plait__outside waits[WAITS];
static struct plait__strand strands[WAITS];
static uint32_t words[WAITS];
static unsigned n_woken[WAITS];

static void count_wake(struct plait__strand *strand)
{
    n_woken[strand - strands]++;
}

/* Wait `at` is for word `which` while it is `expected`. */
static void add(int at, int which, uint32_t expected)
{
    waits[at] =
        (struct plait__outside){ .on = { &words[which], expected }, .strand = &strands[at] };
    plait__outside_add(&table, &waits[at]);
}

static void look_and_check(const char *woken)
{
    for (int i = 0; i < WAITS; i++)
        n_woken[i] = 0;
    plait__outside_look(&table, count_wake);
    for (int i = 0; i < WAITS && woken[i] != '\0'; i++)
        CHECK_INT(n_woken[i], woken[i] - '0');
}

TEST(those_whose_word_has_changed_are_woken_and_no_others)
{
    look_and_check("000000");
    for (int i = 0; i < WAITS; i++)
        add(i, i, 0);
    CHECK_INT(table.n, WAITS);
    look_and_check("000000");
    words[2] = words[4] = 7;
    look_and_check("001010");
    plait__outside_remove(&table, &waits[2]);
    look_and_check("000010");
}

TEST(many_at_one_word_are_one_look_and_all_are_woken)
{
    struct plait__futex list[WAITS];

    for (int i = 0; i < 4; i++)
        add(i, 0, 0);
    add(4, 0, 1); /* another value of the same word */
    CHECK_INT(table.n, 2);
    CHECK_INT(plait__outside_list(&table, list, WAITS), 2);
    CHECK_INT(plait__outside_list(&table, list, 1), 1);
    look_and_check("000010");
    words[0] = 1;
    look_and_check("111100");
}

/* Whoever goes, those who stay are found. */
TEST(the_others_stay_when_the_first_goes)
{
    static const int orders[][4] = {
        { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 0, 3, 2 }, { 2, 3, 0, 1 }
    };

    for (int order = 0; order < 4; order++) {
        char woken[] = "1111";
        words[0] = 0;
        for (int i = 0; i < 4; i++)
            add(i, 0, 0);
        words[0] = 1;
        for (int i = 0; i < 4; i++) {
            look_and_check(woken);
            CHECK_INT(table.n, 1);
            plait__outside_remove(&table, &waits[orders[order][i]]);
            woken[orders[order][i]] = '0';
        }
        look_and_check("0000");
        CHECK_INT(table.n, 0);
    }
}

TEST(the_list_has_each_word_once_with_its_value)
{
    struct plait__futex list[WAITS];
    unsigned seen = 0;

    for (int i = 0; i < WAITS; i++) {
        words[i] = (uint32_t)i;
        add(i, i, (uint32_t)i);
    }
    CHECK_INT(plait__outside_list(&table, list, WAITS), WAITS);
    for (int i = 0; i < WAITS; i++) {
        CHECK_INT(list[i].expected, *list[i].word);
        seen |= 1U << (list[i].word - words);
    }
    CHECK_INT(seen, (1 << WAITS) - 1);
}
