/* The contract of pools, kept by processes.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_PROCESS
#include "pool_calls.h"
#include "pool_crowd.h"
#include "pool_life.h"
#include "pool_recycling.h"
#include "pool_refusals.h"
#include "pool_waits.h"

TEST(waits_go_over_pools_of_both_kinds)
{
    plait_pool *pools[2] = { NULL, NULL };
    plait_future *futures[2] = { NULL, NULL };
    long n[2] = { 5, 6 };

    CHECK_INT(plait_keeper_start(), 0);
    CHECK_INT(plait_pool_create(&pools[0], PLAIT_PROCESS, NULL), 0);
    CHECK_INT(plait_pool_create(&pools[1], PLAIT_THREAD, NULL), 0);
    for (int i = 0; i < 2; i++) {
        plait_job job = {
            .fn = square, .in = &n[i], .in_bytes = sizeof n[i], .out_bytes = sizeof n[i]
        };
        CHECK_INT(plait_pool_submit(pools[i], &futures[i], &job, PLAIT_FOREVER), 0);
    }
    CHECK_INT(plait_futures_wait(futures, 2, PLAIT_WAIT_ALL, PLAIT_FOREVER), 2);
    for (int i = 0; i < 2; i++) {
        check_square(futures[i], n[i]);
        plait_pool_destroy(pools[i]);
    }
}
