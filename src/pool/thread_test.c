/* Tests of the thread executor: jobs, from outside and from inside of others.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "pool/thread_support.h"

#include <plait/error.h>

#include <stdio.h>
#include <string.h>

/* ---- where jobs run ---- */

static int tell_task(const void *in, void *out, void *ctx)
{
    plait_task *task = plait_task_current();

    (void)in;
    (void)ctx;
    snprintf(out, 40, "%s %d %d", plait_task_name(task), plait_task_kind(task),
             plait_task_id(task) != getpid());
    return 0;
}

TEST(a_job_runs_in_a_thread_named_after_the_pool)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 1, .name = "oven" });
    plait_job job = { .fn = tell_task, .out_bytes = 40 };
    char told[40], want[40];

    snprintf(want, sizeof want, "oven-1 %d 1", PLAIT_THREAD);
    CHECK_INT(plait_pool_apply(pool, &job, told, sizeof told, PLAIT_FOREVER), 40);
    CHECK_STR(told, want);
    plait_pool_destroy(pool);
}

static int add_one(const void *in, void *out, void *ctx)
{
    *(long *)out = *(const long *)in + 1;
    __atomic_fetch_add((uint32_t *)ctx, 1, __ATOMIC_SEQ_CST);
    return 0;
}

TEST_LIMIT(many_jobs_each_run_once, 60)
{
    enum {
        N = 20000
    };

    static plait_future *futures[N];
    plait_pool *pool = make_workers(3);
    uint32_t runs = 0;
    plait_job job = { .fn = add_one, .in_bytes = sizeof(long), .out_bytes = sizeof(long) };

    job.ctx = &runs;
    for (long i = 0; i < N; i++) {
        job.in = &i;
        futures[i] = submit(pool, &job);
    }
    for (long i = 0; i < N; i++) {
        long got;
        CHECK_INT(plait_future_get(futures[i], &got, sizeof got, PLAIT_FOREVER), sizeof got);
        CHECK_INT(got, i + 1);
        plait_future_unref(futures[i]);
    }
    CHECK_INT(runs, N);
    plait_pool_destroy(pool);
}

/* ---- jobs that submit ---- */

struct fib {
    plait_pool *pool;
    long n;
};

static int fib(const void *in, void *out, void *ctx)
{
    struct fib self = *(const struct fib *)in, less = { self.pool, self.n - 1 };
    plait_job job = { .fn = fib, .in_bytes = sizeof less, .out_bytes = sizeof(long) };
    long a, b;
    plait_future *future;

    if (self.n < 2) {
        *(long *)out = self.n;
        return 0;
    }
    job.in = &less;
    future = submit(self.pool, &job);
    less.n--;
    fib(&less, &b, ctx);
    CHECK_INT(plait_future_get(future, &a, sizeof a, PLAIT_FOREVER), sizeof a);
    plait_future_unref(future);
    *(long *)out = a + b;
    return 0;
}

