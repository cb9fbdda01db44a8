/* The same function as a process and as a thread: one word differs. What each did to memory shows the difference.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static int visits;

static int visit(void *arg)
{
    visits += *(const int *)arg;
    return visits;
}

static int run(plait_kind kind)
{
    int step = 10;
    plait_task *task = NULL;
    plait_outcome end;
    int rc = plait_task_start(&task, kind, visit, &step, NULL);

    if (rc == 0)
        rc = plait_task_join(task, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_task_outcome(task, &end);
    if (rc == 0)
        printf("%s returned %d; here it is %d\n", plait_task_name(task), end.code, visits);
    else
        fprintf(stderr, "%s\n", plait_strerror(rc));
    plait_task_destroy(task);
    return rc;
}

int main(int argc, char **argv)
{
    if (plait_init(&argc, &argv) < 0)
        return 1;
    return run(PLAIT_PROCESS) < 0 || run(PLAIT_THREAD) < 0;
}

/* prints:
 * Process-1 returned 10; here it is 0
 * Thread-1 returned 10; here it is 10
 */
