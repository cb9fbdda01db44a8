/* The contract of graphs.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "os/sanitize.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHAIN = 1000,
    LONG_CHAIN = 30000,
#if defined(PLAIT__ASAN) || defined(PLAIT__TSAN)
    PIECES = 10000, /* nodes */
#else
    PIECES = 100000,
#endif
    WIDE = 100
};

static plait_graph *graph;
static plait_event gate;
static int n_running, n_most, n_begun;
static char said[1024];

static void make(uint32_t max_running, bool cancel_on_error)
{
    plait_group_opts opts = { .max_running = max_running, .cancel_on_error = cancel_on_error };

    CHECK_INT(plait_graph_create(&graph, &opts), 0);
}

/* What it needs, and ctx. */
struct list {
    const char *keys[8];
    size_t n;
};

static int add(const char *key, plait_pool_row_fn *fn, const struct list *needs, void *ctx)
{
    plait_graph_node node = { .key = key,
                              .fn = fn,
                              .ctx = ctx,
                              .needs = needs->keys,
                              .n_needs = needs->n,
                              .out_bytes = sizeof(long) };

    return plait_graph_add(graph, &node);
}

#define NEEDS(...)                                                                \
    &(struct list)                                                                \
    {                                                                             \
        { __VA_ARGS__ }, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *) \
    }
static const struct list nothing;

static long get(const char *key)
{
    long value = 0;

    CHECK_INT(plait_graph_get(graph, key, &value, sizeof value, PLAIT_FOREVER), sizeof value);
    return value;
}

static int sum_of_two(const void *const *row, void *out, void *ctx)
{
    n_begun++;
    *(long *)out = *(const long *)row[0] * 10 + *(const long *)row[1] + (long)(intptr_t)ctx;
    return 0;
}

static int one_more(const void *const *row, void *out, void *ctx)
{
    (void)ctx;
    /* else the stacks of a long chain would be there until its end */
    CHECK(plait_task_parent(plait_task_current()) == NULL);
    *(long *)out = *(const long *)row[0] + 1;
    return 0;
}

static int give(const void *const *row, void *out, void *ctx)
{
    (void)row;
    n_begun++;
    plait_sleep(PLAIT_NOWAIT);
    *(long *)out = (long)(intptr_t)ctx;
    return 0;
}

static int fail(const void *const *row, void *out, void *ctx)
{
    (void)row;
    (void)out;
    plait_sleep(PLAIT_NOWAIT);
    return (int)(intptr_t)ctx;
}

static int stand(const void *const *row, void *out, void *ctx)
{
    int rc;

    (void)row;
    (void)out;
    (void)ctx;
    n_running++;
    n_most = n_running > n_most ? n_running : n_most;
    rc = plait_event_wait(&gate, PLAIT_FOREVER);
    n_running--;
    return rc;
}

static void *number(long n)
{
    return (void *)(intptr_t)n;
}

