/* The owned-record ring: leases.
 * SPDX-License-Identifier: MIT
 *
 * A leased item lies in an entry behind the ring's data, or in a parcel that the entry names. What
 * is done with get_lock, and what without:
 *
 *     FREE --written--> NEW --handed over by the ring--> HELD     lease
 *     BACK --> HELD                                               lease, again
 *     BACK --> BORROWED · BACK --> FREE                           borrow · get
 *     HELD, BORROWED of the dead --> BACK                         whoever looks
 *     without:  HELD --> FREE · HELD --> BACK · BORROWED --> FREE  ack · nack · release
 *
 * Each arrow is one store or compare-and-swap of the entry's word, which names process, attempt and
 * token: of two who end the same lease one is told that it has ended.
 *
 * Between NEW and HELD an item is in the entry and in the ring. Who is killed there had get_lock, so
 * whoever takes that over decides, before anything else moves: if the ring has handed over (free has
 * passed the record, or it is DONE), the entry is the item; else the entry is void, and the ring
 * still has it. A later process cannot see NEW, and so never has to ask what became of a record.
 *
 * Where there is a parcel, dropping it is the end of the item, and the word only follows: an entry
 * whose parcel is not there any more is void. One that was made for a FREE entry was left there by
 * somebody who was killed, and is dropped when the entry is used again; not so one that came with
 * the item, which may be the ring's.
 */
#include "base/time.h"
#include "chan/ring.h"
#include "chan/ring_record.h"
#include "family/parcel.h"
#include "os/clock.h"

#include <errno.h>
#include <string.h>

enum {
    FREE,
    NEW,
    HELD,
    BORROWED,
    BACK
};

enum {
    MOST_ATTEMPTS = 4095,
    ENTRY_BITS = 16, /* of an entry's number; above it is the lane */
};

#define LOOK_EVERY_NS INT64_C(50000000) /* where getters never sleep */

_Static_assert(sizeof(struct lease) % GRANULE == 0 && offsetof(struct lease, bytes) % GRANULE == 0,
               "leased bytes are aligned");

/* ---- words ---- */

static uint64_t make_word(unsigned state, uint32_t owner, unsigned attempts, uint32_t token)
{
    return (uint64_t)token << 45 | (uint64_t)attempts << 33 | (uint64_t)owner << 3 | state;
}

static unsigned state_of(uint64_t word)
{
    return word & 7;
}

static uint32_t owner_of(uint64_t word)
{
    return word >> 3 & (PLAIT__OWNED_BROKEN - 1);
}

static unsigned attempts_of(uint64_t word)
{
    return word >> 33 & MOST_ATTEMPTS;
}

static uint64_t load(const struct lease *lease)
{
    return __atomic_load_n(&lease->word, __ATOMIC_SEQ_CST);
}

/* seq_cst: the entry's other fields, and the flags of the ring */
static void store(struct lease *lease, uint64_t word)
{
    __atomic_store_n(&lease->word, word, __ATOMIC_SEQ_CST);
}

