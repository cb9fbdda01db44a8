/* Tests of maps where workers take items from them while they run: pools of threads.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "pool/thread_support.h"

#include <plait/map.h>

#include <string.h>

enum {
    ITEMS = 2000
};

static uint32_t runs[ITEMS]; /* atomic */
static uint32_t n_run;       /* atomic: of all items */
static plait_result results[ITEMS];

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* The items are the counters themselves. */
static plait_items items(size_t n)
{
    return plait_items_of(runs, sizeof *runs, n);
}

static int run_one(const void *in, void *out, void *ctx)
{
    (void)out;
    (void)ctx;
    __atomic_add_fetch(&runs[(const uint32_t *)in - runs], 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&n_run, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int map(plait_pool *pool, plait_pool_fn *fn, size_t n, const plait_map_opts *opts)
{
    return plait_pool_map(pool, fn, items(n), plait_items_of(NULL, 0, 0), opts, PLAIT_FOREVER);
}

static plait_future *map_async(plait_pool *pool, plait_pool_fn *fn, const plait_map_opts *opts)
{
    plait_future *future = NULL;

    CHECK_INT(
        plait_pool_map_async(pool, &future, fn, items(ITEMS), plait_items_of(NULL, 0, 0), opts), 0);
    return future;
}

static void check_runs(uint32_t each)
{
    for (size_t i = 0; i < ITEMS; i++)
        CHECK_INT(load(&runs[i]), each);
}

TEST_LIMIT(each_item_is_run_once_though_maps_run_together, 60)
{
    static const size_t chunks[] = { 1, 3, 0, 1, 1000 };

    enum {
        ROUNDS = 40,
        MAPS = sizeof chunks / sizeof *chunks
    };

    plait_pool *pool = make_workers(3);
    plait_future *futures[MAPS];

    for (uint32_t round = 1; round <= ROUNDS; round++) {
        for (size_t i = 0; i < MAPS; i++)
            futures[i] = map_async(pool, run_one, &(plait_map_opts){ .chunk = chunks[i] });
        for (size_t i = 0; i < MAPS; i++) {
            CHECK_INT(plait_future_get(futures[i], NULL, 0, PLAIT_FOREVER), 0);
            plait_future_unref(futures[i]);
        }
        check_runs(MAPS * round);
    }
    CHECK_INT(usage_of(pool).values, ROUNDS * MAPS * ITEMS);
    CHECK_INT(usage_of(pool).submitted, ROUNDS * MAPS * ITEMS);
    plait_pool_destroy(pool);
}

static int map_here(const void *in, void *out, void *ctx)
{
    const plait_map_opts *opts = ctx;

    (void)in;
    (void)out;
    return map(plait_pool_current(), run_one, ITEMS, opts);
}

TEST(a_job_runs_the_map_that_it_waits_for)
{
    plait_pool *pool = make_workers(1);

    for (size_t chunk = 0; chunk < 3; chunk++) {
        plait_map_opts opts = { .chunk = chunk };
        CHECK_INT(value_of(submit(pool, &(plait_job){ .fn = map_here, .ctx = &opts })), 0);
    }
    check_runs(3);
    plait_pool_destroy(pool);
}

/* So long that all of them take longer than a worker may keep others waiting. */
static int run_slowly(const void *in, void *out, void *ctx)
{
    if (load(ctx) == 0)
        usleep(100);
    return run_one(in, out, ctx);
}

static int look_how_far(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    __atomic_store_n((uint32_t *)ctx, 1, __ATOMIC_SEQ_CST);
    return (int)load(&n_run);
}

TEST(a_job_that_comes_later_does_not_wait_for_the_end_of_a_map)
{
    for (size_t chunk = 0; chunk < 2; chunk++) {
        plait_pool *pool = make_workers(1);
        uint32_t has_come = 0;
        plait_map_opts opts = { .chunk = chunk, .ctx = &has_come };
        plait_future *future;

        n_run = 0;
        future = map_async(pool, run_slowly, &opts);
        CHECK(value_of(submit(pool, &(plait_job){ .fn = look_how_far, .ctx = &has_come })) < ITEMS);
        CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), 0);
        plait_future_unref(future);
        plait_pool_destroy(pool);
    }
}

