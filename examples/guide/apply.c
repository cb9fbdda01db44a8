/* apply waits for its value; apply_async returns at once, and may be asked later.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static int square(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(int *)out = *(const int *)in * *(const int *)in;
    return 0;
}

static void told(plait_future *future, void *arg)
{
    int value;

    (void)arg;
    if (plait_future_get(future, &value, sizeof value, PLAIT_NOWAIT) > 0)
        printf("callback: %d\n", value);
}

int main(int argc, char **argv)
{
    int six = 6, seven = 7, value;
    plait_job job = { .fn = square, .in = &six, .in_bytes = sizeof six, .out_bytes = sizeof value };
    plait_future *result = NULL;
    plait_pool *pool = NULL;

    plait_init(&argc, &argv);
    if (plait_pool_create(&pool, PLAIT_PROCESS, &(plait_pool_opts){ .workers = 2 }) < 0)
        return 1;
    if (plait_pool_apply(pool, &job, &value, sizeof value, PLAIT_FOREVER) > 0)
        printf("apply: %d\n", value);
    job.in = &seven;
    job.then = told;
    if (plait_pool_submit(pool, &result, &job, PLAIT_FOREVER) < 0)
        return 1;
    puts("submitted");
    if (plait_future_get(result, &value, sizeof value, plait_after_ms(60000)) > 0)
        printf("apply_async: %d\n", value);
    plait_future_unref(result);
    plait_pool_destroy(pool);
}