static long run_fib(size_t workers, long n)
{
    plait_pool *pool = make_workers(workers);
    struct fib first = { pool, n };
    plait_job job = { .fn = fib, .in = &first, .in_bytes = sizeof first };
    long got;

    job.out_bytes = sizeof got;
    CHECK_INT(plait_pool_apply(pool, &job, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    plait_pool_destroy(pool);
    return got;
}

TEST(a_pool_of_one_forks_and_joins)
{
    CHECK_INT(run_fib(1, 14), 377);
}

TEST_LIMIT(a_pool_of_some_forks_and_joins, 60)
{
    CHECK_INT(run_fib(2, 18), 2584);
    CHECK_INT(run_fib(4, 16), 987);
}

/* In the order in which they were submitted: not the one at the bottom of the deque. */
static int wait_oldest_first(const void *in, void *out, void *ctx)
{
    plait_pool *pool = *(plait_pool *const *)in;
    plait_future *futures[100];
    plait_job job = { .fn = add_one, .in_bytes = sizeof(long), .out_bytes = sizeof(long) };

    (void)out;
    job.ctx = ctx;
    for (long i = 0; i < 100; i++) {
        job.in = &i;
        futures[i] = submit(pool, &job);
    }
    for (long i = 0; i < 100; i++) {
        long got;
        CHECK_INT(plait_future_get(futures[i], &got, sizeof got, PLAIT_FOREVER), sizeof got);
        CHECK_INT(got, i + 1);
        plait_future_unref(futures[i]);
    }
    return 0;
}

TEST(a_job_waits_for_its_own_in_any_order)
{
    for (size_t workers = 1; workers <= 3; workers++) {
        plait_pool *pool = make_workers(workers);
        uint32_t runs = 0;
        plait_job job = { .fn = wait_oldest_first, .in = &pool, .in_bytes = sizeof pool };
        job.ctx = &runs;
        for (int i = 0; i < 20; i++)
            CHECK_INT(value_of(submit(pool, &job)), 0);
        CHECK_INT(runs, 20 * 100);
        plait_pool_destroy(pool);
    }
}

static int go_down(const void *in, void *out, void *ctx)
{
    struct fib self = *(const struct fib *)in, less = { self.pool, self.n - 1 };
    plait_job job = { .fn = go_down, .in = &less, .in_bytes = sizeof less };

    (void)out;
    (void)ctx;
    return self.n == 0 ? 0 : value_of(submit(self.pool, &job)) + 1;
}

/* Far more than the stack of one worker takes. */
TEST_LIMIT(a_long_chain_of_waits_goes_over_several_stacks, 60)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 1, .stack_bytes = 256 * 1024 });
    struct fib first = { pool, 300 };
    plait_job job = { .fn = go_down, .in = &first, .in_bytes = sizeof first };

    CHECK_INT(value_of(submit(pool, &job)), 300);
    CHECK(usage_of(pool).started > 1);
    plait_pool_destroy(pool);
}

/* ---- what jobs say ---- */

static int say(plait_task *task, const void *in, size_t n)
{
    if (n == 0)
        return plait_task_fail(task, "nothing to say");
    CHECK_INT(plait_task_write(task, in, n), 0);
    return plait_task_write(task, "!", 1);
}

TEST(a_text_function_writes_and_fails)
{
    plait_pool *pool = make_workers(2);
    plait_future *good = submit(pool, &(plait_job){ .text_fn = say, .in = "hey", .in_bytes = 3 });
    plait_future *bad = submit(pool, &(plait_job){ .text_fn = say });
    char buf[10];

    CHECK_INT(plait_future_get(good, buf, sizeof buf, PLAIT_FOREVER), 4);
    CHECK_MEM(buf, 4, "hey!", 4);
    CHECK_INT(plait_future_get(bad, buf, sizeof buf, PLAIT_FOREVER), PLAIT_ENOVALUE);
    CHECK_STR(plait_future_message(bad), "nothing to say");
    plait_future_unref(good);
    CHECK_INT(result_of(bad).end, PLAIT_JOB_ERROR);
    plait_pool_destroy(pool);
}

static int progress(const void *in, void *out, void *ctx)
{
    CHECK_INT(plait_task_progress(plait_task_current(), 3, 7), 0);
    return hold(in, out, ctx);
}

TEST(stats_tell_what_goes_on)
{
    plait_pool *pool = make_workers(1);
    struct gate gate = { 0 };
    plait_future *running = submit(pool, &(plait_job){ .fn = progress, .ctx = &gate });
    plait_future *waiting = submit(pool, &(plait_job){ .fn = hold, .ctx = &gate });
    plait_pool_usage usage;

    while (__atomic_load_n(&gate.is_entered, __ATOMIC_SEQ_CST) == 0)
        nap();
    usage = usage_of(pool);
    CHECK_INT(usage.workers, 1);
    CHECK_INT(usage.idle, 0);
    CHECK_INT(usage.running, 1);
    CHECK_INT(usage.pending, 1);
    CHECK_INT(usage.progress_done, 3);
    CHECK_INT(usage.progress_total, 7);
    open_gate(&gate);
    CHECK_INT(value_of(running), 1);
    CHECK_INT(value_of(waiting), 1);
    while ((usage = usage_of(pool)).idle == 0)
        nap();
    CHECK_INT(usage.running, 0);
    CHECK_INT(usage.pending, 0);
    CHECK_INT(usage.progress_total, 0);
    plait_pool_destroy(pool);
}

