/* Who runs, and on how many CPUs.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static plait_event *enough;

static int work(void *arg)
{
    (void)arg;
    return plait_event_wait(enough, PLAIT_FOREVER);
}

int main(int argc, char **argv)
{
    static const char *const names[2] = { "washer", "dryer" };
    plait_task *tasks[2], *children[10];
    size_t n;

    plait_init(&argc, &argv);
    enough = plait_shared_alloc(sizeof *enough);
    for (int i = 0; i < 2; i++) {
        plait_task_opts opts = { .name = names[i] };
        if (plait_task_start(&tasks[i], PLAIT_PROCESS, work, NULL, &opts) < 0)
            return 1;
    }
    printf("there is %s CPU\n", plait_cpu_count() >= 1 ? "at least one" : "no");
    n = plait_task_children(children, 10);
    for (size_t i = 0; i < n; i++)
        printf("child %s, pid %s\n", plait_task_name(children[i]),
               plait_task_id(children[i]) > 0 ? "known" : "unknown");
    plait_event_set(enough);
    for (int i = 0; i < 2; i++) {
        plait_task_join(tasks[i], PLAIT_FOREVER);
        plait_task_destroy(tasks[i]);
    }
    printf("%zu children are left\n", plait_task_children(NULL, 0));
    plait_shared_free(enough);
}
