/* Maps, on an executor that runs its jobs when the test wants it.
 * SPDX-License-Identifier: MIT
 */
#include "pool/serial.h"

#include <plait/error.h>

#include "test.h"

#include <limits.h>
#include <string.h>

enum {
    N = 1000
};

static int square(const void *in, void *out, void *ctx)
{
    long n = *(const long *)in;

    if (n < 0)
        return -1;
    *(long *)out = n * n + (ctx != NULL ? *(const long *)ctx : 0);
    return 0;
}

static long in[N], out[N];

static void fill_in(void)
{
    for (long i = 0; i < N; i++)
        in[i] = i;
    memset(out, 0, sizeof out);
}

static void check_out(long more)
{
    for (long i = 0; i < N; i++)
        CHECK_INT(out[i], i * i + more);
}

TEST(each_item_has_its_result_whatever_the_chunks_are)
{
    static const size_t chunks[] = { 0, 1, 3, N, N + 1, SIZE_MAX };

    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        plait_pool *pool = serial_pool(10);
        plait_map_opts opts = { .chunk = chunks[i] };

        fill_in();
        CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out), &opts, PLAIT_FOREVER),
                  0);
        check_out(0);
        CHECK(serial_of(pool)->most_seen <= 10);
        plait_pool_destroy(pool);
    }
}

TEST(items_that_fail_are_counted_and_told_one_by_one)
{
    static plait_result results[N];
    plait_pool *pool = serial_pool(0);
    plait_map_opts opts = { .results = results };
    plait_pool_usage usage;

    fill_in();
    for (int i = 0; i < N; i += 10)
        in[i] = -1;
    CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out), &opts, PLAIT_FOREVER),
              N / 10);
    for (int i = 0; i < N; i++) {
        CHECK_INT(results[i].end, i % 10 == 0 ? PLAIT_JOB_ERROR : PLAIT_JOB_VALUE);
        CHECK_INT(results[i].code, i % 10 == 0 ? -1 : 0);
    }
    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    CHECK_INT(usage.submitted, N);
    CHECK_INT(usage.errors, N / 10);
    CHECK_INT(usage.values, N - N / 10);
    plait_pool_destroy(pool);
}

TEST(an_async_map_has_a_future_and_a_callback)
{
    plait_pool *pool = serial_pool(4);
    plait_future *future = NULL;
    long more = 5;
    plait_map_opts opts = { .ctx = &more, .ctx_bytes = sizeof more, .chunk = 7 };

    fill_in();
    serial_of(pool)->budget = 0;
    CHECK_INT(plait_pool_map_async(pool, &future, square, PLAIT_IN(in), PLAIT_OUT(out), &opts), 0);
    more = 0; /* it was copied */
    CHECK(!plait_future_is_ready(future));
    CHECK_INT(serial_of(pool)->n, 4);
    serial_of(pool)->budget = SIZE_MAX;
    CHECK_INT(plait_pool_close(pool), 0); /* what was accepted goes on */
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), 0);
    check_out(5);
    plait_future_unref(future);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    plait_pool_destroy(pool);
}

static int add(const void *const *row, void *sum, void *ctx)
{
    CHECK_INT((uintptr_t)row[1] % 16, 0);
    *(long *)sum = *(const long *)row[0] + *(const char *)row[1] + *(const long *)ctx;
    return 0;
}

TEST(starmap_hands_over_rows)
{
    static char digits[N];
    plait_pool *pool = serial_pool(0);
    plait_items columns[2] = { PLAIT_IN(in), PLAIT_IN(digits) };
    long more = 1000;
    plait_map_opts opts = { .ctx = &more };
    plait_future *future;

    fill_in();
    for (int i = 0; i < N; i++)
        digits[i] = (char)(i % 10);
    CHECK_INT(
        plait_pool_starmap(pool, add, PLAIT_ROWS(columns), PLAIT_OUT(out), &opts, PLAIT_FOREVER),
        0);
    for (int i = 0; i < N; i++)
        CHECK_INT(out[i], i + i % 10 + 1000);
    opts.ctx_bytes = sizeof more;
    CHECK_INT(
        plait_pool_starmap_async(pool, &future, add, PLAIT_ROWS(columns), PLAIT_OUT(out), &opts),
        0);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    plait_future_unref(future);
    for (int i = 0; i < N; i++)
        CHECK_INT(out[i], i + i % 10 + 1000);
    columns[1].count--;
    CHECK_INT(
        plait_pool_starmap(pool, add, PLAIT_ROWS(columns), PLAIT_OUT(out), &opts, PLAIT_FOREVER),
        -EINVAL);
    plait_pool_destroy(pool);
}

TEST(nothing_to_do_is_done_and_unequal_counts_are_refused)
{
    plait_pool *pool = serial_pool(0);
    plait_items none = plait_items_of(NULL, 0, 0);

    CHECK_INT(plait_pool_map(pool, square, plait_items_of(in, sizeof in[0], 0),
                             plait_items_of(out, sizeof out[0], 0), NULL, PLAIT_FOREVER),
              0);
    CHECK_INT(plait_pool_map(pool, square, none, none, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), plait_items_of(out, sizeof out[0], N - 1),
                             NULL, PLAIT_FOREVER),
              -EINVAL);
    CHECK_INT(plait_pool_map(pool, square, plait_items_of(in, SIZE_MAX / 2, 3), none, NULL,
                             PLAIT_FOREVER),
              -EINVAL);
    CHECK_INT(plait_pool_map(pool, NULL, PLAIT_IN(in), PLAIT_OUT(out), NULL, PLAIT_FOREVER),
              -EINVAL);
    plait_pool_destroy(pool);
}

