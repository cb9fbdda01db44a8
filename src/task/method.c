/* How processes are made where nobody says it.
 * SPDX-License-Identifier: MIT
 */
#include "task/method.h"
#include "base/beside.h"

#include <errno.h>

static uint32_t chosen PLAIT__BESIDE; /* atomic: once */

plait_start_method plait__start_method(void)
{
    return (plait_start_method)__atomic_load_n(&chosen, __ATOMIC_RELAXED);
}

void plait__start_method_inherit(plait_start_method method)
{
    if (plait__start_method() != method) /* a write would copy the page */
        __atomic_store_n(&chosen, (uint32_t)method, __ATOMIC_RELAXED);
}

int plait_set_start_method(plait_start_method method)
{
    uint32_t none = PLAIT_START_DEFAULT;

    if (method < PLAIT_START_FORK || method > PLAIT_START_FORKSERVER)
        return -EINVAL;
    return __atomic_compare_exchange_n(&chosen, &none, (uint32_t)method, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED)
               ? 0
               : -EALREADY;
}

plait_start_method plait_get_start_method(void)
{
    plait_start_method method = plait__start_method();

    return method != PLAIT_START_DEFAULT ? method : PLAIT_START_FORK;
}
