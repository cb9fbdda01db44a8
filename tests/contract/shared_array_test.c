/* The contract of shared arrays.
 * SPDX-License-Identifier: MIT
 */
#include "sync.h"

#include <plait/shared_array.h>

#include <stdio.h>

enum {
    ROW = 512
};

static plait_shared_array *array;

static void create(size_t count, size_t item_bytes)
{
    array = NULL;
    CHECK_INT(plait_shared_array_create(&array, count, item_bytes), 0);
    CHECK(array != NULL);
}

static int set_some(void *arg)
{
    uint16_t items[3] = { 7, 8, 9 };

    (void)arg;
    return plait_shared_array_set(array, 2, 3, items, PLAIT_FOREVER);
}

static void what_one_sets_the_others_get(plait_kind with)
{
    uint16_t items[6], expected[6] = { 0, 0, 7, 8, 9, 0 };

    prepare(with, false);
    create(6, sizeof *items);
    CHECK_INT(join(start(set_some, NULL)), 0);
    CHECK_INT(plait_shared_array_get(array, 0, 6, items, PLAIT_NOWAIT), 0);
    CHECK_MEM(items, sizeof items, expected, sizeof expected);
    CHECK_MEM(plait_shared_array_items(array), sizeof items, expected, sizeof expected);
    plait_shared_array_destroy(array);
}

TEST(what_a_thread_sets_the_others_get)
{
    what_one_sets_the_others_get(PLAIT_THREAD);
}

TEST(what_a_process_sets_the_others_get)
{
    what_one_sets_the_others_get(PLAIT_PROCESS);
}

/* ---- the lock ---- */

static int set_rows(void *arg)
{
    int64_t row[ROW];

    (void)arg;
    for (int64_t next = getpid(); number(0) == 0; next++) {
        for (int i = 0; i < ROW; i++)
            row[i] = next;
        CHECK_INT(plait_shared_array_set(array, 0, ROW, row, PLAIT_FOREVER), 0);
    }
    return 0;
}

static bool is_whole(const int64_t *row)
{
    for (int i = 1; i < ROW; i++)
        if (row[i] != row[0])
            return false;
    return true;
}

static void nobody_sees_half_of_a_set(plait_kind with)
{
    int64_t row[ROW];

    prepare(with, false);
    create(ROW, sizeof *row);
    plait_task *one = start(set_rows, NULL), *other = start(set_rows, NULL);
    for (int i = 0; i < 20000; i++) {
        CHECK_INT(plait_shared_array_get(array, 0, ROW, row, PLAIT_FOREVER), 0);
        CHECK(is_whole(row));
    }
    set_number(0, 1);
    CHECK_INT(join(one), 0);
    CHECK_INT(join(other), 0);
    plait_shared_array_destroy(array);
}

TEST_LIMIT(nobody_sees_half_of_a_set_between_threads, 30)
{
    nobody_sees_half_of_a_set(PLAIT_THREAD);
}

TEST_LIMIT(nobody_sees_half_of_a_set_between_processes, 30)
{
    nobody_sees_half_of_a_set(PLAIT_PROCESS);
}

static int try_to_get(void *arg)
{
    char item;

    (void)arg;
    CHECK_INT(plait_shared_array_set(array, 0, 1, "x", PLAIT_NOWAIT), -ETIMEDOUT);
    return plait_shared_array_get(array, 0, 1, &item, plait_after_ms(5));
}

TEST(get_and_set_wait_for_the_lock_unless_it_is_their_own)
{
    char item = 0;

    prepare(PLAIT_THREAD, false);
    create(1, 1);
    CHECK_INT(plait_rlock_acquire(plait_shared_array_lock(array), PLAIT_FOREVER), 0);
    CHECK_INT(join(start(try_to_get, NULL)), -ETIMEDOUT);
    CHECK_INT(plait_shared_array_set(array, 0, 1, "y", PLAIT_NOWAIT), 0);
    CHECK_INT(plait_shared_array_get(array, 0, 1, &item, PLAIT_NOWAIT), 0);
    CHECK_INT(item, 'y');
    CHECK_INT(plait_rlock_depth(plait_shared_array_lock(array)), 1);
    CHECK_INT(plait_rlock_release(plait_shared_array_lock(array)), 0);
    plait_shared_array_destroy(array);
}

/* ---- deaths ---- */

