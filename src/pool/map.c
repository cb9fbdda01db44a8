/* A map: one function over many items, cut into chunks that are jobs.
 * SPDX-License-Identifier: MIT
 *
 * How large a chunk is: the items that are left, shared out to four chunks for each worker, so that
 * chunks become smaller towards the end and all workers end at about the same time; but as many as
 * take 100 us at least, for what a chunk costs besides, and 50 ms at most, for what was guessed
 * wrong. How long an item takes is measured; before the first has ended it is one item a chunk,
 * unless the submitter is not there to go on when it has.
 */
#include "pool/map.h"

#include <plait/error.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_NS   INT64_C(100000)
#define MOST_NS    INT64_C(50000000)
#define MOST_BYTES ((size_t)4 << 20) /* of a measured chunk, unless one item has more */

enum {
    CHUNKS_A_WORKER = 4,   /* measured ones that are under way */
    GIVEN_A_WORKER = 16,   /* those of given size, where they cost nothing … */
    GIVEN_MORE = 64,       /* … and so many more */
    GIVEN_PROCESSES = 1024 /* where a sleeping submitter must not keep the workers waiting */
};

/* ---- chunks ---- */

static void free_chunk(struct plait__chunk *chunk)
{
    free(chunk->results);
    free(chunk->packed);
    free(chunk);
}

/* Room for n items; what there was stays if there is no memory. */
static bool grow(struct plait__chunk *chunk, size_t n)
{
    struct plait__map *map = chunk->map;
    plait_result *results;
    char *packed;

    if (n <= chunk->cap)
        return true;
    if (map->results == NULL) {
        results = realloc(chunk->results, n * sizeof *results);
        if (results == NULL)
            return false;
        chunk->results = results;
    }
    if (map->rows.n_columns > 0) {
        packed = realloc(chunk->packed, n * map->rows.bytes);
        if (packed == NULL)
            return false;
        chunk->packed = packed;
    }
    chunk->cap = (uint32_t)n;
    return true;
}

static void on_end(struct plait__job *job);

static struct plait__chunk *make_chunk(struct plait__map *map)
{
    struct plait__chunk *chunk = calloc(1, sizeof *chunk);

    if (chunk == NULL)
        return NULL;
    chunk->map = map;
    plait__list_init(&chunk->node);
    if (grow(chunk, 1))
        return chunk;
    free_chunk(chunk);
    return NULL;
}

int plait__map_reserve(struct plait__map *map)
{
    struct plait__chunk *chunk = make_chunk(map);

    if (chunk == NULL)
        return -ENOMEM;
    plait__list_push_back(&map->idle, &chunk->node);
    return 0;
}

/* Map lock. NULL: no memory. */
static struct plait__chunk *take_chunk(struct plait__map *map)
{
    struct plait__list *node = plait__list_pop_front(&map->idle);

    return node != NULL ? plait__list_entry(node, struct plait__chunk, node) : make_chunk(map);
}

static void free_list(struct plait__list *list)
{
    struct plait__list *node;

    while ((node = plait__list_pop_front(list)) != NULL)
        free_chunk(plait__list_entry(node, struct plait__chunk, node));
}

void plait__map_free(struct plait__map *map)
{
    free_list(&map->idle);
    free_list(&map->flying); /* in a forked child */
    free(map->own_ctx);
    free(map);
}

size_t plait__map_bad(const struct plait__map *map)
{
    return map->n_bad;
}

/* ---- how many at once ---- */

static size_t count_workers(const struct plait__map *map)
{
    return __atomic_load_n(&map->pool->n_workers, __ATOMIC_RELAXED);
}

/* Map lock. */
static size_t choose_window(const struct plait__map *map)
{
    size_t workers = count_workers(map);

    if (map->chunk == 0 && map->waits)
        return CHUNKS_A_WORKER * workers;
    if (map->chunk == 0)
        return SIZE_MAX; /* guided: they are few */
    return map->pool->ops->copies_in ? GIVEN_PROCESSES : GIVEN_A_WORKER * workers + GIVEN_MORE;
}

static size_t clamp(size_t n, size_t least, size_t most)
{
    if (n > most)
        n = most;
    return n < least ? least : n;
}

