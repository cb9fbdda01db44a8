/* The owned-record ring: the consumers' side, and what is done for the dead.
 * SPDX-License-Identifier: MIT
 *
 * Whoever holds get_lock walks from `take` to the first READY record. While nobody else has one in
 * hand (free and take are one place), a small item is handed over by moving `free` behind it; in
 * this order: `take` lies before `free` then for a moment, and a killed one leaves it there. Else
 * the hand-over is the store of DONE, and `free` follows when all before it are DONE too.
 */
#include "base/assert.h"
#include "chan/ring.h"
#include "chan/ring_record.h"
#include "family/parcel.h"

#include <errno.h>
#include <string.h>

/* ---- with get_lock ---- */

/* Who is to look for room again: one, who passes the wake on, or all. */
static unsigned putters_of(struct plait__ring *ring, uint64_t free)
{
    uint32_t bell = plait__bell_awaited(&ring->shared->put_bell);
    uint32_t used;

    if (bell == 0)
        return 0;
    used = mark_position(load_relaxed(&ring->shared->tail)) - mark_position(free);
    return plait__bell_one_will_do(bell, ring->limit - used) ? WAKE_PUTTER : WAKE_PUTTERS;
}

static void move_free(struct plait__ring *ring, uint64_t free)
{
    if (ring->has_one_consumer) /* seq_cst: the partner of plait__bell_announce */
        __atomic_exchange_n(&ring->shared->free, free, __ATOMIC_SEQ_CST);
    else /* release: what was read is read; the partner is find_place of ring_put.c */
        __atomic_store_n(&ring->shared->free, free, __ATOMIC_RELEASE);
}

static void move_take(struct plait__ring *ring, uint64_t take)
{
    __atomic_store_n(&ring->shared->take, take, __ATOMIC_RELAXED); /* guarded by the lock */
}

/* Before `free` is moved behind the record: it does no harm if that does not come about. */
static void free_kib(struct plait__ring *ring, const struct record *record, uint64_t ctl)
{
    if (ctl & RECORD_PARCEL)
        __atomic_store_n(&ring->shared->kib_freed, record->kib, __ATOMIC_RELEASE);
}

/* Frees what can be freed. */
static unsigned reclaim(struct plait__ring *ring)
{
    uint64_t first = load_relaxed(&ring->shared->free), at = first,
             take = load_relaxed(&ring->shared->take);

    while (!is_same_place(at, take)) {
        struct record *record = record_at(ring, at);
        /* acquire: who had it has read it */
        uint64_t ctl = __atomic_load_n(&record->ctl, __ATOMIC_ACQUIRE);
        uint32_t granules = load_granules(record);
        if ((record_state(ctl) != RECORD_DONE && record_state(ctl) != RECORD_SKIP) ||
            !is_sane(ring, first, at, ctl, granules))
            break;
        free_kib(ring, record, ctl);
        at = mark_behind(at, granules, ctl);
    }
    if (is_same_place(at, first))
        return 0;
    move_free(ring, at);
    return putters_of(ring, at);
}

/* The lowest record that a dead process had taken is the next one again; the walk does the rest. */
static unsigned sweep(struct plait__ring *ring)
{
    uint64_t take = load_relaxed(&ring->shared->take);
    uint64_t first = load_relaxed(&ring->shared->free), at = first;
    uint32_t alive = plait__member_self();

    while (!is_same_place(at, take)) {
        struct record *record = record_at(ring, at);
        uint64_t ctl = __atomic_load_n(&record->ctl, __ATOMIC_ACQUIRE);
        uint32_t granules = load_granules(record);
        if (!is_sane(ring, first, at, ctl, granules))
            break;
        if (record_state(ctl) == RECORD_TAKEN && record_owner(ctl) != alive) {
            alive = record_owner(ctl);
            if (is_owner_dead(ring, alive)) {
                move_take(ring, at);
                return WAKE_GETTER;
            }
        }
        at = mark_behind(at, granules, ctl);
    }
    return 0;
}

