/* The contract of pools: maps over arrays, columns and sources without an end.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_MAPS_H
#define PLAIT_TESTS_POOL_MAPS_H

#include "pool_support.h"

enum {
    ITEMS = 1000
};

static long numbers[ITEMS], squares[ITEMS];

static void number_them(void)
{
    for (long i = 0; i < ITEMS; i++)
        numbers[i] = i;
}

static void check_squares(long n)
{
    for (long i = 0; i < n; i++)
        CHECK_INT(squares[i], i * i);
}

/* ---- map ---- */

TEST(map_runs_a_function_over_each_item)
{
    create_with(3);
    number_them();
    CHECK_INT(
        plait_pool_map(pool, square, PLAIT_IN(numbers), PLAIT_OUT(squares), NULL, PLAIT_FOREVER),
        0);
    check_squares(ITEMS);
    destroy();
}

TEST(map_takes_chunks_of_any_size)
{
    static const size_t chunks[] = { 1, 2, 7, 999, 1000, 1001, 100000 };

    create_with(2);
    number_them();
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        memset(squares, 0xFF, sizeof squares);
        CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(numbers), PLAIT_OUT(squares),
                                 &(plait_map_opts){ .chunk = chunks[i] }, PLAIT_FOREVER),
                  0);
        check_squares(ITEMS);
    }
    destroy();
}

TEST(map_over_nothing_is_done_at_once)
{
    create_with(1);
    CHECK_INT(plait_pool_map(pool, square, plait_items_of(numbers, sizeof(long), 0),
                             plait_items_of(squares, sizeof(long), 0), NULL, PLAIT_NOWAIT),
              0);
    CHECK_INT(plait_pool_map(pool, square, plait_items_of(NULL, 0, 0), plait_items_of(NULL, 0, 0),
                             &(plait_map_opts){ .chunk = 1 }, PLAIT_FOREVER),
              0);
    destroy();
}

static int odd_ones_fail(const void *in, void *out, void *ctx)
{
    long n;

    memcpy(&n, in, sizeof n);
    add(&board->n_entered);
    return n % 2 ? -(int)n : square(in, out, ctx);
}

TEST(map_goes_on_after_an_error_and_says_how_many_there_were)
{
    static plait_result results[ITEMS];

    create_with(2);
    number_them();
    CHECK_INT(plait_pool_map(pool, odd_ones_fail, PLAIT_IN(numbers), PLAIT_OUT(squares),
                             &(plait_map_opts){ .results = results }, PLAIT_FOREVER),
              ITEMS / 2);
    CHECK_INT(load(&board->n_entered), ITEMS);
    for (long i = 0; i < ITEMS; i++) {
        CHECK_INT(results[i].end, i % 2 ? PLAIT_JOB_ERROR : PLAIT_JOB_VALUE);
        CHECK_INT(results[i].code, i % 2 ? -i : 0);
        CHECK_INT(results[i].starts, 1);
        if (i % 2 == 0)
            CHECK_INT(squares[i], i * i);
    }
    destroy();
}

static int sevens_fail(const void *in, void *out, void *ctx)
{
    long n;

    memcpy(&n, in, sizeof n);
    return n % 10 == 7 ? -(int)n : square(in, out, ctx);
}

TEST(map_tells_the_first_error_though_nobody_asks_about_each_item)
{
    static const size_t chunks[] = { 0, 1, 10, 100, ITEMS };

    create_with(2);
    number_them();
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        plait_map_opts opts = { .chunk = chunks[i] };
        plait_future *future = NULL;
        plait_result first;
        memset(squares, 0, sizeof squares);
        CHECK_INT(plait_pool_map_async(pool, &future, sevens_fail, PLAIT_IN(numbers),
                                       PLAIT_OUT(squares), &opts),
                  0);
        CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_FOREVER), ITEMS / 10);
        CHECK_INT(plait_future_result(future, &first), 0);
        CHECK_INT(first.end, PLAIT_JOB_ERROR);
        CHECK_INT(first.code, -7);
        for (long n = 0; n < ITEMS; n++)
            if (n % 10 != 7)
                CHECK_INT(squares[n], n * n);
        plait_future_unref(future);
    }
    destroy();
}

