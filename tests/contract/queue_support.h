/* What the tests of queues share: a queue, looks at it, and items of all sizes that tell whether they
 * are whole.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_QUEUE_SUPPORT_H
#define PLAIT_TESTS_QUEUE_SUPPORT_H

#include "chan/queue.h"
#include "chan/queue_own_inside.h"

#include <plait.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "methods.h"
#include "test.h"

static plait_queue *queue;
CARRIED(queue)
/* where queues are made; neither: in the family's heap */
static bool in_segment, in_one_process;

/* With WITH_ONE_PROCESS defined, claims are also about queues of one process. */
#ifdef WITH_ONE_PROCESS
#    define OWN_LIMIT(claim, seconds)               \
        TEST_LIMIT(claim##_in_one_process, seconds) \
        {                                           \
            in_one_process = true;                  \
            claim();                                \
        }
#else
#    define OWN_LIMIT(claim, seconds)
#endif

/* One body for a queue in the family's heap, for one in a named segment, and for one of one process. */
#define CLAIM_LIMIT(claim, seconds)           \
    static void claim(void);                  \
    TEST_LIMIT(claim##_in_a_family, seconds)  \
    {                                         \
        claim();                              \
    }                                         \
    TEST_LIMIT(claim##_in_a_segment, seconds) \
    {                                         \
        in_segment = true;                    \
        claim();                              \
    }                                         \
    OWN_LIMIT(claim, seconds)                 \
    BY_METHODS(claim##_in_a_family, seconds)  \
    static void claim(void)

/* What a queue in a segment does not promise. */
#define CLAIM_BUT_IN_SEGMENTS(claim)    \
    static void claim(void);            \
    TEST(claim##_in_a_family)           \
    {                                   \
        claim();                        \
    }                                   \
    OWN_LIMIT(claim, 10)                \
    BY_METHODS(claim##_in_a_family, 10) \
    static void claim(void)

#define CLAIM(claim) CLAIM_LIMIT(claim, 10)

/* In a segment of its own, which stays open. */
static inline int attach(plait_queue **ret, plait_queue_opts opts)
{
    static unsigned made;
    plait_segment_opts segment_opts = { .only_new = true };
    plait_segment *segment = NULL;
    void *block = NULL;
    size_t bytes = 0;
    char name[64];
    int rc = plait_queue_bytes(&opts, &bytes);

    if (rc < 0)
        return rc;
    segment_opts.bytes = bytes;
    snprintf(name, sizeof name, "queue-test-%d-%u", (int)getpid(), made++);
    CHECK_INT(plait_segment_open(&segment, name, &segment_opts, PLAIT_FOREVER), 0);
    CHECK_INT(plait_segment_get(segment, &block, "queue", bytes, PLAIT_FOREVER), 0);
    return plait_queue_attach(ret, block, bytes, &opts);
}

static inline plait_queue *create(plait_queue_opts opts)
{
    plait_queue *made = NULL;

    opts.one_process = in_one_process;
    CHECK_INT(in_segment ? attach(&made, opts) : plait_queue_create(&made, &opts), 0);
    CHECK(made != NULL);
    return made;
}

static inline void put_text(const char *text)
{
    CHECK_INT(plait_queue_put(queue, text, strlen(text), PLAIT_NOWAIT), 0);
}

static inline void check_next(const char *text)
{
    char buf[64];
    ssize_t n = plait_queue_get(queue, buf, sizeof buf, PLAIT_NOWAIT);

    CHECK_INT(n, (ssize_t)strlen(text));
    CHECK_MEM(buf, (size_t)n, text, strlen(text));
}

static inline void check_empty(void)
{
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK(plait_queue_is_empty(queue));
}

/* Until some task is about to sleep at this bell. */
static inline void await_sleeper(const uint32_t *bell)
{
    while (!plait__bell_awaited(bell))
        plait_yield();
}

/* Until some call is in this list of a queue of one process. */
static inline void await_call(const struct plait__list *list)
{
    struct plait__own_queue *own = plait__own_of(queue);
    bool is_there;

    do {
        plait__own_lock(own);
        is_there = !plait__list_is_empty(list);
        plait__own_unlock(own);
        plait_yield();
    } while (!is_there);
}

static inline void await_getter(void)
{
    if (in_one_process)
        await_call(&plait__own_of(queue)->getters);
    else /* the last lane is told last */
        await_sleeper(&plait__ring_lane(&queue->ring, queue->ring.n_lanes - 1)->shared->get_bell);
}

static inline void await_putter(unsigned lane)
{
    if (in_one_process)
        await_call(&plait__own_of(queue)->lanes[lane].putters);
    else
        await_sleeper(&plait__ring_lane(&queue->ring, lane)->shared->put_bell);
}

static inline void await_joiner(void)
{
    if (in_one_process)
        await_call(&plait__own_of(queue)->joiners);
    else
        await_sleeper(&queue->ring.shared->join_bell);
}

static inline void await_select(void)
{
    await_sleeper(in_one_process ? &plait__own_of(queue)->get_bell : &queue->ring.shared->get_bell);
}

static inline uint64_t count_visitors(void)
{
    struct plait__own_queue *own = plait__own_of(queue);
    uint64_t n = 0;

    if (in_one_process) {
        plait__own_lock(own);
        n = own->n_waiting;
        plait__own_unlock(own);
        return n;
    }
    for (unsigned i = 0; i < PLAIT__VISITS; i++)
        n += __atomic_load_n(&queue->visits.entries[i], __ATOMIC_SEQ_CST) >> 32;
    return n;
}

/* Until so many tasks wait at the queue. In a segment those of other processes are not seen: for a
 * moment. */
static inline void await_visitors(unsigned wanted)
{
    plait_deadline until = in_segment ? plait_after_ms(200) : PLAIT_FOREVER;
    uint64_t n;

    do {
        n = count_visitors();
        plait_yield();
    } while (n < wanted && plait_left_ns(until) > 0);
}

/* ---- items ---- */

enum {
    ITEM_MOST = 3000 /* bytes */
};

struct item {
    uint32_t producer, number, size, sum;
};

static inline uint32_t item_size(uint32_t producer, uint32_t number)
{
    uint32_t mixed = (number * 2654435761U) ^ (producer * 40503U);

    mixed ^= mixed >> 15;
    /* mostly small, all sizes that are copied with the lock held and some that are not */
    return (uint32_t)sizeof(struct item) +
           (mixed % 8 == 0 ? mixed / 8 % (ITEM_MOST - 16) : mixed / 8 % 64);
}

/* Fills the bytes behind the head; their sum. */
static inline uint32_t fill(unsigned char *bytes, const struct item *item, bool is_check)
{
    uint32_t sum = item->producer * 31 + item->number;

    for (uint32_t i = sizeof *item; i < item->size; i++) {
        if (!is_check)
            bytes[i] = (unsigned char)(item->number + i);
        sum = sum * 16777619U ^ bytes[i];
    }
    return sum;
}

static inline size_t make_item(unsigned char *bytes, uint32_t producer, uint32_t number)
{
    struct item item = { producer, number, item_size(producer, number), 0 };

    item.sum = fill(bytes, &item, false);
    memcpy(bytes, &item, sizeof item);
    return item.size;
}

/* CHECKs that it is whole. */
static inline struct item check_item(unsigned char *bytes, size_t n)
{
    struct item item;

    CHECK(n >= sizeof item);
    memcpy(&item, bytes, sizeof item);
    CHECK_INT(item.size, n);
    CHECK_INT(fill(bytes, &item, true), item.sum);
    return item;
}

#endif
