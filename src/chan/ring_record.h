/* What the files of the ring share: marks, records, locks.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CHAN_RING_RECORD_H
#define PLAIT__CHAN_RING_RECORD_H

#include "chan/ring.h"
#include "sync/owned.h"

enum {
    GRANULE = 16,
    MIN_GRANULES = 64,
    MAX_GRANULES = 1 << 26, /* 1 GiB: a size fits into `ctl`, and marks never overtake themselves */
};

enum record_state {
    RECORD_RSV = 1, /* being written by its owner */
    RECORD_READY,
    RECORD_SKIP,  /* nothing in it */
    RECORD_TAKEN, /* being read by its owner */
    RECORD_DONE,  /* handed over */
};

/* A record, at a multiple of GRANULE bytes. */
struct record {
    uint64_t ctl;      /* atomic: size: 29 · owner: 30 · is_pad: 1 · has_parcel: 1 · state: 3 */
    uint32_t granules; /* const once the tail is moved; with this head */
    uint32_t kib;      /* so too; with a parcel: of all parcels up to this, round and round */
    char bytes[];
};

/* What a record has in place of an item that is too large for the ring. */
struct large {
    uint64_t parcel; /* const once the tail is moved */
    uint64_t size;
};

#define RECORD_PARCEL (UINT64_C(1) << 3)
#define RECORD_PAD    (UINT64_C(1) << 4)

static inline uint64_t record_ctl(enum record_state state, uint32_t owner, size_t size)
{
    return (uint64_t)size << 35 | (uint64_t)owner << 5 | state;
}

static inline enum record_state record_state(uint64_t ctl)
{
    return ctl & 7;
}

static inline uint32_t record_owner(uint64_t ctl)
{
    return ctl >> 5 & (PLAIT__OWNED_BROKEN - 1);
}

static inline size_t record_size(uint64_t ctl)
{
    return ctl >> 35;
}

static inline struct large *record_large(struct record *record)
{
    return (struct large *)(void *)record->bytes;
}

static inline uint32_t granules_of(size_t size)
{
    return (uint32_t)((size + sizeof(struct record) + GRANULE - 1) / GRANULE);
}

static inline uint32_t mark_position(uint64_t mark)
{
    return (uint32_t)mark;
}

static inline uint32_t mark_items(uint64_t mark)
{
    return mark >> 32 & 0x7fffffff;
}

static inline uint64_t mark_add(uint64_t mark, uint32_t granules, uint32_t items)
{
    return ((mark & ~(uint64_t)UINT32_MAX) + ((uint64_t)items << 32) +
            (uint32_t)(mark + granules)) &
           ~PLAIT__RING_CLOSED;
}

static inline bool is_same_place(uint64_t a, uint64_t b)
{
    return mark_position(a) == mark_position(b);
}

static inline struct record *record_at(struct plait__ring *ring, uint64_t mark)
{
    return (struct record *)(void *)(ring->shared->data + (size_t)(mark & ring->mask) * GRANULE);
}

/* The place behind a record. */
static inline uint64_t mark_behind(uint64_t mark, uint32_t granules, uint64_t ctl)
{
    return mark_add(mark, granules, ctl & RECORD_PAD ? 0 : 1);
}

