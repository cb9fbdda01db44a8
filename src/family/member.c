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
#include "family/attached.h"
#include "os/identity.h"
#include "os/memory.h"
#include "os/process.h"

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
    TRIES = 8         /* ids, before we believe that the segments have none left for us */
};

#define REGION_LEAST ((size_t)16 << 20)
#define REGION_MOST  ((size_t)64 << 30)

static struct plait__self nobody;
struct plait__self *plait__self = &nobody;

struct plait__family *plait__family_region; /* atomic: the same in all members */

/* ---- claims ---- */

static enum state state_of(uint64_t claim)
{
    return claim & ((1U << STATE_BITS) - 1);
}

static uint32_t generation_of(uint64_t claim)
{
    return (uint32_t)(claim >> STATE_BITS) & ((1U << GENERATION_BITS) - 1);
}

static uint32_t next_generation(uint64_t claim)
{
    return (generation_of(claim) + 1) & ((1U << GENERATION_BITS) - 1);
}

static pid_t pid_of(uint64_t claim)
{
    return (pid_t)(claim >> 32);
}

static uint64_t make_claim(pid_t pid, uint32_t generation, enum state state)
{
    return (uint64_t)(uint32_t)pid << 32 | (uint64_t)generation << STATE_BITS | state;
}

/* Generations of entries begin with 0, those of ids with a random one. */
static uint32_t make_id(uint32_t slot, uint32_t generation)
{
    generation += (uint32_t)plait__family()->first_generation;
    return (generation & ((1U << GENERATION_BITS) - 1)) << PLAIT__MEMBER_SLOT_BITS | slot;
}

static uint32_t slot_of(uint32_t member)
{
    return member & (PLAIT__MEMBERS - 1);
}

static struct plait__member_entry *entry_of(uint32_t member)
{
    return &plait__family()->members[slot_of(member)];
}

