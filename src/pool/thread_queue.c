/* Jobs of a thread pool that are to be begun.
 * SPDX-License-Identifier: MIT
 */
#include "pool/thread_gang.h"

#include <plait/error.h>

#include <errno.h>

enum {
    MOST_AT_ONCE = 16, /* cells that a worker takes from the injection queue */
    AGEING = 16        /* every so many turns a lane that is not the first has its turn */
};

/* ---- submitting ---- */

/* Empty cells at the bottom go, so that a job which submits and claims, on and on, fills nothing. */
static void trim(struct plait__worker *worker)
{
    struct plait__cell *cell;

    while ((cell = plait__deque_peek(&worker->deque)) != NULL && plait__cell_holds(cell, NULL) &&
           (cell = plait__deque_take(&worker->deque)) != NULL)
        plait__cell_put(cell, &worker->cells);
}

static int put_near(struct plait__worker *worker, struct plait__job *job)
{
    struct plait__cell *cell;

    trim(worker);
    cell = plait__cell_get(&worker->cells, job);
    if (cell == NULL)
        return -ENOMEM;
    /* before the job may be seen: is_quiet counts on it; the release is the one of the push */
    plait__count(&worker->counts.submitted, 1);
    if (plait__deque_push(&worker->deque, cell) == 0)
        return 0;
    plait__count(&worker->counts.submitted, -(uint64_t)1);
    plait__cell_open(cell);
    plait__cell_put(cell, &worker->cells);
    return -ENOMEM;
}

static int put_afar(struct plait__gang *gang, struct plait__job *job)
{
    struct plait__cell *cell = NULL;
    int rc = PLAIT_EPOOL;

    plait__mutex_lock(&gang->queue_lock);
    if (gang->is_gone) {
        rc = -EPIPE;
    } else if (!gang->is_broken) {
        cell = plait__cell_get(&gang->cells, job);
        rc = -ENOMEM;
    }
    if (cell != NULL) {
        __atomic_fetch_add(&gang->counts.submitted, 1, __ATOMIC_RELAXED);
        plait__list_push_back(&gang->lanes[job->limits.lane], &cell->node);
        __atomic_store_n(&gang->n_queued, gang->n_queued + 1, __ATOMIC_SEQ_CST);
        rc = 0;
    }
    plait__mutex_unlock(&gang->queue_lock);
    return rc;
}

int plait__gang_put(struct plait__gang *gang, struct plait__worker *worker, struct plait__job *job)
{
    int rc;

    job->slot = worker != NULL ? 0 : PLAIT__JOB_FROM_AFAR;
    rc = worker != NULL ? put_near(worker, job) : put_afar(gang, job);
    if (rc == 0)
        plait__gang_wake_one(gang);
    return rc;
}

int plait__gang_put_again(struct plait__gang *gang, struct plait__job *job)
{
    int rc = put_afar(gang, job); /* its slot stays: it may have been asked */

    if (rc == 0)
        plait__gang_wake_one(gang);
    return rc;
}

/* ---- the injection queue ---- */

/* Queue lock: the lane whose turn it is; NULL: all are empty. */
static struct plait__list *choose_lane(struct plait__gang *gang)
{
    unsigned turn = ++gang->turn;
    unsigned first = turn % AGEING == 0 ? turn / AGEING % gang->n_lanes : 0;

    for (unsigned i = 0; i < gang->n_lanes; i++) {
        struct plait__list *lane = &gang->lanes[(first + i) % gang->n_lanes];
        if (!plait__list_is_empty(lane))
            return lane;
    }
    return NULL;
}

/* Queue lock. */
static struct plait__cell *pop(struct plait__gang *gang, struct plait__list *lane)
{
    struct plait__list *node = plait__list_pop_front(lane);

    if (node == NULL)
        return NULL;
    __atomic_store_n(&gang->n_queued, gang->n_queued - 1, __ATOMIC_SEQ_CST);
    return plait__list_entry(node, struct plait__cell, node);
}

/* Queue lock: how many a worker takes. With lanes only one: what has begun to wait in a deque is
 * before everything that comes later. */
static size_t share(struct plait__gang *gang)
{
    size_t n = gang->n_queued / 2 / __atomic_load_n(&gang->n_wanted, __ATOMIC_RELAXED);

    if (gang->n_lanes > 1 || n == 0)
        return 1;
    return n < MOST_AT_ONCE ? n : MOST_AT_ONCE;
}

/* The first one, and some more into the worker's deque, the oldest of them at the bottom. */
static struct plait__job *take_afar(struct plait__worker *worker)
{
    struct plait__gang *gang = worker->gang;
    struct plait__cell *cells[MOST_AT_ONCE];
    struct plait__job *job = NULL;
    struct plait__list *lane;
    size_t n = 0;

    if (__atomic_load_n(&gang->n_queued, __ATOMIC_SEQ_CST) == 0)
        return NULL;
    plait__mutex_lock(&gang->queue_lock);
    lane = choose_lane(gang);
    for (size_t most = lane != NULL ? share(gang) : 0; n < most; n++)
        cells[n] = pop(gang, lane); /* there are as many in a single lane */
    if (n > 0) {
        job = plait__cell_open(cells[0]); /* who claims one in a lane takes it out of there */
        plait__cell_put(cells[0], &gang->cells);
    }
    while (n > 1 && plait__deque_push(&worker->deque, cells[n - 1]) == 0)
        n--;
    for (size_t i = n; i > 1; i--) { /* no memory: back to where they were */
        plait__list_push_front(lane, &cells[i - 1]->node);
        __atomic_store_n(&gang->n_queued, gang->n_queued + 1, __ATOMIC_SEQ_CST);
    }
    plait__mutex_unlock(&gang->queue_lock);
    return job;
}

