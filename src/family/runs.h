/* Runs of units: how the memory of the family heap is divided.
 * SPDX-License-Identifier: MIT
 *
 * The memory is units of 16 KiB (of one page where that is more). Units that belong together are a
 * run: free, a large block, or a slab of small blocks. Each unit has a descriptor; the one of a
 * run's first unit says all of the run, those of the others are 0. The ways of a run:
 *
 *     FREE    --heap lock--> BUSY(me)  -------> LARGE or SLAB(me)
 *     LARGE or SLAB(me) ---> BUSY(me)  -------> FREE        or at once to FREE
 *     SLAB(nobody or dead) --> SLAB(me)                     (its owner takes blocks from it)
 *     BUSY(dead)           --> BUSY(me)                     (then on to FREE)
 *
 * Each arrow is one store or compare-and-swap of 8 bytes. So whoever is killed between two of them
 * leaves a run whose descriptor names it, and which the others free when its death is proven. Only
 * the ways out of FREE are made under the heap lock.
 */
#ifndef PLAIT__FAMILY_RUNS_H
#define PLAIT__FAMILY_RUNS_H

#include "family/member.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plait__run_kind {
    PLAIT__RUN_INSIDE, /* not the first unit of its run */
    PLAIT__RUN_FREE,   /* flag: warm: committed, and not zero; else not committed */
    PLAIT__RUN_BUSY,   /* on its way; in the hands of a member */
    PLAIT__RUN_LARGE,  /* one block; of a parcel, its number is where a member would stand */
    PLAIT__RUN_SLAB,   /* of one size; owned by a member or by nobody; flag: was found full */
};

/* What stands at the beginning of the family's heap words. */
struct plait__runs {
    uint64_t count;   /* atomic: of units; 0 until the rest of this line is there, then const */
    uint64_t table;   /* const: offset of the descriptors */
    uint64_t first;   /* const: offset of the first unit */
    uint64_t shift;   /* const: log2 of a unit's bytes */
    uint64_t extent;  /* heap lock: bytes of the region that can be committed */
    uint64_t known;   /* atomic: descriptors below it are committed; written under the heap lock */
    uint64_t hint;    /* atomic: changes << 32 | unit: no free run is likely below that unit */
    int64_t warm;     /* atomic: units in warm free runs, about */
    uint64_t rescued; /* atomic: what the dead had in hand and was freed */
    uint64_t next;    /* atomic: of heap.c: where the last look for a slab with room ended */
    uint32_t parcels; /* atomic: of parcel.c: how many were made, round and round */
};

/* Descriptors: kind:3, flag:1, size class of a slab:6, units:22, member:32. */
static inline enum plait__run_kind plait__run_kind(uint64_t word)
{
    return word & 7;
}

static inline bool plait__run_flag(uint64_t word)
{
    return word >> 3 & 1;
}

static inline uint32_t plait__run_class(uint64_t word)
{
    return word >> 4 & 63;
}

static inline uint32_t plait__run_units(uint64_t word)
{
    return word >> 10 & ((1U << 22) - 1);
}

static inline uint32_t plait__run_member(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint64_t plait__run_make(enum plait__run_kind kind, bool flag, uint32_t units)
{
    return kind | (uint64_t)flag << 3 | (uint64_t)units << 10;
}

static inline uint64_t plait__run_of_member(uint64_t word, uint32_t member)
{
    return (word & UINT32_MAX) | (uint64_t)member << 32;
}

static inline struct plait__runs *plait__runs(void)
{
    return (struct plait__runs *)(void *)plait__family()->heap;
}

/* The descriptor of a unit. pre: unit < known. */
static inline uint64_t *plait__run_at(uint32_t unit)
{
    char *base = (char *)plait__family();

    return (uint64_t *)(void *)(base + plait__runs()->table) + unit;
}

static inline char *plait__run_memory(uint32_t unit)
{
    return (char *)plait__family() + plait__runs()->first +
           ((uint64_t)unit << plait__runs()->shift);
}

/* One compare-and-swap; acquires what the last one to change it released. */
static inline bool plait__run_change(uint32_t unit, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(plait__run_at(unit), &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

/* Joins the family and divides its memory when that is new. 0, -ENOMEM, -EUSERS. */
int plait__runs_open(void);

/* A free run of so many units becomes BUSY of ours, committed; is it all zero? 0 or -ENOMEM. */
int plait__run_take(uint32_t units, uint32_t *ret_unit, bool *ret_is_zero);
/* That run becomes free, unless its descriptor is another by now: false. */
bool plait__run_give(uint32_t unit, uint64_t word);
/* Frees a run that is BUSY of a dead member. */
void plait__run_rescue(uint32_t unit, uint64_t word);
/* Gives the memory of all free runs back to the system. */
void plait__runs_cool(void);

#endif
