/* A process pool as a submitter sees it.
 * SPDX-License-Identifier: MIT
 *
 * Which slots are free, and whose job is in which, is the submitter's own knowledge. Of a job that
 * has ended the block says so by a bit; the slot's word is the truth.
 */
#include "pool/process_side.h"
#include "chan/bell.h"
#include "pool/bell.h"
#include "pool/pool.h"
#include "pool/process_fill.h"
#include "pool/process_results.h"
#include "pool/process_run.h"
#include "task/function.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static uint64_t count_of_words(const struct plait__side *side)
{
    return (side->n_slots + 63) / 64;
}

static int init_side(struct plait__side *side, plait_pool *pool, struct plait__pool_block *block)
{
    side->block = block;
    side->pool = pool;
    plait__list_init(&side->ended);
    side->free = calloc(side->n_slots, sizeof *side->free);
    side->jobs = calloc(side->n_slots, sizeof(struct plait__job *));
    return side->free == NULL || side->jobs == NULL ? -ENOMEM : 0;
}

void plait__side_free(struct plait__side *side)
{
    if (side == NULL)
        return;
    free(side->free);
    free(side->jobs);
    free(side);
}

int plait__side_create(struct plait__side **ret, plait_pool *pool, struct plait__pool_block *block)
{
    struct plait__side *side = calloc(1, sizeof *side);

    if (side == NULL)
        return -ENOMEM;
    side->slots = block->slots;
    side->n_slots = block->n_own;
    side->done = block->done;
    if (init_side(side, pool, block) < 0) {
        plait__side_free(side);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < side->n_slots; i++) /* the first one is taken first */
        side->free[i] = side->n_slots - 1 - i;
    side->n_free = side->n_slots;
    *ret = side;
    return 0;
}

/* ---- slots ---- */

/* The slot is OVER or was not queued. pre: lock */
static void free_slot(struct plait__side *side, uint32_t number)
{
    struct plait__slot *slot = &side->slots[number];
    uint64_t found = plait__slot_load(slot);
    struct plait__slot_word word = plait__slot_cut(found);

    plait__fill_undo(slot, &side->spare);
    plait__slot_change(slot, found, (struct plait__slot_word){ .generation = word.generation + 1 });
    side->jobs[number] = NULL;
    side->free[side->n_free++] = number;
}

/* ---- ends ---- */

static bool has_limits(const struct plait__job *job)
{
    return job->limits.soft_ns > 0 || job->limits.hard_ns > 0;
}

static size_t bytes_of(const struct plait__job *job)
{
    return job->in_bytes * job->n;
}

/* The keeper looks at limits from now on; once a worker said so, until the keeper finds none: the
 * worker may die before its jobs have ended. */
