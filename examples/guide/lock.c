/* Processes that print in several steps, one after the other under a lock.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static int print(void *arg)
{
    plait_lock *lock = arg;

    plait_lock_acquire(lock, PLAIT_FOREVER);
    fputs("hello ", stdout);
    fflush(stdout);
    plait_sleep(plait_after_ms(1)); /* without the lock, another one would print now */
    puts("world");
    fflush(stdout);
    return plait_lock_release(lock);
}

int main(int argc, char **argv)
{
    plait_task *tasks[3];
    plait_lock *lock;

    plait_init(&argc, &argv);
    lock = plait_shared_alloc(sizeof *lock);
    if (lock == NULL)
        return 1;
    for (int i = 0; i < 3; i++)
        if (plait_task_start(&tasks[i], PLAIT_PROCESS, print, lock, NULL) < 0)
            return 1;
    for (int i = 0; i < 3; i++) {
        plait_task_join(tasks[i], PLAIT_FOREVER);
        plait_task_destroy(tasks[i]);
    }
    plait_shared_free(lock);
}
