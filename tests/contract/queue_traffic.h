/* Traffic through a queue: items of all sizes, numbered and checked, from many tasks to many.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included queue_contract.h.
 */
#ifndef PLAIT_TESTS_QUEUE_TRAFFIC_H
#define PLAIT_TESTS_QUEUE_TRAFFIC_H

enum {
    TRAFFIC_TASKS = 4
};

/* What all tasks see. */
struct traffic {
    uint32_t each;       /* items that a producer puts */
    unsigned char *seen; /* atomic: how often each came */
};

static struct traffic *traffic;
CARRIED(traffic)

static int put_traffic(void *arg)
{
    uint32_t producer = *(const uint32_t *)arg;
    unsigned char bytes[ITEM_MOST];

    for (uint32_t i = 0; i < traffic->each; i++) {
        size_t n = make_item(bytes, producer, i);
        void *place = NULL;
        if (i % 5 == 4) {
            CHECK_INT(plait_queue_reserve(queue, &place, n + i % 3, PLAIT_FOREVER), 0);
            memcpy(place, bytes, n);
            CHECK_INT(plait_queue_commit(queue, place, n), 0);
        } else {
            CHECK_INT(plait_queue_put(queue, bytes, n, PLAIT_FOREVER), 0);
        }
        if (i % 100 == 50) {
            CHECK_INT(plait_queue_reserve(queue, &place, n, PLAIT_FOREVER), 0);
            CHECK_INT(plait_queue_abort(queue, place), 0);
        }
    }
    return 0;
}

/* Those of one producer come to one consumer in their order, and no item comes twice. */
static void count_item(struct item item, int64_t last[TRAFFIC_TASKS])
{
    unsigned char *seen;

    CHECK(item.producer < TRAFFIC_TASKS && item.number < traffic->each);
    CHECK(item.number > last[item.producer]);
    last[item.producer] = item.number;
    seen = &traffic->seen[item.producer * traffic->each + item.number];
    CHECK_INT(__atomic_fetch_add(seen, 1, __ATOMIC_SEQ_CST), 0);
}

static int get_traffic(void *arg)
{
    int64_t last[TRAFFIC_TASKS] = { -1, -1, -1, -1 };
    unsigned char bytes[ITEM_MOST];

    (void)arg;
    for (uint32_t i = 0;; i++) {
        const void *place = NULL;
        ssize_t n = i % 5 == 4 ? plait_queue_borrow(queue, &place, PLAIT_FOREVER)
                               : plait_queue_get(queue, bytes, sizeof bytes, PLAIT_FOREVER);
        if (n == -EPIPE)
            return 0;
        CHECK(n >= 0);
        if (place != NULL) {
            memcpy(bytes, place, (size_t)n);
            CHECK_INT(plait_queue_release(queue, place), 0);
        }
        count_item(check_item(bytes, (size_t)n), last);
    }
}

static void run_traffic(plait_queue_opts opts, unsigned producers, unsigned consumers,
                        uint32_t each)
{
    static uint32_t numbers[TRAFFIC_TASKS] = { 0, 1, 2, 3 };
    plait_task *puts[TRAFFIC_TASKS], *gets[TRAFFIC_TASKS];

    queue = create(opts);
    traffic = share(sizeof *traffic);
    traffic->each = each;
    traffic->seen = share((size_t)TRAFFIC_TASKS * each);
    for (unsigned i = 0; i < producers; i++)
        puts[i] = start(put_traffic, &numbers[i]);
    for (unsigned i = 0; i < consumers; i++)
        gets[i] = start(get_traffic, NULL);
    for (unsigned i = 0; i < producers; i++)
        CHECK_INT(end(puts[i]), 0);
    CHECK_INT(plait_queue_close(queue), 0);
    for (unsigned i = 0; i < consumers; i++)
        CHECK_INT(end(gets[i]), 0);
    for (uint32_t i = 0; i < producers * each; i++)
        CHECK_INT(traffic->seen[i], 1);
    plait_queue_destroy(queue);
}

CLAIM_LIMIT(nothing_is_lost_doubled_torn_or_overtaken_between_four_and_four, 30)
{
    run_traffic((plait_queue_opts){ .max_bytes = 16384 }, 4, 4, 4000);
}

CLAIM_LIMIT(nor_when_few_items_fit, 30)
{
    run_traffic((plait_queue_opts){ .max_items = 3 }, 4, 4, 1500);
}

CLAIM_LIMIT(nor_between_one_and_one_that_declare_it, 30)
{
    run_traffic(
        (plait_queue_opts){ .max_bytes = 16384, .single_producer = true, .single_consumer = true },
        1, 1, 10000);
}

CLAIM_LIMIT(nor_from_one_to_many_or_from_many_to_one, 30)
{
    run_traffic((plait_queue_opts){ .max_bytes = 10000, .single_producer = true }, 1, 4, 5000);
    run_traffic((plait_queue_opts){ .max_bytes = 10000, .single_consumer = true }, 4, 1, 1500);
}

#endif
