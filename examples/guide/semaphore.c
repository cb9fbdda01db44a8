/* Two producers and a consumer: a buffer in shared memory, two semaphores and a lock.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

enum {
    ROOM = 4,
    EACH = 50
};

static struct store {
    plait_lock lock;
    plait_semaphore free, full;
    int items[ROOM], first, n;
} * store;

static int produce(void *arg)
{
    for (int i = 0; i < EACH; i++) {
        plait_semaphore_acquire(&store->free, PLAIT_FOREVER);
        plait_lock_acquire(&store->lock, PLAIT_FOREVER);
        store->items[(store->first + store->n++) % ROOM] = *(int *)arg;
        plait_lock_release(&store->lock);
        plait_semaphore_release(&store->full);
    }
    return 0;
}

static int consume(void)
{
    int item;

    plait_semaphore_acquire(&store->full, PLAIT_FOREVER);
    plait_lock_acquire(&store->lock, PLAIT_FOREVER);
    item = store->items[store->first];
    store->first = (store->first + 1) % ROOM;
    store->n--;
    plait_lock_release(&store->lock);
    plait_semaphore_release(&store->free);
    return item;
}

int main(int argc, char **argv)
{
    plait_task *producers[2];
    int amounts[2] = { 1, 100 }, sum = 0;

    plait_init(&argc, &argv);
    store = plait_shared_alloc(sizeof *store); /* zero bytes are a free lock */
    if (store == NULL)
        return 1;
    plait_semaphore_init(&store->free, ROOM);
    for (int i = 0; i < 2; i++)
        if (plait_task_start(&producers[i], PLAIT_PROCESS, produce, &amounts[i], NULL) < 0)
            return 1;
    for (int i = 0; i < 2 * EACH; i++)
        sum += consume();
    printf("consumed %d\n", sum);
    for (int i = 0; i < 2; i++) {
        plait_task_join(producers[i], PLAIT_FOREVER);
        plait_task_destroy(producers[i]);
    }
    plait_shared_free(store);
}
