/* Two coroutines hand numbers through a chain to a third one, by queues of one process.
 *
 *     cc private_queue.c -o private_queue $(pkg-config --cflags --libs plait)
 */
#include <plait.h>
#include <stdio.h>

struct stage {
    plait_queue *from, *to;
};

/* Hands on twice what it gets, until there is no more. */
static int twice(void *arg)
{
    struct stage *stage = arg;
    long n;

    while (plait_queue_get(stage->from, &n, sizeof n, PLAIT_FOREVER) >= 0) {
        n *= 2;
        plait_queue_put(stage->to, &n, sizeof n, PLAIT_FOREVER);
    }
    return plait_queue_close(stage->to);
}

int main(void)
{
    plait_queue_opts opts = { .one_process = true, .max_items = 4 };
    plait_queue *queues[3] = { NULL, NULL, NULL };
    long n, sum = 0;
    int rc = 0;

    for (int i = 0; rc == 0 && i < 3; i++)
        rc = plait_queue_create(&queues[i], &opts);
    struct stage stages[2] = { { queues[0], queues[1] }, { queues[1], queues[2] } };
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = plait_go(twice, &stages[i]);
    for (n = 1; rc == 0 && n <= 3; n++)
        rc = plait_queue_put(queues[0], &n, sizeof n, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_queue_close(queues[0]);
    while (rc == 0 && plait_queue_get(queues[2], &n, sizeof n, PLAIT_FOREVER) >= 0)
        sum += n;
    printf("%ld\n", sum);
    for (int i = 0; i < 3; i++)
        plait_queue_destroy(queues[i]);
    return rc < 0;
}

/* prints:
24
*/
