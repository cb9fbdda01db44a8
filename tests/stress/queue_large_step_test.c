/* A process is killed at every instruction of putting and getting an item that is larger than the
 * ring of its queue.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: the item comes whole, once, or it never came and its put had not returned, or it
 * was handed over; what is behind it comes; no block is lost or freed twice; there is room again.
 */
#include "chan/queue.h"
#include "family/member.h"

#include "step.h"

#include <plait/shared.h>

#include <errno.h>
#include <string.h>

enum {
    RING = 4096,
    LARGE = 3000 /* more than half of it */
};

struct scene {
    plait_queue *queue;
    const void *bytes; /* that the victim borrowed or reserved */
    plait_lease lease;
    uint32_t is_done; /* the victim's call has returned 0 or the size */
    uint64_t blocks;  /* of the heap, with the queue */
};

static struct scene *scene; /* in the heap itself */
static char large[LARGE];

static const struct plait__look thorough = { { 0 }, true };

static uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static void *empty_queue(void)
{
    plait_queue_opts opts = { .max_bytes = RING };

    if (scene == NULL)
        scene = plait_shared_alloc(sizeof *scene);
    CHECK(scene != NULL);
    if (scene->queue != NULL)
        plait_queue_destroy(scene->queue);
    *scene = (struct scene){ 0 };
    CHECK_INT(plait_queue_create(&scene->queue, &opts), 0);
    scene->blocks = count_blocks();
    memset(large, 'x', sizeof large);
    return scene;
}

static void *queue_with_one(void)
{
    empty_queue();
    CHECK_INT(plait_queue_put(scene->queue, large, LARGE, PLAIT_NOWAIT), 0);
    return scene;
}

static void join(void *state)
{
    (void)state;
    CHECK_INT(plait__member_join(), 0);
}

/* ---- what the survivor finds ---- */

/* Gets the next one, looking thoroughly. Is it the large one? What was freed is used for other
 * things meanwhile. */
static bool get_first(void)
{
    char bytes[LARGE], *other = plait_shared_alloc(16384);
    ssize_t n;

    CHECK(other != NULL);
    memset(other, 'z', 16384);
    n = plait__ring_get(&scene->queue->ring, bytes, sizeof bytes, thorough);
    CHECK_INT(plait_shared_free(other), 0);
    if (n == -EAGAIN)
        return false;
    CHECK(n == LARGE || n == 5);
    if (n == 5)
        CHECK_MEM(bytes, 5, "small", 5);
    else
        CHECK(bytes[0] == 'x' && memcmp(bytes, bytes + 1, LARGE - 1) == 0);
    return n == LARGE;
}

