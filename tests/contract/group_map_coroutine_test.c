/* The contract of maps by the coroutines of a group.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ITEMS = 200,
    BOUND = 5
};

static plait_group *group;
static plait_event gate;
static int n_running, n_most, n_begun;

static void make(uint32_t max_running, bool cancel_on_error)
{
    plait_group_opts opts = { .max_running = max_running, .cancel_on_error = cancel_on_error };

    CHECK_INT(plait_group_create(&group, &opts), 0);
}

static void begin(void)
{
    n_begun++;
    n_running++;
    n_most = n_running > n_most ? n_running : n_most;
}

/* It can be run by a pool as well. */
static int square(const void *in, void *out, void *ctx)
{
    long n = *(const long *)in;

    begin();
    plait_sleep(PLAIT_NOWAIT);
    n_running--;
    *(long *)out = n * n + (ctx != NULL ? *(long *)ctx : 0);
    return n % 100 == 99 ? -EIO : 0;
}

static int stand(const void *in, void *out, void *ctx)
{
    int rc;

    (void)in;
    (void)out;
    (void)ctx;
    begin();
    rc = plait_event_wait(&gate, PLAIT_FOREVER);
    n_running--;
    return rc;
}

/* The first one, and then all others. */
static int fail_first(const void *in, void *out, void *ctx)
{
    return *(const long *)in == 0 ? -EIO : stand(in, out, ctx);
}

static void fill(long n[ITEMS])
{
    for (long i = 0; i < ITEMS; i++)
        n[i] = i;
}

/* ---- map ---- */

TEST(a_map_runs_each_item_and_counts_those_that_fail)
{
    long n[ITEMS], squares[ITEMS], one = 1;

    fill(n);
    make(0, false);
    CHECK_INT(plait_group_map(group, square, PLAIT_IN(n), PLAIT_OUT(squares), &one, PLAIT_FOREVER),
              2);
    CHECK_INT(n_begun, ITEMS);
    CHECK_INT(n_most, ITEMS); /* there is no bound */
    for (long i = 0; i < ITEMS; i++)
        CHECK_INT(squares[i], i * i + 1);
    CHECK_INT(plait_group_join(group, PLAIT_NOWAIT), 2);
    CHECK_INT(plait_group_error(group), -EIO);
    plait_group_destroy(group);
}

TEST(a_pool_runs_the_same_function)
{
    long n[ITEMS], squares[ITEMS];
    plait_pool *pool = NULL;

    fill(n);
    CHECK_INT(plait_pool_create(&pool, PLAIT_COROUTINE, NULL), 0);
    CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(n), PLAIT_OUT(squares), NULL, PLAIT_FOREVER),
              2);
    CHECK_INT(squares[7], 49);
    plait_pool_destroy(pool);
}

static int stand_too(void *arg)
{
    (void)arg;
    return stand(NULL, NULL, NULL);
}

TEST(a_map_keeps_the_bound_of_its_group)
{
    long n[ITEMS], squares[ITEMS];

    fill(n);
    make(BOUND, false);
    CHECK_INT(plait_group_map(group, square, PLAIT_IN(n), PLAIT_OUT(squares), NULL, PLAIT_FOREVER),
              2);
    CHECK_INT(n_begun, ITEMS);
    CHECK_INT(n_most, BOUND);
    n_most = 0;
    for (int i = 1; i < BOUND; i++) /* others of the group count */
        CHECK_INT(plait_group_go(group, stand_too, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_group_map(group, square, PLAIT_IN(n), PLAIT_OUT(squares), NULL, PLAIT_FOREVER),
              2);
    CHECK_INT(n_most, BOUND);
    CHECK_INT(n_running, BOUND - 1);
    plait_group_destroy(group);
}

TEST(when_it_takes_too_long_nothing_of_the_map_is_left)
{
    long n[ITEMS];

    fill(n);
    make(BOUND + 1, false);
    CHECK_INT(plait_group_go(group, stand_too, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_group_map(group, stand, PLAIT_IN(n), plait_items_of(NULL, 0, 0), NULL,
                              plait_after_ms(5)),
              -ETIMEDOUT);
    CHECK_INT(n_begun, BOUND + 1);
    CHECK_INT(n_running, 1); /* who is not of the map */
    CHECK_INT(plait_group_count(group), 1);
    plait_group_destroy(group);
}

static int map_for_ever(void *arg)
{
    long n[ITEMS];

    (void)arg;
    fill(n);
    return plait_group_map(group, stand, PLAIT_IN(n), plait_items_of(NULL, 0, 0), NULL,
                           PLAIT_FOREVER);
}

TEST(who_maps_is_asked_to_end_and_the_items_with_it)
{
    plait_task *task = NULL;
    plait_outcome end;

    make(0, false);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, map_for_ever, NULL, NULL), 0);
    while (n_running < ITEMS)
        plait_yield();
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, -ECANCELED);
    CHECK_INT(n_running, 0);
    plait_task_destroy(task);
    plait_group_destroy(group);
}

