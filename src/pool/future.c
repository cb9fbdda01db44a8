/* Futures: what a job, or a map, will have ended in.
 * SPDX-License-Identifier: MIT
 *
 * A future ends in two steps: plait__future_end says what it ended in, and whoever pumps runs the
 * callbacks afterwards, outside of locks. So a callback may do what it likes, also wait for a future
 * whose end was brought in by the same pump.
 */
#include "pool/pool.h"

#include <plait/error.h>
#include <plait/future.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_FREE = 4096 /* futures that a pool keeps for use again */
};

/* ---- memory ---- */

void plait__said_fini(struct plait__said *said)
{
    if (said->bytes != NULL && said->release != NULL)
        said->release(said->bytes);
    free(said->message);
    *said = (struct plait__said){ 0 };
}

static void empty(plait_future *future)
{
    if (future->said.bytes != NULL || future->said.message != NULL)
        plait__said_fini(&future->said);
    if (future->copies != NULL)
        free(future->copies);
    if (future->map != NULL)
        plait__map_free(future->map);
}

void plait__future_free(plait_future *future)
{
    empty(future);
    free(future);
}

/* A new one, or one that was used before; NULL. */
static plait_future *pop_or_alloc(plait_pool *pool, size_t items)
{
    struct plait__share *share = plait__share_of(pool);
    plait_future *future;

    plait__share_lock(share);
    future = share->free;
    if (future != NULL) {
        share->free = future->next;
        share->n_free--;
    }
    share->n_held++;
    plait__count(&share->n_taken, 1);
    plait__count(&share->n_items, items);
    plait__share_unlock(share);
    return future != NULL ? future : malloc(sizeof *future);
}

/* Its memory goes, or is kept for another one; NULL: there was none. */
static void put_back(plait_pool *pool, plait_future *future)
{
    struct plait__share *share = plait__share_of(pool);
    bool is_gone, is_kept;

    plait__share_lock(share);
    /* stored under this lock, and not before the owner of one that is owned has ended */
    is_gone = __atomic_load_n(&pool->is_gone, __ATOMIC_RELAXED);
    is_kept = !is_gone && future != NULL && share->n_free < MOST_FREE;
    share->n_freed += !is_gone;
    if (is_kept) {
        future->next = share->free;
        /* release: a child that is forked at this moment finds a whole list */
        __atomic_store_n(&share->free, future, __ATOMIC_RELEASE);
        share->n_free++;
    }
    plait__share_unlock(share);
    if (!is_kept)
        free(future);
    if (is_gone)
        plait__pool_unref(pool);
}

int plait__future_take(plait_future **ret, plait_pool *pool, size_t items)
{
    plait_future *future;

    if (__atomic_load_n(&pool->is_closed, __ATOMIC_SEQ_CST))
        return -EPIPE;
    future = pop_or_alloc(pool, items);
    if (future == NULL) {
        plait__share_untake(pool, items);
        put_back(pool, NULL);
        return -ENOMEM;
    }
    future->job.pool = pool; /* the rest of it belongs to who submits */
    future->state = 2 * PLAIT__FUTURE_REF;
    future->process = pool->process;
    future->owner = pool->owner;
    future->lock = (struct plait__mutex){ 0 };
    future->map = NULL;
    plait__list_init(&future->hooks);
    future->thens = NULL;
    future->own_then.fn = NULL;
    future->result = (plait_result){ 0 };
    future->said = (struct plait__said){ 0 };
    future->copies = NULL;
    *ret = future;
    return 0;
}

void plait__future_drop(plait_future *future, size_t items)
{
    plait_pool *pool = future->job.pool;

    empty(future);
    plait__share_untake(pool, items);
    put_back(pool, future);
}

plait_future *plait_future_ref(plait_future *future)
{
    if (future != NULL)
        __atomic_add_fetch(&future->state, PLAIT__FUTURE_REF, __ATOMIC_RELAXED);
    return future;
}

static bool is_ours(const plait_future *future)
{
    return plait__ends_is_here(future->process, future->owner);
}

static void release(plait_future *future)
{
    empty(future);
    put_back(future->job.pool, future);
}

void plait_future_unref(plait_future *future)
{
    uint32_t left;
    bool is_here;

    if (future == NULL)
        return;
    is_here = is_ours(future); /* before it may be gone */
    /* acquire, and acq_rel: who frees it sees what the others wrote. There is nobody else any more
     * who could change the last one */
    left = __atomic_load_n(&future->state, __ATOMIC_ACQUIRE) - PLAIT__FUTURE_REF;
    if (left >= PLAIT__FUTURE_REF)
        left = __atomic_sub_fetch(&future->state, PLAIT__FUTURE_REF, __ATOMIC_ACQ_REL);
    if (!is_here) {
        /* a child: its end, if it has not come, never will; the pool is not ours */
        if (left / PLAIT__FUTURE_REF == !(left & PLAIT__FUTURE_ENDED))
            plait__future_free(future);
    } else if (left < PLAIT__FUTURE_REF) {
        release(future);
    }
}