TEST(each_runs_when_all_that_it_needs_are_there_whatever_the_order_of_the_adds)
{
    make(0, false);
    CHECK_INT(add("d", sum_of_two, NEEDS("b", "c"), number(1000)), 0);
    CHECK_INT(add("b", sum_of_two, NEEDS("a", "x"), number(0)), 0);
    CHECK_INT(add("a", give, &nothing, number(1)), 0);
    CHECK_INT(add("c", sum_of_two, NEEDS("a", "a"), number(0)), 0);
    CHECK_INT(plait_graph_get(graph, "d", NULL, 0, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(plait_graph_post(graph, "x", &(long){ 5 }, sizeof(long)), 0);
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 0);
    CHECK_INT(get("b"), 15);
    CHECK_INT(get("c"), 11);
    CHECK_INT(get("d"), 1161);
    CHECK_INT(get("d"), 1161);
    CHECK_INT(n_begun, 4);
    CHECK_INT(plait_graph_failure(graph, "d", NULL), 0);
    CHECK_INT(plait_graph_post(graph, "d", NULL, 0), -EEXIST);
    CHECK_INT(add("a", give, &nothing, NULL), -EEXIST);
    CHECK_INT(add("e", sum_of_two, NEEDS("d", "x"), number(0)), 0); /* it is used on */
    CHECK_INT(get("e"), 11615);
    plait_graph_destroy(graph);
}

TEST(who_fails_fails_all_that_need_it_and_no_others)
{
    const char *culprit = NULL, *untouched = "x";
    long value;

    make(0, false);
    CHECK_INT(add("good", give, &nothing, number(1)), 0);
    CHECK_INT(add("bad", fail, &nothing, number(-EPROTO)), 0);
    CHECK_INT(add("near", sum_of_two, NEEDS("good", "bad"), NULL), 0);
    CHECK_INT(add("far", sum_of_two, NEEDS("near", "never"), NULL), 0);
    CHECK_INT(add("other", sum_of_two, NEEDS("good", "good"), NULL), 0);
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 3); /* nobody waits for what was not added */
    CHECK_INT(n_begun, 2);
    CHECK_INT(get("other"), 11);
    CHECK_INT(plait_graph_get(graph, "far", &value, sizeof value, PLAIT_NOWAIT), PLAIT_ENOVALUE);
    CHECK_INT(plait_graph_failure(graph, "far", &culprit), -EPROTO);
    CHECK_STR(culprit, "bad");
    CHECK_INT(add("late", sum_of_two, NEEDS("far", "good"), NULL), 0);
    CHECK_INT(plait_graph_failure(graph, "late", &culprit), -EPROTO);
    CHECK_STR(culprit, "bad");
    CHECK_INT(plait_graph_failure(graph, "good", &untouched), 0);
    CHECK_INT(plait_graph_failure(graph, "unknown", &untouched), 0);
    CHECK_STR(untouched, "x");
    CHECK_INT(plait_graph_post(graph, "never", NULL, 0), 0); /* nobody needs it any more */
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 4);
    plait_graph_destroy(graph);
}

TEST(a_circle_is_refused)
{
    make(0, false);
    CHECK_INT(add("self", sum_of_two, NEEDS("a", "self"), NULL), -ELOOP);
    CHECK_INT(add("b", sum_of_two, NEEDS("a", "a"), NULL), 0);
    CHECK_INT(add("c", sum_of_two, NEEDS("b", "x"), NULL), 0);
    CHECK_INT(add("d", sum_of_two, NEEDS("c", "b"), NULL), 0);
    CHECK_INT(add("a", sum_of_two, NEEDS("x", "d"), NULL), -ELOOP);
    CHECK_INT(add("x", one_more, NEEDS("d"), NULL), -ELOOP);
    CHECK_INT(add("a", give, &nothing, number(1)), 0); /* the refused ones left nothing behind */
    CHECK_INT(add("x", one_more, NEEDS("b"), NULL), 0);
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 0);
    CHECK_INT(get("x"), 12);
    CHECK_INT(get("d"), 1231);
    plait_graph_destroy(graph);
}

static void listen(plait_log_level level, const char *text, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(said, sizeof said, "%s", text);
}

TEST(what_nobody_has_added_is_named)
{
    const char *key = NULL;

    plait_log_set(listen, NULL, PLAIT_LOG_WARNING);
    make(0, false);
    CHECK_INT(add("b", sum_of_two, NEEDS("a", "missing"), NULL), 0);
    CHECK_INT(add("a", give, &nothing, number(1)), 0);
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), -EDEADLK);
    CHECK(strstr(said, "\"b\" needs \"missing\"") != NULL);
    CHECK_INT(plait_graph_next(graph, &key, PLAIT_FOREVER), 1);
    CHECK_STR(key, "a");
    CHECK_INT(plait_graph_next(graph, &key, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(plait_graph_post(graph, "missing", &(long){ 2 }, sizeof(long)), 0);
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 0);
    CHECK_INT(get("b"), 12);
    plait_graph_destroy(graph);
}

