/* The contract of pools: one job at a time, and what a future tells of it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_CALLS_H
#define PLAIT_TESTS_POOL_CALLS_H

#include "pool_support.h"

/* ---- apply, submit ---- */

TEST(apply_runs_a_function_and_brings_its_value)
{
    long n = 7, got = 0;
    plait_job job = { .fn = square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof got };

    create_with(2);
    CHECK_INT(plait_pool_apply(pool, &job, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    CHECK_INT(got, 49);
    destroy();
}

TEST(a_submitted_job_ends_in_its_value)
{
    create_with(2);
    plait_future *future = submit_square(12);
    plait_result result = await_result(future);
    CHECK_INT(result.end, PLAIT_JOB_VALUE);
    CHECK_INT(result.cause, PLAIT_CAUSE_NONE);
    CHECK_INT(result.code, 0);
    CHECK_INT(result.starts, 1);
    CHECK(result.run_ns >= 0);
    check_square(future, 12);
    destroy();
}

TEST(what_a_job_returns_is_told_whole)
{
    static const int codes[] = { 0, 1, 255, 256, 70000, 2147483647, -1, -5, -70000, -2147483647 };

    create_with(2);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        plait_result result = end_of(submit_code(codes[i]));
        CHECK_INT(result.end, codes[i] < 0 ? PLAIT_JOB_ERROR : PLAIT_JOB_VALUE);
        CHECK_INT(result.code, codes[i]);
    }
    destroy();
}

TEST_LIMIT(many_jobs_end_each_with_its_own_value, 30)
{
    enum {
        JOBS = 2000
    };

    static plait_future *futures[JOBS];

    create_with(3);
    for (long i = 0; i < JOBS; i++)
        futures[i] = submit_square(i);
    for (long i = JOBS - 1; i >= 0; i--)
        check_square(futures[i], i);
    destroy();
}

TEST(jobs_run_on_as_many_workers_at_once_as_there_are)
{
    create_with(3);
    plait_future *futures[4];
    for (int i = 0; i < 4; i++)
        futures[i] = submit(stand);
    UNTIL(load(&board->n_entered) == 3);
    a_moment();
    CHECK_INT(load(&board->n_entered), 3);
    open_gate();
    for (int i = 0; i < 4; i++)
        CHECK_INT(end_of(futures[i]).end, PLAIT_JOB_VALUE);
    CHECK_INT(load(&board->n_left), 4);
    destroy();
}

TEST(a_pool_without_options_works)
{
    CHECK_INT(plait_pool_create(&pool, KIND, NULL), 0);
    check_square(submit_square(5), 5);
    destroy();
}

static int tell_where(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)ctx;
    *(pid_t *)out = getpid();
    return 0;
}

TEST(a_job_runs_in_a_worker_and_its_future_says_which)
{
    pid_t pid = 0;

    create_with(1);
    plait_future *future = submit_job((plait_job){ .fn = tell_where, .out_bytes = sizeof(pid_t) });
    CHECK_INT(plait_future_get(future, &pid, sizeof pid, PLAIT_FOREVER), sizeof pid);
    CHECK((pid != getpid()) == IS_PROCESS);
    plait_future_unref(future);
    destroy();
}

static int see_ctx(const void *in, void *out, void *ctx)
{
    (void)in;
    *(long *)out = ctx == NULL ? -1 : *(long *)ctx;
    return 0;
}