/* Map lock. */
static size_t measure_chunk(const struct plait__map *map, size_t left)
{
    size_t share = left / (CHUNKS_A_WORKER * count_workers(map)) + 1;
    size_t item_bytes = map->rows.bytes + map->in.item_bytes + map->out.item_bytes + 1;
    size_t most = clamp(MOST_BYTES / item_bytes, 1, UINT32_MAX);
    int64_t item_ns;

    if (map->cost_items == 0)
        return map->waits ? 1 : clamp(share, 1, most);
    item_ns = map->cost_ns / map->cost_items + 1;
    share = clamp(share, (size_t)(LEAST_NS / item_ns), (size_t)(MOST_NS / item_ns));
    return clamp(share, 1, most);
}

/* Map lock. At least one is left. */
static size_t choose_chunk(const struct plait__map *map)
{
    size_t left = map->n - map->next;
    size_t n = map->chunk > 0 ? clamp(map->chunk, 1, UINT32_MAX) : measure_chunk(map, left);

    return n < left ? n : left;
}

/* ---- the end ---- */

/* Map lock. Has everything ended? True once. */
static bool is_done(struct plait__map *map)
{
    if (map->is_ended || map->is_feeding || map->n_flying > 0 ||
        (map->next < map->n && !map->is_stopped))
        return false;
    return map->is_ended = true;
}

/* Map lock. */
static void note_bad(struct plait__map *map, size_t item, const plait_result *result, size_t n)
{
    if (map->n_bad == 0 || item < map->first_bad) {
        map->first_bad = item;
        map->bad = *result;
    }
    map->n_bad += n;
}

static void leave_pool(struct plait__map *map)
{
    plait__mutex_lock(&map->pool->lock);
    if (!plait__list_is_empty(&map->node)) {
        plait__list_remove(&map->node);
        __atomic_sub_fetch(&map->pool->n_maps, 1, __ATOMIC_RELAXED);
    }
    plait__mutex_unlock(&map->pool->lock);
}

/* Outside of locks, once, by whom is_done told so; the map may be gone afterwards. */
static void end_map(struct plait__map *map)
{
    size_t n = map->n - map->next;

    struct plait__tally tally = { 0 };

    leave_pool(map);
    if (n > 0)
        note_bad(map, map->next, &map->rest, n);
    for (size_t i = map->next; i < map->n; i++) {
        plait__tally(&tally, &map->rest, 1);
        if (map->results != NULL)
            map->results[i] = map->rest;
    }
    plait__share_count(map->pool, &tally);
    map->future->result = map->n_bad > 0 ? map->bad : (plait_result){ .end = PLAIT_JOB_VALUE };
    plait__future_end(map->future);
}

/* What the items of a chunk ended in. */
static void count_results(struct plait__map *map, const struct plait__chunk *chunk)
{
    const plait_result *results = chunk->job.results;
    struct plait__tally tally = { 0 };
    size_t first_bad = 0;

    plait__tally(&tally, results, chunk->job.n);
    while (tally.bad > 0 && results[first_bad].end == PLAIT_JOB_VALUE)
        first_bad++;
    plait__share_count(map->pool, &tally);
    plait__mutex_lock(&map->lock);
    if (tally.bad > 0)
        note_bad(map, chunk->first + first_bad, &results[first_bad], tally.bad);
    map->cost_items += (int64_t)tally.begun;
    map->cost_ns += tally.run_ns;
    plait__mutex_unlock(&map->lock);
}

static void on_end(struct plait__job *job)
{
    struct plait__chunk *chunk = plait__list_entry(job, struct plait__chunk, job);
    struct plait__map *map = chunk->map;
    plait_pool *pool = map->pool; /* once the map is unlocked, it and the chunk may be gone */
    bool is_last;

    count_results(map, chunk);
    plait__mutex_lock(&map->lock);
    plait__list_remove(&chunk->node);
    chunk->is_flying = false;
    map->n_flying--;
    if (chunk->pins == 0)
        plait__list_push_front(&map->idle, &chunk->node);
    is_last = is_done(map);
    plait__mutex_unlock(&map->lock);
    if (is_last)
        end_map(map);
    else
        plait__pool_tell(pool);
}

