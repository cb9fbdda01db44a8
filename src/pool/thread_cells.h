/* Cells: what stands in a thread pool's queues for a job that nobody has claimed.
 * SPDX-License-Identifier: MIT
 *
 * A job may be claimed out of the middle of a deque (by a task that waits for it, or that cancels
 * it) and be gone long before its place in the deque comes up. So a deque holds cells, which live as
 * long as the pool. A cell holds its job until somebody claims that, by taking the pointer out: once,
 * as each does it by an atomic exchange. Whoever then finds the empty cell in a queue puts it back.
 *
 * A job knows its cell for ever. That the cell may hold another job by then does no harm: a claim is
 * for one job, and that is alive.
 */
#ifndef PLAIT__POOL_THREAD_CELLS_H
#define PLAIT__POOL_THREAD_CELLS_H

#include "base/list.h"

#include <stdbool.h>

struct plait__job;
struct plait__cells;

struct plait__cell {
    struct plait__job *job;    /* atomic: that nobody has claimed; NULL: none */
    struct plait__cells *home; /* const */
    struct plait__cell *next;  /* of a free one: whoever has it in hand */
    struct plait__list node;   /* in a lane of the injection queue; its lock */
};

/* The cells that one worker, or the injection queue, hands out. Zero bytes are fine. */
struct plait__cells {
    struct plait__cell *free; /* owner */
    struct plait__cell
        *returned; /* atomic: by others; all taken at once, so that no cell is met twice */
    struct plait__slab *slabs; /* owner */
};

/* Owner: a cell for the job, which then knows it. NULL: no memory. */
struct plait__cell *plait__cell_get(struct plait__cells *cells, struct plait__job *job);
/* The empty cell was taken out of its queue; `mine` are the caller's, NULL: it has none. */
void plait__cell_put(struct plait__cell *cell, struct plait__cells *mine);
/* Nobody uses them any more. */
void plait__cells_fini(struct plait__cells *cells);

/* Takes out whatever job is left; NULL: somebody has claimed it. */
static inline struct plait__job *plait__cell_open(struct plait__cell *cell)
{
    return __atomic_exchange_n(&cell->job, NULL, __ATOMIC_ACQ_REL);
}

static inline bool plait__cell_holds(const struct plait__cell *cell, const struct plait__job *job)
{
    return __atomic_load_n(&cell->job, __ATOMIC_RELAXED) == job; /* a hint; a claim decides */
}

/* Is the job ours now? Once. */
static inline bool plait__cell_claim(struct plait__cell *cell, struct plait__job *job)
{
    /* acq_rel: what was written to the job before it was queued is seen by whoever claims it */
    return __atomic_compare_exchange_n(&cell->job, &job, NULL, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

#endif
