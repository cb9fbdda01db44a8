/* What queues promise between tasks of every kind, one body for each claim. A file of adapters says
 * what differs.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines KIND before.
 */
#ifndef PLAIT_TESTS_QUEUE_CONTRACT_H
#define PLAIT_TESTS_QUEUE_CONTRACT_H

#include "queue_support.h"

static plait_queue *answers;
CARRIED(answers)

static plait_task *start(plait_task_fn *fn, void *arg)
{
    return start_by_method(KIND, fn, arg, (plait_task_opts){ 0 });
}

static int end(plait_task *task)
{
    return result_of(task);
}

/* ---- tasks ---- */

/* Tells in `answers` what it got, or the error. */
static int get_one(void *arg)
{
    char buf[64];
    ssize_t n = plait_queue_get(queue, buf, sizeof buf, PLAIT_FOREVER);

    (void)arg;
    if (n >= 0 && answers != NULL)
        CHECK_INT(plait_queue_put(answers, buf, (size_t)n, PLAIT_FOREVER), 0);
    return (int)n;
}

static int put_one(void *arg)
{
    return plait_queue_put(queue, arg, strlen(arg), PLAIT_FOREVER);
}

/* ---- items ---- */

CLAIM(what_one_task_puts_another_gets)
{
    static char hello[] = "hello";

    queue = create((plait_queue_opts){ 0 });
    plait_task *task = start(put_one, hello);
    char buf[64];
    CHECK_INT(plait_queue_get(queue, buf, sizeof buf, PLAIT_FOREVER), 5);
    CHECK_MEM(buf, 5, "hello", 5);
    CHECK_INT(end(task), 0);
    plait_queue_destroy(queue);
}

CLAIM(items_come_out_in_the_order_they_went_in)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("a");
    put_text("bc");
    put_text("def");
    CHECK_INT(plait_queue_size(queue), 3);
    check_next("a");
    check_next("bc");
    check_next("def");
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(an_item_may_be_empty)
{
    char buf[4];

    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_put(queue, NULL, 0, PLAIT_NOWAIT), 0);
    put_text("x");
    CHECK_INT(plait_queue_put(queue, "", 0, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -EMSGSIZE);
    check_next("x");
    CHECK_INT(plait_queue_get(queue, buf, sizeof buf, PLAIT_NOWAIT), 0);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(an_item_larger_than_the_buffer_stays_the_first)
{
    char buf[8];

    queue = create((plait_queue_opts){ 0 });
    put_text("too large");
    put_text("next");
    CHECK_INT(plait_queue_get(queue, buf, sizeof buf, PLAIT_NOWAIT), -EMSGSIZE);
    CHECK_INT(plait_queue_peek(queue, NULL, 0, PLAIT_NOWAIT), 9);
    CHECK_INT(plait_queue_peek(queue, buf, 3, PLAIT_NOWAIT), 9);
    CHECK_MEM(buf, 3, "too", 3);
    CHECK_INT(plait_queue_size(queue), 2);
    check_next("too large");
    check_next("next");
    plait_queue_destroy(queue);
}

CLAIM(an_item_is_got_in_memory_of_its_size)
{
    void *item = NULL;

    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_get_alloc(queue, &item, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK(item == NULL);
    put_text("some text");
    CHECK_INT(plait_queue_put(queue, NULL, 0, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_get_alloc(queue, &item, PLAIT_NOWAIT), 9);
    CHECK_MEM(item, 9, "some text", 9);
    free(item);
    item = NULL;
    CHECK_INT(plait_queue_get_alloc(queue, &item, PLAIT_NOWAIT), 0);
    CHECK(item != NULL);
    free(item);
    plait_queue_destroy(queue);
}

CLAIM(many_are_put_and_got_at_once)
{
    plait_bytes in[5] = { { "a", 1 }, { "", 0 }, { "0123456789abcdefg", 17 }, { "b", 1 } };
    plait_bytes out[5];
    char buf[64];
    plait_queue_batch batch = { buf, sizeof buf, out, 5 };

    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_put_many(queue, in, 4, PLAIT_NOWAIT), 4);
    CHECK_INT(plait_queue_put_many(queue, in, 0, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_size(queue), 4);
    CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT), 4);
    for (int i = 0; i < 4; i++) {
        CHECK_MEM(out[i].bytes, out[i].size, in[i].bytes, in[i].size);
        CHECK_INT(((const char *)out[i].bytes - buf) % 16, 0);
    }
    CHECK_INT(plait_queue_put_many(queue, in, 4, PLAIT_NOWAIT), 4);
    batch.cap = 33;
    CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT), 3);
    batch.cap = 0;
    CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT), -EMSGSIZE);
    batch.cap = 64;
    batch.max_items = 1;
    CHECK_INT(plait_queue_get_many(queue, &batch, PLAIT_NOWAIT), 1);
    CHECK_MEM(out[0].bytes, out[0].size, "b", 1);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(many_of_which_some_do_not_fit_are_put_as_far_as_they_do)
{
    plait_bytes in[4] = { { "a", 1 }, { "b", 1 }, { "c", 1 }, { "d", 1 } };

    queue = create((plait_queue_opts){ .max_items = 3, .max_item_bytes = 10 });
    CHECK_INT(plait_queue_put_many(queue, in, 4, PLAIT_NOWAIT), 3);
    CHECK_INT(plait_queue_put_many(queue, in + 3, 1, PLAIT_NOWAIT), -ETIMEDOUT);
    check_next("a");
    check_next("b");
    check_next("c");
    in[1].size = 11;
    CHECK_INT(plait_queue_put_many(queue, in, 2, PLAIT_NOWAIT), 1);
    CHECK_INT(plait_queue_put_many(queue, in + 1, 1, PLAIT_NOWAIT), -EMSGSIZE);
    plait_queue_destroy(queue);
}