/* The lock was taken over from a dead process. */
static unsigned recover(struct plait__ring *ring)
{
    uint64_t take = load_relaxed(&ring->shared->take), free = load_relaxed(&ring->shared->free);
    unsigned whom;

    if ((int32_t)(mark_position(free) - mark_position(take)) > 0)
        move_take(ring, free); /* it had handed over */
    plait__leases_recover(ring);
    ring->shared->tail_seen = __atomic_load_n(&ring->shared->tail, __ATOMIC_SEQ_CST);
    whom = sweep(ring);
    plait__owned_mend(&ring->shared->get_lock);
    return whom;
}

static void mark_done(struct record *record)
{
    uint64_t ctl = record_ctl(RECORD_DONE, 0, 0) | (load_relaxed(&record->ctl) & RECORD_PARCEL);

    /* release: what was in it is read; the partner is reclaim */
    __atomic_store_n(&record->ctl, ctl, __ATOMIC_RELEASE);
}

/* An item that never comes is counted, then DONE. The count and the item's number are one word: who
 * is killed between the two leaves a number that tells that it was counted. */
static unsigned count_skipped(struct plait__ring *ring, struct record *record, uint64_t mark)
{
    uint64_t skipped = load_relaxed(&ring->shared->skipped);
    uint64_t number = (uint64_t)mark_items(mark) + 1;

    if (skipped >> 32 != number) /* seq_cst: the partner is a join that is announced */
        __atomic_store_n(&ring->shared->skipped, number << 32 | (uint32_t)(skipped + 1),
                         __ATOMIC_SEQ_CST);
    mark_done(record);
    return plait__bell_awaited(&ring->shared->join_bell) ? WAKE_JOINERS : 0;
}

/* Nobody has the record in hand: is its item there? Else who handed it over has died, and it is
 * DONE. */
static bool is_item(struct record *record, uint64_t ctl)
{
    if (!(ctl & RECORD_PARCEL) || plait__parcel_is_left(record_large(record)->parcel))
        return true;
    mark_done(record);
    return false;
}

/* Did its owner die with it in hand? An owner may have been done with the record before its death,
 * which comes after we had read it: only what it says after the proof it says for ever. */
static bool was_left_by_dead(const struct plait__ring *ring, const struct record *record,
                             uint64_t ctl)
{
    /* seq_cst: what the dead wrote is there once they are proven dead */
    return is_owner_dead(ring, record_owner(ctl)) &&
           __atomic_load_n(&record->ctl, __ATOMIC_SEQ_CST) == ctl;
}

/* Is the record at `take` the next item? 1: yes · 0: step over it · -EAGAIN: it is being written, or
 * was a moment ago. */
static int judge(const struct plait__ring *ring, struct record *record, uint64_t ctl, bool thorough)
{
    switch (record_state(ctl)) {
    case RECORD_READY:
        return is_item(record, ctl);
    case RECORD_TAKEN: /* after a sweep: of the dead, or of one that goes on */
        return was_left_by_dead(ring, record, ctl) && is_item(record, ctl);
    case RECORD_RSV:
        if (!thorough || !was_left_by_dead(ring, record, ctl))
            return -EAGAIN;
        if (ctl & RECORD_PARCEL)
            plait__parcel_drop(record_large(record)->parcel);
        ctl = record_ctl(RECORD_SKIP, 0, 0) | (ctl & RECORD_PARCEL);
        __atomic_store_n(&record->ctl, ctl, __ATOMIC_RELAXED);
        return 0;
    case RECORD_SKIP:
    case RECORD_DONE:
        return 0;
    }
    PLAIT__ASSERT(!"a record has a state");
}

/* Nothing is left that could come back to us when another process dies. */
static bool is_drained(struct plait__ring *ring)
{
    uint64_t first = load_relaxed(&ring->shared->free), at = first;
    uint64_t take = load_relaxed(&ring->shared->take);

    while (!is_same_place(at, take)) {
        const struct record *record = record_at(ring, at);
        uint64_t ctl = load_relaxed(&record->ctl);
        uint32_t granules = load_granules(record);
        if ((record_state(ctl) == RECORD_TAKEN && record_owner(ctl) != plait__member_self()) ||
            !is_sane(ring, first, at, ctl, granules))
            return false;
        at = mark_behind(at, granules, ctl);
    }
    return !plait__leases_are_out(ring);
}