TEST(a_context_is_handed_over_by_its_bytes)
{
    long number = 77, got = 0;
    plait_job job = {
        .fn = see_ctx, .out_bytes = sizeof got, .ctx = &number, .ctx_bytes = sizeof number
    };

    create_with(1);
    plait_future *future = submit_job(job);
    number = 0; /* they were copied */
    CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    CHECK_INT(got, 77);
    plait_future_unref(future);
    job.ctx = NULL;
    job.ctx_bytes = 0;
    CHECK_INT(plait_pool_apply(pool, &job, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    CHECK_INT(got, -1);
    destroy();
}

TEST(a_context_of_the_heap_is_handed_over_by_its_address)
{
    long *number = plait_shared_alloc(sizeof *number), got = 0;
    plait_job job = { .fn = see_ctx, .out_bytes = sizeof got, .ctx = number };

    CHECK(number != NULL);
    create_with(1);
    *number = 5;
    CHECK_INT(plait_pool_apply(pool, &job, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    CHECK_INT(got, 5);
    destroy();
    CHECK_INT(plait_shared_free(number), 0);
}

TEST(an_input_may_be_changed_once_it_was_submitted)
{
    long n = 3, got = 0;

    create_with(1);
    plait_future *first = submit(stand);
    plait_job job = { .fn = square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof n };
    plait_future *second = submit_job(job);
    n = 100;
    open_gate();
    CHECK_INT(plait_future_get(second, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    CHECK_INT(got, 9);
    plait_future_unref(first);
    plait_future_unref(second);
    destroy();
}

/* ---- waiting ---- */

TEST(a_wait_ends_at_its_deadline)
{
    long got = 99;

    create_with(1);
    plait_future *future = submit(stand);
    plait_result result = { .starts = 99 };
    plait_deadline until = plait_after_ms(30);
    CHECK_INT(plait_future_wait(future, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_future_wait(future, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK(!plait_future_is_ready(future));
    CHECK_INT(plait_future_is_successful(future), -EAGAIN);
    CHECK_INT(plait_future_result(future, &result), -EAGAIN);
    CHECK_INT(result.starts, 99);
    CHECK_INT(got, 99);
    open_gate();
    CHECK_INT(end_of(future).end, PLAIT_JOB_VALUE);
    destroy();
}

TEST(an_apply_that_runs_out_of_time_says_so_and_the_pool_goes_on)
{
    plait_job job = { .fn = stand };

    create_with(1);
    CHECK_INT(plait_pool_apply(pool, &job, NULL, 0, plait_after_ms(30)), -ETIMEDOUT);
    open_gate();
    check_square(submit_square(4), 4);
    destroy();
}

TEST(a_future_is_ready_without_a_wait)
{
    create_with(1);
    plait_future *good = submit_square(1), *bad = submit_code(-3);
    UNTIL(plait_future_is_ready(good));
    UNTIL(plait_future_is_ready(bad));
    CHECK_INT(plait_future_is_successful(good), 1);
    CHECK_INT(plait_future_is_successful(bad), 0);
    CHECK_INT(plait_future_wait(good, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_future_wait(good, PLAIT_NOWAIT), 0);
    plait_future_unref(good);
    plait_future_unref(bad);
    destroy();
}

TEST(a_future_that_has_no_value_says_so)
{
    long got = 42;

    create_with(1);
    plait_future *future = submit_code(-EACCES);
    CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_FOREVER), PLAIT_ENOVALUE);
    CHECK_INT(got, 42);
    CHECK_INT(await_result(future).end, PLAIT_JOB_ERROR);
    CHECK_INT(await_result(future).code, -EACCES);
    plait_future_unref(future);
    destroy();
}

TEST(a_value_too_large_for_the_buffer_is_kept)
{
    long got = 0;
    char small[2] = "x";

    create_with(1);
    plait_future *future = submit_square(6);
    CHECK_INT(plait_future_get(future, small, sizeof small, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(small[0], 'x');
    CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    CHECK_INT(got, 36);
    CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    plait_future_unref(future);
    destroy();
}

TEST(a_future_outlives_its_pool)
{
    const void *bytes = NULL;
    long got = 0;

    create_with(1);
    plait_future *ready = submit_square(8), *late = submit(stand);
    CHECK_INT(plait_future_wait(ready, PLAIT_FOREVER), 0);
    UNTIL(load(&board->n_entered) == 1);
    destroy();
    CHECK(plait_future_is_ready(ready) && plait_future_is_ready(late));
    CHECK_INT(plait_future_bytes(ready, &bytes), sizeof got);
    memcpy(&got, bytes, sizeof got);
    CHECK_INT(got, 64);
    CHECK_INT(end_of(late).end, PLAIT_JOB_CANCELLED);
    plait_future_unref(ready);
}

static int know_the_pool(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return plait_pool_current() != NULL;
}

TEST(a_job_knows_its_pool)
{
    CHECK(plait_pool_current() == NULL);
    create_with(1);
    CHECK_INT(end_of(submit(know_the_pool)).code, 1);
    CHECK(plait_pool_current() == NULL);
    destroy();
}

TEST(an_apply_says_how_its_job_ended)
{
    int code = -7;
    plait_result result = { 0 };
    plait_job job = { .fn = return_in, .in = &code, .in_bytes = sizeof code, .result = &result };

    create_with(1);
    CHECK_INT(plait_pool_apply(pool, &job, NULL, 0, PLAIT_FOREVER), PLAIT_ENOVALUE);
    CHECK_INT(result.end, PLAIT_JOB_ERROR);
    CHECK_INT(result.code, -7);
    code = 7;
    CHECK_INT(plait_pool_apply(pool, &job, NULL, 0, PLAIT_FOREVER), 0);
    CHECK_INT(result.end, PLAIT_JOB_VALUE);
    CHECK_INT(result.code, 7);
    destroy();
}

/* Of several, as a busy machine may stop any of them for a while. */
TEST(the_run_time_of_a_job_is_not_that_of_its_worker)
{
    int64_t least = INT64_MAX;

    create_with(1);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(plait_sleep(plait_after_ms(40)), 0);
        int64_t run_ns = end_of(submit(count)).run_ns;
        least = run_ns < least ? run_ns : least;
    }
    CHECK(least < 40 * INT64_C(1000000));
    destroy();
}

TEST(nobody_need_keep_a_future)
{
    create_with(2);
    for (int i = 0; i < 100; i++)
        submit_alone(count);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), 100);
    destroy();
}

TEST(a_reference_keeps_a_future)
{
    create_with(1);
    plait_future *future = submit_square(9);
    CHECK(plait_future_ref(future) == future);
    plait_future_unref(future);
    check_square(future, 9);
    plait_future_unref(NULL);
    destroy();
}

/* ---- callbacks ---- */

TEST(a_callback_is_called_once_with_its_future_and_argument)
{
    unsigned n = 0;

    create_with(1);
    plait_future *future = submit(stand);
    CHECK_INT(plait_future_then(future, note_call, &n), 0);
    CHECK_INT(n_calls, 0);
    open_gate();
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK(plait_future_is_ready(future));
    CHECK_INT(n_calls, 1);
    CHECK_INT(n, 1);
    CHECK(called_with == future);
    plait_future_unref(future);
    destroy();
    CHECK_INT(n_calls, 1);
}

TEST(a_job_may_bring_its_callback_along)
{
    unsigned n = 0;
    plait_job job = { .fn = count, .then = note_call, .then_arg = &n };

    create_with(1);
    plait_future *future = submit_job(job);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(n, 1);
    CHECK(called_with == future);
    plait_future_unref(future);
    CHECK_INT(try_submit(job, PLAIT_FOREVER), 0);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(n, 2);
    destroy();
    CHECK_INT(n, 2);
}

TEST(callbacks_of_one_future_are_called_in_their_order)
{
    unsigned n = 0, first = 0;

    create_with(1);
    plait_future *future = submit(stand);
    for (int i = 0; i < 10; i++)
        CHECK_INT(plait_future_then(future, note_call, i == 0 ? &first : &n), 0);
    open_gate();
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(first, 1);
    CHECK_INT(n, 9);
    plait_future_unref(future);
    destroy();
}

TEST(a_callback_on_an_ended_future_is_called_at_once)
{
    create_with(1);
    plait_future *future = submit_square(2);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_then(future, note_call, NULL), 0);
    CHECK_INT(n_calls, 1);
    plait_future_unref(future);
    destroy();
    CHECK_INT(n_calls, 1);
}

TEST(callbacks_are_called_for_errors_and_cancelled_jobs_too)
{
    create_with(1);
    plait_future *first = submit(stand), *bad = submit_code(-1), *never = submit(count);
    CHECK_INT(plait_future_then(bad, note_call, NULL), 0);
    CHECK_INT(plait_future_then(never, note_call, NULL), 0);
    CHECK_INT(plait_future_cancel(never, false), 0);
    open_gate();
    CHECK_INT(plait_future_wait(bad, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_wait(never, PLAIT_FOREVER), 0);
    CHECK_INT(n_calls, 2);
    CHECK_INT(load(&board->n_left), 1); /* `stand` alone */
    plait_future_unref(first);
    plait_future_unref(bad);
    plait_future_unref(never);
    destroy();
}

static void submit_one_more(plait_future *future, void *arg)
{
    plait_future **ret = arg;

    CHECK(plait_future_is_ready(future));
    *ret = submit_square(11);
}

TEST(a_callback_may_submit_and_wait)
{
    plait_future *more = NULL;

    create_with(1);
    plait_future *future = submit_square(1);
    CHECK_INT(plait_future_then(future, submit_one_more, &more), 0);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK(more != NULL);
    check_square(more, 11);
    plait_future_unref(future);
    destroy();
}

static void let_go(plait_future *future, void *arg)
{
    n_calls++;
    (void)arg;
    plait_future_unref(future);
}

TEST(a_callback_may_let_go_of_its_future)
{
    create_with(1);
    plait_future *future = submit_square(3), *other = submit_square(4);
    CHECK_INT(plait_future_then(future, let_go, NULL), 0);
    check_square(other, 4);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(n_calls, 1);
    destroy();
    CHECK_INT(n_calls, 1);
}

TEST(callbacks_run_when_the_pool_is_drained)
{
    create_with(2);
    for (int i = 0; i < 20; i++) {
        plait_future *future = submit(count);
        CHECK_INT(plait_future_then(future, note_call, NULL), 0);
        plait_future_unref(future);
    }
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(n_calls, 20);
    destroy();
}

#endif
