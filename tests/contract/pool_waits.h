/* The contract of pools: several futures at once, cancelling, limits, priorities, and jobs that
 * submit jobs.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_WAITS_H
#define PLAIT_TESTS_POOL_WAITS_H

#include "child.h"
#include "pool_support.h"

/* ---- several futures ---- */

/* Stands until its own gate opens. */
static int stand_at(const void *in, void *out, void *ctx)
{
    int at;

    (void)out;
    (void)ctx;
    memcpy(&at, in, sizeof at);
    add(&board->n_entered);
    while (!load(&board->numbers[at])) {
        if (plait_task_cancelled(plait_task_current()))
            return -ECANCELED;
        nap();
    }
    return load(&board->numbers[at]) == 2 ? -EIO : 0;
}

static plait_future *submit_at(int at)
{
    return submit_job((plait_job){ .fn = stand_at, .in = &at, .in_bytes = sizeof at });
}

static void submit_three(plait_future **futures)
{
    create_with(3);
    for (int i = 0; i < 3; i++)
        futures[i] = submit_at(i);
}

static void unref_three(plait_future **futures)
{
    for (int i = 0; i < 3; i++)
        store(&board->numbers[i], 1);
    for (int i = 0; i < 3; i++)
        end_of(futures[i]);
    destroy();
}

TEST(a_wait_for_any_ends_with_the_first)
{
    plait_future *futures[3];

    submit_three(futures);
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_ANY, plait_after_ms(20)), -ETIMEDOUT);
    store(&board->numbers[1], 1);
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_ANY, PLAIT_FOREVER), 1);
    CHECK(plait_future_is_ready(futures[1]));
    CHECK(!plait_future_is_ready(futures[0]) && !plait_future_is_ready(futures[2]));
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_ANY, PLAIT_NOWAIT), 1);
    unref_three(futures);
}

TEST(a_wait_for_all_ends_with_the_last)
{
    plait_future *futures[3];

    submit_three(futures);
    store(&board->numbers[0], 1);
    store(&board->numbers[2], 2);
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_ALL, plait_after_ms(50)), -ETIMEDOUT);
    store(&board->numbers[1], 1);
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_ALL, PLAIT_FOREVER), 3);
    unref_three(futures);
}

TEST(a_wait_for_the_first_error_ends_with_it_or_with_all)
{
    plait_future *futures[3];

    submit_three(futures);
    store(&board->numbers[0], 1);
    CHECK_INT(plait_future_wait(futures[0], PLAIT_FOREVER), 0);
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_FIRST_ERROR, plait_after_ms(20)),
              -ETIMEDOUT);
    store(&board->numbers[1], 2);
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_FIRST_ERROR, PLAIT_FOREVER), 2);
    CHECK_INT(plait_future_is_successful(futures[1]), 0);
    CHECK(!plait_future_is_ready(futures[2]));
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_FIRST_ERROR, PLAIT_NOWAIT), 2);
    unref_three(futures);
}

TEST(a_wait_for_the_first_error_ends_when_all_are_good)
{
    plait_future *futures[3];

    submit_three(futures);
    for (int i = 0; i < 3; i++)
        store(&board->numbers[i], 1);
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_FIRST_ERROR, PLAIT_FOREVER), 3);
    unref_three(futures);
}