static void check_rest(void)
{
    CHECK(!get_first());
    CHECK_INT(plait_queue_size(scene->queue), 0);
    CHECK_INT(count_blocks(), scene->blocks);
    CHECK_INT(plait_queue_put(scene->queue, large, LARGE, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_put(scene->queue, large, LARGE, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK(get_first());
    CHECK_INT(count_blocks(), scene->blocks);
}

/* It is in it, or not. */
static const char *check_put(void *state, const struct step_result *at)
{
    bool came;

    (void)state;
    (void)at;
    CHECK_INT(plait_queue_put(scene->queue, "small", 5, plait_after_ms(1000)), 0);
    came = get_first();
    CHECK(came || !scene->is_done);
    if (came)
        CHECK(!get_first()); /* the small one */
    check_rest();
    return came ? "put" : "not put";
}

/* It comes again, or it was handed over. */
static const char *check_get(void *state, const struct step_result *at)
{
    bool comes = get_first();

    (void)state;
    (void)at;
    CHECK(!(comes && scene->is_done));
    check_rest();
    return comes ? "comes again" : "got";
}

/* It comes again in any case. */
static const char *check_kept(void *state, const struct step_result *at)
{
    (void)state;
    (void)at;
    CHECK(get_first());
    check_rest();
    return "comes again";
}

/* ---- the calls ---- */

static void put(void *state)
{
    (void)state;
    scene->is_done = plait_queue_put(scene->queue, large, LARGE, PLAIT_NOWAIT) == 0;
}

static const struct step_call put_one = {
    .name = "put, large", .setup = empty_queue, .prepare = join, .victim = put, .check = check_put
};

STEP_TEST(a_victim_in_put_of_a_large_item_has_put_it_or_lost_no_block, &put_one)

static void reserve(void *state)
{
    void *bytes = NULL;

    join(state);
    CHECK_INT(plait_queue_reserve(scene->queue, &bytes, LARGE, PLAIT_NOWAIT), 0);
    scene->bytes = bytes;
}

static void abort_it(void *state)
{
    (void)state;
    CHECK_INT(plait_queue_abort(scene->queue, (void *)(uintptr_t)scene->bytes), 0);
}

static const struct step_call abort_one = { .name = "abort, large",
                                            .setup = empty_queue,
                                            .prepare = reserve,
                                            .victim = abort_it,
                                            .check = check_put };

STEP_TEST(a_victim_in_abort_of_a_large_item_frees_it_once, &abort_one)

static void get(void *state)
{
    (void)state;
    scene->is_done = plait_queue_get(scene->queue, large, LARGE, PLAIT_NOWAIT) == LARGE;
}

static const struct step_call get_one = { .name = "get, large",
                                          .setup = queue_with_one,
                                          .prepare = join,
                                          .victim = get,
                                          .check = check_get };

STEP_TEST(a_victim_in_get_of_a_large_item_frees_it_once_or_it_comes_again, &get_one)

static void get_as_one_of_many(void *state)
{
    plait_bytes item;
    plait_queue_batch batch = { large, LARGE, &item, 1 };

    (void)state;
    scene->is_done = plait_queue_get_many(scene->queue, &batch, PLAIT_NOWAIT) == 1;
}

static const struct step_call get_many = { .name = "get_many, large",
                                           .setup = queue_with_one,
                                           .prepare = join,
                                           .victim = get_as_one_of_many,
                                           .check = check_get };

STEP_TEST(a_victim_in_get_many_of_a_large_item_frees_it_once_or_it_comes_again, &get_many)

static void borrow(void *state)
{
    (void)state;
    CHECK_INT(plait_queue_borrow(scene->queue, &scene->bytes, PLAIT_NOWAIT), LARGE);
}

static const struct step_call borrow_one = { .name = "borrow, large",
                                             .setup = queue_with_one,
                                             .prepare = join,
                                             .victim = borrow,
                                             .check = check_kept };

STEP_TEST(a_large_item_that_a_victim_borrows_comes_again, &borrow_one)

static void join_and_borrow(void *state)
{
    join(state);
    borrow(state);
}

static void release(void *state)
{
    (void)state;
    scene->is_done = plait_queue_release(scene->queue, scene->bytes) == 0;
}

static const struct step_call release_one = { .name = "release, large",
                                              .setup = queue_with_one,
                                              .prepare = join_and_borrow,
                                              .victim = release,
                                              .check = check_get };

STEP_TEST(a_victim_in_release_of_a_large_item_frees_it_once_or_it_comes_again, &release_one)

static void lease(void *state)
{
    (void)state;
    CHECK_INT(plait_queue_lease(scene->queue, &scene->lease, PLAIT_NOWAIT), 0);
}

static const struct step_call lease_one = { .name = "lease, large",
                                            .setup = queue_with_one,
                                            .prepare = join,
                                            .victim = lease,
                                            .check = check_kept };

STEP_TEST(a_large_item_that_a_victim_leases_comes_again, &lease_one)

static void join_and_lease(void *state)
{
    join(state);
    lease(state);
}

static void ack(void *state)
{
    (void)state;
    scene->is_done = plait_queue_ack(&scene->lease) == 0;
}

static const struct step_call ack_one = { .name = "ack, large",
                                          .setup = queue_with_one,
                                          .prepare = join_and_lease,
                                          .victim = ack,
                                          .check = check_get };

STEP_TEST(a_victim_in_ack_of_a_large_item_frees_it_once_or_it_comes_again, &ack_one)