TEST(a_cancelled_group_ends_its_maps)
{
    plait_task *task = NULL;
    plait_outcome end;
    long n[ITEMS];

    fill(n);
    make(BOUND, false);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, map_for_ever, NULL, NULL), 0);
    while (n_running < BOUND)
        plait_yield();
    CHECK_INT(plait_group_cancel(group), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, ITEMS);
    CHECK_INT(n_begun, BOUND);
    CHECK_INT(
        plait_group_map(group, stand, PLAIT_IN(n), plait_items_of(NULL, 0, 0), NULL, PLAIT_FOREVER),
        -EPIPE);
    CHECK_INT(plait_group_join(group, PLAIT_NOWAIT), 0); /* who is asked to end does not fail */
    plait_task_destroy(task);
    plait_group_destroy(group);
}

TEST(the_first_error_of_a_strict_group_ends_the_map)
{
    long n[ITEMS];

    fill(n);
    make(BOUND, true);
    CHECK_INT(plait_group_map(group, fail_first, PLAIT_IN(n), plait_items_of(NULL, 0, 0), NULL,
                              PLAIT_FOREVER),
              ITEMS);
    CHECK_INT(plait_group_error(group), -EIO);
    CHECK(n_begun < BOUND);
    plait_group_destroy(group);
}

static int join_own(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return plait_group_join(group, PLAIT_FOREVER) == -EDEADLK ? 0 : -EIO;
}

TEST(an_item_is_one_of_the_group)
{
    long n[1] = { 0 };

    make(0, false);
    CHECK_INT(plait_group_map(group, join_own, PLAIT_IN(n), plait_items_of(NULL, 0, 0), NULL,
                              PLAIT_FOREVER),
              0);
    plait_group_destroy(group);
}

static int go_child(void *arg)
{
    plait_sleep(plait_after_ms(2));
    *(long *)arg = 7;
    return 0;
}

static int leave_child(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)ctx;
    return plait_go(go_child, out);
}

TEST(an_item_ends_after_what_it_started)
{
    long n[3] = { 0 }, out[3] = { 0 };

    make(0, false);
    CHECK_INT(plait_group_map(group, leave_child, PLAIT_IN(n), PLAIT_OUT(out), NULL, PLAIT_FOREVER),
              0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(out[i], 7);
    plait_group_destroy(group);
}

static uint32_t n_atomic; /* atomic */

static int add(const void *in, void *out, void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 3; i++)
        plait_yield();
    *(long *)out = *(const long *)in;
    __atomic_fetch_add(&n_atomic, 1, __ATOMIC_SEQ_CST);
    return 0;
}

TEST(a_map_reaches_over_several_threads)
{
    long n[ITEMS], out[ITEMS];

    fill(n);
    make(50, false);
    CHECK_INT(plait_loops_start(2), 0);
    for (uint32_t i = 1; i <= 20; i++) {
        memset(out, 0, sizeof out);
        CHECK_INT(plait_group_map(group, add, PLAIT_IN(n), PLAIT_OUT(out), NULL, PLAIT_FOREVER), 0);
        CHECK_INT(__atomic_load_n(&n_atomic, __ATOMIC_SEQ_CST), i * ITEMS);
        CHECK_MEM(out, sizeof out, n, sizeof n);
    }
    plait_group_destroy(group);
}