TEST(ends_are_told_once_each_in_their_order)
{
    static const char *const keys[] = { "x", "a", "b", "c" };
    const char *key = NULL;

    make(0, false);
    CHECK_INT(add("c", one_more, NEEDS("b"), NULL), 0);
    CHECK_INT(add("b", one_more, NEEDS("a"), NULL), 0);
    CHECK_INT(add("a", one_more, NEEDS("x"), NULL), 0);
    CHECK_INT(plait_graph_post(graph, "x", &(long){ 1 }, sizeof(long)), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(plait_graph_next(graph, &key, PLAIT_FOREVER), 1);
        CHECK_STR(key, keys[i]);
    }
    CHECK_INT(plait_graph_next(graph, &key, PLAIT_FOREVER), 0);
    CHECK_INT(get("c"), 4);
    plait_graph_destroy(graph);
}

/* It has ended, but not all that it needs: a search for circles comes by there. */
TEST(who_failed_is_told_once_also_when_what_it_needs_is_added_later)
{
    static const char *const keys[] = { "bad", "early", "beside", "x", "far", "late" };
    const char *key = NULL;

    make(0, false);
    CHECK_INT(add("far", one_more, NEEDS("x"), NULL), 0);
    CHECK_INT(add("early", sum_of_two, NEEDS("bad", "late"), NULL), 0);
    CHECK_INT(add("beside", one_more, NEEDS("bad"), NULL), 0);
    CHECK_INT(add("bad", fail, &nothing, (void *)-7), 0);
    CHECK_INT(plait_graph_get(graph, "bad", NULL, 0, PLAIT_FOREVER), PLAIT_ENOVALUE);
    CHECK_INT(add("late", one_more, NEEDS("far"), NULL), 0);
    CHECK_INT(plait_graph_post(graph, "x", &(long){ 1 }, sizeof(long)), 0);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(plait_graph_next(graph, &key, PLAIT_FOREVER), 1);
        CHECK_STR(key, keys[i]);
    }
    CHECK_INT(plait_graph_next(graph, &key, PLAIT_FOREVER), 0);
    plait_graph_destroy(graph);
}

static int get_from_inside(const void *const *row, void *out, void *ctx)
{
    long value = 0;

    (void)row;
    (void)ctx;
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), -EDEADLK);
    CHECK_INT(add("grandchild", give, &nothing, number(4)), 0);
    CHECK_INT(plait_graph_get(graph, "grandchild", &value, sizeof value, PLAIT_FOREVER),
              sizeof value);
    *(long *)out = value + 1;
    return 0;
}

TEST(a_node_may_add_others_and_get_their_values)
{
    make(0, false);
    CHECK_INT(add("child", get_from_inside, &nothing, NULL), 0);
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 0);
    CHECK_INT(get("child"), 5);
    plait_graph_destroy(graph);
}

static void add_many(int n, plait_pool_row_fn *fn)
{
    char key[16];

    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%d", i);
        CHECK_INT(add(key, fn, &nothing, number(i)), 0);
    }
}

TEST(no_more_run_at_once_than_may)
{
    make(3, false);
    add_many(20, stand);
    while (n_running < 3)
        plait_yield();
    CHECK_INT(plait_graph_wait(graph, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(n_running, 3);
    plait_event_set(&gate);
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 0);
    CHECK_INT(n_most, 3);
    plait_graph_destroy(graph);
}

TEST(destroy_ends_what_runs)
{
    make(3, false);
    add_many(20, stand);
    while (n_running < 3)
        plait_yield();
    plait_graph_destroy(graph);
    CHECK_INT(n_running, 0);
    CHECK_INT(n_most, 3); /* the others were not begun */
    plait_graph_destroy(NULL);
}

TEST(the_first_error_of_a_strict_graph_calls_off_the_rest)
{
    const char *culprit = NULL;

    make(2, true);
    CHECK_INT(add("runs", stand, &nothing, NULL), 0);
    CHECK_INT(add("bad", fail, &nothing, number(-EIO)), 0);
    CHECK_INT(add("waits", stand, &nothing, NULL), 0);
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 3);
    CHECK_INT(plait_graph_failure(graph, "bad", &culprit), -EIO);
    CHECK_INT(plait_graph_failure(graph, "runs", &culprit), -ECANCELED);
    CHECK_STR(culprit, "runs");
    CHECK_INT(plait_graph_failure(graph, "waits", &culprit), -ECANCELED);
    CHECK_STR(culprit, "bad");
    CHECK_INT(n_most, 1);
    plait_graph_destroy(graph);
}

