/* The owned-record ring: the producers' side.
 * SPDX-License-Identifier: MIT
 *
 * Nothing behind the tail exists, so a put is one store: of the tail for a small item that is
 * already written, of the record's state for one that was reserved. The tail is moved by a
 * compare-and-swap, as a close sets its bit without the lock: an item is in the ring before the
 * close, or not at all.
 */
#include "chan/ring.h"
#include "chan/ring_record.h"
#include "family/parcel.h"

#include <errno.h>
#include <string.h>

enum {
    AT_ONCE = 8192, /* bytes that are put with the lock taken once, and a little more */
};

/* Where a record goes. */
struct place {
    struct record *record;
    uint64_t behind; /* the tail that it makes */
    uint32_t granules;
};

/* ---- the lock ---- */

/* The lock was taken over from a dead process: the tail was moved or not. */
static void recover(struct plait__ring *ring)
{
    if (ring->shared->kib_pending != 0) {
        if (!is_same_place(ring->shared->kib_pending, load_relaxed(&ring->shared->tail)))
            __atomic_store_n(&ring->shared->kib_put, ring->shared->kib_before, __ATOMIC_RELAXED);
        ring->shared->kib_pending = 0;
    }
    plait__owned_mend(&ring->shared->put_lock);
}

static int lock_put(struct plait__ring *ring, plait_deadline until)
{
    int rc = ring->has_one_producer ? plait__ring_hold(&ring->shared->put_lock)
                                    : ring_lock(&ring->shared->put_lock, until);

    if (rc <= 0)
        return rc;
    recover(ring);
    return 0;
}

/* Whom the new tail concerns; while the lock is held, as the ring may be gone as soon as its item
 * is. */
static unsigned unlock_put(struct plait__ring *ring)
{
    unsigned whom = plait__bell_awaited(&ring->shared->get_bell) ? WAKE_GETTER : 0;

    if (!ring->has_one_producer)
        plait__owned_release(&ring->shared->put_lock);
    return whom;
}

/* ---- room ---- */

/* Granules that are lost at the end of the ring, as a record is never cut in two. */
static uint32_t lost_at_end(const struct plait__ring *ring, uint64_t tail, uint32_t granules)
{
    uint32_t at = (uint32_t)tail & ring->mask;

    return at + granules > ring->mask + 1 ? ring->mask + 1 - at : 0;
}

static bool fits(const struct plait__ring *ring, uint64_t tail, uint64_t free, uint32_t granules)
{
    uint64_t used = mark_position(tail) - mark_position(free);
    uint32_t items = (mark_items(tail) - mark_items(free)) & 0x7fffffff;

    return items < ring->max_items && used + granules <= ring->limit;
}

/* It does not fit: why not? */
static int not_now(const struct plait__ring *ring, uint64_t tail, uint64_t free)
{
    return mark_position(tail) - mark_position(free) <= ring->limit ? -EAGAIN : -EBADMSG;
}

/* What an item takes of the bound on parcels. */
static uint32_t kib_of(size_t n)
{
    size_t kib = n / 1024 + 1;

    return kib < UINT32_MAX / 2 ? (uint32_t)kib : UINT32_MAX / 2;
}

/* Is there room in parcels? There is for one alone in any case. */
static bool has_kib(const struct plait__ring *ring, size_t n)
{
    uint32_t used =
        load_relaxed32(&ring->shared->kib_put) - load_relaxed32(&ring->shared->kib_freed);

    return used == 0 || (uint64_t)used + kib_of(n) <= ring->max_kib;
}

/* With the lock: a place for n bytes behind a tail. 0, -EAGAIN, -EBADMSG. */
static int find_place(struct plait__ring *ring, uint64_t tail, size_t n, struct place *ret)
{
    uint32_t granules = granules_of(n), lost = lost_at_end(ring, tail, granules);

    if (!fits(ring, tail, ring->shared->free_seen, lost + granules)) {
        /* acquire: what was read from there was read before it was freed */
        uint64_t free = __atomic_load_n(&ring->shared->free, __ATOMIC_ACQUIRE);
        ring->shared->free_seen = free;
        if (!fits(ring, tail, free, lost + granules))
            return not_now(ring, tail, free);
    }
    if (lost > 0) {
        struct record *pad = record_at(ring, tail);
        pad->granules = lost;
        __atomic_store_n(&pad->ctl, record_ctl(RECORD_SKIP, 0, 0) | RECORD_PAD, __ATOMIC_RELAXED);
    }
    ret->record = record_at(ring, mark_add(tail, lost, 0));
    ret->behind = mark_add(tail, lost + granules, 1);
    ret->granules = granules;
    return 0;
}

static void write_head(const struct place *place, enum record_state state, size_t n)
{
    uint32_t owner = state == RECORD_RSV ? plait__member_self() : 0;

    place->record->granules = place->granules;
    __atomic_store_n(&place->record->ctl, record_ctl(state, owner, n), __ATOMIC_RELAXED);
}

