/* What the tests of priority queues share.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_PRIORITY_QUEUE_SUPPORT_H
#define PLAIT_TESTS_PRIORITY_QUEUE_SUPPORT_H

#include "chan/bell.h"
#include "chan/priority_queue.h"

#include <plait.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "methods.h"
#include "test.h"

static plait_priority_queue *queue;
CARRIED(queue)

#define CLAIM_LIMIT(claim, seconds) \
    TEST_CASE("", claim, seconds)   \
    BY_METHODS(claim, seconds)      \
    static void claim(void)

#define CLAIM(claim) CLAIM_LIMIT(claim, 10)

static inline plait_priority_queue *create(plait_priority_queue_opts opts)
{
    plait_priority_queue *made = NULL;

    CHECK_INT(plait_priority_queue_create(&made, &opts), 0);
    CHECK(made != NULL);
    return made;
}

static inline void put_text(int64_t priority, const char *text)
{
    CHECK_INT(plait_priority_queue_put(queue, priority, text, strlen(text), PLAIT_NOWAIT), 0);
}

static inline void check_next(int64_t priority, const char *text)
{
    char buf[64];
    int64_t got = ~priority;
    ssize_t n = plait_priority_queue_get(queue, &got, buf, sizeof buf, PLAIT_NOWAIT);

    CHECK_INT(n, (ssize_t)strlen(text));
    CHECK_MEM(buf, (size_t)n, text, strlen(text));
    CHECK_INT(got, priority);
}

static inline void check_empty(void)
{
    CHECK_INT(plait_priority_queue_get(queue, NULL, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK(plait_priority_queue_is_empty(queue));
}

/* Until some task is about to sleep at this bell. */
static inline void await_sleeper(const uint32_t *bell)
{
    while (!plait__bell_awaited(bell))
        plait_yield();
}

/* How often it was rung: a sleeper that nobody wakes finds out by itself, but later. */
static inline uint32_t rings(const uint32_t *bell)
{
    return __atomic_load_n(bell, __ATOMIC_SEQ_CST) >> 16;
}

/* Until so many tasks wait at the queue. */
static inline void await_visitors(unsigned wanted)
{
    uint64_t n;

    do {
        n = 0;
        for (unsigned i = 0; i < PLAIT__VISITS; i++)
            n += __atomic_load_n(&queue->visits.entries[i], __ATOMIC_SEQ_CST) >> 32;
        plait_yield();
    } while (n < wanted);
}

/* ---- items that tell whether they are whole ---- */

enum {
    ITEM_MOST = 500 /* bytes */
};

struct item {
    uint32_t number, size, sum;
};

static inline size_t make_item(unsigned char *bytes, uint32_t number)
{
    struct item item = { number, (uint32_t)sizeof item, number * 31 };
    uint32_t mixed = number * 2654435761U >> 16;

    item.size += mixed % 4 == 0 ? mixed % (ITEM_MOST - (uint32_t)sizeof item) : mixed % 20;
    for (uint32_t i = sizeof item; i < item.size; i++) {
        bytes[i] = (unsigned char)(number + i);
        item.sum = item.sum * 16777619U ^ bytes[i];
    }
    memcpy(bytes, &item, sizeof item);
    return item.size;
}

/* Whether so many bytes are the whole of an item; which one. */
static inline bool is_item(const unsigned char *bytes, size_t n, uint32_t *ret_number)
{
    struct item item;
    uint32_t sum;

    if (n < sizeof item)
        return false;
    memcpy(&item, bytes, sizeof item);
    sum = item.number * 31;
    for (uint32_t i = sizeof item; item.size == n && i < n; i++)
        sum = sum * 16777619U ^ bytes[i];
    *ret_number = item.number;
    return item.size == n && sum == item.sum;
}

static inline int64_t item_priority(uint32_t number)
{
    return (int64_t)(number * 40503U >> 3 & 7) - 4;
}

#endif
