/* Maps over items that come one by one, with a window: imap and imap_unordered.
 * SPDX-License-Identifier: MIT
 *
 * Items are taken from their source into a batch, by whoever asks for the next result; a batch that
 * is full is a job. At most `window` items are taken and not yet given out. A batch that is not
 * full is submitted as well when its owner is about to sleep and workers have nothing to do.
 */
#include "base/opts.h"
#include "base/time.h"
#include "family/member.h"
#include "pool/pool.h"
#include "wait/sleeper.h"

#include <plait/error.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_A_WORKER = 64
};

#define BATCH_NS INT64_C(100000)

/* Some items; the owner's, but for what is said. */
struct batch {
    struct plait__job job;    /* the executor's while it flies */
    struct plait__list node;  /* in flying, or free */
    struct plait__list ready; /* in the imap's; its lock */
    plait_imap *imap;
    uint32_t has_ended; /* atomic: who stores it releases the results by it */
    uint32_t n;         /* items in it */
    uint32_t next;      /* the first that is not given out */
    uint32_t cap;       /* room */
    char *in, *out;
    plait_result *results;
};

struct plait_imap {
    plait_pool *pool;
    uint32_t process; /* the owner, as plait__ends_begin says it */
    pid_t owner;      /* so too */
    plait_pool_fn *fn;
    plait_pool_source_fn *source;
    void *source_arg;
    plait_imap_opts opts;
    struct plait__job_limits limits;
    void *own_ctx; /* a copy of the context, or NULL */
    bool is_over;  /* the source has no more */
    int error;     /* … as it said so, or why no more can be submitted */
    int refused;   /* the latter */
    size_t n_held; /* items taken and not given out */
    int64_t cost_ns;
    int64_t cost_items;
    struct batch *filling;     /* not submitted yet; or NULL */
    struct batch *current;     /* whose results are being given out; or NULL */
    struct plait__list flying; /* batches submitted and not current yet, in their order */
    struct plait__list free;   /* batches to be used again */
    struct plait__mutex lock;
    struct plait__list ready; /* lock: of `flying`, those that have ended, in that order */
    uint32_t n_flying;        /* lock: those that have not ended */
};

/* ---- batches ---- */

static size_t count_workers(const plait_imap *imap)
{
    return __atomic_load_n(&imap->pool->n_workers, __ATOMIC_RELAXED);
}

static size_t choose_size(const plait_imap *imap)
{
    size_t most = imap->opts.window / (2 * count_workers(imap));
    size_t n = imap->opts.chunk;

    if (n == 0)
        n = imap->cost_items > 0 ? (size_t)(BATCH_NS / (imap->cost_ns / imap->cost_items + 1)) : 1;
    if (imap->opts.chunk > 0)
        most = imap->opts.window;
    n = n < most ? n : most;
    return n > 0 ? n : 1;
}

static void free_batch(struct batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->in);
    free(batch->out);
    free(batch->results);
    free(batch);
}

static bool grow_one(void **ret, size_t item_bytes, size_t n)
{
    void *grown = item_bytes > 0 ? realloc(*ret, item_bytes * n) : NULL;

    if (item_bytes > 0 && grown == NULL)
        return false;
    if (item_bytes > 0)
        *ret = grown;
    return true;
}

static bool grow(struct batch *batch, size_t n)
{
    const plait_imap_opts *opts = &batch->imap->opts;

    if (n <= batch->cap)
        return true;
    if (!grow_one((void **)&batch->in, opts->in_bytes, n) ||
        !grow_one((void **)&batch->out, opts->out_bytes, n) ||
        !grow_one((void **)&batch->results, sizeof *batch->results, n))
        return false;
    batch->cap = (uint32_t)n;
    return true;
}

static struct batch *make_batch(plait_imap *imap)
{
    struct batch *batch = calloc(1, sizeof *batch);

    if (batch == NULL)
        return NULL;
    batch->imap = imap;
    plait__list_init(&batch->node);
    plait__list_init(&batch->ready);
    if (grow(batch, 1))
        return batch;
    free_batch(batch);
    return NULL;
}

/* An empty one; NULL: no memory. */
static struct batch *take_batch(plait_imap *imap)
{
    struct plait__list *node = plait__list_pop_front(&imap->free);
    struct batch *batch =
        node != NULL ? plait__list_entry(node, struct batch, node) : make_batch(imap);

    if (batch == NULL)
        return NULL;
    grow(batch, choose_size(imap)); /* or as many as it had room for */
    batch->n = batch->next = 0;
    batch->has_ended = 0;
    return batch;
}

