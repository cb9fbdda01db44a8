/* The contract of pools: several threads use one at once, and end it under one another.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_CROWD_H
#define PLAIT_TESTS_POOL_CROWD_H

#include "pool_support.h"

enum {
    CROWD = 4,
    ROUNDS = 60
};

static void start_crowd(plait_task **tasks, plait_task_fn *fn)
{
    static int numbers[CROWD];

    for (int i = 0; i < CROWD; i++) {
        numbers[i] = i;
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_THREAD, fn, &numbers[i], NULL), 0);
    }
}

static void join_crowd(plait_task **tasks)
{
    plait_outcome end;

    for (int i = 0; i < CROWD; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(tasks[i], &end), 0);
        CHECK_INT(end.code, 0);
        plait_task_destroy(tasks[i]);
    }
}

static void count_call(plait_future *future, void *arg)
{
    (void)future;
    add(arg);
}

static void map_a_little(long from)
{
    long in[20], out[20] = { 0 };

    for (long i = 0; i < 20; i++)
        in[i] = from + i;
    CHECK_INT(plait_pool_map(pool, square, PLAIT_IN(in), PLAIT_OUT(out),
                             &(plait_map_opts){ .chunk = 3 }, PLAIT_FOREVER),
              0);
    for (long i = 0; i < 20; i++)
        CHECK_INT(out[i], in[i] * in[i]);
}

static int use_it(void *arg)
{
    const int *number = arg;

    for (long i = 0; i < ROUNDS; i++) {
        plait_future *futures[4];
        for (long k = 0; k < 4; k++) {
            futures[k] = submit_square(*number * 1000 + i * 4 + k);
            CHECK_INT(plait_future_then(futures[k], count_call, &board->n_left), 0);
        }
        if (i % 4 == 0)
            map_a_little(i);
        if (i % 3 == 0)
            plait_future_cancel(futures[3], false);
        CHECK_INT(plait_futures_wait(futures, 4, PLAIT_WAIT_ALL, PLAIT_FOREVER), 4);
        for (long k = 0; k < 3; k++)
            check_square(futures[k], *number * 1000 + i * 4 + k);
        plait_future_unref(futures[3]);
    }
    return 0;
}

TEST_LIMIT(several_threads_may_use_a_pool_at_once, 30)
{
    plait_task *tasks[CROWD];
    plait_pool_usage usage;

    create((plait_pool_opts){ .workers = 2, .max_pending = 8 });
    start_crowd(tasks, use_it);
    join_crowd(tasks);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), CROWD * ROUNDS * 4); /* each callback once */
    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    CHECK_INT(usage.submitted, usage.values + usage.cancelled);
    CHECK_INT(usage.submitted, CROWD * (ROUNDS * 4 + ROUNDS / 4 * 20));
    destroy();
}

static plait_future *awaited[CROWD];

static int wait_and_look(void *arg)
{
    const int *number = arg;
    plait_result result;

    add(&board->numbers[0]);
    CHECK_INT(plait_future_wait(awaited[*number], PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_result(awaited[*number], &result), 0);
    CHECK_INT(result.end, PLAIT_JOB_CANCELLED);
    plait_future_unref(awaited[*number]);
    return 0;
}

TEST_LIMIT(a_pool_may_be_terminated_while_others_wait_for_its_jobs, 30)
{
    plait_task *tasks[CROWD];

    create_with(2);
    for (int i = 0; i < CROWD; i++)
        awaited[i] = submit(stand);
    start_crowd(tasks, wait_and_look);
    UNTIL(load(&board->numbers[0]) == CROWD && load(&board->n_entered) == 2);
    CHECK_INT(plait_pool_terminate(pool), 0);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    join_crowd(tasks);
    destroy();
}

static int submit_until_closed(void *arg)
{
    plait_job job = { .fn = count };
    int rc;

    (void)arg;
    do {
        rc = try_submit(job, PLAIT_FOREVER);
        if (rc == 0)
            add(&board->numbers[0]);
    } while (rc == 0);
    return rc == -EPIPE ? 0 : rc;
}

TEST_LIMIT(what_was_accepted_before_a_close_is_done, 30)
{
    plait_task *tasks[CROWD];

    create((plait_pool_opts){ .workers = 2, .max_pending = 16 });
    start_crowd(tasks, submit_until_closed);
    UNTIL(load(&board->numbers[0]) > 200);
    CHECK_INT(plait_pool_close(pool), 0);
    join_crowd(tasks);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), load(&board->numbers[0]));
    destroy();
}

#endif
