/* What the keeper does for a process pool: it keeps the number of workers, buries them, and ends
 * what runs too long.
 * SPDX-License-Identifier: MIT
 *
 * A worker that dies is replaced at once. Only those that die without having ended an item, or
 * having had one in hand, make the keeper wait longer and longer; and if none gets ready, the pool is
 * called broken until one does.
 *
 * All of this stands in the block, for the next keeper.
 */
#include "pool/process_keep.h"
#include "base/time.h"
#include "chan/bell.h"
#include "family/member.h"
#include "os/clock.h"
#include "pool/bell.h"
#include "pool/process_worker.h"
#include "wait/wait.h"

#include <limits.h>
#include <signal.h>

enum {
    BREAKER_DEATHS = 5 /* before READY, within BREAKER_NS: the pool is broken */
};

#define BREAKER_NS     (10 * PLAIT__SECOND_NS)
#define HEALTHY_NS     (60 * PLAIT__SECOND_NS)
#define FIRST_DELAY_NS (PLAIT__SECOND_NS / 10)
#define MOST_DELAY_NS  (30 * PLAIT__SECOND_NS)
#define PROOF_NS       (PLAIT__SECOND_NS / 500) /* between two looks whether somebody is dead */
#define TICK_NS        (PLAIT__SECOND_NS / 200) /* between two looks at limits */
#define IDLE_TICK_NS   (PLAIT__SECOND_NS / 50)  /* the same, while no job runs */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static uint32_t state_of(const struct plait__worker *record)
{
    return __atomic_load_n(&record->state, __ATOMIC_SEQ_CST);
}

/* ---- what an earlier keeper left ---- */

