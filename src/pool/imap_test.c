/* Maps over items that come one by one, on an executor that runs its jobs when the test wants it.
 * SPDX-License-Identifier: MIT
 */
#include "pool/serial.h"

#include <plait/error.h>

#include "test.h"

#include <string.h>

/* Gives 0, 1, 2 … and then what it was told to. */
struct source {
    long next;
    long end;
    int last;
    long given_out;
    long most_ahead;
    int64_t takes_ms; /* for each */
};

static int give(void *item, void *arg)
{
    struct source *source = arg;

    if (source->next == source->end)
        return source->last;
    if (source->takes_ms > 0)
        plait_sleep(plait_after_ms(source->takes_ms));
    if (source->next - source->given_out + 1 > source->most_ahead)
        source->most_ahead = source->next - source->given_out + 1;
    *(long *)item = source->next++;
    return 1;
}

static int square(const void *in, void *out, void *ctx)
{
    long n = *(const long *)in;

    (void)ctx;
    *(long *)out = n * n;
    return n % 10 == 3 ? -3 : 0;
}

static plait_imap *make(plait_pool *pool, struct source *source, plait_imap_opts opts)
{
    plait_imap *imap = NULL;

    opts.in_bytes = opts.out_bytes = sizeof(long);
    CHECK_INT(plait_pool_imap(pool, &imap, square, give, source, &opts), 0);
    return imap;
}

TEST(results_come_in_the_order_of_the_items_and_the_window_bounds_them)
{
    static const size_t chunks[] = { 0, 1, 4, 100 };

    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        plait_pool *pool = serial_pool(0);
        struct source source = { .end = 1000 };
        plait_imap *imap =
            make(pool, &source, (plait_imap_opts){ .window = 8, .chunk = chunks[i] });

        serial_of(pool)->runs_newest = true;
        for (; source.given_out < 1000; source.given_out++) {
            plait_result end;
            long n = -1;
            CHECK_INT(plait_imap_next(imap, &n, &end, PLAIT_FOREVER), 1);
            CHECK_INT(end.end, source.given_out % 10 == 3 ? PLAIT_JOB_ERROR : PLAIT_JOB_VALUE);
            CHECK_INT(n, source.given_out % 10 == 3 ? -1 : source.given_out * source.given_out);
        }
        CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_NOWAIT), 0);
        CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), 0);
        CHECK_INT(source.most_ahead, 8);
        plait_imap_destroy(imap);
        plait_pool_destroy(pool);
    }
}

TEST(results_of_a_slow_source_come_before_it_is_asked_for_more)
{
    plait_pool *pool = serial_pool(0);
    struct source source = { .end = 100, .takes_ms = 30 };
    plait_imap *imap = make(pool, &source, (plait_imap_opts){ .chunk = 10 });

    CHECK(source.next <= 1);
    while (source.given_out < 5) {
        CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), 1);
        source.given_out++;
        CHECK(source.next <= source.given_out + 1);
    }
    plait_imap_destroy(imap);
    plait_pool_destroy(pool);
}

TEST(a_slow_source_is_not_asked_behind_the_deadline)
{
    plait_pool *pool = serial_pool(0);
    struct source source = { .end = 100, .takes_ms = 30 };
    plait_imap *imap;

    serial_of(pool)->budget = 0;
    imap = make(pool, &source, (plait_imap_opts){ 0 });
    CHECK_INT(plait_imap_next(imap, NULL, NULL, plait_after_ms(45)), -ETIMEDOUT);
    CHECK(source.next <= 4);
    serial_of(pool)->budget = SIZE_MAX;
    plait_imap_destroy(imap);
    plait_pool_destroy(pool);
}