/* ---- bounds ---- */

CLAIM(get_times_out_when_empty)
{
    queue = create((plait_queue_opts){ 0 });
    plait_deadline until = plait_after_ms(20);
    CHECK_INT(plait_queue_get(queue, NULL, 0, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(put_times_out_when_full)
{
    queue = create((plait_queue_opts){ .max_items = 2 });
    CHECK(!plait_queue_is_full(queue));
    put_text("a");
    put_text("b");
    CHECK(plait_queue_is_full(queue));
    plait_deadline until = plait_after_ms(20);
    CHECK_INT(plait_queue_put(queue, "c", 1, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    check_next("a");
    CHECK(!plait_queue_is_full(queue));
    put_text("c");
    CHECK_INT(plait_queue_put(queue, "d", 1, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_queue_destroy(queue);
}

CLAIM(the_bound_in_bytes_holds)
{
    char item[1000] = { 0 };
    size_t n = 0;

    queue = create((plait_queue_opts){ .max_bytes = 10000 });
    while (plait_queue_put(queue, item, sizeof item, PLAIT_NOWAIT) == 0)
        n++;
    CHECK_INT(n, 10000 / 1024);
    CHECK(!plait_queue_is_full(queue)); /* a smaller one has room */
    put_text("small");
    CHECK_INT(plait_queue_get(queue, item, sizeof item, PLAIT_NOWAIT), 1000);
    CHECK_INT(plait_queue_put(queue, item, 900, PLAIT_NOWAIT), 0);
    plait_queue_destroy(queue);
}

CLAIM(an_item_may_take_half_of_the_ring)
{
    static char item[32768];

    queue = create((plait_queue_opts){ .max_bytes = 65536 });
    for (int i = 0; i < 10; i++) { /* wherever in the ring it begins */
        size_t n = sizeof item - 16 - (size_t)i * 1000;
        item[0] = item[n - 1] = (char)i;
        CHECK_INT(plait_queue_put(queue, item, n, PLAIT_NOWAIT), 0);
        item[0] = item[n - 1] = -1;
        CHECK_INT(plait_queue_get(queue, item, sizeof item, PLAIT_NOWAIT), (ssize_t)n);
        CHECK(item[0] == i && item[n - 1] == i);
    }
    plait_queue_destroy(queue);
}

CLAIM(a_deadline_in_the_past_is_a_look)
{
    plait_deadline past = plait_after_ms(-1), before_all = { -7 };
    char got;

    queue = create((plait_queue_opts){ .max_items = 1 });
    CHECK_INT(plait_queue_get(queue, NULL, 0, past), -ETIMEDOUT);
    CHECK_INT(plait_queue_put(queue, "a", 1, past), 0);
    CHECK_INT(plait_queue_put(queue, "b", 1, past), -ETIMEDOUT);
    CHECK_INT(plait_queue_put(queue, "b", 1, before_all), -ETIMEDOUT);
    CHECK_INT(plait_queue_join(queue, before_all), -ETIMEDOUT);
    CHECK_INT(plait_queue_get(queue, &got, 1, before_all), 1);
    CHECK_INT(plait_queue_get(queue, &got, 1, before_all), -ETIMEDOUT);
    plait_queue_destroy(queue);
}

/* ---- waiting ---- */

CLAIM(a_put_wakes_who_waits_for_an_item)
{
    queue = create((plait_queue_opts){ 0 });
    plait_task *task = start(get_one, NULL);
    await_getter();
    put_text("wake up");
    CHECK_INT(end(task), 7);
    plait_queue_destroy(queue);
}

CLAIM(a_get_wakes_who_waits_for_room)
{
    static char second[] = "second";

    queue = create((plait_queue_opts){ .max_items = 1 });
    put_text("first");
    plait_task *task = start(put_one, second);
    await_putter(0);
    check_next("first");
    CHECK_INT(end(task), 0);
    check_next("second");
    plait_queue_destroy(queue);
}

CLAIM(each_of_many_waiting_gets_one)
{
    plait_task *tasks[4];
    bool came[4] = { false };

    queue = create((plait_queue_opts){ 0 });
    answers = create((plait_queue_opts){ 0 });
    for (int i = 0; i < 4; i++)
        tasks[i] = start(get_one, NULL);
    await_getter();
    for (char i = 0; i < 4; i++)
        CHECK_INT(plait_queue_put(queue, &i, 1, PLAIT_NOWAIT), 0);
    for (int i = 0; i < 4; i++) {
        char got;
        CHECK_INT(plait_queue_get(answers, &got, 1, PLAIT_FOREVER), 1);
        CHECK(!came[(int)got]);
        came[(int)got] = true;
    }
    for (int i = 0; i < 4; i++)
        CHECK_INT(end(tasks[i]), 1);
    plait_queue_destroy(queue);
    plait_queue_destroy(answers);
}

/* ---- reserve, borrow ---- */

CLAIM(a_reservation_keeps_its_place)
{
    void *first = NULL, *second = NULL;

    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_reserve(queue, &first, 100, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_reserve(queue, &second, 3, PLAIT_NOWAIT), 0);
    CHECK((uintptr_t)first % 16 == 0 && (uintptr_t)second % 16 == 0);
    put_text("third");
    CHECK_INT(plait_queue_size(queue), 3);
    memcpy(second, "two", 3);
    CHECK_INT(plait_queue_commit(queue, second, 3), 0);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    memcpy(first, "one", 3);
    CHECK_INT(plait_queue_commit(queue, first, 101), -EINVAL);
    CHECK_INT(plait_queue_commit(queue, first, 3), 0);
    CHECK_INT(plait_queue_commit(queue, first, 3), -EINVAL);
    check_next("one");
    check_next("two");
    check_next("third");
    check_empty();
    plait_queue_destroy(queue);
}

CLAIM(an_aborted_reservation_is_no_item)
{
    void *bytes = NULL;

    queue = create((plait_queue_opts){ .max_items = 2 });
    CHECK_INT(plait_queue_reserve(queue, &bytes, 10, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_abort(queue, bytes), 0);
    CHECK_INT(plait_queue_abort(queue, bytes), -EINVAL);
    check_empty();
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), 0);
    put_text("a");
    CHECK_INT(plait_queue_reserve(queue, &bytes, 10, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_put(queue, "b", 1, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_abort(queue, bytes), 0);
    check_next("a");
    put_text("b");
    put_text("c");
    check_next("b");
    check_next("c");
    plait_queue_destroy(queue);
}

CLAIM(what_is_borrowed_takes_room_until_it_is_released)
{
    const void *first = NULL, *second = NULL;

    queue = create((plait_queue_opts){ .max_items = 2 });
    put_text("one");
    put_text("two");
    CHECK_INT(plait_queue_borrow(queue, &first, PLAIT_NOWAIT), 3);
    CHECK_INT(plait_queue_borrow(queue, &second, PLAIT_NOWAIT), 3);
    CHECK_MEM(first, 3, "one", 3);
    CHECK_MEM(second, 3, "two", 3);
    CHECK(plait_queue_is_empty(queue) && plait_queue_is_full(queue));
    CHECK_INT(plait_queue_release(queue, second), 0);
    CHECK_INT(plait_queue_release(queue, second), -EINVAL);
    if (!in_one_process) /* there the rings give back in order */
        CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_queue_release(queue, first), 0);
    put_text("three");
    check_next("three");
    CHECK_INT(plait_queue_release(queue, "elsewhere"), -EINVAL);
    plait_queue_destroy(queue);
}

CLAIM(what_is_put_and_got_between_borrowed_ones_comes_in_order)
{
    const void *first = NULL;

    queue = create((plait_queue_opts){ .max_bytes = 4096 });
    for (int i = 0; i < 100; i++) {
        put_text("one");
        put_text("two");
        put_text("three");
        CHECK_INT(plait_queue_borrow(queue, &first, PLAIT_NOWAIT), 3);
        check_next("two");
        CHECK_INT(plait_queue_release(queue, first), 0);
        check_next("three");
        check_empty();
    }
    plait_queue_destroy(queue);
}

/* ---- the end ---- */

CLAIM(a_closed_queue_is_drained_and_then_says_so)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("last");
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_FOREVER), -EPIPE);
    check_next("last");
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_queue_peek(queue, NULL, 0, PLAIT_FOREVER), -EPIPE);
    plait_queue_destroy(queue);
}

CLAIM(a_close_ends_the_waiting_for_items)
{
    queue = create((plait_queue_opts){ 0 });
    plait_task *one = start(get_one, NULL), *other = start(get_one, NULL);
    await_getter();
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(end(one), -EPIPE);
    CHECK_INT(end(other), -EPIPE);
    plait_queue_destroy(queue);
}

CLAIM(a_close_ends_the_waiting_for_room)
{
    static char text[] = "x";

    queue = create((plait_queue_opts){ .max_items = 1 });
    put_text("a");
    plait_task *task = start(put_one, text);
    await_putter(0);
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(end(task), -EPIPE);
    check_next("a");
    plait_queue_destroy(queue);
}

CLAIM(what_was_reserved_before_a_close_still_comes)
{
    void *bytes = NULL;

    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_reserve(queue, &bytes, 3, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_task *task = start(get_one, NULL);
    await_getter();
    memcpy(bytes, "end", 3);
    CHECK_INT(plait_queue_commit(queue, bytes, 3), 0);
    CHECK_INT(end(task), 3);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_NOWAIT), -EPIPE);
    plait_queue_destroy(queue);
}

CLAIM(after_a_shutdown_at_once_nothing_comes)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("got");
    put_text("never got");
    check_next("got");
    CHECK_INT(plait_queue_shutdown(queue, true), 0);
    CHECK_INT(plait_queue_get(queue, NULL, 0, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_queue_put(queue, "x", 1, PLAIT_FOREVER), -EPIPE);
    CHECK_INT(plait_queue_size(queue), 0);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), -ETIMEDOUT); /* for what was got */
    CHECK_INT(plait_queue_task_done(queue), 0);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), 0);
    plait_queue_destroy(queue);
}

