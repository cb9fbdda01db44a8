/* The fault injector's shared program: pools of both kinds.
 * SPDX-License-Identifier: MIT
 */
#include "shared_support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    ITEMS = 40
};

/* what a pool, or a worker of it, may not get */
static const int of_pool[] = { ENOMEM, EAGAIN, EMFILE, EUSERS, -PLAIT_EKEEPER, -PLAIT_EPOOL, 0 };
static const int of_value[] = { ENOMEM, EUSERS, -PLAIT_ENOVALUE, 0 };

static int square(const void *in, void *out, void *ctx)
{
    long n;

    (void)ctx;
    memcpy(&n, in, sizeof n);
    n *= n;
    memcpy(out, &n, sizeof n);
    return 0;
}

static int write_large(plait_task *task, const void *in, size_t n)
{
    (void)in;
    (void)n;
    return plait_task_write(task, large, LARGE);
}

static int fail(plait_task *task, const void *in, size_t n)
{
    (void)n;
    return plait_task_fail(task, in);
}

static int die(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return raise(SIGKILL);
}

static int wait_long(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    while (!plait_task_cancelled(plait_task_current()))
        if (plait_sleep(plait_after_ms(5)) == -ECANCELED)
            break;
    return -ECANCELED;
}

static plait_future *submit(plait_pool *pool, plait_job job)
{
    plait_future *future = NULL;

    worked("submit", plait_pool_submit(pool, &future, &job, soon()), of_pool);
    return future;
}

/* Waits until it has ended. A job that was accepted ends, whatever fails. */
static bool ended(plait_future *future, plait_result *ret)
{
    if (future == NULL)
        return false;
    for (int tries = 0; tries < 3 && !plait_future_is_ready(future); tries++)
        worked("wait", plait_future_wait(future, soon()), of_family);
    must("a job that was accepted ends", plait_future_is_ready(future));
    return worked("result", plait_future_result(future, ret), of_nothing);
}

static void say(const char *what, const plait_result *result)
{
    fprintf(stderr, "%s: end %d, cause %d\n", what, result->end, result->cause);
    __atomic_add_fetch(&n_errors, 1, __ATOMIC_RELAXED);
}

static void square_some(plait_pool *pool)
{
    plait_future *futures[8];
    plait_result result;

    for (long i = 0; i < 8; i++)
        futures[i] = submit(
            pool,
            (plait_job){ .fn = square, .in = &i, .in_bytes = sizeof i, .out_bytes = sizeof i });
    for (long i = 0; i < 8; i++) {
        long got = -1;
        if (ended(futures[i], &result) && result.end != PLAIT_JOB_VALUE)
            say("square", &result);
        else if (futures[i] != NULL &&
                 worked("get", plait_future_get(futures[i], &got, sizeof got, soon()), of_value))
            must("a value is right", got == i * i);
        plait_future_unref(futures[i]);
    }
}

static void run_text(plait_pool *pool)
{
    plait_future *future = submit(pool, (plait_job){ .text_fn = write_large });
    const void *bytes = NULL;
    plait_result result;

    if (ended(future, &result) && result.end == PLAIT_JOB_VALUE) {
        if (worked("bytes", plait_future_bytes(future, &bytes), of_value))
            must("a large result is whole", memcmp(bytes, large, LARGE) == 0);
    } else if (future != NULL) {
        say("large", &result);
    }
    plait_future_unref(future);
    future = submit(pool, (plait_job){ .text_fn = fail, .in = "why", .in_bytes = 4 });
    if (ended(future, &result)) {
        must("what failed is no value", result.end != PLAIT_JOB_VALUE);
        if (strcmp(plait_future_message(future), "why") != 0)
            say("why", &result);
    }
    plait_future_unref(future);
}

static void end_some(plait_pool *pool, plait_kind kind)
{
    plait_future *future = submit(pool, (plait_job){ .fn = wait_long });
    plait_result result;

    if (future != NULL) {
        int rc = plait_future_cancel(future, false);
        worked("cancel", rc == -EALREADY ? 0 : rc, of_pool);
        if (ended(future, &result))
            must("what was cancelled is no value", result.end != PLAIT_JOB_VALUE);
        plait_future_unref(future);
    }
    if (kind == PLAIT_THREAD)
        return;
    future = submit(pool, (plait_job){ .fn = die });
    if (ended(future, &result))
        must("what died is lost", result.end == PLAIT_JOB_LOST);
    plait_future_unref(future);
}

static void map_some(plait_pool *pool)
{
    long in[ITEMS], out[ITEMS];
    plait_result results[ITEMS];

    for (long i = 0; i < ITEMS; i++)
        in[i] = i;
    memset(results, 0, sizeof results);
    int n = plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out),
                           &(plait_map_opts){ .chunk = 7, .results = results }, soon());
    if (!worked("map", n, of_pool))
        return;
    for (long i = 0; i < ITEMS; i++) {
        n -= results[i].end != PLAIT_JOB_VALUE;
        if (results[i].end != PLAIT_JOB_VALUE)
            say("item", &results[i]);
        else
            must("an item's value is right", out[i] == i * i);
    }
    must("as many are missing as was said", n == 0);
}

static int give(void *item, void *arg)
{
    long *next = arg;

    *(long *)item = *next;
    return ++*next <= ITEMS;
}

static void imap_some(plait_pool *pool)
{
    plait_imap_opts opts = { .in_bytes = sizeof(long), .out_bytes = sizeof(long), .window = 8 };
    plait_imap *imap = NULL;
    plait_result result;
    long next = 0, got;
    int rc = plait_pool_imap(pool, &imap, square, give, &next, &opts);

    if (!worked("imap", rc, of_pool))
        return;
    for (long i = 0; (rc = plait_imap_next(imap, &got, &result, soon())) == 1; i++) {
        if (result.end == PLAIT_JOB_VALUE)
            must("an item comes in its place", got == i * i);
        else
            say("imap item", &result);
    }
    worked("imap_next", rc, of_pool);
    plait_imap_destroy(imap);
}

static void use(plait_kind kind)
{
    plait_pool *pool = NULL;
    plait_pool_opts opts = { .workers = 2, .max_tasks = 20 };

    if (!worked("pool_create", plait_pool_create(&pool, kind, &opts), of_pool))
        return;
    square_some(pool);
    run_text(pool);
    worked("resize", plait_pool_resize(pool, 3), of_pool);
    map_some(pool);
    end_some(pool, kind);
    imap_some(pool);
    square_some(pool);
    worked("drain", plait_pool_drain(pool, soon()), of_family);
    plait_pool_destroy(pool);
}

void run_pool(const char *name)
{
    plait_kind kind = name != NULL && strcmp(name, "threads") == 0 ? PLAIT_THREAD : PLAIT_PROCESS;
    plait_shared_usage usage;

    if (kind == PLAIT_PROCESS && !worked("keeper_start", plait_keeper_start(), of_pool))
        return;
    use(kind);
    remember_fds(); /* the keeper's stay */
    use(kind);
    if (worked("stats", plait_shared_stats(&usage), of_family))
        must("of the heap the bell is left, at most", usage.blocks <= 1);
}