/* Is there a record at this place? */
static bool has_record(struct plait__ring *ring, uint64_t at)
{
    if (is_same_place(
            at, ring->shared->tail_seen)) /* seq_cst: the partner is move_tail of ring_put.c */
        ring->shared->tail_seen = __atomic_load_n(&ring->shared->tail, __ATOMIC_SEQ_CST);
    return !is_same_place(at, ring->shared->tail_seen);
}

static void describe(const struct plait__ring *ring, struct record *record, uint64_t ctl,
                     struct found *ret)
{
    const struct large *large = record_large(record);

    ret->record = record;
    ret->bytes = record->bytes;
    ret->size = record_size(ctl);
    ret->parcel = 0;
    if (!has_parcel(ring, ctl))
        return;
    ret->parcel = large->parcel;
    ret->bytes = plait__parcel_bytes(large->parcel);
    ret->size = large->size;
}

/* Moves `take` to the first item. 0, -EAGAIN, -EBADMSG. */
static int walk(struct plait__ring *ring, bool thorough, struct found *ret)
{
    uint64_t first = load_relaxed(&ring->shared->take), at = first;
    int rc = 0;

    while (rc == 0 && has_record(ring, at)) {
        struct record *record = record_at(ring, at);
        /* seq_cst: the partner is finish of ring_put.c */
        uint64_t ctl = __atomic_load_n(&record->ctl, __ATOMIC_SEQ_CST);
        uint32_t granules = load_granules(record);
        rc =
            is_sane(ring, first, at, ctl, granules) ? judge(ring, record, ctl, thorough) : -EBADMSG;
        if (rc < 0)
            break;
        ret->mark = at;
        ret->behind = mark_behind(at, granules, ctl);
        describe(ring, record, ctl, ret);
        if (rc > 0)
            break;
        ctl = load_relaxed(&record->ctl);
        if (record_state(ctl) == RECORD_SKIP && !(ctl & RECORD_PAD))
            ret->whom |= count_skipped(ring, record, at);
        at = ret->behind;
    }
    if (!is_same_place(at, first)) {
        move_take(ring, at);
        ret->whom |= reclaim(ring);
    }
    if (rc == 0)
        return -EAGAIN;
    return rc > 0 ? 0 : rc;
}

