/* The public calls on many items: map and starmap.
 * SPDX-License-Identifier: MIT
 */
#include "base/opts.h"
#include "family/member.h"
#include "pool/map.h"
#include "task/function.h"
#include "wait/sleeper.h"

#include <plait/error.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What a map is to be. */
struct wanted {
    plait_pool *pool;
    plait_pool_fn *fn;
    plait_pool_row_fn *row_fn; /* instead of fn */
    plait_items in;
    plait_rows rows; /* instead of in */
    plait_items out;
    plait_map_opts opts;
    bool waits;
};

static bool is_none(plait_items items)
{
    return items.ptr == NULL && items.item_bytes == 0 && items.count == 0;
}

static int check_items(plait_items items)
{
    size_t bytes;

    if (items.ptr == NULL && items.item_bytes > 0 && items.count > 0)
        return -EINVAL;
    return __builtin_mul_overflow(items.item_bytes, items.count, &bytes) || bytes > SSIZE_MAX
               ? -EINVAL
               : 0;
}

/* The items, and how many. */
static int fill_items(struct plait__map *map, const struct wanted *wanted)
{
    int rc = 0;

    map->out = wanted->out;
    if (wanted->row_fn != NULL) {
        rc = plait__rows_fill(&map->rows, &wanted->rows);
        for (size_t i = 0; rc == 0 && i < map->rows.n_columns; i++)
            rc = check_items(map->rows.columns[i]);
        map->n = map->rows.columns[0].count;
    } else {
        map->in = wanted->in;
        map->n = map->in.count;
        rc = check_items(map->in);
    }
    if (rc == 0)
        rc = check_items(map->out);
    if (rc == 0 && !is_none(map->out) && map->out.count != map->n)
        rc = -EINVAL;
    return rc;
}

/* A context that goes by bytes is copied, as chunks are submitted later on. */
static int fill_ctx(struct plait__map *map, const struct wanted *wanted)
{
    const plait_map_opts *opts = &wanted->opts;
    int rc = 0;

    map->fn = wanted->fn;
    map->ctx = opts->ctx;
    map->ctx_bytes = opts->ctx_bytes;
    if (wanted->row_fn != NULL) {
        /* the pointer would mean nothing there */
        if (map->pool->ops->copies_in && opts->ctx_bytes == 0 && opts->ctx != NULL &&
            !plait__is_shared(opts->ctx))
            return -EINVAL;
        map->fn = plait__rows_run;
        map->own_ctx = plait__rows_ctx(&map->rows, wanted->row_fn, opts, &map->ctx_bytes);
        if (map->own_ctx != NULL && map->pool->ops->copies_in)
            rc = plait__function_name((uintptr_t)wanted->row_fn,
                                      &((struct plait__rows_ctx *)map->own_ctx)->name);
    } else if (opts->ctx_bytes > 0 && !plait__is_shared(opts->ctx)) {
        map->own_ctx = malloc(opts->ctx_bytes);
        if (map->own_ctx != NULL)
            memcpy(map->own_ctx, opts->ctx, opts->ctx_bytes);
    } else {
        return 0;
    }
    map->ctx = map->own_ctx;
    return map->own_ctx != NULL ? rc : -ENOMEM;
}

static int check_wanted(const struct wanted *wanted)
{
    const plait_map_opts *opts = &wanted->opts;
    int rc = plait__pool_check(wanted->pool);

    if (rc < 0)
        return rc;
    if ((wanted->fn == NULL && wanted->row_fn == NULL) || opts->soft_ms < 0 || opts->hard_ms < 0 ||
        (opts->ctx == NULL && opts->ctx_bytes > 0) || opts->ctx_bytes > SSIZE_MAX / 2)
        return -EINVAL;
    return 0;
}

/* A map without future. */
static int make_map(struct plait__map **ret, const struct wanted *wanted)
{
    const plait_map_opts *opts = &wanted->opts;
    struct plait__map *map = calloc(1, sizeof *map);
    int rc;

    if (map == NULL)
        return -ENOMEM;
    map->pool = wanted->pool;
    map->results = opts->results;
    map->chunk = opts->chunk;
    map->waits = wanted->waits;
    map->is_shared = map->pool->ops->refills;
    plait__limits_fill(&map->limits, opts->soft_ms, opts->hard_ms, opts->attempts, opts->lane);
    plait__list_init(&map->node);
    plait__list_init(&map->flying);
    plait__list_init(&map->idle);
    rc = fill_items(map, wanted);
    if (rc == 0)
        rc = fill_ctx(map, wanted);
    if (rc == 0)
        rc = plait__map_reserve(map);
    if (rc < 0)
        plait__map_free(map);
    else
        *ret = map;
    return rc;
}

