/* plait's lock and semaphore, in the family's heap.
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"
#include <plait.h>

static plait_lock *lock;
static plait_semaphore *semaphore;

static int locks_make(const char *variant)
{
    (void)variant;
    lock = plait_shared_alloc(sizeof *lock);
    semaphore = plait_shared_alloc(sizeof *semaphore);
    if (lock == NULL || semaphore == NULL)
        return -ENOMEM;
    return plait_semaphore_init(semaphore, 1);
}

static int locks_acquire(void)
{
    return plait_lock_acquire(lock, PLAIT_FOREVER);
}

static int locks_release(void)
{
    return plait_lock_release(lock);
}

static int locks_take(void)
{
    return plait_semaphore_acquire(semaphore, PLAIT_FOREVER);
}

static int locks_give(void)
{
    return plait_semaphore_release(semaphore);
}

int main(int argc, char **argv)
{
    return locks_main(argc, argv);
}
