/* A small lock for plait's own tables.
 * SPDX-License-Identifier: MIT
 */
#include "wait/mutex.h"
#include "os/futex.h"

#include <stdbool.h>

void plait__mutex_lock(struct plait__mutex *mutex)
{
    uint32_t state = 0;

    /* acquire: pairs with the release in unlock, so that we see what the last holder wrote */
    if (__atomic_compare_exchange_n(&mutex->state, &state, 1, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return;
    /* from here we leave 2 behind: we cannot know whether others sleep too */
    while (__atomic_exchange_n(&mutex->state, 2, __ATOMIC_ACQUIRE) != 0)
        plait__os_futex_wait(&mutex->state, 2, INT64_MAX);
}

bool plait__mutex_try(struct plait__mutex *mutex)
{
    uint32_t state = 0;

    return __atomic_compare_exchange_n(&mutex->state, &state, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

void plait__mutex_unlock(struct plait__mutex *mutex)
{
    /* release: pairs with the acquire in lock */
    if (__atomic_exchange_n(&mutex->state, 0, __ATOMIC_RELEASE) == 2)
        plait__os_futex_wake(&mutex->state, 1);
}