static void announce_limits(struct plait__side *side)
{
    uint32_t *has = &side->block->has_limits, none = 0;

    if (side->submitter == 0) {
        if (__atomic_compare_exchange_n(has, &none, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            plait__keeper_kick();
    } else if (__atomic_exchange_n(has, 2, __ATOMIC_SEQ_CST) == 0) {
        plait__keeper_kick_from_worker();
    }
}

/* The owner has none left. pre: lock */
static void forget_limits(struct plait__side *side)
{
    uint32_t *has = &side->block->has_limits, ours = 1;

    if (side->submitter == 0 && side->n_limited == 0)
        __atomic_compare_exchange_n(has, &ours, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* A bit says that this slot may be OVER. pre: lock. The job, if it was. */
static struct plait__job *collect(struct plait__side *side, uint32_t number)
{
    struct plait__slot *slot = &side->slots[number];
    struct plait__slot_word word = plait__slot_cut(plait__slot_load(slot));
    struct plait__job *job = side->jobs[number];

    if (word.state != PLAIT__SLOT_OVER)
        return NULL;
    if (job != NULL) {
        plait__results_take(slot, word, job);
        side->bytes -= bytes_of(job);
        if (has_limits(job) || slot->kill_at_ns != 0)
            side->n_limited--;
    } else { /* of the worker that had our place before */
        plait__results_drop(slot);
    }
    free_slot(side, number);
    return job;
}

/* One step an item: killed in between, we leave no count without its partner. */
static void count_nested(struct plait__side *side, const struct plait__job *job)
{
    for (uint32_t i = 0; i < job->n && !job->is_summed; i++)
        __atomic_fetch_add(&side->block->n_nested[job->results[i].end], 1, __ATOMIC_RELAXED);
    if (job->is_summed)
        __atomic_fetch_add(&side->block->n_nested[PLAIT_JOB_VALUE], job->n, __ATOMIC_RELAXED);
}

/* pre: lock */
static void collect_word(struct plait__side *side, uint32_t word, struct plait__list *ended)
{
    uint64_t bits = __atomic_load_n(&side->done[word], __ATOMIC_RELAXED);

    if (bits == 0)
        return;
    bits = __atomic_exchange_n(&side->done[word], 0, __ATOMIC_SEQ_CST);
    for (; bits != 0; bits &= bits - 1) {
        struct plait__job *job = collect(side, word * 64 + (uint32_t)__builtin_ctzll(bits));
        if (job == NULL)
            continue;
        if (side->submitter != 0)
            count_nested(side, job);
        plait__list_push_back(ended, &job->node);
    }
}

size_t plait__side_pump(struct plait__side *side)
{
    struct plait__list ended, *node;
    size_t n = 0;

    plait__list_init(&ended);
    plait__mutex_lock(&side->lock);
    while ((node = plait__list_pop_front(&side->ended)) != NULL)
        plait__list_push_back(&ended, node);
    for (uint32_t i = 0; i < count_of_words(side); i++)
        collect_word(side, i, &ended);
    if (__atomic_load_n(&side->block->has_limits, __ATOMIC_RELAXED) != 0)
        forget_limits(side);
    plait__mutex_unlock(&side->lock);
    while ((node = plait__list_pop_front(&ended)) != NULL) {
        struct plait__job *job = plait__list_entry(node, struct plait__job, node);
        job->on_end(job);
        n++;
    }
    return n;
}

/* ---- submit ---- */

/* Room for one more; pre: lock */
static int check_room(const struct plait__side *side, const struct plait__job *job)
{
    if (side->is_closed)
        return -EPIPE;
    if (__atomic_load_n(&side->block->is_broken, __ATOMIC_SEQ_CST) != 0)
        return PLAIT_EPOOL;
    if (side->n_free == 0)
        return -ETIMEDOUT;
    if (side->max_bytes > 0 && side->bytes > 0 && side->bytes + bytes_of(job) > side->max_bytes)
        return -ETIMEDOUT;
    return 0;
}

/* pre: lock. The slot's number is out of the free ones. */
static void publish(struct plait__side *side, struct plait__slot *slot, struct plait__job *job)
{
    uint64_t found = plait__slot_load(slot);
    struct plait__slot_word word = plait__slot_cut(found);

    job->slot = (uint32_t)(slot - side->slots);
    job->is_copied_in = slot->in != job->in;
    side->jobs[job->slot] = job;
    side->bytes += bytes_of(job);
    word.state = PLAIT__SLOT_QUEUED;
    word.item = word.starts = word.worker = 0;
    plait__slot_change(slot, found, word);
    plait__block_hint(side->block, slot, word.generation);
    /* seq_cst: the keeper, which says so before it gives up what is queued, may have missed it */
    if (__atomic_load_n(&side->block->is_broken, __ATOMIC_SEQ_CST) != 0)
        plait__block_give_up(side->block, slot, PLAIT_JOB_LOST, PLAIT_CAUSE_INIT);
    if (has_limits(job)) {
        side->n_limited++;
        announce_limits(side);
    }
}

static int put(struct plait__side *side, struct plait__job *job,
               const struct plait__fill_sizes *sizes, const struct plait__function *function)
{
    struct plait__slot *slot = NULL;
    int rc;

    plait__mutex_lock(&side->lock);
    rc = check_room(side, job);
    if (rc == 0) {
        slot = &side->slots[side->free[side->n_free - 1]];
        rc = plait__fill_slot(slot, job, sizes, side->submitter, &side->spare);
        slot->function = function;
    }
    if (rc == 0) {
        side->n_free--;
        publish(side, slot, job);
    }
    plait__mutex_unlock(&side->lock);
    return rc;
}

/* A worker that finds no room runs the job at once, on its stack: all workers may be in here, and
 * nobody might ever make room. */
static int run_here(struct plait__side *side, struct plait__job *job,
                    const struct plait__function *function)
{
    uintptr_t address = job->fn != NULL ? (uintptr_t)job->fn : (uintptr_t)job->text_fn;
    struct plait__item_end *ends = calloc(job->n, sizeof *ends);
    struct plait__item_said *saids = job->said == NULL ? NULL : calloc(job->n, sizeof *saids);
    size_t out_bytes = job->out == NULL ? job->out_bytes * job->n : 0;
    char *out = malloc(out_bytes + 1);
    struct plait__slot slot = { .function = function,
                                .fn = address,
                                .is_text = job->fn == NULL,
                                .saids = saids,
                                .in = job->in,
                                .in_bytes = job->in_bytes,
                                .out = job->out == NULL ? out : job->out,
                                .out_bytes = job->out_bytes,
                                .ctx = job->ctx,
                                .ends = ends,
                                .n = job->n,
                                .soft_ns = job->limits.soft_ns };
    int rc = ends == NULL || out == NULL || (job->said != NULL && saids == NULL) ? -ENOMEM : 0;

    if (rc == 0) {
        plait__worker_run_here(&slot);
        plait__mutex_lock(&side->lock);
        plait__results_take(&slot, (struct plait__slot_word){ .item = job->n }, job);
        count_nested(side, job);
        plait__list_push_back(&side->ended, &job->node);
        plait__mutex_unlock(&side->lock);
        plait__ends_ring(plait__ends_bell());
    }
    free(ends);
    free(saids);
    free(out);
    return rc;
}

int plait__side_submit(struct plait__side *side, struct plait__job *job)
{
    const struct plait__function *function = NULL;
    uintptr_t address = job->fn != NULL ? (uintptr_t)job->fn : (uintptr_t)job->text_fn;
    struct plait__fill_sizes sizes;
    int rc = job->limits.lane < side->block->n_lanes ? plait__fill_measure(job, &sizes) : -EINVAL;

    if (rc == 0)
        rc = plait__function_name(address, &function);
    if (rc == 0)
        rc = put(side, job, &sizes, function);
    if (rc == -ETIMEDOUT && side->submitter != 0)
        return run_here(side, job, function);
    return rc;
}

bool plait__side_help(struct plait__side *side, const struct plait__job *job)
{
    struct plait__slot *slot = NULL;

    plait__mutex_lock(&side->lock);
    if (job->slot < side->n_slots && side->jobs[job->slot] == job)
        slot = &side->slots[job->slot];
    plait__mutex_unlock(&side->lock);
    return slot != NULL && plait__worker_run(slot);
}

/* ---- cancel ---- */

/* What runs in the slot learns of it. */
static void cancel_running(struct plait__slot *slot)
{
    __atomic_store_n(&slot->sleeper.cancel, 1, __ATOMIC_SEQ_CST);
    plait__wake_word(&slot->sleeper.cancel, UINT_MAX);
}

/* pre: lock, and the job is ours */
static int cancel_slot(struct plait__side *side, struct plait__slot *slot,
                       const struct plait__job *job, int64_t kill_at_ns)
{
    struct plait__slot_word word = plait__slot_cut(plait__slot_load(slot));
    int64_t none = 0;

    if (word.state == PLAIT__SLOT_OVER)
        return -EALREADY;
    if (kill_at_ns != 0 && __atomic_compare_exchange_n(&slot->kill_at_ns, &none, kill_at_ns, false,
                                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        side->n_limited += !has_limits(job);
    /* before the next look: who queues it again looks at this behind that */
    __atomic_store_n(&slot->is_asked, 1, __ATOMIC_SEQ_CST);
    if (plait__block_give_up(side->block, slot, PLAIT_JOB_CANCELLED, PLAIT_CAUSE_NONE))
        return 0;
    cancel_running(slot);
    if (kill_at_ns != 0)
        announce_limits(side);
    return 0;
}

int plait__side_cancel(struct plait__side *side, struct plait__job *job, int64_t kill_at_ns)
{
    int rc = -EALREADY;

    plait__mutex_lock(&side->lock);
    if (job->slot < side->n_slots && side->jobs[job->slot] == job)
        rc = cancel_slot(side, &side->slots[job->slot], job, kill_at_ns);
    plait__mutex_unlock(&side->lock);
    if (rc == 0 && kill_at_ns != 0) {
        if (side->submitter == 0)
            plait__keeper_kick();
        else
            plait__keeper_kick_from_worker();
    }
    return rc;
}

void plait__side_give_up(struct plait__side *side, plait_job_end end, plait_job_cause cause)
{
    plait__mutex_lock(&side->lock);
    for (uint32_t i = 0; i < side->n_slots; i++)
        plait__block_give_up(side->block, &side->slots[i], end, cause);
    plait__mutex_unlock(&side->lock);
}

size_t plait__side_n_jobs(struct plait__side *side)
{
    size_t n;

    plait__mutex_lock(&side->lock);
    n = side->n_slots - side->n_free;
    plait__mutex_unlock(&side->lock);
    return n;
}

/* ---- the side of a worker ---- */

/* What the worker that had our place before left: what is not begun never will be. */
static void take_over(struct plait__side *side)
{
    for (uint32_t i = 0; i < side->n_slots; i++) {
        struct plait__slot *slot = &side->slots[i];
        plait__block_give_up(side->block, slot, PLAIT_JOB_CANCELLED, PLAIT_CAUSE_NONE);
        switch (plait__slot_cut(plait__slot_load(slot)).state) {
        case PLAIT__SLOT_FREE:
            side->free[side->n_free++] = i;
            break;
        case PLAIT__SLOT_OVER:
            collect(side, i);
            break;
        default: /* its bit will come */
            break;
        }
    }
}

int plait__side_begin(struct plait__pool_block *block, unsigned worker, plait_pool **ret)
{
    struct plait__side *side = calloc(1, sizeof *side);
    struct plait__worker *record = &block->workers[worker];
    plait_pool *pool = NULL;
    int rc;

    if (side == NULL)
        return -ENOMEM;
    side->slots = &block->slots[block->n_own + worker * PLAIT__POOL_NESTED];
    side->n_slots = PLAIT__POOL_NESTED;
    side->submitter = worker + 1;
    side->done = &record->done;
    rc = init_side(side, NULL, block);
    if (rc == 0)
        rc = plait__pool_make(&pool, PLAIT_PROCESS, block->handle_ops, block->name);
    if (rc < 0) {
        plait__side_free(side);
        return rc;
    }
    side->pool = pool;
    pool->executor = side;
    __atomic_store_n(&pool->n_workers, __atomic_load_n(&block->wanted, __ATOMIC_RELAXED),
                     __ATOMIC_RELAXED);
    take_over(side);
    /* from now on a death of ours ends what we submitted */
    __atomic_store_n(&record->bell, plait__ends_bell(), __ATOMIC_SEQ_CST);
    *ret = pool;
    return 0;
}
