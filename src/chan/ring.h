/* The owned-record ring: what a queue is made of. Many producers, many consumers, records of any
 * size, and a SIGKILL at any instruction of any of them.
 * SPDX-License-Identifier: MIT
 *
 * It is one block of shared memory that holds no pointer, so that it may lie at another address in
 * each process. The records lie behind one another in the order of their reservation; one that
 * would not fit before the end of the ring begins at its start, behind a record that is skipped.
 *
 *          free             take                  tail
 *     ------|--------|-------|------|------|-------|------
 *            DONE  TAKEN      READY  RSV    READY
 *
 *     record   absent --put, small--> READY                        committed with the tail
 *              absent --> RSV --commit--> READY · RSV --abort--> SKIP
 *              READY --get, small--> (freed or) DONE               handed over
 *              READY --> TAKEN --> DONE                            handed over
 *     the dead RSV --> SKIP: its put never returned · TAKEN --> READY: in its place again
 *
 * put_lock guards the tail, get_lock `take` and `free`; each names the process that holds it and is
 * taken over from the dead. RSV and TAKEN name their process too, so whatever a death leaves behind
 * says whose it was:
 *
 *     killed in a put, before the tail is moved    the bytes behind the tail are nobody's
 *     killed with an RSV                           whoever walks by makes it SKIP
 *     killed in a get, before the hand-over        it is READY still, or a sweep finds it TAKEN
 *     killed after the hand-over                   DONE, or free is moved: freed by anybody
 *     killed in a repair                           each is one store that can be done twice
 *
 * An item that is larger than half of the ring lies in a parcel (family/parcel.h) that its record
 * names: left before the record is READY, dropped before it is DONE. Dropping it is the hand-over: a
 * record whose parcel is gone has been handed over, whatever it says. The bytes in parcels have a
 * bound of their own: each such record says how many KiB were put up to it, ever, so what was put
 * and what was freed are two numbers that are stored, never added to.
 *
 * A leased item has left the ring: it lies in an entry behind the data, or in a parcel that this
 * names (ring_lease.c).
 *
 * A declared single producer (consumer) is one process that keeps its lock while it lives, and so
 * needs no atomic exchange to take it; another process is refused until that one is dead.
 *
 * The lanes of a queue are as many rings, one behind the other, each with its bounds, its locks and
 * its putters' bell. Who gets or joins does it at all of them, and sleeps at the first one's bell; the
 * bells of the others only tell that somebody does. What is said about all lanes lies in the first
 * one: who waits there, how many items are finished, and whether it is the end (a process may be
 * killed when it has closed some of them: the others follow the first).
 *
 * In a named segment all is the same, but that those who share it do not trust each other. What a
 * process needs to know of the ring's size it has for itself. Each record is looked at once, and what
 * it says has to make sense for that place (is_sane): so whatever others write there, nobody reads or
 * writes outside of the ring, or walks along it for ever. There are no parcels; a leased item that is
 * too large for its entry lies in the hall, which is as large as the ring.
 *
 * models/ring.pml is the model of it.
 */
#ifndef PLAIT__CHAN_RING_H
#define PLAIT__CHAN_RING_H

#include "chan/bell.h"
#include <plait/queue.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PLAIT__RING_LINE = 128,       /* two cache lines: the one next to it is fetched along */
    PLAIT__RING_SMALL = 512,      /* bytes that are copied with the lock held */
    PLAIT__RING_PATIENCE_MS = 100 /* for another task inside the ring, whatever the deadline */
};

/* A mark is a place between two records, in one word so that one store moves it: its position in
 * granules of 16 bytes, the number of items before it, and whether the ring is closed (in the tail).
 * Both count round and round. */
#define PLAIT__RING_CLOSED (UINT64_C(1) << 63)

