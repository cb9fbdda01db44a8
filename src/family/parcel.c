/* Parcels.
 * SPDX-License-Identifier: MIT
 *
 * A parcel is a run of units. In somebody's hands it is BUSY of that member, as runs are on their
 * way; left, it is LARGE, and where a member would stand is the parcel's number.
 */
#include "family/parcel.h"
#include "family/heap.h"
#include "family/runs.h"

#include <errno.h>

/* At the beginning of the run; the bytes follow. */
struct head {
    uint64_t name; /* atomic: as it was made */
    uint64_t note; /* the user's; UINT64_MAX at first */
    uint64_t spare[6];
};

static uint32_t unit_of(uint64_t name)
{
    return (uint32_t)name;
}

static uint32_t number_of(uint64_t name)
{
    return (uint32_t)(name >> 32);
}

static uint64_t load(uint64_t name)
{
    return __atomic_load_n(plait__run_at(unit_of(name)), __ATOMIC_SEQ_CST);
}

static struct head *head_of(uint64_t name)
{
    return (struct head *)(void *)plait__run_memory(unit_of(name));
}

/* Never 0: that is what blocks have that are no parcels. */
static uint32_t next_number(void)
{
    uint32_t *numbers = &plait__runs()->parcels, number;

    do
        number = __atomic_add_fetch(numbers, 1, __ATOMIC_RELAXED);
    while (number == 0);
    return number;
}

int plait__parcel_make(size_t bytes, uint64_t *ret_name)
{
    size_t units;
    uint32_t unit;
    bool is_zero;
    int rc = plait__runs_open();

    if (rc < 0)
        return rc;
    if (bytes > SIZE_MAX / 2)
        return -ENOMEM;
    units = ((bytes + sizeof(struct head) - 1) >> plait__runs()->shift) + 1;
    if (units > plait__runs()->count)
        return -ENOMEM;
    rc = plait__heap_take_run((uint32_t)units, &unit, &is_zero);
    if (rc < 0)
        return rc;
    *ret_name = (uint64_t)next_number() << 32 | unit;
    __atomic_store_n(&head_of(*ret_name)->note, UINT64_MAX, __ATOMIC_RELAXED);
    __atomic_store_n(&head_of(*ret_name)->name, *ret_name, __ATOMIC_RELAXED);
    return 0;
}

void plait__parcel_leave(uint64_t name)
{
    uint32_t units = plait__run_units(load(name));
    uint64_t left = plait__run_make(PLAIT__RUN_LARGE, false, units);

    /* seq_cst: what was written into it before, and what says where it is after it */
    __atomic_store_n(plait__run_at(unit_of(name)), plait__run_of_member(left, number_of(name)),
                     __ATOMIC_SEQ_CST);
}

void plait__parcel_discard(uint64_t name)
{
    plait__run_give(unit_of(name), load(name));
}

static bool is_left(uint64_t name, uint64_t word)
{
    return plait__run_kind(word) == PLAIT__RUN_LARGE && plait__run_member(word) == number_of(name);
}

bool plait__parcel_is_left(uint64_t name)
{
    return is_left(name, load(name));
}

bool plait__parcel_drop(uint64_t name)
{
    uint64_t word = load(name);

    return is_left(name, word) && plait__run_give(unit_of(name), word);
}

char *plait__parcel_bytes(uint64_t name)
{
    return (char *)(head_of(name) + 1);
}

uint64_t *plait__parcel_note(uint64_t name)
{
    return &head_of(name)->note;
}

uint64_t plait__parcel_of(const void *bytes)
{
    /* through a number: the bytes may be anything, or NULL */
    const struct head *head = (const struct head *)((uintptr_t)bytes - sizeof *head);
    uint64_t word, name;
    size_t offset, unit;

    if (!plait__family_has(head) || (const char *)head < plait__run_memory(0))
        return 0;
    offset = (size_t)((const char *)head - plait__run_memory(0));
    unit = offset >> plait__runs()->shift;
    if (unit << plait__runs()->shift != offset ||
        unit >= __atomic_load_n(&plait__runs()->known, __ATOMIC_ACQUIRE))
        return 0;
    word = load(unit);
    if (plait__run_kind(word) != PLAIT__RUN_LARGE && plait__run_kind(word) != PLAIT__RUN_BUSY)
        return 0;
    name = __atomic_load_n(&head->name, __ATOMIC_RELAXED);
    return unit_of(name) == unit &&
                   (plait__run_kind(word) == PLAIT__RUN_BUSY || is_left(name, word))
               ? name
               : 0;
}
