/* Futures, on an executor that runs its jobs when the test wants it.
 * SPDX-License-Identifier: MIT
 */
#include "pool/serial.h"

#include <plait/error.h>

#include "test.h"

#include <string.h>

static int square(const void *in, void *out, void *ctx)
{
    long n = *(const long *)in;

    (void)ctx;
    if (n < 0)
        return (int)n;
    *(long *)out = n * n;
    return 7;
}

static plait_job job_of(const long *n)
{
    return (plait_job){ .fn = square, .in = n, .in_bytes = sizeof *n, .out_bytes = sizeof(long) };
}

static plait_future *submit(plait_pool *pool, long n)
{
    plait_job job = job_of(&n);
    plait_future *future = NULL;

    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_NOWAIT), 0);
    return future;
}

TEST(a_value_is_got_as_often_as_one_likes)
{
    plait_pool *pool = serial_pool(0);
    plait_future *future = submit(pool, 9);
    plait_result end;
    long got = 0;

    for (int i = 0; i < 2; i++) {
        CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_NOWAIT), sizeof got);
        CHECK_INT(got, 81);
    }
    CHECK_INT(plait_future_result(future, &end), 0);
    CHECK_INT(end.end, PLAIT_JOB_VALUE);
    CHECK_INT(end.code, 7);
    CHECK_INT(plait_future_is_successful(future), 1);
    CHECK_INT(plait_future_get(future, &got, sizeof got - 1, PLAIT_NOWAIT), -EMSGSIZE);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

TEST(an_error_of_its_own_is_no_value)
{
    plait_pool *pool = serial_pool(0);
    plait_future *future = submit(pool, -5);
    const void *bytes;
    plait_result end;

    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_NOWAIT), PLAIT_ENOVALUE);
    CHECK_INT(plait_future_bytes(future, &bytes), PLAIT_ENOVALUE);
    CHECK_INT(plait_future_is_successful(future), 0);
    CHECK_INT(plait_future_result(future, &end), 0);
    CHECK_INT(end.end, PLAIT_JOB_ERROR);
    CHECK_INT(end.code, -5);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

TEST(what_has_not_ended_says_so_and_can_be_waited_for)
{
    plait_pool *pool = serial_pool(0);
    plait_future *future;
    plait_result end;
    long got;

    serial_of(pool)->budget = 0;
    future = submit(pool, 3);
    CHECK(!plait_future_is_ready(future));
    CHECK_INT(plait_future_is_successful(future), -EAGAIN);
    CHECK_INT(plait_future_result(future, &end), -EAGAIN);
    CHECK_STR(plait_future_message(future), "");
    CHECK_INT(plait_future_wait(future, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_future_wait(future, plait_after_ms(5)), -ETIMEDOUT);
    CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_NOWAIT), -ETIMEDOUT);
    serial_of(pool)->budget = 1;
    CHECK(plait_future_is_ready(future));
    CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_NOWAIT), sizeof got);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

