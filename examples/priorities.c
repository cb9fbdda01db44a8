/* Three processes take jobs, the urgent ones first, and count what they did.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <stdio.h>

static plait_priority_queue *jobs;
static plait_shared_int64 *done;

static int work(void *arg)
{
    char job[32];

    (void)arg;
    while (plait_priority_queue_get(jobs, NULL, job, sizeof job, PLAIT_FOREVER) >= 0)
        plait_shared_int64_add(done, 1);
    return 0;
}

int main(int argc, char **argv)
{
    plait_task *tasks[3] = { NULL };
    int64_t priority = 0;
    char first[32] = "";
    int rc = plait_init(&argc, &argv);

    done = plait_shared_alloc(sizeof *done); /* zeroed: 0 */
    if (rc == 0)
        rc = plait_priority_queue_create(&jobs, NULL);
    if (rc < 0 || done == NULL)
        return 1;
    for (int i = 0; rc == 0 && i < 300; i++)
        rc = plait_priority_queue_put(jobs, 10, "routine", 8, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_priority_queue_put(jobs, 1, "urgent", 7, PLAIT_FOREVER);
    if (rc == 0 &&
        plait_priority_queue_peek(jobs, &priority, first, sizeof first, PLAIT_NOWAIT) > 0)
        printf("the first of %zu is %s, %lld\n", plait_priority_queue_size(jobs), first,
               (long long)priority);
    plait_priority_queue_close(jobs); /* what is in it is still got */
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = plait_task_start(&tasks[i], PLAIT_PROCESS, work, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        if (tasks[i] != NULL)
            plait_task_join(tasks[i], PLAIT_FOREVER);
        plait_task_destroy(tasks[i]);
    }
    printf("%lld were done\n", (long long)plait_shared_int64_get(done));
    plait_priority_queue_destroy(jobs);
    if (rc < 0)
        fprintf(stderr, "%s\n", plait_strerror(rc));
    return rc < 0;
}

/* prints:
 * the first of 301 is urgent, 1
 * 301 were done
 */