static void take_record(struct plait__worker *record, uint64_t unclaimed)
{
    uint64_t claim = __atomic_load_n(&record->claim, __ATOMIC_SEQ_CST);

    do {
        if ((uint32_t)claim != 0) /* before it is gone from the claim: we may be killed, too */
            record->left = (uint32_t)claim;
    } while (!__atomic_compare_exchange_n(&record->claim, &claim, unclaimed, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    if (record->left == 0)
        record->state = PLAIT__WORKER_NONE;
}

void plait__keep_take(struct plait__pool_block *block)
{
    uint32_t epoch = __atomic_add_fetch(&block->epoch, 1, __ATOMIC_SEQ_CST);

    for (unsigned i = 0; i < block->n_records; i++)
        take_record(&block->workers[i], (uint64_t)epoch << 32);
}

unsigned plait__keep_bury(struct plait__pool_block *block)
{
    unsigned n = 0;

    for (unsigned i = 0; i < block->n_records; i++) {
        struct plait__worker *record = &block->workers[i];
        struct plait__death death = { .pid = record->pid, .signal = SIGKILL };
        if (record->left == 0)
            continue;
        if (!plait__member_is_dead(record->left)) {
            n++;
            continue;
        }
        plait__block_recover(block, i, &death, PLAIT_CAUSE_KEEPER);
        record->left = 0;
        __atomic_store_n(&record->state, PLAIT__WORKER_NONE, __ATOMIC_SEQ_CST);
    }
    return n;
}

/* ---- deaths ---- */

static bool has_ready(const struct plait__pool_block *block)
{
    for (unsigned i = 0; i < block->n_records; i++)
        if (state_of(&block->workers[i]) == PLAIT__WORKER_READY)
            return true;
    return false;
}

/* Nobody will ever begin what is queued. */
static void give_up_all(struct plait__pool_block *block)
{
    for (uint32_t i = 0; i < block->n_slots; i++)
        plait__block_give_up(block, &block->slots[i], PLAIT_JOB_LOST, PLAIT_CAUSE_INIT);
}

static void count_early(struct plait__pool_block *block, int64_t now)
{
    if (__atomic_load_n(&block->n_early, __ATOMIC_SEQ_CST) == 0 ||
        now - block->early_since_ns > BREAKER_NS) {
        block->early_since_ns = now;
        __atomic_store_n(&block->n_early, 0, __ATOMIC_SEQ_CST);
    }
    if (__atomic_add_fetch(&block->n_early, 1, __ATOMIC_SEQ_CST) < BREAKER_DEATHS ||
        has_ready(block))
        return;
    __atomic_store_n(&block->is_broken, 1, __ATOMIC_SEQ_CST);
    give_up_all(block);
}

/* Not all pools shall begin again at the same time. */
static int64_t jitter(int64_t delay_ns)
{
    return delay_ns - (int64_t)(plait__os_random() % (uint64_t)(delay_ns / 4 + 1));
}

/* A worker died that had done nothing. */
static void back_off(struct plait__pool_block *block, int64_t now)
{
    int64_t delay = FIRST_DELAY_NS;
    uint32_t n;

    if (now - block->last_failure_ns > HEALTHY_NS)
        __atomic_store_n(&block->n_failures, 0, __ATOMIC_SEQ_CST);
    block->last_failure_ns = now;
    n = __atomic_add_fetch(&block->n_failures, 1, __ATOMIC_SEQ_CST);
    block->retry_ns = 0;
    if (n == 1)
        return;
    for (uint32_t i = 2; i < n && delay < MOST_DELAY_NS; i++)
        delay *= 2;
    block->retry_ns = now + jitter(earlier(delay, MOST_DELAY_NS));
}

static bool ended_itself(const struct plait__death *death)
{
    return death->signal == 0 &&
           (death->status == PLAIT__WORKER_RETIRED || death->status == PLAIT__WORKER_RECYCLED);
}

static void count_death(struct plait__pool_block *block, const struct plait__worker *record,
                        const struct plait__death *death)
{
    int64_t now = plait__os_now_ns();
    bool was_ready = state_of(record) == PLAIT__WORKER_READY;
    bool had_job = __atomic_load_n(&record->current[0], __ATOMIC_ACQUIRE) != 0;
    bool was_useful = had_job || __atomic_load_n(&record->n_items, __ATOMIC_RELAXED) > 0;

    if (was_ready && !had_job && ended_itself(death)) {
        __atomic_store_n(&block->n_failures, 0, __ATOMIC_SEQ_CST);
        if (death->status == PLAIT__WORKER_RECYCLED)
            __atomic_fetch_add(&block->n_recycled, 1, __ATOMIC_RELAXED);
        return;
    }
    if (__atomic_load_n(&block->kills, __ATOMIC_RELAXED) == 0)
        __atomic_fetch_add(&block->n_deaths, 1, __ATOMIC_RELAXED);
    if (was_useful) {
        __atomic_store_n(&block->n_failures, 0, __ATOMIC_SEQ_CST);
        block->retry_ns = 0;
        return;
    }
    back_off(block, now);
    if (!was_ready)
        count_early(block, now);
}

static void died(struct plait__crew *crew, unsigned worker, const struct plait__death *death)
{
    struct plait__pool_block *block = (struct plait__pool_block *)crew;
    struct plait__worker *record = &block->workers[worker];

    uint64_t epoch = __atomic_load_n(&block->epoch, __ATOMIC_RELAXED);
    bool was_early = state_of(record) != PLAIT__WORKER_READY;

    if (was_early) /* so that it is not taken for one that is ready */
        __atomic_store_n(&record->state, PLAIT__WORKER_STARTING, __ATOMIC_SEQ_CST);
    count_death(block, record, death);
    plait__block_recover(block, worker, death, PLAIT_CAUSE_DEATH);
    __atomic_store_n(&record->claim, epoch << 32, __ATOMIC_SEQ_CST);
    __atomic_store_n(&record->state, PLAIT__WORKER_NONE, __ATOMIC_SEQ_CST);
}

/* ---- limits ---- */

/* From now on it commits nothing more: it may be killed. False: it has ended the item. */
static bool doom(struct plait__slot *slot, uint64_t found, enum plait__slot_state state)
{
    struct plait__slot_word word = plait__slot_cut(found);

    word.state = state;
    return plait__slot_change(slot, found, word);
}

/* The soft limit has passed. */
static void ask(struct plait__slot *slot, uint64_t found)
{
    if (__atomic_load_n(&slot->sleeper.cancel, __ATOMIC_SEQ_CST) != 0 ||
        __atomic_exchange_n(&slot->is_touched, 1, __ATOMIC_SEQ_CST) != 0)
        return;
    if (plait__slot_load(slot) == found) {
        __atomic_store_n(&slot->sleeper.cancel, 1, __ATOMIC_SEQ_CST);
        plait__wake_word(&slot->sleeper.cancel, UINT_MAX);
    }
    __atomic_store_n(&slot->is_touched, 0, __ATOMIC_RELEASE);
}

/* Must its worker be killed? */
static bool has_passed(const struct plait__pool_block *block, struct plait__slot *slot,
                       unsigned worker, unsigned depth)
{
    uint64_t found = plait__slot_load(slot);
    struct plait__slot_word word = plait__slot_cut(found);
    int64_t now = plait__os_now_ns(), started_ns = now;
    int64_t kill_at_ns = __atomic_load_n(&slot->kill_at_ns, __ATOMIC_SEQ_CST);

    if (word.worker != worker)
        return false;
    if (word.state == PLAIT__SLOT_EXPIRED || word.state == PLAIT__SLOT_CANCELLED)
        return true;
    if (word.state != PLAIT__SLOT_ENTERED)
        return false;
    if (__atomic_load_n(&block->kills, __ATOMIC_SEQ_CST) != 0 ||
        (kill_at_ns != 0 && now >= kill_at_ns))
        return doom(slot, found, PLAIT__SLOT_CANCELLED);
    if (depth < PLAIT__POOL_DEPTH) /* behind the word: not that of an item before */
        started_ns = __atomic_load_n(&block->workers[worker].started_ns[depth], __ATOMIC_SEQ_CST);
    if (slot->hard_ns > 0 && now - started_ns >= slot->hard_ns)
        return doom(slot, found, PLAIT__SLOT_EXPIRED);
    if (slot->soft_ns > 0 && now - started_ns >= slot->soft_ns)
        ask(slot, found);
    return false;
}

/* Does anybody have a job in hand? */
static bool look_at_limits(struct plait__pool_block *block, struct plait__crew_hands *hands)
{
    bool is_busy = false;

    for (unsigned i = 0; i < block->n_records; i++) {
        struct plait__worker *record = &block->workers[i];
        bool must_die = false;
        for (unsigned depth = 0; depth < PLAIT__POOL_DEPTH; depth++) {
            uint64_t hint = __atomic_load_n(&record->current[depth], __ATOMIC_ACQUIRE);
            is_busy = is_busy || hint != 0;
            if (hint != 0 && has_passed(block, plait__slot_hinted(block, hint), i, depth))
                must_die = true;
        }
        /* deeper ones have no limits but that of the job that they are in */
        for (uint32_t k = 0; record->is_deep != 0 && k < block->n_slots; k++)
            if (has_passed(block, &block->slots[k], i, PLAIT__POOL_DEPTH))
                must_die = true;
        if (must_die)
            plait__crew_kill(hands, i);
    }
    return is_busy;
}

/* Jobs with limits that are not over. */
static bool has_limited(const struct plait__pool_block *block)
{
    for (uint32_t i = 0; i < block->n_slots; i++) {
        const struct plait__slot *slot = &block->slots[i];
        enum plait__slot_state state = plait__slot_cut(plait__slot_load(slot)).state;
        if (state != PLAIT__SLOT_FREE && state != PLAIT__SLOT_OVER &&
            (slot->soft_ns != 0 || slot->hard_ns != 0 ||
             __atomic_load_n(&slot->kill_at_ns, __ATOMIC_SEQ_CST) != 0))
            return true;
    }
    return false;
}

/* A worker said that there are some, and nobody has a job in hand by now. Who submits one announces
 * it behind that: either we see the job, or it sees that it is to be announced again. */
static void forget_limits(struct plait__pool_block *block)
{
    uint32_t said = 2;

    if (__atomic_compare_exchange_n(&block->has_limits, &said, 0, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST) &&
        has_limited(block))
        __atomic_store_n(&block->has_limits, 2, __ATOMIC_SEQ_CST);
}

/* ---- looking ---- */

static unsigned count_live(const struct plait__pool_block *block)
{
    unsigned n = 0;

    for (unsigned i = 0; i < block->n_records; i++)
        n += state_of(&block->workers[i]) != PLAIT__WORKER_NONE;
    return n;
}

/* False: it could not be forked. */
static bool start(struct plait__pool_block *block, struct plait__crew_hands *hands, unsigned worker)
{
    struct plait__worker *record = &block->workers[worker];

    plait__worker_claim = (uint64_t)__atomic_load_n(&block->epoch, __ATOMIC_RELAXED) << 32;
    __atomic_store_n(&record->claim, plait__worker_claim, __ATOMIC_SEQ_CST);
    record->n_items = 0;
    record->must_retire = record->is_idle = record->is_deep = 0;
    __atomic_store_n(&record->state, PLAIT__WORKER_STARTING, __ATOMIC_SEQ_CST);
    if (plait__crew_fork(hands, worker) > 0) {
        __atomic_fetch_add(&block->n_started, 1, __ATOMIC_RELAXED);
        return true;
    }
    __atomic_store_n(&record->state, PLAIT__WORKER_NONE, __ATOMIC_SEQ_CST);
    return false;
}

/* How many there are then. */
static unsigned refill(struct plait__pool_block *block, struct plait__crew_hands *hands,
                       unsigned live, unsigned wanted)
{
    for (unsigned i = 0; i < block->n_records && live < wanted; i++) {
        if (state_of(&block->workers[i]) != PLAIT__WORKER_NONE)
            continue;
        if (!start(block, hands, i)) {
            back_off(block, plait__os_now_ns());
            count_early(block, plait__os_now_ns());
            break;
        }
        live++;
    }
    return live;
}

/* Those with the highest numbers go. */
static void retire(struct plait__pool_block *block, unsigned live, unsigned wanted)
{
    for (unsigned i = block->n_records; i > 0 && live > wanted; i--) {
        struct plait__worker *record = &block->workers[i - 1];
        if (state_of(record) == PLAIT__WORKER_NONE)
            continue;
        __atomic_store_n(&record->must_retire, 1, __ATOMIC_SEQ_CST);
        live--;
    }
    plait__bell_ring_all(&block->task_bell);
}

static void kill_all(struct plait__pool_block *block, struct plait__crew_hands *hands)
{
    for (unsigned i = 0; i < block->n_records; i++)
        if (state_of(&block->workers[i]) != PLAIT__WORKER_NONE)
            plait__crew_kill(hands, i);
}

static int64_t keep_number(struct plait__pool_block *block, struct plait__crew_hands *hands,
                           int64_t now)
{
    unsigned live = count_live(block);
    unsigned wanted = __atomic_load_n(&block->wanted, __ATOMIC_SEQ_CST);

    if (__atomic_load_n(&block->n_failures, __ATOMIC_SEQ_CST) == 0)
        block->retry_ns = 0;
    if (live < wanted && now >= block->retry_ns)
        live = refill(block, hands, live, wanted);
    if (live > wanted)
        retire(block, live, wanted);
    return live < wanted ? block->retry_ns : INT64_MAX;
}

static int64_t look(struct plait__crew *crew, struct plait__crew_hands *hands)
{
    struct plait__pool_block *block = (struct plait__pool_block *)crew;
    int64_t now = plait__os_now_ns(), next = INT64_MAX;
    bool kills = __atomic_load_n(&block->kills, __ATOMIC_SEQ_CST) != 0;

    if (plait__keep_bury(block) > 0)
        next = now + PROOF_NS;
    if (kills || __atomic_load_n(&block->has_limits, __ATOMIC_SEQ_CST) != 0) {
        bool is_busy = look_at_limits(block, hands);
        if (!is_busy)
            forget_limits(block);
        next = earlier(next, now + (is_busy || kills ? TICK_NS : IDLE_TICK_NS));
    }
    if (kills)
        kill_all(block, hands);
    if (__atomic_load_n(&block->stops, __ATOMIC_SEQ_CST) == 0)
        return earlier(next, keep_number(block, hands, now));
    if (count_live(block) == 0)
        return PLAIT__CREW_IS_OVER;
    return next;
}

static void take(struct plait__crew *crew)
{
    plait__keep_take((struct plait__pool_block *)crew);
}

static void leave(struct plait__crew *crew)
{
    struct plait__pool_block *block = (struct plait__pool_block *)crew;
    uint32_t *bell = block->owner_bell;

    /* the block may be gone behind this */
    __atomic_store_n(&block->is_gone, 1, __ATOMIC_SEQ_CST);
    plait__ends_ring(bell);
}

const struct plait__crew_ops plait__process_crew_ops = {
    .take = take,
    .look = look,
    .died = died,
    .leave = leave,
    .enter = plait__worker_enter,
};
