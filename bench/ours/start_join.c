/* plait: a task that returns at once, started and joined. Before the scenario may stand how processes
 * are made: "spawn" or "forkserver".
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"
#include <plait.h>

static int work(void *arg)
{
    (void)arg;
    return 0;
}

static int start_join(plait_kind kind)
{
    plait_task *task = NULL;
    int rc = plait_task_start(&task, kind, work, NULL, NULL);

    if (rc < 0)
        return rc;
    rc = plait_task_join(task, PLAIT_FOREVER);
    plait_task_destroy(task);
    return rc;
}

static int start_join_process(void)
{
    return start_join(PLAIT_PROCESS);
}

static int start_join_thread(void)
{
    return start_join(PLAIT_THREAD);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "process/start-join", start_join_process },
        { "thread/start-join", start_join_thread },
    };
    int rc = plait_init(&argc, &argv);

    if (rc == 0 && argc == 4) {
        rc = plait_set_start_method(strcmp(argv[1], "spawn") == 0 ? PLAIT_START_SPAWN
                                                                  : PLAIT_START_FORKSERVER);
        argv[1] = argv[0];
        argv++;
        argc--;
        if (rc == 0) /* as small as it can be */
            rc = plait_keeper_start();
    }
    if (rc < 0) {
        fprintf(stderr, "plait_init: %s\n", plait_strerror(rc));
        return 1;
    }
    return bench_main(argc, argv, cases, 2);
}
