/* What the threads that use a pool count each for itself.
 * SPDX-License-Identifier: MIT
 */
#include "pool/share.h"
#include "base/assert.h"
#include "wait/wait.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

_Thread_local struct plait__own_share plait__own_share __attribute__((tls_model("initial-exec")));

static struct plait__share *make(size_t n)
{
    struct plait__share *shares =
        aligned_alloc(_Alignof(struct plait__share), n * sizeof(struct plait__share));

    if (shares != NULL)
        memset(shares, 0, n * sizeof *shares);
    return shares;
}

int plait__shares_make(plait_pool *pool)
{
    pool->shares = make(PLAIT__SHARES);
    return pool->shares != NULL ? 0 : -ENOMEM;
}

struct plait__share *plait__share_add(plait_pool *pool)
{
    struct plait__share *share = make(1);

    if (share == NULL)
        return NULL;
    share->is_owned = true;
    plait__mutex_lock(&pool->lock);
    share->next = pool->owned;
    /* release: the partner is plait__share_next: who sees the share sees it whole */
    __atomic_store_n(&pool->owned, share, __ATOMIC_RELEASE);
    plait__mutex_unlock(&pool->lock);
    return share;
}

void plait__share_own(const plait_pool *pool, struct plait__share *share)
{
    plait__own_share = (struct plait__own_share){ pool, share };
}

struct plait__share *plait__share_next(const plait_pool *pool, const struct plait__share *share)
{
    if (share == NULL)
        return pool->shares;
    if (share->is_owned)
        return share->next;
    if (share + 1 < pool->shares + PLAIT__SHARES)
        return &pool->shares[share + 1 - pool->shares];
    return __atomic_load_n(&pool->owned, __ATOMIC_ACQUIRE);
}

void plait__shares_free(plait_pool *pool)
{
    struct plait__share *share = pool->owned;

    if (plait__own_share.pool == pool) /* a child, forked in a job */
        plait__share_own(NULL, NULL);
    while (share != NULL) {
        struct plait__share *next = share->next;
        free(share);
        share = next;
    }
    free(pool->shares);
}

struct plait__share *plait__share_common(const plait_pool *pool)
{
    static uint32_t last; /* atomic, relaxed: only a number */
    static _Thread_local uint32_t number __attribute__((tls_model("initial-exec")));

    if (number == 0)
        number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED) % PLAIT__SHARES + 1;
    return &pool->shares[number - 1];
}

/* ---- what is open ---- */

void plait__share_take(plait_pool *pool, size_t items)
{
    struct plait__share *share = plait__share_of(pool);

    plait__share_lock(share);
    plait__count(&share->n_taken, 1);
    plait__count(&share->n_items, items);
    plait__share_unlock(share);
}

void plait__share_untake(plait_pool *pool, size_t items)
{
    struct plait__share *share = plait__share_of(pool);

    plait__share_lock(share);
    plait__count(&share->n_items, -(uint64_t)items);
    plait__share_unlock(share);
    plait__share_end(pool);
}

void plait__share_end(plait_pool *pool)
{
    __atomic_add_fetch(&plait__share_of(pool)->n_ended, 1, __ATOMIC_SEQ_CST);
}

bool plait__share_is_open(plait_pool *pool)
{
    uint64_t ended = 0, taken = 0;
    struct plait__share *share = NULL;

    /* seq_cst, here and for the owned ones: after who waits has said so */
    while ((share = plait__share_next(pool, share)) != NULL)
        ended += __atomic_load_n(&share->n_ended, __ATOMIC_SEQ_CST);
    while ((share = plait__share_next(pool, share)) != NULL) {
        plait__share_lock(share);
        taken += __atomic_load_n(&share->n_taken, __ATOMIC_SEQ_CST);
        plait__share_unlock(share);
    }
    return ended != taken;
}

/* ---- what items ended in ---- */

static bool was_shut(const plait_result *result)
{
    return result->end == PLAIT_JOB_CANCELLED && result->cause == PLAIT_CAUSE_SHUTDOWN;
}

void plait__tally(struct plait__tally *ret, const plait_result *results, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const plait_result *result = &results[i];
        PLAIT__ASSERT(result->end >= PLAIT_JOB_VALUE && result->end <= PLAIT_JOB_EXPIRED);
        ret->ends[result->end]++;
        ret->bad += result->end != PLAIT_JOB_VALUE;
        ret->shut += was_shut(result);
        ret->begun += result->starts > 0;
        ret->run_ns += result->starts > 0 ? result->run_ns : 0;
    }
}