static inline uint64_t load_relaxed(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint32_t load_relaxed32(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint32_t load_granules(const struct record *record)
{
    return load_relaxed32(&record->granules);
}

/* Of a ring in a segment: can that be a record there? `first` is where a walk began: it ends after
 * one round at the latest. What was loaded is looked at, as it may be another thing by now. */
bool plait__ring_record_is_sane(const struct plait__ring *ring, uint64_t first, uint64_t at,
                                uint64_t ctl, uint32_t granules);

static inline bool is_sane(const struct plait__ring *ring, uint64_t first, uint64_t at,
                           uint64_t ctl, uint32_t granules)
{
    return !ring->in_segment || plait__ring_record_is_sane(ring, first, at, ctl, granules);
}

/* Is it so, and not only said by somebody who writes into a segment? */
static inline bool has_parcel(const struct plait__ring *ring, uint64_t ctl)
{
    return (ctl & RECORD_PARCEL) && !ring->in_segment;
}

/* Is the process dead that a record or a lease names? */
static inline bool is_owner_dead(const struct plait__ring *ring, uint32_t owner)
{
    return plait__holder_is_dead(ring->shared, owner);
}

/* Does the item go into a parcel? */
static inline bool is_too_large(const struct plait__ring *ring, size_t n)
{
    return n > (size_t)(ring->limit / 2) * GRANULE - sizeof(struct record);
}

/* Whom a change concerns. */
enum {
    WAKE_GETTER = 1,
    WAKE_GETTERS = 2,
    WAKE_PUTTER = 4,
    WAKE_PUTTERS = 8,
    WAKE_JOINERS = 16,
};

/* pre: no lock of the ring's is held. */
void plait__ring_wake(struct plait__ring *ring, unsigned whom);

int plait__ring_lock_slowly(uint32_t *lock, plait_deadline until);
int plait__ring_hold(uint32_t *lock);

static inline int ring_lock(uint32_t *lock, plait_deadline until)
{
    uint32_t self = plait__member_self(), nobody = 0;

    if (self != 0 &&
        __atomic_compare_exchange_n(lock, &nobody, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return 0;
    return plait__ring_lock_slowly(lock, until);
}

/* ---- getting ---- */

/* An entry for a leased item. */
struct lease {
    uint64_t word;  /* atomic: token: 19 · attempts: 12 · owner: 30 · state: 3 */
    uint64_t mark;  /* get_lock: where its record is, or was */
    uint64_t order; /* get_lock: how many had been leased before it */
    /* atomic: with the item, when it does not fit; the partner is `word`. In a segment: where the
     * item lies in the hall */
    uint64_t parcel;
    uint64_t large; /* atomic: so, but it came with the item: while NEW, it may be the ring's */
    uint64_t size;  /* const while leased */
    char bytes[208];
};

/* The first item, with get_lock held. */
struct found {
    struct record *record; /* in the ring; or */
    struct lease *lease;   /* given back, else NULL */
    const char *bytes;
    uint64_t mark, behind;
    uint64_t parcel; /* that the item is in; 0: none */
    size_t size;
    unsigned whom; /* whom the way to it has woken; also when there is none */
};

/* 0: get_lock is held, and there is an item. -EAGAIN, -EPIPE, or of the lock. */
int plait__ring_lock_first(struct plait__ring *ring, struct plait__look look, struct found *ret);
void plait__ring_unlock_get(struct plait__ring *ring, unsigned whom);
/* pre: the item is copied, with the lock held. */
void plait__ring_hand_over(struct plait__ring *ring, struct found *found);
/* So, of one that is in the ring; its parcel is kept. */
void plait__ring_step_over(struct plait__ring *ring, struct found *found);

/* ---- leases ---- */

/* With get_lock: the first item that was given back, or whose process is dead. 1; 0: there is none;
 * -EBADMSG. */
int plait__leases_find(struct plait__ring *ring, bool thorough, struct found *ret);
/* With get_lock: such an item was copied; or is borrowed. Whom to wake. */
unsigned plait__lease_hand_over(struct plait__ring *ring, struct lease *lease);
void plait__lease_borrow(struct plait__ring *ring, struct lease *lease);
/* 0, -EINVAL: these bytes are not borrowed by this process. */
int plait__lease_release(struct plait__ring *ring, const void *bytes);
/* With get_lock: it was taken over from a dead process. */
void plait__leases_recover(struct plait__ring *ring);
/* May one come back from another process? */
bool plait__leases_are_out(const struct plait__ring *ring);
size_t plait__leases_back(const struct plait__ring *ring);
/* Drops their parcels. pre: nobody uses the ring. */
void plait__leases_fini(struct plait__ring *ring);

/* The record of bytes that plait__ring_reserve or plait__ring_borrow gave to this process and that
 * is in this state still; else NULL. */
struct record *plait__ring_record_of(struct plait__ring *ring, const void *bytes,
                                     enum record_state state);

#endif
