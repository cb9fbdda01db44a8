/* Tests of the family heap.
 * SPDX-License-Identifier: MIT
 */
#include "family/heap.h"

#include "child.h"
#include "family/member.h"
#include "heap_check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MIB = 1 << 20,
};

static void *get(size_t bytes)
{
    void *block = plait_shared_alloc(bytes);

    CHECK(block != NULL);
    return block;
}

static bool is_filled(const void *block, int byte, size_t bytes)
{
    const unsigned char *at = block;

    return at[0] == byte && memcmp(at, at + 1, bytes - 1) == 0;
}

static void set_limit(int resource, rlim_t limit)
{
    struct rlimit old;

    CHECK_INT(getrlimit(resource, &old), 0);
    old.rlim_cur = limit;
    CHECK_INT(setrlimit(resource, &old), 0);
}

/* ---- blocks ---- */

/* Sizes that lie around every boundary: of classes, of slabs, of units. */
static size_t nth_size(unsigned i)
{
    return i < 2 * 8192 ? 1 + i / 2 : (i - 2 * 8192 + 1) * 4096 - i % 3;
}

TEST(blocks_are_zero_aligned_and_apart)
{
    enum {
        N = 2 * 8192 + 100
    };

    static unsigned char *blocks[N];

    for (unsigned i = 0; i < N; i++) {
        blocks[i] = get(nth_size(i));
        CHECK_INT((uintptr_t)blocks[i] % 16, 0);
        CHECK(is_filled(blocks[i], 0, nth_size(i)));
        memset(blocks[i], (int)(i % 255 + 1), nth_size(i));
    }
    check_runs(true);
    for (unsigned i = 0; i < N; i++)
        CHECK(is_filled(blocks[i], (int)(i % 255 + 1), nth_size(i)));
    for (unsigned i = 0; i < N; i++)
        CHECK_INT(plait_shared_free(blocks[i * 7919U % N]), 0);
    check_heap(0);
    CHECK_INT(heap_usage().used_bytes, 0);
}

TEST(a_block_is_zero_again_when_it_was_used_before)
{
    static const size_t sizes[] = { 16, 100, 8192, 8193, 100000, 3 * MIB };

    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned k = 0; k < 10; k++) {
            char *block = get(sizes[i]);
            CHECK(is_filled(block, 0, sizes[i]));
            memset(block, 0xff, sizes[i]);
            CHECK_INT(plait_shared_free(block), 0);
        }
}

TEST(what_cannot_be_had_is_null)
{
    CHECK(plait_shared_alloc(0) == NULL);
    CHECK(plait_shared_alloc(SIZE_MAX) == NULL);
    CHECK(plait_shared_alloc((size_t)1 << 62) == NULL);
    CHECK(plait_shared_alloc(((size_t)1 << 46) + 1) == NULL);
    CHECK(plait_shared_alloc(heap_usage().reserved_bytes) == NULL);
    check_heap(0);
}

TEST(what_is_no_block_cannot_be_freed)
{
    static const size_t sizes[] = { 1, 64, 1000, 8192, 8193, 16384, 200000 };
    char own = 0;

    CHECK_INT(plait_shared_free(&own), -EINVAL); /* before there is a family */
    CHECK_INT(plait_shared_free(NULL), 0);
    char *keeps_slab = get(64);
    CHECK_INT(plait_shared_free(&own), -EINVAL);
    CHECK_INT(plait_shared_free(plait__family()), -EINVAL);
    CHECK_INT(plait_shared_free(plait__run_at(0)), -EINVAL);
    CHECK_INT(plait_shared_free((char *)plait__family() + plait__family()->shared.bytes - 64),
              -EINVAL);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *block = get(sizes[i]);
        for (size_t k = 1; k < sizes[i]; k += 1 + sizes[i] / 50)
            CHECK_INT(plait_shared_free(block + k), -EINVAL);
        CHECK_INT(plait_shared_free((char *)((uintptr_t)block & -(uintptr_t)65536) + 16), -EINVAL);
        CHECK_INT(plait_shared_free(block), 0);
        CHECK_INT(plait_shared_free(block), -EINVAL);
    }
    CHECK_INT(plait_shared_free(keeps_slab), 0);
    check_heap(0);
}

