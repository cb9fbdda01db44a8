/* A process is killed at every instruction of what is done to a queue by those who put.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: what was put before is there, whole and in its order; what the victim put is
 * there or not, whole, and there if it had returned; who waits is not forgotten; and the queue has
 * all of its room, and then none.
 */
#include "queue_scene.h"

static void *empty_small(void)
{
    return new_scene(SMALL, 0);
}

static void *three_small(void)
{
    return new_scene(SMALL, 3);
}

static void *three_large(void)
{
    return new_scene(LARGE, 3);
}

static void *full_small(void)
{
    return new_scene(SMALL, ROOM);
}

/* Items before the victim's are all there; then so many of the victim's. */
static int drain(struct scene *scene, int first)
{
    int n = 0, number = get(scene, PLAIT_NOWAIT);

    for (; first <= (int)scene->n_before; first++) {
        CHECK_INT(number, first);
        number = get(scene, PLAIT_NOWAIT);
    }
    for (; number >= VICTIMS; n++) {
        CHECK_INT(number, VICTIMS + n);
        number = get(scene, PLAIT_NOWAIT);
    }
    CHECK_INT(number, -ETIMEDOUT);
    return n;
}

/* How many the victim has put. */
static const char *check_put(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int first = scene->is_helped ? 2 : 1; /* the sleep was ended by a get */
    int n = drain(scene, first);

    (void)at;
    CHECK(!scene->is_returned || scene->rc == 0);
    CHECK_INT(n, scene->is_returned || n > 0 ? 1 : 0);
    check_room(scene);
    return n == 1 ? "put" : "not put";
}

/* ---- put ---- */

static void put_one(void *state)
{
    struct scene *scene = state;

    note(scene, put(scene, VICTIMS, PLAIT_FOREVER));
}

#define PUT_CASE(id, words, scene_of, claim)                                                     \
    static const struct step_call id = {                                                         \
        .name = words, .setup = scene_of, .prepare = join, .victim = put_one, .check = check_put \
    };                                                                                           \
    STEP_TEST(claim, &id)

PUT_CASE(put_small, "put, small", three_small, a_victim_in_put_has_put_it_whole_or_not)
PUT_CASE(put_large, "put, large", three_large,
         a_victim_in_put_of_a_large_item_has_put_it_whole_or_not)

static const struct step_call put_first = { .name = "put, the first call of a process",
                                            .setup = empty_small,
                                            .victim = put_one,
                                            .check = check_put };

STEP_TEST(a_victim_whose_first_call_is_put_has_put_it_whole_or_not, &put_first)

static void make_room(void *state)
{
    struct scene *scene = state;

    if (scene->is_helped)
        return;
    scene->is_helped = 1;
    CHECK_INT(get(scene, PLAIT_NOWAIT), 1);
}

static const struct step_call put_full = { .name = "put, no room",
                                           .setup = full_small,
                                           .prepare = join,
                                           .victim = put_one,
                                           .asleep = make_room,
                                           .check = check_put };

STEP_TEST(a_victim_that_waits_for_room_takes_none_with_it, &put_full)

static void get_as_third(void *state)
{
    struct scene *scene = state;

    scene->third_got = (uint32_t)get(scene, PLAIT_FOREVER);
}

static void *empty_and_a_third(void)
{
    struct scene *scene = new_scene(SMALL, 0);

    scene->third = start_third(get_as_third, scene);
    return scene;
}

/* One item more, so that there is one for the third: what is put before it comes before it. */
static const char *check_third(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int number;

    (void)at;
    CHECK_INT(put(scene, OURS, PLAIT_FOREVER), 0);
    end_third(scene->third);
    CHECK(scene->third_got == VICTIMS || scene->third_got == OURS);
    CHECK(scene->third_got == VICTIMS || !scene->is_returned);
    number = get(scene, PLAIT_NOWAIT);
    CHECK_INT(number, scene->third_got == OURS ? -ETIMEDOUT : OURS);
    check_room(scene);
    return scene->third_got == VICTIMS ? "put" : "not put";
}

static const struct step_call put_to_third = { .name = "put, a third one waits for an item",
                                               .setup = empty_and_a_third,
                                               .prepare = join,
                                               .victim = put_one,
                                               .check = check_third };

STEP_TEST(a_victim_in_put_leaves_nobody_asleep_beside_an_item, &put_to_third)

