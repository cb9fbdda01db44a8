/* Queues and pipes in a storm: each item is numbered, checked and accounted for.
 * SPDX-License-Identifier: MIT
 *
 * The oracle. A producer writes down that it is about to put an item, and then that it has put it;
 * so an item of which it said the first only may have come in or not. A consumer gets into memory
 * that outlives it, says before how many items it may have in hand, and counts them. So an item
 * that was put and not counted must lie, whole, in the hand of a consumer that was killed before
 * it could count. Items without bytes have no number: of these the sums must fit.
 */
#include "storm_item.h"

#include <stdlib.h>

static struct traffic *traffic; /* of storm_item.h */
static plait_queue *queue;

enum {
    HAS = 0, /* the word of a consumer: how many items it may have in hand */
    PUTS = 1 /* of a producer: how many items it is about to put */
};

/* ---- producers ---- */

static void put_nothing(struct life *life)
{
    ssize_t rc;

    __atomic_fetch_add(&traffic->empty_begun, 1, __ATOMIC_SEQ_CST);
    rc = STORM_CALL(life, plait_queue_put(queue, NULL, 0, storm_until()));
    CHECK(rc == 0 || rc == -ETIMEDOUT);
    if (rc == 0)
        __atomic_fetch_add(&traffic->empty_done, 1, __ATOMIC_SEQ_CST);
}

static void reserve_and_abort(struct life *life)
{
    void *place = NULL;
    size_t n = 1 + storm_random(900);
    ssize_t rc = STORM_CALL(life, plait_queue_reserve(queue, &place, n, storm_until()));

    if (rc < 0) {
        CHECK_INT(rc, -ETIMEDOUT);
        return;
    }
    memset(place, 0xEE, n);
    CHECK_INT(STORM_CALL(life, plait_queue_abort(queue, place)), 0);
}

/* How many of the items were put. */
static ssize_t put_in_place(struct life *life, const plait_bytes *item)
{
    void *place = NULL;
    ssize_t rc = STORM_CALL(
        life, plait_queue_reserve(queue, &place, item->size + storm_random(50), storm_until()));

    if (rc < 0)
        return rc;
    memcpy(place, item->bytes, item->size);
    CHECK_INT(STORM_CALL(life, plait_queue_commit(queue, place, item->size)), 0);
    return 1;
}

static ssize_t put_items(struct life *life, const plait_bytes *items, uint32_t n)
{
    ssize_t rc;

    if (n > 1)
        return STORM_CALL(life, plait_queue_put_many(queue, items, n, storm_until()));
    if (storm_random(4) == 0)
        return put_in_place(life, items);
    rc = STORM_CALL(life, plait_queue_put(queue, items->bytes, items->size, storm_until()));
    return rc == 0 ? 1 : rc;
}

static void put_some(struct life *life)
{
    static unsigned char bytes[MANY][ITEM_MOST];
    plait_bytes items[MANY];
    uint32_t n = storm_random(8) == 0 ? 2 + storm_random(MANY - 1) : 1;
    uint32_t number = take_numbers(traffic, n);
    ssize_t rc;

    if (number == 0)
        return;
    for (uint32_t i = 0; i < n; i++)
        items[i] = (plait_bytes){ bytes[i], make_item(bytes[i], number + i) };
    say_items(traffic, number, n, BEGUN);
    rc = put_items(life, items, n);
    CHECK(rc > 0 || rc == -ETIMEDOUT);
    if (rc > 0)
        say_items(traffic, number, (uint32_t)rc, PUT);
    for (uint32_t i = rc > 0 ? (uint32_t)rc : 0; i < n; i++)
        say_items(traffic, number + i, 1, REFUSED);
}

static void produce(struct life *life)
{
    while (!storm_is_over()) {
        uint32_t chance = storm_random(32);
        if (chance == 0)
            put_nothing(life);
        else if (chance < 3)
            reserve_and_abort(life);
        else
            put_some(life);
    }
}

/* ---- consumers ---- */

static ssize_t get_many(struct life *life, unsigned char *hand)
{
    plait_bytes items[MANY];
    plait_queue_batch batch = { hand, HAND, items, MANY };
    ssize_t n = STORM_CALL(life, plait_queue_get_many(queue, &batch, storm_until()));

    for (ssize_t i = 0; i < n; i++)
        count_item(traffic, items[i].bytes, items[i].size);
    return n;
}

