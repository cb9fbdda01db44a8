/* Maps over items that come one by one, with a window: imap and imap_unordered.
 * SPDX-License-Identifier: MIT
 *
 * Items are taken from their source into a batch, by whoever asks for the next result; a batch that
 * is full is a job. At most `window` items are taken and not yet given out. A batch that is not
 * full is submitted as well when workers have nothing to do and its owner is about to sleep, or the
 * source takes its time. Then what has ended is given out before more is taken.
 */
#include "pool/imap.h"
#include "base/opts.h"
#include "base/time.h"
#include "family/member.h"
#include "os/clock.h"
#include "wait/sleeper.h"

#include <plait/error.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_A_WORKER = 64
};

#define SLOW_NS INT64_C(15000000) /* longer than a tick of any kernel */

/* ---- submitting ---- */

static void set_ended(struct plait__batch *batch)
{
    struct plait__imap *imap = batch->imap;

    plait__mutex_lock(&imap->lock);
    plait__list_push_back(&imap->ready, &batch->ready);
    __atomic_store_n(&batch->has_ended, 1, __ATOMIC_RELEASE);
    imap->n_flying--;
    plait__mutex_unlock(&imap->lock);
}

static void on_end(struct plait__job *job)
{
    struct plait__batch *batch = plait__list_entry(job, struct plait__batch, job);
    plait_pool *pool = job->pool;
    struct plait__tally tally = { 0 };

    plait__tally(&tally, batch->results, batch->n);
    plait__share_count(pool, &tally);
    set_ended(batch);
    plait__share_end(pool);
    plait__ends_pass_on();
}

static void fill_job(struct plait__batch *batch)
{
    struct plait__imap *imap = batch->imap;

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
        .is_timed = true,
    };
    if (!imap->pool->ops->fills_results)
        memset(batch->results, 0, batch->n * sizeof *batch->results);
}