/* What all processes share of a lane. Zero bytes: nothing is in it, and nobody has locked it. */
struct plait__ring_shared {
    uint32_t put_lock __attribute__((aligned(PLAIT__RING_LINE)));
    uint64_t tail;        /* atomic: put_lock; CLOSED is set without it */
    uint64_t free_seen;   /* put_lock: free as it was when we looked */
    uint32_t kib_put;     /* atomic: put_lock: in parcels, ever */
    uint32_t kib_before;  /* put_lock: the same before the put that is under way */
    uint64_t kib_pending; /* put_lock: the tail that this makes, and RING_CLOSED; 0: none is */

    uint32_t get_lock __attribute__((aligned(PLAIT__RING_LINE)));
    uint32_t is_dropped; /* atomic: set once: nothing is handed over any more */
    uint64_t take;       /* atomic: get_lock */
    uint64_t tail_seen;  /* get_lock: tail as it was when we looked */
    uint64_t skipped;    /* atomic: get_lock: items that never came: how many, and the last one */
    uint32_t leases;     /* atomic: get_lock: entries beyond were never used */
    uint32_t has_back;   /* atomic: somebody has given a leased item back */
    uint32_t is_short; /* atomic: somebody waits for a free entry, or for room for a leased item */
    uint32_t lease_token; /* get_lock: of the last lease, round and round */
    uint64_t lease_order; /* get_lock: how many items were leased */
    int64_t lease_look;   /* get_lock: when to look again for leases of the dead */
    uint32_t kib_freed;   /* atomic: get_lock: of what was put in parcels; before `free` is moved */

    uint64_t free __attribute__((aligned(PLAIT__RING_LINE))); /* atomic: get_lock */

    uint32_t get_bell __attribute__((aligned(PLAIT__RING_LINE)));
    uint32_t put_bell;
    uint32_t join_bell;
    uint32_t
        finished; /* atomic, in the first lane: items that plait__ring_task_done was called for */

    char data[] __attribute__((aligned(PLAIT__RING_LINE))); /* then entries of leases, the hall */
};

/* A lane, and where it is. Const. In the family there is one for all, beside what they share; of a
 * ring in a segment each process has its own, and nobody else can change it. */
struct plait__ring {
    struct plait__ring_shared *shared __attribute__((aligned(PLAIT__RING_LINE)));
    uint32_t mask;      /* granules - 1 */
    uint32_t limit;     /* most granules in use */
    uint32_t max_items; /* most items that are put and not handed over */
    uint32_t max_leases;
    uint32_t max_kib; /* most in parcels, unless it is one alone */
    uint32_t n_lanes, lane;
    bool has_one_producer, has_one_consumer;
    bool in_segment; /* without parcels, and of what others may write nothing is believed */
    uint64_t max_item_bytes;
    uint64_t at_once;    /* most bytes that are put with the lock taken once */
    uint64_t lane_bytes; /* from what is shared of one lane to that of the next */
    uint64_t hall_bytes; /* for leased items that do not fit into their entries */
};

/* How a call looks: until when it waits for the lock (but at least PATIENCE), and whether it asks
 * the kernel about the owners of what is in its way. Without that, `thorough`, no system call is
 * made while no other task is inside. */
struct plait__look {
    plait_deadline until;
    bool thorough;
};

/* The first lane of a queue with these options, but for where it is. 0, -EINVAL. */
int plait__ring_plan(struct plait__ring *ret, const plait_queue_opts *opts, bool in_segment);
/* How many bytes are shared, of all lanes. */
size_t plait__ring_bytes(const struct plait__ring *plan);
/* Makes all lanes, one behind the other; what is shared begins there, at a multiple of
 * PLAIT__RING_LINE. */
void plait__ring_place(struct plait__ring *first, const struct plait__ring *plan, void *shared);
/* What is shared becomes what zero bytes are. */
void plait__ring_clear(struct plait__ring *first);
/* Of all lanes: frees what lies elsewhere. pre: nobody uses them; not in a segment. */
void plait__ring_fini(struct plait__ring *first);