static void write_item(const struct place *place, const void *bytes, size_t n)
{
    if (n > 0)
        memcpy(place->record->bytes, bytes, n);
    write_head(place, RECORD_READY, n);
}

/* With the lock: from now on what is before `next` exists. -EPIPE: the ring was closed · -EBADMSG:
 * somebody writes into a segment what he should not. */
static int move_tail(struct plait__ring *ring, uint64_t tail, uint64_t next)
{
    /* seq_cst: also the partner of plait__bell_announce */
    if (__atomic_compare_exchange_n(&ring->shared->tail, &tail, next, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_RELAXED))
        return 0;
    return tail & PLAIT__RING_CLOSED ? -EPIPE : -EBADMSG;
}

/* As move_tail. What was put in parcels is said first: if we are killed before the tail is moved,
 * whoever takes the lock over sees that it was not. */
static int move_tail_with_kib(struct plait__ring *ring, uint64_t tail, uint64_t next, uint32_t kib)
{
    int rc;

    ring->shared->kib_before = ring->shared->kib_put;
    /* release, twice: a process that is killed may have left the one before, never the one after */
    __atomic_store_n(&ring->shared->kib_pending, next | PLAIT__RING_CLOSED, __ATOMIC_RELEASE);
    __atomic_store_n(&ring->shared->kib_put, kib, __ATOMIC_RELEASE);
    rc = move_tail(ring, tail, next);
    if (rc < 0)
        __atomic_store_n(&ring->shared->kib_put, ring->shared->kib_before, __ATOMIC_RELEASE);
    __atomic_store_n(&ring->shared->kib_pending, 0, __ATOMIC_RELEASE);
    return rc;
}

/* Is it reserved first, and copied without the lock? */
static bool is_large(const struct plait__ring *ring, size_t n)
{
    return n > ring->at_once;
}

/* ---- one item ---- */

static int reserve_small(struct plait__ring *ring, size_t n, struct record **ret,
                         struct plait__look look)
{
    struct place place;
    uint64_t tail;
    int rc = lock_put(ring, look.until);

    if (rc < 0)
        return rc;
    tail = load_relaxed(&ring->shared->tail);
    rc = tail & PLAIT__RING_CLOSED ? -EPIPE : find_place(ring, tail, n, &place);
    if (rc == 0) {
        write_head(&place, RECORD_RSV, n);
        rc = move_tail(ring, tail, place.behind);
    }
    unlock_put(ring);
    if (rc == 0)
        *ret = place.record;
    return rc;
}

/* A parcel is named by the record as soon as the tail is moved, and left only then: who is killed
 * before has it in hand. pre: there was room a moment ago. */
static int reserve_in_parcel(struct plait__ring *ring, size_t n, uint64_t parcel,
                             struct record **ret, struct plait__look look)
{
    struct place place;
    uint64_t tail;
    int rc = lock_put(ring, look.until);

    if (rc < 0)
        return rc;
    tail = load_relaxed(&ring->shared->tail);
    rc = tail & PLAIT__RING_CLOSED ? -EPIPE : find_place(ring, tail, sizeof(struct large), &place);
    if (rc == 0 && !has_kib(ring, n))
        rc = -EAGAIN;
    if (rc == 0) {
        struct record *record = place.record;
        write_head(&place, RECORD_RSV, 0);
        record->ctl |= RECORD_PARCEL;
        record->kib = ring->shared->kib_put + kib_of(n);
        *record_large(record) = (struct large){ parcel, n };
        /* as seen from the first lane: no other one takes it for its own */
        __atomic_store_n(plait__parcel_note(parcel),
                         (uint64_t)((char *)record - ring->shared->data) +
                             ring->lane * ring->lane_bytes,
                         __ATOMIC_RELAXED);
        rc = move_tail_with_kib(ring, tail, place.behind, record->kib);
    }
    unlock_put(ring);
    if (rc == 0)
        *ret = place.record;
    return rc;
}

static int reserve_large(struct plait__ring *ring, size_t n, struct record **ret,
                         struct plait__look look)
{
    uint64_t parcel;
    int rc = plait__member_join(); /* who waits for room has joined */

    if (rc < 0)
        return rc;
    if (plait__ring_is_closed(ring))
        return -EPIPE;
    if (!plait__ring_has_room(ring, n))
        return -EAGAIN;
    rc = plait__parcel_make(n, &parcel);
    if (rc < 0)
        return rc;
    rc = reserve_in_parcel(ring, n, parcel, ret, look);
    if (rc < 0)
        plait__parcel_discard(parcel);
    else
        plait__parcel_leave(parcel);
    return rc;
}

static int reserve(struct plait__ring *ring, size_t n, struct record **ret, struct plait__look look)
{
    if (n > ring->max_item_bytes)
        return -EMSGSIZE;
    return is_too_large(ring, n) ? reserve_large(ring, n, ret, look)
                                 : reserve_small(ring, n, ret, look);
}

