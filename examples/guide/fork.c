/* The demonstration of fork: two processes, each with a pid of its own.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>
#include <unistd.h>

static int child(void *arg)
{
    pid_t parent = *(pid_t *)arg;

    printf("I am the child; my parent is %s\n", getppid() == parent ? "who started me" : "gone");
    return 0;
}

int main(int argc, char **argv)
{
    plait_task *task = NULL;
    pid_t self = getpid();

    plait_init(&argc, &argv);
    if (plait_task_start(&task, PLAIT_PROCESS, child, &self, NULL) < 0)
        return 1;
    plait_task_join(task, PLAIT_FOREVER);
    printf("I started a child with %s pid\n", plait_task_id(task) == self ? "my" : "another");
    plait_task_destroy(task);
}
