/* Items in free order: their order, their cells, and what a death leaves of them.
 * SPDX-License-Identifier: MIT
 */
#include "chan/items.h"
#include "family/member.h"
#include "sync/owned.h"

#include <plait/shared.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static struct plait__items *items;
static uint32_t seed = 1;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525U + 1013904223U;
    return (uint32_t)((uint64_t)seed * limit >> 32);
}

static void create(plait_priority_queue_opts opts)
{
    size_t bytes = 0;

    CHECK_INT(plait__items_bytes(&opts, &bytes), 0);
    items = plait_shared_alloc(bytes);
    CHECK(items != NULL);
    plait__items_init(items, &opts);
}

static int put(int64_t priority, const void *bytes, size_t n)
{
    return plait__items_put(items, priority, &(plait_bytes){ bytes, n }, PLAIT_NOWAIT);
}

/* What is in them besides: the oracle. */
enum {
    MOST = 300,
    SIZE_MOST = 130
};

struct known {
    int64_t priority;
    uint32_t number;
    size_t size;
};

static struct known known[MOST];
static uint32_t n_known, n_put;

static void fill(unsigned char *bytes, const struct known *item)
{
    for (size_t i = 0; i < item->size; i++)
        bytes[i] = (unsigned char)(item->number * 31 + i);
}

static bool put_random(void)
{
    struct known item = { (int64_t)random_below(5) - 2, n_put, random_below(SIZE_MOST) };
    unsigned char bytes[SIZE_MOST];
    int rc;

    fill(bytes, &item);
    rc = put(item.priority, bytes, item.size);
    if (rc == -EAGAIN)
        return false;
    CHECK_INT(rc, 0);
    n_put++;
    CHECK(n_known < MOST);
    known[n_known++] = item;
    return true;
}

static uint32_t first_known(void)
{
    uint32_t first = 0;

    for (uint32_t i = 1; i < n_known; i++) {
        bool is_newer = known[i].number > known[first].number;
        if (known[i].priority < known[first].priority ||
            (known[i].priority == known[first].priority && is_newer == items->newest_first))
            first = i;
    }
    return first;
}

static void get_first(void)
{
    unsigned char bytes[SIZE_MOST], expected[SIZE_MOST];
    struct plait__items_hand hand = { .buf = bytes, .cap = sizeof bytes };
    ssize_t n = plait__items_get(items, &hand, PLAIT_NOWAIT);
    uint32_t first = first_known();

    if (n_known == 0) {
        CHECK_INT(n, -EAGAIN);
        return;
    }
    fill(expected, &known[first]);
    CHECK(n >= 0);
    CHECK_MEM(bytes, (size_t)n, expected, known[first].size);
    CHECK_INT(hand.priority, known[first].priority);
    known[first] = known[--n_known];
}

static void check_count(void)
{
    uint32_t cells = 0;

    for (uint32_t i = 0; i < n_known; i++)
        cells += plait__items_cells_for(known[i].size);
    CHECK_INT(plait__items_count(items), n_known);
    CHECK_INT(items->n_used, cells);
    CHECK_INT(items->puts, n_put);
}

/* What is only there to find things fast is made rubbish: a death in the middle of a change. */
static void die_inside(void)
{
    uint32_t *heap = (uint32_t *)(void *)(items->cells + items->n_cells);

    for (uint32_t i = 0; i < items->n_cells; i++)
        heap[i] = random_below(UINT32_MAX);
    for (uint32_t i = 0; i < items->touched; i++)
        if (items->cells[i].stamp == 0 && random_below(4) == 0)
            items->cells[i].priority = random_below(100);
    items->count = random_below(1000);
    items->n_used = random_below(1000);
    items->free = random_below(1000);
    items->puts -= items->puts > 0 && n_known > 0 && items->puts == n_put &&
                   known[n_known - 1].number == n_put - 1;
    __atomic_store_n(&items->lock, PLAIT__OWNED_BROKEN, __ATOMIC_SEQ_CST);
}

static void try_all(plait_priority_queue_opts opts, bool with_deaths)
{
    create(opts);
    n_known = n_put = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t is_filling = i / 500 % 2;
        if (random_below(3) < 1 + is_filling)
            put_random();
        else
            get_first();
        if (with_deaths && random_below(20) == 0)
            die_inside();
        if (i % 50 == 0)
            check_count();
    }
    while (n_known > 0)
        get_first();
    check_count();
    plait_shared_free(items);
}

TEST(items_come_out_by_priority_and_then_in_their_order)
{
    try_all((plait_priority_queue_opts){ .max_bytes = 256 * PLAIT__CELL_BYTES }, false);
}

TEST(or_the_newest_of_a_priority_first)
{
    try_all(
        (plait_priority_queue_opts){ .max_bytes = 256 * PLAIT__CELL_BYTES, .newest_first = true },
        false);
}

TEST(all_is_made_again_from_the_stamps)
{
    plait_priority_queue_opts opts = { .max_bytes = 256 * PLAIT__CELL_BYTES };

    try_all(opts, true);
    opts.newest_first = true;
    opts.max_items = 20;
    try_all(opts, true);
}

TEST(cells_are_used_to_the_last_one)
{
    static char bytes[4 * PLAIT__CELL_ROOM];

    create((plait_priority_queue_opts){ .max_bytes = 4 * PLAIT__CELL_BYTES + 63 });
    CHECK_INT(items->n_cells, 4);
    for (int i = 0; i < 3; i++) {
        struct plait__items_hand hand = { .buf = bytes, .cap = sizeof bytes };
        CHECK_INT(put(0, bytes, sizeof bytes + 1), -EMSGSIZE);
        CHECK_INT(put(0, bytes, sizeof bytes), 0);
        CHECK_INT(put(0, bytes, 0), -EAGAIN);
        CHECK(!plait__items_have_room(items, 1));
        CHECK_INT(plait__items_get(items, &hand, PLAIT_NOWAIT), (ssize_t)sizeof bytes);
        CHECK_INT(put(0, bytes, sizeof bytes - PLAIT__CELL_ROOM), 0);
        CHECK_INT(put(0, bytes, PLAIT__CELL_ROOM + 1), -EAGAIN);
        CHECK_INT(put(1, bytes, PLAIT__CELL_ROOM), 0);
        CHECK_INT(plait__items_get(items, &hand, PLAIT_NOWAIT), 3 * PLAIT__CELL_ROOM);
        CHECK_INT(plait__items_get(items, &hand, PLAIT_NOWAIT), PLAIT__CELL_ROOM);
    }
    plait_shared_free(items);
}

TEST(an_item_of_any_size_has_its_number_of_cells)
{
    CHECK_INT(plait__items_cells_for(0), 1);
    CHECK_INT(plait__items_cells_for(PLAIT__CELL_ROOM), 1);
    CHECK_INT(plait__items_cells_for(PLAIT__CELL_ROOM + 1), 2);
    CHECK_INT(plait__items_cells_for(SIZE_MAX), UINT32_MAX);
}
