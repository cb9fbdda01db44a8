/* A daemon is not waited for when the program ends: it ends, too.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static int work(void *seconds)
{
    plait_sleep(plait_after_ms(*(int *)seconds * 1000));
    puts("work is done");
    return 0;
}

int main(int argc, char **argv)
{
    int no_time = 0, an_hour = 3600;
    plait_task *daemon = NULL, *other = NULL;
    plait_task_opts opts = { .daemon = true };

    plait_init(&argc, &argv);
    puts("main starts both, and ends");
    if (plait_task_start(&daemon, PLAIT_PROCESS, work, &an_hour, &opts) < 0 ||
        plait_task_start(&other, PLAIT_PROCESS, work, &no_time, NULL) < 0)
        return 1;
    return 0; /* now `other` is waited for, and `daemon` is killed */
}
