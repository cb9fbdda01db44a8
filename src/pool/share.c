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

int plait__shares_make(plait_pool *pool)
{
    const size_t bytes = PLAIT__SHARES * sizeof(struct plait__share);

    pool->shares = aligned_alloc(_Alignof(struct plait__share), bytes);
    if (pool->shares == NULL)
        return -ENOMEM;
    memset(pool->shares, 0, bytes);
    for (int i = 0; i < PLAIT__SHARES; i++)
        plait__list_init(&pool->shares[i].free);
    return 0;
}

void plait__shares_free(plait_pool *pool)
{
    free(pool->shares);
}

struct plait__share *plait__share_of(const plait_pool *pool)
{
    static uint32_t last; /* atomic, relaxed: only a number */
    static _Thread_local uint32_t number;

    if (number == 0)
        number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED) % PLAIT__SHARES + 1;
    return &pool->shares[number - 1];
}

/* ---- what is open ---- */

void plait__share_take(plait_pool *pool, size_t items)
{
    struct plait__share *share = plait__share_of(pool);

    plait__mutex_lock(&share->lock);
    share->n_taken++;
    share->n_items += items;
    plait__mutex_unlock(&share->lock);
}

void plait__share_untake(plait_pool *pool, size_t items)
{
    struct plait__share *share = plait__share_of(pool);

    plait__mutex_lock(&share->lock);
    share->n_items -= items;
    plait__mutex_unlock(&share->lock);
    plait__share_end(pool);
}

void plait__share_end(plait_pool *pool)
{
    __atomic_add_fetch(&plait__share_of(pool)->n_ended, 1, __ATOMIC_SEQ_CST);
}

bool plait__share_is_open(plait_pool *pool)
{
    uint64_t ended = 0, taken = 0;

    for (int i = 0; i < PLAIT__SHARES; i++)
        ended += __atomic_load_n(&pool->shares[i].n_ended, __ATOMIC_SEQ_CST);
    for (int i = 0; i < PLAIT__SHARES; i++) {
        plait__mutex_lock(&pool->shares[i].lock);
        taken += pool->shares[i].n_taken;
        plait__mutex_unlock(&pool->shares[i].lock);
    }
    return ended != taken;
}

/* ---- what items ended in ---- */

void plait__tally(struct plait__tally *ret, const plait_result *results, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const plait_result *result = &results[i];
        PLAIT__ASSERT(result->end >= PLAIT_JOB_VALUE && result->end <= PLAIT_JOB_EXPIRED);
        ret->ends[result->end]++;
        ret->bad += result->end != PLAIT_JOB_VALUE;
        ret->shut += result->end == PLAIT_JOB_CANCELLED && result->cause == PLAIT_CAUSE_SHUTDOWN;
        ret->begun += result->starts > 0;
        ret->run_ns += result->starts > 0 ? result->run_ns : 0;
    }
}

static void add(struct plait__tally *to, const struct plait__tally *tally)
{
    for (int i = PLAIT_JOB_VALUE; i <= PLAIT_JOB_EXPIRED; i++)
        to->ends[i] += tally->ends[i];
    to->shut += tally->shut;
}

void plait__share_count(plait_pool *pool, const struct plait__tally *tally)
{
    struct plait__share *share = plait__share_of(pool);

    plait__mutex_lock(&share->lock);
    add(&share->ended, tally);
    plait__mutex_unlock(&share->lock);
}

void plait__share_sum(plait_pool *pool, plait_pool_usage *ret, uint64_t *ret_shut)
{
    struct plait__tally sum = { 0 };
    uint64_t items = 0;

    for (int i = 0; i < PLAIT__SHARES; i++) {
        struct plait__share *share = &pool->shares[i];
        plait__mutex_lock(&share->lock);
        add(&sum, &share->ended);
        items += share->n_items;
        plait__mutex_unlock(&share->lock);
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

void plait__pool_leave(plait_pool *pool, struct plait__share *share)
{
    /* seq_cst: the partner is plait__pool_shut */
    if (__atomic_sub_fetch(&share->visits, 1, __ATOMIC_SEQ_CST) == 0 && is_gone(pool))
        plait__wake_word(&share->visits, UINT_MAX);
}

struct plait__share *plait__pool_enter(plait_pool *pool)
{
    struct plait__share *share = plait__share_of(pool);

    __atomic_add_fetch(&share->visits, 1, __ATOMIC_SEQ_CST);
    if (!is_gone(pool))
        return share;
    plait__pool_leave(pool, share);
    return NULL;
}

static void wait_for_visits(uint32_t *visits)
{
    uint32_t seen;

    while ((seen = __atomic_load_n(visits, __ATOMIC_SEQ_CST)) > 0)
        plait__wait_word(visits, seen, PLAIT_FOREVER);
}

void plait__pool_shut(plait_pool *pool)
{
    uint64_t held = 0;

    for (int i = 0; i < PLAIT__SHARES; i++)
        plait__mutex_lock(&pool->shares[i].lock);
    __atomic_store_n(&pool->is_gone, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < PLAIT__SHARES; i++)
        held += pool->shares[i].n_held - pool->shares[i].n_freed;
    plait__mutex_lock(&pool->lock);
    pool->n_holders += (uint32_t)held;
    plait__mutex_unlock(&pool->lock);
    for (int i = 0; i < PLAIT__SHARES; i++)
        plait__mutex_unlock(&pool->shares[i].lock);
    for (int i = 0; i < PLAIT__SHARES; i++)
        wait_for_visits(&pool->shares[i].visits);
}
