/* What pools promise whose workers are replaced after some time: not those of coroutines.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_RECYCLING_H
#define PLAIT_TESTS_POOL_RECYCLING_H

#include "pool_life.h"

static int tell_worker(const void *in, void *out, void *ctx)
{
    static __thread uint32_t number;

    (void)in;
    (void)ctx;
    if (number == 0)
        number = 1 + add(&board->n_entered);
    memcpy(out, &number, sizeof number);
    return 0;
}

static uint32_t ask_worker(void)
{
    uint32_t number = 0;
    plait_job job = { .fn = tell_worker, .out_bytes = sizeof number };

    CHECK_INT(plait_pool_apply(pool, &job, &number, sizeof number, PLAIT_FOREVER), sizeof number);
    return number;
}

TEST_LIMIT(a_worker_is_replaced_after_so_many_jobs, 30)
{
    enum {
        JOBS = 30,
        MOST = 3
    };

    uint32_t uses[JOBS + 1] = { 0 };

    create((plait_pool_opts){ .workers = 1, .max_tasks = MOST });
    for (int i = 0; i < JOBS; i++) {
        uint32_t number = ask_worker();
        CHECK(number >= 1 && number <= JOBS);
        CHECK(++uses[number] <= MOST);
    }
    CHECK_INT(load(&board->n_entered), JOBS / MOST);
    destroy();
}

TEST_LIMIT(a_pool_of_workers_that_do_one_job_each_ends_at_once_when_closed, 30)
{
    create((plait_pool_opts){ .workers = 2, .max_tasks = 1 });
    for (int i = 0; i < 6; i++)
        submit_alone(count);
    CHECK_INT(plait_pool_close(pool), 0);
    CHECK_INT(plait_pool_join(pool, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_left), 6);
    destroy();
}

TEST(a_worker_that_is_replaced_does_what_its_jobs_handed_over_before)
{
    create((plait_pool_opts){ .workers = 1, .max_tasks = 1 });
    submit_alone(hand_over_ten);
    submit_alone(hand_over_ten);
    UNTIL(load(&board->n_left) == 20);
    CHECK_INT(plait_pool_drain(pool, PLAIT_FOREVER), 0);
    destroy();
}

#endif