/* ---- order ---- */

static char order[200];
static uint32_t n_ordered; /* atomic */

static int note(const void *in, void *out, void *ctx)
{
    (void)out;
    (void)ctx;
    order[__atomic_fetch_add(&n_ordered, 1, __ATOMIC_SEQ_CST)] = *(const char *)in;
    return 0;
}

/* `text` is submitted while the only worker is held; a digit is its lane, if
 * there are several. */
static void run_in_lanes(const char *text, unsigned lanes)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 1, .lanes = lanes });
    struct gate gate = { 0 };
    plait_future *futures[200], *holder = submit_hold(pool, &gate);
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++) {
        plait_job job = { .fn = note, .in = &text[i], .in_bytes = 1 };
        job.lane = lanes > 1 ? (unsigned)(text[i] - '0') : 0;
        futures[i] = submit(pool, &job);
    }
    open_gate(&gate);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(value_of(futures[i]), 0);
    CHECK_INT(value_of(holder), 1);
    plait_pool_destroy(pool);
}

TEST(the_first_lane_goes_first)
{
    run_in_lanes("2102102", 3);
    CHECK_STR(order, "0011222");
}

TEST(the_last_lane_does_not_starve)
{
    char text[102];

    memset(text, '0', sizeof text);
    text[0] = '1';
    text[1] = '2';
    text[sizeof text - 1] = '\0';
    run_in_lanes(text, 3);
    CHECK(strchr(order, '1') - order < 64);
    CHECK(strchr(order, '2') - order < 64);
}

TEST(a_lane_that_is_not_there_is_refused)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 1, .lanes = 2 });
    plait_future *future = NULL;
    plait_job job = { .fn = note, .in = "x", .in_bytes = 1, .lane = 2 };

    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), -EINVAL);
    CHECK(future == NULL);
    plait_pool_destroy(pool);
}

TEST(without_lanes_jobs_begin_in_their_order)
{
    char text[101] = "";

    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = (char)('!' + i % 90);
    run_in_lanes(text, 1);
    CHECK_STR(order, text);
}

/* ---- room ---- */

TEST(a_full_pool_has_no_room_until_a_job_ends)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 1, .max_pending = 2 });
    struct gate gate = { 0 };
    plait_future *first = submit_hold(pool, &gate), *second, *third = NULL;
    plait_job job = { .fn = hold, .ctx = &gate };

    second = submit(pool, &job);
    CHECK_INT(plait_pool_submit(pool, &third, &job, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_pool_submit(pool, &third, &job, plait_after_ms(5)), -ETIMEDOUT);
    open_gate(&gate);
    third = submit(pool, &job);
    CHECK_INT(value_of(first) + value_of(second) + value_of(third), 3);
    plait_pool_destroy(pool);
}

TEST(room_is_bounded_in_bytes_too)
{
    plait_pool *pool = make_pool(&(plait_pool_opts){ .workers = 1, .max_pending_bytes = 100 });
    struct gate gate = { 0 };
    char in[200] = "";
    plait_job job = { .fn = hold, .in = in, .in_bytes = 60, .ctx = &gate };
    plait_future *first = submit(pool, &job), *second = NULL, *third;

    CHECK_INT(plait_pool_submit(pool, &second, &job, PLAIT_NOWAIT), -ETIMEDOUT);
    job.in_bytes = 40;
    second = submit(pool, &job);
    open_gate(&gate);
    job.in_bytes = 200; /* more than there ever is: alone */
    third = submit(pool, &job);
    CHECK_INT(value_of(first) + value_of(second) + value_of(third), 3);
    plait_pool_destroy(pool);
}