TEST(futures_are_told_in_the_order_in_which_they_become_ready)
{
    static const int order[] = { 2, 0, 1 };
    plait_completed *completed = NULL;
    plait_future *futures[3];
    size_t at = 99;

    submit_three(futures);
    CHECK_INT(plait_completed_create(&completed, futures, 3), 0);
    CHECK_INT(plait_completed_next(completed, &at, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_completed_next(completed, &at, plait_after_ms(20)), -ETIMEDOUT);
    CHECK_INT(at, 99);
    for (int i = 0; i < 3; i++) {
        store(&board->numbers[order[i]], i == 1 ? 2 : 1);
        CHECK_INT(plait_completed_next(completed, &at, PLAIT_FOREVER), 1);
        CHECK_INT(at, order[i]);
        CHECK(plait_future_is_ready(futures[at]));
    }
    CHECK_INT(plait_completed_next(completed, &at, PLAIT_FOREVER), 0);
    CHECK_INT(plait_completed_next(completed, &at, PLAIT_FOREVER), 0);
    plait_completed_destroy(completed);
    unref_three(futures);
}

TEST(futures_that_were_ready_before_are_told_too)
{
    plait_completed *completed = NULL;
    plait_future *futures[3];
    unsigned seen = 0;
    size_t at;

    submit_three(futures);
    for (int i = 0; i < 3; i++)
        store(&board->numbers[i], 1);
    CHECK_INT(plait_futures_wait(futures, 3, PLAIT_WAIT_ALL, PLAIT_FOREVER), 3);
    CHECK_INT(plait_completed_create(&completed, futures, 3), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait_completed_next(completed, &at, PLAIT_NOWAIT), 1);
        seen |= 1U << at;
    }
    CHECK_INT(seen, 7);
    CHECK_INT(plait_completed_next(completed, &at, PLAIT_FOREVER), 0);
    plait_completed_destroy(completed);
    unref_three(futures);
}

TEST(who_tells_of_ends_may_be_destroyed_before_they_came)
{
    plait_completed *completed = NULL;
    plait_future *futures[3];

    submit_three(futures);
    CHECK_INT(plait_completed_create(&completed, futures, 3), 0);
    plait_completed_destroy(completed);
    plait_completed_destroy(NULL);
    unref_three(futures);
}

TEST(the_same_future_may_be_waited_for_twice_at_once)
{
    plait_future *futures[3];
    plait_future *same[2];

    submit_three(futures);
    same[0] = same[1] = futures[1];
    store(&board->numbers[1], 1);
    CHECK_INT(plait_futures_wait(same, 2, PLAIT_WAIT_ALL, PLAIT_FOREVER), 2);
    unref_three(futures);
}

