/* A map: one function over many items, cut into chunks that are jobs.
 * SPDX-License-Identifier: MIT
 *
 * map_calls.c makes it and waits; map.c feeds it: submits chunks as long as there is room, again
 * when some have ended. One task feeds at a time. Where an executor refills jobs the chunks take
 * their items by themselves while they run, and are as many as can run at once. A map belongs to
 * its future, and goes with it.
 */
#ifndef PLAIT__POOL_MAP_H
#define PLAIT__POOL_MAP_H

#include "pool/pool.h"
#include "pool/rows.h"

enum {
    PLAIT__MAP_LINE = 64 /* bytes that one CPU has at a time */
};

struct plait__map {
    struct plait__list node;         /* in the pool's, while items are not submitted; pool lock */
    plait_future *future;            /* const: whose end this is; it holds us */
    plait_pool *pool;                /* const */
    plait_pool_fn *fn;               /* const */
    plait_items in;                  /* const */
    plait_items out;                 /* const */
    struct plait__rows rows;         /* const: of a starmap; without columns: of a map */
    void *ctx;                       /* const */
    size_t ctx_bytes;                /* const */
    void *own_ctx;                   /* const: the copy of it, or NULL */
    struct plait__job_limits limits; /* const */
    plait_result *results;           /* const: the caller's, or NULL */
    size_t n;                        /* const: items */
    size_t chunk;                    /* const: as the caller says; 0: measured */
    bool waits;                      /* const: its submitter does nothing else meanwhile */
    bool is_shared;                  /* const: its chunks take items while they run */

    char apart[56]; /* who takes items does not disturb those who read what is above */
    size_t next; /* lock, or (is_shared) atomic: items that chunks have got; it may be beyond n */
    char more_apart[56];

    struct plait__mutex lock;
    size_t n_bad;              /* lock: items that did not end in a value */
    size_t first_bad;          /* lock: the first of them … */
    plait_result bad;          /* lock: … and what it ended in */
    int64_t cost_ns;           /* lock: so long ran … */
    int64_t cost_items;        /* lock: … so many items */
    bool is_stopped;           /* lock: no more is submitted; the rest ends in `rest` */
    bool is_killed;            /* lock: what is under way is to be cancelled with kill */
    bool is_ended;             /* lock */
    plait_result rest;         /* lock */
    bool is_feeding;           /* lock: a task feeds it */
    bool again;                /* lock: and is to look once more */
    uint32_t n_flying;         /* lock: chunks submitted, or about to be */
    uint64_t flight;           /* lock: a number for each chunk that was submitted */
    struct plait__list flying; /* lock: submitted chunks, the newest first */
    struct plait__list idle;   /* lock: chunks to be used again */
};

/* Some items of a map. */
struct plait__chunk {
    _Alignas(PLAIT__MAP_LINE) struct plait__job job;
    struct plait__list node; /* in flying or idle; map lock */
    struct plait__map *map;  /* const */
    size_t first;    /* the feeder's, or (is_shared) its worker's, these too: its first item */
    uint64_t flight; /* map lock */
    bool is_flying;  /* map lock */
    unsigned pins;   /* map lock: tasks that help it; it is not used again before they left */
    plait_result *results; /* the feeder's: where the caller has none */
    char *packed;          /* the feeder's: rows */
    uint32_t cap;          /* the feeder's: room in both, in items */
};

/* So many items chunks have got. */
static inline size_t plait__map_next(const struct plait__map *map)
{
    /* relaxed: what is to be known for certain is asked when no chunk is under way */
    size_t next = __atomic_load_n(&map->next, __ATOMIC_RELAXED);

    return next < map->n ? next : map->n;
}

/* Submits what there is room for. 0; -errno: nothing of it was submitted, and nothing will be (only
 * at its first call). */
int plait__map_feed(struct plait__map *map);
/* One chunk that is there whatever comes. -ENOMEM. */
int plait__map_reserve(struct plait__map *map);

#endif