TEST(maps_share_the_workers)
{
    plait_pool *pool = make_workers(1);
    uint32_t is_over = 0;
    plait_map_opts opts = { .chunk = 1, .ctx = &is_over };
    plait_future *future = map_async(pool, run_slowly, &opts);

    CHECK_INT(map(pool, run_slowly, 1, &opts), 0);
    CHECK(load(&n_run) < ITEMS);
    __atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), 0);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

TEST(workers_are_replaced_in_the_middle_of_a_map)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 1, .max_tasks = 100 });

    CHECK_INT(map(pool, run_one, ITEMS, &(plait_map_opts){ .chunk = 1 }), 0);
    check_runs(1);
    CHECK(usage_of(pool).recycled >= ITEMS / 100 - 1);
    plait_pool_destroy(pool);
}

/* Holds its worker at one of the items. */
static int hold_at(const void *in, void *out, void *ctx)
{
    run_one(in, out, NULL);
    return in == &runs[ITEMS / 2] ? hold(in, out, ctx) : 0;
}

TEST(items_of_a_map_are_told_of_before_its_end)
{
    plait_pool *pool = make_workers(1);
    struct gate gate = { 0 };
    plait_future *future = map_async(pool, hold_at, &(plait_map_opts){ .chunk = 1, .ctx = &gate });

    while (load(&gate.is_entered) == 0)
        nap();
    CHECK_INT(usage_of(pool).values, ITEMS / 2);
    open_gate(&gate);
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), 0);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

TEST(a_cancelled_map_ends_each_item_in_one_way)
{
    for (size_t chunk = 1; chunk < 100; chunk += 33) {
        plait_pool *pool = make_workers(1);
        struct gate gate = { 0 };
        plait_map_opts opts = { .chunk = chunk, .ctx = &gate, .results = results };
        plait_future *future;
        uint32_t n_begun = 0;
        n_run = 0;
        memset(runs, 0, sizeof runs);
        future = map_async(pool, hold_at, &opts);
        while (load(&gate.is_entered) == 0)
            nap();
        CHECK_INT(plait_future_cancel(future, false), 0);
        open_gate(&gate);
        CHECK(plait_future_get(future, NULL, 0, PLAIT_FOREVER) >= 0);
        for (size_t i = 0; i < ITEMS; i++) {
            CHECK_INT(results[i].end,
                      results[i].starts > 0 ? PLAIT_JOB_VALUE : PLAIT_JOB_CANCELLED);
            CHECK_INT(results[i].starts, load(&runs[i]));
            n_begun += results[i].starts;
        }
        CHECK_INT(n_begun, load(&n_run));
        CHECK_INT(usage_of(pool).cancelled, ITEMS - n_begun);
        plait_future_unref(future);
        plait_pool_destroy(pool);
    }
}

/* The first ones wait for the last. */
static int wait_for_last(const void *in, void *out, void *ctx)
{
    uint32_t *is_over = ctx;

    if (in == &runs[3])
        __atomic_store_n(is_over, 1, __ATOMIC_SEQ_CST);
    while (load(is_over) == 0)
        plait_sleep(plait_after_ms(2000));
    return run_one(in, out, NULL);
}

TEST_LIMIT(items_that_sleep_leave_their_places_to_the_next_ones, 60)
{
    plait_pool *pool = make_workers(2);
    uint32_t is_over = 0;

    CHECK_INT(map(pool, wait_for_last, 4, &(plait_map_opts){ .chunk = 1, .ctx = &is_over }), 0);
    CHECK_INT(load(&n_run), 4);
    plait_pool_destroy(pool);
}

TEST(a_terminated_pool_leaves_no_item_of_a_map_without_an_end)
{
    plait_pool *pool = make_workers(1);
    struct gate gate = { 0 };
    plait_future *future =
        map_async(pool, hold_at, &(plait_map_opts){ .chunk = 1, .ctx = &gate, .results = results });
    size_t n_bad = 0;

    while (load(&gate.is_entered) == 0)
        nap();
    CHECK_INT(plait_pool_terminate(pool), 0);
    open_gate(&gate);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    for (size_t i = 0; i < ITEMS; i++) {
        n_bad += results[i].starts == 0;
        CHECK_INT(results[i].end, results[i].starts > 0 ? PLAIT_JOB_VALUE : PLAIT_JOB_CANCELLED);
        CHECK_INT(results[i].cause,
                  results[i].starts > 0 ? PLAIT_CAUSE_NONE : PLAIT_CAUSE_SHUTDOWN);
    }
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), n_bad);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}