TEST(unordered_results_come_as_they_end_and_each_once)
{
    plait_pool *pool = serial_pool(0);
    struct source source = { .end = 100 };
    plait_imap *imap;
    bool seen[100] = { 0 }, is_ordered = true;

    serial_of(pool)->runs_newest = true;
    imap = make(pool, &source, (plait_imap_opts){ .is_unordered = true, .chunk = 1 });
    for (int i = 0; i < 100; i++) {
        plait_result end;
        long n = 0;
        int root = 0;
        CHECK_INT(plait_imap_next(imap, &n, &end, PLAIT_FOREVER), 1);
        if (end.end != PLAIT_JOB_VALUE)
            continue;
        while (root * root < n)
            root++;
        CHECK(root < 100 && !seen[root]);
        is_ordered = is_ordered && root == i;
        seen[root] = true;
    }
    for (int i = 0; i < 100; i++)
        CHECK_INT(seen[i], i % 10 != 3);
    CHECK(!is_ordered);
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), 0);
    plait_imap_destroy(imap);
    plait_pool_destroy(pool);
}

TEST(an_error_of_the_source_comes_after_the_items_before_it)
{
    plait_pool *pool = serial_pool(0);
    struct source source = { .end = 2, .last = -EIO };
    plait_imap *imap = make(pool, &source, (plait_imap_opts){ 0 });

    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), 1);
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), 1);
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), -EIO);
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), -EIO);
    plait_imap_destroy(imap);
    plait_pool_destroy(pool);
}

TEST(what_has_not_ended_is_waited_for_no_longer_than_the_deadline)
{
    plait_pool *pool = serial_pool(0);
    struct source source = { .end = 2 };
    plait_imap *imap = make(pool, &source, (plait_imap_opts){ 0 });

    serial_of(pool)->budget = 0;
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_imap_next(imap, NULL, NULL, plait_after_ms(3)), -ETIMEDOUT);
    serial_of(pool)->budget = 1;
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_NOWAIT), 1);
    serial_of(pool)->refills = SIZE_MAX;
    plait_imap_destroy(imap); /* with one item under way */
    CHECK_INT(serial_of(pool)->n, 0);
    plait_pool_destroy(pool);
}

TEST(a_closed_pool_ends_what_was_begun_and_takes_nothing_new)
{
    plait_pool *pool = serial_pool(0);
    struct source source = { .end = 50 };
    plait_imap *imap = make(pool, &source, (plait_imap_opts){ .window = 10 }), *other;
    plait_imap_opts opts = { 0 };

    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(plait_pool_imap(pool, &other, square, give, &source, &opts), -EPIPE);
    for (int i = 0; i < 50; i++)
        CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), 1);
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), 0);
    plait_imap_destroy(imap);
    plait_pool_destroy(pool);
}

TEST(a_destroyed_pool_leaves_the_rest_cancelled)
{
    plait_pool *pool = serial_pool(0);
    struct source source = { .end = 50 };
    plait_imap *imap;
    plait_result end;
    int n = 0, rc;

    serial_of(pool)->budget = 0;
    imap = make(pool, &source, (plait_imap_opts){ .window = 4, .chunk = 2 });
    plait_pool_destroy(pool);
    while ((rc = plait_imap_next(imap, NULL, &end, PLAIT_FOREVER)) == 1) {
        CHECK_INT(end.end, PLAIT_JOB_CANCELLED);
        CHECK_INT(end.cause, PLAIT_CAUSE_SHUTDOWN);
        n++;
    }
    CHECK_INT(rc, -EPIPE);
    CHECK(n >= 4);
    plait_imap_destroy(imap);
}

TEST(what_cannot_be_submitted_is_said_by_the_call_that_makes_it)
{
    plait_pool *pool = serial_pool(0);
    struct source source = { .end = 50 };
    plait_imap_opts opts = { .in_bytes = sizeof(long), .out_bytes = sizeof(long) };
    plait_imap *imap = NULL;

    serial_of(pool)->error = PLAIT_EPOOL;
    CHECK_INT(plait_pool_imap(pool, &imap, square, give, &source, &opts), PLAIT_EPOOL);
    CHECK(imap == NULL);
    CHECK_INT(plait_pool_imap(pool, NULL, square, give, &source, &opts), -EINVAL);
    CHECK_INT(plait_pool_imap(NULL, &imap, square, give, &source, &opts), -EINVAL);
    plait_imap_destroy(NULL);
    plait_pool_destroy(pool);
}
