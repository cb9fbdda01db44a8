/* plait: a coroutine that is woken by what is not in its loop, by a semaphore.
 * SPDX-License-Identifier: MIT
 *
 *     wake SCENARIO COUNT            as the scenario says
 *     wake threads SCENARIO COUNT    no coroutines: the threads themselves wait
 */
#include "wakes.h"
#include <plait.h>

static plait_semaphore private_memory[2], *semaphores = private_memory;
static bool are_bare; /* threads */

static int wakes_make(void)
{
    int rc;

    if (!wakes.are_threads)
        semaphores = plait_shared_alloc(2 * sizeof *semaphores);
    if (semaphores == NULL)
        return -ENOMEM;
    rc = plait_semaphore_init(&semaphores[0], 0);
    return rc < 0 ? rc : plait_semaphore_init(&semaphores[1], 0);
}

static int run_as_coroutine(int (*fn)(void *), void *arg)
{
    plait_task *task = NULL;
    plait_outcome outcome = { .code = 0 };
    int rc = plait_task_start(&task, PLAIT_COROUTINE, fn, arg, NULL);

    if (rc == 0)
        rc = plait_task_join(task, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_task_outcome(task, &outcome);
    plait_task_destroy(task);
    return rc < 0 ? rc : outcome.code;
}

static int wakes_run(unsigned number, int (*fn)(void *), void *arg)
{
    if (are_bare || (number == 0 && !wakes.by_coroutine))
        return fn(arg);
    return run_as_coroutine(fn, arg);
}

static int wakes_wait(unsigned number)
{
    return plait_semaphore_acquire(&semaphores[number], PLAIT_FOREVER);
}

static int wakes_wake(unsigned number)
{
    return plait_semaphore_release(&semaphores[number]);
}

int main(int argc, char **argv)
{
    are_bare = argc == 4 && strcmp(argv[1], "threads") == 0;
    return wakes_main(argc, argv);
}
