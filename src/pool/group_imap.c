/* Maps over items that come one by one, by the coroutines of a group.
 * SPDX-License-Identifier: MIT
 *
 * Items are taken from their source, and begun, by whoever asks for the next result: as many as the
 * group has room for and the window allows, but one only when there is a result already. So a source
 * that takes its time holds up a result for as long as it takes to give one item.
 */
#include "base/opts.h"
#include "family/self.h"
#include "pool/group_crew.h"
#include "pool/imap.h"
#include "sync/debug.h"
#include "wait/sleeper.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 64, /* of a group without a bound */
    ALIGNMENT = 16
};

struct item {
    struct plait__crew_item item;     /* first */
    _Alignas(ALIGNMENT) char bytes[]; /* input, then output */
};

struct imap {
    struct plait_imap imap; /* first: the handle */
    struct plait__crew crew;
    plait_imap_opts opts;
    plait_pool_source_fn *source;
    void *source_arg;
    void *own_ctx; /* a copy of the context, or NULL */
    pid_t owner;
    bool is_over;            /* the source has no more, or no more is begun */
    int error;               /* … for that reason */
    size_t n_held;           /* items taken and not given out */
    struct plait__list free; /* to be used again */
};

/* ---- beginning ---- */

static size_t in_room(const struct imap *imap)
{
    return (imap->opts.in_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct item *get_item(struct imap *imap)
{
    struct plait__list *node = plait__list_pop_front(&imap->free);
    struct item *item;

    if (node != NULL)
        return (struct item *)(void *)plait__list_entry(node, struct plait__crew_item, node);
    item = aligned_alloc(ALIGNMENT,
                         (sizeof *item + in_room(imap) + imap->opts.out_bytes + ALIGNMENT - 1) /
                             ALIGNMENT * ALIGNMENT);
    if (item == NULL)
        return NULL;
    item->item.crew = &imap->crew;
    item->item.in = imap->opts.in_bytes > 0 ? item->bytes : NULL;
    item->item.out = imap->opts.out_bytes > 0 ? item->bytes + in_room(imap) : NULL;
    return item;
}

static void put_item(struct imap *imap, struct item *item)
{
    plait__list_push_front(&imap->free, &item->item.node);
}

static void end_source(struct imap *imap, int why)
{
    imap->is_over = true;
    imap->error = why;
}

/* In a place that was taken. */
static void begin_next(struct imap *imap)
{
    struct item *item = get_item(imap);
    int rc;

    if (item == NULL) {
        plait__group_leave(imap->crew.group);
        if (plait__list_is_empty(&imap->crew.running)) /* else when one of them is given out */
            end_source(imap, -ENOMEM);
        return;
    }
    rc = imap->source(imap->opts.in_bytes > 0 ? item->bytes : NULL, imap->source_arg);
    if (rc <= 0) {
        plait__group_leave(imap->crew.group);
        put_item(imap, item);
        end_source(imap, rc);
        return;
    }
    imap->n_held++;
    plait__crew_go(&imap->crew, &item->item);
}

static bool has_next(struct imap *imap)
{
    return plait__crew_has_ended(&imap->crew, !imap->opts.is_unordered);
}

/* Without waiting for a place. */
static void fill(struct imap *imap)
{
    size_t before;

    do {
        int rc;
        if (imap->is_over || imap->n_held >= imap->opts.window)
            return;
        rc = plait__group_enter(imap->crew.group, PLAIT_NOWAIT);
        if (rc == -EPIPE)
            end_source(imap, rc);
        if (rc < 0)
            return;
        before = imap->n_held;
        begin_next(imap);
    } while (imap->n_held > before && !has_next(imap));
}

/* The group is full of others, and one of ours must begin before one can end. */
static int begin_first(struct imap *imap, plait_deadline until)
{
    int rc = plait__group_enter(imap->crew.group, until);

    if (rc == 0)
        begin_next(imap);
    else if (rc == -EPIPE)
        end_source(imap, rc);
    else
        return rc;
    return 0;
}

/* ---- next ---- */

static plait_result result_of(const struct plait__crew_item *item)
{
    plait_result result = { .end = PLAIT_JOB_VALUE, .code = item->code };

    if (!item->has_begun) {
        result.end = PLAIT_JOB_LOST;
        result.cause = PLAIT_CAUSE_MEMORY;
        return result;
    }
    if (item->code < 0)
        result.end = item->is_cancelled ? PLAIT_JOB_CANCELLED : PLAIT_JOB_ERROR;
    result.pid = plait__self_pid();
    result.starts = 1;
    return result;
}

/* 1: there is one to be taken · 0: there are no more · -errno. */
static int wait_for_next(struct imap *imap, plait_deadline until)
{
    fill(imap);
    for (;;) {
        uint32_t seen = plait__crew_seen(&imap->crew);
        int rc;
        if (has_next(imap))
            return 1;
        if (!plait__list_is_empty(&imap->crew.running))
            rc = plait__crew_wait(&imap->crew, seen, until);
        else if (imap->is_over)
            return imap->error;
        else
            rc = begin_first(imap, until);
        if (rc < 0)
            return rc;
        fill(imap);
    }
}

static int next(plait_imap *handle, void *out, plait_result *ret, size_t ret_bytes,
                plait_deadline until)
{
    struct imap *imap = (struct imap *)handle;
    struct plait__crew_item *item;
    plait_result result;
    int rc = imap->owner == plait__self_pid() ? wait_for_next(imap, until) : -ECHILD;

    if (rc <= 0)
        return rc;
    item = plait__crew_take(&imap->crew, !imap->opts.is_unordered);
    result = result_of(item);
    if (out != NULL && item->out != NULL && result.end == PLAIT_JOB_VALUE)
        memcpy(out, item->out, imap->opts.out_bytes);
    if (ret != NULL)
        plait__result_copy(ret, ret_bytes, &result);
    put_item(imap, (struct item *)(void *)item);
    imap->n_held--;
    return 1;
}

/* ---- the beginning and the end ---- */

static void free_list(struct plait__list *list)
{
    struct plait__list *node;

    while ((node = plait__list_pop_front(list)) != NULL)
        free(plait__list_entry(node, struct plait__crew_item, node));
}

static void destroy(plait_imap *handle)
{
    struct imap *imap = (struct imap *)handle;

    if (imap->owner == plait__self_pid())
        plait__crew_stop(&imap->crew);
    free_list(&imap->crew.running);
    free_list(&imap->free);
    free(imap->own_ctx);
    free(imap);
}

static const struct plait__imap_ops group_ops = { .next = next, .destroy = destroy };

/* A group has neither chunks nor lanes, attempts or limits. */
static int check_opts(plait_imap_opts *opts, const plait_group *group)
{
    const size_t most = SSIZE_MAX / 2;

    if (opts->chunk > 0 || opts->attempts > 0 || opts->lane > 0 || opts->soft_ms != 0 ||
        opts->hard_ms != 0 || (opts->ctx == NULL && opts->ctx_bytes > 0) || opts->ctx_bytes > most)
        return -EINVAL;
    if (opts->window == 0 && plait__group_bound(group) > 0)
        opts->window = 2 * (size_t)plait__group_bound(group);
    if (opts->window == 0)
        opts->window = WINDOW;
    return opts->in_bytes > most / 4 || opts->out_bytes > most / 4 ? -ENOMEM : 0;
}

static struct imap *make(plait_group *group, const plait_imap_opts *opts)
{
    struct imap *imap = calloc(1, sizeof *imap);

    if (imap == NULL)
        return NULL;
    imap->imap.ops = &group_ops;
    imap->opts = *opts;
    imap->owner = plait__self_pid();
    imap->crew.group = group;
    imap->crew.ctx = opts->ctx;
    plait__crew_init(&imap->crew);
    plait__list_init(&imap->free);
    if (opts->ctx_bytes == 0)
        return imap;
    imap->own_ctx = malloc(opts->ctx_bytes);
    if (imap->own_ctx == NULL) {
        free(imap);
        return NULL;
    }
    imap->crew.ctx = memcpy(imap->own_ctx, opts->ctx, opts->ctx_bytes);
    return imap;
}

/* NOLINTNEXTLINE(readability-function-size): one more parameter, for bindings only */
int plait_group_imap_sized(plait_group *group, plait_imap **ret, plait_pool_fn *fn,
                           plait_pool_source_fn *source, void *arg, const plait_imap_opts *opts,
                           size_t opts_bytes)
{
    plait_imap_opts ours;
    struct imap *imap;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc == 0)
        rc = ret == NULL || fn == NULL || source == NULL ? -EINVAL : plait__group_check(group);
    if (rc == 0)
        rc = check_opts(&ours, group);
    if (rc < 0)
        return rc;
    imap = make(group, &ours);
    if (imap == NULL)
        return -ENOMEM;
    imap->crew.fn = fn;
    imap->crew.site = PLAIT__CALLER;
    imap->source = source;
    imap->source_arg = arg;
    fill(imap);
    *ret = &imap->imap;
    return 0;
}
