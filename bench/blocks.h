/* The heap/ scenarios: blocks of memory, freed by who allocated them or by somebody else.
 * SPDX-License-Identifier: MIT
 *
 *     #include "blocks.h"
 *     static void *blocks_alloc(size_t bytes) { … }      // zeroed or not
 *     static void blocks_free(void *block) { … }
 *
 *     int main(int argc, char **argv) { return blocks_main(argc, argv, true); } // processes share them
 *
 * Some blocks are in use all the time: each round writes to both ends of a new one and gives back
 * the oldest.
 */
#ifndef PLAIT_BENCH_BLOCKS_H
#define PLAIT_BENCH_BLOCKS_H

#include "crowd.h"

enum {
    BLOCKS_IN_USE = 64
};

struct blocks {
    const char *scenario;
    size_t size;
    bool is_handed_over;
};

static const struct blocks blocks_known[] = {
    { "heap/alloc-free-64B", 64, false },      { "heap/alloc-free-1KiB", 1024, false },
    { "heap/alloc-free-64KiB", 65536, false }, { "heap/hand-over-64B", 64, true },
    { "heap/hand-over-1KiB", 1024, true },     { "heap/hand-over-64KiB", 65536, true },
};

/* From one worker to the other; NULL: empty. */
struct blocks_ring {
    struct {
        void *block; /* atomic */
    } __attribute__((aligned(BENCH_LINE))) places[BLOCKS_IN_USE];
};

static struct blocks blocks;
static long blocks_count;
static struct blocks_ring *blocks_ring;

static void *blocks_alloc(size_t bytes);
static void blocks_free(void *block);

static inline char *blocks_make(void)
{
    char *block = (char *)blocks_alloc(blocks.size);

    if (block != NULL)
        block[0] = block[blocks.size - 1] = 1;
    return block;
}

static inline int blocks_alone(void)
{
    static void *in_use[BLOCKS_IN_USE];

    for (long i = 0; i < blocks_count; i++) {
        void **place = &in_use[i % BLOCKS_IN_USE];
        if (*place != NULL)
            blocks_free(*place);
        *place = blocks_make();
        if (*place == NULL)
            return -ENOMEM;
    }
    return 0;
}

static inline int blocks_hand_over(void)
{
    for (long i = 0; i < blocks_count; i++) {
        void **place = &blocks_ring->places[i % BLOCKS_IN_USE].block;
        char *block = blocks_make();
        if (block == NULL)
            return -ENOMEM;
        while (__atomic_load_n(place, __ATOMIC_ACQUIRE) != NULL)
            plait__os_cpu_relax();
        __atomic_store_n(place, block, __ATOMIC_RELEASE);
    }
    return 0;
}

static inline int blocks_take_over(void)
{
    for (long i = 0; i < blocks_count; i++) {
        void **place = &blocks_ring->places[i % BLOCKS_IN_USE].block;
        char *block;
        while ((block = (char *)__atomic_load_n(place, __ATOMIC_ACQUIRE)) == NULL)
            plait__os_cpu_relax();
        __atomic_store_n(place, (void *)NULL, __ATOMIC_RELEASE);
        if (block[0] != 1 || block[blocks.size - 1] != 1)
            return -EBADMSG;
        blocks_free(block);
    }
    return 0;
}

static int blocks_work(unsigned number)
{
    if (!blocks.is_handed_over)
        return blocks_alone();
    return number == 0 ? blocks_hand_over() : blocks_take_over();
}

static inline int blocks_main(int argc, char **argv, bool are_shared)
{
    struct bench_crowd crowd = { 1, !are_shared, NULL, blocks_work };
    double seconds = 0;
    int rc = -ENOMEM;

    for (size_t i = 0; argc >= 3 && i < sizeof blocks_known / sizeof blocks_known[0]; i++)
        if (strcmp(argv[argc - 2], blocks_known[i].scenario) == 0)
            blocks = blocks_known[i];
    blocks_count = argc >= 3 ? strtol(argv[argc - 1], NULL, 10) : 0;
    if (blocks.scenario == NULL || blocks_count <= 0) {
        fprintf(stderr, "usage: %s SCENARIO COUNT\n", argv[0]);
        return 2;
    }
    crowd.n += blocks.is_handed_over;
    blocks_ring = (struct blocks_ring *)bench_shared(sizeof *blocks_ring);
    if (blocks_ring != NULL)
        rc = bench_run_crowd(&crowd, &seconds);
    return bench_say(argv[0], rc, seconds);
}

#endif