/* ---- feeding ---- */

static void fill_job(struct plait__chunk *chunk, size_t n)
{
    struct plait__map *map = chunk->map;
    struct plait__job *job = &chunk->job;

    *job = (struct plait__job){
        .pool = map->pool,
        .fn = map->fn,
        .in = (const char *)map->in.ptr + chunk->first * map->in.item_bytes,
        .in_bytes = map->in.item_bytes,
        .out_bytes = map->out.item_bytes,
        .n = (uint32_t)n,
        .ctx = map->ctx,
        .ctx_bytes = map->ctx_bytes,
        .limits = map->limits,
        .results = map->results != NULL ? map->results + chunk->first : chunk->results,
        .on_end = on_end,
    };
    if (job->out_bytes > 0)
        job->out = (char *)map->out.ptr + chunk->first * job->out_bytes;
    if (map->rows.n_columns > 0) {
        plait__rows_pack(chunk->packed, &map->rows, chunk->first, n);
        job->in = chunk->packed;
        job->in_bytes = map->rows.bytes;
    }
    memset(job->results, 0, n * sizeof *job->results);
}

/* Map lock, given back in between. 0; -ETIMEDOUT: no room; -errno. */
static int feed_one(struct plait__map *map)
{
    struct plait__chunk *chunk = take_chunk(map);
    size_t n = choose_chunk(map);
    int rc;

    if (chunk == NULL)
        return -ENOMEM;
    chunk->first = map->next;
    chunk->is_flying = true;
    chunk->flight = ++map->flight;
    map->n_flying++;
    plait__mutex_unlock(&map->lock);
    fill_job(chunk, grow(chunk, n) ? n : chunk->cap);
    n = chunk->job.n;
    rc = plait__pool_try_submit(map->pool, &chunk->job);
    plait__mutex_lock(&map->lock);
    if (rc < 0) {
        chunk->is_flying = false;
        map->n_flying--;
        plait__list_push_front(&map->idle, &chunk->node);
        return rc;
    }
    map->next += n;
    if (chunk->is_flying) { /* else it has ended already, in another thread */
        plait__list_push_front(&map->flying, &chunk->node);
        /* by the end of its pool: that does it, and says so */
        if (map->is_stopped && map->rest.cause != PLAIT_CAUSE_SHUTDOWN)
            plait__pool_cancel(map->pool, &chunk->job, map->is_killed);
    }
    return 0;
}

/* What becomes of the items that cannot be submitted. */
static plait_result result_of(int error)
{
    plait_result result = { .end = PLAIT_JOB_LOST, .cause = PLAIT_CAUSE_MEMORY, .code = error };

    if (error == -EPIPE)
        result = (plait_result){ .end = PLAIT_JOB_CANCELLED, .cause = PLAIT_CAUSE_SHUTDOWN };
    else if (error == PLAIT_EPOOL)
        result.cause = PLAIT_CAUSE_INIT;
    return result;
}

/* Map lock. */
static void stop(struct plait__map *map, const plait_result *rest)
{
    if (!map->is_stopped)
        map->rest = *rest;
    map->is_stopped = true;
}

/* Map lock, given back in between. */
static int feed_all(struct plait__map *map)
{
    bool is_first = map->flight == 0;
    int rc = 0;

    do {
        map->again = false;
        rc = 0;
        while (rc == 0 && !map->is_stopped && map->next < map->n &&
               map->n_flying < choose_window(map))
            rc = feed_one(map);
    } while ((rc == 0 || rc == -ETIMEDOUT) && map->again);
    if (rc == -ETIMEDOUT || (rc == -ENOMEM && map->n_flying > 0))
        return 0; /* when some have ended */
    if (rc < 0 && !(is_first && map->next == 0)) {
        plait_result rest = result_of(rc);
        stop(map, &rest);
        rc = 0;
    }
    return rc;
}

