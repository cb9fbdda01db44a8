/* A producer and a consumer, with a pipe between them.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static plait_pipe *receiving, *sending;

static int produce(void *arg)
{
    (void)arg;
    plait_pipe_close(receiving); /* each process closes the end that it does not use */
    for (int i = 1; i <= 3; i++)
        plait_pipe_send(sending, &i, sizeof i, PLAIT_FOREVER);
    return 0; /* what it held is closed with it */
}

static int consume(void *arg)
{
    int item;

    (void)arg;
    plait_pipe_close(sending);
    while (plait_pipe_recv(receiving, &item, sizeof item, PLAIT_FOREVER) > 0)
        printf("received %d\n", item);
    puts("end of file");
    return 0;
}

int main(int argc, char **argv)
{
    plait_task *producer = NULL, *consumer = NULL;

    plait_init(&argc, &argv);
    if (plait_pipe_create(&receiving, &sending, NULL) < 0 ||
        plait_task_start(&producer, PLAIT_PROCESS, produce, NULL, NULL) < 0 ||
        plait_task_start(&consumer, PLAIT_PROCESS, consume, NULL, NULL) < 0)
        return 1;
    plait_pipe_close(receiving);
    plait_pipe_close(sending);
    plait_task_join(producer, PLAIT_FOREVER);
    plait_task_join(consumer, PLAIT_FOREVER);
    plait_task_destroy(producer);
    plait_task_destroy(consumer);
    plait_pipe_destroy(receiving);
    plait_pipe_destroy(sending);
}
