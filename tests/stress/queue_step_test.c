/* A process is killed at every instruction of leasing an item, ending the lease and giving it back.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: the item comes again, whole, unless the victim was about to learn that it had
 * ended the lease; all others come once, in their order; no block is lost or freed twice. In a named
 * segment, too, where a larger item lies in the hall.
 */
#include "chan/queue.h"
#include "family/member.h"

#include "step.h"

#include <plait/segment_queue.h>
#include <plait/shared.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LARGE = 3000,    /* does not fit into an entry */
    LAST_STEPS = 400 /* so late an end may be made, and the victim does not know it yet */
};

struct scene {
    plait_queue *queue;
    size_t bytes;         /* of the item in question */
    plait_lease lease;    /* the victim's */
    uint32_t is_leased;   /* the victim was told so */
    uint32_t is_ended;    /* so of its end */
    uint64_t blocks;      /* of the heap, with the queue */
    const void *borrowed; /* by the survivor: the item before that in question */
};

static struct scene *scene; /* in the heap itself */
static void *block;         /* of a segment, for the queue; NULL: it is in the heap, too */
static size_t block_bytes;
static const plait_queue_opts opts = { .max_bytes = 16384, .max_leases = 2 };

/* For all survivors, one after the other. */
static void open_segment(void)
{
    plait_segment_opts segment_opts = { .only_new = true };
    plait_segment *segment = NULL;
    char name[32];

    CHECK_INT(plait_queue_bytes(&opts, &block_bytes), 0);
    segment_opts.bytes = block_bytes;
    snprintf(name, sizeof name, "step-test-%d", (int)getpid());
    CHECK_INT(plait_segment_open(&segment, name, &segment_opts, PLAIT_FOREVER), 0);
    CHECK_INT(plait_segment_get(segment, &block, "queue", block_bytes, PLAIT_FOREVER), 0);
}