static int add_ctx(const void *in, void *out, void *ctx)
{
    *(long *)out = *(const long *)in + *(const long *)ctx;
    return 0;
}

TEST(a_map_has_one_context_for_all_its_items)
{
    long by = 1000;

    create_with(2);
    number_them();
    CHECK_INT(plait_pool_map(pool, add_ctx, PLAIT_IN(numbers), PLAIT_OUT(squares),
                             &(plait_map_opts){ .ctx = &by, .ctx_bytes = sizeof by },
                             PLAIT_FOREVER),
              0);
    for (long i = 0; i < ITEMS; i++)
        CHECK_INT(squares[i], i + 1000);
    destroy();
}

TEST(a_map_without_outputs_runs_all_the_same)
{
    create_with(2);
    CHECK_INT(plait_pool_map(pool, count, PLAIT_IN(numbers), plait_items_of(NULL, 0, ITEMS), NULL,
                             PLAIT_FOREVER),
              0);
    CHECK_INT(load(&board->n_left), ITEMS);
    destroy();
}

TEST(a_map_over_arrays_of_the_heap_copies_nothing)
{
    long *in = plait_shared_alloc(sizeof numbers), *out = plait_shared_alloc(sizeof squares);

    CHECK(in != NULL && out != NULL);
    number_them();
    memcpy(in, numbers, sizeof numbers);
    create_with(2);
    CHECK_INT(plait_pool_map(pool, square, plait_items_of(in, sizeof *in, ITEMS),
                             plait_items_of(out, sizeof *out, ITEMS), NULL, PLAIT_FOREVER),
              0);
    memcpy(squares, out, sizeof squares);
    check_squares(ITEMS);
    destroy();
    CHECK_INT(plait_shared_free(in), 0);
    CHECK_INT(plait_shared_free(out), 0);
}

TEST(a_map_may_write_over_its_inputs)
{
    create_with(2);
    number_them();
    CHECK_INT(
        plait_pool_map(pool, square, PLAIT_IN(numbers), PLAIT_OUT(numbers), NULL, PLAIT_FOREVER),
        0);
    for (long i = 0; i < ITEMS; i++)
        CHECK_INT(numbers[i], i * i);
    destroy();
}

TEST(a_map_that_runs_out_of_time_says_so_and_leaves_nothing_behind)
{
    create_with(1);
    CHECK_INT(plait_pool_map(pool, stand, PLAIT_IN(numbers), plait_items_of(NULL, 0, ITEMS),
                             &(plait_map_opts){ .chunk = 1 }, plait_after_ms(50)),
              -ETIMEDOUT);
    open_gate();
    check_square(submit_square(2), 2);
    CHECK(load(&board->n_entered) < ITEMS);
    destroy();
}

/* ---- map_async ---- */

TEST(an_asynchronous_map_ends_in_one_future)
{
    plait_future *future = NULL;

    create_with(2);
    number_them();
    CHECK_INT(
        plait_pool_map_async(pool, &future, square, PLAIT_IN(numbers), PLAIT_OUT(squares), NULL),
        0);
    CHECK_INT(plait_future_then(future, note_call, NULL), 0);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_is_successful(future), 1);
    CHECK_INT(n_calls, 1);
    check_squares(ITEMS);
    plait_future_unref(future);
    destroy();
    CHECK_INT(n_calls, 1);
}

TEST(an_asynchronous_map_is_waited_for_to_its_deadline)
{
    plait_future *future = NULL;

    create_with(1);
    CHECK_INT(plait_pool_map_async(pool, &future, stand, PLAIT_IN(numbers),
                                   plait_items_of(NULL, 0, ITEMS), NULL),
              0);
    CHECK_INT(plait_future_wait(future, plait_after_ms(20)), -ETIMEDOUT);
    CHECK(!plait_future_is_ready(future));
    open_gate();
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), ITEMS);
    plait_future_unref(future);
    destroy();
}

/* ---- starmap ---- */

