/* Tests of the family heap with several processes and threads at it.
 * SPDX-License-Identifier: MIT
 *
 * They exchange blocks through a table. What stands in a block says what it must be.
 */
#include "child.h"
#include "heap_check.h"
#include "os/sanitize.h"
#include "threads.h"

#include <plait/shared.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

enum {
    PLACES = 256
};

/* What stands in a block. */
struct content {
    uint32_t bytes;
    unsigned char fill[]; /* all the same, and other than 0 */
};

struct table {
    struct content *places[PLACES]; /* atomic */
    uint64_t rounds;                /* atomic */
    uint32_t is_over;               /* atomic */
};

static uint32_t random_below(uint32_t *seed, uint32_t limit)
{
    *seed = *seed * 1664525U + 1013904223U;
    return (uint32_t)((uint64_t)(*seed >> 4) * limit >> 28);
}

static size_t random_size(uint32_t *seed)
{
    uint32_t most = random_below(seed, 8) == 0 ? 100000 : 1500;

    return sizeof(struct content) + 1 + random_below(seed, most);
}

static void check_content(const struct content *content)
{
    CHECK(content->fill[0] != 0);
    CHECK(is_filled(content->fill, content->fill[0], content->bytes - sizeof *content));
}

/* At each moment at most one block is in its hands. */
static void exchange_blocks(struct table *table, uint32_t seed, unsigned rounds)
{
    for (unsigned i = 0; i < rounds && !__atomic_load_n(&table->is_over, __ATOMIC_RELAXED); i++) {
        size_t bytes = random_size(&seed);
        struct content *content = get(bytes), *old;
        CHECK(is_filled(content, 0, bytes));
        content->bytes = (uint32_t)bytes;
        memset(content->fill, (int)random_below(&seed, 255) + 1, bytes - sizeof *content);
        old = __atomic_exchange_n(&table->places[random_below(&seed, PLACES)], content,
                                  __ATOMIC_ACQ_REL);
        if (old != NULL) {
            check_content(old);
            CHECK_INT(plait_shared_free(old), 0);
        }
        __atomic_fetch_add(&table->rounds, 1, __ATOMIC_RELAXED);
    }
}

/* Frees what is in the table; how many blocks that were, the table included. */
static unsigned empty_table(struct table *table)
{
    unsigned n = 0;

    for (unsigned i = 0; i < PLACES; i++)
        if (table->places[i] != NULL) {
            check_content(table->places[i]);
            CHECK_INT(plait_shared_free(table->places[i]), 0);
            n++;
        }
    CHECK_INT(plait_shared_free(table), 0);
    return n + 1;
}

static unsigned slowness(void)
{
    const char *slow = getenv("PLAIT_SLOW");

    return slow != NULL && atoi(slow) > 1 ? (unsigned)atoi(slow) : 1;
}

TEST(four_processes_exchange_blocks)
{
    struct table *table = get(sizeof *table);
    pid_t pids[4];

    for (unsigned i = 0; i < 4; i++) {
        pids[i] = fork_checked();
        if (pids[i] == 0) {
            exchange_blocks(table, i, 20000 / slowness());
            _exit(0);
        }
    }
    for (unsigned i = 0; i < 4; i++)
        join_child(pids[i]);
    uint64_t blocks = heap_usage().blocks;
    CHECK_INT(empty_table(table), blocks);
    check_heap(0);
}

static struct table *table_of_threads;
static uint32_t threads_left;

static void exchange_in_thread(void *arg)
{
    exchange_blocks(table_of_threads, (uint32_t)(uintptr_t)arg, 20000 / slowness());
    __atomic_fetch_sub(&threads_left, 1, __ATOMIC_RELEASE);
}

static void start_threads(unsigned n)
{
    table_of_threads = get(sizeof *table_of_threads);
    threads_left = n;
    for (unsigned i = 0; i < n; i++)
        CHECK_INT(start_detached(exchange_in_thread, (void *)(uintptr_t)i, 0), 0);
}

static void await_threads(void)
{
    while (__atomic_load_n(&threads_left, __ATOMIC_ACQUIRE) > 0)
        usleep(1000);
}

TEST(four_threads_exchange_blocks)
{
    start_threads(4);
    await_threads();
    uint64_t blocks = heap_usage().blocks;
    CHECK_INT(empty_table(table_of_threads), blocks);
    check_heap(0);
}

TEST(a_fork_while_threads_allocate_leaves_the_child_a_heap_that_works)
{
    unsigned n = 0;

    if (PLAIT__SANITIZER_THREADS > 0) /* a child merges free runs, and hands on what it has seen */
        test_skip("the thread sanitizer does not see what happens in another process");
    start_threads(2);
    do {
        pid_t pid = fork_checked();
        if (pid == 0) {
            struct table *table = get(sizeof *table);
            exchange_blocks(table, n, 20);
            empty_table(table);
            _exit(0);
        }
        join_child(pid);
        n++;
    } while (__atomic_load_n(&threads_left, __ATOMIC_ACQUIRE) > 0);
    CHECK(n > 1);
    uint64_t blocks = heap_usage().blocks;
    CHECK_INT(empty_table(table_of_threads), blocks);
    check_heap(0);
}

/* Kills children that exchange blocks, at random moments, while another one goes on. */
TEST_LIMIT(killed_processes_take_one_block_at_most_with_them, 30)
{
    struct table *table = get(sizeof *table);
    unsigned kills = 300 / slowness();
    uint32_t seed = (uint32_t)getpid();
    pid_t stays = fork_checked();

    if (stays == 0) {
        exchange_blocks(table, 0, UINT32_MAX);
        _exit(0);
    }
    for (unsigned i = 0; i < kills; i++) {
        pid_t pid = fork_checked();
        if (pid == 0) {
            exchange_blocks(table, i, UINT32_MAX);
            _exit(0);
        }
        usleep(500 + random_below(&seed, 3000));
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        uint64_t rounds = __atomic_load_n(&table->rounds, __ATOMIC_RELAXED);
        exchange_blocks(table, i, 10); /* goes through: nothing that it held is held for ever */
        CHECK(__atomic_load_n(&table->rounds, __ATOMIC_RELAXED) >= rounds + 10);
    }
    table->is_over = 1;
    join_child(stays);
    uint64_t blocks = heap_usage().blocks;
    unsigned n = empty_table(table);
    CHECK(blocks >= n);
    CHECK(blocks <= n + kills);
    check_heap(blocks - n);
}

TEST(a_stopped_process_is_not_taken_for_dead)
{
    struct table *table = get(sizeof *table);
    pid_t pid = fork_checked();

    if (pid == 0) {
        exchange_blocks(table, 1, UINT32_MAX);
        _exit(0);
    }
    for (unsigned i = 0; i < 100; i++) {
        kill(pid, SIGSTOP);
        /* small ones only: these need no lock of the family but for a new slab */
        for (unsigned k = 0; k < 100; k++)
            CHECK_INT(plait_shared_free(get(64)), 0);
        kill(pid, SIGCONT);
        usleep(500);
    }
    table->is_over = 1;
    join_child(pid);
    uint64_t blocks = heap_usage().blocks;
    CHECK_INT(empty_table(table), blocks);
    check_heap(0);
}