enum {
    FEW = 24 /* nodes, of which any may need any */
};

/* Does one of them need it, near or far? */
static bool leads_to(bool needs[FEW][FEW], int from, int to)
{
    bool seen[FEW] = { [0] = false };
    int todo[FEW], n = 0;

    todo[n++] = from;
    seen[from] = true;
    while (n > 0) {
        int at = todo[--n];
        if (needs[at][to])
            return true;
        for (int i = 0; i < FEW; i++)
            if (needs[at][i] && !seen[i]) {
                seen[i] = true;
                todo[n++] = i;
            }
    }
    return false;
}

/* Adds it with a few needs; all wait for what nobody adds. 1: it was refused. */
static int add_any(bool needs[FEW][FEW], int i, unsigned *seed)
{
    static char names[FEW][8];
    struct list list = { { "never" }, 1 };
    int rc;

    for (int k = rand_r(seed) % 4; k > 0; k--) {
        int what = rand_r(seed) % FEW;
        snprintf(names[what], sizeof names[what], "n%d", what);
        list.keys[list.n++] = names[what];
        needs[i][what] = true;
    }
    snprintf(names[i], sizeof names[i], "n%d", i);
    rc = leads_to(needs, i, i) ? -ELOOP : 0;
    CHECK_INT(add(names[i], stand, &list, NULL), rc);
    for (int k = 0; k < FEW && rc < 0; k++)
        needs[i][k] = false;
    return rc < 0;
}

TEST(who_would_need_itself_is_refused_and_nobody_else)
{
    unsigned seed = 1;
    int n_refused = 0;

    for (int round = 0; round < 200; round++) {
        bool needs[FEW][FEW] = { { false } };
        make(0, false);
        for (int i = 0; i < FEW; i++)
            n_refused += add_any(needs, (i * 7 + round) % FEW, &seed);
        plait_graph_destroy(graph);
    }
    CHECK(n_refused > 100);
}

/* Links between nodes that wait: each joins the chain that is there with a short one. */
static void join_pieces(void)
{
    char key[16], before[16];
    struct list need = { { before }, 1 };

    for (int i = 1; i < PIECES; i += 2) {
        snprintf(key, sizeof key, "c%d", i);
        snprintf(before, sizeof before, "c%d", i - 1);
        CHECK_INT(add(key, one_more, &need, NULL), 0);
    }
    for (int i = 2; i < PIECES; i += 2) {
        snprintf(key, sizeof key, "c%d", i);
        snprintf(before, sizeof before, "c%d", i - 1);
        CHECK_INT(add(key, one_more, &need, NULL), 0);
    }
}

/* If each search went through all that is there it would not end in time. */
TEST(a_long_chain_may_be_added_from_pieces)
{
    make(0, false);
    join_pieces();
    plait_graph_destroy(graph);
}

TEST(a_long_chain_and_a_wide_row_end)
{
    char key[16], before[16];
    struct list need = { { before }, 1 };

    make(10, false);
    for (int i = LONG_CHAIN; i > 0; i--) {
        snprintf(key, sizeof key, "c%d", i);
        snprintf(before, sizeof before, "c%d", i - 1);
        CHECK_INT(add(key, one_more, &need, NULL), 0);
    }
    CHECK_INT(plait_graph_post(graph, "c0", &(long){ 0 }, sizeof(long)), 0);
    snprintf(key, sizeof key, "c%d", LONG_CHAIN);
    CHECK_INT(get(key), LONG_CHAIN);
    add_many(WIDE, give);
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 0);
    plait_graph_destroy(graph);
}

