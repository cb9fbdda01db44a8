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
    DEFAULT_LEASES = 64,
    MAX_LEASES = 1 << 16,
    MIN_BYTES = 64,
    MAX_ITEMS = 1 << 30, /* marks count items in 31 bits */
};

/* ---- making ---- */

static uint32_t limit_of(const plait_queue_opts *opts)
{
    return (uint32_t)((opts->max_bytes == 0 ? DEFAULT_BYTES : opts->max_bytes) / GRANULE);
}

static uint32_t ring_granules(uint32_t limit)
{
    uint32_t granules = MIN_GRANULES;

    while (granules < limit)
        granules *= 2;
    return granules;
}

static uint32_t leases_of(const plait_queue_opts *opts)
{
    return opts->max_leases == 0 ? DEFAULT_LEASES : (uint32_t)opts->max_leases;
}

int plait__ring_bytes(const plait_queue_opts *opts, size_t *ret)
{
    if (opts->max_bytes != 0 &&
        (opts->max_bytes < MIN_BYTES || opts->max_bytes / GRANULE > MAX_GRANULES))
        return -EINVAL;
    if (opts->max_leases > MAX_LEASES)
        return -EINVAL;
    *ret = sizeof(struct plait__ring) + (size_t)ring_granules(limit_of(opts)) * GRANULE +
           leases_of(opts) * sizeof(struct lease);
    return 0;
}

/* What is larger is reserved first, and copied without the lock; or refused. */
static uint64_t at_once_of(const struct plait__ring *ring, const plait_queue_opts *opts)
{
    uint64_t most = (uint64_t)(ring->limit / 2) * GRANULE - sizeof(struct record);

    if (!opts->single_producer && most > PLAIT__RING_SMALL)
        most = PLAIT__RING_SMALL;
    return most < ring->max_item_bytes ? most : ring->max_item_bytes;
}

void plait__ring_init(struct plait__ring *ring, const plait_queue_opts *opts)
{
    bool has_max = opts->max_items != 0 && opts->max_items < MAX_ITEMS;

    PLAIT__ASSERT((uintptr_t)ring % PLAIT__RING_LINE == 0);
    ring->limit = limit_of(opts);
    ring->mask = ring_granules(ring->limit) - 1;
    ring->max_items = has_max ? (uint32_t)opts->max_items : MAX_ITEMS;
    ring->max_leases = leases_of(opts);
    ring->max_kib = (uint32_t)((uint64_t)ring->limit * GRANULE / 1024);
    ring->max_item_bytes = opts->max_item_bytes == 0 ? UINT64_MAX : opts->max_item_bytes;
    ring->at_once = at_once_of(ring, opts);
    ring->has_one_producer = opts->single_producer;
    ring->has_one_consumer = opts->single_consumer;
    memset(ring->data + ((size_t)ring->mask + 1) * GRANULE, 0,
           ring->max_leases * sizeof(struct lease));
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

void plait__ring_wake(struct plait__ring *ring, unsigned whom)
{
    if (whom & WAKE_GETTERS)
        plait__bell_ring_all(&ring->get_bell);
    else if (whom & WAKE_GETTER)
        plait__bell_ring(&ring->get_bell);
    if (whom & WAKE_PUTTERS)
        plait__bell_ring_all(&ring->put_bell);
    else if (whom & WAKE_PUTTER)
        plait__bell_ring(&ring->put_bell);
    if (whom & WAKE_JOINERS)
        plait__bell_ring_all(&ring->join_bell);
}

void plait__ring_close(struct plait__ring *ring)
{
    __atomic_fetch_or(&ring->tail, PLAIT__RING_CLOSED, __ATOMIC_SEQ_CST);
    plait__ring_wake(ring, WAKE_GETTERS | WAKE_PUTTERS);
}

void plait__ring_drop(struct plait__ring *ring)
{
    __atomic_store_n(&ring->is_dropped, 1, __ATOMIC_SEQ_CST);
    plait__ring_close(ring);
    plait__ring_wake(ring, WAKE_JOINERS);
}

bool plait__ring_is_closed(const struct plait__ring *ring)
{
    return (__atomic_load_n(&ring->tail, __ATOMIC_SEQ_CST) & PLAIT__RING_CLOSED) != 0;
}

size_t plait__ring_size(const struct plait__ring *ring)
{
    uint32_t take = mark_items(__atomic_load_n(&ring->take, __ATOMIC_SEQ_CST));
    uint32_t tail = mark_items(__atomic_load_n(&ring->tail, __ATOMIC_SEQ_CST));

    if (__atomic_load_n(&ring->is_dropped, __ATOMIC_SEQ_CST))
        return 0;
    return ((tail - take) & 0x7fffffff) + plait__leases_back(ring);
}

/* ---- tasks ---- */

/* What can still come is read last: the count may be too high at this moment, never too low. Of a
 * dropped ring only what has been taken counts. */
uint32_t plait__ring_unfinished(const struct plait__ring *ring)
{
    uint32_t finished = __atomic_load_n(&ring->finished, __ATOMIC_SEQ_CST);
    uint32_t skipped = (uint32_t)__atomic_load_n(&ring->skipped, __ATOMIC_SEQ_CST);
    bool is_dropped = __atomic_load_n(&ring->is_dropped, __ATOMIC_SEQ_CST) != 0;
    const uint64_t *end = is_dropped ? &ring->take : &ring->tail;

    return (mark_items(__atomic_load_n(end, __ATOMIC_SEQ_CST)) - skipped - finished) & 0x7fffffff;
}

int plait__ring_task_done(struct plait__ring *ring)
{
    uint32_t finished = __atomic_load_n(&ring->finished, __ATOMIC_SEQ_CST);

    do
        if (plait__ring_unfinished(ring) == 0)
            return -EINVAL;
    while (!__atomic_compare_exchange_n(&ring->finished, &finished, finished + 1, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    if (plait__ring_unfinished(ring) == 0 && plait__bell_awaited(&ring->join_bell))
        plait__ring_wake(ring, WAKE_JOINERS);
    return 0;
}

/* ---- records ---- */

/* The record that names the parcel with these bytes, if its note is true; else NULL. */
static struct record *record_of_parcel(struct plait__ring *ring, const void *bytes)
{
    uint64_t parcel = plait__parcel_of(bytes), note;
    struct record *record;

    if (parcel == 0)
        return NULL;
    note = __atomic_load_n(plait__parcel_note(parcel), __ATOMIC_RELAXED);
    if (note % GRANULE != 0 || note >= (size_t)ring->mask * GRANULE)
        return NULL;
    record = (struct record *)(void *)(ring->data + note);
    return record_large(record)->parcel == parcel ? record : NULL;
}

struct record *plait__ring_record_of(struct plait__ring *ring, const void *bytes,
                                     enum record_state state)
{
    uintptr_t begin = (uintptr_t)ring->data, at = (uintptr_t)bytes - sizeof(struct record);
    bool is_inside = at >= begin && at - begin < ((size_t)ring->mask + 1) * GRANULE;
    struct record *record = (struct record *)at;
    uint64_t ctl;

    if (is_inside && at % GRANULE != 0)
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

void plait__ring_fini(struct plait__ring *ring)
{
    uint64_t at = ring->free;

    while (!is_same_place(at, ring->tail)) {
        struct record *record = record_at(ring, at);
        if (record->ctl & RECORD_PARCEL)
            plait__parcel_drop(record_large(record)->parcel);
        at = mark_behind(at, record, record->ctl);
    }
    plait__leases_fini(ring);
}
