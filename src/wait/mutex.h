/* A small lock for plait's own tables: never cancelled, never shared between processes, not robust.
 * SPDX-License-Identifier: MIT
 *
 * Held for a few instructions only. Zero bytes are a free one. plait's public locks are another
 * thing.
 */
#ifndef PLAIT__WAIT_MUTEX_H
#define PLAIT__WAIT_MUTEX_H

#include "os/rmw.h"

#include <stdbool.h>
#include <stdint.h>

struct plait__mutex {
    uint32_t state; /* atomic: 0 free, 1 held, 2 held and somebody may sleep */
};

void plait__mutex_lock_slowly(struct plait__mutex *mutex);
void plait__mutex_wake(struct plait__mutex *mutex);

/* Has it taken it? It does not wait. */
static inline bool plait__mutex_try(struct plait__mutex *mutex)
{
    /* acquire: pairs with the release in unlock, so that we see what the last holder wrote */
    return plait__rmw_replace(&mutex->state, 0, 1);
}

static inline void plait__mutex_lock(struct plait__mutex *mutex)
{
    if (!plait__mutex_try(mutex))
        plait__mutex_lock_slowly(mutex);
}

static inline void plait__mutex_unlock(struct plait__mutex *mutex)
{
    /* release: pairs with the acquire in lock */
    if (plait__rmw_exchange(&mutex->state, 0) == 2)
        plait__mutex_wake(mutex);
}

/* In a forked child, where whoever held it may not be: it is free. One that is free is not written to,
 * as each page that a child writes to is copied. */
static inline void plait__mutex_reset(struct plait__mutex *mutex)
{
    /* relaxed: the child has one thread */
    if (__atomic_load_n(&mutex->state, __ATOMIC_RELAXED) != 0)
        __atomic_store_n(&mutex->state, 0, __ATOMIC_RELAXED);
}

#endif