/* ---- the end ---- */

bool plait__future_watch(plait_future *future)
{
    /* seq_cst: partner is end_unwatched: it sees this, or we see that it has ended */
    return !(__atomic_fetch_or(&future->state, PLAIT__FUTURE_WATCHED, __ATOMIC_SEQ_CST) &
             PLAIT__FUTURE_ENDED);
}

void plait__future_begin_then(plait_future *future, plait_future_fn *fn, void *arg)
{
    if (fn == NULL)
        return;
    future->own_then = (struct plait__then){ .fn = fn, .arg = arg };
    future->thens = &future->own_then;
    future->state |= PLAIT__FUTURE_WATCHED;
}

static void make_due(plait_pool *pool, plait_future *future)
{
    plait__mutex_lock(&pool->lock);
    plait__list_push_back(&pool->due, &future->node);
    __atomic_add_fetch(&pool->n_due, 1, __ATOMIC_RELAXED);
    plait__mutex_unlock(&pool->lock);
}

/* Ends it, and gives back the reference of its end, in one step; it may be gone then. False: there
 * is somebody to be told. */
static bool end_unwatched(plait_future *future)
{
    uint32_t state = __atomic_load_n(&future->state, __ATOMIC_RELAXED), next;

    do {
        if (state & PLAIT__FUTURE_WATCHED)
            return false;
        next = (state | PLAIT__FUTURE_ENDED) - PLAIT__FUTURE_REF;
        /* seq_cst: as a release, for what it ended in, its partner is has_ended; as an acquire, that
         * of the other references; the rest is for who waits: plait__future_watch, pool_tell */
    } while (!__atomic_compare_exchange_n(&future->state, &state, next, true, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    if (next < PLAIT__FUTURE_REF)
        release(future);
    return true;
}

/* Tells the hooks. Are there callbacks? */
static bool end_watched(plait_future *future)
{
    struct plait__list *node;
    bool is_due;

    plait__mutex_lock(&future->lock);
    __atomic_fetch_or(&future->state, PLAIT__FUTURE_ENDED, __ATOMIC_SEQ_CST);
    while ((node = plait__list_pop_front(&future->hooks)) != NULL) {
        struct plait__hook *hook = plait__list_entry(node, struct plait__hook, node);
        hook->fn(hook);
    }
    is_due = future->thens != NULL;
    plait__mutex_unlock(&future->lock);
    return is_due;
}

void plait__future_end(plait_future *future)
{
    plait_pool *pool = future->job.pool;
    bool is_counted = plait__share_end_soon(plait__share_of(pool));
    bool is_unwatched = end_unwatched(future);
    bool is_due = !is_unwatched && end_watched(future);

    if (is_due)
        make_due(pool, future);
    if (!is_counted)
        plait__share_end(pool);
    if (is_unwatched)
        plait__pool_tell(pool);
    else
        plait__ends_pass_on();
    if (!is_unwatched && !is_due)
        plait_future_unref(future);
}

static void call_all(plait_future *future, struct plait__then *then)
{
    while (then != NULL) {
        struct plait__then *next = then->next;
        then->fn(future, then->arg);
        if (then != &future->own_then)
            free(then);
        then = next;
    }
}

void plait__futures_call_due(plait_pool *pool)
{
    while (__atomic_load_n(&pool->n_due, __ATOMIC_RELAXED) > 0) {
        struct plait__list *node;
        plait_future *future = NULL;
        plait__mutex_lock(&pool->lock);
        node = plait__list_pop_front(&pool->due);
        if (node != NULL) {
            future = plait__list_entry(node, plait_future, node);
            __atomic_sub_fetch(&pool->n_due, 1, __ATOMIC_RELAXED);
        }
        plait__mutex_unlock(&pool->lock);
        if (future == NULL)
            return;
        call_all(future, future->thens); /* has ended: no more are added */
        plait_future_unref(future);
    }
}

static void append(plait_future *future, struct plait__then *then)
{
    struct plait__then **at = &future->thens;

    while (*at != NULL)
        at = &(*at)->next;
    *at = then;
}

int plait_future_then(plait_future *future, plait_future_fn *fn, void *arg)
{
    struct plait__then *then, *spare;
    bool has_ended;

    if (future == NULL || fn == NULL)
        return -EINVAL;
    if (!is_ours(future))
        return -ECHILD;
    spare = malloc(sizeof *spare);
    plait__mutex_lock(&future->lock);
    has_ended = !plait__future_watch(future);
    then = future->own_then.fn == NULL ? &future->own_then : spare;
    if (!has_ended && then != NULL) {
        *then = (struct plait__then){ .fn = fn, .arg = arg };
        append(future, then);
    }
    plait__mutex_unlock(&future->lock);
    if (has_ended || then != spare)
        free(spare);
    if (has_ended)
        fn(future, arg);
    return has_ended || then != NULL ? 0 : -ENOMEM;
}

/* ---- waiting ---- */

int plait__future_check(const plait_future *future)
{
    if (future == NULL)
        return -EINVAL;
    return is_ours(future) ? 0 : -ECHILD;
}

/* Brings it in if it has ended by now. */
static bool look_once(plait_future *future)
{
    if (!plait__future_has_ended(future))
        plait__pool_pump(future->job.pool, false);
    return plait__future_has_ended(future);
}

bool plait__future_help(plait_future *future)
{
    return future->map != NULL ? plait__map_help(future->map)
                               : plait__pool_help(future->job.pool, &future->job);
}

static enum plait__ends_look look(void *arg, bool will_sleep)
{
    plait_future *future = arg;

    if (will_sleep)
        plait__future_watch(future);
    if (!plait__future_has_ended(future))
        plait__pool_pump(future->job.pool, will_sleep);
    return plait__future_has_ended(future) ? PLAIT__ENDS_DONE : PLAIT__ENDS_NOTHING;
}

static bool help(void *arg)
{
    return plait__future_help(arg);
}

int plait_future_wait(plait_future *future, plait_deadline until)
{
    int rc = plait__future_check(future);

    if (rc < 0 || plait__future_has_ended(future))
        return rc;
    /* in the usual case of a job that waits for a job: nobody else has begun it */
    if (until.ns == INT64_MAX && plait__future_help(future) && plait__future_has_ended(future))
        return 0;
    return plait__ends_help(look, help, future, until);
}

bool plait_future_is_ready(plait_future *future)
{
    return plait__future_check(future) == 0 && look_once(future);
}

/* 0: it is ready. */
static int check_ready(plait_future *future)
{
    int rc = plait__future_check(future);

    if (rc < 0)
        return rc;
    return look_once(future) ? 0 : -EAGAIN;
}

int plait_future_is_successful(plait_future *future)
{
    int rc = check_ready(future);

    return rc < 0 ? rc : future->result.end == PLAIT_JOB_VALUE;
}

void plait__result_copy(plait_result *ret, size_t ret_bytes, const plait_result *result)
{
    if (ret_bytes > sizeof *ret) {
        memset((char *)ret + sizeof *ret, 0, ret_bytes - sizeof *ret);
        ret_bytes = sizeof *ret;
    }
    memcpy(ret, result, ret_bytes);
}

int plait_future_result_sized(plait_future *future, plait_result *ret, size_t ret_bytes)
{
    int rc = ret == NULL ? -EINVAL : check_ready(future);

    if (rc < 0)
        return rc;
    plait__result_copy(ret, ret_bytes, &future->result);
    return 0;
}

const char *plait_future_message(plait_future *future)
{
    if (check_ready(future) < 0 || future->said.message == NULL)
        return "";
    return future->said.message;
}

/* The value of one that is ready. */
static ssize_t find_bytes(const plait_future *future, const void **ret)
{
    if (future->result.end != PLAIT_JOB_VALUE)
        return PLAIT_ENOVALUE;
    if (future->job.out_bytes > 0) {
        *ret = future->job.out;
        return (ssize_t)future->job.out_bytes;
    }
    *ret = future->said.size > 0 ? future->said.bytes : "";
    return (ssize_t)future->said.size;
}

ssize_t plait_future_bytes(plait_future *future, const void **ret)
{
    int rc = ret == NULL ? -EINVAL : check_ready(future);

    if (rc < 0)
        return rc;
    return future->map != NULL ? -EINVAL : find_bytes(future, ret);
}

ssize_t plait_future_get(plait_future *future, void *buf, size_t cap, plait_deadline until)
{
    const void *bytes;
    ssize_t n;
    int rc = buf == NULL && cap > 0 ? -EINVAL : plait_future_wait(future, until);

    if (rc < 0)
        return rc;
    if (future->map != NULL)
        return (ssize_t)plait__map_bad(future->map);
    n = find_bytes(future, &bytes);
    if (n > 0 && (size_t)n > cap)
        return -EMSGSIZE;
    if (n > 0)
        memcpy(buf, bytes, (size_t)n);
    return n;
}

int plait_future_cancel(plait_future *future, bool kill)
{
    int rc = plait__future_check(future);

    if (rc < 0)
        return rc;
    if (look_once(future))
        return -EALREADY;
    if (future->map != NULL)
        return plait__map_cancel(future->map, kill);
    return plait__pool_cancel(future->job.pool, &future->job, kill);
}
