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

#define LOOK_EVERY_NS UINT64_C(50000000) /* where getters never sleep */

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
    return (struct lease *)(void *)(uintptr_t)(ring->shared->data +
                                               ((size_t)ring->mask + 1) * GRANULE);
}

/* So many have been used. */
static uint32_t count_entries(const struct plait__ring *ring)
{
    uint32_t n = load_relaxed32(&ring->shared->leases);

    return n < ring->max_leases ? n : ring->max_leases;
}

/* The parcel with the item of an entry that is not FREE; 0: it is in the entry, or in the hall. */
static uint64_t parcel_of(const struct plait__ring *ring, const struct lease *lease)
{
    uint64_t large = load_relaxed(&lease->large);

    if (ring->in_segment)
        return 0;
    return large != 0 ? large : load_relaxed(&lease->parcel);
}

/* Has its item been dealt with, though the word does not say so yet? */
static bool is_void(const struct plait__ring *ring, const struct lease *lease)
{
    uint64_t parcel = parcel_of(ring, lease);

    return parcel != 0 && !plait__parcel_is_left(parcel);
}

/* A step of the dead is done for them: the item comes again, if it is not void. */
static void bring_back(const struct plait__ring *ring, struct lease *lease, uint64_t word)
{
    store(lease, is_void(ring, lease) ? FREE : make_word(BACK, 0, attempts_of(word), 0));
}

/* ---- the hall ---- */

static char *hall_of(const struct plait__ring *ring)
{
    return (char *)(first_entry(ring) + ring->max_leases);
}

/* Where an item lies in it. */
struct spot {
    uint64_t at, bytes; /* multiples of GRANULE */
};

static struct spot make_spot(uint64_t at, uint64_t size)
{
    return (struct spot){ at, (size + GRANULE - 1) / GRANULE * GRANULE };
}

/* False: the entry's item is not in it; or so it says. */
static bool read_spot(const struct plait__ring *ring, const struct lease *lease, struct spot *ret)
{
    uint64_t at = load_relaxed(&lease->parcel), size = load_relaxed(&lease->size);

    if (size <= sizeof lease->bytes || size > ring->hall_bytes || at % GRANULE != 0 ||
        at > ring->hall_bytes - size)
        return false;
    *ret = make_spot(at, size);
    return true;
}

/* The first place for so many bytes that no item has. It only moves up. -EAGAIN. */
static int find_spot(const struct plait__ring *ring, size_t size, uint64_t *ret)
{
    struct spot spot = make_spot(0, size), other;
    bool is_free;

    do {
        is_free = true;
        for (uint32_t i = 0; i < count_entries(ring); i++) {
            const struct lease *lease = first_entry(ring) + i;
            if (state_of(load(lease)) == FREE || !read_spot(ring, lease, &other) ||
                other.at >= spot.at + spot.bytes || spot.at >= other.at + other.bytes)
                continue;
            spot.at = other.at + other.bytes;
            is_free = false;
        }
    } while (!is_free && spot.at + spot.bytes <= ring->hall_bytes);
    if (spot.at + spot.bytes > ring->hall_bytes)
        return -EAGAIN;
    *ret = spot.at;
    return 0;
}

/* ---- items ---- */

/* Where the item of an entry that is not FREE is, and its size. 0, -EBADMSG. */
static int read_item(const struct plait__ring *ring, struct lease *lease, plait_bytes *ret)
{
    size_t size = load_relaxed(&lease->size);
    uint64_t parcel = parcel_of(ring, lease);
    struct spot spot;

    if (parcel != 0)
        *ret = (plait_bytes){ plait__parcel_bytes(parcel), size };
    else if (size <= sizeof lease->bytes)
        *ret = (plait_bytes){ lease->bytes, size };
    else if (read_spot(ring, lease, &spot) && size <= spot.bytes)
        *ret = (plait_bytes){ hall_of(ring) + spot.at, size };
    else
        return -EBADMSG;
    return 0;
}

/* ---- those that come back ---- */

static bool is_out(uint64_t word)
{
    return state_of(word) == HELD || state_of(word) == BORROWED;
}

/* What the dead had comes back. */
static void look_for_dead(struct plait__ring *ring)
{
    uint32_t alive = plait__member_self(), dead = 0;

    for (uint32_t i = 0; i < count_entries(ring); i++) {
        struct lease *lease = first_entry(ring) + i;
        uint64_t word = load(lease);
        uint32_t owner = owner_of(word);
        if (!is_out(word) || owner == alive)
            continue;
        if (owner != dead && !is_owner_dead(ring, owner)) {
            alive = owner;
            continue;
        }
        dead = owner;
        word = load(lease); /* it may have ended it meanwhile, before its death */
        if (is_out(word))
            bring_back(ring, lease, word);
    }
}

