/* The owned-record ring: its making, its locks and bells, its end.
 * SPDX-License-Identifier: MIT
 */
#include "base/assert.h"
#include "chan/ring.h"
#include "chan/ring_record.h"
#include "family/parcel.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum {
    DEFAULT_BYTES = 1 << 20,
    DEFAULT_BYTES_IN_SEGMENT = 1 << 16,
    DEFAULT_LEASES = 64,
    MAX_LEASES = 1 << 16,
    MAX_LEASES_IN_SEGMENT = 1 << 12, /* so that a look at all of them takes no time */
    MIN_BYTES = 64,
    MAX_ITEMS = 1 << 30, /* marks count items in 31 bits */
    MAX_LANES = 8,
};

/* ---- making ---- */

static uint32_t ring_granules(uint32_t limit)
{
    uint32_t granules = MIN_GRANULES;

    while (granules < limit)
        granules *= 2;
    return granules;
}

static bool are_fine(const plait_queue_opts *opts, bool in_segment)
{
    if (opts->max_bytes != 0 &&
        (opts->max_bytes < MIN_BYTES || opts->max_bytes / GRANULE > MAX_GRANULES))
        return false;
    return opts->lanes <= MAX_LANES &&
           opts->max_leases <= (in_segment ? MAX_LEASES_IN_SEGMENT : MAX_LEASES);
}

/* The most bytes that an item in the ring may have. */
static uint64_t half_of(const struct plait__ring *ring)
{
    return (uint64_t)(ring->limit / 2) * GRANULE - sizeof(struct record);
}

/* What is larger is reserved first, and copied without the lock; or refused. */
static uint64_t at_once_of(const struct plait__ring *ring)
{
    uint64_t most = half_of(ring);

    if (!ring->has_one_producer && most > PLAIT__RING_SMALL)
        most = PLAIT__RING_SMALL;
    return most < ring->max_item_bytes ? most : ring->max_item_bytes;
}

static uint64_t lane_bytes_of(const struct plait__ring *ring)
{
    return sizeof(struct plait__ring_shared) + ((uint64_t)ring->mask + 1) * GRANULE +
           ring->max_leases * sizeof(struct lease) + ring->hall_bytes;
}

int plait__ring_plan(struct plait__ring *ret, const plait_queue_opts *opts, bool in_segment)
{
    bool has_max = opts->max_items != 0 && opts->max_items < MAX_ITEMS;
    size_t bytes = in_segment ? DEFAULT_BYTES_IN_SEGMENT : DEFAULT_BYTES;

    if (!are_fine(opts, in_segment) || (in_segment && opts->one_process))
        return -EINVAL;
    *ret = (struct plait__ring){ .in_segment = in_segment };
    ret->n_lanes = opts->lanes == 0 ? 1 : (uint32_t)opts->lanes;
    ret->limit = (uint32_t)((opts->max_bytes == 0 ? bytes : opts->max_bytes) / GRANULE);
    ret->mask = ring_granules(ret->limit) - 1;
    ret->max_items = has_max ? (uint32_t)opts->max_items : MAX_ITEMS;
    ret->max_leases = opts->max_leases == 0 ? DEFAULT_LEASES : (uint32_t)opts->max_leases;
    ret->max_kib = (uint32_t)((uint64_t)ret->limit * GRANULE / 1024);
    ret->max_item_bytes = opts->max_item_bytes == 0 ? UINT64_MAX : opts->max_item_bytes;
    if (in_segment && ret->max_item_bytes == UINT64_MAX)
        ret->max_item_bytes = half_of(ret);
    ret->has_one_producer = opts->single_producer;
    ret->has_one_consumer = opts->single_consumer;
    ret->at_once = at_once_of(ret);
    ret->hall_bytes = in_segment ? ((uint64_t)ret->mask + 1) * GRANULE : 0;
    ret->lane_bytes = lane_bytes_of(ret);
    return in_segment && ret->max_item_bytes > half_of(ret) ? -EINVAL : 0;
}

size_t plait__ring_bytes(const struct plait__ring *plan)
{
    return plan->n_lanes * plan->lane_bytes;
}

_Static_assert(sizeof(struct lease) % PLAIT__RING_LINE == 0 &&
                   MIN_GRANULES * GRANULE % PLAIT__RING_LINE == 0,
               "what is shared of each lane begins at a cache line");

void plait__ring_place(struct plait__ring *first, const struct plait__ring *plan, void *shared)
{
    PLAIT__ASSERT((uintptr_t)shared % PLAIT__RING_LINE == 0);
    for (uint32_t i = 0; i < plan->n_lanes; i++) {
        struct plait__ring *ring = plait__ring_lane(first, i);
        *ring = *plan;
        ring->lane = i;
        ring->shared = (struct plait__ring_shared *)(void *)((char *)shared + i * plan->lane_bytes);
    }
}

