/* The members of the family.
 * SPDX-License-Identifier: MIT
 *
 * An entry's way, each step one compare-and-swap of its claim:
 *
 *     FREE --its pid in the same word--> JOINING --who is written--> LIVE
 *     JOINING, LIVE --the member is proven dead--> FREE, next generation
 *
 * Whoever is killed on this way leaves an entry whose claim names it, so that the next search frees
 * it.
 */
#include "family/member.h"
#include "os/identity.h"
#include "os/memory.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

enum state {
    FREE,
    JOINING,
    LIVE
};

enum {
    STATE_BITS = 2,
    GENERATION_BITS = PLAIT__MEMBER_BITS - PLAIT__MEMBER_SLOT_BITS,
    LOOK_AT_ONCE = 4, /* entries of others that each join looks at: the dead are found in time */
};

#define REGION_LEAST ((size_t)16 << 20)
#define REGION_MOST  ((size_t)64 << 30)

static struct plait__self nobody;
struct plait__self *plait__self = &nobody;

static struct plait__family *family; /* the same in all members; set before plait__self->member */

/* ---- claims ---- */

static enum state state_of(uint64_t claim)
{
    return claim & ((1U << STATE_BITS) - 1);
}

static uint32_t generation_of(uint64_t claim)
{
    return (uint32_t)(claim >> STATE_BITS) & ((1U << GENERATION_BITS) - 1);
}

static pid_t pid_of(uint64_t claim)
{
    return (pid_t)(claim >> 32);
}

static uint64_t make_claim(pid_t pid, uint32_t generation, enum state state)
{
    return (uint64_t)(uint32_t)pid << 32 | (uint64_t)generation << STATE_BITS | state;
}

static uint32_t make_id(uint32_t slot, uint32_t generation)
{
    return generation << PLAIT__MEMBER_SLOT_BITS | slot;
}

static uint32_t slot_of(uint32_t member)
{
    return member & (PLAIT__MEMBERS - 1);
}