/* ---- submitting ---- */

static void set_ended(struct batch *batch)
{
    plait_imap *imap = batch->imap;

    plait__mutex_lock(&imap->lock);
    plait__list_push_back(&imap->ready, &batch->ready);
    __atomic_store_n(&batch->has_ended, 1, __ATOMIC_RELEASE);
    imap->n_flying--;
    plait__mutex_unlock(&imap->lock);
}

static void on_end(struct plait__job *job)
{
    struct batch *batch = plait__list_entry(job, struct batch, job);
    plait_pool *pool = job->pool;
    struct plait__tally tally = { 0 };

    plait__tally(&tally, batch->results, batch->n);
    plait__share_count(pool, &tally);
    set_ended(batch);
    plait__share_end(pool);
    plait__ends_pass_on();
}

static void fill_job(struct batch *batch)
{
    plait_imap *imap = batch->imap;

    batch->job = (struct plait__job){
        .pool = imap->pool,
        .fn = imap->fn,
        .in = batch->in,
        .in_bytes = imap->opts.in_bytes,
        .out = batch->out,
        .out_bytes = imap->opts.out_bytes,
        .n = batch->n,
        .ctx = imap->opts.ctx,
        .ctx_bytes = imap->opts.ctx_bytes,
        .limits = imap->limits,
        .results = batch->results,
        .on_end = on_end,
    };
    memset(batch->results, 0, batch->n * sizeof *batch->results);
}

/* What became of a batch that cannot be submitted. */
static void give_up(struct batch *batch, int error)
{
    plait_result result = { .end = PLAIT_JOB_LOST, .cause = PLAIT_CAUSE_MEMORY, .code = error };

    if (error == -EPIPE)
        result = (plait_result){ .end = PLAIT_JOB_CANCELLED, .cause = PLAIT_CAUSE_SHUTDOWN };
    else if (error == PLAIT_EPOOL)
        result.cause = PLAIT_CAUSE_INIT;
    for (uint32_t i = 0; i < batch->n; i++)
        batch->results[i] = result;
    set_ended(batch);
}

/* Submits what is being filled; no room: later. */
static void submit(plait_imap *imap)
{
    struct batch *batch = imap->filling;
    bool is_alone;
    int rc;

    plait__mutex_lock(&imap->lock);
    is_alone = imap->n_flying++ == 0;
    plait__mutex_unlock(&imap->lock);
    fill_job(batch);
    plait__share_take(imap->pool, batch->n);
    rc = plait__pool_try_submit(imap->pool, &batch->job);
    if (rc < 0)
        plait__share_untake(imap->pool, batch->n);
    if (rc == -ETIMEDOUT || (rc == -ENOMEM && !is_alone)) {
        plait__mutex_lock(&imap->lock);
        imap->n_flying--;
        plait__mutex_unlock(&imap->lock);
        return;
    }
    imap->filling = NULL;
    plait__list_push_back(&imap->flying, &batch->node);
    if (rc == 0)
        return;
    imap->is_over = true;
    imap->error = imap->refused = rc;
    give_up(batch, rc);
}

/* Takes one item. False: there is none. */
static bool take_item(plait_imap *imap)
{
    struct batch *batch = imap->filling;
    int rc = imap->source(batch->in != NULL ? batch->in + batch->n * imap->opts.in_bytes : NULL,
                          imap->source_arg);

    if (rc <= 0) {
        imap->is_over = true;
        imap->error = rc;
        return false;
    }
    batch->n++;
    imap->n_held++;
    return true;
}

static bool is_full(const struct batch *batch)
{
    return batch->n == batch->cap || batch->n >= choose_size(batch->imap);
}

/* Takes items and submits batches, as far as window and room go. */
static void fill(plait_imap *imap)
{
    bool goes_on = true;

    if (!imap->is_over && __atomic_load_n(&imap->pool->has_ended, __ATOMIC_SEQ_CST)) {
        imap->is_over = true;
        imap->error = -EPIPE;
    }
    while (goes_on) {
        if (imap->filling == NULL && !imap->is_over && imap->n_held < imap->opts.window)
            imap->filling = take_batch(imap);
        if (imap->filling == NULL)
            return;
        while (!imap->is_over && imap->n_held < imap->opts.window && !is_full(imap->filling) &&
               take_item(imap))
            continue;
        goes_on = imap->filling->n > 0 &&
                  (is_full(imap->filling) || imap->is_over || imap->filling->n == imap->n_held);
        if (goes_on)
            submit(imap);
        goes_on = goes_on && imap->filling == NULL;
    }
}

