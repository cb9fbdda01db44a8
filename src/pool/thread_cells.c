/* Cells: what stands in a thread pool's queues for a job that nobody has claimed.
 * SPDX-License-Identifier: MIT
 */
#include "pool/thread_cells.h"
#include "pool/job.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLAB = 64 /* cells allocated together */
};

struct plait__slab {
    struct plait__slab *next;
    struct plait__cell cells[SLAB];
};

static struct plait__cell *get_more(struct plait__cells *cells)
{
    struct plait__slab *slab;
    /* acquire: the partner is the release in put; who returned a cell is done with it */
    struct plait__cell *first = __atomic_exchange_n(&cells->returned, NULL, __ATOMIC_ACQUIRE);

    if (first != NULL)
        return first;
    slab = malloc(sizeof *slab);
    if (slab == NULL)
        return NULL;
    memset(slab, 0, sizeof *slab);
    slab->next = cells->slabs;
    cells->slabs = slab;
    for (size_t i = 0; i < SLAB; i++) {
        slab->cells[i].home = cells;
        slab->cells[i].next = i + 1 < SLAB ? &slab->cells[i + 1] : NULL;
        plait__list_init(&slab->cells[i].node);
    }
    return slab->cells;
}

struct plait__cell *plait__cell_get(struct plait__cells *cells, struct plait__job *job)
{
    struct plait__cell *cell = cells->free;

    if (cell == NULL && (cell = get_more(cells)) == NULL)
        return NULL;
    cells->free = cell->next;
    /* atomic: one that is queued again may be looked at meanwhile; the partner is plait__gang_claim */
    __atomic_store_n(&job->executor, cell, __ATOMIC_RELEASE);
    /* release: the partner is the claim; others may have kept this cell from an earlier job of it */
    __atomic_store_n(&cell->job, job, __ATOMIC_RELEASE);
    return cell;
}

void plait__cell_put(struct plait__cell *cell, struct plait__cells *mine)
{
    struct plait__cells *home = cell->home;
    struct plait__cell *next;

    if (home == mine) {
        cell->next = mine->free;
        mine->free = cell;
        return;
    }
    next = __atomic_load_n(&home->returned, __ATOMIC_RELAXED);
    do
        cell->next = next;
    while (!__atomic_compare_exchange_n(&home->returned, &next, cell, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED));
}

void plait__cells_fini(struct plait__cells *cells)
{
    while (cells->slabs != NULL) {
        struct plait__slab *slab = cells->slabs;
        cells->slabs = slab->next;
        free(slab);
    }
}
