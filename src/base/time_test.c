/* Arithmetic on deadlines.
 * SPDX-License-Identifier: MIT
 */
#include "base/time.h"

#include "test.h"

static int64_t after(int64_t now_ns, int64_t ns)
{
    return plait__deadline_after(now_ns, ns).ns;
}

static int64_t left(int64_t now_ns, int64_t until_ns)
{
    return plait__deadline_left(now_ns, (plait_deadline){ until_ns });
}

TEST(after_adds_and_saturates)
{
    CHECK_INT(after(1000, 500), 1500);
    CHECK_INT(after(1000, 0), 1000);
    CHECK_INT(after(1000, -5), 1000);
    CHECK_INT(after(1000, INT64_MIN), 1000);
    CHECK_INT(after(1000, INT64_MAX), PLAIT_FOREVER.ns);
    CHECK_INT(after(1000, INT64_MAX - 1000), PLAIT_FOREVER.ns);
    CHECK_INT(after(1000, INT64_MAX - 1001), INT64_MAX - 1);
    CHECK_INT(after(INT64_MAX, 1), PLAIT_FOREVER.ns);
}

TEST(left_is_never_negative)
{
    CHECK_INT(left(1000, 1500), 500);
    CHECK_INT(left(1000, 1000), 0);
    CHECK_INT(left(1000, 999), 0);
    CHECK_INT(left(1000, INT64_MIN), 0);
    CHECK_INT(plait__deadline_left(1000, PLAIT_NOWAIT), 0);
    CHECK_INT(plait__deadline_left(1000, PLAIT_FOREVER), INT64_MAX);
    CHECK_INT(plait__deadline_left(INT64_MAX, PLAIT_FOREVER), INT64_MAX);
    CHECK_INT(left(INT64_MIN, INT64_MAX - 1), INT64_MAX);
}

TEST(milliseconds_become_nanoseconds_and_saturate)
{
    CHECK_INT(plait__ns_of_ms(0), 0);
    CHECK_INT(plait__ns_of_ms(-1), 0);
    CHECK_INT(plait__ns_of_ms(INT64_MIN), 0);
    CHECK_INT(plait__ns_of_ms(1500), 1500000000);
    CHECK_INT(plait__ns_of_ms(INT64_MAX / 1000000), INT64_MAX / 1000000 * 1000000);
    CHECK_INT(plait__ns_of_ms(INT64_MAX / 1000000 + 1), INT64_MAX);
    CHECK_INT(plait__ns_of_ms(INT64_MAX), INT64_MAX);
}

TEST(the_earlier_deadline_wins)
{
    plait_deadline soon = { 5 }, late = { 6 };

    CHECK_INT(plait__deadline_earlier(soon, late).ns, 5);
    CHECK_INT(plait__deadline_earlier(late, soon).ns, 5);
    CHECK_INT(plait__deadline_earlier(PLAIT_FOREVER, soon).ns, 5);
    CHECK_INT(plait__deadline_earlier(PLAIT_FOREVER, PLAIT_FOREVER).ns, INT64_MAX);
}