/* ---- imap ---- */

struct source {
    long next, end;
    int code; /* at the end */
    int64_t sleep_ms;
};

static int give(void *item, void *arg)
{
    struct source *source = arg;

    if (source->sleep_ms > 0)
        plait_sleep(plait_after_ms(source->sleep_ms));
    if (source->next == source->end)
        return source->code;
    *(long *)item = source->next++;
    return 1;
}

/* The later the sooner. */
static int hurry(const void *in, void *out, void *ctx)
{
    long n = *(const long *)in, first = n / BOUND * BOUND;

    begin();
    for (long i = n - first; i < BOUND; i++)
        plait_yield();
    n_running--;
    return square(in, out, ctx);
}

static plait_imap *begin_imap(plait_pool_fn *fn, struct source *source, plait_imap_opts opts)
{
    plait_imap *imap = NULL;

    opts.in_bytes = opts.out_bytes = sizeof(long);
    CHECK_INT(plait_group_imap(group, &imap, fn, give, source, &opts), 0);
    return imap;
}

TEST(an_imap_gives_results_in_the_order_of_the_items)
{
    struct source source = { .end = ITEMS, .code = -EPROTO };
    plait_result result;
    plait_imap *imap;
    long squared;

    make(BOUND, false);
    imap = begin_imap(hurry, &source, (plait_imap_opts){ 0 });
    for (long i = 0; i < ITEMS; i++) {
        CHECK_INT(plait_imap_next(imap, &squared, &result, PLAIT_FOREVER), 1);
        CHECK_INT(result.end, i % 100 == 99 ? PLAIT_JOB_ERROR : PLAIT_JOB_VALUE);
        CHECK_INT(result.code, i % 100 == 99 ? -EIO : 0);
        if (result.end == PLAIT_JOB_VALUE)
            CHECK_INT(squared, i * i);
        CHECK(source.next <= i + 1 + 2 * BOUND); /* the window */
    }
    CHECK_INT(n_most, BOUND);
    CHECK_INT(plait_imap_next(imap, &squared, &result, PLAIT_FOREVER), -EPROTO);
    plait_imap_destroy(imap);
    plait_group_destroy(group);
}

TEST(an_unordered_imap_gives_them_as_they_come)
{
    struct source source = { .end = ITEMS };
    bool in_order = true, seen[ITEMS] = { false };
    plait_imap *imap;
    long squared, root;

    make(BOUND, false);
    imap = begin_imap(hurry, &source, (plait_imap_opts){ .is_unordered = true });
    for (long i = 0; i < ITEMS; i++) {
        plait_result result;
        CHECK_INT(plait_imap_next(imap, &squared, &result, PLAIT_FOREVER), 1);
        if (result.end != PLAIT_JOB_VALUE)
            continue;
        for (root = 0; root * root < squared; root++)
            continue;
        CHECK(!seen[root]);
        seen[root] = true;
        in_order = in_order && root == i;
    }
    CHECK(!in_order);
    CHECK_INT(plait_imap_next(imap, &squared, NULL, PLAIT_FOREVER), 0);
    plait_imap_destroy(imap);
    plait_group_destroy(group);
}

TEST(a_slow_source_holds_no_results_back)
{
    struct source source = { .end = 10, .sleep_ms = 5 };
    plait_imap *imap;
    long squared;

    make(0, false);
    imap = begin_imap(square, &source, (plait_imap_opts){ .window = 10 });
    CHECK_INT(plait_imap_next(imap, &squared, NULL, PLAIT_FOREVER), 1);
    CHECK(source.next < 10);
    plait_imap_destroy(imap);
    plait_group_destroy(group);
}

