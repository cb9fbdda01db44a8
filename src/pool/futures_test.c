/* Sets of futures, on an executor that runs its jobs when the test wants it.
 * SPDX-License-Identifier: MIT
 */
#include "pool/serial.h"

#include <plait/error.h>

#include "test.h"

enum {
    N = 6
};

static int give_back(const void *in, void *out, void *ctx)
{
    (void)out;
    (void)ctx;
    return *(const int *)in;
}

/* Of two pools, every other one; those of `bad` fail. */
struct stage {
    plait_pool *pools[2];
    plait_future *set[N];
};

static void set_up(struct stage *stage, int bad)
{
    for (int i = 0; i < 2; i++) {
        stage->pools[i] = serial_pool(0);
        serial_of(stage->pools[i])->budget = 0;
    }
    for (int i = 0; i < N; i++) {
        int in = i == bad ? -1 : i;
        plait_job job = { .fn = give_back, .in = &in, .in_bytes = sizeof in };
        CHECK_INT(plait_pool_submit(stage->pools[i % 2], &stage->set[i], &job, PLAIT_NOWAIT), 0);
    }
}

/* So many more of one of them end. */
static void allow(struct stage *stage, int pool, size_t n)
{
    serial_of(stage->pools[pool])->budget += n;
}

static void tear_down(struct stage *stage)
{
    for (int i = 0; i < N; i++)
        plait_future_unref(stage->set[i]);
    for (int i = 0; i < 2; i++)
        plait_pool_destroy(stage->pools[i]);
}

TEST(any_all_and_first_error_are_told_apart)
{
    struct stage stage;

    set_up(&stage, 4);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_ANY, PLAIT_NOWAIT), -ETIMEDOUT);
    allow(&stage, 1, 1);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_ANY, PLAIT_FOREVER), 1);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_FIRST_ERROR, PLAIT_NOWAIT), -ETIMEDOUT);
    allow(&stage, 0, 3);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_FIRST_ERROR, PLAIT_FOREVER), 4);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_ALL, plait_after_ms(3)), -ETIMEDOUT);
    allow(&stage, 1, 2);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_ALL, PLAIT_FOREVER), N);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_FIRST_ERROR, PLAIT_NOWAIT), N);
    tear_down(&stage);
}

TEST(without_an_error_the_first_error_is_the_end_of_all)
{
    struct stage stage;

    set_up(&stage, -1);
    allow(&stage, 0, 3);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_FIRST_ERROR, PLAIT_NOWAIT), -ETIMEDOUT);
    allow(&stage, 1, 3);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_FIRST_ERROR, PLAIT_FOREVER), N);
    tear_down(&stage);
}

TEST(none_and_null_are_answered_at_once)
{
    struct stage stage;

    set_up(&stage, -1);
    CHECK_INT(plait_futures_wait(NULL, 0, PLAIT_WAIT_ALL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_futures_wait(NULL, 0, PLAIT_WAIT_ANY, PLAIT_FOREVER), 0);
    CHECK_INT(plait_futures_wait(NULL, 1, PLAIT_WAIT_ANY, PLAIT_FOREVER), -EINVAL);
    CHECK_INT(plait_futures_wait(stage.set, N, (plait_wait_for)7, PLAIT_FOREVER), -EINVAL);
    tear_down(&stage);
}

TEST(futures_come_as_they_complete_and_each_once)
{
    struct stage stage;
    plait_completed *set;
    size_t which = 99;

    set_up(&stage, 2);
    allow(&stage, 1, 1);
    CHECK(plait_future_is_ready(stage.set[1]));
    CHECK_INT(plait_completed_create(&set, stage.set, N), 0);
    CHECK_INT(plait_completed_next(set, &which, PLAIT_NOWAIT), 1);
    CHECK_INT(which, 1);
    CHECK_INT(plait_completed_next(set, &which, PLAIT_NOWAIT), -ETIMEDOUT);
    serial_of(stage.pools[0])->runs_newest = true;
    for (size_t i = N - 2; i < N; i -= 2) {
        allow(&stage, 0, 1);
        CHECK_INT(plait_completed_next(set, &which, PLAIT_FOREVER), 1);
        CHECK_INT(which, i);
    }
    allow(&stage, 1, 2);
    CHECK_INT(plait_completed_next(set, &which, PLAIT_FOREVER), 1);
    CHECK_INT(plait_completed_next(set, &which, PLAIT_FOREVER), 1);
    CHECK_INT(which, 5);
    CHECK_INT(plait_completed_next(set, &which, PLAIT_FOREVER), 0);
    plait_completed_destroy(set);
    tear_down(&stage);
}

TEST(a_set_may_go_before_its_futures_have_ended)
{
    struct stage stage;
    plait_completed *set;

    set_up(&stage, -1);
    CHECK_INT(plait_completed_create(&set, stage.set, N), 0);
    plait_completed_destroy(set);
    plait_completed_destroy(NULL);
    allow(&stage, 0, 3);
    allow(&stage, 1, 3);
    CHECK_INT(plait_futures_wait(stage.set, N, PLAIT_WAIT_ALL, PLAIT_FOREVER), N);
    tear_down(&stage);
}