void plait__ring_clear(struct plait__ring *first)
{
    for (uint32_t i = 0; i < first->n_lanes; i++) {
        struct plait__ring *ring = plait__ring_lane(first, i);
        memset(ring->shared, 0, sizeof *ring->shared);
        memset(ring->shared->data + ((size_t)ring->mask + 1) * GRANULE, 0,
               ring->max_leases * sizeof(struct lease));
    }
}

/* ---- locks ---- */

/* Another task is inside. Whatever the caller's deadline, it is given the time to leave: a queue
 * with an item in it is not said to be empty because somebody else is looking at it. 1: taken over
 * from the dead. */
int plait__ring_lock_slowly(uint32_t *lock, plait_deadline until)
{
    plait_deadline patience = plait_after_ms(PLAIT__RING_PATIENCE_MS);

    return plait__owned_acquire(lock, true, until.ns > patience.ns ? until : patience);
}

/* The lock of a side that has been declared single: taken once, and kept. Somebody of the other side
 * may be tidying behind the dead one before us: that is soon over. */
int plait__ring_hold(uint32_t *lock)
{
    int rc;

    if (plait__owned_is_ours(lock))
        return 0;
    rc = plait__owned_acquire(lock, true, plait_after_ms(PLAIT__RING_PATIENCE_MS));
    return rc == -ETIMEDOUT ? -EBUSY : rc;
}

/* ---- who waits ---- */

uint32_t plait__ring_announce(struct plait__ring *first, uint32_t *bell)
{
    uint32_t seen = plait__bell_announce(bell, 0); /* before the others: who hushes one rings it */

    for (uint32_t i = 1; i < first->n_lanes; i++)
        plait__bell_announce((uint32_t *)((uintptr_t)bell + i * first->lane_bytes), 0);
    return seen;
}

/* Where those are asleep who are announced at a getters' or joiners' bell. */
static uint32_t *sleepers_at(const struct plait__ring *ring, uint32_t *bell)
{
    if (ring->lane == 0)
        return bell;
    plait__bell_hush(bell);
    return (uint32_t *)((uintptr_t)bell - ring->lane * ring->lane_bytes);
}

void plait__ring_wake(struct plait__ring *ring, unsigned whom)
{
    if (whom & WAKE_GETTERS)
        plait__bell_ring_all(sleepers_at(ring, &ring->shared->get_bell));
    else if (whom & WAKE_GETTER)
        plait__bell_ring(sleepers_at(ring, &ring->shared->get_bell));
    if (whom & WAKE_PUTTERS)
        plait__bell_ring_all(&ring->shared->put_bell);
    else if (whom & WAKE_PUTTER)
        plait__bell_ring(&ring->shared->put_bell);
    if (whom & WAKE_JOINERS)
        plait__bell_ring_all(sleepers_at(ring, &ring->shared->join_bell));
}

void plait__ring_wake_all(struct plait__ring *first)
{
    for (uint32_t i = 0; i < first->n_lanes; i++)
        plait__ring_wake(plait__ring_lane(first, i), WAKE_GETTERS | WAKE_PUTTERS | WAKE_JOINERS);
}

/* ---- the end ---- */

static void close_lane(struct plait__ring *ring)
{
    __atomic_fetch_or(&ring->shared->tail, PLAIT__RING_CLOSED, __ATOMIC_SEQ_CST);
    plait__ring_wake(ring, WAKE_GETTERS | WAKE_PUTTERS);
}

static bool is_dropped(const struct plait__ring *ring)
{
    return __atomic_load_n(&ring->shared->is_dropped, __ATOMIC_SEQ_CST) != 0;
}

static void drop_lane(struct plait__ring *ring)
{
    __atomic_store_n(&ring->shared->is_dropped, 1, __ATOMIC_SEQ_CST);
    close_lane(ring);
    plait__ring_wake(ring, WAKE_JOINERS);
}

void plait__ring_close(struct plait__ring *first)
{
    for (uint32_t i = 0; i < first->n_lanes; i++)
        close_lane(plait__ring_lane(first, i));
}

void plait__ring_drop(struct plait__ring *first)
{
    for (uint32_t i = 0; i < first->n_lanes; i++)
        drop_lane(plait__ring_lane(first, i));
}

void plait__ring_follow_first(struct plait__ring *first)
{
    bool drops = is_dropped(first), closes = drops || plait__ring_is_closed(first);

    for (uint32_t i = 0; closes && i < first->n_lanes; i++) {
        struct plait__ring *ring = plait__ring_lane(first, i);
        if (drops && !(is_dropped(ring) && plait__ring_is_closed(ring)))
            drop_lane(ring);
        else if (!plait__ring_is_closed(ring))
            close_lane(ring);
    }
}

bool plait__ring_is_closed(const struct plait__ring *ring)
{
    return (__atomic_load_n(&ring->shared->tail, __ATOMIC_SEQ_CST) & PLAIT__RING_CLOSED) != 0;
}