static struct lease *first_back(struct plait__ring *ring)
{
    struct lease *first = NULL;

    for (uint32_t i = 0; i < count_entries(ring); i++) {
        struct lease *lease = first_entry(ring) + i;
        if (state_of(load(lease)) != BACK)
            continue;
        if (is_void(ring, lease))
            store(lease, FREE);
        else if (first == NULL || lease->order < first->order)
            first = lease;
    }
    return first;
}

int plait__leases_find(struct plait__ring *ring, bool thorough, struct found *ret)
{
    int64_t now = plait__os_now_ns();
    struct lease *first;
    plait_bytes item;

    /* in another process's time, or somebody's fancy, it may be far away */
    if (thorough || (uint64_t)ring->shared->lease_look - (uint64_t)now > LOOK_EVERY_NS) {
        ring->shared->lease_look = now + (int64_t)LOOK_EVERY_NS;
        look_for_dead(ring);
    } else if (load_relaxed32(&ring->shared->has_back) == 0) {
        return 0;
    }
    /* before the look: the partner is plait__ring_nack */
    __atomic_exchange_n(&ring->shared->has_back, 0, __ATOMIC_SEQ_CST);
    first = first_back(ring);
    if (first == NULL)
        return 0;
    /* it is there until it is taken */
    __atomic_store_n(&ring->shared->has_back, 1, __ATOMIC_SEQ_CST);
    if (read_item(ring, first, &item) < 0)
        return -EBADMSG;
    ret->record = NULL;
    ret->lease = first;
    ret->bytes = item.bytes;
    ret->size = item.size;
    ret->parcel = parcel_of(ring, first);
    return 1;
}

bool plait__leases_are_out(const struct plait__ring *ring)
{
    for (uint32_t i = 0; i < count_entries(ring); i++) {
        uint64_t word = load(first_entry(ring) + i);
        if (state_of(word) == BACK || (is_out(word) && owner_of(word) != plait__member_self()))
            return true;
    }
    return false;
}

size_t plait__leases_back(const struct plait__ring *ring)
{
    size_t n = 0;

    for (uint32_t i = 0; i < count_entries(ring); i++)
        n += state_of(load(first_entry(ring) + i)) == BACK;
    return n;
}

void plait__leases_recover(struct plait__ring *ring)
{
    uint64_t free = load_relaxed(&ring->shared->free);

    for (uint32_t i = 0; i < count_entries(ring); i++) {
        struct lease *lease = first_entry(ring) + i;
        struct record *record = record_at(ring, lease->mark);
        uint64_t word = load(lease);
        if (state_of(word) != NEW)
            continue;
        if ((int32_t)(mark_position(free) - mark_position(lease->mark)) > 0 ||
            record_state(load_relaxed(&record->ctl)) == RECORD_DONE)
            bring_back(ring, lease, word);
        else
            store(lease, FREE);
    }
    if (ring->shared->leases > 0) /* it may have been about to say so */
        __atomic_store_n(&ring->shared->has_back, 1, __ATOMIC_SEQ_CST);
}

/* ---- ending one ---- */

/* Whom the end of a lease concerns: those who wait for an entry, or for the end of a closed queue.
 * After it, seq_cst; the partners announce themselves before they look. */
static unsigned whom_ended(struct plait__ring *ring)
{
    bool is_short = __atomic_load_n(&ring->shared->is_short, __ATOMIC_SEQ_CST) != 0;

    if ((!is_short && !plait__ring_is_closed(ring)) ||
        !plait__bell_awaited(&ring->shared->get_bell))
        return 0;
    __atomic_store_n(&ring->shared->is_short, 0, __ATOMIC_SEQ_CST);
    return WAKE_GETTERS;
}