TEST(a_freed_block_is_used_again)
{
    for (unsigned i = 0; i < 100000; i++)
        CHECK_INT(plait_shared_free(get(1 + i * 37 % 20000)), 0);
    CHECK(heap_usage().committed_bytes < 16 * MIB);
    check_heap(0);
}

/* Bytes of runs that are not free, as they are now. */
static uint64_t bytes_not_free(void)
{
    uint64_t units = 0, word;

    for (uint32_t at = 0; at < plait__runs()->count; at += plait__run_units(word)) {
        word = *plait__run_at(at);
        units += plait__run_kind(word) == PLAIT__RUN_FREE ? 0 : plait__run_units(word);
    }
    return units << plait__runs()->shift;
}

enum {
    MANY = 20000
};

TEST(memory_of_one_size_can_become_another)
{
    static void *blocks[MANY];

    for (size_t bytes = 400; bytes < 1000; bytes += 70) {
        for (unsigned i = 0; i < MANY; i++)
            blocks[i] = get(bytes);
        CHECK(bytes_not_free() > bytes * MANY);
        for (unsigned i = 0; i < MANY; i++)
            CHECK_INT(plait_shared_free(blocks[i]), 0);
        CHECK(bytes_not_free() < MIB);
    }
    check_heap(0);
}

TEST(much_free_memory_goes_back_to_the_system)
{
    enum {
        N = 150
    };

    static void *blocks[N];

    for (unsigned i = 0; i < N; i++)
        blocks[i] = get(MIB);
    CHECK(heap_usage().committed_bytes > (uint64_t)N * MIB);
    for (unsigned i = 0; i < N; i++)
        CHECK_INT(plait_shared_free(blocks[i]), 0);
    CHECK(heap_usage().committed_bytes < 70 * MIB);
    check_heap(0);
}

TEST(the_figures_are_cut_and_filled_to_the_callers_size)
{
    struct {
        plait_shared_usage known;
        uint64_t more;
    } larger = { .more = 7 };

    plait_shared_usage usage = { .committed_bytes = 7 };
    char *block = get(100);

    CHECK_INT(plait_shared_stats_sized(&larger.known, sizeof larger), 0);
    CHECK_INT(larger.known.blocks, 1);
    CHECK_INT(larger.known.used_bytes, 112);
    CHECK_INT(larger.more, 0);
    CHECK_INT(plait_shared_stats_sized(&usage, sizeof usage.reserved_bytes), 0);
    CHECK_INT(usage.reserved_bytes, larger.known.reserved_bytes);
    CHECK_INT(usage.committed_bytes, 7);
    CHECK_INT(plait_shared_stats(NULL), -EINVAL);
    CHECK_INT(plait_shared_free(block), 0);
}

/* ---- limits ---- */

/* Works on blocks that it inherited, and on its own. */
static void check_child(char *small, char *large, unsigned generations)
{
    pid_t pid = fork_checked();

    if (pid > 0) {
        join_child(pid);
        return;
    }
    memset(small, (int)generations, 100);
    memset(large, (int)generations, 100000);
    for (unsigned i = 0; i < 100; i++)
        CHECK_INT(plait_shared_free(get(1 + i * 331)), 0);
    if (generations > 1)
        check_child(small, large, generations - 1);
    CHECK_INT(plait_shared_free(get(100)), 0);
    syscall(SYS_exit_group, 0); /* a leak checker would need descriptors */
}

static void check_all_works(void)
{
    char *small = get(100), *large = get(100000);

    check_child(small, large, 3);
    CHECK_INT(small[99], 1);
    CHECK_INT(large[99999], 1);
    CHECK_INT(plait_shared_free(small), 0);
    CHECK_INT(plait_shared_free(large), 0);
    check_heap(0);
}

TEST(it_works_in_children_and_their_children)
{
    check_all_works();
}

