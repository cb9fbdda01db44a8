/* Maps: a function over many items, by the workers of a pool or the coroutines of a group.
 * SPDX-License-Identifier: MIT
 *
 *     rc = plait_pool_map(pool, square, PLAIT_IN(n), PLAIT_OUT(squares), NULL, PLAIT_FOREVER);
 *
 *     plait_items columns[2] = {PLAIT_IN(widths), PLAIT_IN(heights)};  // several arguments
 *     rc = plait_pool_starmap(pool, area, PLAIT_ROWS(columns), PLAIT_OUT(areas), NULL,
 *                             PLAIT_FOREVER);
 *
 *     plait_imap *imap = NULL;                                         // items without end
 *     plait_imap_opts opts = {.in_bytes = sizeof(long), .out_bytes = sizeof(long)};
 *     rc = plait_pool_imap(pool, &imap, square, read_number, stdin, &opts);
 *     while (rc == 0 && plait_imap_next(imap, &squared, NULL, PLAIT_FOREVER) == 1)
 *         print(squared);
 *     plait_imap_destroy(imap);
 *
 *     rc = plait_group_map(group, fetch, PLAIT_IN(urls), PLAIT_OUT(pages), NULL,    // coroutines
 *                          plait_after_ms(60000));
 *
 * rc > 0: so many items did not end in a value. Each item ends in exactly one outcome, as
 * plait/pool.h says it of jobs. The words are those of Python's Pool: map, map_async, starmap,
 * starmap_async, imap, imap_unordered, chunk.
 */
#ifndef PLAIT_MAP_H
#define PLAIT_MAP_H

#include <plait/export.h>
#include <plait/future.h>
#include <plait/group.h>
#include <plait/pool.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

/* A function of plait_pool_starmap: row[i] is the item of column i. */
typedef int plait_pool_row_fn(const void *const *row, void *out, void *ctx);
/* Where imap gets its items: fills `item`. 1: there is one; 0: no more; negative: an error, and no
 * more. */
typedef int plait_pool_source_fn(void *item, void *arg);

/* Some items that lie behind one another. */
typedef struct plait_items {
    void *ptr;
    size_t item_bytes;
    size_t count;
} plait_items;

/* Columns of as many items each: rows. */
typedef struct plait_rows {
    const plait_items *columns;
    size_t n_columns;
} plait_rows;

/* Options of plait_pool_map and its like; zero is the default of each field. */
typedef struct plait_map_opts {
    void *ctx;
    size_t ctx_bytes;      /* 0: `ctx` goes as it is, else so many bytes of it are copied */
    size_t chunk;          /* items that go to a worker together; 0: as measured */
    plait_result *results; /* gets how each item ended; NULL: nobody asks */
    unsigned attempts;     /* the rest as of plait_job, for each item */
    unsigned lane;
    int64_t soft_ms;
    int64_t hard_ms;
    plait_future_fn *then; /* of an async one: called when all have ended */
    void *then_arg;
} plait_map_opts;

/* Results in the order of their items, or of their ends, of items that come one by one; opaque. */
typedef struct plait_imap plait_imap;

/* Options of plait_pool_imap and plait_group_imap; zero is the default of each field. */
typedef struct plait_imap_opts {
    size_t in_bytes;  /* of an item */
    size_t out_bytes; /* of a result */
    size_t window; /* items taken and not yet given out, at most; 0: 64 for each worker; of a group
                          twice max_running, or 64 */
    size_t chunk;  /* items that go to a worker together; 0: as measured */
    bool is_unordered; /* as they end, not as they came: Python's imap_unordered */
    void *ctx;         /* the rest as of plait_map_opts */
    size_t ctx_bytes;
    unsigned attempts;
    unsigned lane;
    int64_t soft_ms;
    int64_t hard_ms;
} plait_imap_opts;

/* ---- items ---- */

