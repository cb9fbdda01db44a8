/* Tests of parcels.
 * SPDX-License-Identifier: MIT
 */
#include "family/member.h"
#include "family/parcel.h"

#include "test.h"

#include <plait/shared.h>

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t make(size_t bytes)
{
    uint64_t name = 0;

    CHECK_INT(plait__parcel_make(bytes, &name), 0);
    CHECK(name != 0);
    return name;
}

static plait_shared_usage look(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage;
}

TEST(a_parcel_is_there_from_when_it_is_left_until_it_is_dropped)
{
    uint64_t name = make(100000);
    char *bytes = plait__parcel_bytes(name);

    CHECK_INT((uintptr_t)bytes % 64, 0);
    memset(bytes, 'x', 100000);
    CHECK(!plait__parcel_is_left(name));
    CHECK(!plait__parcel_drop(name));
    plait__parcel_leave(name);
    CHECK(plait__parcel_is_left(name));
    CHECK_INT(look().blocks, 1);
    CHECK(plait__parcel_drop(name));
    CHECK(!plait__parcel_is_left(name));
    CHECK(!plait__parcel_drop(name));
    CHECK_INT(look().blocks, 0);
}

TEST(a_name_is_not_that_of_the_next_parcel_in_its_place)
{
    uint64_t old = make(1), next;

    plait__parcel_leave(old);
    CHECK(plait__parcel_drop(old));
    next = make(1);
    plait__parcel_leave(next);
    CHECK(plait__parcel_bytes(next) == plait__parcel_bytes(old));
    CHECK(!plait__parcel_is_left(old));
    CHECK(!plait__parcel_drop(old));
    CHECK(plait__parcel_drop(next));
}

TEST(what_a_killed_process_had_in_hand_goes_back_and_what_it_left_stays)
{
    uint64_t *names = plait_shared_alloc(2 * sizeof *names);
    uint64_t rescued;

    CHECK(names != NULL);
    rescued = look().rescued;
    pid_t child = fork();
    if (child == 0) {
        names[0] = make(40000);
        names[1] = make(40000);
        plait__parcel_leave(names[1]);
        _exit(0);
    }
    CHECK_INT(test_waitpid(child, NULL, 0), child);
    CHECK_INT(look().rescued, rescued + 1);
    CHECK(!plait__parcel_is_left(names[0]));
    CHECK(plait__parcel_drop(names[1]));
}

TEST(a_parcel_is_known_by_its_bytes)
{
    static char elsewhere[100];
    uint64_t name = make(10);
    char *bytes = plait__parcel_bytes(name), *block = plait_shared_alloc(100000);

    CHECK_INT(*plait__parcel_note(name), UINT64_MAX);
    CHECK_INT(plait__parcel_of(bytes), name);
    plait__parcel_leave(name);
    CHECK_INT(plait__parcel_of(bytes), name);
    CHECK_INT(plait__parcel_of(bytes + 1), 0);
    CHECK_INT(plait__parcel_of(elsewhere), 0);
    CHECK_INT(plait__parcel_of(NULL), 0);
    CHECK_INT(plait__parcel_of(block + 64), 0);
    CHECK(plait__parcel_drop(name));
    CHECK_INT(plait__parcel_of(bytes), 0);
}

TEST(what_the_heap_has_not_is_refused)
{
    uint64_t name = 7;

    CHECK_INT(plait__parcel_make(SIZE_MAX, &name), -ENOMEM);
    CHECK_INT(plait__parcel_make((size_t)1 << 50, &name), -ENOMEM);
    CHECK_INT(name, 7);
    name = make(0);
    plait__parcel_discard(name);
    CHECK_INT(look().blocks, 0);
}