TEST(large_input_output_and_context_are_copied)
{
    plait_pool *pool = serial_pool(0);
    plait_future *future;
    long in[40] = { 12 };
    plait_job job = job_of(in);
    const void *bytes = NULL;

    job.in_bytes = sizeof in;
    job.out_bytes = 1000;
    job.ctx = in;
    job.ctx_bytes = sizeof in;
    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_NOWAIT), 0);
    CHECK(future->job.in != (char *)in && future->job.ctx != in);
    CHECK_MEM(future->job.ctx, sizeof in, in, sizeof in);
    memset(in, 1, sizeof in);
    CHECK_INT(plait_future_wait(future, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_future_bytes(future, &bytes), 1000);
    CHECK_INT(*(const long *)bytes, 144);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

/* ---- what jobs say ---- */

static int shout(plait_task *task, const void *in, size_t n)
{
    char text[100];

    if (n == 0) {
        CHECK_INT(plait_task_fail(task, "nothing to say"), -ECANCELED);
        return 0; /* it is an error nevertheless */
    }
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(((const char *)in)[i] - 'a' + 'A');
    CHECK_INT(plait_task_progress(task, n, n), 0);
    CHECK(plait_pool_current() != NULL);
    return plait_task_write(task, text, n);
}

TEST(a_text_function_writes_its_result_and_says_why_it_failed)
{
    plait_pool *pool = serial_pool(0);
    plait_job job = { .text_fn = shout, .in = "hello", .in_bytes = 5 };
    plait_future *said, *failed;
    plait_result end;
    char text[8] = "";

    CHECK_INT(plait_pool_submit(pool, &said, &job, PLAIT_NOWAIT), 0);
    job.in_bytes = 0;
    CHECK_INT(plait_pool_submit(pool, &failed, &job, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_future_get(said, text, sizeof text, PLAIT_NOWAIT), 5);
    CHECK_STR(text, "HELLO");
    CHECK_INT(plait_future_get(failed, text, sizeof text, PLAIT_NOWAIT), PLAIT_ENOVALUE);
    CHECK_STR(plait_future_message(failed), "nothing to say");
    CHECK_INT(plait_future_result(failed, &end), 0);
    CHECK_INT(end.end, PLAIT_JOB_ERROR);
    plait_future_unref(said);
    plait_future_unref(failed);
    plait_pool_destroy(pool);
}

TEST(outside_of_a_job_there_is_nothing_to_write_to)
{
    plait_task *self = plait_task_current();

    CHECK_INT(plait_task_write(self, "x", 1), -EINVAL);
    CHECK_INT(plait_task_fail(self, "x"), -EINVAL);
    CHECK_INT(plait_task_progress(self, 1, 2), -EINVAL);
    CHECK(!plait_task_cancelled(self));
    CHECK(plait_pool_current() == NULL);
}

/* ---- callbacks ---- */

struct told {
    plait_future *other; /* what the callback waits for, or drops */
    int n;
    bool saw_end;
};

static void tell(plait_future *future, void *arg)
{
    struct told *told = arg;

    told->n++;
    told->saw_end = plait_future_is_ready(future);
}

TEST(each_callback_is_called_once_by_who_waits)
{
    plait_pool *pool = serial_pool(0);
    struct told told[3] = { 0 };
    plait_future *future;
    long n = 2;
    plait_job job = job_of(&n);

    serial_of(pool)->budget = 0;
    job.then = tell;
    job.then_arg = &told[0];
    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_future_then(future, tell, &told[1]), 0);
    CHECK_INT(plait_future_then(future, tell, &told[1]), 0);
    CHECK_INT(told[0].n + told[1].n, 0);
    serial_of(pool)->budget = 1;
    CHECK_INT(plait_future_wait(future, PLAIT_NOWAIT), 0);
    CHECK_INT(told[0].n, 1);
    CHECK_INT(told[1].n, 2);
    CHECK(told[0].saw_end && told[1].saw_end);
    CHECK_INT(plait_future_then(future, tell, &told[2]), 0); /* it has ended: at once */
    CHECK_INT(told[2].n, 1);
    plait_future_unref(future);
    plait_pool_destroy(pool);
    CHECK_INT(told[0].n + told[1].n + told[2].n, 4);
}

static void wait_for_other(plait_future *future, void *arg)
{
    struct told *told = arg;

    tell(future, arg);
    CHECK_INT(plait_future_wait(told->other, plait_after_ms(60000)), 0);
    plait_future_unref(told->other);
}

TEST(a_callback_may_wait_for_what_ended_in_the_same_moment)
{
    plait_pool *pool = serial_pool(0);
    struct told told = { 0 };
    plait_future *first;

    serial_of(pool)->budget = 0;
    first = submit(pool, 1);
    told.other = submit(pool, 2);
    CHECK_INT(plait_future_then(first, wait_for_other, &told), 0);
    serial_of(pool)->budget = 2;
    CHECK_INT(plait_future_wait(first, PLAIT_FOREVER), 0);
    CHECK_INT(told.n, 1);
    plait_future_unref(first);
    plait_pool_destroy(pool);
}

static void submit_again(plait_future *future, void *arg)
{
    struct told *told = arg;

    if (++told->n < 5) {
        plait_future *next = submit(future->job.pool, told->n);
        CHECK_INT(plait_future_then(next, submit_again, arg), 0);
        plait_future_unref(next);
    }
}

TEST(a_callback_may_submit_and_a_job_runs_on_without_a_handle)
{
    plait_pool *pool = serial_pool(0);
    struct told told = { 0 };
    plait_future *future = submit(pool, 1);

    CHECK_INT(plait_future_then(future, submit_again, &told), 0);
    plait_future_unref(future);
    while (told.n < 5) {
        plait_pool_usage usage;
        CHECK_INT(plait_pool_stats(pool, &usage), 0);
    }
    plait_pool_destroy(pool);
    CHECK_INT(told.n, 5);
}

/* ---- cancel ---- */

TEST(what_is_not_begun_can_be_cancelled_and_what_has_ended_cannot)
{
    plait_pool *pool = serial_pool(0);
    plait_future *future;
    plait_result end;

    serial_of(pool)->budget = 0;
    future = submit(pool, 1);
    CHECK_INT(plait_future_cancel(future, false), 0);
    serial_of(pool)->budget = 1;
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_NOWAIT), PLAIT_ENOVALUE);
    CHECK_INT(plait_future_result(future, &end), 0);
    CHECK_INT(end.end, PLAIT_JOB_CANCELLED);
    CHECK_INT(end.starts, 0);
    CHECK_INT(plait_future_cancel(future, true), -EALREADY);
    plait_future_unref(future);
    plait_pool_destroy(pool);
}

/* ---- strangers ---- */

TEST(null_is_refused)
{
    plait_future *none = NULL;
    plait_result end;
    char c;

    CHECK_INT(plait_future_wait(none, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_future_get(none, &c, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_future_result(none, &end), -EINVAL);
    CHECK_INT(plait_future_cancel(none, false), -EINVAL);
    CHECK_INT(plait_future_then(none, tell, NULL), -EINVAL);
    CHECK(!plait_future_is_ready(none));
    CHECK_STR(plait_future_message(none), "");
    CHECK(plait_future_ref(none) == NULL);
    plait_future_unref(none);
}
