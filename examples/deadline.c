/* One deadline for several waits, then the end of what is late.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <plait.h>
#include <stdio.h>

static int is_late(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

int main(int argc, char **argv)
{
    plait_task *task = NULL;
    plait_outcome end;

    if (plait_init(&argc, &argv) < 0 ||
        plait_task_start(&task, PLAIT_PROCESS, is_late, NULL, NULL) < 0)
        return 1;

    plait_deadline soon = plait_after_ms(200);
    if (plait_task_join(task, soon) == -ETIMEDOUT)
        puts("it still runs");
    if (plait_task_join(task, soon) == -ETIMEDOUT) /* the same point in time: at once */
        puts("still");

    plait_task_kill(task);
    if (plait_task_join(task, PLAIT_FOREVER) == 0 && plait_task_outcome(task, &end) == 0)
        printf("killed by signal %d\n", end.signal);
    plait_task_destroy(task);
    return 0;
}

/* prints:
 * it still runs
 * still
 * killed by signal 9
 */
