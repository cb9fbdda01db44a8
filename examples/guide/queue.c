/* One process writes to a queue, another one reads from it for ever, and is terminated.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static plait_queue *q;

static int write_all(void *arg)
{
    static const char *const values[] = { "A", "B", "C" };

    (void)arg;
    for (int i = 0; i < 3; i++)
        plait_queue_put(q, values[i], 2, PLAIT_FOREVER);
    return plait_queue_join(q, PLAIT_FOREVER); /* all of them are done */
}

static int read_for_ever(void *arg)
{
    char value[8];

    (void)arg;
    while (plait_queue_get(q, value, sizeof value, PLAIT_FOREVER) > 0) {
        printf("Get %s from queue.\n", value);
        fflush(stdout);
        plait_queue_task_done(q);
    }
    return 0;
}

int main(int argc, char **argv)
{
    plait_task *writer = NULL, *reader = NULL;
    plait_outcome end;

    plait_init(&argc, &argv);
    if (plait_queue_create(&q, NULL) < 0 ||
        plait_task_start(&writer, PLAIT_PROCESS, write_all, NULL, NULL) < 0 ||
        plait_task_start(&reader, PLAIT_PROCESS, read_for_ever, NULL, NULL) < 0)
        return 1;
    plait_task_join(writer, PLAIT_FOREVER);
    plait_task_terminate(reader); /* it would never end by itself */
    plait_task_join(reader, PLAIT_FOREVER);
    plait_task_outcome(reader, &end);
    printf("the reader was ended by signal %d\n", end.signal);
    plait_task_destroy(writer);
    plait_task_destroy(reader);
    plait_queue_destroy(q);
}