/* Items behind a pointer; PLAIT_IN and PLAIT_OUT do it for arrays.
 *
 *   ptr       the first one. It is written to only where the items are the output of a call.
 *   item_bytes  the size of each. 0: there is nothing to copy, and each item is the pointer itself.
 *   count     how many.
 *   Returns   the items.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline plait_items plait_items_of(const void *ptr, size_t item_bytes, size_t count)
{
    plait_items items;

    items.ptr = (void *)(uintptr_t)ptr;
    items.item_bytes = item_bytes;
    items.count = count;
    return items;
}

/* Rows of some columns; PLAIT_ROWS does it for an array of them.
 *
 *   columns   the columns, all of the same count; they are used until the call with them returns.
 *   n_columns  how many, at most 16.
 *   Returns   the rows.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline plait_rows plait_rows_of(const plait_items *columns, size_t n_columns)
{
    plait_rows rows;

    rows.columns = columns;
    rows.n_columns = n_columns;
    return rows;
}

/* ---- maps ---- */

/* Run a function over many items, and wait for all of them. Items go to the workers in chunks, each
 * of which is run one after the other, but a worker that dies takes no more with it than the item
 * that it ran. How large a chunk is follows from how long items take, unless it is given. However
 * many items there are, only some chunks are under way at a time.
 *
 * When it cannot be waited for any longer, nothing of it is left running: what has not been begun
 * is cancelled, processes that run an item are killed (after the pool's grace_ms), threads are
 * asked to end and waited for. So `in` and `out` are the caller's again when it returns.
 *
 *   pool      the pool.
 *   fn        the function.
 *   in        the items.
 *   out       room for what each gives; as many as `in`, or plait_items_of(NULL, 0, 0) for none.
 *             What did not end in a value leaves its place undefined.
 *   opts      options, or NULL.
 *   until     how long to wait.
 *   Returns   how many items did not end in a value: 0 if all did. plait_map_opts.results tells how
 *             each ended, also after an error below.
 *   Blocks    until all items have ended, or the deadline. A cancellation point. Callbacks may be
 *             called.
 *   From      any task of the process that made the pool, jobs of it included (plait_pool_current).
 *   Errors    -ETIMEDOUT  some had not ended.
 *             -ECANCELED  the caller was asked to end; so too.
 *             -EINVAL     pool or fn is NULL, the counts differ, items have no pointer, or as
 *                         plait_pool_submit.
 *             -EPIPE, PLAIT_EPOOL, -ENOMEM, -E2BIG, -ECHILD  as plait_pool_submit; nothing was
 *             begun.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_pool_map(plait_pool *pool, plait_pool_fn *fn, plait_items in,
                                 plait_items out, const plait_map_opts *opts, plait_deadline until);

/* plait_pool_map with the size of the options in words: what the inline function calls, for
 * bindings.
 */
PLAIT_API int plait_pool_map_sized(plait_pool *pool, plait_pool_fn *fn, plait_items in,
                                   plait_items out, const plait_map_opts *opts, size_t opts_bytes,
                                   plait_deadline until);

/* Begin to run a function over many items, and do not wait for them: plait_future_get says how many
 * did not end in a value. As much is submitted at once as there is room for, the rest by whoever
 * waits (plait/future.h says what that is).
 *
 *   pool      the pool.
 *   ret       gets the future; untouched on failure.
 *   fn        the function.
 *   in        the items; they and the options' results are left alone until the future is ready.
 *   out       as of plait_pool_map; so too.
 *   opts      options, or NULL.
 *   Blocks    no. Callbacks may be called when there are no items.
 *   From      any task of the process that made the pool, jobs of it included (plait_pool_current).
 *   Errors    -EINVAL  ret is NULL, or as plait_pool_map.
 *             -EPIPE, PLAIT_EPOOL, -ENOMEM, -E2BIG, -ECHILD  as plait_pool_submit; nothing was
 *             begun.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_pool_map_async(plait_pool *pool, plait_future **ret, plait_pool_fn *fn,
                                       plait_items in, plait_items out, const plait_map_opts *opts);

/* plait_pool_map_async with the size of the options in words: what the inline function calls, for
 * bindings. */
PLAIT_API int plait_pool_map_async_sized(plait_pool *pool, plait_future **ret, plait_pool_fn *fn,
                                         plait_items in, plait_items out,
                                         const plait_map_opts *opts, size_t opts_bytes);