/* ---- next ---- */

static struct batch *first_of(struct plait__list *list)
{
    return plait__list_is_empty(list) ? NULL : plait__list_entry(list->next, struct batch, node);
}

/* The batch whose results come next, if it has ended. */
static struct batch *find_ended(plait_imap *imap)
{
    struct batch *batch = first_of(&imap->flying);
    struct plait__list *node;

    plait__mutex_lock(&imap->lock);
    if (imap->opts.is_unordered) {
        node = imap->ready.next;
        batch = node == &imap->ready ? NULL : plait__list_entry(node, struct batch, ready);
    }
    /* acquire: its results were written before */
    if (batch != NULL && !__atomic_load_n(&batch->has_ended, __ATOMIC_ACQUIRE))
        batch = NULL;
    if (batch != NULL)
        plait__list_remove(&batch->ready);
    plait__mutex_unlock(&imap->lock);
    return batch;
}

/* Is there a result to be given out? */
static bool has_current(plait_imap *imap)
{
    struct plait__tally tally = { 0 };
    struct batch *batch = imap->current;

    if (batch != NULL && batch->next < batch->n)
        return true;
    if (batch != NULL)
        plait__list_push_front(&imap->free, &batch->node);
    batch = imap->current = find_ended(imap);
    if (batch == NULL)
        return false;
    plait__list_remove(&batch->node);
    plait__tally(&tally, batch->results, batch->n);
    imap->cost_items += (int64_t)tally.begun;
    imap->cost_ns += tally.run_ns;
    return true;
}

static bool help(void *arg)
{
    plait_imap *imap = arg;

    list_for_each (node, &imap->flying) {
        struct batch *batch = plait__list_entry(node, struct batch, node);
        if (!__atomic_load_n(&batch->has_ended, __ATOMIC_ACQUIRE) &&
            plait__pool_help(imap->pool, &batch->job))
            return true;
        if (!imap->opts.is_unordered)
            break;
    }
    return false;
}

/* Workers have nothing to do, and here is something, though it is not all that it could be. */
static void submit_early(plait_imap *imap)
{
    uint32_t n;

    plait__mutex_lock(&imap->lock);
    n = imap->n_flying;
    plait__mutex_unlock(&imap->lock);
    if (imap->filling != NULL && imap->filling->n > 0 && n < count_workers(imap))
        submit(imap);
}

static enum plait__ends_look look(void *arg, bool will_sleep)
{
    plait_imap *imap = arg;

    fill(imap);
    if (has_current(imap) || (imap->is_over && imap->n_held == 0))
        return PLAIT__ENDS_DONE;
    plait__pool_pump(imap->pool, will_sleep);
    if (has_current(imap))
        return PLAIT__ENDS_DONE;
    if (will_sleep)
        submit_early(imap);
    return PLAIT__ENDS_NOTHING;
}

int plait_imap_next_sized(plait_imap *imap, void *out, plait_result *ret, size_t ret_bytes,
                          plait_deadline until)
{
    const plait_result *result;
    size_t out_bytes;
    int rc;

    if (imap == NULL)
        return -EINVAL;
    if (!plait__ends_is_here(imap->process, imap->owner))
        return -ECHILD;
    rc = plait__ends_help(look, help, imap, until);
    if (rc < 0)
        return rc;
    if (!has_current(imap))
        return imap->error;
    result = &imap->current->results[imap->current->next];
    out_bytes = imap->opts.out_bytes;
    if (out != NULL && out_bytes > 0 && result->end == PLAIT_JOB_VALUE)
        memcpy(out, imap->current->out + imap->current->next * out_bytes, out_bytes);
    if (ret != NULL)
        plait__result_copy(ret, ret_bytes, result);
    imap->current->next++;
    imap->n_held--;
    return 1;
}

/* ---- the beginning and the end ---- */

static int check_opts(plait_imap_opts *opts, const plait_pool *pool)
{
    const size_t most = SSIZE_MAX / 2;

    if (opts->soft_ms < 0 || opts->hard_ms < 0 || (opts->ctx == NULL && opts->ctx_bytes > 0) ||
        opts->ctx_bytes > most)
        return -EINVAL;
    if (opts->window == 0)
        opts->window = WINDOW_A_WORKER * (size_t)pool->n_workers;
    if (opts->window > UINT32_MAX)
        opts->window = UINT32_MAX;
    return opts->in_bytes > most / opts->window || opts->out_bytes > most / opts->window ? -ENOMEM
                                                                                         : 0;
}

