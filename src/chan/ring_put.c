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

static int lock_put(struct plait__ring *ring, plait_deadline until)
{
    int rc = ring->has_one_producer ? plait__ring_hold(&ring->put_lock)
                                    : ring_lock(&ring->put_lock, until);

    if (rc <= 0)
        return rc;
    plait__owned_mend(&ring->put_lock); /* the tail was moved or not: nothing to repair */
    return 0;
}

/* Whom the new tail concerns; while the lock is held, as the ring may be gone as soon as its item
 * is. */
static unsigned unlock_put(struct plait__ring *ring)
{
    unsigned whom = plait__bell_awaited(&ring->get_bell) ? WAKE_GETTER : 0;

    if (!ring->has_one_producer)
        plait__owned_release(&ring->put_lock);
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
    uint32_t used = mark_position(tail) - mark_position(free);
    uint32_t items = (mark_items(tail) - mark_items(free)) & 0x7fffffff;

    return items < ring->max_items && used + granules <= ring->limit;
}

/* With the lock: a place for n bytes behind a tail. 0, -EAGAIN. */
static int find_place(struct plait__ring *ring, uint64_t tail, size_t n, struct place *ret)
{
    uint32_t granules = granules_of(n), lost = lost_at_end(ring, tail, granules);

    if (!fits(ring, tail, ring->free_seen, lost + granules)) {
        /* acquire: what was read from there was read before it was freed */
        ring->free_seen = __atomic_load_n(&ring->free, __ATOMIC_ACQUIRE);
        if (!fits(ring, tail, ring->free_seen, lost + granules))
            return -EAGAIN;
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

/* With the lock: from now on what is before `next` exists. -EPIPE: the ring was closed. */
static int move_tail(struct plait__ring *ring, uint64_t tail, uint64_t next)
{
    /* seq_cst: also the partner of plait__bell_announce */
    return __atomic_compare_exchange_n(&ring->tail, &tail, next, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED)
               ? 0
               : -EPIPE;
}

static bool is_too_large(const struct plait__ring *ring, size_t n)
{
    return n > (size_t)(ring->limit / 2) * GRANULE - sizeof(struct record);
}

/* Is it reserved first, and copied without the lock? */
static bool is_large(const struct plait__ring *ring, size_t n)
{
    return is_too_large(ring, n) || (n > PLAIT__RING_SMALL && !ring->has_one_producer);
}

/* ---- one item ---- */

static int reserve(struct plait__ring *ring, size_t n, struct record **ret, struct plait__look look)
{
    struct place place;
    uint64_t tail;
    int rc;

    if (is_too_large(ring, n))
        return -EMSGSIZE;
    rc = lock_put(ring, look.until);
    if (rc < 0)
        return rc;
    tail = load_relaxed(&ring->tail);
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

/* The record is ours and written. */
static void finish(struct plait__ring *ring, struct record *record, enum record_state state,
                   size_t n)
{
    /* seq_cst: the bytes before it, and the partner of plait__bell_announce */
    __atomic_exchange_n(&record->ctl, record_ctl(state, 0, n), __ATOMIC_SEQ_CST);
    if (plait__bell_awaited(&ring->get_bell))
        plait__ring_wake(ring, WAKE_GETTER);
}

static int put_reserved(struct plait__ring *ring, const plait_bytes *item, struct plait__look look)
{
    struct record *record = NULL;
    int rc = reserve(ring, item->size, &record, look);

    if (rc < 0)
        return rc;
    memcpy(record->bytes, item->bytes, item->size);
    finish(ring, record, RECORD_READY, item->size);
    return 1;
}

/* Items are written one behind the other while they are small and fit; all of them are there at
 * once, with the tail. How many. */
static ssize_t put_at_once(struct plait__ring *ring, const plait_bytes *items, size_t count)
{
    uint64_t first = load_relaxed(&ring->tail), tail = first;
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
    return move_tail(ring, first, tail) < 0 ? -EPIPE : (ssize_t)n;
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

int plait__ring_put(struct plait__ring *ring, const void *bytes, size_t n, struct plait__look look)
{
    const plait_bytes item = { bytes, n };
    ssize_t rc = plait__ring_put_many(ring, &item, 1, look);

    return rc < 0 ? (int)rc : 0;
}

int plait__ring_reserve(struct plait__ring *ring, void **ret, size_t n, struct plait__look look)
{
    struct record *record = NULL;
    int rc = reserve(ring, n, &record, look);

    if (rc == 0)
        *ret = record->bytes;
    return rc;
}

int plait__ring_commit(struct plait__ring *ring, void *bytes, size_t n)
{
    struct record *record = plait__ring_record_of(ring, bytes, RECORD_RSV);

    if (record == NULL || n > record_size(load_relaxed(&record->ctl)))
        return -EINVAL;
    finish(ring, record, RECORD_READY, n);
    return 0;
}

int plait__ring_abort(struct plait__ring *ring, void *bytes)
{
    struct record *record = plait__ring_record_of(ring, bytes, RECORD_RSV);

    if (record == NULL)
        return -EINVAL;
    finish(ring, record, RECORD_SKIP, 0);
    plait__ring_tidy(ring, false); /* if nothing is before it, it counts no more */
    return 0;
}

/* ---- looking ---- */

bool plait__ring_has_room(const struct plait__ring *ring, size_t n)
{
    uint64_t tail = load_relaxed(&ring->tail), free = load_relaxed(&ring->free);
    uint32_t granules = granules_of(n);

    return fits(ring, tail, free, lost_at_end(ring, tail, granules) + granules);
}

bool plait__ring_may_put(const struct plait__ring *ring, size_t n)
{
    return plait__ring_is_closed(ring) || plait__ring_has_room(ring, n);
}