TEST(there_is_nothing_to_wait_for_among_no_futures)
{
    plait_completed *completed = NULL;
    size_t at = 0;

    CHECK_INT(plait_futures_wait(NULL, 0, PLAIT_WAIT_ALL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_completed_create(&completed, NULL, 0), 0);
    CHECK_INT(plait_completed_next(completed, &at, PLAIT_FOREVER), 0);
    plait_completed_destroy(completed);
}

/* Waits in a thread of its own, while the main one does. */
static int wait_for_it(void *arg)
{
    return plait_future_wait(arg, PLAIT_FOREVER);
}

TEST(several_threads_may_wait_for_one_future)
{
    plait_task *waiters[3];
    plait_future *futures[3];
    plait_outcome end;

    submit_three(futures);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_task_start(&waiters[i], PLAIT_THREAD, wait_for_it, futures[0], NULL), 0);
    a_moment();
    store(&board->numbers[0], 1);
    CHECK_INT(plait_future_wait(futures[0], PLAIT_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(plait_task_join(waiters[i], PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(waiters[i], &end), 0);
        CHECK_INT(end.code, 0);
        plait_task_destroy(waiters[i]);
    }
    unref_three(futures);
}

TEST(a_thread_that_waits_for_a_future_can_be_cancelled)
{
    plait_task *waiter;
    plait_future *futures[3];
    plait_outcome end;

    submit_three(futures);
    CHECK_INT(plait_task_start(&waiter, PLAIT_THREAD, wait_for_it, futures[0], NULL), 0);
    a_moment();
    CHECK_INT(plait_task_terminate(waiter), 0);
    CHECK_INT(plait_task_join(waiter, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(waiter, &end), 0);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    plait_task_destroy(waiter);
    unref_three(futures);
}

/* ---- select ---- */

TEST(select_tells_of_the_first_future_that_is_ready)
{
    plait_future *futures[3];
    plait_waitable on[4];
    plait_event *event = plait_shared_alloc(sizeof *event);
    size_t ready[4];

    submit_three(futures);
    CHECK_INT(plait_event_on_set(&on[0], event), 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_future_on_end(&on[1 + i], futures[i]), 0);
    CHECK_INT(plait_future_then(futures[1], note_call, NULL), 0);
    CHECK_INT(plait_select(on, 4, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_select(on, 4, plait_after_ms(10)), -ETIMEDOUT);
    store(&board->numbers[1], 1);
    CHECK_INT(plait_select(on, 4, PLAIT_FOREVER), 2);
    CHECK(plait_future_is_ready(futures[1]));
    CHECK_INT(n_calls, 1);
    store(&board->numbers[2], 2); /* an error is an end, too */
    CHECK_INT(end_of(futures[2]).end, PLAIT_JOB_ERROR);
    on[3] = (plait_waitable){ 0 };
    CHECK_INT(plait_event_set(event), 0);
    CHECK_INT(plait_select_all(on, 4, ready, PLAIT_FOREVER), 2);
    CHECK_INT(ready[0], 0);
    CHECK_INT(ready[1], 2);
    store(&board->numbers[0], 1);
    for (int i = 0; i < 2; i++)
        CHECK_INT(end_of(futures[i]).end, PLAIT_JOB_VALUE);
    destroy();
    plait_shared_free(event);
}

TEST(select_on_the_future_of_a_map_feeds_the_map)
{
    static long numbers_in[1000], numbers_out[1000];
    plait_future *future = NULL;
    plait_waitable on;

    create((plait_pool_opts){ .workers = 2, .max_pending = 4 });
    for (long i = 0; i < 1000; i++)
        numbers_in[i] = i;
    CHECK_INT(plait_pool_map_async(pool, &future, square, PLAIT_IN(numbers_in),
                                   PLAIT_OUT(numbers_out), &(plait_map_opts){ .chunk = 3 }),
              0);
    CHECK_INT(plait_future_on_end(&on, future), 0);
    CHECK_INT(plait_select(&on, 1, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_get(future, NULL, 0, PLAIT_NOWAIT), 0);
    CHECK_INT(numbers_out[999], 999 * 999);
    plait_future_unref(future);
    destroy();
}

static int select_on_its_own(const void *in, void *out, void *ctx)
{
    plait_job job = { .fn = count };
    plait_future *future = NULL;
    plait_waitable on;
    int rc = plait_pool_submit(plait_pool_current(), &future, &job, PLAIT_FOREVER);

    (void)in;
    (void)out;
    (void)ctx;
    if (rc == 0)
        rc = plait_future_on_end(&on, future);
    plait_future_wait(future, PLAIT_FOREVER);
    plait_future_unref(future);
    return rc;
}

TEST(a_future_that_cannot_be_selected_on_is_refused)
{
    plait_future *future;
    plait_waitable on;

    create_with(1);
    CHECK_INT(end_of(submit(select_on_its_own)).code, -EDEADLK);
    CHECK_INT(plait_future_on_end(&on, NULL), -EINVAL);
    future = submit(count);
    CHECK_INT(plait_future_on_end(NULL, future), -EINVAL);
    CHECK_INT(plait_future_on_end(&on, future), 0);
    pid_t pid = fork_checked();
    if (pid == 0) {
        plait_waitable other;
        _exit(plait_future_on_end(&other, future) == -ECHILD &&
                      plait_select(&on, 1, PLAIT_NOWAIT) == -ECHILD
                  ? 0
                  : 1);
    }
    int status;
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(end_of(future).end, PLAIT_JOB_VALUE);
    destroy();
}

/* ---- cancelling ---- */

TEST(a_job_that_waits_is_cancelled_and_never_entered)
{
    create_with(1);
    plait_future *first = submit(stand);
    UNTIL(load(&board->n_entered) == 1);
    plait_future *second = submit(count);
    CHECK_INT(plait_future_cancel(second, false), 0);
    plait_result result = await_result(second);
    CHECK_INT(result.end, PLAIT_JOB_CANCELLED);
    CHECK_INT(result.starts, 0);
    CHECK_INT(plait_future_is_successful(second), 0);
    CHECK_INT(plait_future_get(second, NULL, 0, PLAIT_FOREVER), PLAIT_ENOVALUE);
    open_gate();
    CHECK_INT(end_of(first).end, PLAIT_JOB_VALUE);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_entered), 1);
    plait_future_unref(second);
    destroy();
}

static int until_cancelled(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    add(&board->n_entered);
    while (!plait_task_cancelled(plait_task_current()))
        nap();
    add(&board->n_left);
    return -ECANCELED;
}

TEST(a_job_that_runs_is_asked_to_end)
{
    create_with(1);
    plait_future *future = submit(until_cancelled);
    UNTIL(load(&board->n_entered) == 1);
    CHECK_INT(plait_future_cancel(future, false), 0);
    CHECK_INT(end_of(future).end, PLAIT_JOB_CANCELLED);
    CHECK_INT(load(&board->n_left), 1);
    check_square(submit_square(3), 3); /* the worker does not stay cancelled */
    destroy();
}

static int sleep_in_plait(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    add(&board->n_entered);
    return plait_sleep(PLAIT_FOREVER);
}

TEST(a_job_that_waits_in_plait_is_asked_to_end_there)
{
    create_with(1);
    plait_future *future = submit(sleep_in_plait);
    UNTIL(load(&board->n_entered) == 1);
    CHECK_INT(plait_future_cancel(future, false), 0);
    CHECK_INT(end_of(future).end, PLAIT_JOB_CANCELLED);
    CHECK_INT(end_of(submit_job((plait_job){ .fn = sleep_in_plait, .soft_ms = 20 })).end,
              PLAIT_JOB_EXPIRED);
    check_square(submit_square(3), 3);
    destroy();
}

TEST(what_has_ended_cannot_be_cancelled)
{
    create_with(1);
    plait_future *future = submit_square(3);
    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_cancel(future, false), -EALREADY);
    CHECK_INT(plait_future_cancel(future, true), -EALREADY);
    check_square(future, 3);
    destroy();
}

/* ---- limits ---- */

static plait_future *submit_limited(plait_pool_fn *fn, int64_t soft_ms, int64_t hard_ms)
{
    return submit_job((plait_job){ .fn = fn, .soft_ms = soft_ms, .hard_ms = hard_ms });
}

TEST(a_soft_limit_asks_a_job_to_end_and_it_is_expired)
{
    create_with(1);
    plait_result result = end_of(submit_limited(until_cancelled, 20, 0));
    CHECK_INT(result.end, PLAIT_JOB_EXPIRED);
    CHECK_INT(load(&board->n_left), 1);
    CHECK(result.run_ns >= 20 * INT64_C(1000000));
    check_square(submit_square(3), 3);
    destroy();
}

TEST(a_job_within_its_limits_is_not_expired)
{
    create_with(1);
    CHECK_INT(end_of(submit_limited(count, 60000, 60000)).end, PLAIT_JOB_VALUE);
    destroy();
}

TEST(the_time_that_a_job_waits_is_not_its_run_time)
{
    create_with(1);
    plait_future *first = submit(stand);
    plait_future *second = submit_limited(count, 20000, 20000);
    plait_sleep(plait_after_ms(50));
    open_gate();
    CHECK_INT(end_of(first).end, PLAIT_JOB_VALUE);
    plait_result result = end_of(second);
    CHECK_INT(result.end, PLAIT_JOB_VALUE);
    destroy();
}

/* ---- priorities ---- */

static int note_order(const void *in, void *out, void *ctx)
{
    uint32_t number;

    (void)out;
    (void)ctx;
    memcpy(&number, in, sizeof number);
    store(&board->numbers[add(&board->n_entered)], number);
    return 0;
}

static plait_future *submit_number(uint32_t number, unsigned lane)
{
    return submit_job(
        (plait_job){ .fn = note_order, .in = &number, .in_bytes = sizeof number, .lane = lane });
}

TEST(jobs_of_one_lane_are_begun_in_their_order_by_one_worker)
{
    plait_future *futures[20];

    create_with(1);
    for (uint32_t i = 0; i < 20; i++)
        futures[i] = submit_number(i, 0);
    for (uint32_t i = 0; i < 20; i++) {
        CHECK_INT(end_of(futures[i]).end, PLAIT_JOB_VALUE);
        CHECK_INT(load(&board->numbers[i]), i);
    }
    destroy();
}

/* All but the share that keeps a late lane from starving. */
TEST(jobs_of_an_earlier_lane_are_begun_first)
{
    plait_future *futures[16], *first;
    unsigned n_late = 0;

    create((plait_pool_opts){ .workers = 1, .lanes = 3 });
    first = submit(stand);
    UNTIL(load(&board->n_entered) == 1);
    store(&board->n_entered, 0);
    for (uint32_t i = 0; i < 16; i++)
        futures[i] = submit_number(i < 8 ? 2 : 1, i < 8 ? 2 : 1);
    open_gate();
    for (uint32_t i = 0; i < 16; i++)
        CHECK_INT(end_of(futures[i]).end, PLAIT_JOB_VALUE);
    for (uint32_t i = 0; i < 8; i++)
        n_late += load(&board->numbers[i]) == 2;
    CHECK(n_late <= 2);
    plait_future_unref(first);
    destroy();
}

TEST(a_late_lane_gets_its_turn_while_an_early_one_is_never_empty)
{
    create((plait_pool_opts){ .workers = 1, .lanes = 2 });
    plait_future *first = submit(stand);
    plait_future *late = submit_job((plait_job){ .fn = count, .lane = 1 });
    plait_future *line[64];
    unsigned n = 0;
    for (; n < 64; n++)
        line[n] = submit_job((plait_job){ .fn = square,
                                          .in = &(long){ 1 },
                                          .in_bytes = sizeof(long),
                                          .out_bytes = sizeof(long) });
    open_gate();
    while (!plait_future_is_ready(late)) {
        plait_future *oldest = line[n % 64];
        CHECK_INT(plait_future_wait(oldest, PLAIT_FOREVER), 0);
        plait_future_unref(oldest);
        line[n++ % 64] = submit_square(1);
    }
    for (unsigned i = 0; i < 64; i++)
        plait_future_unref(line[i]);
    plait_future_unref(first);
    plait_future_unref(late);
    destroy();
}

/* ---- jobs that submit jobs ---- */

static int fib(const void *in, void *out, void *ctx)
{
    long n, a = 0, b = 0, less[2];
    plait_future *futures[2] = { NULL, NULL };

    (void)ctx;
    memcpy(&n, in, sizeof n);
    if (n < 2) {
        memcpy(out, &n, sizeof n);
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        less[i] = n - 1 - i;
        plait_job job = { .fn = fib, .in = &less[i], .in_bytes = sizeof n, .out_bytes = sizeof n };
        int rc = plait_pool_submit(plait_pool_current(), &futures[i], &job, PLAIT_FOREVER);
        if (rc < 0)
            return rc;
    }
    ssize_t rc_a = plait_future_get(futures[0], &a, sizeof a, PLAIT_FOREVER);
    ssize_t rc_b = plait_future_get(futures[1], &b, sizeof b, PLAIT_FOREVER);
    plait_future_unref(futures[0]);
    plait_future_unref(futures[1]);
    a += b;
    memcpy(out, &a, sizeof a);
    return rc_a < 0 ? (int)rc_a : rc_b < 0 ? (int)rc_b : 0;
}

static void check_fib(size_t workers, long n, long value)
{
    long got = 0;
    plait_job job = { .fn = fib, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof got };

    create_with(workers);
    CHECK_INT(plait_pool_apply(pool, &job, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    CHECK_INT(got, value);
    destroy();
}

TEST_LIMIT(jobs_that_wait_for_jobs_do_not_deadlock_a_pool_of_one_worker, 30)
{
    check_fib(1, 10, 55);
}

TEST_LIMIT(jobs_that_wait_for_jobs_do_not_deadlock_a_pool_of_two_workers, 30)
{
    check_fib(2, 13, 233);
}

#endif
