/* In place of a subclass of Process with its own run: a table of functions, and what they work on.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

struct clock {
    int interval_ms, rounds;
};

static int init(void *arg)
{
    struct clock *clock = arg;

    printf("every %d ms\n", clock->interval_ms);
    return 0; /* anything else: it does not run */
}

static int run(void *arg)
{
    struct clock *clock = arg;

    for (int i = 1; i <= clock->rounds; i++) {
        plait_sleep(plait_after_ms(clock->interval_ms));
        printf("round %d\n", i);
    }
    return clock->rounds;
}

static void fini(void *arg)
{
    (void)arg;
    puts("over");
}

static const plait_task_table clock_process = { .init = init, .run = run, .fini = fini };

int main(int argc, char **argv)
{
    struct clock clock = { .interval_ms = 2, .rounds = 3 };
    plait_task_opts opts = { .table = &clock_process };
    plait_task *p = NULL;
    plait_outcome end;

    plait_init(&argc, &argv);
    if (plait_task_start(&p, PLAIT_PROCESS, NULL, &clock, &opts) < 0)
        return 1;
    plait_task_join(p, PLAIT_FOREVER);
    plait_task_outcome(p, &end);
    printf("it returned %d\n", end.code);
    plait_task_destroy(p);
}
