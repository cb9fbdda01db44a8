/* What a process pool shares.
 * SPDX-License-Identifier: MIT
 */
#include "pool/process_block.h"
#include "chan/bell.h"
#include "family/parcel.h"
#include "os/clock.h"
#include "pool/bell.h"

#include <plait/shared.h>

#include <errno.h>
#include <signal.h>

static uint32_t count_places(uint32_t slots)
{
    uint32_t n = 16;

    while (n < 2 * slots) /* hints of jobs that were cancelled stay for a while */
        n *= 2;
    return n;
}

static size_t round_up(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

int plait__block_create(struct plait__pool_block **ret, const struct plait__block_shape *shape)
{
    uint32_t n_slots = shape->n_own + shape->n_records * PLAIT__POOL_NESTED;
    uint32_t places = count_places(n_slots);
    size_t of_slots = round_up(n_slots * sizeof(struct plait__slot));
    size_t of_workers = round_up(shape->n_records * sizeof(struct plait__worker));
    size_t of_done = round_up((shape->n_own + 63) / 64 * sizeof(uint64_t));
    size_t of_block = round_up(sizeof(struct plait__pool_block)), of_lane = places * 8UL;
    char *at =
        plait_shared_alloc(of_block + of_slots + of_workers + of_done + of_lane * shape->n_lanes);
    struct plait__pool_block *block = (struct plait__pool_block *)(void *)at;

    if (block == NULL)
        return -ENOMEM;
    block->n_own = shape->n_own;
    block->n_slots = n_slots;
    block->n_records = shape->n_records;
    block->n_lanes = shape->n_lanes;
    block->slots = (struct plait__slot *)(void *)(at += of_block);
    block->workers = (struct plait__worker *)(void *)(at += of_slots);
    block->done = (uint64_t *)(void *)(at += of_workers);
    at += of_done;
    for (uint32_t i = 0; i < shape->n_lanes; i++, at += of_lane) {
        block->lanes[i].places = (uint64_t *)(void *)at;
        block->lanes[i].mask = places - 1;
        block->lanes[i].shift = (uint32_t)__builtin_ctz(places);
    }
    *ret = block;
    return 0;
}

void plait__block_drop(uint64_t *at)
{
    if (*at == 0)
        return;
    plait__parcel_drop(*at); /* a second time it does nothing: no parcel has that name again */
    __atomic_store_n(at, 0, __ATOMIC_SEQ_CST);
}

void plait__block_destroy(struct plait__pool_block *block)
{
    /* what the last workers handed over, and did not bring in; a job of theirs that says something
     * has one item */
    for (uint32_t i = block->n_own; i < block->n_slots; i++) {
        plait__block_drop(&block->slots[i].own_said.parcel);
        plait__block_drop(&block->slots[i].parcel);
    }
    plait_shared_free(block);
}

void plait__block_hint(struct plait__pool_block *block, struct plait__slot *slot,
                       unsigned generation)
{
    uint32_t hint = plait__slot_hint(block, slot, generation);

    if (!plait__hints_put(&block->lanes[slot->lane], hint))
        __atomic_store_n(&block->is_incomplete, 1, __ATOMIC_SEQ_CST);
    if (plait__bell_awaited(&block->task_bell) != 0)
        plait__bell_ring(&block->task_bell);
}

void plait__block_hint_again(struct plait__pool_block *block)
{
    for (uint32_t i = 0; i < block->n_records; i++) {
        uint64_t hint = __atomic_load_n(&block->workers[i].current[0], __ATOMIC_ACQUIRE);
        struct plait__slot_word word;
        if (hint == 0)
            continue;
        word = plait__slot_cut(plait__slot_load(plait__slot_hinted(block, hint)));
        if (word.state == PLAIT__SLOT_QUEUED && plait__slot_is_meant(hint, word.generation))
            plait__block_hint(block, plait__slot_hinted(block, hint), word.generation);
    }
}

void plait__block_tell(struct plait__pool_block *block, struct plait__slot *slot)
{
    uint32_t number = plait__slot_number(block, slot);
    struct plait__worker *submitter;
    uint32_t *bell;

    if (slot->submitter == 0) {
        __atomic_fetch_or(&block->done[number / 64], UINT64_C(1) << number % 64, __ATOMIC_SEQ_CST);
        plait__ends_ring(block->owner_bell);
        return;
    }
    number = (number - block->n_own) % PLAIT__POOL_NESTED;
    submitter = &block->workers[slot->submitter - 1];
    __atomic_fetch_or(&submitter->done, UINT64_C(1) << number, __ATOMIC_SEQ_CST);
    bell = __atomic_load_n(&submitter->bell, __ATOMIC_ACQUIRE);
    if (bell != NULL)
        plait__ends_ring(bell);
}

/* The items from `item` on end so. */
static struct plait__slot_word over(struct plait__slot_word word, uint32_t item, unsigned end)
{
    word.state = PLAIT__SLOT_OVER;
    word.item = item;
    word.worker = end;
    return word;
}

/* generation NULL: whatever job is in it. */
static bool give_up(struct plait__pool_block *block, struct plait__slot *slot,
                    const unsigned *generation, unsigned end)
{
    uint64_t found = plait__slot_load(slot);
    struct plait__slot_word word = plait__slot_cut(found);

    while (word.state == PLAIT__SLOT_QUEUED &&
           (generation == NULL || word.generation == *generation)) {
        if (plait__slot_change(slot, found, over(word, word.item, end))) {
            plait__block_tell(block, slot);
            return true;
        }
        found = plait__slot_load(slot);
        word = plait__slot_cut(found);
    }
    return false;
}

bool plait__block_give_up(struct plait__pool_block *block, struct plait__slot *slot,
                          plait_job_end end, plait_job_cause cause)
{
    return give_up(block, slot, NULL, plait__slot_end(end, cause));
}

void plait__block_requeued(struct plait__pool_block *block, struct plait__slot *slot,
                           unsigned generation)
{
    plait__block_hint(block, slot, generation);
    /* who asked found it running. The slot may have another job by now, which nobody asked */
    if (__atomic_load_n(&slot->is_asked, __ATOMIC_SEQ_CST) != 0)
        give_up(block, slot, &generation, plait__slot_end(PLAIT_JOB_CANCELLED, PLAIT_CAUSE_NONE));
}

/* ---- what the dead leave ---- */

/* How an item's worker ended. */
struct loss {
    struct plait__death death;
    plait_job_cause cause; /* DEATH or KEEPER */
    int64_t run_ns;
};

static bool is_ending(const struct plait__pool_block *block)
{
    return __atomic_load_n(&block->kills, __ATOMIC_SEQ_CST) != 0;
}

/* May the item that its worker died with be begun again? */
static bool may_begin_again(const struct plait__pool_block *block, const struct plait__slot *slot,
                            struct plait__slot_word word, plait_job_cause cause)
{
    return word.state == PLAIT__SLOT_ENTERED && word.starts < slot->attempts && !is_ending(block) &&
           (cause == PLAIT_CAUSE_KEEPER || word.starts < block->poison_limit) &&
           __atomic_load_n(&slot->is_asked, __ATOMIC_SEQ_CST) == 0;
}

static void write_end(const struct plait__pool_block *block, struct plait__slot *slot,
                      struct plait__slot_word word, const struct loss *loss)
{
    struct plait__item_end *end = plait__slot_end_of(slot, word.item);
    bool is_poison = slot->attempts > 1 && word.starts >= block->poison_limit;

    end->end = PLAIT_JOB_LOST;
    end->cause = (uint8_t)loss->cause;
    end->code = loss->death.status;
    end->pid = loss->death.pid;
    end->signal = (uint8_t)loss->death.signal;
    end->core = loss->death.core;
    end->starts = (uint8_t)word.starts;
    end->run_ns = loss->run_ns;
    end->has_said = false;
    /* killed with all others, perhaps before it could be doomed */
    if (word.state == PLAIT__SLOT_ENTERED && !(is_ending(block) && end->signal == SIGKILL)) {
        if (loss->cause == PLAIT_CAUSE_DEATH && is_poison)
            end->cause = PLAIT_CAUSE_POISON;
        return;
    }
    end->end = word.state == PLAIT__SLOT_EXPIRED ? PLAIT_JOB_EXPIRED : PLAIT_JOB_CANCELLED;
    end->cause = PLAIT_CAUSE_NONE;
    if (word.state != PLAIT__SLOT_EXPIRED && is_ending(block))
        end->cause = PLAIT_CAUSE_SHUTDOWN;
}

/* What comes behind the item that the dead worker had. */
static struct plait__slot_word behind(const struct plait__pool_block *block,
                                      const struct plait__slot *slot, struct plait__slot_word word)
{
    plait_job_cause cause = PLAIT_CAUSE_NONE;

    if (word.item + 1 == slot->n)
        return over(word, slot->n, 0);
    if (is_ending(block))
        cause = PLAIT_CAUSE_SHUTDOWN;
    else if (word.state != PLAIT__SLOT_CANCELLED &&
             __atomic_load_n(&slot->is_asked, __ATOMIC_SEQ_CST) == 0)
        return (struct plait__slot_word){ .state = PLAIT__SLOT_QUEUED,
                                          .item = word.item + 1,
                                          .generation = word.generation };
    return over(word, word.item + 1, plait__slot_end(PLAIT_JOB_CANCELLED, cause));
}

/* pre: the worker that it is ENTERED with, or was doomed with, is dead. */
static struct plait__slot_word settle(struct plait__pool_block *block, struct plait__slot *slot,
                                      const struct loss *loss)
{
    uint64_t found = plait__slot_load(slot);
    struct plait__slot_word word = plait__slot_cut(found), next;

    if (may_begin_again(block, slot, word, loss->cause)) {
        next = word;
        next.state = PLAIT__SLOT_QUEUED;
        next.worker = 0;
    } else {
        write_end(block, slot, word, loss);
        next = behind(block, slot, word);
    }
    __atomic_store_n(&slot->is_touched, 0, __ATOMIC_RELAXED);
    plait__slot_change(slot, found, next); /* nobody else changes it */
    return next;
}

static void recover_one(struct plait__pool_block *block, unsigned worker, uint64_t hint,
                        const struct loss *loss)
{
    struct plait__slot *slot = plait__slot_hinted(block, hint);
    struct plait__slot_word word = plait__slot_cut(plait__slot_load(slot));

    if (!plait__slot_is_meant(hint, word.generation))
        return;
    if (word.state == PLAIT__SLOT_ENTERED || word.state == PLAIT__SLOT_EXPIRED ||
        word.state == PLAIT__SLOT_CANCELLED) {
        if (word.worker != worker)
            return;
        word = settle(block, slot, loss);
    }
    if (word.state == PLAIT__SLOT_OVER) {
        plait__block_tell(block, slot);
        return;
    }
    if (word.state != PLAIT__SLOT_QUEUED)
        return;
    plait__block_requeued(block, slot, word.generation);
}

/* Its record did not name all that it had begun. */
static void recover_deep(struct plait__pool_block *block, unsigned worker, const struct loss *loss)
{
    for (uint32_t i = 0; i < block->n_slots; i++) {
        struct plait__slot *slot = &block->slots[i];
        struct plait__slot_word word = plait__slot_cut(plait__slot_load(slot));
        if (word.state != PLAIT__SLOT_FREE)
            recover_one(block, worker, plait__slot_hint(block, slot, word.generation), loss);
    }
}

/* The jobs that the dead worker had submitted: nobody waits for them any more. Those that run end by
 * themselves. */
static void drop_nested(struct plait__pool_block *block, unsigned worker)
{
    struct plait__slot *first = &block->slots[block->n_own + worker * PLAIT__POOL_NESTED];

    for (uint32_t i = 0; i < PLAIT__POOL_NESTED; i++)
        plait__block_give_up(block, first + i, PLAIT_JOB_CANCELLED, PLAIT_CAUSE_NONE);
}

void plait__block_recover(struct plait__pool_block *block, unsigned worker,
                          const struct plait__death *death, plait_job_cause cause)
{
    struct plait__worker *record = &block->workers[worker];
    struct loss loss = { .death = *death, .cause = cause };
    int64_t now = plait__os_now_ns();

    drop_nested(block, worker);
    /* it may have been looking at all slots, and have said that nobody else need */
    __atomic_store_n(&block->is_incomplete, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&record->bell, NULL, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&record->is_deep, __ATOMIC_SEQ_CST) != 0)
        recover_deep(block, worker, &loss);
    for (int depth = 0; depth < PLAIT__POOL_DEPTH; depth++) {
        uint64_t hint = __atomic_load_n(&record->current[depth], __ATOMIC_ACQUIRE);
        loss.run_ns = now - __atomic_load_n(&record->started_ns[depth], __ATOMIC_RELAXED);
        if (hint != 0)
            recover_one(block, worker, hint, &loss);
        __atomic_store_n(&record->current[depth], 0, __ATOMIC_RELEASE);
    }
}