static int count(const void *item, void *unused, void *ctx)
{
    CHECK(item == in && unused == NULL);
    ++*(long *)ctx;
    return 0;
}

TEST(items_without_bytes_are_the_pointer_itself)
{
    plait_pool *pool = serial_pool(0);
    long n = 0;
    plait_map_opts opts = { .ctx = &n };

    CHECK_INT(plait_pool_map(pool, count, plait_items_of(in, 0, 77), plait_items_of(NULL, 0, 0),
                             &opts, PLAIT_FOREVER),
              0);
    CHECK_INT(n, 77);
    plait_pool_destroy(pool);
}

TEST(a_map_that_runs_out_of_time_leaves_nothing_running_and_says_how_each_item_ended)
{
    static plait_result results[N];
    plait_pool *pool = serial_pool(0);
    plait_map_opts opts = { .results = results, .chunk = 1 };
    int ends[PLAIT_JOB_EXPIRED + 1] = { 0 };

    fill_in();
    serial_of(pool)->budget = 20;
    serial_of(pool)->refills = SIZE_MAX; /* once something was cancelled */
    CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out), &opts, plait_after_ms(5)),
              -ETIMEDOUT);
    for (int i = 0; i < N; i++)
        ends[results[i].end]++;
    CHECK_INT(ends[PLAIT_JOB_VALUE], 20);
    CHECK_INT(ends[PLAIT_JOB_CANCELLED], N - 20);
    CHECK_INT(serial_of(pool)->n, 0);
    plait_pool_destroy(pool);
}

TEST(what_cannot_be_submitted_is_said_at_once_or_lost)
{
    static plait_result results[N];
    plait_pool *pool = serial_pool(0);
    plait_map_opts opts = { .results = results, .chunk = 10 };

    fill_in();
    serial_of(pool)->error = PLAIT_EPOOL;
    CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out), &opts, PLAIT_FOREVER),
              PLAIT_EPOOL);
    serial_of(pool)->error_at = 3;
    CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out), &opts, PLAIT_FOREVER),
              N - 30);
    CHECK_INT(results[29].end, PLAIT_JOB_VALUE);
    CHECK_INT(results[30].end, PLAIT_JOB_LOST);
    CHECK_INT(results[30].cause, PLAIT_CAUSE_INIT);
    plait_pool_destroy(pool);
}

TEST(a_cancelled_map_ends_with_the_first_item_that_is_no_value)
{
    plait_pool *pool = serial_pool(0);
    plait_map_opts opts = { .chunk = 1 };
    plait_future *future;
    plait_result end;

    fill_in();
    serial_of(pool)->budget = 5;
    CHECK_INT(plait_pool_map_async(pool, &future, square, PLAIT_IN(in), PLAIT_OUT(out), &opts), 0);
    CHECK(!plait_future_is_ready(future));
    CHECK_INT(plait_future_cancel(future, false), 0);
    serial_of(pool)->budget = SIZE_MAX;
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), N - 5);
    CHECK_INT(plait_future_result(future, &end), 0);
    CHECK_INT(end.end, PLAIT_JOB_CANCELLED);
    CHECK_INT(out[4], 16);
    CHECK_INT(out[5], 0);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

TEST(measured_chunks_grow_with_short_items_and_are_few)
{
    plait_pool *pool = serial_pool(0);

    fill_in();
    CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out), NULL, PLAIT_FOREVER), 0);
    CHECK(serial_of(pool)->submits < N / 4);
    plait_pool_destroy(pool);
}

TEST(a_measured_chunk_is_bounded_by_what_it_needs_for_results)
{
    enum {
        MANY = 2000000,
        MOST = 4 << 20
    };

    plait_pool *pool = serial_pool(1);
    plait_future *future;
    struct plait__job *job;

    serial_of(pool)->budget = 0;
    CHECK_INT(plait_pool_map_async(pool, &future, count, plait_items_of(in, 0, MANY),
                                   plait_items_of(NULL, 0, 0), NULL),
              0);
    CHECK_INT(serial_of(pool)->n, 1);
    job = plait__list_entry(serial_of(pool)->queue.next, struct plait__job, node);
    CHECK(job->n * sizeof *job->results <= MOST);
    CHECK_INT(plait_future_cancel(future, false), 0);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

TEST(a_huge_map_is_cancelled_at_once)
{
    const size_t many = (size_t)1 << 50;
    plait_pool *pool = serial_pool(1);
    plait_pool_usage usage;
    plait_future *future;

    serial_of(pool)->budget = 0;
    CHECK_INT(plait_pool_map_async(pool, &future, count, plait_items_of(in, 0, many),
                                   plait_items_of(NULL, 0, 0), &(plait_map_opts){ .chunk = 7 }),
              0);
    CHECK_INT(plait_future_cancel(future, false), 0);
    serial_of(pool)->budget = SIZE_MAX;
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), many);
    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    CHECK_INT(usage.cancelled, many);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}