/* What became of a batch that cannot be submitted. */
static void give_up(struct plait__batch *batch, int error)
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
static void submit(struct plait__imap *imap)
{
    struct plait__batch *batch = imap->filling;
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
static bool take_item(struct plait__imap *imap)
{
    struct plait__batch *batch = imap->filling;
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

static bool is_full(const struct plait__batch *batch)
{
    return batch->n == batch->cap || batch->n >= plait__batch_size(batch->imap);
}

/* Workers have nothing to do, and here is something, though it is not all that it could be. */
static void submit_early(struct plait__imap *imap)
{
    uint32_t n;

    plait__mutex_lock(&imap->lock);
    n = imap->n_flying;
    plait__mutex_unlock(&imap->lock);
    if (imap->filling != NULL && imap->filling->n > 0 && n < plait__imap_workers(imap))
        submit(imap);
}

/* Has the clock ticked since the item before? */
static bool time_passes(struct plait__imap *imap)
{
    int64_t tick_ns = plait__os_tick_ns(), passed_ns = tick_ns - imap->tick_ns;

    imap->tick_ns = tick_ns;
    imap->is_slow = passed_ns > SLOW_NS;
    return passed_ns > 0;
}

/* Takes items and submits batches, as far as window and room go. True: time passes, and there may be
 * more to take when it has been looked what has ended. */
static bool fill(struct plait__imap *imap)
{
    bool goes_on = true;

    imap->tick_ns = plait__os_tick_ns();
    if (!imap->is_over && __atomic_load_n(&imap->pool->has_ended, __ATOMIC_SEQ_CST)) {
        imap->is_over = true;
        imap->error = -EPIPE;
    }
    while (goes_on) {
        if (imap->filling == NULL && !imap->is_over && imap->n_held < imap->opts.window)
            imap->filling = plait__batch_take(imap);
        if (imap->filling == NULL)
            return false;
        while (!imap->is_over && imap->n_held < imap->opts.window && !is_full(imap->filling) &&
               take_item(imap)) {
            if (time_passes(imap)) {
                submit_early(imap);
                return true;
            }
        }
        goes_on = imap->filling->n > 0 &&
                  (is_full(imap->filling) || imap->is_over || imap->filling->n == imap->n_held);
        if (goes_on)
            submit(imap);
        goes_on = goes_on && imap->filling == NULL;
    }
    return false;
}

/* ---- next ---- */

static struct plait__batch *first_of(struct plait__list *list)
{
    return plait__list_is_empty(list) ? NULL
                                      : plait__list_entry(list->next, struct plait__batch, node);
}

/* The batch whose results come next, if it has ended. */
static struct plait__batch *find_ended(struct plait__imap *imap)
{
    struct plait__batch *batch = first_of(&imap->flying);
    struct plait__list *node;

    plait__mutex_lock(&imap->lock);
    if (imap->opts.is_unordered) {
        node = imap->ready.next;
        batch = node == &imap->ready ? NULL : plait__list_entry(node, struct plait__batch, ready);
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
static bool has_current(struct plait__imap *imap)
{
    struct plait__tally tally = { 0 };
    struct plait__batch *batch = imap->current;

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
    struct plait__imap *imap = arg;

    list_for_each (node, &imap->flying) {
        struct plait__batch *batch = plait__list_entry(node, struct plait__batch, node);
        if (!__atomic_load_n(&batch->has_ended, __ATOMIC_ACQUIRE) &&
            plait__pool_help(imap->pool, &batch->job))
            return true;
        if (!imap->opts.is_unordered)
            break;
    }
    return false;
}

/* A slow source is asked when there is no result, and not in vain. */
static bool may_fill(struct plait__imap *imap)
{
    if (!imap->is_slow)
        return true;
    return !has_current(imap) && (!imap->has_filled || plait_left_ns(imap->until) > 0);
}

static enum plait__ends_look look(void *arg, bool will_sleep)
{
    struct plait__imap *imap = arg;
    bool goes_on = false;

    if (imap->is_slow)
        plait__pool_pump(imap->pool, false);
    if (may_fill(imap)) {
        imap->has_filled = true;
        goes_on = fill(imap);
    }
    if (has_current(imap) || (imap->is_over && imap->n_held == 0))
        return PLAIT__ENDS_DONE;
    plait__pool_pump(imap->pool, will_sleep);
    if (has_current(imap))
        return PLAIT__ENDS_DONE;
    if (will_sleep)
        submit_early(imap);
    return goes_on ? PLAIT__ENDS_AGAIN : PLAIT__ENDS_NOTHING;
}

static int next(plait_imap *handle, void *out, plait_result *ret, size_t ret_bytes,
                plait_deadline until)
{
    struct plait__imap *imap = (struct plait__imap *)handle;
    const plait_result *result;
    size_t out_bytes;
    int rc;

    if (!plait__ends_is_here(imap->process, imap->owner))
        return -ECHILD;
    imap->has_filled = false;
    imap->until = until;
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

static int copy_ctx(struct plait__imap *imap)
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
        plait__batch_free(plait__list_entry(node, struct plait__batch, node));
}

static void free_imap(struct plait__imap *imap)
{
    free_list(&imap->flying);
    free_list(&imap->free);
    plait__batch_free(imap->filling);
    plait__batch_free(imap->current);
    free(imap->own_ctx);
    free(imap);
}

/* One batch is there whatever comes. */
static int fill_imap(struct plait__imap *imap)
{
    int rc = copy_ctx(imap);
    struct plait__batch *batch = rc == 0 ? plait__batch_make(imap) : NULL;

    if (batch == NULL)
        return -ENOMEM;
    plait__list_push_back(&imap->free, &batch->node);
    return 0;
}

static int hold_pool(struct plait__imap *imap)
{
    plait_pool *pool = imap->pool;

    if (__atomic_load_n(&pool->is_closed, __ATOMIC_SEQ_CST))
        return -EPIPE;
    plait__mutex_lock(&pool->lock);
    pool->n_holders++;
    plait__mutex_unlock(&pool->lock);
    return 0;
}

static const struct plait__imap_ops pool_ops;

static int create(struct plait__imap **ret, plait_pool *pool, const plait_imap_opts *opts)
{
    struct plait__imap *imap = calloc(1, sizeof *imap);
    int rc;

    if (imap == NULL)
        return -ENOMEM;
    imap->imap.ops = &pool_ops;
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
    struct plait__imap *imap = NULL;
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
        plait_imap_destroy(&imap->imap);
    else
        *ret = &imap->imap;
    return rc;
}

static enum plait__ends_look look_for_end(void *arg, bool will_sleep)
{
    struct plait__imap *imap = arg;
    uint32_t n;

    plait__pool_pump(imap->pool, will_sleep);
    plait__mutex_lock(&imap->lock);
    n = imap->n_flying;
    plait__mutex_unlock(&imap->lock);
    return n == 0 ? PLAIT__ENDS_DONE : PLAIT__ENDS_NOTHING;
}

static void end_batches(struct plait__imap *imap)
{
    list_for_each (node, &imap->flying) {
        struct plait__batch *batch = plait__list_entry(node, struct plait__batch, node);
        if (!__atomic_load_n(&batch->has_ended, __ATOMIC_ACQUIRE))
            plait__pool_cancel(imap->pool, &batch->job, true);
    }
    plait__mask_cancel();
    plait__ends_wait(look_for_end, imap, PLAIT_FOREVER);
    plait__unmask_cancel();
}

static void destroy(plait_imap *handle)
{
    struct plait__imap *imap = (struct plait__imap *)handle;
    plait_pool *pool = imap->pool;

    if (plait__ends_is_here(imap->process, imap->owner)) {
        end_batches(imap);
        free_imap(imap);
        plait__pool_unref(pool);
    } else {
        free_imap(imap);
    }
}

static const struct plait__imap_ops pool_ops = { .next = next, .destroy = destroy };

/* ---- of whatever kind ---- */

int plait_imap_next_sized(plait_imap *imap, void *out, plait_result *ret, size_t ret_bytes,
                          plait_deadline until)
{
    return imap != NULL ? imap->ops->next(imap, out, ret, ret_bytes, until) : -EINVAL;
}

void plait_imap_destroy(plait_imap *imap)
{
    if (imap != NULL)
        imap->ops->destroy(imap);
}
