/* The contract of pools, kept by coroutines.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#define KIND PLAIT_COROUTINE
#include "pool_calls.h"
#include "pool_crowd.h"
#include "pool_life.h"
#include "pool_refusals.h"
#include "pool_waits.h"

TEST(a_coroutine_does_not_wear_out)
{
    CHECK_INT(plait_pool_create(&pool, KIND, &(plait_pool_opts){ .max_tasks = 1 }), -ENOTSUP);
    CHECK_INT(plait_pool_create(&pool, KIND, &(plait_pool_opts){ .max_age_ms = 1 }), -ENOTSUP);
    CHECK(pool == NULL);
}

/* Ends when all are here. */
static int meet_all(const void *in, void *out, void *ctx)
{
    static plait_event all;

    (void)in;
    (void)out;
    (void)ctx;
    if (add(&board->n_entered) == 999)
        return plait_event_set(&all);
    return plait_event_wait(&all, PLAIT_FOREVER);
}

TEST(a_thousand_jobs_wait_in_one_thread)
{
    static char in[1000];
    plait_items none = plait_items_of(NULL, 0, 0);

    create((plait_pool_opts){ .workers = 1000 });
    CHECK_INT(plait_pool_map(pool, meet_all, PLAIT_IN(in), none, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(load(&board->n_entered), 1000);
    destroy();
}

TEST(a_pool_has_a_hundred_coroutines_unless_told)
{
    plait_pool_usage usage;

    create((plait_pool_opts){ 0 });
    CHECK_INT(plait_pool_stats(pool, &usage), 0);
    CHECK_INT(usage.workers, 100);
    destroy();
}
