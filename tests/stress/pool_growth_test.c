/* Ten thousand jobs and a thousand workers later, nothing has grown.
 * SPDX-License-Identifier: MIT
 *
 * PLAIT_JOBS says how many jobs there are; each worker does ten of them.
 */
#include <plait.h>

#include "task/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "size.h"
#include "test.h"

enum {
    JOBS = 10000,
    JOBS_A_WORKER = 10,
    WORKERS = 2,
    ITEMS = 500, /* of a map */
};

struct size {
    size_t fds, keeper_fds, threads, children;
    uint64_t blocks;
    long keeper_kib;
};

static plait_pool *pool;

static struct size measure(plait_kind kind)
{
    plait_shared_usage usage;
    struct size size = { .fds = count_entries(getpid(), "fd"),
                         .threads = count_entries(getpid(), "task") };

    CHECK_INT(plait_shared_stats(&usage), 0);
    size.blocks = usage.blocks;
    if (kind == PLAIT_PROCESS) {
        size.keeper_fds = count_entries(plait__keeper_pid(), "fd");
        size.children = count_children(plait__keeper_pid());
        size.keeper_kib = resident_kib(plait__keeper_pid());
    }
    return size;
}

static int square(const void *in, void *out, void *ctx)
{
    long n = *(const long *)in;

    (void)ctx;
    if (n < 0)
        raise(SIGKILL);
    *(long *)out = n * n;
    return 0;
}

static int write_much(plait_task *task, const void *in, size_t n)
{
    static char bytes[20000];

    (void)in;
    (void)n;
    return plait_task_write(task, bytes, sizeof bytes);
}

static void work(plait_kind kind, long jobs)
{
    for (long i = 0; i < jobs; i++) {
        long n = kind == PLAIT_PROCESS && i % 1000 == 999 ? -1 : i, got = 0;
        plait_job job = { .fn = square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof n };
        plait_job large = { .text_fn = write_much };
        plait_future *futures[3] = { NULL, NULL, NULL };
        CHECK_INT(plait_pool_submit(pool, &futures[0], &job, PLAIT_FOREVER), 0);
        if (i % 50 == 0)
            CHECK_INT(plait_pool_submit(pool, &futures[1], &large, PLAIT_FOREVER), 0);
        if (i % 30 == 0) {
            CHECK_INT(plait_pool_submit(pool, &futures[2], &job, PLAIT_FOREVER), 0);
            plait_future_cancel(futures[2], true);
        }
        if (n >= 0)
            CHECK_INT(plait_future_get(futures[0], &got, sizeof got, PLAIT_FOREVER), sizeof got);
        for (int f = 0; f < 3; f++) {
            CHECK(futures[f] == NULL || plait_future_wait(futures[f], PLAIT_FOREVER) == 0);
            plait_future_unref(futures[f]);
        }
    }
}

static void map(void)
{
    static long in[ITEMS], out[ITEMS];

    for (int i = 0; i < 4; i++)
        CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out), NULL, PLAIT_FOREVER),
                  0);
}

/* Once all that was replaced is gone. */
static void settle(plait_kind kind, const struct size *wanted)
{
    while (kind == PLAIT_PROCESS &&
           count_children(plait__keeper_pid()) > wanted->children) /* the test has a limit */
        plait_sleep(plait_after_ms(1));
    while (count_entries(getpid(), "task") > wanted->threads)
        plait_sleep(plait_after_ms(1));
}

static void check_no_growth(plait_kind kind)
{
    const char *text = getenv("PLAIT_JOBS");
    long jobs = text != NULL ? atol(text) : JOBS;
    plait_pool_usage usage;
    plait_pool_opts opts = { .workers = WORKERS, .max_tasks = JOBS_A_WORKER, .poison_limit = 1 };

    CHECK_INT(plait_pool_create(&pool, kind, &opts), 0);
    work(kind, 1000); /* what is made once is made now */
    map();
    struct size before = measure(kind);
    before.children = kind == PLAIT_PROCESS && before.children > 0 ? WORKERS : 0;
    before.threads = kind == PLAIT_PROCESS ? 1 : WORKERS + 1;
    work(kind, jobs);
    map();
    settle(kind, &before);
    struct size after = measure(kind);
    CHECK_INT(after.fds, before.fds);
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.threads, before.threads);
    CHECK(after.keeper_fds <= before.keeper_fds + WORKERS);
    CHECK(after.keeper_kib <= before.keeper_kib + 512);
    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    CHECK((long)usage.recycled + (long)usage.deaths >= jobs / JOBS_A_WORKER);
    CHECK_INT(usage.submitted,
              usage.values + usage.errors + usage.lost + usage.cancelled + usage.expired);
    plait_pool_destroy(pool);
}

TEST_LIMIT(a_pool_of_processes_does_not_grow, 250)
{
    CHECK_INT(plait_keeper_start(), 0);
    check_no_growth(PLAIT_PROCESS);
}

TEST_LIMIT(a_pool_of_threads_does_not_grow, 250)
{
    check_no_growth(PLAIT_THREAD);
}

TEST_LIMIT(pools_that_come_and_go_leave_nothing, 250)
{
    struct size before = { 0 }, after;

    CHECK_INT(plait_keeper_start(), 0);
    for (int i = 0; i < 100; i++) {
        plait_kind kind = i % 2 ? PLAIT_THREAD : PLAIT_PROCESS;
        CHECK_INT(plait_pool_create(&pool, kind, &(plait_pool_opts){ .workers = WORKERS }), 0);
        work(kind, 5);
        plait_pool_destroy(pool);
        if (i == 9)
            before = measure(PLAIT_PROCESS);
    }
    before.children = 0;
    before.threads = 1;
    settle(PLAIT_PROCESS, &before);
    after = measure(PLAIT_PROCESS);
    CHECK_INT(after.fds, before.fds);
    CHECK_INT(after.blocks, before.blocks);
    CHECK_INT(after.keeper_fds, before.keeper_fds);
    CHECK(after.keeper_kib <= before.keeper_kib + 512);
}
