/* A variable of which each thread has its own, however deep in its calls.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static plait_local student; /* .destroy would free what it holds when the task ends */

static void process_student(void)
{
    printf("Hello, %s (in %s)\n", (char *)plait_local_get(&student),
           plait_task_name(plait_task_current()));
}

static int process_thread(void *name)
{
    plait_local_set(&student, name);
    process_student();
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const names[2][2] = { { "Alice", "Thread-A" }, { "Bob", "Thread-B" } };

    plait_init(&argc, &argv);
    for (int i = 0; i < 2; i++) {
        plait_task *thread = NULL;
        plait_task_opts opts = { .name = names[i][1] };
        if (plait_task_start(&thread, PLAIT_THREAD, process_thread, (void *)names[i][0], &opts) < 0)
            return 1;
        plait_task_join(thread, PLAIT_FOREVER);
        plait_task_destroy(thread);
    }
    printf("here: %s\n", plait_local_get(&student) == NULL ? "nobody" : "somebody");
}
