/* Items of a storm, and the account of them.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_STORM_ITEM_H
#define PLAIT_TESTS_STORM_ITEM_H

#include "storm.h"

#include <string.h>

enum {
    ITEM_MOST = 3500, /* bytes */
    EACH = 1 << 19,   /* numbers in a round */
    MANY = 4,         /* items of one call, at most */
    HAND = 8192,      /* bytes that a consumer has in hand */
    PRIVATE = 1 << 16 /* they may die with it */
};

/* What its producer says of an item. */
enum said {
    NOTHING,
    BEGUN,
    PUT,
    REFUSED
};

struct item {
    uint32_t round, number, size, sum;
};

struct traffic {
    uint32_t next;                                   /* atomic: number */
    uint64_t empty_begun, empty_done, empty_counted; /* atomic: items without bytes */
    uint64_t may_be_lost;  /* the runner's: items that killed consumers may have had in hand … */
    uint64_t may_be_alone; /* … and those that may have died with them */
    unsigned char said[EACH];    /* atomic: by the producer */
    unsigned char counted[EACH]; /* atomic: how often */
    unsigned char in_hand[EACH]; /* the runner's: whole in the hand of one that was killed */
    _Alignas(16) unsigned char hands[STORM_LIVES][HAND];
};

static inline void begin_traffic(struct traffic **traffic)
{
    if (*traffic == NULL)
        *traffic = storm_share(sizeof **traffic);
    memset(*traffic, 0, offsetof(struct traffic, hands));
    (*traffic)->next = 1;
}

static inline void say_word(struct life *life, unsigned i, uint64_t value)
{
    __atomic_store_n(&life->words[i], value, __ATOMIC_SEQ_CST);
}

/* ---- items ---- */

static inline uint32_t sum_up(unsigned char *bytes, const struct item *item, bool is_check)
{
    uint32_t sum = item->round * 31 + item->number;

    for (uint32_t i = sizeof *item; i < item->size; i++) {
        if (!is_check)
            bytes[i] = (unsigned char)(item->number * 7 + i);
        sum = sum * 16777619U ^ bytes[i];
    }
    return sum;
}

/* Fills it; its size: mostly small. */
static inline size_t make_item(unsigned char *bytes, uint32_t number)
{
    struct item item = { storm_round(), number, sizeof item, 0 };

    item.size += storm_random(8) == 0 ? storm_random(ITEM_MOST - sizeof item) : storm_random(80);
    item.sum = sum_up(bytes, &item, false);
    memcpy(bytes, &item, sizeof item);
    return item.size;
}

static inline bool is_whole(const unsigned char *bytes, size_t n)
{
    struct item item;

    memcpy(&item, bytes, sizeof item);
    return item.round == storm_round() && item.number < EACH && item.size >= sizeof item &&
           item.size <= n && sum_up((unsigned char *)(uintptr_t)bytes, &item, true) == item.sum;
}

/* ---- in the processes ---- */

/* The first of n new ones; 0: there are none left. */
static inline uint32_t take_numbers(struct traffic *traffic, uint32_t n)
{
    uint32_t number = __atomic_load_n(&traffic->next, __ATOMIC_SEQ_CST);

    do {
        if (number + n > EACH) {
            storm_exhausted();
            plait_sleep(plait_after_ms(1));
            return 0;
        }
    } while (!__atomic_compare_exchange_n(&traffic->next, &number, number + n, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return number;
}

static inline void say_items(struct traffic *traffic, uint32_t number, uint32_t n, enum said said)
{
    for (uint32_t i = 0; i < n; i++)
        __atomic_store_n(&traffic->said[number + i], (unsigned char)said, __ATOMIC_SEQ_CST);
}

/* CHECKs that it is whole and is not counted yet. */
static inline void count_item(struct traffic *traffic, const void *bytes, size_t n)
{
    struct item item;

    if (n == 0) {
        __atomic_fetch_add(&traffic->empty_counted, 1, __ATOMIC_SEQ_CST);
        return;
    }
    CHECK(n >= sizeof item && is_whole(bytes, n));
    memcpy(&item, bytes, sizeof item);
    CHECK_INT(item.size, n);
    CHECK_INT(__atomic_fetch_add(&traffic->counted[item.number], 1, __ATOMIC_SEQ_CST), 0);
}

/* ---- in the runner ---- */

/* What lies whole in the hand of a killed consumer, which said that it may have so many. */
static inline void settle_hand(struct traffic *traffic, const struct life *life, uint64_t has)
{
    const unsigned char *hand = traffic->hands[life->number];

    if (has & PRIVATE)
        traffic->may_be_alone++;
    else
        traffic->may_be_lost += has;
    for (size_t at = 0; has != 0 && at + sizeof(struct item) <= HAND; at += 16) {
        struct item item;
        memcpy(&item, hand + at, sizeof item);
        if (is_whole(hand + at, HAND - at))
            traffic->in_hand[item.number] = 1;
    }
}

static inline void check_traffic(const struct traffic *traffic)
{
    uint64_t lost = 0, alone = 0, empty_lost;

    for (uint32_t i = 1; i < traffic->next; i++) {
        CHECK(traffic->counted[i] <= 1);
        if (traffic->said[i] == NOTHING || traffic->said[i] == REFUSED)
            CHECK_INT(traffic->counted[i], 0);
        if (traffic->said[i] != PUT || traffic->counted[i] == 1)
            continue;
        if (traffic->in_hand[i])
            lost++;
        else if (++alone > traffic->may_be_alone)
            test_fail(__FILE__, __LINE__, "item %u is gone", i);
    }
    CHECK(traffic->empty_counted <= traffic->empty_begun);
    empty_lost = traffic->empty_done > traffic->empty_counted
                     ? traffic->empty_done - traffic->empty_counted
                     : 0;
    CHECK(lost + empty_lost <= traffic->may_be_lost + traffic->may_be_alone);
}

#endif
