/* What queues promise of lanes, between tasks of every kind.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included queue_contract.h.
 */
#ifndef PLAIT_TESTS_QUEUE_LANES_H
#define PLAIT_TESTS_QUEUE_LANES_H

#include "queue_large.h"
#include "queue_lease.h"

static void put_in(unsigned lane, const char *text)
{
    CHECK_INT(plait_queue_put_lane(queue, lane, text, strlen(text), PLAIT_NOWAIT), 0);
}

static void fill_lanes(void)
{
    put_in(2, "last");
    put_in(1, "b1");
    put_in(1, "b2");
    put_text("a1");
    put_in(0, "a2");
}

CLAIM(the_first_lane_with_an_item_comes_first_and_within_it_the_first_put)
{
    queue = create((plait_queue_opts){ .lanes = 3 });
    fill_lanes();
    CHECK_INT(plait_queue_size(queue), 5);
    check_next("a1");
    check_next("a2");
    check_next("b1");
    put_in(0, "a3");
    check_next("a3");
    check_next("b2");
    check_next("last");
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(each_way_of_getting_takes_from_the_first_lane)
{
    const void *borrowed = NULL;
    void *copy = NULL;
    char buf[8];

    queue = create((plait_queue_opts){ .lanes = 3 });
    fill_lanes();
    CHECK_INT(plait_queue_peek(queue, buf, sizeof buf, PLAIT_NOWAIT), 2);
    CHECK_MEM(buf, 2, "a1", 2);
    plait_lease lease = lease_next("a1", 1);
    CHECK_INT(plait_queue_borrow(queue, &borrowed, PLAIT_NOWAIT), 2);
    CHECK_MEM(borrowed, 2, "a2", 2);
    CHECK_INT(plait_queue_get_alloc(queue, &copy, PLAIT_NOWAIT), 2);
    CHECK_MEM(copy, 2, "b1", 2);
    CHECK_INT(plait_queue_peek(queue, buf, sizeof buf, PLAIT_NOWAIT), 2);
    CHECK_MEM(buf, 2, "b2", 2);
    CHECK_INT(plait_queue_get(queue, buf, 1, PLAIT_NOWAIT), -EMSGSIZE);
    CHECK_INT(plait_queue_ack(&lease), 0);
    CHECK_INT(plait_queue_release(queue, borrowed), 0);
    check_next("b2");
    free(copy);
    plait_queue_destroy(queue);
}

CLAIM(many_are_got_from_all_lanes_at_once)
{
    static const char *const texts[] = { "a1", "a2", "b1", "b2", "last" };
    char buf[16 * 5];
    plait_bytes items[6];
    plait_queue_batch batch = { buf, sizeof buf, items, 6 };

    queue = create((plait_queue_opts){ .lanes = 3 });
    fill_lanes();
    CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT), 5);
    for (int i = 0; i < 5; i++)
        CHECK_MEM(items[i].bytes, items[i].size, texts[i], strlen(texts[i]));
    check_empty();
    fill_lanes();
    batch.cap = 16 * 2 + 1; /* b1 does not fit, and nothing overtakes it */
    CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT), 2);
    batch.max_items = 1;
    CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT), 1);
    CHECK_INT(plait_queue_size(queue), 2);
    plait_queue_destroy(queue);
}

/* "lane text" */
static int put_one_in(void *arg)
{
    const char *text = arg;

    return plait_queue_put_lane(queue, (unsigned)(text[0] - '0'), text, strlen(text),
                                PLAIT_FOREVER);
}

