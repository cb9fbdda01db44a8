/* A process is killed at every instruction of what is done to priority queues.
 * SPDX-License-Identifier: MIT
 *
 * After each kill all items are looked for: in the queue, in order; and in the hands of those who
 * live. Each is there once, but for one that the victim had just been handed, which lies whole in
 * its hand, and one that it was putting, which may be there or not. All room is there again.
 */
#include "chan/priority_queue.h"
#include "family/member.h"
#include "sync/owned.h"

#include "step.h"
#include "third.h"

#include <plait/priority_queue.h>
#include <plait/shared.h>

#include <errno.h>
#include <string.h>

enum {
    N_ITEMS = 5,
    IN_AT_FIRST = 3, /* items 0, 1 and 2 */
    OF_VICTIM = 3,
    OF_OTHERS = 4,
    SIZE_MOST = 100, /* bytes: three cells */
    N_CELLS = 16,
    NOTHING = -1
};

/* What somebody got. */
struct hand {
    char bytes[SIZE_MOST];
    ssize_t n; /* NOTHING: the call has not returned */
};

struct scene {
    plait_priority_queue *queue;
    struct hand victim, third, others;
    bool is_put[N_ITEMS]; /* whoever put it was told so */
    bool third_wants_room;
    pid_t third_pid;
};

static const size_t sizes[N_ITEMS] = { 100, 5, 41, 90, 1 };
static const int64_t priorities[N_ITEMS] = { 2, 3, 1, 1, 3 };

static void fill(char *bytes, int item)
{
    for (size_t i = 0; i < sizes[item]; i++)
        bytes[i] = (char)(item * 50 + (int)i);
}

static int put_until(struct scene *scene, int item, plait_deadline until)
{
    char bytes[SIZE_MOST];
    int rc;

    fill(bytes, item);
    rc = plait_priority_queue_put(scene->queue, priorities[item], bytes, sizes[item], until);
    if (rc == 0)
        scene->is_put[item] = true;
    return rc;
}

static void put(struct scene *scene, int item)
{
    CHECK_INT(put_until(scene, item, PLAIT_FOREVER), 0);
}

static void get(struct scene *scene, struct hand *hand)
{
    hand->n = plait_priority_queue_get(scene->queue, NULL, hand->bytes, SIZE_MOST, PLAIT_FOREVER);
}

static bool is_in(const struct hand *hand, int item)
{
    char bytes[SIZE_MOST];

    fill(bytes, item);
    return memcmp(hand->bytes, bytes, sizes[item]) == 0;
}

/* Counts the item that was got, if any was. */
static void count(const struct hand *hand, int counts[N_ITEMS])
{
    int item = 0;

    if (hand->n == NOTHING)
        return;
    while (hand->n != (ssize_t)sizes[item] || !is_in(hand, item))
        CHECK(++item < N_ITEMS);
    counts[item]++;
}

/* ---- states ---- */

static struct scene *make(int items, size_t max_items)
{
    plait_priority_queue_opts opts = { .max_items = max_items,
                                       .max_bytes = N_CELLS * PLAIT__CELL_BYTES };
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    CHECK_INT(plait_priority_queue_create(&scene->queue, &opts), 0);
    scene->victim.n = scene->third.n = scene->others.n = NOTHING;
    for (int item = 0; item < items; item++)
        put(scene, item);
    return scene;
}

static void *nothing(void)
{
    return make(0, 0);
}

static void *three_items(void)
{
    return make(IN_AT_FIRST, 0);
}

/* As somebody leaves it who is killed in the middle of a change. */
static void *three_items_and_a_death(void)
{
    struct scene *scene = make(IN_AT_FIRST, 0);
    struct plait__items *items = &scene->queue->items;

    items->count = items->n_used = items->free = 12345;
    items->puts--;
    memset(items->cells + items->n_cells, 0xff, 20);
    items->lock = PLAIT__OWNED_BROKEN;
    return scene;
}

static void get_as_third(void *state)
{
    struct scene *scene = state;

    get(scene, &scene->third);
}

static void *nothing_and_a_getter(void)
{
    struct scene *scene = make(0, 0);

    scene->third_pid = start_third(get_as_third, scene);
    return scene;
}

static void put_as_third(void *state)
{
    put(state, OF_OTHERS);
}

static void *a_full_queue_and_a_putter(void)
{
    struct scene *scene = make(IN_AT_FIRST, IN_AT_FIRST);

    scene->third_wants_room = true;
    scene->third_pid = start_third(put_as_third, scene);
    return scene;
}

