/* A process is killed at every instruction of what is done to a queue by those who get.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: what the victim got is in the queue still, or whole in its buffer; all else is
 * there, whole and in its order, but for an item that the dead had in hand, which may come later;
 * and the queue has all of its room, and then none.
 */
#include "queue_scene.h"

static void *empty_large(void)
{
    return new_scene(LARGE, 0);
}

static void *three_small(void)
{
    return new_scene(SMALL, 3);
}

static void *three_large(void)
{
    return new_scene(LARGE, 3);
}

/* What is missing is in the victim's buffer: the first ones. Returns how many. */
static int count_got(struct scene *scene)
{
    int n = 0, last = 0, number, has_first = 0, lowest = (int)scene->n_before + 1;

    while ((number = get(scene, PLAIT_NOWAIT)) > 0) {
        n++;
        has_first += number == 1;
        if (number < lowest)
            lowest = number;
        CHECK(number > last || number == 1); /* that was in the hand of the dead */
        last = number > last ? number : last;
    }
    CHECK_INT(number, -ETIMEDOUT);
    CHECK(has_first <= 1);
    CHECK_INT(n, (int)scene->n_before + 1 - lowest);
    return lowest - 1;
}

static const char *check_got(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    size_t place = (scene->bytes + 15) / 16 * 16;
    int n_got = count_got(scene);

    (void)at;
    for (int i = 0; i < n_got; i++)
        CHECK_INT(number_of(scene->buf + (size_t)i * place, scene->bytes), i + 1);
    CHECK(!scene->is_returned || scene->rc == n_got || scene->rc == (int)scene->bytes);
    CHECK(!scene->is_returned || n_got > 0);
    check_room(scene);
    return n_got > 0 ? "got" : "not got";
}

/* ---- get ---- */

static void get_one(void *state)
{
    struct scene *scene = state;

    note(scene, plait_queue_get(scene->queue, scene->buf, sizeof scene->buf, PLAIT_FOREVER));
}

#define GET_CASE(id, words, scene_of, call, claim)                                            \
    static const struct step_call id = {                                                      \
        .name = words, .setup = scene_of, .prepare = join, .victim = call, .check = check_got \
    };                                                                                        \
    STEP_TEST(claim, &id)

GET_CASE(get_small, "get, small", three_small, get_one, a_victim_in_get_has_got_it_whole_or_not)
GET_CASE(get_large, "get, large", three_large, get_one,
         a_victim_in_get_of_a_large_item_has_got_it_whole_or_not)

static void bring_item(void *state)
{
    struct scene *scene = state;

    if (scene->is_helped)
        return;
    scene->is_helped = 1;
    scene->n_before = 1;
    CHECK_INT(put(scene, 1, PLAIT_NOWAIT), 0);
}

static const struct step_call get_empty = { .name = "get, no item",
                                            .setup = empty_large,
                                            .prepare = join,
                                            .victim = get_one,
                                            .asleep = bring_item,
                                            .check = check_got };

STEP_TEST(a_victim_that_waits_for_an_item_takes_none_with_it, &get_empty)

static void get_three(void *state)
{
    struct scene *scene = state;
    plait_bytes items[3];
    plait_queue_batch batch = { scene->buf, sizeof scene->buf, items, 3 };

    note(scene, plait_queue_get_many(scene->queue, &batch, PLAIT_FOREVER));
}

GET_CASE(get_many, "get_many", three_small, get_three, a_victim_in_get_many_has_got_the_first_ones)

static void borrow_and_release(void *state)
{
    struct scene *scene = state;
    const void *bytes = NULL;
    ssize_t n = plait_queue_borrow(scene->queue, &bytes, PLAIT_FOREVER);

    CHECK_INT(n, scene->bytes);
    memcpy(scene->buf, bytes, scene->bytes);
    if (plait_queue_release(scene->queue, bytes) == 0)
        note(scene, n);
}

GET_CASE(borrow, "borrow and release", three_small, borrow_and_release,
         what_a_victim_had_borrowed_is_there_again)

/* ---- two at once ---- */

static void put_and_get(void *state)
{
    struct scene *scene = state;

    CHECK_INT(put(scene, OURS, PLAIT_FOREVER), 0);
    CHECK(get(scene, PLAIT_FOREVER) > 0);
}

static void get_whatever(void *state)
{
    struct scene *scene = state;
    int number = get(scene, PLAIT_FOREVER);

    CHECK(number > 0);
    scene->buf[0] = (char)number;
    note(scene, 0);
}

/* There were three; each of the two has got one, and the partner has put one. */
static const char *check_two(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int n = 0, last = 0, number;

    (void)at;
    while ((number = get(scene, PLAIT_NOWAIT)) > 0) {
        CHECK(number > last);
        last = number;
        n++;
    }
    CHECK_INT(number, -ETIMEDOUT);
    CHECK_INT(last, OURS);
    CHECK(n == 2 || (n == 3 && !scene->is_returned));
    check_room(scene);
    return n == 2 ? "got" : "not got";
}

static const struct step_call get_beside = { .name = "get, with another one at it",
                                             .setup = three_small,
                                             .prepare = join,
                                             .victim = get_whatever,
                                             .partner = put_and_get,
                                             .check = check_two };

STEP_TEST(a_victim_in_get_beside_another_one_takes_at_most_one_with_it, &get_beside)
