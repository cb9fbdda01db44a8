/* Probes and their switch.
 * SPDX-License-Identifier: MIT
 */
#include "os/probe.h"

#include "test.h"

#include <stdlib.h>

TEST(every_probe_has_a_name_and_a_purpose)
{
    for (int id = 0; id < PLAIT__PROBE_COUNT; id++) {
        const struct plait__probe *probe = plait__probe_at((enum plait__probe_id)id);
        CHECK(probe->name != NULL && probe->since != NULL && probe->what != NULL);
    }
}

TEST(all_switches_everything_off)
{
    setenv("PLAIT_DISABLE", "all", 1);
    for (int id = 0; id < PLAIT__PROBE_COUNT; id++) {
        CHECK(!plait__probe_has((enum plait__probe_id)id));
        CHECK(plait__probe_is_disabled((enum plait__probe_id)id));
    }
}

TEST(a_list_switches_off_what_it_names)
{
    setenv("PLAIT_DISABLE", ",futex_waitv_not,pidfd_info,,close", 1);
    CHECK(plait__probe_is_disabled(PLAIT__PROBE_PIDFD_INFO));
    CHECK(!plait__probe_has(PLAIT__PROBE_PIDFD_INFO));
    CHECK(!plait__probe_is_disabled(PLAIT__PROBE_FUTEX_WAITV));
    CHECK(!plait__probe_is_disabled(PLAIT__PROBE_CLOSE_RANGE));
}

TEST(an_answer_is_remembered)
{
    unsetenv("PLAIT_DISABLE");
    bool has = plait__probe_has(PLAIT__PROBE_CLOSE_RANGE);

    setenv("PLAIT_DISABLE", "all", 1);
    CHECK_INT(plait__probe_has(PLAIT__PROBE_CLOSE_RANGE), has);
    CHECK(!plait__probe_is_disabled(PLAIT__PROBE_CLOSE_RANGE));
}