unsigned plait__lease_hand_over(struct plait__ring *ring, struct lease *lease)
{
    uint64_t parcel = parcel_of(ring, lease);

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
    for (uint32_t i = 0; i < count_entries(ring); i++) {
        struct lease *lease = first_entry(ring) + i;
        uint64_t word = load(lease);
        plait_bytes item;
        if (state_of(word) == BORROWED && owner_of(word) == plait__member_self() &&
            read_item(ring, lease, &item) == 0 && item.bytes == bytes)
            return finish(ring, lease, word, parcel_of(ring, lease));
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
    __atomic_store_n(&ring->shared->has_back, 1, __ATOMIC_SEQ_CST);
    if (plait__bell_awaited(&ring->shared->get_bell))
        plait__ring_wake(ring, WAKE_GETTER);
    return 0;
}

/* ---- beginning one ---- */

/* Copies the item into the entry, or into the hall; the entry is FREE still. 0, -EAGAIN. */
static int fill_in_segment(const struct plait__ring *ring, struct lease *entry, struct found *found)
{
    char *to = entry->bytes;
    uint64_t at = 0;

    if (found->size > sizeof entry->bytes) {
        int rc = find_spot(ring, found->size, &at);
        if (rc < 0)
            return rc;
        to = hall_of(ring) + at;
    }
    __atomic_store_n(&entry->parcel, at, __ATOMIC_RELAXED);
    if (found->size > 0)
        memcpy(to, found->bytes, found->size);
    found->bytes = to;
    return 0;
}

/* Copies the item, or names its parcel; the entry is FREE still. 0, -ENOMEM. */
static int fill_in_family(struct lease *entry, struct found *found)
{
    uint64_t parcel = load_relaxed(&entry->parcel);
    char *to = entry->bytes;

    if (parcel != 0) /* of somebody who was killed, or gone already */
        plait__parcel_drop(parcel);
    parcel = 0;
    if (found->parcel == 0 && found->size > sizeof entry->bytes &&
        plait__parcel_make(found->size, &parcel) < 0)
        return -ENOMEM;
    __atomic_store_n(&entry->large, found->parcel, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->parcel, parcel, __ATOMIC_RELAXED);
    if (parcel != 0) {
        plait__parcel_leave(parcel);
        to = plait__parcel_bytes(parcel);
    }
    if (found->parcel == 0) {
        memcpy(to, found->bytes, found->size);
        found->bytes = to;
    }
    return 0;
}

static struct lease *find_free(const struct plait__ring *ring)
{
    for (uint32_t i = 0; i < ring->max_leases; i++)
        if (state_of(load(first_entry(ring) + i)) == FREE)
            return first_entry(ring) + i;
    return NULL;
}

/* The item is in an entry that is FREE still. 0, -EAGAIN, -ENOMEM. */
static int copy_in(const struct plait__ring *ring, struct found *found, struct lease **ret)
{
    struct lease *entry = find_free(ring);
    int rc;

    if (entry == NULL)
        return -EAGAIN;
    rc = ring->in_segment ? fill_in_segment(ring, entry, found) : fill_in_family(entry, found);
    if (rc < 0)
        return rc;
    __atomic_store_n(&entry->size, found->size, __ATOMIC_RELAXED);
    entry->mark = found->mark;
    *ret = entry;
    return 0;
}

/* The item of the ring moves into an entry: NEW. 0, -EAGAIN, -ENOMEM. */
static int move_in(struct plait__ring *ring, struct found *found)
{
    uint64_t parcel = found->parcel; /* the ring's */
    struct lease *entry = NULL;
    int rc = copy_in(ring, found, &entry);
    uint32_t i;

    if (rc == -EAGAIN) { /* announced before it is said that there is none */
        __atomic_store_n(&ring->shared->is_short, 1, __ATOMIC_SEQ_CST);
        rc = copy_in(ring, found, &entry);
    }
    if (rc < 0)
        return rc;
    i = (uint32_t)(entry - first_entry(ring));
    entry->order = ring->shared->lease_order++;
    if (i >= ring->shared->leases)
        __atomic_store_n(&ring->shared->leases, i + 1, __ATOMIC_RELAXED);
    store(entry, make_word(NEW, plait__member_self(), 0, 0));
    plait__ring_step_over(ring, found);
    if (parcel != 0) /* no record has it any more */
        __atomic_store_n(plait__parcel_note(parcel), UINT64_MAX, __ATOMIC_RELAXED);
    found->lease = entry;
    return 0;
}

static void hold(struct plait__ring *ring, const struct found *found, plait_lease *ret)
{
    struct lease *entry = found->lease;
    unsigned attempts = attempts_of(load(entry));

    if (attempts < MOST_ATTEMPTS)
        attempts++;
    ret->word =
        make_word(HELD, plait__member_self(), attempts, ++ring->shared->lease_token & 0x7ffff);
    ret->entry = ring->lane << ENTRY_BITS | (uint32_t)(entry - first_entry(ring));
    ret->parcel = parcel_of(ring, entry);
    ret->bytes = found->bytes;
    ret->size = found->size;
    ret->attempts = attempts;
    store(entry, ret->word);
}

int plait__ring_lease(struct plait__ring *ring, plait_lease *ret, struct plait__look look)
{
    struct found found;
    int rc = plait__ring_lock_first(ring, look, &found);

    if (rc < 0)
        return rc;
    if (found.lease == NULL)
        rc = move_in(ring, &found);
    if (rc == 0)
        hold(ring, &found, ret);
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
