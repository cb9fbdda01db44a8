/* What PLAIT_DEBUG switches on.
 * SPDX-License-Identifier: MIT
 */
#include "base/debug.h"
#include "base/env.h"

int plait__debug_locks_state;

bool plait__debug_locks_find_out(void)
{
    bool is_on = plait__env_lists("PLAIT_DEBUG", "locks");

    __atomic_store_n(&plait__debug_locks_state, is_on ? PLAIT__DEBUG_ON : PLAIT__DEBUG_OFF,
                     __ATOMIC_RELAXED);
    return is_on;
}