TEST(an_imap_waits_for_others_of_a_full_group)
{
    struct source source = { .end = 3 };
    plait_imap *imap;
    long squared;

    make(1, false);
    CHECK_INT(plait_group_go(group, stand_too, NULL, PLAIT_FOREVER), 0);
    imap = begin_imap(square, &source, (plait_imap_opts){ 0 });
    CHECK_INT(plait_imap_next(imap, &squared, NULL, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(source.next, 0); /* nothing is taken that cannot begin */
    plait_event_set(&gate);
    for (long i = 0; i < 3; i++) {
        CHECK_INT(plait_imap_next(imap, &squared, NULL, PLAIT_FOREVER), 1);
        CHECK_INT(squared, i * i);
    }
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), 0);
    plait_imap_destroy(imap);
    plait_group_destroy(group);
}

TEST(the_end_of_an_imap_ends_what_runs)
{
    struct source source = { .end = LONG_MAX };
    plait_imap *imap;

    make(BOUND, false);
    imap = begin_imap(stand, &source, (plait_imap_opts){ 0 });
    while (n_running < BOUND)
        plait_yield();
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_imap_destroy(imap);
    CHECK_INT(n_running, 0);
    CHECK_INT(plait_group_count(group), 0);
    imap = begin_imap(stand, &source, (plait_imap_opts){ .window = 3 });
    while (n_running < 3)
        plait_yield();
    CHECK_INT(plait_imap_next(imap, NULL, NULL, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(n_running, 3);
    plait_group_cancel(group);
    for (int i = 0; i < 3; i++) {
        plait_result result;
        CHECK_INT(plait_imap_next(imap, NULL, &result, PLAIT_FOREVER), 1);
        CHECK_INT(result.end, PLAIT_JOB_CANCELLED);
    }
    CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), -EPIPE);
    plait_imap_destroy(imap);
    plait_group_destroy(group);
}

TEST(a_child_frees_its_imap_and_no_more)
{
    struct source source = { .end = 10 };
    int status = 0;
    plait_imap *imap;
    pid_t pid;

    make(BOUND, false);
    imap = begin_imap(stand, &source, (plait_imap_opts){ 0 });
    pid = fork();
    if (pid == 0) {
        CHECK_INT(plait_imap_next(imap, NULL, NULL, PLAIT_FOREVER), -ECHILD);
        plait_imap_destroy(imap);
        plait_group_destroy(group);
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    plait_imap_destroy(imap);
    plait_group_destroy(group);
}

TEST(what_makes_no_sense_is_refused)
{
    long n[ITEMS], few[2];
    plait_items none = plait_items_of(NULL, 0, 0), bad = plait_items_of(NULL, 8, 3);
    struct source source = { 0 };
    plait_imap *imap = NULL;
    plait_imap_opts limits = { .soft_ms = 1 }, chunk = { .chunk = 1 };

    fill(n);
    make(0, false);
    CHECK_INT(plait_group_map(NULL, square, PLAIT_IN(n), none, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_group_map(group, NULL, PLAIT_IN(n), none, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_group_map(group, square, PLAIT_IN(n), PLAIT_OUT(few), NULL, PLAIT_NOWAIT),
              -EINVAL);
    CHECK_INT(plait_group_map(group, square, bad, none, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_group_map(group, square, none, none, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_group_imap(NULL, &imap, square, give, &source, NULL), -EINVAL);
    CHECK_INT(plait_group_imap(group, NULL, square, give, &source, NULL), -EINVAL);
    CHECK_INT(plait_group_imap(group, &imap, NULL, give, &source, NULL), -EINVAL);
    CHECK_INT(plait_group_imap(group, &imap, square, NULL, &source, NULL), -EINVAL);
    CHECK_INT(plait_group_imap(group, &imap, square, give, &source, &limits), -EINVAL);
    CHECK_INT(plait_group_imap(group, &imap, square, give, &source, &chunk), -EINVAL);
    CHECK(imap == NULL);
    plait_group_destroy(group);
}
