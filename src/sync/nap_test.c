/* Tests of sleeping in slices.
 * SPDX-License-Identifier: MIT
 */
#include "family/member.h"
#include "sync/nap.h"

#include "test.h"

#include <errno.h>

static uint32_t private_word;

TEST(in_shared_memory_a_nap_ends_after_a_slice)
{
    uint32_t *shared;

    CHECK_INT(plait__member_join(), 0);
    shared = (uint32_t *)&plait__family()->heap[13];
    for (unsigned round = 0; round < 6; round++)
        CHECK_INT(plait__nap(shared, *shared, round, PLAIT_FOREVER), 1);
}

TEST(a_nap_ends_at_the_deadline)
{
    plait_deadline soon = plait_after_ms(3);
    uint32_t *shared;

    CHECK_INT(plait__member_join(), 0);
    shared = (uint32_t *)&plait__family()->heap[13];
    CHECK_INT(plait__nap(shared, *shared, 9, soon), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(soon), 0);
    CHECK_INT(plait__nap(shared, *shared, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait__nap(shared, *shared + 1, 0, PLAIT_NOWAIT), 0); /* it has changed */
    CHECK_INT(plait__nap(&private_word, 0, 0, PLAIT_NOWAIT), -ETIMEDOUT);
}

TEST(in_private_memory_there_are_no_slices)
{
    plait_deadline later = plait_after_ms(250);

    CHECK_INT(plait__nap(&private_word, 0, 3, later), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(later), 0);
}
