/* Tests of a bell.
 * SPDX-License-Identifier: MIT
 */
#include "chan/bell.h"
#include "wait/wait.h"

#include "test.h"

#include <errno.h>

TEST(a_ring_ends_the_wait_of_who_is_announced)
{
    uint32_t bell = 0, seen = plait__bell_announce(&bell, 0);

    CHECK(plait__bell_awaited(&bell) != 0);
    CHECK_INT(plait__wait_word(&bell, seen, plait_after_ms(1)), -ETIMEDOUT);
    plait__bell_ring(&bell);
    CHECK_INT(plait__wait_word(&bell, seen, PLAIT_FOREVER), 0);
    CHECK_INT(plait__bell_awaited(&bell), 0);
}

TEST(a_bell_that_nobody_awaits_is_not_rung)
{
    uint32_t bell = 0;

    plait__bell_ring(&bell);
    CHECK_INT(bell, 0);
    plait__bell_announce(&bell, 0);
    plait__bell_ring(&bell);
    uint32_t rung = bell;
    plait__bell_ring(&bell);
    CHECK_INT(bell, rung);
}

TEST(all_are_woken_announced_or_not)
{
    uint32_t bell = 0, seen = plait__bell_announce(&bell, 5);

    plait__bell_ring(&bell); /* one of two */
    seen = plait__bell_announce(&bell, 0) & ~PLAIT__BELL_AWAITED;
    bell = seen; /* the other one sleeps on, its announcement was used up */
    plait__bell_ring_all(&bell);
    CHECK(bell != seen);
    CHECK_INT(plait__bell_want(bell), 0);
}

TEST(one_is_woken_when_what_is_there_will_do_for_any)
{
    uint32_t bell = 0;

    plait__bell_announce(&bell, 3);
    plait__bell_announce(&bell, 3);
    CHECK(plait__bell_one_will_do(bell, 3));
    CHECK(!plait__bell_one_will_do(bell, 2));
    plait__bell_ring(&bell);
    CHECK_INT(plait__bell_want(bell), 3); /* of the other one */
    plait__bell_announce(&bell, 2);
    CHECK(!plait__bell_one_will_do(bell, 3)); /* it might be the wrong one */
    plait__bell_ring_all(&bell);
    plait__bell_announce(&bell, 2);
    CHECK(plait__bell_one_will_do(bell, 2));
    plait__bell_ring_all(&bell);
    plait__bell_announce(&bell, UINT32_MAX); /* more than can be told */
    CHECK(!plait__bell_one_will_do(bell, UINT32_MAX));
}

TEST(who_announces_itself_twice_sees_the_ring_between)
{
    uint32_t bell = UINT32_C(0xffff) << 16, seen = plait__bell_announce(&bell, 1);

    plait__bell_ring(&bell); /* the count begins again at 0 */
    CHECK(plait__bell_announce(&bell, 1) != seen);
}
