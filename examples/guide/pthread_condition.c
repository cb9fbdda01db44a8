/* A mutex and a condition variable; zero bytes are ready for use, and there is nothing to destroy.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static plait_lock lock;
static plait_condition changed;
static int ready; /* under the lock */

static int worker(void *arg)
{
    (void)arg;
    plait_lock_acquire(&lock, PLAIT_FOREVER);
    while (!ready)
        plait_condition_wait(&changed, &lock, PLAIT_FOREVER);
    ready++;
    plait_lock_release(&lock);
    return 0;
}

int main(void)
{
    plait_task *threads[3];

    for (int i = 0; i < 3; i++)
        if (plait_task_start(&threads[i], PLAIT_THREAD, worker, NULL, NULL) < 0)
            return 1;
    plait_lock_acquire(&lock, PLAIT_FOREVER);
    ready = 1;
    plait_lock_release(&lock);
    plait_condition_notify_all(&changed);
    for (int i = 0; i < 3; i++) {
        plait_task_join(threads[i], PLAIT_FOREVER);
        plait_task_destroy(threads[i]);
    }
    printf("%d threads went on\n", ready - 1);
}