void plait__tally_same(struct plait__tally *ret, const plait_result *result, size_t n,
                       int64_t run_ns)
{
    struct plait__tally one = { 0 };

    plait__tally(&one, result, 1);
    ret->ends[result->end] += n;
    ret->bad += one.bad * n;
    ret->shut += one.shut * n;
    ret->begun += one.begun * n;
    ret->run_ns += run_ns;
}

static void add(struct plait__tally *to, const struct plait__tally *tally)
{
    for (int i = PLAIT_JOB_VALUE; i <= PLAIT_JOB_EXPIRED; i++)
        plait__count(&to->ends[i], __atomic_load_n(&tally->ends[i], __ATOMIC_RELAXED));
    plait__count(&to->shut, __atomic_load_n(&tally->shut, __ATOMIC_RELAXED));
}

void plait__share_count(plait_pool *pool, const struct plait__tally *tally)
{
    struct plait__share *share = plait__share_of(pool);

    plait__share_lock(share);
    add(&share->ended, tally);
    plait__share_unlock(share);
}

void plait__share_count_one(plait_pool *pool, const plait_result *result)
{
    struct plait__share *share = plait__share_of(pool);

    PLAIT__ASSERT(result->end >= PLAIT_JOB_VALUE && result->end <= PLAIT_JOB_EXPIRED);
    plait__share_lock(share);
    plait__count(&share->ended.ends[result->end], 1);
    if (was_shut(result))
        plait__count(&share->ended.shut, 1);
    plait__share_unlock(share);
}

void plait__share_sum(plait_pool *pool, plait_pool_usage *ret, uint64_t *ret_shut)
{
    struct plait__tally sum = { 0 };
    struct plait__share *share = NULL;
    uint64_t items = 0;

    while ((share = plait__share_next(pool, share)) != NULL) {
        plait__share_lock(share);
        add(&sum, &share->ended);
        items += __atomic_load_n(&share->n_items, __ATOMIC_RELAXED);
        plait__share_unlock(share);
    }
    ret->submitted += items;
    ret->values += sum.ends[PLAIT_JOB_VALUE];
    ret->errors += sum.ends[PLAIT_JOB_ERROR];
    ret->lost += sum.ends[PLAIT_JOB_LOST];
    ret->cancelled += sum.ends[PLAIT_JOB_CANCELLED];
    ret->expired += sum.ends[PLAIT_JOB_EXPIRED];
    *ret_shut = sum.shut;
}

/* ---- visits ---- */

static bool is_gone(const plait_pool *pool)
{
    return __atomic_load_n(&pool->is_gone, __ATOMIC_SEQ_CST) != 0;
}

void plait__share_leave(plait_pool *pool, struct plait__share *share)
{
    /* seq_cst: the partner is plait__pool_shut */
    if (__atomic_sub_fetch(&share->visits, 1, __ATOMIC_SEQ_CST) == 0 && is_gone(pool))
        plait__wake_word(&share->visits, UINT_MAX);
}

struct plait__share *plait__share_enter(plait_pool *pool, struct plait__share *share)
{
    __atomic_add_fetch(&share->visits, 1, __ATOMIC_SEQ_CST);
    if (!is_gone(pool))
        return share;
    plait__share_leave(pool, share);
    return NULL;
}

static void wait_for_visits(uint32_t *visits)
{
    uint32_t seen;

    while ((seen = __atomic_load_n(visits, __ATOMIC_SEQ_CST)) > 0)
        plait__wait_word(visits, seen, PLAIT_FOREVER);
}

/* The threads that own one have ended. */
void plait__pool_shut(plait_pool *pool)
{
    struct plait__share *share = NULL;
    uint64_t held = 0;

    while ((share = plait__share_next(pool, share)) != NULL)
        plait__share_lock(share);
    __atomic_store_n(&pool->is_gone, 1, __ATOMIC_SEQ_CST);
    while ((share = plait__share_next(pool, share)) != NULL)
        held += share->n_held - share->n_freed;
    plait__mutex_lock(&pool->lock);
    pool->n_holders += (uint32_t)held;
    plait__mutex_unlock(&pool->lock);
    while ((share = plait__share_next(pool, share)) != NULL)
        plait__share_unlock(share);
    while ((share = plait__share_next(pool, share)) != NULL)
        wait_for_visits(&share->visits);
}
