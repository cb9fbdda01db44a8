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

/* What two workers write to lies in no line together. */
static void *alloc_lines(size_t bytes)
{
    size_t lines = (bytes + PLAIT__MAP_LINE - 1) / PLAIT__MAP_LINE;

    return aligned_alloc(PLAIT__MAP_LINE, lines * PLAIT__MAP_LINE);
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
        results = alloc_lines(n * sizeof *results);
        if (results == NULL)
            return false;
        free(chunk->results);
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
    struct plait__chunk *chunk = alloc_lines(sizeof *chunk);

    if (chunk == NULL)
        return NULL;
    memset(chunk, 0, sizeof *chunk);
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

    if (map->is_shared)
        return workers + __atomic_load_n(&map->pool->n_asleep, __ATOMIC_RELAXED);
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
    size_t item_bytes =
        map->rows.bytes + map->in.item_bytes + map->out.item_bytes + sizeof(plait_result);
    size_t most = clamp(MOST_BYTES / item_bytes, 1, UINT32_MAX);
    int64_t item_ns;

    if (map->cost_items == 0)
        return map->waits || map->is_shared ? 1 : clamp(share, 1, most);
    item_ns = map->cost_ns / map->cost_items + 1;
    share = clamp(share, (size_t)(LEAST_NS / item_ns), (size_t)(MOST_NS / item_ns));
    return clamp(share, 1, most);
}

/* Map lock. 0: all items of a shared map have been got. */
static size_t choose_chunk(const struct plait__map *map)
{
    size_t left = map->n - plait__map_next(map);
    size_t n = map->chunk > 0 ? clamp(map->chunk, 1, UINT32_MAX) : measure_chunk(map, left);

    return n < left ? n : left;
}

/* Map lock. Is there anything for one chunk more? */
static bool has_more(const struct plait__map *map)
{
    /* seq_cst: partner is maps_stop. A chunk that is submitted then would get no items, on and on */
    if (map->is_stopped || __atomic_load_n(&map->pool->stops_maps, __ATOMIC_SEQ_CST) ||
        plait__map_next(map) == map->n || map->n_flying >= choose_window(map))
        return false;
    /* of a few items, each chunk gets its own */
    return !map->is_shared || map->n_flying * choose_chunk(map) < map->n;
}

/* ---- the end ---- */

/* Map lock. Has everything ended? True once. */
static bool is_done(struct plait__map *map)
{
    if (map->is_ended || map->is_feeding || map->n_flying > 0 ||
        (plait__map_next(map) < map->n && !map->is_stopped))
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
    size_t next = plait__map_next(map);
    struct plait__tally tally = { 0 };

    leave_pool(map);
    if (next < map->n) {
        note_bad(map, next, &map->rest, map->n - next);
        plait__tally_same(&tally, &map->rest, map->n - next, 0);
    }
    for (size_t i = next; i < map->n && map->results != NULL; i++)
        map->results[i] = map->rest;
    plait__share_count(map->pool, &tally);
    map->future->result = map->n_bad > 0 ? map->bad : (plait_result){ .end = PLAIT_JOB_VALUE };
    plait__future_end(map->future);
}

/* What the items of a chunk ended in. */
static void count_results(struct plait__map *map, const struct plait__chunk *chunk)
{
    static const plait_result value = { .end = PLAIT_JOB_VALUE, .starts = 1 };
    const plait_result *results = chunk->job.results;
    struct plait__tally tally = { 0 };
    size_t first_bad = 0;

    if (map->is_shared && map->chunk > 0 && chunk->job.n == 1 && results->end == PLAIT_JOB_VALUE) {
        plait__share_count_one(map->pool, results);
        return;
    }
    if (chunk->job.is_summed)
        plait__tally_same(&tally, &value, chunk->job.n, chunk->job.run_ns);
    else
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

    if (job->n > 0)
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

/* The n items from chunk->first on. */
static void fill_items(struct plait__chunk *chunk, size_t n)
{
    struct plait__map *map = chunk->map;
    struct plait__job *job = &chunk->job;

    job->in = (const char *)map->in.ptr + chunk->first * map->in.item_bytes;
    if (job->out_bytes > 0)
        job->out = (char *)map->out.ptr + chunk->first * job->out_bytes;
    if (map->rows.n_columns > 0) {
        plait__rows_pack(chunk->packed, &map->rows, chunk->first, n);
        job->in = chunk->packed;
    }
    job->results = map->results != NULL ? map->results + chunk->first : chunk->results;
    if (!map->pool->ops->fills_results)
        memset(job->results, 0, n * sizeof *job->results);
    job->n = (uint32_t)n;
}

/* Of a shared map: the items that nobody has got yet are for whoever comes first. */
static bool refill(struct plait__job *job, bool more)
{
    struct plait__chunk *chunk = plait__list_entry(job, struct plait__chunk, job);
    struct plait__map *map = chunk->map;
    size_t n = clamp(map->chunk, 1, UINT32_MAX);

    if (job->n > 0)
        count_results(map, chunk);
    job->n = 0;
    if (!more)
        return false;
    if (map->chunk == 0) {
        plait__mutex_lock(&map->lock);
        n = choose_chunk(map);
        plait__mutex_unlock(&map->lock);
    }
    n = n < map->n ? n : map->n;
    if (!grow(chunk, n))
        n = chunk->cap;
    chunk->first = __atomic_fetch_add(&map->next, n, __ATOMIC_RELAXED); /* only a number */
    if (chunk->first >= map->n)
        return false;
    fill_items(chunk, n < map->n - chunk->first ? n : map->n - chunk->first);
    return true;
}

static void fill_job(struct plait__chunk *chunk, size_t n)
{
    struct plait__map *map = chunk->map;

    chunk->job = (struct plait__job){
        .pool = map->pool,
        .fn = map->fn,
        .in_bytes = map->rows.n_columns > 0 ? map->rows.bytes : map->in.item_bytes,
        .out_bytes = map->out.item_bytes,
        .ctx = map->ctx,
        .ctx_bytes = map->ctx_bytes,
        .limits = map->limits,
        .may_sum = map->results == NULL,
        .on_end = on_end,
        .refill = map->is_shared ? refill : NULL,
        .is_timed = map->chunk == 0 || map->results != NULL || map->limits.soft_ns > 0 ||
                    map->limits.hard_ns > 0,
    };
    if (!map->is_shared)
        fill_items(chunk, n);
}

/* Map lock, given back in between. 0; -ETIMEDOUT: no room; -errno. */
static int feed_one(struct plait__map *map)
{
    struct plait__chunk *chunk = take_chunk(map);
    size_t n = choose_chunk(map);
    int rc;

    if (chunk == NULL)
        return -ENOMEM;
    chunk->first = plait__map_next(map);
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
        map->flight--;
        plait__list_push_front(&map->idle, &chunk->node);
        return rc;
    }
    if (!map->is_shared)
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
        while (rc == 0 && has_more(map))
            rc = feed_one(map);
    } while ((rc == 0 || rc == -ETIMEDOUT) && map->again);
    if (rc == -ETIMEDOUT || ((rc == -ENOMEM || map->is_shared) && map->n_flying > 0))
        return 0; /* when some have ended */
    if (rc < 0 && !(is_first && map->flight == 0)) {
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
    is_out = map->is_stopped || plait__map_next(map) == map->n;
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

    __atomic_store_n(&pool->stops_maps, 1, __ATOMIC_SEQ_CST);
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