static bool change(struct plait__member_entry *entry, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(&entry->claim, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* Who reads one of these sees, afterwards, the claim that was there before it was written: a claim
 * that is still the same says that all of them belong to it. */
static void write_who(struct plait__member_entry *entry, const struct plait__identity *who)
{
    __atomic_store_n(&entry->who.pid, who->pid, __ATOMIC_RELEASE);
    __atomic_store_n(&entry->who.start, who->start, __ATOMIC_RELEASE);
    __atomic_store_n(&entry->who.namespace, who->namespace, __ATOMIC_RELEASE);
    __atomic_store_n(&entry->who.clock, who->clock, __ATOMIC_RELEASE);
}

static struct plait__identity read_who(const struct plait__member_entry *entry)
{
    return (struct plait__identity){
        .pid = __atomic_load_n(&entry->who.pid, __ATOMIC_ACQUIRE),
        .start = __atomic_load_n(&entry->who.start, __ATOMIC_ACQUIRE),
        .namespace = __atomic_load_n(&entry->who.namespace, __ATOMIC_ACQUIRE),
        .clock = __atomic_load_n(&entry->who.clock, __ATOMIC_ACQUIRE),
    };
}

/* ---- the dead ---- */

/* Is whoever has this claim proven dead? */
static bool is_claimant_dead(const struct plait__member_entry *entry, uint64_t claim,
                             const struct plait__identity *self)
{
    struct plait__identity who = { .pid = pid_of(claim),
                                   .namespace = plait__family()->pid_namespace };

    if (state_of(claim) == LIVE) {
        who = read_who(entry);
        if (__atomic_load_n(&entry->claim, __ATOMIC_RELAXED) != claim)
            return false;
    }
    return plait__os_identity_is_dead(&who, self);
}

/* Frees an entry whose member is dead. False: it is not. */
static bool bury(struct plait__member_entry *entry, const struct plait__identity *self)
{
    uint64_t claim = __atomic_load_n(&entry->claim, __ATOMIC_ACQUIRE);

    if (state_of(claim) == FREE)
        return true;
    return is_claimant_dead(entry, claim, self) &&
           change(entry, claim, make_claim(0, next_generation(claim), FREE));
}

bool plait__member_is_dead(uint32_t member)
{
    uint32_t self = plait__member_self();
    struct plait__member_entry *entry;
    struct plait__identity who;
    uint64_t claim;

    if (member == 0 || member == self || plait__family() == NULL)
        return false;
    entry = entry_of(member);
    claim = __atomic_load_n(&entry->claim, __ATOMIC_ACQUIRE);
    if (make_id(slot_of(member), generation_of(claim)) != member || state_of(claim) == FREE)
        return true;
    if (self != 0) /* as it was when we joined: since then we may have lost sight of /proc */
        return is_claimant_dead(entry, claim, &entry_of(self)->who);
    plait__os_identity_of_self(&who);
    return is_claimant_dead(entry, claim, &who);
}

bool plait__holder_is_dead(const void *address, uint32_t holder)
{
    const struct plait_segment *segment = plait__attached_at(address);

    if (segment == NULL)
        return plait__member_is_dead(holder);
    return holder != 0 && holder != plait__member_self() &&
           plait__attached_is_dead(segment, holder);
}

/* ---- joining ---- */

/* Claims the entry if it is free. The id, or 0. */
static uint32_t claim_entry(uint32_t slot, const struct plait__identity *self)
{
    struct plait__member_entry *entry = entry_of(slot);
    uint64_t claim = __atomic_load_n(&entry->claim, __ATOMIC_ACQUIRE);
    uint32_t generation = generation_of(claim);
    pid_t pid;

    if (state_of(claim) != FREE)
        return 0;
    /* in another namespace our pid would be taken for somebody else's */
    pid = self->namespace == plait__family()->pid_namespace ? self->pid : 0;
    if (!change(entry, claim, make_claim(pid, generation, JOINING)))
        return 0;
    write_who(entry, self);
    __atomic_store_n(&entry->claim, make_claim(pid, generation, LIVE), __ATOMIC_RELEASE);
    return make_id(slot, generation);
}

/* The first free entry, from where the last search ended; the first round looks at few of the taken
 * ones, the second at all. The id, or 0. */
static uint32_t find_entry(void)
{
    uint32_t *next = &plait__family()->next_entry;
    uint32_t from = __atomic_load_n(next, __ATOMIC_RELAXED);
    struct plait__identity self;

    plait__os_identity_of_self(&self);
    for (uint32_t i = 0; i < 2 * PLAIT__MEMBERS; i++) {
        uint32_t slot = (from + i) % PLAIT__MEMBERS;
        uint32_t member;
        if (slot == 0)
            continue;
        member = claim_entry(slot, &self);
        if (member == 0 && (i < LOOK_AT_ONCE || i >= PLAIT__MEMBERS) && bury(entry_of(slot), &self))
            member = claim_entry(slot, &self);
        if (member != 0) {
            __atomic_store_n(next, slot + 1, __ATOMIC_RELAXED);
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
    made->first_generation = plait__os_random();
    made->next_entry = (uint32_t)plait__os_random() % (PLAIT__MEMBERS - 1) + 1;
    __atomic_store_n(&plait__family_region, made, __ATOMIC_RELEASE);
    return 0;
}

/* The page of this process, made by whichever thread comes first. NULL: no memory. */
static struct plait__self *find_self(void)
{
    struct plait__self *self = plait__myself(), *page;

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

void plait__self_keep(void)
{
    (void)find_self();
}

pid_t plait__self_find_pid(void)
{
    struct plait__self *self = plait__myself();
    pid_t pid = getpid();

    if (self != &nobody)
        __atomic_store_n(&self->pid, (uint32_t)pid, __ATOMIC_RELAXED);
    return pid;
}

/* Nothing has named us yet: nobody misses the id. */
static void leave_entry(uint32_t member)
{
    struct plait__member_entry *entry = entry_of(member);
    uint64_t claim = __atomic_load_n(&entry->claim, __ATOMIC_RELAXED);

    change(entry, claim, make_claim(0, next_generation(claim), FREE));
}

/* In the segments that we have inherited, before anything can name us. 0; -EBUSY: in one of them
 * somebody has that id; -errno: then we are out of the table again. */
static int take_bytes(uint32_t member)
{
    int rc;

    plait__attached_lock();
    rc = plait__attached_take_bytes(member);
    plait__attached_unlock();
    if (rc < 0)
        leave_entry(member);
    return rc;
}

/* pre: no other thread of this process is in here. */
static int join(struct plait__self *self)
{
    int rc = plait__family() == NULL ? make_family() : 0;
    uint32_t member = 0;

    if (rc < 0 || self->member != 0)
        return rc;
    rc = -EBUSY;
    for (int i = 0; i < TRIES && rc == -EBUSY; i++) {
        member = find_entry();
        if (member == 0)
            return -EUSERS;
        rc = take_bytes(member);
    }
    if (rc < 0)
        return -ENOMEM;
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

int plait__family_adopt(const struct plait__shared *shared)
{
    int rc = plait__os_shared_attach(shared);

    if (rc == 0)
        __atomic_store_n(&plait__family_region, (struct plait__family *)(void *)shared->base,
                         __ATOMIC_RELEASE);
    return rc;
}

struct plait__member_entry *plait__member_entry(void)
{
    return entry_of(plait__member_self());
}

bool plait__family_has(const void *address)
{
    const struct plait__family *family = plait__family();
    const char *at = address;

    return family != NULL && at >= family->shared.base &&
           at < family->shared.base + family->shared.bytes;
}

bool plait__is_shared(const void *address)
{
    return plait__family_has(address) || plait__attached_has(address);
}