/* Takes out of a lane the cell whose job was claimed there. */
static bool claim_afar(struct plait__gang *gang, struct plait__cell *cell, struct plait__job *job)
{
    bool is_ours;

    plait__mutex_lock(&gang->queue_lock);
    is_ours = plait__cell_claim(cell, job);
    if (is_ours && !plait__list_is_empty(&cell->node)) {
        plait__list_remove(&cell->node);
        __atomic_store_n(&gang->n_queued, gang->n_queued - 1, __ATOMIC_SEQ_CST);
        plait__cell_put(cell, &gang->cells);
    }
    plait__mutex_unlock(&gang->queue_lock);
    return is_ours;
}

/* ---- getting ---- */

static struct plait__job *take_own(struct plait__worker *worker)
{
    struct plait__cell *cell;

    while ((cell = plait__deque_take(&worker->deque)) != NULL) {
        struct plait__job *job = plait__cell_open(cell);
        plait__cell_put(cell, &worker->cells);
        if (job != NULL)
            return job;
    }
    return NULL;
}

/* One that was submitted last here, in the usual case by the job that waits for it. */
static bool open_cell(struct plait__worker *worker, struct plait__cell *cell)
{
    bool is_ours = plait__cell_open(cell) != NULL;

    plait__cell_put(cell, &worker->cells);
    return is_ours;
}

static struct plait__job *steal_from(struct plait__worker *victim, struct plait__cells *mine)
{
    struct plait__cell *cell;

    while ((cell = plait__deque_steal(&victim->deque)) != NULL) {
        struct plait__job *job = plait__cell_open(cell);
        plait__cell_put(cell, mine);
        if (job != NULL)
            return job;
    }
    return NULL;
}

static struct plait__job *steal(struct plait__worker *worker)
{
    struct plait__gang *gang = worker->gang;
    uint32_t n = plait__gang_numbers(gang), first;

    worker->random = worker->random * 1664525 + 1013904223;
    first = (worker->random >> 16) % n;
    for (uint32_t i = 0; i < n; i++) {
        struct plait__worker *victim = plait__gang_worker(gang, (first + i) % n);
        struct plait__job *job = victim == worker ? NULL : steal_from(victim, &worker->cells);
        if (job != NULL)
            return job;
    }
    return NULL;
}

struct plait__job *plait__gang_get(struct plait__worker *worker)
{
    struct plait__job *job = take_own(worker);

    if (job == NULL)
        job = take_afar(worker);
    if (job == NULL)
        job = steal(worker);
    if (job != NULL)
        plait__count(&worker->counts.begun, 1);
    return job;
}

bool plait__gang_claim(struct plait__gang *gang, struct plait__worker *worker,
                       struct plait__job *job)
{
    /* acquire: the partner is plait__cell_get. If it is not the job's any more, the claim fails. */
    struct plait__cell *cell = __atomic_load_n(&job->executor, __ATOMIC_ACQUIRE);
    bool is_ours = plait__cell_holds(cell, job);

    if (is_ours && __atomic_load_n(&job->slot, __ATOMIC_RELAXED) & PLAIT__JOB_FROM_AFAR)
        is_ours = claim_afar(gang, cell, job);
    else if (is_ours && worker != NULL && plait__deque_take_this(&worker->deque, cell))
        is_ours = open_cell(worker, cell);
    else if (is_ours) /* its empty cell stays where it is */
        is_ours = plait__cell_claim(cell, job);
    if (is_ours && worker != NULL)
        plait__count(&worker->counts.begun, 1);
    else if (is_ours)
        __atomic_fetch_add(&gang->counts.begun, 1, __ATOMIC_RELAXED);
    return is_ours;
}

struct plait__job *plait__gang_clear(struct plait__gang *gang)
{
    struct plait__job *job = NULL;
    struct plait__list *lane;

    plait__mutex_lock(&gang->queue_lock);
    lane = choose_lane(gang);
    if (lane != NULL) {
        struct plait__cell *cell = pop(gang, lane);
        job = plait__cell_open(cell);
        plait__cell_put(cell, &gang->cells);
    }
    plait__mutex_unlock(&gang->queue_lock);
    for (uint32_t i = 0; job == NULL && i < plait__gang_numbers(gang); i++)
        job = steal_from(plait__gang_worker(gang, i), NULL);
    if (job != NULL)
        __atomic_fetch_add(&gang->counts.begun, 1, __ATOMIC_RELAXED);
    return job;
}

bool plait__gang_has_work(struct plait__gang *gang)
{
    if (__atomic_load_n(&gang->n_queued, __ATOMIC_SEQ_CST) > 0)
        return true;
    for (uint32_t i = 0; i < plait__gang_numbers(gang); i++)
        if (plait__deque_count(&plait__gang_worker(gang, i)->deque) > 0)
            return true;
    return false;
}

void plait__gang_break(struct plait__gang *gang)
{
    struct plait__job *job;

    plait__mutex_lock(&gang->queue_lock);
    __atomic_store_n(&gang->is_broken, true, __ATOMIC_SEQ_CST);
    plait__mutex_unlock(&gang->queue_lock);
    while ((job = plait__gang_clear(gang)) != NULL)
        plait__job_drop(gang, job, PLAIT_JOB_LOST, PLAIT_CAUSE_INIT);
}
