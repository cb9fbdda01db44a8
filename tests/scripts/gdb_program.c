/* What the test of tools/gdb looks into: a program with three coroutines.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

static plait_event never, ready;
static plait_lock lock;

__attribute__((noinline)) void stop_here(void);

void stop_here(void)
{
    __asm__ volatile("");
}

static __attribute__((noinline)) int wait_inside(void)
{
    return plait_event_wait(&never, PLAIT_FOREVER) + 1; /* not a tail call: its frame is there */
}

static int hold_and_wait(void *arg)
{
    (void)arg;
    return plait_lock_acquire(&lock, PLAIT_FOREVER) + wait_inside();
}

static int want_lock(void *arg)
{
    (void)arg;
    return plait_lock_acquire(&lock, PLAIT_FOREVER) + 1;
}

static int stop(void *arg)
{
    (void)arg;
    stop_here();
    return plait_event_set(&ready);
}

int main(void)
{
    plait_task *tasks[3];

    plait_task_start(&tasks[0], PLAIT_COROUTINE, hold_and_wait, NULL,
                     &(plait_task_opts){ .name = "holder" });
    plait_task_start(&tasks[1], PLAIT_COROUTINE, want_lock, NULL, NULL);
    plait_task_start(&tasks[2], PLAIT_COROUTINE, stop, NULL,
                     &(plait_task_opts){ .name = "stopper" });
    plait_event_wait(&ready, PLAIT_FOREVER);
    plait_event_set(&never);
    for (int i = 0; i < 3; i++) {
        plait_task_join(tasks[i], PLAIT_FOREVER);
        plait_task_destroy(tasks[i]);
    }
    return 0;
}
