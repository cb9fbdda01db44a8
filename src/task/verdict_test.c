/* What a process task leaves to its parent.
 * SPDX-License-Identifier: MIT
 */
#include "child.h"
#include "task/verdict.h"
#include "test.h"

#include <sys/wait.h>
#include <unistd.h>

enum {
    MANY = 1000
};

static struct plait__verdict *taken[MANY];

static void take_all(void)
{
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(plait__verdict_take(&taken[i]), 0);
        CHECK_INT(taken[i]->has_returned, 0);
        CHECK_INT(taken[i]->code, 0);
        *taken[i] = (struct plait__verdict){ .has_returned = 1, .code = i };
    }
}

TEST(nobody_else_has_it)
{
    take_all();
    for (int i = 0; i < MANY; i++)
        CHECK_INT(taken[i]->code, i);
}

TEST(one_that_was_given_back_is_blank_again)
{
    take_all();
    for (int i = 0; i < MANY; i++)
        plait__verdict_give(taken[i]);
    take_all();
    for (int i = 0; i < MANY; i++)
        CHECK_INT(taken[i]->code, i);
}

/* Runs fn in a forked child and waits for it. */
static void write_to_the_first(void)
{
    taken[0]->code = 77;
}

TEST(a_child_writes_to_its_parents)
{
    CHECK_INT(plait__verdict_take(&taken[0]), 0);
    in_forked_child(write_to_the_first);
    CHECK_INT(taken[0]->code, 77);
}

static void take_and_write(void)
{
    struct plait__verdict *own;

    plait__verdicts_reset();
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(plait__verdict_take(&own), 0);
        own->code = -1;
    }
}

TEST(what_a_child_takes_is_not_its_parents)
{
    take_all();
    for (int i = 0; i < MANY; i += 2) /* also not what is free there */
        plait__verdict_give(taken[i]);
    in_forked_child(take_and_write);
    for (int i = 0; i < MANY; i++)
        CHECK_INT(taken[i]->code, i);
}