int plait__map_feed(struct plait__map *map)
{
    bool is_last, is_out;
    int rc;

    plait__mutex_lock(&map->lock);
    if (map->is_feeding || map->is_ended) {
        map->again = true;
        plait__mutex_unlock(&map->lock);
        return 0;
    }
    map->is_feeding = true;
    rc = feed_all(map);
    map->is_feeding = false;
    is_out = map->is_stopped || map->next == map->n;
    is_last = is_done(map);
    plait__mutex_unlock(&map->lock);
    if (is_out)
        leave_pool(map);
    if (is_last)
        end_map(map);
    return rc;
}

/* The next one of the pool's maps, with a reference of its future; it goes to the end of the
 * list. */
static struct plait__map *take_map(plait_pool *pool)
{
    struct plait__map *map = NULL;
    struct plait__list *node;

    plait__mutex_lock(&pool->lock);
    node = plait__list_pop_front(&pool->maps);
    if (node != NULL) {
        plait__list_push_back(&pool->maps, node);
        map = plait__list_entry(node, struct plait__map, node);
        plait_future_ref(map->future);
    }
    plait__mutex_unlock(&pool->lock);
    return map;
}

void plait__maps_feed(plait_pool *pool)
{
    uint32_t n = __atomic_load_n(&pool->n_maps, __ATOMIC_RELAXED);
    struct plait__map *map;

    for (; n > 0 && (map = take_map(pool)) != NULL; n--) {
        plait_future *future = map->future;
        plait__map_feed(map);
        plait_future_unref(future);
    }
}

/* ---- cancel, help ---- */

static void stop_and_cancel(struct plait__map *map, const plait_result *rest, bool kill)
{
    bool is_last;

    plait__mutex_lock(&map->lock);
    stop(map, rest);
    map->is_killed = map->is_killed || kill;
    list_for_each (node, &map->flying) {
        struct plait__chunk *chunk = plait__list_entry(node, struct plait__chunk, node);
        plait__pool_cancel(map->pool, &chunk->job, kill);
    }
    is_last = is_done(map);
    plait__mutex_unlock(&map->lock);
    leave_pool(map);
    if (is_last)
        end_map(map);
}

int plait__map_cancel(struct plait__map *map, bool kill)
{
    plait_result rest = { .end = PLAIT_JOB_CANCELLED };

    stop_and_cancel(map, &rest, kill);
    plait__futures_call(map->pool);
    return 0;
}

void plait__maps_stop(plait_pool *pool)
{
    plait_result rest = { .end = PLAIT_JOB_CANCELLED, .cause = PLAIT_CAUSE_SHUTDOWN };
    struct plait__map *map;

    while ((map = take_map(pool)) != NULL) {
        plait_future *future = map->future;
        bool is_last;
        plait__mutex_lock(&map->lock);
        stop(map, &rest);
        is_last = is_done(map);
        plait__mutex_unlock(&map->lock);
        leave_pool(map);
        if (is_last)
            end_map(map);
        plait_future_unref(future);
    }
}

/* Map lock. The newest chunk under way that is older than `flight`, pinned; NULL. */
static struct plait__chunk *pin_before(struct plait__map *map, uint64_t flight)
{
    list_for_each (node, &map->flying) {
        struct plait__chunk *chunk = plait__list_entry(node, struct plait__chunk, node);
        if (chunk->flight < flight) {
            chunk->pins++;
            return chunk;
        }
    }
    return NULL;
}

static void unpin(struct plait__chunk *chunk)
{
    if (--chunk->pins == 0 && !chunk->is_flying)
        plait__list_push_front(&chunk->map->idle, &chunk->node);
}

bool plait__map_help(struct plait__map *map)
{
    struct plait__chunk *chunk;
    uint64_t flight = UINT64_MAX;
    bool helped = false;

    if (!plait__pool_may_help(map->pool))
        return false;
    plait__mutex_lock(&map->lock);
    while (!helped && (chunk = pin_before(map, flight)) != NULL) {
        flight = chunk->flight;
        plait__mutex_unlock(&map->lock);
        helped = plait__pool_help(map->pool, &chunk->job);
        plait__mutex_lock(&map->lock);
        unpin(chunk);
    }
    plait__mutex_unlock(&map->lock);
    return helped;
}