static char *bytes_of(const struct plait__ring *ring, struct record *record)
{
    return has_parcel(ring, load_relaxed(&record->ctl))
               ? plait__parcel_bytes(record_large(record)->parcel)
               : record->bytes;
}

/* So many bytes were reserved. */
static size_t room_of(const struct plait__ring *ring, struct record *record)
{
    uint64_t ctl = load_relaxed(&record->ctl);

    return has_parcel(ring, ctl) ? record_large(record)->size : record_size(ctl);
}

/* The record is ours and written. */
static void finish(struct plait__ring *ring, struct record *record, enum record_state state,
                   size_t n)
{
    uint64_t ctl = record_ctl(state, 0, n);

    if (has_parcel(ring, load_relaxed(&record->ctl))) {
        ctl = record_ctl(state, 0, 0) | RECORD_PARCEL;
        record_large(record)->size = n;
    }
    /* seq_cst: the bytes before it, and the partner of plait__bell_announce */
    __atomic_exchange_n(&record->ctl, ctl, __ATOMIC_SEQ_CST);
    if (plait__bell_awaited(&ring->shared->get_bell))
        plait__ring_wake(ring, WAKE_GETTER);
}

static int put_reserved(struct plait__ring *ring, const plait_bytes *item, struct plait__look look)
{
    struct record *record = NULL;
    int rc = reserve(ring, item->size, &record, look);

    if (rc < 0)
        return rc;
    memcpy(bytes_of(ring, record), item->bytes, item->size);
    finish(ring, record, RECORD_READY, item->size);
    return 1;
}

/* Items are written one behind the other while they are small and fit; all of them are there at
 * once, with the tail. How many. */
static ssize_t put_at_once(struct plait__ring *ring, const plait_bytes *items, size_t count)
{
    uint64_t first = load_relaxed(&ring->shared->tail), tail = first;
    size_t n = 0, bytes = 0;
    int rc = 0;

    if (first & PLAIT__RING_CLOSED)
        return -EPIPE;
    while (n < count && bytes <= AT_ONCE && (n == 0 || !is_large(ring, items[n].size))) {
        struct place place;
        rc = find_place(ring, tail, items[n].size, &place);
        if (rc < 0)
            break;
        write_item(&place, items[n].bytes, items[n].size);
        tail = place.behind;
        bytes += items[n++].size;
    }
    if (n == 0)
        return rc;
    rc = move_tail(ring, first, tail);
    return rc < 0 ? rc : (ssize_t)n;
}

ssize_t plait__ring_put_many(struct plait__ring *ring, const plait_bytes *items, size_t count,
                             struct plait__look look)
{
    unsigned whom;
    ssize_t n;

    if (is_large(ring, items[0].size))
        return put_reserved(ring, &items[0], look);
    n = lock_put(ring, look.until);
    if (n < 0)
        return n;
    n = put_at_once(ring, items, count);
    whom = unlock_put(ring);
    if (n > 0 && whom != 0)
        plait__ring_wake(ring, whom);
    return n;
}

int plait__ring_reserve(struct plait__ring *ring, void **ret, size_t n, struct plait__look look)
{
    struct record *record = NULL;
    int rc = reserve(ring, n, &record, look);

    if (rc == 0)
        *ret = bytes_of(ring, record);
    return rc;
}

int plait__ring_commit(struct plait__ring *ring, void *bytes, size_t n)
{
    struct record *record = plait__ring_record_of(ring, bytes, RECORD_RSV);

    if (record == NULL || n > room_of(ring, record))
        return -EINVAL;
    finish(ring, record, RECORD_READY, n);
    return 0;
}

int plait__ring_abort(struct plait__ring *ring, void *bytes)
{
    struct record *record = plait__ring_record_of(ring, bytes, RECORD_RSV);

    if (record == NULL)
        return -EINVAL;
    if (has_parcel(ring, load_relaxed(&record->ctl)))
        plait__parcel_drop(record_large(record)->parcel); /* else nobody would once it is SKIP */
    finish(ring, record, RECORD_SKIP, 0);
    plait__ring_tidy(ring, false); /* if nothing is before it, it counts no more */
    return 0;
}

/* ---- looking ---- */

bool plait__ring_has_room(const struct plait__ring *ring, size_t n)
{
    uint64_t tail = load_relaxed(&ring->shared->tail), free = load_relaxed(&ring->shared->free);
    uint32_t granules = granules_of(is_too_large(ring, n) ? sizeof(struct large) : n);

    return fits(ring, tail, free, lost_at_end(ring, tail, granules) + granules) &&
           (!is_too_large(ring, n) || has_kib(ring, n));
}

bool plait__ring_may_put(const struct plait__ring *ring, size_t n)
{
    return plait__ring_is_closed(ring) || plait__ring_has_room(ring, n);
}