CLAIM_BUT_IN_SEGMENTS(who_waits_at_a_destroyed_queue_is_told)
{
    queue = create((plait_queue_opts){ 0 });
    plait_task *one = start(get_one, NULL), *other = start(get_one, NULL);
    await_visitors(2);
    plait_queue_destroy(queue);
    CHECK_INT(end(one), -EPIPE);
    CHECK_INT(end(other), -EPIPE);
}

/* ---- task_done, join ---- */

static int get_and_finish(void *arg)
{
    char buf[64];

    (void)arg;
    while (plait_queue_get(queue, buf, sizeof buf, PLAIT_FOREVER) >= 0)
        CHECK_INT(plait_queue_task_done(queue), 0);
    return 0;
}

static int join_queue(void *arg)
{
    (void)arg;
    return plait_queue_join(queue, PLAIT_FOREVER);
}

CLAIM_BUT_IN_SEGMENTS(who_waits_for_room_or_for_the_end_at_a_destroyed_queue_is_told)
{
    static char text[] = "x";

    queue = create((plait_queue_opts){ .max_items = 1 });
    put_text("a");
    plait_task *one = start(put_one, text), *other = start(join_queue, NULL);
    await_visitors(2);
    plait_queue_destroy(queue);
    CHECK_INT(end(one), -EPIPE);
    CHECK_INT(end(other), -EPIPE);
}