static int copy_ctx(plait_imap *imap)
{
    plait_imap_opts *opts = &imap->opts;

    if (opts->ctx_bytes == 0 || plait__is_shared(opts->ctx))
        return 0;
    imap->own_ctx = malloc(opts->ctx_bytes);
    if (imap->own_ctx == NULL)
        return -ENOMEM;
    opts->ctx = memcpy(imap->own_ctx, opts->ctx, opts->ctx_bytes);
    return 0;
}

static void free_list(struct plait__list *list)
{
    struct plait__list *node;

    while ((node = plait__list_pop_front(list)) != NULL)
        free_batch(plait__list_entry(node, struct batch, node));
}

static void free_imap(plait_imap *imap)
{
    free_list(&imap->flying);
    free_list(&imap->free);
    free_batch(imap->filling);
    free_batch(imap->current);
    free(imap->own_ctx);
    free(imap);
}

/* One batch is there whatever comes. */
static int fill_imap(plait_imap *imap)
{
    int rc = copy_ctx(imap);
    struct batch *batch = rc == 0 ? make_batch(imap) : NULL;

    if (batch == NULL)
        return -ENOMEM;
    plait__list_push_back(&imap->free, &batch->node);
    return 0;
}

static int hold_pool(plait_imap *imap)
{
    plait_pool *pool = imap->pool;

    if (__atomic_load_n(&pool->is_closed, __ATOMIC_SEQ_CST))
        return -EPIPE;
    plait__mutex_lock(&pool->lock);
    pool->n_holders++;
    plait__mutex_unlock(&pool->lock);
    return 0;
}

static int create(plait_imap **ret, plait_pool *pool, const plait_imap_opts *opts)
{
    plait_imap *imap = calloc(1, sizeof *imap);
    int rc;

    if (imap == NULL)
        return -ENOMEM;
    imap->pool = pool;
    imap->process = pool->process;
    imap->owner = pool->owner;
    imap->opts = *opts;
    plait__limits_fill(&imap->limits, opts->soft_ms, opts->hard_ms, opts->attempts, opts->lane);
    plait__list_init(&imap->flying);
    plait__list_init(&imap->free);
    plait__list_init(&imap->ready);
    rc = fill_imap(imap);
    if (rc == 0)
        rc = hold_pool(imap);
    if (rc < 0)
        free_imap(imap);
    else
        *ret = imap;
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): one more parameter, for bindings only */
int plait_pool_imap_sized(plait_pool *pool, plait_imap **ret, plait_pool_fn *fn,
                          plait_pool_source_fn *source, void *arg, const plait_imap_opts *opts,
                          size_t opts_bytes)
{
    plait_imap_opts ours;
    plait_imap *imap = NULL;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc == 0)
        rc = ret == NULL || fn == NULL || source == NULL ? -EINVAL : plait__pool_check(pool);
    if (rc == 0)
        rc = check_opts(&ours, pool);
    if (rc == 0)
        rc = create(&imap, pool, &ours);
    if (rc < 0)
        return rc;
    imap->fn = fn;
    imap->source = source;
    imap->source_arg = arg;
    fill(imap);
    rc = imap->refused;
    if (rc < 0)
        plait_imap_destroy(imap);
    else
        *ret = imap;
    return rc;
}

static enum plait__ends_look look_for_end(void *arg, bool will_sleep)
{
    plait_imap *imap = arg;
    uint32_t n;

    plait__pool_pump(imap->pool, will_sleep);
    plait__mutex_lock(&imap->lock);
    n = imap->n_flying;
    plait__mutex_unlock(&imap->lock);
    return n == 0 ? PLAIT__ENDS_DONE : PLAIT__ENDS_NOTHING;
}

static void end_batches(plait_imap *imap)
{
    list_for_each (node, &imap->flying) {
        struct batch *batch = plait__list_entry(node, struct batch, node);
        if (!__atomic_load_n(&batch->has_ended, __ATOMIC_ACQUIRE))
            plait__pool_cancel(imap->pool, &batch->job, true);
    }
    plait__mask_cancel();
    plait__ends_wait(look_for_end, imap, PLAIT_FOREVER);
    plait__unmask_cancel();
}

void plait_imap_destroy(plait_imap *imap)
{
    plait_pool *pool;

    if (imap == NULL)
        return;
    pool = imap->pool;
    if (plait__ends_is_here(imap->process, imap->owner)) {
        end_batches(imap);
        free_imap(imap);
        plait__pool_unref(pool);
    } else {
        free_imap(imap);
    }
}
