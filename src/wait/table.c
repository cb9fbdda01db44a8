/* The parked tasks of this process.
 * SPDX-License-Identifier: MIT
 *
 * The word is compared under the bucket's lock, and a waker takes that lock after it has changed
 * the word: either the waiter sees the new value, or the waker sees the waiter. A waker that finds
 * no waiter at all must not pay for the lock: it looks at the count of waiters first. Waiter
 * and waker both meet in read-modify-writes of that count: if the waiter's comes first, the waker
 * sees it; if the waker's comes first, the waiter, which compares the word after its own, sees the
 * word that the waker had changed before.
 */
#include "wait/table.h"
#include "wait/mutex.h"

/* Many, as a million tasks may be parked on as many words, and a wake looks through its bucket. Those
 * that were never used are not in memory. */
enum {
    BUCKETS_LOG2 = 16,
    BUCKETS = 1 << BUCKETS_LOG2,
    BUCKETS_A_PAGE = 128 /* what a reset clears together */
};

#define ONE_THREAD (UINT64_C(1) << 32)

struct bucket {
    /* atomic, seq_cst: parked tasks, and ONE_THREAD for each thread; the waker's look meets both */
    uint64_t counts;
    struct plait__list waiters; /* lock; zero before the first use */
    struct plait__mutex lock;
};

static struct bucket buckets[BUCKETS];
static bool was_used[BUCKETS / BUCKETS_A_PAGE]; /* atomic, relaxed: set before its first use */

static struct bucket *bucket_of(const uint32_t *word)
{
    uint64_t hash = (uint64_t)(uintptr_t)word * UINT64_C(0x9E3779B97F4A7C15);

    return &buckets[hash >> (64 - BUCKETS_LOG2)];
}

static void count(struct bucket *bucket, uint64_t how)
{
    bool *used = &was_used[(size_t)(bucket - buckets) / BUCKETS_A_PAGE];

    if (!__atomic_load_n(used, __ATOMIC_RELAXED))
        __atomic_store_n(used, true, __ATOMIC_RELAXED);
    __atomic_fetch_add(&bucket->counts, how, __ATOMIC_SEQ_CST);
}

static struct bucket *lock_bucket(const uint32_t *word)
{
    struct bucket *bucket = bucket_of(word);

    plait__mutex_lock(&bucket->lock);
    if (bucket->waiters.next == NULL)
        plait__list_init(&bucket->waiters);
    return bucket;
}

bool plait__table_add(struct plait__waiter *waiter, uint32_t *word, uint32_t expected,
                      struct plait__sleeper *sleeper)
{
    struct bucket *bucket = lock_bucket(word);
    bool is_same;

    *waiter = (struct plait__waiter){ .word = word, .sleeper = sleeper };
    count(bucket, 1);
    is_same = __atomic_load_n(word, __ATOMIC_SEQ_CST) == expected;
    if (is_same)
        plait__list_push_back(&bucket->waiters, &waiter->node);
    else
        __atomic_fetch_sub(&bucket->counts, 1, __ATOMIC_SEQ_CST);
    plait__mutex_unlock(&bucket->lock);
    return is_same;
}

bool plait__table_remove(struct plait__waiter *waiter)
{
    struct bucket *bucket = lock_bucket(waiter->word);
    bool woken = waiter->woken;

    if (!woken) {
        plait__list_remove(&waiter->node);
        __atomic_fetch_sub(&bucket->counts, 1, __ATOMIC_SEQ_CST);
    }
    plait__mutex_unlock(&bucket->lock);
    return woken;
}

bool plait__table_was_woken(const struct plait__waiter *waiter)
{
    /* acquire: the partner is the waker's store; its memory stays ours until plait__table_remove */
    return __atomic_load_n(&waiter->woken, __ATOMIC_ACQUIRE);
}

void plait__table_sleeps(const uint32_t *word)
{
    count(bucket_of(word), ONE_THREAD);
}

void plait__table_slept(const uint32_t *word)
{
    __atomic_fetch_sub(&bucket_of(word)->counts, ONE_THREAD, __ATOMIC_SEQ_CST);
}

unsigned plait__table_wake(const uint32_t *word, unsigned n, bool *ret_has_threads)
{
    struct bucket *bucket = bucket_of(word);
    unsigned woken = 0;
    /* a read-modify-write, not a load: whatever order the word was stored with, that store happens
     * before the look of every waiter whose increment comes after this one */
    uint64_t counts = __atomic_fetch_add(&bucket->counts, 0, __ATOMIC_SEQ_CST);

    *ret_has_threads = counts >= ONE_THREAD;
    if ((uint32_t)counts == 0)
        return 0;
    bucket = lock_bucket(word);
    list_for_each_safe(node, &bucket->waiters)
    {
        struct plait__waiter *waiter = plait__list_entry(node, struct plait__waiter, node);
        if (woken == n)
            break;
        if (waiter->word != word)
            continue;
        plait__list_remove(&waiter->node);
        __atomic_fetch_sub(&bucket->counts, 1, __ATOMIC_SEQ_CST);
        if (plait__is_left(waiter->sleeper))
            continue;
        __atomic_store_n(&waiter->woken, true, __ATOMIC_RELEASE);
        /* under the lock: once plait__table_remove has it, the waiter may return and its stack be gone */
        waiter->sleeper->ops->unpark(waiter->sleeper);
        woken++;
    }
    plait__mutex_unlock(&bucket->lock);
    return woken;
}

void plait__table_reset(void)
{
    for (size_t page = 0; page < BUCKETS / BUCKETS_A_PAGE; page++) {
        if (!was_used[page])
            continue;
        for (size_t i = 0; i < BUCKETS_A_PAGE; i++)
            buckets[page * BUCKETS_A_PAGE + i] = (struct bucket){ 0 };
        was_used[page] = false;
    }
}
