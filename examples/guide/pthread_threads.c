/* pthread_create, pthread_join with a result and a deadline, and what stands for pthread_cancel.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <plait.h>
#include <stdio.h>

static int add(void *arg)
{
    int *numbers = arg;

    return numbers[0] + numbers[1];
}

static int wait_for_ever(void *arg)
{
    int rc = plait_sleep(PLAIT_FOREVER); /* -ECANCELED: go on, and clean up */

    (void)arg;
    return rc;
}

int main(void)
{
    int numbers[2] = { 20, 22 };
    plait_task *adder = NULL, *waiter = NULL;
    plait_outcome end;

    if (plait_task_start(&adder, PLAIT_THREAD, add, numbers, NULL) < 0 ||
        plait_task_start(&waiter, PLAIT_THREAD, wait_for_ever, NULL, NULL) < 0)
        return 1;
    plait_task_join(adder, PLAIT_FOREVER);
    plait_task_outcome(adder, &end);
    printf("the sum is %d\n", end.code);
    if (plait_task_join(waiter, plait_after_ms(10)) == -ETIMEDOUT)
        puts("the other one still runs");
    plait_task_terminate(waiter); /* asks: it is not torn away from what it does */
    plait_task_join(waiter, PLAIT_FOREVER);
    plait_task_outcome(waiter, &end);
    puts(end.kind == PLAIT_CANCELLED ? "it was cancelled" : "it returned");
    plait_task_destroy(adder);
    plait_task_destroy(waiter);
}