static bool change(struct lease *lease, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(&lease->word, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

/* ---- entries ---- */

static struct lease *first_entry(const struct plait__ring *ring)
{
    return (struct lease *)(void *)(uintptr_t)(ring->data + ((size_t)ring->mask + 1) * GRANULE);
}

/* The parcel with the item of an entry that is not FREE; 0: it is in the entry. */
static uint64_t parcel_of(const struct lease *lease)
{
    uint64_t large = load_relaxed(&lease->large);

    return large != 0 ? large : load_relaxed(&lease->parcel);
}

static char *bytes_of(struct lease *lease)
{
    uint64_t parcel = parcel_of(lease);

    return parcel != 0 ? plait__parcel_bytes(parcel) : lease->bytes;
}

/* Has its item been dealt with, though the word does not say so yet? */
static bool is_void(const struct lease *lease)
{
    uint64_t parcel = parcel_of(lease);

    return parcel != 0 && !plait__parcel_is_left(parcel);
}

/* A step of the dead is done for them: the item comes again, if it is not void. */
static void bring_back(struct lease *lease, uint64_t word)
{
    store(lease, is_void(lease) ? FREE : make_word(BACK, 0, attempts_of(word), 0));
}

static bool is_out(uint64_t word)
{
    return state_of(word) == HELD || state_of(word) == BORROWED;
}

/* What the dead had comes back. */
static void look_for_dead(struct plait__ring *ring)
{
    uint32_t alive = plait__member_self(), dead = 0;

    for (uint32_t i = 0; i < ring->leases; i++) {
        struct lease *lease = first_entry(ring) + i;
        uint64_t word = load(lease);
        uint32_t owner = owner_of(word);
        if (!is_out(word) || owner == alive)
            continue;
        if (owner != dead && !plait__member_is_dead(owner)) {
            alive = owner;
            continue;
        }
        dead = owner;
        word = load(lease); /* it may have ended it meanwhile, before its death */
        if (is_out(word))
            bring_back(lease, word);
    }
}

static struct lease *first_back(struct plait__ring *ring)
{
    struct lease *first = NULL;

    for (uint32_t i = 0; i < ring->leases; i++) {
        struct lease *lease = first_entry(ring) + i;
        if (state_of(load(lease)) != BACK)
            continue;
        if (is_void(lease))
            store(lease, FREE);
        else if (first == NULL || lease->order < first->order)
            first = lease;
    }
    return first;
}

bool plait__leases_find(struct plait__ring *ring, bool thorough, struct found *ret)
{
    int64_t now = plait__os_now_ns();
    struct lease *first;

    if (thorough || now >= ring->lease_look) {
        ring->lease_look = now + LOOK_EVERY_NS;
        look_for_dead(ring);
    } else if (load_relaxed32(&ring->has_back) == 0) {
        return false;
    }
    /* before the look: the partner is plait__ring_nack */
    __atomic_exchange_n(&ring->has_back, 0, __ATOMIC_SEQ_CST);
    first = first_back(ring);
    if (first == NULL)
        return false;
    __atomic_store_n(&ring->has_back, 1, __ATOMIC_SEQ_CST); /* it is there until it is taken */
    ret->record = NULL;
    ret->lease = first;
    ret->bytes = bytes_of(first);
    ret->size = first->size;
    return true;
}

bool plait__leases_are_out(struct plait__ring *ring)
{
    for (uint32_t i = 0; i < ring->leases; i++) {
        uint64_t word = load(first_entry(ring) + i);
        if (state_of(word) == BACK || (is_out(word) && owner_of(word) != plait__member_self()))
            return true;
    }
    return false;
}

size_t plait__leases_back(const struct plait__ring *ring)
{
    size_t n = 0;

    for (uint32_t i = 0; i < load_relaxed32(&ring->leases); i++)
        n += state_of(load(first_entry(ring) + i)) == BACK;
    return n;
}

void plait__leases_recover(struct plait__ring *ring)
{
    uint64_t free = load_relaxed(&ring->free);

    for (uint32_t i = 0; i < ring->leases; i++) {
        struct lease *lease = first_entry(ring) + i;
        struct record *record = record_at(ring, lease->mark);
        uint64_t word = load(lease);
        if (state_of(word) != NEW)
            continue;
        if ((int32_t)(mark_position(free) - mark_position(lease->mark)) > 0 ||
            record_state(load_relaxed(&record->ctl)) == RECORD_DONE)
            bring_back(lease, word);
        else
            store(lease, FREE);
    }
    if (ring->leases > 0) /* it may have been about to say so */
        __atomic_store_n(&ring->has_back, 1, __ATOMIC_SEQ_CST);
}

/* ---- ending one ---- */

/* Whom the end of a lease concerns: those who wait for an entry, or for the end of a closed queue.
 * After it, seq_cst; the partners announce themselves before they look. */
static unsigned whom_ended(struct plait__ring *ring)
{
    bool is_short = __atomic_load_n(&ring->is_short, __ATOMIC_SEQ_CST) != 0;

    if ((!is_short && !plait__ring_is_closed(ring)) || !plait__bell_awaited(&ring->get_bell))
        return 0;
    __atomic_store_n(&ring->is_short, 0, __ATOMIC_SEQ_CST);
    return WAKE_GETTERS;
}

unsigned plait__lease_hand_over(struct plait__ring *ring, struct lease *lease)
{
    uint64_t parcel = parcel_of(lease);

    if (parcel != 0)
        plait__parcel_drop(parcel);
    store(lease, FREE);
    return whom_ended(ring);
}

void plait__lease_borrow(struct plait__ring *ring, struct lease *lease)
{
    uint64_t word = load(lease);

    (void)ring;
    store(lease, make_word(BORROWED, plait__member_self(), attempts_of(word), 0));
}

/* Our lease, in this state, ends. */
static int finish(struct plait__ring *ring, struct lease *lease, uint64_t word, uint64_t parcel)
{
    unsigned whom;

    if (parcel != 0 && !plait__parcel_drop(parcel))
        return -EINVAL;
    if (!change(lease, word, FREE))
        return -EINVAL;
    whom = whom_ended(ring);
    if (whom != 0)
        plait__ring_wake(ring, whom);
    return 0;
}

int plait__lease_release(struct plait__ring *ring, const void *bytes)
{
    for (uint32_t i = 0; i < load_relaxed32(&ring->leases); i++) {
        struct lease *lease = first_entry(ring) + i;
        uint64_t word = load(lease);
        if (state_of(word) == BORROWED && owner_of(word) == plait__member_self() &&
            bytes_of(lease) == bytes)
            return finish(ring, lease, word, parcel_of(lease));
    }
    return -EINVAL;
}

/* The entry of a lease, if it is ours still; else NULL. */
static struct lease *entry_of(struct plait__ring *ring, const plait_lease *lease)
{
    uint32_t i = lease->entry & ((1U << ENTRY_BITS) - 1);
    struct lease *entry = first_entry(ring) + i;

    if (i >= ring->max_leases || state_of(lease->word) != HELD ||
        owner_of(lease->word) != plait__member_self() || load(entry) != lease->word)
        return NULL;
    return entry;
}

/* The lane that it was leased from; else NULL. */
static struct plait__ring *lane_of(const struct plait__ring *first, const plait_lease *lease)
{
    uint32_t lane = lease->entry >> ENTRY_BITS;

    return lane < first->n_lanes ? plait__ring_lane(first, lane) : NULL;
}

int plait__ring_ack(struct plait__ring *first, const plait_lease *lease)
{
    struct plait__ring *ring = lane_of(first, lease);
    struct lease *entry = ring == NULL ? NULL : entry_of(ring, lease);

    return entry == NULL ? -EINVAL : finish(ring, entry, lease->word, lease->parcel);
}

int plait__ring_nack(struct plait__ring *first, const plait_lease *lease)
{
    struct plait__ring *ring = lane_of(first, lease);
    struct lease *entry = ring == NULL ? NULL : entry_of(ring, lease);

    if (entry == NULL ||
        !change(entry, lease->word, make_word(BACK, 0, attempts_of(lease->word), 0)))
        return -EINVAL;
    __atomic_store_n(&ring->has_back, 1, __ATOMIC_SEQ_CST);
    if (plait__bell_awaited(&ring->get_bell))
        plait__ring_wake(ring, WAKE_GETTER);
    return 0;
}

/* ---- beginning one ---- */

/* Announces that we are short before it says that there is none. */
static struct lease *find_free(struct plait__ring *ring)
{
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < ring->max_leases; i++)
            if (state_of(load(first_entry(ring) + i)) == FREE)
                return first_entry(ring) + i;
        __atomic_store_n(&ring->is_short, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* Copies the item, or names its parcel; the entry is FREE still. 0, -ENOMEM. */
static int fill(struct lease *entry, const struct found *found)
{
    uint64_t parcel = load_relaxed(&entry->parcel);

    if (parcel != 0) /* of somebody who was killed, or gone already */
        plait__parcel_drop(parcel);
    parcel = 0;
    if (found->parcel == 0 && found->size > sizeof entry->bytes &&
        plait__parcel_make(found->size, &parcel) < 0)
        return -ENOMEM;
    __atomic_store_n(&entry->large, found->parcel, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->parcel, parcel, __ATOMIC_RELAXED);
    if (parcel != 0)
        plait__parcel_leave(parcel);
    if (found->parcel == 0)
        memcpy(bytes_of(entry), found->bytes, found->size);
    entry->size = found->size;
    entry->mark = found->mark;
    return 0;
}

/* The item of the ring moves into an entry: NEW. 0, -EAGAIN, -ENOMEM. */
static int move_in(struct plait__ring *ring, struct found *found, struct lease **ret)
{
    struct lease *entry = find_free(ring);
    uint32_t i = (uint32_t)(entry - first_entry(ring));
    int rc = entry == NULL ? -EAGAIN : fill(entry, found);

    if (rc < 0)
        return rc;
    entry->order = ring->lease_order++;
    if (i >= ring->leases)
        __atomic_store_n(&ring->leases, i + 1, __ATOMIC_RELAXED);
    store(entry, make_word(NEW, plait__member_self(), 0, 0));
    plait__ring_step_over(ring, found);
    if (found->parcel != 0) /* no record has it any more */
        __atomic_store_n(plait__parcel_note(found->parcel), UINT64_MAX, __ATOMIC_RELAXED);
    *ret = entry;
    return 0;
}

static void hold(struct plait__ring *ring, struct lease *entry, plait_lease *ret)
{
    unsigned attempts = attempts_of(load(entry));

    if (attempts < MOST_ATTEMPTS)
        attempts++;
    ret->word = make_word(HELD, plait__member_self(), attempts, ++ring->lease_token & 0x7ffff);
    ret->entry = ring->lane << ENTRY_BITS | (uint32_t)(entry - first_entry(ring));
    ret->parcel = parcel_of(entry);
    ret->bytes = bytes_of(entry);
    ret->size = entry->size;
    ret->attempts = attempts;
    store(entry, ret->word);
}

int plait__ring_lease(struct plait__ring *ring, plait_lease *ret, struct plait__look look)
{
    struct lease *entry = NULL;
    struct found found;
    int rc = plait__ring_lock_first(ring, look, &found);

    if (rc < 0)
        return rc;
    if (found.lease != NULL)
        entry = found.lease;
    else
        rc = move_in(ring, &found, &entry);
    if (rc == 0)
        hold(ring, entry, ret);
    plait__ring_unlock_get(ring, found.whom);
    return rc;
}

void plait__leases_fini(struct plait__ring *ring)
{
    for (uint32_t i = 0; i < ring->max_leases; i++) {
        const struct lease *lease = first_entry(ring) + i;
        if (lease->parcel != 0)
            plait__parcel_drop(lease->parcel);
        if (lease->large != 0)
            plait__parcel_drop(lease->large);
    }
}
