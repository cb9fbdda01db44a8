/* A small lock for plait's own tables.
 * SPDX-License-Identifier: MIT
 */
#include "wait/mutex.h"
#include "os/futex.h"

void plait__mutex_lock_slowly(struct plait__mutex *mutex)
{
    /* from here we leave 2 behind: we cannot know whether others sleep too */
    while (__atomic_exchange_n(&mutex->state, 2, __ATOMIC_ACQUIRE) != 0)
        plait__os_futex_wait(&mutex->state, 2, INT64_MAX);
}

/* It has been given back already: its memory may be gone. */
void plait__mutex_wake(struct plait__mutex *mutex)
{
    plait__os_futex_wake(&mutex->state, 1);
}