static void put_four(void *state)
{
    struct scene *scene = state;
    plait_bytes items[4];

    for (size_t i = 0; i < 4; i++) {
        char *at = scene->buf + i * LARGE;
        fill(at, scene->bytes, VICTIMS + (int)i);
        items[i] = (plait_bytes){ at, scene->bytes };
    }
    note(scene, plait_queue_put_many(scene->queue, items, 4, PLAIT_FOREVER));
}

static const char *check_put_many(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int n = drain(scene, 1);

    (void)at;
    CHECK(!scene->is_returned || (scene->rc == 4 && n == 4));
    CHECK(n <= 4);
    CHECK(scene->bytes == LARGE || n == 0 || n == 4); /* small ones come all at once */
    check_room(scene);
    return n == 4 ? "put" : n > 0 ? "some" : "none";
}

static const struct step_call many_small = { .name = "put_many, small",
                                             .setup = three_small,
                                             .prepare = join,
                                             .victim = put_four,
                                             .check = check_put_many };

STEP_TEST(a_victim_in_put_many_has_put_all_or_none, &many_small)

static const struct step_call many_large = { .name = "put_many, large",
                                             .setup = three_large,
                                             .prepare = join,
                                             .victim = put_four,
                                             .check = check_put_many };

STEP_TEST(a_victim_in_put_many_of_large_items_has_put_the_first_ones, &many_large)

/* ---- reserve ---- */

static void reserve_and_commit(void *state)
{
    struct scene *scene = state;
    void *bytes = NULL;

    CHECK_INT(plait_queue_reserve(scene->queue, &bytes, LARGE, PLAIT_FOREVER), 0);
    fill(bytes, scene->bytes, VICTIMS);
    note(scene, plait_queue_commit(scene->queue, bytes, scene->bytes));
}

static const struct step_call commit = { .name = "reserve and commit",
                                         .setup = three_small,
                                         .prepare = join,
                                         .victim = reserve_and_commit,
                                         .check = check_put };

STEP_TEST(a_victim_with_a_reservation_has_committed_it_whole_or_not, &commit)

static void reserve_and_abort(void *state)
{
    struct scene *scene = state;
    void *bytes = NULL;

    CHECK_INT(plait_queue_reserve(scene->queue, &bytes, LARGE, PLAIT_FOREVER), 0);
    note(scene, plait_queue_abort(scene->queue, bytes));
}

static const char *check_none_put(void *state, const struct step_result *at)
{
    struct scene *scene = state;

    (void)at;
    CHECK(!scene->is_returned || scene->rc == 0);
    CHECK_INT(drain(scene, 1), 0);
    /* what never came is not waited for */
    for (uint32_t i = 0; i < scene->n_before; i++)
        CHECK_INT(plait_queue_task_done(scene->queue), 0);
    CHECK_INT(plait_queue_join(scene->queue, plait_after_ms(LONG_MS)), 0);
    CHECK_INT(plait_queue_task_done(scene->queue), -EINVAL);
    check_room(scene);
    return scene->is_returned ? "aborted" : "not there";
}

static const struct step_call abortion = { .name = "reserve and abort",
                                           .setup = three_small,
                                           .prepare = join,
                                           .victim = reserve_and_abort,
                                           .check = check_none_put };

STEP_TEST(a_victim_that_gives_up_a_reservation_leaves_nothing_to_wait_for, &abortion)

/* ---- close ---- */

static void close_it(void *state)
{
    struct scene *scene = state;

    note(scene, plait_queue_close(scene->queue));
}

static const char *check_closed(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int rc = put(scene, OURS, PLAIT_NOWAIT);
    bool was_closed = rc == -EPIPE;

    (void)at;
    CHECK(was_closed || (rc == 0 && !scene->is_returned));
    CHECK_INT(plait_queue_close(scene->queue), 0);
    end_third(scene->third);
    CHECK_INT((int32_t)scene->third_got, was_closed ? -EPIPE : OURS);
    CHECK_INT(get(scene, PLAIT_NOWAIT), -EPIPE);
    CHECK_INT(put(scene, OURS, PLAIT_NOWAIT), -EPIPE);
    plait_queue_destroy(scene->queue);
    return was_closed ? "closed" : "open";
}

static const struct step_call closing = { .name = "close, a third one waits for an item",
                                          .setup = empty_and_a_third,
                                          .prepare = join,
                                          .victim = close_it,
                                          .check = check_closed };

STEP_TEST(a_victim_in_close_leaves_nobody_asleep_at_a_closed_queue, &closing)