TEST(it_works_where_a_child_is_the_first_to_call)
{
    pid_t pid = fork_checked();

    if (pid == 0) {
        check_all_works();
        _exit(0);
    }
    join_child(pid);
    check_all_works();
}

TEST(it_works_in_a_small_address_space)
{
    if (getenv("PLAIT_SLOW") != NULL && strcmp(getenv("PLAIT_SLOW"), "1") != 0)
        test_skip("sanitizers need terabytes of address space");
    set_limit(RLIMIT_AS, 256 * MIB);
    check_all_works();
    CHECK(heap_usage().reserved_bytes >= 16 * MIB);
    CHECK(heap_usage().reserved_bytes <= 64 * MIB);
}

TEST(it_works_where_files_must_be_small)
{
    set_limit(RLIMIT_FSIZE, 4096);
    check_all_works();
}

TEST(it_works_where_files_must_be_small_from_now_on)
{
    CHECK_INT(plait_shared_free(get(1)), 0);
    set_limit(RLIMIT_FSIZE, 0);
    check_all_works();
}

/* A sanitizer needs some at the end. */
static void check_without_descriptors(void)
{
    struct rlimit limit;

    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    set_limit(RLIMIT_NOFILE, 0);
    check_all_works();
    set_limit(RLIMIT_NOFILE, limit.rlim_cur);
}

TEST(it_works_where_no_descriptor_is_left)
{
    check_without_descriptors();
}

TEST(it_works_where_no_descriptor_is_left_from_now_on)
{
    CHECK_INT(plait_shared_free(get(1)), 0);
    check_without_descriptors();
}

TEST(it_works_when_the_program_has_closed_all_it_found)
{
    CHECK_INT(plait_shared_free(get(1)), 0);
    for (int fd = 3; fd < 100; fd++)
        close(fd);
    check_all_works();
    CHECK(plait_shared_alloc(200 * MIB) == NULL); /* growth takes the file */
    check_all_works();
}

TEST(it_works_when_another_file_has_its_descriptor)
{
    CHECK_INT(plait_shared_free(get(1)), 0);
    CHECK(dup2(0, plait__family()->shared.fd) >= 3);
    check_all_works();
}

/* A heap that can hold so much, and no more. */
static void have_small_heap(void)
{
    if (getenv("PLAIT_SLOW") != NULL && strcmp(getenv("PLAIT_SLOW"), "1") != 0)
        test_skip("sanitizers need terabytes of address space");
    set_limit(RLIMIT_AS, 256 * MIB);
    CHECK_INT(plait_shared_free(get(1)), 0);
    CHECK(heap_usage().reserved_bytes <= 64 * MIB);
}

/* Fills the heap with blocks of that size, each of which names the last one: the last one. */
static void **fill(size_t bytes, unsigned *ret_n)
{
    void **last = NULL, **block;

    for (*ret_n = 0; (block = plait_shared_alloc(bytes)) != NULL; ++*ret_n) {
        *block = last;
        last = block;
    }
    return last;
}

static void free_chain(void **last)
{
    while (last != NULL) {
        void **next = *last;
        CHECK_INT(plait_shared_free(last), 0);
        last = next;
    }
}

TEST(a_full_heap_says_so_and_works_again_when_there_is_room)
{
    static const size_t sizes[] = { MIB, 64, 8192, 100, 8193, 20 * MIB, 1000 };
    unsigned n;

    have_small_heap();
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void **last = fill(sizes[i], &n);
        CHECK(n * (uint64_t)sizes[i] > heap_usage().reserved_bytes / 3);
        CHECK(plait_shared_alloc(sizes[i]) == NULL);
        pid_t pid = fork_checked();
        if (pid == 0) {
            CHECK(plait_shared_alloc(sizes[i]) == NULL);
            _exit(0);
        }
        join_child(pid);
        CHECK_INT(heap_usage().blocks, n);
        check_runs(false);
        free_chain(last);
        check_heap(0);
    }
}