#define STEP_CLAIM(claim, call)                    \
    STEP_TEST(claim, call)                         \
    TEST_LIMIT(claim##_in_a_segment, STEP_LIMIT_S) \
    {                                              \
        open_segment();                            \
        step_test(call);                           \
    }

static uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static void put(char fill, size_t n)
{
    static char bytes[LARGE];

    memset(bytes, fill, n);
    CHECK_INT(plait_queue_put(scene->queue, bytes, n, PLAIT_NOWAIT), 0);
}

static void check_bytes(const char *bytes, size_t n, char fill)
{
    CHECK_INT(bytes[0], fill);
    CHECK(memcmp(bytes, bytes + 1, n - 1) == 0);
}

/* Empty, whatever it was. */
static plait_queue *attach(void)
{
    plait_queue *queue = NULL;

    memset(block, 0, block_bytes);
    CHECK_INT(plait_queue_attach(&queue, block, block_bytes, &opts), 0);
    return queue;
}

/* Two entries; so two items, of which the first one is that in question. */
static void *new_scene(size_t bytes)
{
    if (scene == NULL)
        scene = plait_shared_alloc(sizeof *scene);
    CHECK(scene != NULL);
    if (scene->queue != NULL)
        plait_queue_destroy(scene->queue);
    *scene = (struct scene){ .bytes = bytes };
    if (block != NULL)
        scene->queue = attach();
    else
        CHECK_INT(plait_queue_create(&scene->queue, &opts), 0);
    scene->blocks = count_blocks();
    put('a', bytes);
    put('b', 5);
    return scene;
}

static void *small_item(void)
{
    return new_scene(100);
}

static void *large_item(void)
{
    return new_scene(LARGE);
}

static void join(void *state)
{
    (void)state;
    CHECK_INT(plait__member_join(), 0);
}

static void lease(void *state)
{
    (void)state;
    scene->is_leased = plait_queue_lease(scene->queue, &scene->lease, PLAIT_NOWAIT) == 0;
}

static void join_and_lease(void *state)
{
    join(state);
    lease(state);
    CHECK(scene->is_leased);
}

static void ack(void *state)
{
    (void)state;
    scene->is_ended = plait_queue_ack(&scene->lease) == 0;
}

static void nack(void *state)
{
    (void)state;
    scene->is_ended = plait_queue_nack(&scene->lease) == 0;
}

/* ---- what the survivor finds ---- */

/* Leases the next one; its attempts, or 0: there is none. */
static unsigned take_next(char fill, size_t n)
{
    plait_lease ours;
    int rc = plait_queue_lease(scene->queue, &ours, PLAIT_NOWAIT);

    if (rc == -ETIMEDOUT)
        return 0;
    CHECK_INT(rc, 0);
    CHECK_INT(ours.size, n);
    check_bytes(ours.bytes, n, fill);
    CHECK_INT(plait_queue_ack(&ours), 0);
    return ours.attempts;
}

static void check_rest(void)
{
    CHECK_INT(take_next('c', 7), 1);
    CHECK_INT(take_next(0, 0), 0);
    CHECK_INT(plait_queue_size(scene->queue), 0);
    CHECK_INT(count_blocks(), scene->blocks);
    CHECK_INT(scene->queue->ring.shared->free, scene->queue->ring.shared->tail);
}

/* The first get of a survivor asks nobody who is dead: as when somebody waits. */
static unsigned take_first(void)
{
    plait_lease ours;
    const struct plait__look look = { PLAIT_NOWAIT, true };
    int rc = plait__ring_lease(&scene->queue->ring, &ours, look);

    if (rc == -EAGAIN)
        return 0;
    CHECK_INT(rc, 0);
    check_bytes(ours.bytes, ours.size, ours.size == 5 ? 'b' : 'a');
    ours.queue = scene->queue;
    CHECK_INT(plait_queue_ack(&ours), 0);
    return ours.size == 5 ? 0 : ours.attempts;
}

static const char *check_lease(void *state, const struct step_result *at)
{
    unsigned attempts = take_first();

    (void)state;
    (void)at;
    put('c', 7);
    CHECK(attempts == 1 || attempts == 2);
    CHECK(attempts == 2 || !scene->is_leased);
    CHECK_INT(take_next('b', 5), 1);
    check_rest();
    return attempts == 2 ? "came again" : "not leased";
}

static const char *check_ack(void *state, const struct step_result *at)
{
    unsigned attempts = take_first();

    (void)state;
    put('c', 7);
    CHECK(attempts == 0 || attempts == 2);
    CHECK(attempts == 0 || !scene->is_ended);
    if (attempts == 0)
        CHECK(scene->is_ended || at->left < LAST_STEPS);
    else
        CHECK_INT(take_next('b', 5), 1);
    check_rest();
    return attempts == 0 ? "gone" : "came again";
}

static const char *check_nack(void *state, const struct step_result *at)
{
    unsigned attempts = take_first();

    (void)state;
    (void)at;
    put('c', 7);
    CHECK_INT(attempts, 2);
    CHECK_INT(take_next('b', 5), 1);
    check_rest();
    return "came again";
}

/* ---- the calls ---- */

static const struct step_call lease_small = {
    .name = "lease", .setup = small_item, .prepare = join, .victim = lease, .check = check_lease
};

STEP_CLAIM(a_victim_in_lease_loses_and_doubles_nothing, &lease_small)

static const struct step_call lease_large = { .name = "lease, by a parcel",
                                              .setup = large_item,
                                              .prepare = join,
                                              .victim = lease,
                                              .check = check_lease };

STEP_CLAIM(a_victim_in_lease_of_a_larger_item_loses_no_block_either, &lease_large)

/* It lies behind one that somebody has borrowed, so that the ring cannot just go on. */
static void *behind_a_borrowed_one(void)
{
    new_scene(100);
    put('d', 6);
    CHECK_INT(plait_queue_borrow(scene->queue, &scene->borrowed, PLAIT_NOWAIT), 100);
    return scene;
}

static const char *check_behind(void *state, const struct step_result *at)
{
    plait_lease ours;
    const struct plait__look look = { PLAIT_NOWAIT, true };

    (void)state;
    (void)at;
    CHECK_INT(plait__ring_lease(&scene->queue->ring, &ours, look), 0);
    check_bytes(ours.bytes, ours.size, 'b');
    CHECK(ours.attempts == 1 || ours.attempts == 2);
    CHECK(ours.attempts == 2 || !scene->is_leased);
    ours.queue = scene->queue;
    CHECK_INT(plait_queue_ack(&ours), 0);
    CHECK_INT(plait_queue_release(scene->queue, scene->borrowed), 0);
    CHECK_INT(take_next('d', 6), 1);
    put('c', 7);
    check_rest();
    return ours.attempts == 2 ? "came again" : "not leased";
}

static const struct step_call lease_behind = { .name = "lease, behind a borrowed item",
                                               .setup = behind_a_borrowed_one,
                                               .prepare = join,
                                               .victim = lease,
                                               .check = check_behind };

STEP_CLAIM(a_victim_in_lease_behind_a_borrowed_item_loses_nothing, &lease_behind)

static const struct step_call ack_small = {
    .name = "ack", .setup = small_item, .prepare = join_and_lease, .victim = ack, .check = check_ack
};

STEP_CLAIM(a_victim_in_ack_has_ended_the_lease_or_not, &ack_small)

static const struct step_call ack_large = { .name = "ack, of a parcel",
                                            .setup = large_item,
                                            .prepare = join_and_lease,
                                            .victim = ack,
                                            .check = check_ack };

STEP_CLAIM(a_victim_in_ack_of_a_larger_item_frees_it_once, &ack_large)

/* What the survivor gave back. */
static void *given_back(void)
{
    plait_lease ours;

    new_scene(LARGE);
    CHECK_INT(plait_queue_lease(scene->queue, &ours, PLAIT_NOWAIT), 0);
    CHECK_INT(plait_queue_nack(&ours), 0);
    return scene;
}

static const char *check_again(void *state, const struct step_result *at)
{
    unsigned attempts = take_first();

    (void)state;
    (void)at;
    put('c', 7);
    CHECK(attempts == 2 || attempts == 3);
    CHECK(attempts == 3 || !scene->is_leased);
    CHECK_INT(take_next('b', 5), 1);
    check_rest();
    return attempts == 3 ? "came again" : "not leased";
}

static const struct step_call lease_again = { .name = "lease, of what was given back",
                                              .setup = given_back,
                                              .prepare = join,
                                              .victim = lease,
                                              .check = check_again };

STEP_CLAIM(a_victim_that_leases_again_loses_and_doubles_nothing, &lease_again)

/* A get is the end of it. */
static void get(void *state)
{
    static char bytes[LARGE];

    (void)state;
    scene->is_ended = plait_queue_get(scene->queue, bytes, LARGE, PLAIT_NOWAIT) == LARGE;
}

static const char *check_get(void *state, const struct step_result *at)
{
    unsigned attempts = take_first();

    (void)state;
    (void)at;
    put('c', 7);
    CHECK(attempts == 0 || (attempts == 2 && !scene->is_ended));
    if (attempts != 0)
        CHECK_INT(take_next('b', 5), 1);
    check_rest();
    return attempts == 0 ? "got" : "comes again";
}

static const struct step_call get_again = { .name = "get, of what was given back",
                                            .setup = given_back,
                                            .prepare = join,
                                            .victim = get,
                                            .check = check_get };

STEP_CLAIM(a_victim_that_gets_what_was_given_back_frees_it_once, &get_again)

static const struct step_call nack_small = { .name = "nack",
                                             .setup = small_item,
                                             .prepare = join_and_lease,
                                             .victim = nack,
                                             .check = check_nack };

STEP_CLAIM(a_victim_in_nack_gives_it_back_in_any_case, &nack_small)
