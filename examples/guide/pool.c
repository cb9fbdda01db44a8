/* A pool of 4 processes for 5 tasks: the fifth begins when one of the others has ended.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static int long_time_task(const void *in, void *out, void *ctx)
{
    int number = *(const int *)in;

    (void)ctx;
    plait_sleep(plait_after_ms(10));
    *(int *)out = number * number;
    return 0;
}

int main(int argc, char **argv)
{
    plait_future *results[5];
    plait_pool *pool = NULL;

    plait_init(&argc, &argv);
    if (plait_pool_create(&pool, PLAIT_PROCESS, &(plait_pool_opts){ .workers = 4 }) < 0)
        return 1;
    for (int i = 0; i < 5; i++) {
        plait_job job = {
            .fn = long_time_task, .in = &i, .in_bytes = sizeof i, .out_bytes = sizeof i
        };
        if (plait_pool_submit(pool, &results[i], &job, PLAIT_FOREVER) < 0)
            return 1;
    }
    puts("Waiting for all subprocesses done...");
    plait_pool_close(pool);
    plait_pool_join(pool, PLAIT_FOREVER);
    puts("All subprocesses done.");
    for (int i = 0, value; i < 5; i++) {
        if (plait_future_get(results[i], &value, sizeof value, PLAIT_NOWAIT) > 0)
            printf("task %d: %d\n", i, value);
        plait_future_unref(results[i]);
    }
    plait_pool_destroy(pool);
}
