/* What the objects that are made with a lock know of it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__SYNC_LOCK_H
#define PLAIT__SYNC_LOCK_H

#include "sync/task_id.h"
#include <plait/lock.h>

/* Does the running task hold it? */
static inline bool plait__lock_is_mine(const plait_lock *lock)
{
    /* relaxed: nobody but we writes our id, and we clear it before we release the word */
    return __atomic_load_n(&lock->holder, __ATOMIC_RELAXED) == plait__task_id();
}

/* Releases it, recursive or not, however often it is held: that is returned. pre: we hold it. */
uint32_t plait__lock_let_go(plait_lock *lock);
/* Takes it again as it was, for who has called us from that place. Not cut short by a cancel. 0;
 * -EOWNERDEAD: we do not hold it. */
int plait__lock_take_back(plait_lock *lock, uint32_t depth, const void *place);

#endif
