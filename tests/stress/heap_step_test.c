/* A process is killed at every instruction of allocating and freeing in the family's heap.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: the runs of units are whole; nothing belongs to the dead once somebody has looked;
 * the blocks of the others are as they were; no more than the one block in question is lost; and
 * all sizes can be allocated, zeroed, and freed.
 */
#include "family/member.h"
#include "family/runs.h"

#include "step.h"

#include <plait/shared.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    SMALL = 40,
    MIDDLE = 6000,     /* a slab has ten of them */
    LARGE = 40 * 1000, /* three units */
    LAST_STEPS = 120   /* so late a block may be the caller's, who does not know it yet */
};

struct scene {
    size_t bytes;        /* of the blocks in question */
    char *block;         /* what the victim allocated, or is to free */
    uint64_t blocks;     /* allocated before the victim came */
    uint32_t is_done;    /* the victim's free has returned 0 */
    char *neighbours[3]; /* ours, of the same size */
};

static struct scene *scene; /* in the heap itself */

static uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

static bool is_filled(const char *block, int byte, size_t bytes)
{
    return block[0] == byte && memcmp(block, block + 1, bytes - 1) == 0;
}

static char *allocate(size_t bytes, int fill)
{
    char *block = plait_shared_alloc(bytes);

    CHECK(block != NULL);
    CHECK(is_filled(block, 0, bytes));
    memset(block, fill, bytes);
    return block;
}

static void *new_scene(size_t bytes)
{
    if (scene == NULL)
        scene = plait_shared_alloc(sizeof *scene);
    CHECK(scene != NULL);
    *scene = (struct scene){ .bytes = bytes };
    for (int i = 0; i < 3; i++)
        scene->neighbours[i] = allocate(bytes, 'a' + i);
    scene->blocks = count_blocks();
    return scene;
}

/* ---- what the survivor finds ---- */

/* Every unit belongs to one run; nothing is on its way, and no slab belongs to the dead. */
static void check_runs(void)
{
    struct plait__runs *runs = plait__runs();
    uint64_t word;

    for (uint32_t at = 0; at < runs->count; at += plait__run_units(word)) {
        word = *plait__run_at(at);
        CHECK(plait__run_kind(word) != PLAIT__RUN_INSIDE &&
              plait__run_kind(word) <= PLAIT__RUN_SLAB);
        CHECK(plait__run_kind(word) != PLAIT__RUN_BUSY);
        CHECK(!plait__member_is_dead(plait__run_member(word)));
        CHECK(plait__run_units(word) > 0 && at + plait__run_units(word) <= runs->count);
        for (uint32_t i = 1; i < plait__run_units(word) && at + i < runs->known; i++)
            CHECK_INT(*plait__run_at(at + i), 0);
    }
    CHECK_INT(plait__family()->heap_lock, 0);
}

static void check_sizes(void)
{
    static const size_t sizes[] = { 1, SMALL, 1000, MIDDLE, LARGE, 300 * 1000 };
    char *blocks[6];

    for (int i = 0; i < 6; i++)
        blocks[i] = allocate(sizes[i], 'A' + i);
    for (int i = 0; i < 6; i++) {
        CHECK(is_filled(blocks[i], 'A' + i, sizes[i]));
        CHECK_INT(plait_shared_free(blocks[i]), 0);
    }
}

static void check_heap(uint64_t blocks)
{
    check_sizes(); /* takes the lock from the dead, too */
    CHECK_INT(count_blocks(), blocks);
    check_runs();
    for (int i = 0; i < 3; i++) {
        CHECK(is_filled(scene->neighbours[i], 'a' + i, scene->bytes));
        CHECK_INT(plait_shared_free(scene->neighbours[i]), 0);
    }
}

/* ---- alloc ---- */

static void join(void *state)
{
    (void)state;
    CHECK_INT(plait__member_join(), 0);
}

/* So that it has a slab already. */
static void join_and_try(void *state)
{
    join(state);
    CHECK_INT(plait_shared_free(plait_shared_alloc(scene->bytes)), 0);
}

static void alloc_block(void *state)
{
    (void)state;
    scene->block = plait_shared_alloc(scene->bytes);
}

static const char *check_alloc(void *state, const struct step_result *at)
{
    uint64_t lost;

    (void)state;
    if (scene->block != NULL) {
        CHECK(is_filled(scene->block, 0, scene->bytes));
        CHECK_INT(count_blocks(), scene->blocks + 1);
        CHECK_INT(plait_shared_free(scene->block), 0);
        check_heap(scene->blocks);
        return "had it";
    }
    lost = count_blocks() - scene->blocks;
    CHECK(lost <= 1);
    CHECK(lost == 0 || (at->left < LAST_STEPS && at->place == STEP_BEFORE));
    check_heap(scene->blocks + lost);
    return lost ? "lost it" : "had none";
}

