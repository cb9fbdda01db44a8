/* A process with a function, a name and an argument.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static int run_proc(void *name)
{
    printf("Run child process %s...\n", (char *)name);
    return 0;
}

int main(int argc, char **argv)
{
    plait_task *p = NULL;

    plait_init(&argc, &argv);
    if (plait_task_start(&p, PLAIT_PROCESS, run_proc, "test", NULL) < 0)
        return 1;
    plait_task_join(p, PLAIT_FOREVER);
    printf("%s has ended: %s\n", plait_task_name(p), plait_task_is_alive(p) ? "no" : "yes");
    plait_task_destroy(p);
}
