/* What priority queues promise between tasks of every kind, one body for each claim. A file of
 * adapters says what differs.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines KIND before.
 */
#ifndef PLAIT_TESTS_PRIORITY_QUEUE_CONTRACT_H
#define PLAIT_TESTS_PRIORITY_QUEUE_CONTRACT_H

#include "priority_queue_support.h"

static plait_task *start(plait_task_fn *fn, void *arg)
{
    return start_by_method(KIND, fn, arg, (plait_task_opts){ 0 });
}

static int end(plait_task *task)
{
    return result_of(task);
}

/* ---- tasks ---- */

static int get_one(void *arg)
{
    char buf[64];

    (void)arg;
    return (int)plait_priority_queue_get(queue, NULL, buf, sizeof buf, PLAIT_FOREVER);
}

static int peek_one(void *arg)
{
    (void)arg;
    return (int)plait_priority_queue_peek(queue, NULL, NULL, 0, PLAIT_FOREVER);
}

static int put_one(void *arg)
{
    return plait_priority_queue_put(queue, 0, arg, strlen(arg), PLAIT_FOREVER);
}

/* ---- order ---- */

CLAIM(the_lowest_priority_comes_first_and_of_the_same_the_one_put_first)
{
    queue = create((plait_priority_queue_opts){ 0 });
    put_text(5, "five");
    put_text(-1, "first");
    put_text(5, "five again");
    put_text(INT64_MAX, "last");
    put_text(3, "three");
    put_text(INT64_MIN, "lowest");
    CHECK_INT(plait_priority_queue_size(queue), 6);
    check_next(INT64_MIN, "lowest");
    check_next(-1, "first");
    check_next(3, "three");
    check_next(5, "five");
    check_next(5, "five again");
    check_next(INT64_MAX, "last");
    check_empty();
    plait_priority_queue_destroy(queue);
}

CLAIM(a_stack_gives_the_newest_first)
{
    queue = create((plait_priority_queue_opts){ .newest_first = true });
    put_text(0, "a");
    put_text(0, "b");
    check_next(0, "b");
    put_text(0, "c");
    put_text(0, "d");
    put_text(-1, "before all");
    check_next(-1, "before all");
    check_next(0, "d");
    check_next(0, "c");
    check_next(0, "a");
    check_empty();
    plait_priority_queue_destroy(queue);
}

CLAIM(what_one_task_puts_another_gets)
{
    static char hello[] = "hello";

    queue = create((plait_priority_queue_opts){ 0 });
    plait_task *task = start(put_one, hello);
    char buf[64];
    CHECK_INT(plait_priority_queue_get(queue, NULL, buf, sizeof buf, PLAIT_FOREVER), 5);
    CHECK_MEM(buf, 5, "hello", 5);
    CHECK_INT(end(task), 0);
    plait_priority_queue_destroy(queue);
}

/* ---- items ---- */