/* plait_pool_map of a function with several arguments: it gets a row, one item of each column. Rows
 * are copied together for their worker.
 *
 *   pool      the pool.
 *   fn        the function.
 *   in        the columns, at most 16.
 *   out       as of plait_pool_map.
 *   opts      options, or NULL.
 *   until     how long to wait.
 *   Returns   as plait_pool_map.
 *   Blocks    as plait_pool_map.
 *   From      any task of the process that made the pool, jobs of it included (plait_pool_current).
 *   Errors    -EINVAL  there are no columns, or too many, their counts differ, or as
 *                      plait_pool_map.
 *             -ETIMEDOUT, -ECANCELED, -EPIPE, PLAIT_EPOOL, -ENOMEM, -E2BIG, -ECHILD  as
 *             plait_pool_map.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_pool_starmap(plait_pool *pool, plait_pool_row_fn *fn, plait_rows in,
                                     plait_items out, const plait_map_opts *opts,
                                     plait_deadline until);

/* plait_pool_starmap with the size of the options in words: what the inline function calls, for
 * bindings. */
PLAIT_API int plait_pool_starmap_sized(plait_pool *pool, plait_pool_row_fn *fn, plait_rows in,
                                       plait_items out, const plait_map_opts *opts,
                                       size_t opts_bytes, plait_deadline until);

/* plait_pool_map_async of a function with several arguments.
 *
 *   pool      the pool.
 *   ret       gets the future; untouched on failure.
 *   fn        the function.
 *   in        the columns, at most 16. Their items are left alone until the future is ready.
 *   out       as of plait_pool_map_async.
 *   opts      options, or NULL.
 *   Blocks    no.
 *   From      any task of the process that made the pool, jobs of it included (plait_pool_current).
 *   Errors    -EINVAL  ret is NULL, or as plait_pool_starmap.
 *             -EPIPE, PLAIT_EPOOL, -ENOMEM, -E2BIG, -ECHILD  as plait_pool_submit; nothing was
 *             begun.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_pool_starmap_async(plait_pool *pool, plait_future **ret,
                                           plait_pool_row_fn *fn, plait_rows in, plait_items out,
                                           const plait_map_opts *opts);

/* plait_pool_starmap_async with the size of the options in words: what the inline function
 * calls, for bindings. */
PLAIT_API int plait_pool_starmap_async_sized(plait_pool *pool, plait_future **ret,
                                             plait_pool_row_fn *fn, plait_rows in, plait_items out,
                                             const plait_map_opts *opts, size_t opts_bytes);

/* ---- items that come one by one ---- */

/* Run a function over items that come from a source, as many as it gives: Python's imap, and with
 * is_unordered imap_unordered. Items are taken by this call and by plait_imap_next, and never more
 * than `window` that have not been given out.
 *
 *   pool      the pool.
 *   ret       gets the handle; untouched on failure. Destroyed by plait_imap_destroy.
 *   fn        the function.
 *   source    where the items come from. It is called by this call and by plait_imap_next, never by
 *             two tasks at once.
 *   arg       handed to source.
 *   opts      options; in_bytes and out_bytes are the sizes of items and results. NULL: 0.
 *   Blocks    as long as source does.
 *   From      any task of the process that made the pool, jobs of it included (plait_pool_current).
 *   Errors    -EINVAL  pool, ret, fn or source is NULL, or as plait_pool_submit.
 *             -EPIPE, PLAIT_EPOOL, -ENOMEM, -E2BIG, -ECHILD  as plait_pool_submit. Items that were
 *             taken by then are lost.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_pool_imap(plait_pool *pool, plait_imap **ret, plait_pool_fn *fn,
                                  plait_pool_source_fn *source, void *arg,
                                  const plait_imap_opts *opts);

/* plait_pool_imap with the size of the options in words: what the inline function calls, for
 * bindings.
 */
PLAIT_API int plait_pool_imap_sized(plait_pool *pool, plait_imap **ret, plait_pool_fn *fn,
                                    plait_pool_source_fn *source, void *arg,
                                    const plait_imap_opts *opts, size_t opts_bytes);