/* Among the maps that are to be fed. Under its lock: who ends it takes it out after that. */
static void enter_pool(struct plait__map *map)
{
    plait__mutex_lock(&map->lock);
    if (plait__map_next(map) < map->n && !map->is_stopped) {
        plait__mutex_lock(&map->pool->lock);
        plait__list_push_back(&map->pool->maps, &map->node);
        __atomic_add_fetch(&map->pool->n_maps, 1, __ATOMIC_RELAXED);
        plait__mutex_unlock(&map->pool->lock);
    }
    plait__mutex_unlock(&map->lock);
}

/* The first chunks are on their way. */
static int start(plait_future **ret, const struct wanted *wanted)
{
    struct plait__map *map = NULL;
    plait_future *future;
    int rc = check_wanted(wanted);

    if (rc == 0)
        rc = make_map(&map, wanted);
    if (rc < 0)
        return rc;
    rc = plait__future_take(&future, wanted->pool, map->n);
    if (rc < 0) {
        plait__map_free(map);
        return rc;
    }
    map->future = future;
    future->map = map;
    plait__future_begin_then(future, wanted->opts.then, wanted->opts.then_arg);
    rc = plait__map_feed(map);
    if (rc < 0) {
        plait__future_drop(future, map->n);
        return rc;
    }
    enter_pool(map);
    if (__atomic_load_n(&wanted->pool->stops_maps,
                        __ATOMIC_SEQ_CST)) /* perhaps before it was there */
        plait__maps_stop(wanted->pool);
    if (map->n == 0) /* nobody else brings in its end */
        plait__futures_call(wanted->pool);
    *ret = future;
    return 0;
}

/* Waits for all items; when it may not go on waiting, until those that run have ended. */
static int finish(plait_future *future, plait_deadline until)
{
    int rc = plait_future_wait(future, until);
    size_t n_bad;

    if (rc < 0) {
        plait__mask_cancel();
        plait_future_cancel(future, true);
        plait_future_wait(future, PLAIT_FOREVER);
        plait__unmask_cancel();
    }
    n_bad = plait__map_bad(future->map);
    plait_future_unref(future);
    if (rc < 0)
        return rc;
    return n_bad < INT_MAX ? (int)n_bad : INT_MAX;
}

static int run(struct wanted *wanted, plait_deadline until)
{
    plait_future *future;
    int rc;

    wanted->waits = true;
    wanted->opts.then = NULL;
    rc = start(&future, wanted);
    return rc < 0 ? rc : finish(future, until);
}

/* NOLINTNEXTLINE(readability-function-size): as many as the call has in Python */
int plait_pool_map_sized(plait_pool *pool, plait_pool_fn *fn, plait_items in, plait_items out,
                         const plait_map_opts *opts, size_t opts_bytes, plait_deadline until)
{
    struct wanted wanted = { .pool = pool, .fn = fn, .in = in, .out = out };
    int rc = plait__opts_copy(&wanted.opts, sizeof wanted.opts, opts, opts_bytes);

    return rc < 0 ? rc : run(&wanted, until);
}

/* NOLINTNEXTLINE(readability-function-size): so too */
int plait_pool_map_async_sized(plait_pool *pool, plait_future **ret, plait_pool_fn *fn,
                               plait_items in, plait_items out, const plait_map_opts *opts,
                               size_t opts_bytes)
{
    struct wanted wanted = { .pool = pool, .fn = fn, .in = in, .out = out };
    int rc = plait__opts_copy(&wanted.opts, sizeof wanted.opts, opts, opts_bytes);

    if (rc < 0)
        return rc;
    return ret == NULL ? -EINVAL : start(ret, &wanted);
}

/* NOLINTNEXTLINE(readability-function-size): so too */
int plait_pool_starmap_sized(plait_pool *pool, plait_pool_row_fn *fn, plait_rows in,
                             plait_items out, const plait_map_opts *opts, size_t opts_bytes,
                             plait_deadline until)
{
    struct wanted wanted = { .pool = pool, .row_fn = fn, .rows = in, .out = out };
    int rc = plait__opts_copy(&wanted.opts, sizeof wanted.opts, opts, opts_bytes);

    return rc < 0 ? rc : run(&wanted, until);
}

/* NOLINTNEXTLINE(readability-function-size): so too */
int plait_pool_starmap_async_sized(plait_pool *pool, plait_future **ret, plait_pool_row_fn *fn,
                                   plait_rows in, plait_items out, const plait_map_opts *opts,
                                   size_t opts_bytes)
{
    struct wanted wanted = { .pool = pool, .row_fn = fn, .rows = in, .out = out };
    int rc = plait__opts_copy(&wanted.opts, sizeof wanted.opts, opts, opts_bytes);

    if (rc < 0)
        return rc;
    return ret == NULL ? -EINVAL : start(ret, &wanted);
}