static ssize_t borrow(struct life *life, unsigned char *hand)
{
    const void *place = NULL;
    ssize_t n = STORM_CALL(life, plait_queue_borrow(queue, &place, storm_until()));

    if (n < 0)
        return n;
    memcpy(hand, place, (size_t)n);
    CHECK_INT(STORM_CALL(life, plait_queue_release(queue, place)), 0);
    count_item(traffic, hand, (size_t)n);
    return n;
}

static ssize_t get_alloc(struct life *life, unsigned char *hand)
{
    void *bytes = NULL;
    ssize_t n = STORM_CALL(life, plait_queue_get_alloc(queue, &bytes, storm_until()));

    if (n < 0)
        return n;
    memcpy(hand, bytes, (size_t)n);
    count_item(traffic, hand, (size_t)n);
    free(bytes);
    return n;
}

static ssize_t get(struct life *life, unsigned char *hand, size_t cap)
{
    ssize_t n = STORM_CALL(life, plait_queue_get(queue, hand, cap, storm_until()));

    if (n >= 0)
        count_item(traffic, hand, (size_t)n);
    return n;
}

/* What the call said. */
static ssize_t get_some(struct life *life, unsigned char *hand)
{
    uint32_t chance = storm_random(32);

    if (chance < 6)
        return get_many(life, hand);
    if (chance < 12)
        return borrow(life, hand);
    if (chance < 13)
        return get(life, hand, sizeof(struct item) - 1); /* -EMSGSIZE if it is not empty */
    if (chance < 14)
        return STORM_CALL(life, plait_queue_peek(queue, NULL, 0, storm_until()));
    return get(life, hand, HAND);
}

/* An item that get_alloc gives lies in memory that dies with the consumer: there it may be lost. */
static ssize_t get_privately(struct life *life, unsigned char *hand)
{
    say_word(life, HAS, 1 | PRIVATE);
    return get_alloc(life, hand);
}

static void consume(struct life *life)
{
    unsigned char *hand = traffic->hands[life->number];
    ssize_t rc = 0;

    while (rc != -EPIPE) {
        if (storm_random(64) == 0) {
            rc = get_privately(life, hand);
        } else {
            say_word(life, HAS, MANY);
            rc = get_some(life, hand);
        }
        say_word(life, HAS, 0);
        CHECK(rc >= 0 || rc == -ETIMEDOUT || rc == -EMSGSIZE || rc == -EPIPE);
    }
}

/* ---- the scenarios ---- */

static void settle(struct life *life)
{
    settle_hand(traffic, life, life->words[HAS]);
}

static void begin(plait_queue_opts opts)
{
    begin_traffic(&traffic);
    CHECK_INT(plait_queue_create(&queue, &opts), 0);
}

static void finish(void)
{
    CHECK_INT(plait_queue_close(queue), 0);
}

static void end(void)
{
    CHECK_INT(plait_queue_size(queue), 0);
    plait_queue_destroy(queue);
    check_traffic(traffic);
}

static void begin_wide(void)
{
    begin((plait_queue_opts){ .max_bytes = 16384 });
}

static void begin_full(void)
{
    begin((plait_queue_opts){ .max_items = 5, .max_bytes = 8192 });
}

static void begin_one(void)
{
    begin(
        (plait_queue_opts){ .max_bytes = 16384, .single_producer = true, .single_consumer = true });
}

static void begin_to_one(void)
{
    begin((plait_queue_opts){ .max_bytes = 16384, .single_consumer = true });
}

static void work_three(struct life *life)
{
    if (life->slot < 3)
        produce(life);
    else
        consume(life);
}

static void work_one(struct life *life)
{
    if (life->slot < 1)
        produce(life);
    else
        consume(life);
}

const struct scenario storm_queue = { .name = "queue",
                                      .n_slots = 6,
                                      .n_first = 3,
                                      .begin = begin_wide,
                                      .work = work_three,
                                      .settle = settle,
                                      .finish = finish,
                                      .end = end };

const struct scenario storm_full_queue = { .name = "queue of five",
                                           .n_slots = 7,
                                           .n_first = 3,
                                           .begin = begin_full,
                                           .work = work_three,
                                           .settle = settle,
                                           .finish = finish,
                                           .end = end };

const struct scenario storm_queue_one = { .name = "queue one to one",
                                          .n_slots = 2,
                                          .n_first = 1,
                                          .begin = begin_one,
                                          .work = work_one,
                                          .settle = settle,
                                          .finish = finish,
                                          .end = end };

const struct scenario storm_queue_to_one = { .name = "queue three to one",
                                             .n_slots = 4,
                                             .n_first = 3,
                                             .begin = begin_to_one,
                                             .work = work_three,
                                             .settle = settle,
                                             .finish = finish,
                                             .end = end };