CLAIM(an_item_may_be_empty)
{
    queue = create((plait_priority_queue_opts){ 0 });
    CHECK_INT(plait_priority_queue_put(queue, 1, NULL, 0, PLAIT_NOWAIT), 0);
    put_text(2, "x");
    CHECK_INT(plait_priority_queue_get(queue, NULL, NULL, 0, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_priority_queue_get(queue, NULL, NULL, 0, PLAIT_NOWAIT), -EMSGSIZE);
    check_next(2, "x");
    check_empty();
    plait_priority_queue_destroy(queue);
}

CLAIM(an_item_larger_than_the_buffer_stays)
{
    char buf[8];
    int64_t priority = 77;

    queue = create((plait_priority_queue_opts){ 0 });
    put_text(1, "too large");
    put_text(2, "next");
    CHECK_INT(plait_priority_queue_get(queue, &priority, buf, sizeof buf, PLAIT_NOWAIT), -EMSGSIZE);
    CHECK_INT(priority, 77);
    CHECK_INT(plait_priority_queue_peek(queue, NULL, NULL, 0, PLAIT_NOWAIT), 9);
    CHECK_INT(plait_priority_queue_peek(queue, &priority, buf, 3, PLAIT_NOWAIT), 9);
    CHECK_MEM(buf, 3, "too", 3);
    CHECK_INT(priority, 1);
    CHECK_INT(plait_priority_queue_size(queue), 2);
    check_next(1, "too large");
    check_next(2, "next");
    plait_priority_queue_destroy(queue);
}

CLAIM(an_item_is_got_in_memory_of_its_size)
{
    void *item = NULL;
    int64_t priority = 0;

    queue = create((plait_priority_queue_opts){ 0 });
    CHECK_INT(plait_priority_queue_get_alloc(queue, NULL, &item, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK(item == NULL);
    put_text(4, "some text");
    CHECK_INT(plait_priority_queue_get_alloc(queue, &priority, &item, PLAIT_NOWAIT), 9);
    CHECK_MEM(item, 9, "some text", 9);
    CHECK_INT(priority, 4);
    free(item);
    plait_priority_queue_destroy(queue);
}

CLAIM(an_item_may_take_all_of_the_queue)
{
    static char item[40 * 1024 + 1];

    queue = create((plait_priority_queue_opts){ .max_bytes = 65536 });
    CHECK_INT(plait_priority_queue_put(queue, 0, item, sizeof item, PLAIT_NOWAIT), -EMSGSIZE);
    CHECK_INT(plait_priority_queue_put(queue, 0, item, SIZE_MAX, PLAIT_NOWAIT), -EMSGSIZE);
    CHECK(plait_priority_queue_is_empty(queue));
    for (int i = 0; i < 3; i++) {
        size_t n = sizeof item - 1;
        item[0] = item[n - 1] = (char)i;
        CHECK_INT(plait_priority_queue_put(queue, 0, item, n, PLAIT_NOWAIT), 0);
        CHECK(plait_priority_queue_is_full(queue));
        item[0] = item[n - 1] = -1;
        CHECK_INT(plait_priority_queue_get(queue, NULL, item, n, PLAIT_NOWAIT), (ssize_t)n);
        CHECK(item[0] == i && item[n - 1] == i);
    }
    plait_priority_queue_destroy(queue);
}

/* ---- bounds, waiting ---- */

CLAIM(get_times_out_when_empty)
{
    queue = create((plait_priority_queue_opts){ 0 });
    plait_deadline until = plait_after_ms(20);
    CHECK_INT(plait_priority_queue_get(queue, NULL, NULL, 0, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    plait_priority_queue_destroy(queue);
}

CLAIM(put_times_out_when_full)
{
    queue = create((plait_priority_queue_opts){ .max_items = 2 });
    CHECK(!plait_priority_queue_is_full(queue));
    put_text(2, "a");
    put_text(1, "b");
    CHECK(plait_priority_queue_is_full(queue));
    plait_deadline until = plait_after_ms(20);
    CHECK_INT(plait_priority_queue_put(queue, 0, "c", 1, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    check_next(1, "b");
    CHECK(!plait_priority_queue_is_full(queue));
    put_text(3, "c");
    CHECK_INT(plait_priority_queue_put(queue, 0, "d", 1, PLAIT_NOWAIT), -ETIMEDOUT);
    check_next(2, "a");
    check_next(3, "c");
    plait_priority_queue_destroy(queue);
}

CLAIM(a_deadline_in_the_past_is_a_look)
{
    plait_deadline past = plait_after_ms(-1), before_all = { -7 };
    char got;

    queue = create((plait_priority_queue_opts){ .max_items = 1 });
    CHECK_INT(plait_priority_queue_get(queue, NULL, NULL, 0, past), -ETIMEDOUT);
    CHECK_INT(plait_priority_queue_put(queue, 0, "a", 1, past), 0);
    CHECK_INT(plait_priority_queue_put(queue, 0, "b", 1, past), -ETIMEDOUT);
    CHECK_INT(plait_priority_queue_put(queue, 0, "b", 1, before_all), -ETIMEDOUT);
    CHECK_INT(plait_priority_queue_join(queue, before_all), -ETIMEDOUT);
    CHECK_INT(plait_priority_queue_get(queue, NULL, &got, 1, before_all), 1);
    CHECK_INT(plait_priority_queue_get(queue, NULL, &got, 1, before_all), -ETIMEDOUT);
    plait_priority_queue_destroy(queue);
}

CLAIM(a_put_wakes_who_waits_for_an_item)
{
    queue = create((plait_priority_queue_opts){ 0 });
    plait_task *task = start(get_one, NULL);
    await_sleeper(&queue->get_bell);
    put_text(0, "wake up");
    CHECK_INT(rings(&queue->get_bell), 1);
    CHECK_INT(end(task), 7);
    plait_priority_queue_destroy(queue);
}

CLAIM(who_only_looks_wakes_the_others)
{
    queue = create((plait_priority_queue_opts){ 0 });
    plait_task *looks[3], *task;
    for (int i = 0; i < 3; i++)
        looks[i] = start(peek_one, NULL);
    await_visitors(3);
    task = start(get_one, NULL);
    await_visitors(4);
    put_text(0, "two");
    put_text(1, "look");
    for (int i = 0; i < 3; i++) {
        int n = end(looks[i]);
        CHECK(n == 3 || n == 4);
    }
    CHECK_INT(end(task), 3);
    plait_priority_queue_destroy(queue);
}

CLAIM(a_get_wakes_who_waits_for_room)
{
    static char second[] = "second";

    queue = create((plait_priority_queue_opts){ .max_items = 1 });
    put_text(0, "first");
    plait_task *task = start(put_one, second);
    await_sleeper(&queue->put_bell);
    check_next(0, "first");
    CHECK_INT(rings(&queue->put_bell), 1);
    CHECK_INT(end(task), 0);
    check_next(0, "second");
    plait_priority_queue_destroy(queue);
}

static int put_large(void *arg)
{
    static char item[200]; /* five cells */

    (void)arg;
    return plait_priority_queue_put(queue, 0, item, sizeof item, PLAIT_FOREVER);
}

CLAIM(who_needs_little_room_is_not_kept_waiting_by_who_needs_much)
{
    static char little[] = "little";

    queue = create((plait_priority_queue_opts){ .max_bytes = 320 });
    for (int i = 0; i < 5; i++)
        put_text(i, "x");
    plait_task *large = start(put_large, NULL);
    await_visitors(1);
    plait_task *small = start(put_one, little);
    await_visitors(2);
    check_next(0, "x");
    CHECK_INT(end(small), 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(get_one(NULL), i == 0 ? 6 : 1);
    CHECK_INT(end(large), 0);
    plait_priority_queue_destroy(queue);
}

/* ---- the end ---- */

CLAIM(a_closed_queue_is_drained_and_then_says_so)
{
    queue = create((plait_priority_queue_opts){ 0 });
    put_text(9, "last");
    CHECK_INT(plait_priority_queue_close(queue), 0);
    CHECK_INT(plait_priority_queue_close(queue), 0);
    CHECK_INT(plait_priority_queue_put(queue, 0, "x", 1, PLAIT_FOREVER), -EPIPE);
    check_next(9, "last");
    CHECK_INT(plait_priority_queue_get(queue, NULL, NULL, 0, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_priority_queue_peek(queue, NULL, NULL, 0, PLAIT_FOREVER), -EPIPE);
    plait_priority_queue_destroy(queue);
}

CLAIM(a_close_ends_all_waiting)
{
    static char text[] = "x";

    queue = create((plait_priority_queue_opts){ 0 });
    plait_task *one = start(get_one, NULL), *other = start(get_one, NULL);
    await_visitors(2);
    CHECK_INT(plait_priority_queue_close(queue), 0);
    CHECK(rings(&queue->get_bell) > 0);
    CHECK_INT(end(one), -EPIPE);
    CHECK_INT(end(other), -EPIPE);
    plait_priority_queue_destroy(queue);
    queue = create((plait_priority_queue_opts){ .max_items = 1 });
    put_text(0, "a");
    one = start(put_one, text);
    await_sleeper(&queue->put_bell);
    CHECK_INT(plait_priority_queue_close(queue), 0);
    CHECK(rings(&queue->put_bell) > 0);
    CHECK_INT(end(one), -EPIPE);
    check_next(0, "a");
    plait_priority_queue_destroy(queue);
}

CLAIM(after_a_shutdown_at_once_nothing_comes)
{
    queue = create((plait_priority_queue_opts){ 0 });
    put_text(1, "got");
    put_text(2, "never got");
    check_next(1, "got");
    CHECK_INT(plait_priority_queue_shutdown(queue, true), 0);
    CHECK_INT(plait_priority_queue_get(queue, NULL, NULL, 0, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_priority_queue_put(queue, 0, "x", 1, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_priority_queue_size(queue), 0);
    CHECK_INT(plait_priority_queue_join(queue, PLAIT_NOWAIT), -ETIMEDOUT); /* for what was got */
    CHECK_INT(plait_priority_queue_task_done(queue), 0);
    CHECK_INT(plait_priority_queue_join(queue, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_priority_queue_task_done(queue), -EINVAL);
    plait_priority_queue_destroy(queue);
}

static int join_queue(void *arg)
{
    (void)arg;
    return plait_priority_queue_join(queue, PLAIT_FOREVER);
}

CLAIM(who_waits_at_a_destroyed_queue_is_told)
{
    static char text[] = "x";

    queue = create((plait_priority_queue_opts){ .max_items = 1 });
    plait_task *one = start(get_one, NULL);
    await_visitors(1);
    plait_priority_queue_destroy(queue);
    CHECK_INT(end(one), -EPIPE);
    queue = create((plait_priority_queue_opts){ 0 });
    put_text(0, "a");
    one = start(join_queue, NULL);
    await_visitors(1);
    plait_priority_queue_destroy(queue);
    CHECK_INT(end(one), -EPIPE);
    queue = create((plait_priority_queue_opts){ .max_items = 1 });
    put_text(0, "a");
    one = start(put_one, text);
    await_visitors(1);
    plait_priority_queue_destroy(queue);
    CHECK_INT(end(one), -EPIPE);
}

CLAIM(a_shutdown_at_once_ends_the_join_for_what_nobody_got)
{
    queue = create((plait_priority_queue_opts){ 0 });
    put_text(0, "never got");
    plait_task *joiner = start(join_queue, NULL);
    await_sleeper(&queue->join_bell);
    CHECK_INT(plait_priority_queue_shutdown(queue, true), 0);
    CHECK_INT(rings(&queue->join_bell), 1);
    CHECK_INT(end(joiner), 0);
    plait_priority_queue_destroy(queue);
}

/* ---- task_done, join ---- */

static int get_and_finish(void *arg)
{
    char buf[64];

    (void)arg;
    while (plait_priority_queue_get(queue, NULL, buf, sizeof buf, PLAIT_FOREVER) >= 0)
        CHECK_INT(plait_priority_queue_task_done(queue), 0);
    return 0;
}

CLAIM(join_waits_until_all_is_done)
{
    queue = create((plait_priority_queue_opts){ 0 });
    CHECK_INT(plait_priority_queue_join(queue, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_priority_queue_task_done(queue), -EINVAL);
    for (int i = 0; i < 50; i++)
        put_text(i % 3, "job");
    CHECK_INT(plait_priority_queue_join(queue, plait_after_ms(5)), -ETIMEDOUT);
    plait_task *joiner = start(join_queue, NULL);
    await_sleeper(&queue->join_bell);
    plait_task *one = start(get_and_finish, NULL), *other = start(get_and_finish, NULL);
    CHECK_INT(end(joiner), 0);
    CHECK_INT(plait_priority_queue_join(queue, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_priority_queue_task_done(queue), -EINVAL);
    CHECK_INT(plait_priority_queue_close(queue), 0);
    CHECK_INT(end(one), 0);
    CHECK_INT(end(other), 0);
    CHECK(rings(&queue->join_bell) > 0);
    plait_priority_queue_destroy(queue);
}

/* ---- traffic ---- */

enum {
    TRAFFIC_TASKS = 3,
    TRAFFIC_EACH = 3000
};

static unsigned char *seen; /* atomic: how often each item came */
CARRIED(seen)

static int put_traffic(void *arg)
{
    uint32_t first = *(const uint32_t *)arg * TRAFFIC_EACH;
    unsigned char bytes[ITEM_MOST];

    for (uint32_t number = first; number < first + TRAFFIC_EACH; number++)
        CHECK_INT(plait_priority_queue_put(queue, item_priority(number), bytes,
                                           make_item(bytes, number), PLAIT_FOREVER),
                  0);
    return 0;
}

static int get_traffic(void *arg)
{
    unsigned char bytes[ITEM_MOST];
    int64_t priority;
    uint32_t number;
    ssize_t n;

    (void)arg;
    while ((n = plait_priority_queue_get(queue, &priority, bytes, sizeof bytes, PLAIT_FOREVER)) >=
           0) {
        CHECK(is_item(bytes, (size_t)n, &number));
        CHECK_INT(priority, item_priority(number));
        CHECK(number < TRAFFIC_TASKS * TRAFFIC_EACH);
        CHECK_INT(__atomic_fetch_add(&seen[number], 1, __ATOMIC_SEQ_CST), 0);
    }
    return (int)n;
}

static void run_traffic(plait_priority_queue_opts opts)
{
    static uint32_t numbers[TRAFFIC_TASKS] = { 0, 1, 2 };
    plait_task *puts[TRAFFIC_TASKS], *gets[TRAFFIC_TASKS];

    queue = create(opts);
    seen = share(TRAFFIC_TASKS * TRAFFIC_EACH);
    for (unsigned i = 0; i < TRAFFIC_TASKS; i++)
        puts[i] = start(put_traffic, &numbers[i]);
    for (unsigned i = 0; i < TRAFFIC_TASKS; i++)
        gets[i] = start(get_traffic, NULL);
    for (unsigned i = 0; i < TRAFFIC_TASKS; i++)
        CHECK_INT(end(puts[i]), 0);
    CHECK_INT(plait_priority_queue_close(queue), 0);
    for (unsigned i = 0; i < TRAFFIC_TASKS; i++)
        CHECK_INT(end(gets[i]), -EPIPE);
    for (uint32_t i = 0; i < TRAFFIC_TASKS * TRAFFIC_EACH; i++)
        CHECK_INT(seen[i], 1);
    plait_priority_queue_destroy(queue);
}

CLAIM_LIMIT(nothing_is_lost_doubled_or_torn_between_many, 30)
{
    run_traffic((plait_priority_queue_opts){ .max_bytes = 8192 });
}

CLAIM_LIMIT(nor_when_few_items_fit, 30)
{
    run_traffic((plait_priority_queue_opts){ .max_items = 2, .newest_first = true });
}

/* ---- mistakes ---- */

CLAIM(mistakes_are_told)
{
    plait_priority_queue *made = NULL;
    plait_priority_queue_opts tiny = { .max_bytes = 63 }, huge = { .max_bytes = SIZE_MAX };

    CHECK_INT(plait_priority_queue_create(NULL, NULL), -EINVAL);
    CHECK_INT(plait_priority_queue_create(&made, &tiny), -EINVAL);
    CHECK_INT(plait_priority_queue_create(&made, &huge), -EINVAL);
    CHECK(made == NULL);
    CHECK_INT(plait_priority_queue_put(NULL, 0, "a", 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_priority_queue_get(NULL, NULL, NULL, 0, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_priority_queue_peek(NULL, NULL, NULL, 0, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_priority_queue_close(NULL), -EINVAL);
    CHECK_INT(plait_priority_queue_shutdown(NULL, true), -EINVAL);
    CHECK_INT(plait_priority_queue_join(NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_priority_queue_task_done(NULL), -EINVAL);
    CHECK_INT(plait_priority_queue_size(NULL), 0);
    CHECK(plait_priority_queue_is_empty(NULL) && !plait_priority_queue_is_full(NULL));
    plait_priority_queue_destroy(NULL);
    CHECK_INT(plait_priority_queue_create(&queue, NULL), 0);
    CHECK_INT(plait_priority_queue_put(queue, 0, NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_priority_queue_get(queue, NULL, NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_priority_queue_get_alloc(queue, NULL, NULL, PLAIT_NOWAIT), -EINVAL);
    plait_priority_queue_destroy(queue);
}

#endif