TEST(all_memory_that_nobody_has_can_become_one_block)
{
    have_small_heap();
    pid_t pid = fork_checked();
    if (pid == 0) { /* slabs of all sizes, empty ones, and some of the memory used before */
        for (size_t bytes = 16; bytes <= 8192; bytes += 16)
            CHECK_INT(plait_shared_free(get(bytes)), 0);
        CHECK_INT(plait_shared_free(get(20 * MIB)), 0);
        _exit(0);
    }
    join_child(pid);
    for (unsigned i = 0; i < 3; i++) {
        size_t all = (plait__runs()->count << plait__runs()->shift) - MIB;
        char *block = get(all);
        CHECK(is_filled(block, 0, all));
        memset(block, 'x', all);
        CHECK_INT(plait_shared_free(block), 0);
    }
    check_heap(0);
}

TEST(memory_that_the_system_refuses_is_not_touched)
{
    struct plait__shared *shared;
    unsigned n;

    CHECK_INT(plait_shared_free(get(1)), 0);
    shared = &plait__family()->shared;
    close(shared->fd);
    /* now the pages of the heap can neither be allocated in the file nor written */
    size_t open = plait__runs()->first + 4 * MIB;
    CHECK_INT(mprotect(shared->base + open, shared->bytes - open, PROT_READ), 0);
    CHECK(plait_shared_alloc(8 * MIB) == NULL);
    free_chain(fill(1000, &n));
    CHECK(n > 0);
    check_heap(0);
    free_chain(fill(100000, &n));
    check_heap(0);
}

/* ---- several processes ---- */

TEST(memory_belongs_to_the_family)
{
    char **shared = get(sizeof *shared);
    pid_t pid = fork_checked();

    if (pid == 0) {
        *shared = get(5000);
        strcpy(*shared, "left behind");
        raise(SIGKILL);
    }
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_STR(*shared, "left behind");
    CHECK_INT(heap_usage().blocks, 2);
    CHECK_INT(plait_shared_free(*shared), 0);
    CHECK_INT(plait_shared_free(shared), 0);
    check_heap(0);
}

TEST(slabs_of_the_dead_are_used_again)
{
    uint64_t committed = 0;

    get(1);
    for (unsigned i = 0; i < 300; i++) {
        pid_t pid = fork_checked();
        if (pid == 0) {
            get(64);
            raise(SIGKILL);
        }
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        if (i == 10)
            committed = plait__runs()->known;
    }
    CHECK_INT(plait__runs()->known, committed);
    CHECK(heap_usage().committed_bytes < MIB);
    check_heap(301);
}

TEST(a_dead_holder_of_the_heap_lock_stops_nobody)
{
    uint64_t *inside;
    char *large = get(100000);
    pid_t pid = fork_checked();

    inside = plait__run_at((uint32_t)((large - plait__run_memory(0)) >> plait__runs()->shift)) + 1;
    if (pid == 0) {
        get(1);
        plait__family()->heap_lock = plait__member_self();
        *inside = plait__run_make(PLAIT__RUN_FREE, true, 5); /* as if it was splitting that run */
        raise(SIGKILL);
    }
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK(*inside != 0);
    check_heap(2);
    CHECK_INT(*inside, 0);
    CHECK_INT(plait__family()->heap_lock, 0);
    CHECK_INT(plait_shared_free(large), 0);
}

TEST(a_run_in_the_hands_of_the_dead_is_given_back)
{
    static void *volatile block;
    pid_t pid;
    uint32_t unit;
    bool is_zero_run;

    CHECK_INT(plait_shared_free(get(1)), 0);
    check_heap(0);
    pid = fork_checked();
    if (pid == 0) {
        CHECK_INT(plait__runs_open(), 0);
        CHECK_INT(plait__run_take(100, &unit, &is_zero_run), 0);
        raise(SIGKILL);
    }
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    block = get(100000); /* passes by */
    CHECK_INT(plait__runs()->rescued, 1);
    CHECK_INT(plait_shared_free(block), 0);
    CHECK_INT(heap_usage().rescued, 1);
    check_heap(0);
}