TEST(a_failure_runs_down_a_long_chain)
{
    char key[16], before[16];
    struct list need = { { before }, 1 };
    const char *culprit = NULL;

    make(0, false);
    CHECK_INT(add("c0", fail, &nothing, number(-EIO)), 0);
    for (int i = 1; i <= CHAIN; i++) {
        snprintf(key, sizeof key, "c%d", i);
        snprintf(before, sizeof before, "c%d", i - 1);
        CHECK_INT(add(key, one_more, &need, NULL), 0);
    }
    CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), CHAIN + 1);
    CHECK_INT(plait_graph_failure(graph, key, &culprit), -EIO);
    CHECK_STR(culprit, "c0");
    plait_graph_destroy(graph);
}

static uint32_t n_atomic; /* atomic */

static int count(const void *const *row, void *out, void *ctx)
{
    (void)row;
    (void)ctx;
    for (int i = 0; i < 3; i++)
        plait_yield();
    *(long *)out = __atomic_add_fetch(&n_atomic, 1, __ATOMIC_SEQ_CST);
    return 0;
}

TEST(a_graph_reaches_over_several_threads)
{
    char key[16];

    CHECK_INT(plait_loops_start(2), 0);
    for (uint32_t round = 1; round <= 20; round++) {
        make(20, false);
        for (int i = 0; i < WIDE; i++) {
            snprintf(key, sizeof key, "%d", i);
            CHECK_INT(add(key, count, i >= 10 ? NEEDS("1", "5", "9") : &nothing, NULL), 0);
        }
        CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), 0);
        CHECK_INT(__atomic_load_n(&n_atomic, __ATOMIC_SEQ_CST), round * WIDE);
        plait_graph_destroy(graph);
    }
}

TEST(a_child_frees_its_graph_and_no_more)
{
    int status = 0;
    pid_t pid;

    make(0, false);
    CHECK_INT(add("a", stand, &nothing, NULL), 0);
    while (n_running < 1)
        plait_yield();
    pid = fork();
    if (pid == 0) {
        CHECK_INT(plait_graph_wait(graph, PLAIT_FOREVER), -ECHILD);
        CHECK_INT(add("b", stand, &nothing, NULL), -ECHILD);
        plait_graph_destroy(graph);
        _exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    plait_graph_destroy(graph);
}

TEST(what_makes_no_sense_is_refused)
{
    const char *key, *none[] = { NULL };
    plait_graph_node node = { .key = "a", .fn = give };
    long value = 1;

    CHECK_INT(plait_graph_create(NULL, NULL), -EINVAL);
    CHECK_INT(plait_graph_create(&graph, NULL), 0);
    CHECK_INT(plait_graph_add(NULL, &node), -EINVAL);
    CHECK_INT(plait_graph_add(graph, NULL), -EINVAL);
    node.n_needs = 1;
    CHECK_INT(plait_graph_add(graph, &node), -EINVAL);
    node.needs = none;
    CHECK_INT(plait_graph_add(graph, &node), -EINVAL);
    node = (plait_graph_node){ .key = "a" };
    CHECK_INT(plait_graph_add(graph, &node), -EINVAL);
    node = (plait_graph_node){ .fn = give };
    CHECK_INT(plait_graph_add(graph, &node), -EINVAL);
    CHECK_INT(plait_graph_post(graph, "a", NULL, 1), -EINVAL);
    CHECK_INT(plait_graph_post(graph, NULL, NULL, 0), -EINVAL);
    CHECK_INT(plait_graph_post(graph, "a", &value, sizeof value), 0);
    CHECK_INT(plait_graph_get(graph, "a", &value, 1, PLAIT_NOWAIT), -EMSGSIZE);
    CHECK_INT(plait_graph_get(graph, "a", NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_graph_get(graph, NULL, &value, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_graph_next(graph, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_graph_next(NULL, &key, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_graph_wait(NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_graph_failure(NULL, "a", NULL), -EINVAL);
    CHECK_INT(plait_graph_failure(graph, NULL, NULL), -EINVAL);
    plait_graph_destroy(graph);
}