static inline struct plait__ring *plait__ring_lane(const struct plait__ring *first, uint32_t lane)
{
    return (struct plait__ring *)((uintptr_t)first + lane * sizeof *first);
}

/* All of these return at once but for other tasks inside. What they share: -EAGAIN: there is no
 * room, or no item · -EPIPE: closed (and drained) · -EMSGSIZE · -EBUSY: another process is the
 * single producer (consumer), and lives · -EBADMSG: in a segment, what is there cannot be · of the
 * lock: -ETIMEDOUT, -ECANCELED, -ENOMEM, -EUSERS. */
/* As many of the items as there is room for, at least 1. */
ssize_t plait__ring_put_many(struct plait__ring *ring, const plait_bytes *items, size_t count,
                             struct plait__look look);
int plait__ring_reserve(struct plait__ring *ring, void **ret, size_t n, struct plait__look look);
/* -EINVAL: these bytes are not reserved by this process, or are fewer than n. */
int plait__ring_commit(struct plait__ring *ring, void *bytes, size_t n);
int plait__ring_abort(struct plait__ring *ring, void *bytes);

ssize_t plait__ring_get(struct plait__ring *ring, void *buf, size_t cap, struct plait__look look);
ssize_t plait__ring_get_many(struct plait__ring *ring, const plait_queue_batch *batch,
                             struct plait__look look);
ssize_t plait__ring_peek(struct plait__ring *ring, void *buf, size_t cap, struct plait__look look);
ssize_t plait__ring_borrow(struct plait__ring *ring, const void **ret, struct plait__look look);
/* -EINVAL: these bytes are not borrowed by this process. */
int plait__ring_release(struct plait__ring *ring, const void *bytes);

/* -EAGAIN also: max_leases. Sets all of ret but the queue. */
int plait__ring_lease(struct plait__ring *ring, plait_lease *ret, struct plait__look look);
/* From whichever lane. -EINVAL: it is no lease of this process's. */
int plait__ring_ack(struct plait__ring *first, const plait_lease *lease);
int plait__ring_nack(struct plait__ring *first, const plait_lease *lease);

/* Announces a task that wants to put so many bytes at put_bell: what to wait on. */
uint32_t plait__ring_announce_put(struct plait__ring *ring, size_t n, bool thorough);
/* So, a task that wants to get or to join, at a bell of the first lane. */
uint32_t plait__ring_announce(struct plait__ring *first, uint32_t *bell);
/* Whoever sleeps looks again, at all lanes. */
void plait__ring_wake_all(struct plait__ring *first);
/* Is it worth a look? Takes no lock. */
bool plait__ring_may_put(const struct plait__ring *ring, size_t n);
/* At any lane? */
bool plait__ring_may_get(const struct plait__ring *first);
/* Is it open, and nothing in it that is not handed over, or leased? */
bool plait__ring_is_idle(const struct plait__ring *ring);
bool plait__ring_has_room(const struct plait__ring *ring, size_t n);

/* Steps over what the dead and the aborted left, and frees what can be freed. */
void plait__ring_tidy(struct plait__ring *ring, bool thorough);
bool plait__ring_is_closed(const struct plait__ring *ring);

/* All lanes, from here on. */
void plait__ring_close(struct plait__ring *first);
/* Closes them; what is in them is not handed over any more. */
void plait__ring_drop(struct plait__ring *first);
/* Who closed or dropped the first may have been killed before all was done. */
void plait__ring_follow_first(struct plait__ring *first);
/* Items that are put and not taken yet, or given back; an aborted one counts until those before it
 * are taken. */
size_t plait__ring_size(const struct plait__ring *first);

/* Items that were put and not finished yet. */
uint32_t plait__ring_unfinished(const struct plait__ring *first);
/* 0, -EINVAL: there is none. */
int plait__ring_task_done(struct plait__ring *first);

#endif