static int combine(const void *const *row, void *out, void *ctx)
{
    long a;
    short b;

    (void)ctx;
    memcpy(&a, row[0], sizeof a);
    memcpy(&b, row[1], sizeof b);
    a = a * 100 + b;
    memcpy(out, &a, sizeof a);
    return 0;
}

TEST(starmap_takes_columns)
{
    static short less[ITEMS];
    plait_items columns[2] = { PLAIT_IN(numbers), PLAIT_IN(less) };

    create_with(2);
    number_them();
    for (short i = 0; i < ITEMS; i++)
        less[i] = (short)(i % 7);
    CHECK_INT(plait_pool_starmap(pool, combine, PLAIT_ROWS(columns), PLAIT_OUT(squares), NULL,
                                 PLAIT_FOREVER),
              0);
    for (long i = 0; i < ITEMS; i++)
        CHECK_INT(squares[i], i * 100 + i % 7);
    destroy();
}

/* ---- imap ---- */

struct source {
    long next, last; /* last < 0: no end */
    int error;       /* what it says at its end */
};

static int give(void *item, void *arg)
{
    struct source *source = arg;

    if (source->next == source->last)
        return source->error;
    *(long *)item = source->next++;
    return 1;
}

static plait_imap *open_imap(struct source *source, plait_imap_opts opts)
{
    plait_imap *imap = NULL;

    opts.in_bytes = opts.out_bytes = sizeof(long);
    CHECK_INT(plait_pool_imap(pool, &imap, square, give, source, &opts), 0);
    return imap;
}

TEST(imap_brings_results_in_the_order_of_the_inputs)
{
    static const size_t chunks[] = { 0, 1, 3, 100 };

    create_with(3);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct source source = { .last = ITEMS };
        plait_imap *imap = open_imap(&source, (plait_imap_opts){ .chunk = chunks[i] });
        long got = 0;
        for (long n = 0; n < ITEMS; n++) {
            CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 1);
            CHECK_INT(got, n * n);
        }
        CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 0);
        CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 0);
        plait_imap_destroy(imap);
    }
    destroy();
}

TEST(imap_unordered_brings_each_result_once)
{
    static bool seen[ITEMS];
    struct source source = { .last = ITEMS };

    create_with(3);
    number_them();
    plait_imap *imap = open_imap(&source, (plait_imap_opts){ .is_unordered = true });
    for (long n = 0; n < ITEMS; n++) {
        long got = 0, root = 0;
        CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 1);
        while (root * root < got)
            root++;
        CHECK_INT(root * root, got);
        CHECK(root < ITEMS && !seen[root]);
        seen[root] = true;
    }
    CHECK_INT(plait_imap_next(imap, squares, NULL, PLAIT_FOREVER), 0);
    plait_imap_destroy(imap);
    destroy();
}

TEST(imap_over_an_input_without_end_is_bounded)
{
    struct source source = { .last = -1 };
    long got = 0;

    create_with(2);
    plait_imap *imap = open_imap(&source, (plait_imap_opts){ .window = 16 });
    for (long n = 0; n < 100; n++) {
        CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 1);
        CHECK_INT(got, n * n);
        CHECK(source.next <= n + 1 + 16);
    }
    plait_imap_destroy(imap);
    check_square(submit_square(4), 4);
    destroy();
}

TEST(imap_with_default_options_is_bounded_too)
{
    struct source source = { .last = -1 };
    long got = 0;

    create_with(2);
    plait_imap *imap = open_imap(&source, (plait_imap_opts){ 0 });
    CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 1);
    CHECK(source.next < 1000000);
    plait_imap_destroy(imap);
    destroy();
}

TEST(imap_over_an_empty_source_is_at_its_end)
{
    struct source source = { .last = 0 };

    create_with(1);
    plait_imap *imap = open_imap(&source, (plait_imap_opts){ 0 });
    CHECK_INT(plait_imap_next(imap, squares, NULL, PLAIT_FOREVER), 0);
    plait_imap_destroy(imap);
    plait_imap_destroy(NULL);
    destroy();
}

