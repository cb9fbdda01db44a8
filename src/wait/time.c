/* Deadlines against the clock, and sleeping.
 * SPDX-License-Identifier: MIT
 */
#include <plait/time.h>

#include "base/time.h"
#include "os/clock.h"
#include "wait/wait.h"

#include <errno.h>

plait_deadline plait_after_ms(int64_t ms)
{
    return plait_after_ns(ms > INT64_MAX / 1000000 ? INT64_MAX : ms < 0 ? 0 : ms * 1000000);
}

plait_deadline plait_after_ns(int64_t ns)
{
    return plait__deadline_after(plait__os_now_ns(), ns);
}

int64_t plait_left_ns(plait_deadline until)
{
    if (until.ns == INT64_MAX || until.ns <= 0) /* no look at the clock: asked before each wait */
        return until.ns <= 0 ? 0 : INT64_MAX;
    return plait__deadline_left(plait__os_now_ns(), until);
}

int plait_sleep(plait_deadline until)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();
    bool has_passed = until.ns != INT64_MAX && plait_left_ns(until) == 0;
    uint32_t never_changes = 0;
    int rc;

    plait__say_wait(PLAIT__ON_TIME, &never_changes);
    do
        rc = plait__wait_word(&never_changes, 0, until);
    while (rc == 0);
    /* a sleep of no time lets others run all the same, as everywhere */
    if (rc == -ETIMEDOUT && sleeper != NULL && sleeper->ops != NULL && has_passed)
        sleeper->ops->park(sleeper, NULL, 0,
                           (plait_deadline){ 1 }); /* the past: until others ran */
    return rc == -ETIMEDOUT && plait__until_here(until).ns == until.ns ? 0 : rc;
}
