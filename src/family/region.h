/* The family's region: what stands at its beginning.
 * SPDX-License-Identifier: MIT
 *
 *     struct plait__family      this page and the table of members
 *     descriptors of units      of runs.c
 *     units                     what plait_shared_alloc gives out
 */
#ifndef PLAIT__FAMILY_REGION_H
#define PLAIT__FAMILY_REGION_H

#include "os/identity.h"
#include "os/memory.h"

enum {
    PLAIT__MEMBER_BITS = 30,
    PLAIT__MEMBER_SLOT_BITS = 12,
    PLAIT__MEMBERS = 1 << PLAIT__MEMBER_SLOT_BITS /* entry 0 is nobody's */
};

/* An entry of the table. */
struct plait__member_entry {
    uint64_t claim; /* atomic: pid, generation and state in one word: who claims it is known */
    struct plait__identity who; /* atomic: written by the member before its state is LIVE */
    uint32_t ends_bell;         /* atomic: of pool/bell.c: what ends for this member rings it */
    uint32_t spare[5];
};

struct plait__family {
    struct plait__shared shared; /* the region itself; the same in all members */
    uint64_t pid_namespace;      /* of the process that made it */
    uint64_t first_generation;   /* of each entry; random */
    uint32_t next_entry;         /* atomic: where the last search for a free entry ended */
    uint32_t heap_lock;          /* atomic: of runs.c: who changes the units; a member id */
    uint64_t heap[13];           /* of runs.c */
    void *lock_notes;            /* atomic: of sync/notes.c; NULL until it is needed */
    struct plait__member_entry members[PLAIT__MEMBERS];
};

#endif