TEST(what_the_source_of_an_imap_gave_before_its_error_comes_first)
{
    struct source source = { .last = 10, .error = -EIO };
    long got = 0;

    create_with(2);
    plait_imap *imap = open_imap(&source, (plait_imap_opts){ .chunk = 4 });
    for (long n = 0; n < 10; n++) {
        CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 1);
        CHECK_INT(got, n * n);
    }
    CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), -EIO);
    plait_imap_destroy(imap);
    destroy();
}

TEST(imap_tells_of_an_error_in_its_place_and_goes_on)
{
    struct source source = { .last = 6 };
    plait_imap_opts opts = { .in_bytes = sizeof(long), .out_bytes = sizeof(long) };
    plait_imap *imap = NULL;
    plait_result result;
    long got = 0;

    create_with(2);
    CHECK_INT(plait_pool_imap(pool, &imap, odd_ones_fail, give, &source, &opts), 0);
    for (long n = 0; n < 6; n++) {
        CHECK_INT(plait_imap_next(imap, &got, &result, PLAIT_FOREVER), 1);
        CHECK_INT(result.end, n % 2 ? PLAIT_JOB_ERROR : PLAIT_JOB_VALUE);
        CHECK_INT(result.code, n % 2 ? -n : 0);
    }
    CHECK_INT(plait_imap_next(imap, &got, &result, PLAIT_FOREVER), 0);
    plait_imap_destroy(imap);
    destroy();
}

static int stand_then_square(const void *in, void *out, void *ctx)
{
    int rc = stand(NULL, NULL, NULL);

    return rc < 0 ? rc : square(in, out, ctx);
}

TEST(a_next_of_an_imap_ends_at_its_deadline_and_loses_nothing)
{
    struct source source = { .last = 3 };
    plait_imap_opts opts = { .in_bytes = sizeof(long), .out_bytes = sizeof(long) };
    plait_imap *imap = NULL;
    long got = 99;

    create_with(1);
    CHECK_INT(plait_pool_imap(pool, &imap, stand_then_square, give, &source, &opts), 0);
    CHECK_INT(plait_imap_next(imap, &got, NULL, plait_after_ms(20)), -ETIMEDOUT);
    CHECK_INT(got, 99);
    open_gate();
    for (long n = 0; n < 3; n++) {
        CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 1);
        CHECK_INT(got, n * n);
    }
    CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 0);
    plait_imap_destroy(imap);
    destroy();
}

TEST(an_imap_may_be_left_in_the_middle)
{
    struct source source = { .last = -1 };
    long got = 0;

    create_with(2);
    for (int i = 0; i < 20; i++) {
        plait_imap *imap = open_imap(&source, (plait_imap_opts){ .window = 32 });
        CHECK_INT(plait_imap_next(imap, &got, NULL, PLAIT_FOREVER), 1);
        plait_imap_destroy(imap);
    }
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    destroy();
}

TEST(an_imap_takes_nothing_from_its_source_when_its_pool_has_ended)
{
    struct source source = { .last = ITEMS };
    int rc;

    create_with(2);
    plait_imap *imap = open_imap(&source, (plait_imap_opts){ .window = 16 });
    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    long taken = source.next;
    CHECK(taken > 0 && taken < ITEMS);
    for (long i = 0; i < taken; i++)
        CHECK_INT(plait_imap_next(imap, squares, NULL, PLAIT_FOREVER), 1);
    rc = plait_imap_next(imap, squares, NULL, PLAIT_FOREVER);
    CHECK_INT(rc, -EPIPE);
    CHECK_INT(source.next, taken);
    plait_imap_destroy(imap);
    destroy();
}

TEST(the_callback_of_a_map_over_nothing_is_called)
{
    plait_map_opts opts = { .then = note_call };
    plait_future *future = NULL;

    create_with(1);
    CHECK_INT(plait_pool_map_async(pool, &future, square, plait_items_of(NULL, 0, 0),
                                   plait_items_of(NULL, 0, 0), &opts),
              0);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(n_calls, 1);
    plait_future_unref(future);
    destroy();
}

#endif
