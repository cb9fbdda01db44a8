/* SPDX-License-Identifier: MIT */
#include "cmd/suggest.h"

#include "test.h"

#include <limits.h>
#include <stddef.h>

static const char *nearest(const char *word)
{
    static const char *const names[] = { "jobs",       "joblog",      "tag",     "tagstring",
                                         "keep-order", "line-buffer", "retries", "retry-on" };
    struct cmd_suggestion guess = { .word = word };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cmd_suggest_offer(&guess, names[i]);
    return guess.best;
}

TEST(equal_words_have_no_distance)
{
    CHECK_INT(cmd_distance("jobs", "jobs"), 0);
    CHECK_INT(cmd_distance("", ""), 0);
}

TEST(insertion_deletion_and_replacement_count_one_each)
{
    CHECK_INT(cmd_distance("", "abc"), 3);
    CHECK_INT(cmd_distance("abc", ""), 3);
    CHECK_INT(cmd_distance("jobs", "job"), 1);
    CHECK_INT(cmd_distance("jobs", "jxbs"), 1);
    CHECK_INT(cmd_distance("kitten", "sitting"), 3);
}

TEST(a_swap_of_neighbours_counts_one)
{
    CHECK_INT(cmd_distance("jbos", "jobs"), 1);
    CHECK_INT(cmd_distance("ca", "abc"), 3);
}

TEST(distance_is_symmetric)
{
    CHECK_INT(cmd_distance("line-bufer", "lien-buffer"), cmd_distance("lien-buffer", "line-bufer"));
}

TEST(words_too_long_to_be_names_are_far_from_everything)
{
    CHECK_INT(cmd_distance("0123456789012345678901234567890123456789012345678901234567890123", "a"),
              UINT_MAX);
    CHECK_INT(cmd_distance("012345678901234567890123456789012345678901234567890123456789012", "a"),
              63);
}

TEST(a_slip_finds_the_name)
{
    CHECK_STR(nearest("retires"), "retries");
    CHECK_STR(nearest("keep-oder"), "keep-order");
    CHECK_STR(nearest("jobz"), "jobs");
    CHECK_STR(nearest("taq"), "tag");
}

TEST(a_beginning_finds_the_name)
{
    CHECK_STR(nearest("keep"), "keep-order");
    CHECK_STR(nearest("line"), "line-buffer");
}

TEST(the_nearest_of_several_wins)
{
    CHECK_STR(nearest("job"), "jobs");
    CHECK_STR(nearest("retry-o"), "retry-on");
}

TEST(what_is_like_nothing_finds_nothing)
{
    CHECK(nearest("frobnicate") == NULL);
    CHECK(nearest("") == NULL);
    CHECK(nearest("x") == NULL);
    CHECK(nearest("ke") == NULL);
}
