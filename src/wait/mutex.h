/* A small lock for plait's own tables: never cancelled, never shared between processes, not robust.
 * SPDX-License-Identifier: MIT
 *
 * Held for a few instructions only. Zero bytes are a free one. plait's public locks are another
 * thing.
 */
#ifndef PLAIT__WAIT_MUTEX_H
#define PLAIT__WAIT_MUTEX_H

#include <stdbool.h>
#include <stdint.h>

struct plait__mutex {
    uint32_t state; /* atomic: 0 free, 1 held, 2 held and somebody may sleep */
};

void plait__mutex_lock(struct plait__mutex *mutex);
/* Has it taken it? It does not wait. */
bool plait__mutex_try(struct plait__mutex *mutex);
void plait__mutex_unlock(struct plait__mutex *mutex);

#endif
