/* The contract of lazies in a pool of processs.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#define KIND PLAIT_PROCESS
#include "lazy.h"

#include <signal.h>

static int die(int of, struct page *ret)
{
    (void)ret;
    return raise(of);
}

PLAIT_LAZY(die, struct page, int);

TEST(who_waits_for_one_whose_process_was_killed_goes_on)
{
    plait_result end;
    long length;

    prepare(2);
    plait_lazy *lost = die_lazy(SIGKILL), *below = count_letters_lazy(lost);
    CHECK_INT(plait_lazy_get(below, &length, sizeof length, PLAIT_FOREVER), PLAIT_ENOVALUE);
    CHECK_INT(plait_future_result(plait_lazy_future(below), &end), 0);
    CHECK_INT(end.code, -ENOENT);
    CHECK_INT(plait_future_result(plait_lazy_future(lost), &end), 0);
    CHECK_INT(end.end, PLAIT_JOB_LOST);
    CHECK_INT(end.signal, SIGKILL);
    plait_lazy_destroy(below);
    plait_lazy_destroy(lost);
}

TEST(nothing_of_the_familys_heap_is_left)
{
    plait_shared_usage before, after;
    struct page page;

    prepare(1);
    for (int i = 0; i < 3; i++) {
        plait_lazy *lazy = make_page_lazy(i), *cancelled = make_page_lazy(i);
        CHECK_INT(plait_lazy_get(lazy, &page, sizeof page, PLAIT_FOREVER), 0);
        if (i == 0) /* what the pool keeps is there from the first ones on */
            CHECK_INT(plait_lazy_get(cancelled, &page, sizeof page, PLAIT_FOREVER), 0);
        plait_future *last = plait_future_ref(plait_lazy_future(cancelled));
        plait_lazy_destroy(lazy);
        plait_lazy_destroy(cancelled);
        CHECK_INT(plait_future_wait(last, PLAIT_FOREVER), 0);
        plait_future_unref(last);
        CHECK_INT(plait_shared_stats(i == 0 ? &before : &after), 0);
    }
    CHECK_INT(after.used_bytes, before.used_bytes);
}