/* The next result; waits for it. An item that did not end in a value has its turn like any other,
 * and those behind it come after it.
 *
 *   imap      what plait_pool_imap or plait_group_imap gave.
 *   out       gets the value, out_bytes of it, if it is one; may be NULL.
 *   ret       gets how the item ended; may be NULL.
 *   until     how long to wait.
 *   Returns   1: there was one; 0: there are no more.
 *   Blocks    until there is one, or the deadline, and as long as the source does. A cancellation
 *             point. Callbacks may be called.
 *   From      any task of the process that made it, one at a time.
 *   Errors    -ETIMEDOUT  none has ended that may come next.
 *             -ECANCELED  the caller was asked to end.
 *             -EPIPE      the pool has ended, or the group was asked to end, and what was taken
 *                         before has been given out.
 *             PLAIT_EPOOL, -ENOMEM  no more can be submitted; so too.
 *             -EINVAL     imap is NULL.
 *             -ECHILD     it was made by another process.
 *             What the source returned, when that was negative, after the results of all items
 *             before.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_imap_next(plait_imap *imap, void *out, plait_result *ret,
                                  plait_deadline until);

/* plait_imap_next with the size of the result in words: what the inline function calls, for
 * bindings.
 */
PLAIT_API int plait_imap_next_sized(plait_imap *imap, void *out, plait_result *ret,
                                    size_t ret_bytes, plait_deadline until);

/* End it, whether all results have been given out or not. What has not been begun is cancelled,
 * what runs is ended as plait_pool_map or plait_group_map says it.
 *
 *   imap      what plait_pool_imap or plait_group_imap gave; NULL is fine.
 *   Blocks    until what ran has ended. Callbacks may be called.
 *   From      any task of the process that made it.
 *   Errors    none.
 *   Fork      usable in the child: it frees the child's memory and touches nothing else.
 *   Since     0.1
 */
PLAIT_API void plait_imap_destroy(plait_imap *imap);

/* ---- by a group ---- */

/* Run a function over many items, each in a coroutine of its own, and wait for all of them: gevent's
 * Pool.map, or Group.map without a bound. The function is one that a pool could run as well. The
 * coroutines are those of the group: it never has more than max_running, an item that fails is one
 * that plait_group_join counts, and with cancel_on_error the first of them ends the map.
 *
 * When it cannot be waited for any longer, nothing of it is left running: its items are asked to end
 * and waited for, and others of the group are left alone. So `in` and `out` are the caller's again
 * when it returns.
 *
 *   group     the group.
 *   fn        the function.
 *   in        the items.
 *   out       room for what each gives; as many as `in`, or plait_items_of(NULL, 0, 0) for none.
 *   ctx       handed to fn.
 *   until     how long to wait.
 *   Returns   how many items did not end in a value: their function returned something negative, or
 *             they never began, because the group was asked to end or there was no memory.
 *   Blocks    until all items have ended, or the deadline. A cancellation point.
 *   From      any task of the process that made the group; of its own coroutines, those of a full
 *             group wait for the others.
 *   Errors    -ETIMEDOUT  some had not ended.
 *             -ECANCELED  the caller was asked to end; so too.
 *             -EINVAL     group or fn is NULL, the counts differ, or items have no pointer.
 *             -EPIPE      the group was asked to end; nothing was begun.
 *             -ENOMEM     no memory, and nothing runs that would give some back.
 *             -ECHILD     the group was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_group_map(plait_group *group, plait_pool_fn *fn, plait_items in,
                              plait_items out, void *ctx, plait_deadline until);

/* Run a function over items that come from a source, each in a coroutine of the group: gevent's
 * Pool.imap, and with is_unordered imap_unordered; GreenPile. Items are taken, and begun, by this call
 * and by plait_imap_next: as many as the group has room for, and never more than `window` that have
 * not been given out.
 *
 *   group     the group; not to be destroyed before the handle.
 *   ret       gets the handle; untouched on failure. Destroyed by plait_imap_destroy.
 *   fn        the function.
 *   source    where the items come from. It is called by this call and by plait_imap_next, never by
 *             two tasks at once. It may wait.
 *   arg       handed to source.
 *   opts      options: in_bytes, out_bytes, window, is_unordered, ctx and ctx_bytes; the others are
 *             0. NULL: 0.
 *   Blocks    as long as source does, until a first item has ended.
 *   From      any task of the process that made the group.
 *   Errors    -EINVAL  group, ret, fn or source is NULL, or an option is set that groups do not have.
 *             -ENOMEM  no memory.
 *             -E2BIG   opts is larger than this library knows and sets what it does not know.
 *             -ECHILD  the group was made by another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_group_imap(plait_group *group, plait_imap **ret, plait_pool_fn *fn,
                                   plait_pool_source_fn *source, void *arg,
                                   const plait_imap_opts *opts);

/* plait_group_imap with the size of the options in words: what the inline function calls, for
 * bindings.
 */
