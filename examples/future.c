/* Jobs one by one: a value, an error, a death, and all of them as they complete.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <stdio.h>
#include <stdlib.h>

/* 1: a value; 2: an error of its own; 3: it kills its worker. */
static int work(const void *in, void *out, void *ctx)
{
    int n = *(const int *)in;

    (void)ctx;
    if (n == 3)
        abort();
    if (n == 2)
        return -n;
    *(int *)out = n * 100;
    return 0;
}

static void tell(int n, plait_future *future)
{
    plait_result end = { 0 };
    int value;

    if (plait_future_get(future, &value, sizeof value, PLAIT_NOWAIT) == sizeof value) {
        printf("%d: a value, %d\n", n, value);
        return;
    }
    plait_future_result(future, &end);
    if (end.end == PLAIT_JOB_ERROR)
        printf("%d: an error of its own, %d\n", n, end.code);
    else if (end.end == PLAIT_JOB_LOST)
        printf("%d: lost, its worker died of signal %d\n", n, end.signal);
}

int main(int argc, char **argv)
{
    plait_future *futures[3] = { NULL };
    plait_pool *pool = NULL;
    plait_pool_opts opts = { .workers = 1 };
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_pool_create(&pool, PLAIT_PROCESS, &opts);
    for (int n = 1; rc == 0 && n <= 3; n++) {
        plait_job job = { .fn = work, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof(int) };
        rc = plait_pool_submit(pool, &futures[n - 1], &job, PLAIT_FOREVER);
    }
    if (rc == 0)
        rc = plait_futures_wait(futures, 3, PLAIT_WAIT_ALL, PLAIT_FOREVER) == 3 ? 0 : -1;
    for (int n = 1; n <= 3; n++) {
        if (rc == 0)
            tell(n, futures[n - 1]);
        plait_future_unref(futures[n - 1]);
    }
    plait_pool_destroy(pool);
    return rc != 0;
}

/* prints:
 * 1: a value, 100
 * 2: an error of its own, -2
 * 3: lost, its worker died of signal 6
 */
