/* Queues in a storm, in which each item is accounted for.
 * SPDX-License-Identifier: MIT
 *
 * What a consumer leases it leaves in its place, writes down that it is about to end the lease, and
 * counts after that: an item that was not counted must have been written down.
 */
#include "queue_support.h"

#include <stddef.h>

enum {
    HAND = 4096,    /* bytes of a consumer's memory */
    MANY = 4,       /* items at once */
    STORM_MS = 800, /* tests/torture/storm has the long ones */
};

#include "rage.h"

static uint32_t n_lanes = 1;

static uint32_t put_some(uint32_t number)
{
    static unsigned char bytes[MANY][ITEM_MOST];
    plait_bytes items[MANY];
    void *place = NULL;
    uint32_t n = number % 16 == 0 ? MANY : 1;

    for (uint32_t i = 0; i < n; i++)
        items[i] = (plait_bytes){ bytes[i], make_item(bytes[i], 0, number + i) };
    if (number % 7 == 3) {
        CHECK_INT(plait_queue_reserve(queue, &place, 100, PLAIT_FOREVER), 0);
        if (number % 3 == 0)
            CHECK_INT(plait_queue_abort(queue, place), 0);
        else
            CHECK_INT(plait_queue_commit(queue, place, 0), 0);
    }
    if (n > 1) {
        CHECK_INT(plait_queue_put_many(queue, items, n, PLAIT_FOREVER), n);
    } else if (number % 5 == 1) {
        CHECK_INT(plait_queue_reserve(queue, &place, items[0].size + 5, PLAIT_FOREVER), 0);
        memcpy(place, bytes[0], items[0].size);
        CHECK_INT(plait_queue_commit(queue, place, items[0].size), 0);
    } else {
        CHECK_INT(
            plait_queue_put_lane(queue, number % n_lanes, bytes[0], items[0].size, PLAIT_FOREVER),
            0);
    }
    return n;
}

static void count(unsigned char *bytes, size_t n)
{
    if (n == 0) /* what was committed for the sake of it */
        return;
    count_number(check_item(bytes, n).number);
}

/* Gives some back. What came a second time is worth a look: it had been leased, or given back. */
static ssize_t lease_one(struct life *life, uint32_t round)
{
    static unsigned char bytes[ITEM_MOST];
    plait_lease lease;
    int rc = plait_queue_lease(queue, &lease, PLAIT_FOREVER);
    size_t n;

    if (rc < 0)
        return rc;
    CHECK(lease.size <= sizeof bytes);
    n = lease.size;
    memcpy(bytes, lease.bytes, n);
    if (round % 3 == 0 && lease.attempts < 3)
        return plait_queue_nack(&lease);
    if (n > 0)
        __atomic_store_n(&life->ending, 1 + check_item(bytes, n).number, __ATOMIC_SEQ_CST);
    CHECK_INT(plait_queue_ack(&lease), 0);
    count(bytes, n);
    __atomic_store_n(&life->ending, 0, __ATOMIC_SEQ_CST);
    return 0;
}

/* 0, or -EPIPE. */
static ssize_t get_some(struct life *life, unsigned char *hand, uint32_t round)
{
    plait_bytes items[MANY];
    plait_queue_batch batch = { hand, HAND, items, MANY };
    const void *place = NULL;
    ssize_t n;

    if (round % 5 >= 3)
        return lease_one(life, round / 5);
    if (round % 5 == 2) {
        n = plait_queue_get_many(queue, &batch, PLAIT_FOREVER);
        for (ssize_t i = 0; i < n; i++)
            count((unsigned char *)(uintptr_t)items[i].bytes, items[i].size);
        return n;
    }
    if (round % 5 == 1) {
        n = plait_queue_borrow(queue, &place, PLAIT_FOREVER);
        if (n < 0)
            return n;
        memcpy(hand, place, (size_t)n);
        CHECK_INT(plait_queue_release(queue, place), 0);
    } else {
        n = plait_queue_get(queue, hand, HAND, PLAIT_FOREVER);
    }
    if (n >= 0)
        count(hand, (size_t)n);
    return n;
}

static void consume(struct life *life, unsigned char *hand)
{
    ssize_t rc = 0;

    for (uint32_t i = 0; rc >= 0; i++)
        rc = get_some(life, hand, i);
    CHECK_INT(rc, -EPIPE);
}

static void close_queue(void)
{
    CHECK_INT(plait_queue_close(queue), 0);
}

/* ---- the oracle ---- */

/* Marks what lies whole in this memory. */
static void look_into(unsigned char *hand, unsigned char *in_hand)
{
    for (size_t at = 0; at + sizeof(struct item) <= HAND; at += 16) {
        struct item item;
        memcpy(&item, hand + at, sizeof item);
        if (item.producer == 0 && item.number < EACH && item.size >= sizeof item &&
            item.size <= ITEM_MOST && item.size <= HAND - at &&
            fill(hand + at, &item, true) == item.sum)
            in_hand[item.number] = 1;
    }
}

static void account_for_all(void)
{
    static unsigned char in_hand[EACH];

    for (uint32_t i = 0; i < begun[1]; i++) {
        look_into(storm->hands[i], in_hand);
        if (storm->lives[1][i].ending != 0)
            in_hand[storm->lives[1][i].ending - 1] = 1;
    }
    account(in_hand);
}

static uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static void run_storm(plait_queue_opts opts, unsigned producers, unsigned consumers, int ms)
{
    unsigned sides[2] = { producers, consumers };
    uint64_t blocks;

    prepare_storm();
    queue = create(opts);
    n_lanes = opts.lanes == 0 ? 1 : (uint32_t)opts.lanes;
    blocks = count_blocks();
    rage(sides, ms);
    account_for_all();
    CHECK_INT(plait_queue_size(queue), 0);
    plait_queue_destroy(queue);
    CHECK_INT(count_blocks(), in_segment ? blocks : blocks - 1);
}

CLAIM_LIMIT(a_storm_loses_and_doubles_nothing, 60)
{
    run_storm((plait_queue_opts){ .max_bytes = 16384 }, SIDES, SIDES, STORM_MS);
}

CLAIM_LIMIT(nor_when_few_items_fit, 60)
{
    run_storm((plait_queue_opts){ .max_items = 6 }, SIDES, SIDES, STORM_MS);
}

TEST_LIMIT(nor_when_many_items_are_larger_than_the_ring, 60)
{
    run_storm((plait_queue_opts){ .max_bytes = 512 }, SIDES, SIDES, STORM_MS);
}

CLAIM_LIMIT(nor_with_a_single_producer_and_a_single_consumer, 60)
{
    run_storm(
        (plait_queue_opts){ .max_bytes = 16384, .single_producer = true, .single_consumer = true },
        1, 1, STORM_MS);
}

CLAIM_LIMIT(nor_with_lanes, 60)
{
    run_storm((plait_queue_opts){ .max_items = 20, .lanes = 3 }, SIDES, SIDES, STORM_MS);
}