/* Takes the lock from the dead. */
static void repair(void)
{
    CHECK_INT(plait_rlock_recover(plait_shared_array_lock(array), PLAIT_FOREVER), 0);
    memset(plait_shared_array_items(array), 0, ROW * sizeof(int64_t));
    CHECK_INT(plait_rlock_repaired(plait_shared_array_lock(array)), 0);
    CHECK_INT(plait_rlock_release(plait_shared_array_lock(array)), 0);
}

static int set_until_killed(void *arg)
{
    int64_t row[ROW];

    (void)arg;
    for (;; add_number(1)) {
        for (int i = 0; i < ROW; i++)
            row[i] = number(1);
        CHECK_INT(plait_shared_array_set(array, 0, ROW, row, PLAIT_FOREVER), 0);
    }
    return 0;
}

TEST_LIMIT(who_is_killed_in_a_set_has_set_all_or_the_next_ones_are_told, 30)
{
    int64_t row[ROW];
    int told = 0;

    prepare(PLAIT_PROCESS, false);
    create(ROW, sizeof *row);
    for (int i = 0; i < 60; i++) {
        uint32_t before = number(1);
        plait_task *task = start(set_until_killed, NULL);
        UNTIL(number(1) > before);
        kill_it(task);
        int rc = plait_shared_array_get(array, 0, ROW, row, PLAIT_FOREVER);
        if (rc == -EOWNERDEAD) {
            CHECK_INT(plait_shared_array_set(array, 0, ROW, row, PLAIT_FOREVER), -EOWNERDEAD);
            told++;
            repair();
            rc = plait_shared_array_get(array, 0, ROW, row, PLAIT_FOREVER);
        }
        CHECK_INT(rc, 0);
        CHECK(is_whole(row));
    }
    printf("    %d of 60 were told\n", told);
    plait_shared_array_destroy(array);
}

/* ---- bounds, mistakes ---- */

TEST(items_behind_the_last_one_are_refused)
{
    uint32_t items[4] = { 0 };

    create(3, sizeof *items);
    CHECK_INT(plait_shared_array_count(array), 3);
    CHECK_INT(plait_shared_array_item_bytes(array), 4);
    CHECK_INT((uintptr_t)plait_shared_array_items(array) % 16, 0);
    CHECK_INT(plait_shared_array_get(array, 0, 4, items, PLAIT_NOWAIT), -ERANGE);
    CHECK_INT(plait_shared_array_get(array, 3, 1, items, PLAIT_NOWAIT), -ERANGE);
    CHECK_INT(plait_shared_array_set(array, 1, SIZE_MAX, items, PLAIT_NOWAIT), -ERANGE);
    CHECK_INT(plait_shared_array_set(array, SIZE_MAX, 1, items, PLAIT_NOWAIT), -ERANGE);
    CHECK_INT(plait_shared_array_get(array, 3, 0, NULL, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_shared_array_set(array, 2, 1, items, PLAIT_NOWAIT), 0);
    plait_shared_array_destroy(array);
    create(0, 8);
    CHECK_INT(plait_shared_array_count(array), 0);
    plait_shared_array_destroy(array);
}

TEST(mistakes_of_arrays_are_told)
{
    char item = 0;

    array = NULL;
    CHECK_INT(plait_shared_array_create(NULL, 1, 1), -EINVAL);
    CHECK_INT(plait_shared_array_create(&array, 1, 0), -EINVAL);
    CHECK_INT(plait_shared_array_create(&array, SIZE_MAX / 2, 3), -ENOMEM);
    CHECK_INT(plait_shared_array_create(&array, SIZE_MAX, 1), -ENOMEM);
    CHECK(array == NULL);
    CHECK_INT(plait_shared_array_get(NULL, 0, 1, &item, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_shared_array_set(NULL, 0, 1, &item, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_shared_array_count(NULL), 0);
    CHECK_INT(plait_shared_array_item_bytes(NULL), 0);
    CHECK(plait_shared_array_items(NULL) == NULL && plait_shared_array_lock(NULL) == NULL);
    plait_shared_array_destroy(NULL);
    create(1, 1);
    CHECK_INT(plait_shared_array_get(array, 0, 1, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_shared_array_set(array, 0, 1, NULL, PLAIT_NOWAIT), -EINVAL);
    plait_shared_array_destroy(array);
}