CLAIM(each_lane_has_the_bounds_and_a_full_one_is_in_no_others_way)
{
    static char waits[] = "1 waits";

    queue = create((plait_queue_opts){ .lanes = 2, .max_items = 2 });
    put_in(1, "b1");
    put_in(1, "b2");
    CHECK_INT(plait_queue_put_lane(queue, 1, "x", 1, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK(!plait_queue_is_full(queue));
    put_in(0, "a1");
    plait_task *task = start(put_one_in, waits);
    await_putter(1);
    put_in(0, "a2");
    CHECK(plait_queue_is_full(queue));
    CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_size(queue), 4);
    check_next("a1");
    check_next("a2");
    check_next("b1");
    CHECK_INT(end(task), 0);
    check_next("b2");
    check_next(waits);
    check_empty();
    put_in(0, "a1");
    put_in(0, "a2");
    CHECK(!plait_queue_is_full(queue));
    plait_queue_destroy(queue);
}

CLAIM(who_waits_is_woken_by_an_item_of_any_lane)
{
    for (unsigned lane = 0; lane < 8; lane++) {
        queue = create((plait_queue_opts){ .lanes = 8 });
        plait_task *task = start(get_one, NULL);
        await_getter();
        put_in(lane, "four");
        CHECK_INT(end(task), 4);
        plait_queue_destroy(queue);
    }
}

enum {
    CROWD = 6
};

CLAIM(each_of_many_waiting_gets_one_of_whichever_lane)
{
    plait_task *tasks[CROWD];

    queue = create((plait_queue_opts){ .lanes = 3 });
    for (int i = 0; i < CROWD; i++)
        tasks[i] = start(get_one, NULL);
    await_visitors(CROWD);
    for (int i = 0; i < CROWD; i++)
        put_in((unsigned)i % 3, "item");
    for (int i = 0; i < CROWD; i++)
        CHECK_INT(end(tasks[i]), 4);
    check_empty();
    plait_queue_destroy(queue);
}

static int put_one_late(void *arg)
{
    await_select();
    return put_one_in(arg);
}

CLAIM(a_select_sees_the_items_of_all_lanes)
{
    static char late[] = "2 late";
    plait_waitable on;

    queue = create((plait_queue_opts){ .lanes = 3 });
    CHECK_INT(plait_queue_on_get(&on, queue), 0);
    CHECK_INT(plait_select(&on, 1, PLAIT_NOWAIT), -ETIMEDOUT);
    put_in(2, "there");
    CHECK_INT(plait_select(&on, 1, PLAIT_NOWAIT), 0);
    check_next("there");
    plait_task *task = start(put_one_late, late);
    CHECK_INT(plait_select(&on, 1, PLAIT_FOREVER), 0);
    CHECK_INT(end(task), 0);
    check_next(late);
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(plait_select(&on, 1, PLAIT_NOWAIT), 0);
    plait_queue_destroy(queue);
}

CLAIM(what_is_not_committed_holds_up_its_own_lane_only)
{
    void *place = NULL;

    queue = create((plait_queue_opts){ .lanes = 2 });
    CHECK_INT(plait_queue_reserve(queue, &place, 2, PLAIT_NOWAIT), 0);
    put_text("a2");
    put_in(1, "b1");
    put_in(1, "b2");
    check_next("b1");
    memcpy(place, "a1", 2);
    CHECK_INT(plait_queue_commit(queue, place, 2), 0);
    check_next("a1");
    check_next("a2");
    check_next("b2");
    plait_queue_destroy(queue);
}

CLAIM(a_closed_queue_is_drained_of_all_lanes)
{
    static char waits[] = "1 waits";

    queue = create((plait_queue_opts){ .lanes = 3, .max_items = 2 });
    fill_lanes();
    plait_task *task = start(put_one_in, waits);
    await_putter(1);
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(end(task), -EPIPE);
    for (unsigned lane = 0; lane < 3; lane++)
        CHECK_INT(plait_queue_put_lane(queue, lane, "x", 1, PLAIT_NOWAIT), -EPIPE);
    check_next("a1");
    check_next("a2");
    check_next("b1");
    check_next("b2");
    check_next("last");
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), -EPIPE);
    plait_queue_destroy(queue);
}

CLAIM_BUT_IN_SEGMENTS(a_close_and_a_destroy_end_the_waiting_at_all_lanes)
{
    static char waits[] = "1 waits";
    plait_task *tasks[2];

    queue = create((plait_queue_opts){ .lanes = 2, .max_items = 1 });
    tasks[0] = start(get_one, NULL);
    await_getter();
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(end(tasks[0]), -EPIPE);
    plait_queue_destroy(queue);
    queue = create((plait_queue_opts){ .lanes = 2, .max_items = 1 });
    put_in(1, "full");
    tasks[0] = start(put_one_in, waits);
    tasks[1] = start(put_one_in, waits);
    await_visitors(2);
    plait_queue_destroy(queue);
    CHECK_INT(end(tasks[0]), -EPIPE);
    CHECK_INT(end(tasks[1]), -EPIPE);
}

