/* Two threads change one balance: with a lock it is what it was.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static plait_lock lock; /* threads share all memory: it may be a plain variable */
static long balance;

static int run_thread(void *arg)
{
    long n = *(long *)arg;

    for (int i = 0; i < 10000; i++) {
        plait_lock_acquire(&lock, PLAIT_FOREVER);
        balance += n;
        balance -= n;
        plait_lock_release(&lock);
    }
    return 0;
}

int main(int argc, char **argv)
{
    plait_task *threads[2];
    long amounts[2] = { 5, 8 };

    plait_init(&argc, &argv);
    for (int i = 0; i < 2; i++)
        if (plait_task_start(&threads[i], PLAIT_THREAD, run_thread, &amounts[i], NULL) < 0)
            return 1;
    for (int i = 0; i < 2; i++) {
        plait_task_join(threads[i], PLAIT_FOREVER);
        plait_task_destroy(threads[i]);
    }
    printf("%ld\n", balance);
}
