/* Tests of the pool of stacks.
 * SPDX-License-Identifier: MIT
 */
#include "loop/stacks.h"
#include "os/memory.h"
#include "os/stack.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MANY = 1000
};

static struct plait__stacks own, other;
static struct plait__stack stacks[MANY];
static struct plait__stacks_stats stats;

static void get(size_t bytes, struct plait__stack *ret)
{
    CHECK_INT(plait__stack_get(&own, bytes, ret), 0);
    memset((char *)ret->low + ret->bytes - 512, 'x', 512);
}

static void look(void)
{
    plait__stacks_stats(&stats);
}

TEST(each_size_has_its_class)
{
    static const struct {
        size_t asked, stride;
        unsigned size_class;
    } rows[] = { { 1, 64 << 10, PLAIT__STACK_SMALL },
                 { 64 << 10, 64 << 10, PLAIT__STACK_SMALL },
                 { (64 << 10) + 1, 192 << 10, PLAIT__STACK_DEFAULT },
                 { 0, 192 << 10, PLAIT__STACK_DEFAULT },
                 { 1 << 20, 1 << 20, PLAIT__STACK_LARGE },
                 { (1 << 20) + 1, (1 << 20) + 4096, PLAIT__STACK_ALONE },
                 { 8 << 20, 8 << 20, PLAIT__STACK_ALONE } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        get(rows[i].asked, &stacks[i]);
        CHECK_INT(stacks[i].size_class, rows[i].size_class);
        CHECK(stacks[i].bytes < rows[i].stride);
        CHECK(stacks[i].bytes + plait__os_page_bytes() + 4096 >= rows[i].stride);
        CHECK_INT(((size_t)stacks[i].low + stacks[i].bytes) % 64, 0);
        memset(stacks[i].low, 'y', stacks[i].bytes);
    }
    look();
    CHECK_INT(stats.in_use, 5);
    CHECK_INT(stats.alone, 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        plait__stack_put(&own, &stacks[i]);
    look();
    CHECK_INT(stats.in_use, 0);
    CHECK_INT(stats.alone, 0);
    CHECK(stats.mapped >= 5);
    CHECK_INT(stats.by_guard[0] + stats.by_guard[1] + stats.by_guard[2], stats.mapped);
    plait__stacks_fini(&own);
}

static int by_low(const void *a, const void *b)
{
    const struct plait__stack *one = a, *two = b;

    return one->low < two->low ? -1 : one->low > two->low;
}

TEST(no_two_are_in_each_others_way)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            get(i % 3 == 0 ? 0 : 1, &stacks[i]);
        look();
        CHECK_INT(stats.in_use, MANY);
        qsort(stacks, MANY, sizeof stacks[0], by_low);
        for (int i = 1; i < MANY; i++)
            CHECK((char *)stacks[i - 1].low + stacks[i - 1].bytes <= (char *)stacks[i].low);
        for (int i = 0; i < MANY; i++)
            plait__stack_put(&own, &stacks[i]);
    }
    look();
    CHECK_INT(stats.in_use, 0);
    CHECK(stats.mapped < 2 * MANY + 1024); /* the rounds used the same ones */
    plait__stacks_fini(&own);
}

TEST(the_last_one_put_is_the_next_one_got)
{
    struct plait__stack again;

    get(0, &stacks[0]);
    get(0, &stacks[1]);
    plait__stack_put(&own, &stacks[1]);
    plait__stack_put(&own, &stacks[0]);
    get(0, &again);
    CHECK(again.low == stacks[0].low);
    plait__stacks_fini(&own);
}

TEST(tops_are_at_different_lines_of_the_cache)
{
    size_t seen[64] = { 0 };

    for (int i = 0; i < 64; i++) {
        get(0, &stacks[i]);
        seen[((size_t)stacks[i].low + stacks[i].bytes) % 4096 / 64]++;
    }
    for (int i = 0; i < 64; i++)
        CHECK(seen[i] <= 8);
}

TEST(one_that_was_deep_is_trimmed)
{
    get(0, &stacks[0]);
    memset(stacks[0].low, 'x', stacks[0].bytes);
    CHECK_INT(plait__os_stack_used(stacks[0].low, stacks[0].bytes), stacks[0].bytes);
    plait__stack_put(&own, &stacks[0]);
    CHECK(plait__os_stack_used(stacks[0].low, stacks[0].bytes) <= 20 << 10);
    CHECK(plait__os_stack_used(stacks[0].low, stacks[0].bytes) > 8 << 10);
}

TEST(trimming_gives_back_what_is_free)
{
    for (int i = 0; i < MANY; i++)
        get(0, &stacks[i]);
    look();
    size_t mapped = stats.mapped;
    for (int i = 0; i < MANY; i++)
        if (i != 500)
            plait__stack_put(&own, &stacks[i]);
    plait__stacks_trim(&own);
    look();
    CHECK_INT(stats.in_use, 1);
    CHECK(stats.mapped < mapped && stats.mapped > 0); /* the slab of the 500th is left */
    CHECK(((char *)stacks[500].low)[stacks[500].bytes - 1] == 'x');
    get(0, &stacks[0]);
    plait__stack_put(&own, &stacks[0]);
    plait__stack_put(&own, &stacks[500]);
    plait__stacks_trim(&own);
    look();
    CHECK_INT(stats.mapped, 0);
    CHECK_INT(stats.mapped_bytes, 0);
    plait__stacks_fini(&own);
}

TEST(a_loop_uses_what_another_one_has_put)
{
    for (int i = 0; i < MANY; i++)
        get(0, &stacks[i]);
    look();
    size_t mapped = stats.mapped;
    for (int i = 0; i < MANY; i++)
        plait__stack_put(&other, &stacks[i]);
    look();
    CHECK_INT(stats.in_use, 0);
    plait__stacks_fini(&other);
    for (int i = 0; i < MANY; i++)
        get(0, &stacks[i]);
    look();
    CHECK_INT(stats.mapped, mapped);
    CHECK_INT(stats.in_use, MANY);
}

TEST(a_thread_without_a_loop_can_put)
{
    bool is_there = false;

    get(0, &stacks[0]);
    get(8 << 20, &stacks[1]);
    for (int i = 0; i < 2; i++)
        plait__stack_put(NULL, &stacks[i]);
    look();
    CHECK_INT(stats.in_use, 0);
    CHECK_INT(stats.alone, 0);
    for (int i = 2; i < 100; i++) {
        get(0, &stacks[i]);
        is_there = is_there || stacks[i].low == stacks[0].low;
    }
    CHECK(is_there);
    plait__stacks_fini(&own);
}

TEST(a_child_goes_on_with_its_own)
{
    pid_t pid;
    int status;

    for (int i = 0; i < MANY; i++)
        get(0, &stacks[i]);
    for (int i = 0; i < MANY / 2; i++)
        plait__stack_put(&own, &stacks[i]);
    pid = fork();
    if (pid == 0) {
        plait__stacks_reset();
        for (int i = 0; i < MANY / 2; i++)
            get(0, &stacks[i]);
        for (int i = 0; i < MANY; i++)
            plait__stack_put(&own, &stacks[i]);
        plait__stacks_trim(&own);
        look();
        CHECK_INT(stats.in_use, 0);
        for (int i = 0; i < MANY; i++)
            get(0, &stacks[i]);
        look();
        CHECK_INT(stats.in_use, MANY);
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    look();
    CHECK_INT(stats.in_use, MANY / 2);
}