CLAIM(after_a_shutdown_at_once_nothing_comes_of_any_lane)
{
    queue = create((plait_queue_opts){ .lanes = 3 });
    fill_lanes();
    check_next("a1");
    CHECK_INT(plait_queue_shutdown(queue, true), 0);
    CHECK_INT(plait_queue_size(queue), 0);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -EPIPE);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_task_done(queue), 0);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), 0);
    plait_queue_destroy(queue);
}

CLAIM(a_join_waits_for_the_items_of_all_lanes)
{
    queue = create((plait_queue_opts){ .lanes = 3 });
    fill_lanes();
    for (int i = 0; i < 5; i++) {
        char buf[8];
        CHECK(plait_queue_get(queue, buf, sizeof buf, PLAIT_NOWAIT) > 0);
    }
    plait_task *task = start(join_queue, NULL);
    await_joiner();
    for (int i = 0; i < 5; i++) {
        CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), -ETIMEDOUT);
        CHECK_INT(plait_queue_task_done(queue), 0);
    }
    CHECK_INT(end(task), 0);
    CHECK_INT(plait_queue_task_done(queue), -EINVAL);
    plait_queue_destroy(queue);
}

CLAIM(a_leased_item_that_is_given_back_is_the_first_of_its_lane)
{
    queue = create((plait_queue_opts){ .lanes = 3, .max_leases = 1 });
    fill_lanes();
    plait_lease a = lease_next("a1", 1);
    plait_lease b = lease_next("b1", 1); /* in lane 0 as many are leased as may be */
    CHECK_INT(plait_queue_nack(&b), 0);
    CHECK_INT(plait_queue_nack(&b), -EINVAL);
    check_next("a2");
    b = lease_next("b1", 2);
    CHECK_INT(plait_queue_ack(&b), 0);
    CHECK_INT(plait_queue_ack(&b), -EINVAL);
    CHECK_INT(plait_queue_nack(&a), 0);
    a = lease_next("a1", 2);
    CHECK_INT(plait_queue_ack(&a), 0);
    b = lease_next("b2", 1);
    b.entry |= 7U << 16;
    CHECK_INT(plait_queue_ack(&b), -EINVAL);
    plait_queue_destroy(queue);
}

CLAIM_BUT_IN_SEGMENTS(large_items_of_all_lanes_are_borrowed_and_leased)
{
    static char bytes[5000];
    const void *first = NULL, *second = NULL;
    plait_lease lease;

    queue = create((plait_queue_opts){ .lanes = 3, .max_bytes = 6000 });
    for (unsigned lane = 0; lane < 3; lane++) {
        memset(bytes, 'a' + (int)lane, sizeof bytes);
        CHECK_INT(plait_queue_put_lane(queue, lane, bytes, sizeof bytes, PLAIT_NOWAIT), 0);
    }
    CHECK_INT(plait_queue_borrow(queue, &first, PLAIT_NOWAIT), sizeof bytes);
    CHECK_INT(plait_queue_borrow(queue, &second, PLAIT_NOWAIT), sizeof bytes);
    CHECK_INT(((const char *)first)[4999], 'a');
    CHECK_INT(((const char *)second)[4999], 'b');
    CHECK_INT(plait_queue_lease(queue, &lease, PLAIT_NOWAIT), 0);
    CHECK_MEM(lease.bytes, lease.size, bytes, sizeof bytes);
    CHECK_INT(plait_queue_release(queue, second), 0);
    CHECK_INT(plait_queue_release(queue, second), -EINVAL);
    CHECK_INT(plait_queue_release(queue, first), 0);
    CHECK_INT(plait_queue_nack(&lease), 0);
    CHECK_INT(plait_queue_borrow(queue, &first, PLAIT_NOWAIT), sizeof bytes);
    CHECK_INT(plait_queue_release(queue, first), 0);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(mistakes_with_lanes_are_told)
{
    plait_queue_opts opts = { .lanes = 9 };

    queue = NULL;
    CHECK_INT(plait_queue_create(&queue, &opts), -EINVAL);
    queue = create((plait_queue_opts){ .lanes = 8 });
    CHECK_INT(plait_queue_put_lane(queue, 8, "x", 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_put_lane(queue, 7, NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_put_lane(NULL, 0, "x", 1, PLAIT_NOWAIT), -EINVAL);
    put_in(7, "x");
    check_next("x");
    plait_queue_destroy(queue);
    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_put_lane(queue, 1, "x", 1, PLAIT_NOWAIT), -EINVAL);
    put_in(0, "x");
    check_next("x");
    plait_queue_destroy(queue);
}

#endif
