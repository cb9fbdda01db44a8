/* Deadlines against the clock.
 * SPDX-License-Identifier: MIT
 */
#include <plait/time.h>

#include "os/clock.h"
#include "test.h"

#include <stdint.h>

TEST(a_deadline_is_so_far_from_now)
{
    int64_t before = plait__os_now_ns();
    plait_deadline until = plait_after_ms(1000), same = plait_after_ns(1000000000);

    CHECK(until.ns >= before + 1000000000 && until.ns <= plait__os_now_ns() + 1000000000);
    CHECK(same.ns >= until.ns);
    CHECK(plait_left_ns(until) > 0 && plait_left_ns(until) <= 1000000000);
}

TEST(the_far_is_for_ever_and_the_past_is_now)
{
    CHECK_INT(plait_after_ms(INT64_MAX).ns, INT64_MAX);
    CHECK_INT(plait_after_ms(INT64_MAX / 1000000).ns, INT64_MAX);
    CHECK_INT(plait_after_ns(INT64_MAX).ns, INT64_MAX);
    CHECK_INT(plait_left_ns(plait_after_ms(0)), 0);
    CHECK_INT(plait_left_ns(plait_after_ms(-5)), 0);
    CHECK_INT(plait_left_ns(plait_after_ns(INT64_MIN)), 0);
    CHECK_INT(plait_left_ns(PLAIT_NOWAIT), 0);
    CHECK_INT(plait_left_ns(PLAIT_FOREVER), INT64_MAX);
}

TEST(a_sleep_lasts_until_its_deadline)
{
    plait_deadline until = plait_after_ms(20);

    CHECK_INT(plait_sleep(until), 0);
    CHECK_INT(plait_left_ns(until), 0);
    CHECK_INT(plait_sleep(until), 0);
    CHECK_INT(plait_sleep(PLAIT_NOWAIT), 0);
}