static size_t size_of_lane(const struct plait__ring *ring)
{
    uint32_t take = mark_items(__atomic_load_n(&ring->shared->take, __ATOMIC_SEQ_CST));
    uint32_t tail = mark_items(__atomic_load_n(&ring->shared->tail, __ATOMIC_SEQ_CST));

    return ((tail - take) & 0x7fffffff) + plait__leases_back(ring);
}

size_t plait__ring_size(const struct plait__ring *first)
{
    size_t n = 0;

    for (uint32_t i = 0; i < first->n_lanes; i++)
        n += size_of_lane(plait__ring_lane(first, i));
    return is_dropped(first) ? 0 : n;
}

/* ---- tasks ---- */

/* What can still come is read last: the count may be too high at this moment, never too low. Of a
 * dropped ring only what has been taken counts. */
uint32_t plait__ring_unfinished(const struct plait__ring *first)
{
    uint32_t n = -__atomic_load_n(&first->shared->finished, __ATOMIC_SEQ_CST);

    for (uint32_t i = 0; i < first->n_lanes; i++) {
        const struct plait__ring *ring = plait__ring_lane(first, i);
        uint32_t skipped = (uint32_t)__atomic_load_n(&ring->shared->skipped, __ATOMIC_SEQ_CST);
        const uint64_t *end = is_dropped(ring) ? &ring->shared->take : &ring->shared->tail;
        n += mark_items(__atomic_load_n(end, __ATOMIC_SEQ_CST)) - skipped;
    }
    return n & 0x7fffffff;
}

int plait__ring_task_done(struct plait__ring *first)
{
    uint32_t finished = __atomic_load_n(&first->shared->finished, __ATOMIC_SEQ_CST);

    do
        if (plait__ring_unfinished(first) == 0)
            return -EINVAL;
    while (!__atomic_compare_exchange_n(&first->shared->finished, &finished, finished + 1, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    if (plait__ring_unfinished(first) == 0 && plait__bell_awaited(&first->shared->join_bell))
        plait__ring_wake(first, WAKE_JOINERS);
    return 0;
}

/* ---- records ---- */

bool plait__ring_record_is_sane(const struct plait__ring *ring, uint64_t first, uint64_t at,
                                uint64_t ctl, uint32_t granules)
{
    uint32_t all = ring->mask + 1, gone = mark_position(at) - mark_position(first);
    uint32_t lap = mark_position(at) & ring->mask;

    if (granules == 0 || granules > all - gone || granules > all - lap)
        return false;
    if (record_state(ctl) < RECORD_RSV || record_state(ctl) > RECORD_DONE || (ctl & RECORD_PARCEL))
        return false;
    return record_size(ctl) <= (size_t)granules * GRANULE - sizeof(struct record);
}

/* The record that names the parcel with these bytes, if its note is true; else NULL. */
static struct record *record_of_parcel(struct plait__ring *ring, const void *bytes)
{
    uint64_t parcel = plait__parcel_of(bytes), note;
    struct record *record;

    if (parcel == 0)
        return NULL;
    note = __atomic_load_n(plait__parcel_note(parcel), __ATOMIC_RELAXED);
    note -= ring->lane * ring->lane_bytes;
    if (note % GRANULE != 0 || note >= (size_t)ring->mask * GRANULE)
        return NULL;
    record = (struct record *)(void *)(ring->shared->data + note);
    return record_large(record)->parcel == parcel ? record : NULL;
}

struct record *plait__ring_record_of(struct plait__ring *ring, const void *bytes,
                                     enum record_state state)
{
    uintptr_t begin = (uintptr_t)ring->shared->data, at = (uintptr_t)bytes - sizeof(struct record);
    bool is_inside = at >= begin && at - begin < ((size_t)ring->mask + 1) * GRANULE;
    struct record *record = (struct record *)at;
    uint64_t ctl;

    if (is_inside ? at % GRANULE != 0 : ring->in_segment)
        return NULL;
    if (!is_inside)
        record = record_of_parcel(ring, bytes);
    if (record == NULL)
        return NULL;
    ctl = __atomic_load_n(&record->ctl, __ATOMIC_ACQUIRE);
    if (record_state(ctl) != state || record_owner(ctl) != plait__member_self() ||
        !(ctl & RECORD_PARCEL) != is_inside)
        return NULL;
    return record;
}

static void end_lane(struct plait__ring *ring)
{
    uint64_t at = ring->shared->free;

    while (!is_same_place(at, ring->shared->tail)) {
        struct record *record = record_at(ring, at);
        if (record->ctl & RECORD_PARCEL)
            plait__parcel_drop(record_large(record)->parcel);
        at = mark_behind(at, record->granules, record->ctl);
    }
    plait__leases_fini(ring);
}

void plait__ring_fini(struct plait__ring *first)
{
    for (uint32_t i = 0; i < first->n_lanes; i++)
        end_lane(plait__ring_lane(first, i));
}
