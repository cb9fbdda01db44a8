/* What PLAIT_DEBUG switches on: a list of names: "locks", and "stacks" (task/overflow.c).
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__BASE_DEBUG_H
#define PLAIT__BASE_DEBUG_H

#include <stdbool.h>

enum plait__debug_state {
    PLAIT__DEBUG_UNKNOWN, /* not looked up yet */
    PLAIT__DEBUG_OFF,
    PLAIT__DEBUG_ON
};

/* Only for the next functions. Atomic, relaxed: whoever looks it up finds the same. */
extern int plait__debug_locks_state;
bool plait__debug_locks_find_out(void);

/* Are locks watched (sync/debug.h)? Found out once. */
static inline bool plait__debug_locks(void)
{
    int state = __atomic_load_n(&plait__debug_locks_state, __ATOMIC_RELAXED);

    if (__builtin_expect(state == PLAIT__DEBUG_OFF, 1))
        return false;
    return state == PLAIT__DEBUG_ON || plait__debug_locks_find_out();
}

#endif