/* ---- what the survivor finds ---- */

static void help_third(struct scene *scene)
{
    if (scene->third_wants_room)
        get(scene, &scene->others);
    else
        put(scene, OF_OTHERS);
    end_third(scene->third_pid);
}

/* Takes all that is in it, in order. */
static void drain(struct scene *scene, int counts[N_ITEMS])
{
    struct hand hand;
    int64_t last = INT64_MIN, priority;

    while ((hand.n = plait_priority_queue_get(scene->queue, &priority, hand.bytes, SIZE_MOST,
                                              PLAIT_NOWAIT)) >= 0) {
        CHECK(priority >= last);
        last = priority;
        count(&hand, counts);
    }
    CHECK_INT(hand.n, -ETIMEDOUT);
    CHECK(plait_priority_queue_is_empty(scene->queue));
}

static void check_room(struct scene *scene)
{
    uint32_t n = 0;

    CHECK_INT(scene->queue->items.n_used, 0);
    while (plait_priority_queue_put(scene->queue, 0, "x", 1, PLAIT_NOWAIT) == 0)
        n++;
    CHECK_INT(n, scene->third_wants_room ? IN_AT_FIRST : N_CELLS);
}

static const char *check(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int counts[N_ITEMS] = { 0 }, missing = 0;

    (void)at;
    if (scene->third_pid != 0)
        help_third(scene);
    drain(scene, counts);
    count(&scene->victim, counts);
    count(&scene->third, counts);
    count(&scene->others, counts);
    for (int item = 0; item < N_ITEMS; item++) {
        CHECK(counts[item] <= 1);
        CHECK(counts[item] == 0 || scene->is_put[item] || item == OF_VICTIM);
        if (scene->is_put[item] && counts[item] == 0) {
            CHECK(is_in(&scene->victim, item)); /* it died with it */
            missing++;
        }
    }
    CHECK(missing <= (scene->victim.n == NOTHING));
    check_room(scene);
    if (counts[OF_VICTIM] > 0)
        return "it had put";
    return missing > 0 ? "died with it" : scene->victim.n != NOTHING ? "it had got" : "nothing";
}

/* ---- calls ---- */

static void join(void *state)
{
    (void)state;
    CHECK_INT(plait__member_join(), 0);
}

static void put_as_victim(void *state)
{
    put(state, OF_VICTIM);
}

static void get_as_victim(void *state)
{
    struct scene *scene = state;

    get(scene, &scene->victim);
}

static void get_as_partner(void *state)
{
    struct scene *scene = state;

    get(scene, &scene->others);
}

static void put_as_partner(void *state)
{
    put(state, OF_OTHERS);
}

/* The victim sleeps until there is something. It may have woken up by itself, and have come to its
 * point within the queue: then there is no use in waiting for it. */
static void put_while_asleep(void *state)
{
    struct scene *scene = state;

    if (!scene->is_put[OF_OTHERS])
        put_until(scene, OF_OTHERS, PLAIT_NOWAIT);
}

#define CASE(claim, ...)                                                                          \
    static const struct step_call claim##_call = { .name = #claim, .check = check, __VA_ARGS__ }; \
    STEP_TEST(claim, &claim##_call)

CASE(a_victim_in_a_put_has_put_or_not, .setup = three_items, .prepare = join,
     .victim = put_as_victim)
CASE(a_victim_in_a_get_has_got_or_not, .setup = three_items, .prepare = join,
     .victim = get_as_victim)
CASE(a_victim_in_the_repair_after_another_ones_death_loses_nothing,
     .setup = three_items_and_a_death, .prepare = join, .victim = get_as_victim)
CASE(a_victim_that_puts_for_a_getter_leaves_it_to_nobody_else, .setup = nothing_and_a_getter,
     .prepare = join, .victim = put_as_victim)
CASE(a_victim_that_gets_makes_room_for_a_putter, .setup = a_full_queue_and_a_putter,
     .prepare = join, .victim = get_as_victim)
CASE(a_victim_that_waits_for_an_item_keeps_nobody_from_it, .setup = nothing, .prepare = join,
     .victim = get_as_victim, .asleep = put_while_asleep)
CASE(a_victim_in_a_put_beside_a_getter, .setup = three_items, .prepare = join,
     .victim = put_as_victim, .partner = get_as_partner)
CASE(a_victim_in_a_get_beside_a_putter, .setup = three_items, .prepare = join,
     .victim = get_as_victim, .partner = put_as_partner)