CLAIM(a_shutdown_at_once_ends_the_join_for_what_nobody_got)
{
    queue = create((plait_queue_opts){ 0 });
    put_text("never got");
    plait_task *joiner = start(join_queue, NULL);
    await_joiner();
    CHECK_INT(plait_queue_shutdown(queue, true), 0);
    CHECK_INT(end(joiner), 0);
    plait_queue_destroy(queue);
}

CLAIM(join_waits_until_all_is_done)
{
    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_task_done(queue), -EINVAL);
    for (int i = 0; i < 50; i++)
        put_text("job");
    CHECK_INT(plait_queue_join(queue, plait_after_ms(5)), -ETIMEDOUT);
    plait_task *joiner = start(join_queue, NULL);
    await_joiner();
    plait_task *one = start(get_and_finish, NULL), *other = start(get_and_finish, NULL);
    CHECK_INT(end(joiner), 0);
    CHECK_INT(plait_queue_join(queue, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_task_done(queue), -EINVAL);
    CHECK_INT(plait_queue_close(queue), 0);
    CHECK_INT(end(one), 0);
    CHECK_INT(end(other), 0);
    plait_queue_destroy(queue);
}

/* ---- mistakes ---- */

CLAIM(mistakes_are_told)
{
    plait_queue *made = NULL;
    plait_queue_opts tiny = { .max_bytes = 10 }, huge = { .max_bytes = SIZE_MAX };
    plait_queue_batch none = { 0 };
    void *bytes = NULL;

    CHECK_INT(plait_queue_create(NULL, NULL), -EINVAL);
    CHECK_INT(plait_queue_create(&made, &tiny), -EINVAL);
    CHECK_INT(plait_queue_create(&made, &huge), -EINVAL);
    CHECK(made == NULL);
    CHECK_INT(plait_queue_put(NULL, "a", 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_get(NULL, NULL, 0, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_close(NULL), -EINVAL);
    CHECK_INT(plait_queue_join(NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_task_done(NULL), -EINVAL);
    CHECK_INT(plait_queue_size(NULL), 0);
    CHECK(plait_queue_is_empty(NULL) && !plait_queue_is_full(NULL));
    plait_queue_destroy(NULL);
    queue = create((plait_queue_opts){ 0 });
    CHECK_INT(plait_queue_put(queue, NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_get(queue, NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_get_alloc(queue, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_get_many(queue, &none, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_reserve(queue, NULL, 1, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_borrow(queue, NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_queue_commit(queue, bytes, 0), -EINVAL);
    bytes = in_one_process ? (char *)queue + 16 : &queue->ring.shared->data[16];
    CHECK_INT(plait_queue_abort(queue, bytes), -EINVAL);
    plait_queue_destroy(queue);
}

#endif
