/* Arithmetic on points in time.
 * SPDX-License-Identifier: MIT
 */
#include "base/time.h"

enum {
    NS_PER_MS = 1000000
};

int64_t plait__ns_of_ms(int64_t ms)
{
    if (ms <= 0)
        return 0;
    return ms > INT64_MAX / NS_PER_MS ? INT64_MAX : ms * NS_PER_MS;
}

plait_deadline plait__deadline_after(int64_t now_ns, int64_t ns)
{
    plait_deadline at = { now_ns };

    if (ns > 0 && __builtin_add_overflow(now_ns, ns, &at.ns))
        return PLAIT_FOREVER;
    return at;
}

int64_t plait__deadline_left(int64_t now_ns, plait_deadline until)
{
    int64_t left;

    if (until.ns == INT64_MAX)
        return INT64_MAX;
    if (until.ns <= now_ns)
        return 0;
    return __builtin_sub_overflow(until.ns, now_ns, &left) ? INT64_MAX : left;
}

plait_deadline plait__deadline_earlier(plait_deadline a, plait_deadline b)
{
    return a.ns < b.ns ? a : b;
}