static int find_first(struct plait__ring *ring, bool thorough, struct found *ret)
{
    int rc;

    ret->whom = 0;
    ret->lease = NULL;
    if (__atomic_load_n(&ring->shared->is_dropped, __ATOMIC_RELAXED))
        return -EPIPE;
    if (load_relaxed32(&ring->shared->leases) != 0) {
        rc = plait__leases_find(ring, thorough, ret);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    if (thorough)
        sweep(ring);
    rc = walk(ring, thorough, ret);
    if (rc < 0 && (ring->shared->tail_seen & PLAIT__RING_CLOSED) &&
        is_same_place(load_relaxed(&ring->shared->take), ring->shared->tail_seen) &&
        is_drained(ring))
        return -EPIPE;
    return rc;
}

/* ---- the lock ---- */

static int lock_get(struct plait__ring *ring, plait_deadline until)
{
    int rc = ring->has_one_consumer ? plait__ring_hold(&ring->shared->get_lock)
                                    : ring_lock(&ring->shared->get_lock, until);

    if (rc <= 0)
        return rc;
    recover(ring);
    return 0;
}

void plait__ring_unlock_get(struct plait__ring *ring, unsigned whom)
{
    if (!ring->has_one_consumer)
        plait__owned_release(&ring->shared->get_lock);
    if (whom != 0)
        plait__ring_wake(ring, whom);
}

int plait__ring_lock_first(struct plait__ring *ring, struct plait__look look, struct found *ret)
{
    int rc = lock_get(ring, look.until);

    if (rc < 0)
        return rc;
    rc = find_first(ring, look.thorough, ret);
    if (rc < 0)
        plait__ring_unlock_get(ring, ret->whom);
    return rc;
}

/* ---- handing over ---- */

void plait__ring_hand_over(struct plait__ring *ring, struct found *found)
{
    if (found->lease != NULL) {
        found->whom |= plait__lease_hand_over(ring, found->lease);
        return;
    }
    if (found->parcel != 0)
        plait__parcel_drop(found->parcel); /* the hand-over */
    plait__ring_step_over(ring, found);
}

void plait__ring_step_over(struct plait__ring *ring, struct found *found)
{
    if (is_same_place(load_relaxed(&ring->shared->free), found->mark)) {
        if (found->parcel != 0)
            free_kib(ring, found->record, RECORD_PARCEL);
        move_free(ring, found->behind);
        move_take(ring, found->behind);
        found->whom |= putters_of(ring, found->behind);
        return;
    }
    mark_done(found->record);
    move_take(ring, found->behind);
    found->whom |= reclaim(ring);
}

/* It is ours, in its place. */
static void take(struct plait__ring *ring, const struct found *found)
{
    uint64_t ctl;

    if (found->lease != NULL) {
        plait__lease_borrow(ring, found->lease);
        return;
    }
    ctl = found->parcel != 0 ? record_ctl(RECORD_TAKEN, plait__member_self(), 0) | RECORD_PARCEL
                             : record_ctl(RECORD_TAKEN, plait__member_self(), found->size);
    __atomic_store_n(&found->record->ctl, ctl, __ATOMIC_RELAXED); /* guarded by the lock */
    move_take(ring, found->behind);
}

/* What we had taken is read. */
static void give_back(struct plait__ring *ring, struct record *record)
{
    unsigned whom;

    if (has_parcel(ring, load_relaxed(&record->ctl)))
        plait__parcel_drop(record_large(record)->parcel); /* the hand-over */
    mark_done(record);
    if (lock_get(ring, PLAIT_NOWAIT) < 0)
        return; /* whoever wants room does it */
    whom = reclaim(ring);
    if (plait__ring_is_closed(ring) && plait__bell_awaited(&ring->shared->get_bell))
        whom |= WAKE_GETTERS; /* those who wait for what we had are told of the end */
    plait__ring_unlock_get(ring, whom);
}

ssize_t plait__ring_get(struct plait__ring *ring, void *buf, size_t cap, struct plait__look look)
{
    struct found found;
    int rc = plait__ring_lock_first(ring, look, &found);

    if (rc < 0)
        return rc;
    if (found.size > cap) {
        plait__ring_unlock_get(ring, found.whom);
        return -EMSGSIZE;
    }
    if (found.size <= PLAIT__RING_SMALL || ring->has_one_consumer || found.lease != NULL) {
        if (found.size > 0)
            memcpy(buf, found.bytes, found.size);
        plait__ring_hand_over(ring, &found);
        plait__ring_unlock_get(ring, found.whom);
    } else {
        take(ring, &found);
        plait__ring_unlock_get(ring, found.whom);
        memcpy(buf, found.bytes, found.size);
        give_back(ring, found.record);
    }
    return (ssize_t)found.size;
}

ssize_t plait__ring_get_many(struct plait__ring *ring, const plait_queue_batch *batch,
                             struct plait__look look)
{
    size_t n = 0, used = 0;
    unsigned whom = 0;
    struct found found;
    int rc = plait__ring_lock_first(ring, look, &found);

    if (rc < 0)
        return rc;
    while (rc == 0 && n < batch->max_items && found.size <= batch->cap - used) {
        char *at = (char *)batch->buf + used;
        if (found.size > 0)
            memcpy(at, found.bytes, found.size);
        batch->items[n++] = (plait_bytes){ at, found.size };
        used += (found.size + GRANULE - 1) / GRANULE * GRANULE;
        plait__ring_hand_over(ring, &found);
        whom |= found.whom;
        if (used >= batch->cap)
            break;
        rc = find_first(ring, false, &found);
        whom |= found.whom;
    }
    plait__ring_unlock_get(ring, whom);
    return n > 0 ? (ssize_t)n : -EMSGSIZE;
}

ssize_t plait__ring_peek(struct plait__ring *ring, void *buf, size_t cap, struct plait__look look)
{
    struct found found;
    int rc = plait__ring_lock_first(ring, look, &found);

    if (rc < 0)
        return rc;
    if (cap > found.size)
        cap = found.size;
    if (cap > 0)
        memcpy(buf, found.bytes, cap);
    plait__ring_unlock_get(ring, found.whom);
    return (ssize_t)found.size;
}

ssize_t plait__ring_borrow(struct plait__ring *ring, const void **ret, struct plait__look look)
{
    struct found found;
    int rc = plait__ring_lock_first(ring, look, &found);

    if (rc < 0)
        return rc;
    take(ring, &found);
    plait__ring_unlock_get(ring, found.whom);
    *ret = found.bytes;
    return (ssize_t)found.size;
}

int plait__ring_release(struct plait__ring *ring, const void *bytes)
{
    struct record *record = plait__ring_record_of(ring, bytes, RECORD_TAKEN);

    if (record == NULL)
        return plait__lease_release(ring, bytes);
    give_back(ring, record);
    return 0;
}

/* ---- waiting, tidying ---- */

/* The lock of a single consumer is had only when that one is dead. */
static bool lock_to_tidy(struct plait__ring *ring, unsigned *ret_whom)
{
    int rc = ring->has_one_consumer
                 ? plait__owned_acquire(&ring->shared->get_lock, true, PLAIT_NOWAIT)
                 : ring_lock(&ring->shared->get_lock, PLAIT_NOWAIT);

    *ret_whom = rc > 0 ? recover(ring) : 0;
    return rc >= 0;
}

static unsigned clear(struct plait__ring *ring, bool thorough)
{
    struct found found = { .whom = thorough ? sweep(ring) : 0 };

    walk(ring, thorough, &found);
    return found.whom | reclaim(ring);
}

static bool may_get_from(const struct plait__ring *ring)
{
    uint64_t tail = load_relaxed(&ring->shared->tail);

    return (tail & PLAIT__RING_CLOSED) || !is_same_place(tail, load_relaxed(&ring->shared->take)) ||
           load_relaxed32(&ring->shared->has_back) != 0;
}

bool plait__ring_may_get(const struct plait__ring *first)
{
    for (uint32_t i = 0; i < first->n_lanes; i++)
        if (may_get_from(plait__ring_lane(first, i)))
            return true;
    return false;
}

bool plait__ring_is_idle(const struct plait__ring *ring)
{
    /* seq_cst: who is announced sees what was put; the partner is move_tail of ring_put.c */
    uint64_t tail = __atomic_load_n(&ring->shared->tail, __ATOMIC_SEQ_CST);

    return !(tail & PLAIT__RING_CLOSED) && is_same_place(tail, load_relaxed(&ring->shared->free)) &&
           load_relaxed32(&ring->shared->leases) == 0 &&
           load_relaxed32(&ring->shared->is_dropped) == 0;
}

/* Announced with the lock held, the next who frees something sees it without a barrier of his own; a
 * single consumer, which keeps the lock, has one. When the lock is not to be had, a wake may be
 * missed: every sleep is short. */
uint32_t plait__ring_announce_put(struct plait__ring *ring, size_t n, bool thorough)
{
    uint32_t want = is_too_large(ring, n) ? PLAIT__BELL_MOST_WANT : granules_of(n), seen;
    unsigned whom;

    if (!lock_to_tidy(ring, &whom))
        return plait__bell_announce(&ring->shared->put_bell, want);
    seen = plait__bell_announce(&ring->shared->put_bell, want);
    whom |= clear(ring, thorough);
    plait__owned_release(&ring->shared->get_lock);
    plait__ring_wake(ring, whom);
    return seen;
}

void plait__ring_tidy(struct plait__ring *ring, bool thorough)
{
    unsigned whom;

    if (!lock_to_tidy(ring, &whom))
        return;
    whom |= clear(ring, thorough);
    plait__owned_release(&ring->shared->get_lock);
    plait__ring_wake(ring, whom);
}