PLAIT_API int plait_group_imap_sized(plait_group *group, plait_imap **ret, plait_pool_fn *fn,
                                     plait_pool_source_fn *source, void *arg,
                                     const plait_imap_opts *opts, size_t opts_bytes);

/* ---- what the inline functions are ---- */

static inline int plait_pool_map(plait_pool *pool, plait_pool_fn *fn, plait_items in,
                                 plait_items out, const plait_map_opts *opts, plait_deadline until)
{
    return plait_pool_map_sized(pool, fn, in, out, opts, sizeof *opts, until);
}

static inline int plait_pool_map_async(plait_pool *pool, plait_future **ret, plait_pool_fn *fn,
                                       plait_items in, plait_items out, const plait_map_opts *opts)
{
    return plait_pool_map_async_sized(pool, ret, fn, in, out, opts, sizeof *opts);
}

static inline int plait_pool_starmap(plait_pool *pool, plait_pool_row_fn *fn, plait_rows in,
                                     plait_items out, const plait_map_opts *opts,
                                     plait_deadline until)
{
    return plait_pool_starmap_sized(pool, fn, in, out, opts, sizeof *opts, until);
}

static inline int plait_pool_starmap_async(plait_pool *pool, plait_future **ret,
                                           plait_pool_row_fn *fn, plait_rows in, plait_items out,
                                           const plait_map_opts *opts)
{
    return plait_pool_starmap_async_sized(pool, ret, fn, in, out, opts, sizeof *opts);
}

static inline int plait_pool_imap(plait_pool *pool, plait_imap **ret, plait_pool_fn *fn,
                                  plait_pool_source_fn *source, void *arg,
                                  const plait_imap_opts *opts)
{
    return plait_pool_imap_sized(pool, ret, fn, source, arg, opts, sizeof *opts);
}

static inline int plait_group_imap(plait_group *group, plait_imap **ret, plait_pool_fn *fn,
                                   plait_pool_source_fn *source, void *arg,
                                   const plait_imap_opts *opts)
{
    return plait_group_imap_sized(group, ret, fn, source, arg, opts, sizeof *opts);
}

static inline int plait_imap_next(plait_imap *imap, void *out, plait_result *ret,
                                  plait_deadline until)
{
    return plait_imap_next_sized(imap, out, ret, sizeof *ret, until);
}

PLAIT_END

/* PLAIT_IN(array), PLAIT_OUT(array), PLAIT_ROWS(columns): the array as items; a pointer does not
 * compile. */
#ifdef __cplusplus
extern "C++" {
template <typename T, size_t N> inline plait_items plait_items_in(const T (&array)[N])
{
    return plait_items_of(array, sizeof array[0], N);
}

template <typename T, size_t N> inline plait_items plait_items_out(T (&array)[N])
{
    return plait_items_of(array, sizeof array[0], N);
}

template <size_t N> inline plait_rows plait_rows_in(const plait_items (&columns)[N])
{
    return plait_rows_of(columns, N);
}
}
#    define PLAIT_IN(array)     plait_items_in(array)
#    define PLAIT_OUT(array)    plait_items_out(array)
#    define PLAIT_ROWS(columns) plait_rows_in(columns)
#else
#    define PLAIT_COUNT_OF(array)                                                  \
        (sizeof(array) / sizeof((array)[0]) +                                      \
         0 * sizeof(char[1 - 2 * !!__builtin_types_compatible_p(__typeof__(array), \
                                                                __typeof__(&(array)[0]))]))
#    define PLAIT_IN(array)     plait_items_of((array), sizeof((array)[0]), PLAIT_COUNT_OF(array))
#    define PLAIT_OUT(array)    plait_items_of((array), sizeof((array)[0]), PLAIT_COUNT_OF(array))
#    define PLAIT_ROWS(columns) plait_rows_of((columns), PLAIT_COUNT_OF(columns))
#endif

#endif