static void *small_scene(void)
{
    return new_scene(SMALL);
}

static void *middle_scene(void)
{
    return new_scene(MIDDLE);
}

static void *large_scene(void)
{
    return new_scene(LARGE);
}

static const struct step_call alloc_small = { .name = "alloc, small",
                                              .setup = small_scene,
                                              .prepare = join_and_try,
                                              .victim = alloc_block,
                                              .check = check_alloc };

STEP_TEST(a_victim_in_alloc_of_a_small_block_loses_no_more_than_that, &alloc_small)

static const struct step_call alloc_slab = { .name = "alloc, small, without a slab",
                                             .setup = middle_scene,
                                             .prepare = join,
                                             .victim = alloc_block,
                                             .check = check_alloc };

STEP_TEST(a_victim_that_makes_or_adopts_a_slab_loses_no_more_than_a_block, &alloc_slab)

static const struct step_call alloc_large = { .name = "alloc, large",
                                              .setup = large_scene,
                                              .prepare = join,
                                              .victim = alloc_block,
                                              .check = check_alloc };

STEP_TEST(a_victim_in_alloc_of_a_large_block_loses_no_more_than_that, &alloc_large)

/* Three free runs side by side, which the victim needs together. */
static void *scattered_scene(void)
{
    char *blocks[3];

    new_scene(LARGE);
    for (int i = 0; i < 3; i++)
        blocks[i] = allocate(LARGE, 'x');
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_shared_free(blocks[i]), 0);
    return scene;
}

static void alloc_twice_as_much(void *state)
{
    (void)state;
    scene->block = plait_shared_alloc(2 * scene->bytes);
}

static const char *check_twice_as_much(void *state, const struct step_result *at)
{
    if (scene->block != NULL)
        CHECK(is_filled(scene->block, 0, 2 * scene->bytes));
    return check_alloc(state, at);
}

static const struct step_call alloc_merging = { .name = "alloc, large, of several free runs",
                                                .setup = scattered_scene,
                                                .prepare = join,
                                                .victim = alloc_twice_as_much,
                                                .check = check_twice_as_much };

STEP_TEST(a_victim_that_merges_free_runs_leaves_them_whole, &alloc_merging)

static const struct step_call alloc_unjoined = { .name = "alloc, the first call of a process",
                                                 .setup = small_scene,
                                                 .victim = alloc_block,
                                                 .check = check_alloc };

STEP_TEST(a_victim_whose_first_call_is_alloc_loses_no_more_than_a_block, &alloc_unjoined)

/* ---- free ---- */

static void free_block(void *state)
{
    (void)state;
    scene->is_done = plait_shared_free(scene->block) == 0;
}

static const char *check_free(void *state, const struct step_result *at)
{
    uint64_t blocks = count_blocks();
    bool is_free = blocks == scene->blocks - 1;

    (void)state;
    (void)at;
    CHECK(is_free || blocks == scene->blocks);
    CHECK(is_free || !scene->is_done);
    if (!is_free) {
        CHECK(is_filled(scene->block, 'x', scene->bytes));
        CHECK_INT(plait_shared_free(scene->block), 0);
    }
    check_heap(scene->blocks - 1);
    return is_free ? "freed" : "kept";
}

static void *block_of(void *made)
{
    scene->block = allocate(scene->bytes, 'x');
    scene->blocks++;
    return made;
}

static void *small_block(void)
{
    return block_of(new_scene(SMALL));
}

static void *large_block(void)
{
    return block_of(new_scene(LARGE));
}

static const struct step_call free_small = { .name = "free, small",
                                             .setup = small_block,
                                             .prepare = join,
                                             .victim = free_block,
                                             .check = check_free };

STEP_TEST(a_victim_in_free_of_a_small_block_has_freed_it_or_not, &free_small)

static const struct step_call free_large = { .name = "free, large",
                                             .setup = large_block,
                                             .prepare = join,
                                             .victim = free_block,
                                             .check = check_free };

STEP_TEST(a_victim_in_free_of_a_large_block_has_freed_it_or_not, &free_large)

/* ---- two at once ---- */

static void alloc_and_free(void *state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        char *block = plait_shared_alloc(scene->bytes);
        CHECK(block != NULL && block[0] == 0 && block[scene->bytes - 1] == 0);
        block[0] = block[scene->bytes - 1] = 'p';
        CHECK_INT(plait_shared_free(block), 0);
    }
}

static const struct step_call alloc_twice = { .name =
                                                  "alloc and free, large, with another one at it",
                                              .setup = large_scene,
                                              .prepare = join,
                                              .victim = alloc_block,
                                              .partner = alloc_and_free,
                                              .check = check_alloc };

STEP_TEST(a_victim_beside_another_one_does_not_stop_it, &alloc_twice)
