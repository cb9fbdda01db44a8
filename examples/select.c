/* One task waits for two things at once: results from its workers, and the end of each worker, so that one that dies is
 * noticed while the others go on.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WORKERS = 3
};

static plait_queue *results;

static int work(void *arg)
{
    long n = (long)(size_t)arg;

    if (n == 1)
        abort();
    n *= 100;
    return plait_queue_put(results, &n, sizeof n, PLAIT_FOREVER);
}

int main(int argc, char **argv)
{
    plait_task *tasks[WORKERS] = { NULL };
    plait_waitable on[1 + WORKERS] = { { 0 } }; /* a place that is not filled is never ready */
    long sum = 0, n;
    int left = 0, lost = 0;
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_queue_create(&results, NULL);
    if (rc == 0)
        rc = plait_queue_on_get(&on[0], results);
    for (size_t i = 0; rc == 0 && i < WORKERS; i++) {
        rc = plait_task_start(&tasks[i], PLAIT_PROCESS, work, (void *)i, NULL);
        if (rc == 0)
            rc = plait_task_on_end(&on[1 + i], tasks[i]);
        left += rc == 0;
    }
    while (rc == 0 && left > 0) {
        ssize_t which = plait_select(on, 1 + WORKERS, plait_after_ms(10000));
        if (which < 0) {
            rc = (int)which;
        } else if (which == 0) {
            /* the first that is ready: results go before the end of who made them */
            if (plait_queue_get(results, &n, sizeof n, PLAIT_NOWAIT) == sizeof n)
                sum += n;
        } else {
            plait_outcome end;
            plait_task_outcome(tasks[which - 1], &end);
            lost += end.kind == PLAIT_SIGNALLED;
            left--;
            on[which] = (plait_waitable){ 0 };
        }
    }
    if (rc == 0)
        printf("sum %ld, %d lost\n", sum, lost);
    else
        fprintf(stderr, "%s\n", plait_strerror(rc));
    for (size_t i = 0; i < WORKERS; i++)
        plait_task_destroy(tasks[i]);
    plait_queue_destroy(results);
    return rc < 0;
}

/* prints:
 * sum 200, 1 lost
 */