static bool change(struct plait__member_entry *entry, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(&entry->claim, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* ---- the dead ---- */

/* Is whoever has this claim proven dead? */
static bool is_claimant_dead(const struct plait__member_entry *entry, uint64_t claim)
{
    struct plait__identity who = { .pid = pid_of(claim) };

    if (state_of(claim) == LIVE) {
        who = entry->who;
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* if it was freed meanwhile, `who` is another's */
        if (__atomic_load_n(&entry->claim, __ATOMIC_RELAXED) != claim)
            return false;
    }
    return plait__os_identity_is_dead(&who);
}

/* Frees an entry whose member is dead. False: it is not. */
static bool bury(uint32_t slot)
{
    struct plait__member_entry *entry = &family->members[slot];
    uint64_t claim = __atomic_load_n(&entry->claim, __ATOMIC_ACQUIRE);
    uint32_t next = (generation_of(claim) + 1) & ((1U << GENERATION_BITS) - 1);

    if (state_of(claim) == FREE)
        return true;
    return is_claimant_dead(entry, claim) && change(entry, claim, make_claim(0, next, FREE));
}

bool plait__member_is_dead(uint32_t member)
{
    struct plait__member_entry *entry;
    uint64_t claim;

    if (member == 0 || member == plait__member_self() || family == NULL)
        return false;
    entry = &family->members[slot_of(member)];
    claim = __atomic_load_n(&entry->claim, __ATOMIC_ACQUIRE);
    if (make_id(slot_of(member), generation_of(claim)) != member || state_of(claim) == FREE)
        return true;
    return is_claimant_dead(entry, claim);
}

/* ---- joining ---- */

/* Claims the entry if it is free. The id, or 0. */
static uint32_t claim_entry(uint32_t slot)
{
    struct plait__member_entry *entry = &family->members[slot];
    uint64_t claim = __atomic_load_n(&entry->claim, __ATOMIC_ACQUIRE);
    uint32_t generation = generation_of(claim);
    struct plait__identity self;
    pid_t pid;

    if (state_of(claim) != FREE)
        return 0;
    plait__os_identity_of_self(&self);
    /* in another namespace our pid would be taken for somebody else's */
    pid = self.namespace == family->pid_namespace ? self.pid : 0;
    if (!change(entry, claim, make_claim(pid, generation, JOINING)))
        return 0;
    entry->who = self;
    __atomic_store_n(&entry->claim, make_claim(pid, generation, LIVE), __ATOMIC_RELEASE);
    return make_id(slot, generation);
}

/* The first free entry, from where the last search ended; the first round looks at few of the taken
 * ones, the second at all. The id, or 0. */
static uint32_t find_entry(void)
{
    uint32_t from = __atomic_load_n(&family->next_entry, __ATOMIC_RELAXED);

    for (uint32_t i = 0; i < 2 * PLAIT__MEMBERS; i++) {
        uint32_t slot = (from + i) % PLAIT__MEMBERS;
        uint32_t member;
        if (slot == 0)
            continue;
        member = claim_entry(slot);
        if (member == 0 && (i < LOOK_AT_ONCE || i >= PLAIT__MEMBERS) && bury(slot))
            member = claim_entry(slot);
        if (member != 0) {
            __atomic_store_n(&family->next_entry, slot + 1, __ATOMIC_RELAXED);
            return member;
        }
    }
    return 0;
}

static int make_family(void)
{
    struct plait__identity self;
    struct plait__shared shared;
    struct plait__family *made;
    int rc = plait__os_shared_reserve(REGION_LEAST, REGION_MOST, &shared);

    if (rc < 0)
        return rc;
    made = (struct plait__family *)(void *)shared.base;
    rc = plait__os_shared_commit(&shared, 0, sizeof *made);
    if (rc < 0) {
        plait__os_shared_release(&shared);
        return rc;
    }
    plait__os_identity_of_self(&self);
    made->shared = shared;
    made->pid_namespace = self.namespace;
    made->next_entry = 1;
    family = made;
    return 0;
}

/* The page of this process, made by whichever thread comes first. NULL: no memory. */
static struct plait__self *find_self(void)
{
    struct plait__self *self = __atomic_load_n(&plait__self, __ATOMIC_ACQUIRE), *page;

    if (self != &nobody)
        return self;
    page = plait__os_page_of_this_process();
    if (page == NULL)
        return NULL;
    if (__atomic_compare_exchange_n(&plait__self, &self, page, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return page;
    plait__os_page_free(page);
    return self;
}

/* pre: no other thread of this process is in here. */
static int join(struct plait__self *self)
{
    int rc = family == NULL ? make_family() : 0;
    uint32_t member;

    if (rc < 0 || self->member != 0)
        return rc;
    member = find_entry();
    if (member == 0)
        return -EUSERS;
    __atomic_store_n(&self->member, member, __ATOMIC_RELEASE);
    return 0;
}

int plait__member_join(void)
{
    struct plait__self *self;
    int rc;

    if (plait__member_self() != 0)
        return 0;
    self = find_self();
    if (self == NULL)
        return -ENOMEM;
    /* in the page, so that a child forked in the meantime finds it open */
    while (__atomic_exchange_n(&self->is_joining, 1, __ATOMIC_ACQUIRE) != 0)
        sched_yield();
    rc = join(self);
    __atomic_store_n(&self->is_joining, 0, __ATOMIC_RELEASE);
    return rc;
}

struct plait__member_entry *plait__member_entry(void)
{
    return &family->members[slot_of(plait__member_self())];
}

struct plait__family *plait__family(void)
{
    return family;
}

bool plait__family_has(const void *address)
{
    const char *at = address;

    return family != NULL && at >= family->shared.base &&
           at < family->shared.base + family->shared.bytes;
}
