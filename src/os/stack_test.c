/* Tests of the memory for stacks.
 * SPDX-License-Identifier: MIT
 */
#include "os/memory.h"
#include "os/probe.h"
#include "os/readfile.h"
#include "os/stack.h"

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    COUNT = 8,
    BYTES = 64 << 10
};

static char *base;
static unsigned guards;
static size_t page;

static void map(void)
{
    void *mapped;

    page = plait__os_page_bytes();
    CHECK_INT(plait__os_stacks_map(&mapped, COUNT, BYTES, &guards), 0);
    base = mapped;
}

static bool dies_at(char *at)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would explain it */
        *(volatile char *)at = 1;
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void check_guards(unsigned want)
{
    map();
    CHECK_INT(guards, want);
    for (int i = 0; i < COUNT; i++) {
        memset(base + i * BYTES + page, 'x', BYTES - page);
        CHECK_INT(dies_at(base + i * BYTES + page - 1), want != PLAIT__GUARD_NONE);
        CHECK_INT(dies_at(base + i * BYTES), want != PLAIT__GUARD_NONE);
    }
    CHECK_INT(plait__os_stack_trim(base + page, BYTES - page, 0), 0);
    CHECK_INT(dies_at(base), want != PLAIT__GUARD_NONE);
    plait__os_stacks_unmap(base, COUNT, BYTES, guards);
}

TEST(the_lowest_page_is_a_guard)
{
    check_guards(plait__probe_has(PLAIT__PROBE_GUARD_MARKS) ? PLAIT__GUARD_MARKED
                                                            : PLAIT__GUARD_PROTECTED);
}

TEST(without_marks_it_is_a_protected_page)
{
    setenv("PLAIT_DISABLE", "guard_marks", 1);
    check_guards(PLAIT__GUARD_PROTECTED);
}

TEST(beyond_half_of_the_mappings_there_is_none)
{
    void *mapped, *last = NULL;
    unsigned first, kind = PLAIT__GUARD_PROTECTED;
    uint64_t mappings;
    size_t n = 0;

    setenv("PLAIT_DISABLE", "guard_marks", 1);
    CHECK_INT(plait__os_stacks_map(&mapped, 1024, BYTES, &first), 0);
    CHECK_INT(first, PLAIT__GUARD_PROTECTED);
    while (kind == PLAIT__GUARD_PROTECTED && n < 200) {
        CHECK_INT(plait__os_stacks_map(&last, 1024, BYTES, &kind), 0);
        n++;
    }
    if (kind == PLAIT__GUARD_PROTECTED)
        test_skip("this machine allows a process millions of mappings");
    CHECK_INT(kind, PLAIT__GUARD_NONE);
    CHECK(!dies_at(last));
    CHECK_INT(plait__os_read_numbers("/proc/sys/vm", "max_map_count", &mappings, 1), 1);
    CHECK((n + 1) * 1024 > mappings / 4 && n * 1024 <= mappings / 4);
    plait__os_stacks_unmap(mapped, 1024, BYTES, first); /* room for others */
    CHECK_INT(plait__os_stacks_map(&mapped, 1024, BYTES, &kind), 0);
    CHECK_INT(kind, PLAIT__GUARD_PROTECTED);
}

TEST(how_deep_it_was_is_known)
{
    char *low;
    size_t bytes;

    map();
    low = base + page;
    bytes = BYTES - page - 128; /* coloured */
    CHECK_INT(plait__os_stack_used(low, bytes), 0);
    low[bytes - 1] = 1;
    CHECK_INT(plait__os_stack_used(low, bytes), page - 128);
    low[bytes - 3 * page] = 1;
    CHECK_INT(plait__os_stack_used(low, bytes), 4 * page - 128);
    CHECK_INT(*(volatile char *)low, 0); /* read, not used */
    CHECK_INT(plait__os_stack_used(low, bytes), 4 * page - 128);
    low[0] = 1;
    CHECK_INT(plait__os_stack_used(low, bytes), bytes);
    plait__os_stacks_unmap(base, COUNT, BYTES, guards);
}

TEST(what_is_below_is_given_back)
{
    char *low;
    size_t bytes = BYTES - 4096;

    map();
    low = base + page;
    bytes = BYTES - page;
    memset(low, 'x', bytes);
    CHECK(plait__os_stack_is_deep(low, bytes, 16 << 10));
    CHECK_INT(plait__os_stack_trim(low, bytes, 16 << 10), 0);
    CHECK_INT(plait__os_stack_used(low, bytes), 16 << 10);
    CHECK_INT(low[bytes - (16 << 10)], 'x');
    CHECK_INT(low[bytes - (16 << 10) - 1], 0);
    CHECK(!plait__os_stack_is_deep(low, bytes, 16 << 10));
    CHECK_INT(plait__os_stack_trim(low, bytes, bytes), 0); /* nothing */
    CHECK_INT(plait__os_stack_trim(low, bytes, 0), 0);
    CHECK_INT(plait__os_stack_used(low, bytes), 0);
    plait__os_stacks_unmap(base, COUNT, BYTES, guards);
}

TEST(what_cannot_be_mapped_is_said)
{
    void *mapped = &page;
    size_t p = plait__os_page_bytes();

    CHECK_INT(plait__os_stacks_map(&mapped, 0, BYTES, &guards), -EINVAL);
    CHECK_INT(plait__os_stacks_map(&mapped, 1, p, &guards), -EINVAL);
    CHECK_INT(plait__os_stacks_map(&mapped, 1, 2 * p + 1, &guards), -EINVAL);
    CHECK_INT(plait__os_stacks_map(&mapped, SIZE_MAX / p, 2 * p, &guards), -ENOMEM);
    CHECK_INT(plait__os_stacks_map(&mapped, (size_t)1 << 46, BYTES, &guards), -ENOMEM);
    CHECK(mapped == &page);
}
