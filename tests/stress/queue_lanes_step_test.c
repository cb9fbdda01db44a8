/* A process is killed at every instruction of what is done to a queue with lanes.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: what the victim put, closed or got it did or not, and for all lanes; what is in
 * the queue comes in the order of the lanes.
 */
#include "queue_scene.h"

enum {
    LANES = 3
};

static int put_in(struct scene *scene, unsigned lane, int number)
{
    char item[SMALL];

    fill(item, SMALL, number);
    return plait_queue_put_lane(scene->queue, lane, item, SMALL, PLAIT_NOWAIT);
}

/* Item 1 in lane 1, item 2 in lane 2. */
static void *two_behind(void)
{
    plait_queue_opts opts = { .max_items = ROOM, .lanes = LANES };
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    CHECK_INT(plait_queue_create(&scene->queue, &opts), 0);
    scene->bytes = SMALL;
    CHECK_INT(put_in(scene, 2, 2), 0);
    CHECK_INT(put_in(scene, 1, 1), 0);
    return scene;
}

/* It is empty: each lane takes as many as it has room for. */
static void check_lanes(struct scene *scene)
{
    CHECK_INT(plait_queue_size(scene->queue), 0);
    for (int i = 0; i < LANES * ROOM; i++)
        CHECK_INT(put_in(scene, (unsigned)i % LANES, OURS + i % LANES), 0);
    CHECK(plait_queue_is_full(scene->queue));
    for (int i = 0; i < LANES * ROOM; i++)
        CHECK_INT(get(scene, PLAIT_NOWAIT), OURS + i / ROOM);
    CHECK_INT(get(scene, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_queue_destroy(scene->queue);
}

/* ---- get ---- */

static void get_one(void *state)
{
    struct scene *scene = state;

    note(scene, plait_queue_get(scene->queue, scene->buf, sizeof scene->buf, PLAIT_FOREVER));
}

static const char *check_got(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int first = get(scene, PLAIT_NOWAIT);

    (void)at;
    CHECK(first == 1 || first == 2);
    if (first == 1)
        CHECK_INT(get(scene, PLAIT_NOWAIT), 2);
    else
        CHECK_INT(number_of(scene->buf, SMALL), 1);
    CHECK(!scene->is_returned || (scene->rc == SMALL && first == 2));
    CHECK_INT(get(scene, PLAIT_NOWAIT), -ETIMEDOUT);
    check_lanes(scene);
    return first == 2 ? "got" : "not got";
}

static const struct step_call get_case = { .name = "get from lane 1",
                                           .setup = two_behind,
                                           .prepare = join,
                                           .victim = get_one,
                                           .check = check_got };

STEP_TEST(a_victim_in_get_has_got_the_first_of_the_first_lane_or_not, &get_case)

/* ---- put ---- */

static void put_one(void *state)
{
    struct scene *scene = state;

    note(scene, put_in(scene, 1, VICTIMS));
}

static const char *check_put(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int next;

    (void)at;
    CHECK_INT(get(scene, PLAIT_NOWAIT), 1);
    next = get(scene, PLAIT_NOWAIT);
    CHECK(next == 2 || next == VICTIMS);
    if (next == VICTIMS)
        CHECK_INT(get(scene, PLAIT_NOWAIT), 2);
    CHECK(!scene->is_returned || (scene->rc == 0 && next == VICTIMS));
    check_lanes(scene);
    return next == VICTIMS ? "put" : "not put";
}

static const struct step_call put_case = { .name = "put into lane 1",
                                           .setup = two_behind,
                                           .prepare = join,
                                           .victim = put_one,
                                           .check = check_put };

STEP_TEST(a_victim_in_put_has_put_into_its_lane_or_not, &put_case)

/* ---- the end ---- */

static void close_all(void *state)
{
    struct scene *scene = state;

    note(scene, plait_queue_close(scene->queue));
}

static void shut_down(void *state)
{
    struct scene *scene = state;

    note(scene, plait_queue_shutdown(scene->queue, true));
}

static void check_ended(struct scene *scene)
{
    CHECK_INT(get(scene, PLAIT_NOWAIT), -EPIPE);
    for (unsigned lane = 0; lane < LANES; lane++)
        CHECK_INT(put_in(scene, lane, OURS), -EPIPE);
    plait_queue_destroy(scene->queue);
}

static const char *check_closed(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    bool is_closed;

    (void)at;
    CHECK_INT(get(scene, PLAIT_NOWAIT), 1);
    CHECK_INT(get(scene, PLAIT_NOWAIT), 2);
    is_closed = put_in(scene, 0, OURS) == -EPIPE;
    CHECK(is_closed || !scene->is_returned);
    if (is_closed) {
        check_ended(scene);
        return "closed";
    }
    CHECK_INT(get(scene, PLAIT_NOWAIT), OURS);
    check_lanes(scene);
    return "open";
}

static const char *check_shut_down(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int first = get(scene, PLAIT_NOWAIT);

    (void)at;
    if (first == -EPIPE) {
        CHECK_INT(plait_queue_size(scene->queue), 0);
        check_ended(scene);
        return "shut down";
    }
    CHECK(!scene->is_returned);
    CHECK_INT(first, 1);
    CHECK_INT(get(scene, PLAIT_NOWAIT), 2);
    check_lanes(scene);
    return "not yet";
}

static const struct step_call close_case = { .name = "close of three lanes",
                                             .setup = two_behind,
                                             .prepare = join,
                                             .victim = close_all,
                                             .check = check_closed };

static const struct step_call shutdown_case = { .name = "shutdown of three lanes",
                                                .setup = two_behind,
                                                .prepare = join,
                                                .victim = shut_down,
                                                .check = check_shut_down };

STEP_TEST(a_victim_in_close_has_closed_all_lanes_or_none, &close_case)
STEP_TEST(a_victim_in_shutdown_has_ended_all_lanes_or_none, &shutdown_case)
