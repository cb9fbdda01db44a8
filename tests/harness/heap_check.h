/* Is the family heap whole? For tests, while nobody allocates or frees.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_HEAP_CHECK_H
#define PLAIT_TESTS_HEAP_CHECK_H

#include "family/runs.h"

#include <plait/shared.h>

#include "test.h"

/* Each unit belongs to one run, and no run is on its way. A process that was killed with the heap
 * lock may have left descriptors inside of runs, which the next holder clears: pass true when one
 * allocation of more than 8 KiB was made since. */
static inline void check_runs(bool is_repaired)
{
    const struct plait__runs *runs = plait__runs();
    uint64_t word;

    for (uint64_t at = 0; at < runs->count; at += plait__run_units(word)) {
        word = *plait__run_at((uint32_t)at);
        uint64_t end = at + plait__run_units(word);
        CHECK(plait__run_kind(word) >= PLAIT__RUN_FREE && plait__run_kind(word) <= PLAIT__RUN_SLAB);
        CHECK(plait__run_kind(word) != PLAIT__RUN_BUSY);
        CHECK(end > at && end <= runs->count);
        CHECK(at < runs->known);
        for (uint64_t i = at + 1; i < end && i < runs->known; i++)
            CHECK(*plait__run_at((uint32_t)i) == 0 || !is_repaired);
    }
}

static inline plait_shared_usage heap_usage(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    CHECK(usage.used_bytes <= usage.committed_bytes);
    CHECK(usage.committed_bytes <= usage.reserved_bytes);
    return usage;
}

/* Whole, and so many blocks are allocated. */
static inline void check_heap(uint64_t blocks)
{
    void *large = plait_shared_alloc(10000);

    CHECK(large != NULL);
    CHECK_INT(plait_shared_free(large), 0);
    CHECK_INT(heap_usage().blocks, blocks);
    check_runs(true);
}

#endif
