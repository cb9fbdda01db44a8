/* Jobs on the stack of a worker of a process pool: entered, run, committed item by item.
 * SPDX-License-Identifier: MIT
 *
 * The worker can be killed at any instruction; what is seen of it then is the slot's word and the
 * record's `current`, which names a slot before the slot can name us.
 */
#include "pool/process_run.h"
#include "base/time.h"
#include "family/member.h"
#include "family/parcel.h"
#include "os/clock.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/readfile.h"
#include "os/thread.h"
#include "pool/running.h"
#include "sync/nap.h"
#include "task/function.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

/* An item on this worker's stack. */
struct frame {
    struct plait__running running; /* first */
    struct plait__slot *slot;
    struct plait__call call; /* of the item */
    int64_t started_ns;      /* the item; if is_rough, that or one of the last milliseconds */
    int64_t tick_ns;
    unsigned depth;
    bool is_rough; /* nobody asks how long each item took */
};

struct plait__process_worker plait__worker_self;

static struct plait__process_worker *const self = &plait__worker_self;

/* ---- running an item ---- */

static bool is_asked(const struct plait__slot *slot)
{
    return __atomic_load_n(&slot->is_asked, __ATOMIC_SEQ_CST) != 0;
}

static bool is_cancelled(struct plait__running *running)
{
    const struct frame *frame = (const struct frame *)running;

    return is_asked(frame->slot) || plait__is_cancelled(&frame->slot->sleeper);
}

static void show_progress(struct plait__running *running, uint64_t done, uint64_t total)
{
    struct plait__slot *slot = ((struct frame *)running)->slot;

    __atomic_store_n(&slot->progress_done, done, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->progress_total, total, __ATOMIC_RELAXED);
}

/* Nothing of what was asked of the item before is meant for this one. pre: the slot is ours. */
static void begin_asking(struct plait__slot *slot)
{
    struct plait__sleeper *sleeper = &slot->sleeper;

    /* a descriptor of whoever ran it before is not ours. Nothing is written that need not: the line
     * stays in the cache of both */
    if (sleeper->masks != 0 || sleeper->wake_fd != 0 || sleeper->cancel != 0) {
        sleeper->masks = 0;
        sleeper->wake_fd = 0;
        __atomic_store_n(&sleeper->cancel, 0, __ATOMIC_SEQ_CST);
    }
    /* who asks says so first, then cancels: either we see the first or our zero is overwritten */
    if (is_asked(slot))
        __atomic_store_n(&slot->sleeper.cancel, 1, __ATOMIC_SEQ_CST);
}

/* Where what the item says goes, which the slot names before it is there; NULL: no memory. */
static char *find_place(struct plait__item_said *said, size_t bytes)
{
    uint64_t name;

    if (bytes <= sizeof said->small)
        return said->small;
    if (plait__parcel_make(bytes, &name) < 0)
        return NULL;
    __atomic_store_n(&said->parcel, name, __ATOMIC_SEQ_CST);
    return plait__parcel_bytes(name);
}

/* False: no memory. */
static bool keep_said(struct plait__item_said *said, const struct plait__running *running,
                      size_t message)
{
    char *at = find_place(said, running->wrote.len + message);

    if (at == NULL)
        return false;
    if (running->wrote.len > 0)
        memcpy(at, running->wrote.data, running->wrote.len);
    if (message > 0)
        memcpy(at + running->wrote.len, running->message, message);
    said->wrote = running->wrote.len;
    said->message = message;
    if (said->parcel != 0)
        plait__parcel_leave(said->parcel);
    return true;
}

/* One of many values. */
static bool needs_no_end(const struct plait__slot *slot, const plait_result *result)
{
    return result->end == PLAIT_JOB_VALUE && slot->is_summed &&
           slot->first_end == PLAIT__SLOT_ALL_VALUES;
}

/* The end of item i, into the slot. */
static void write_end(const struct frame *frame, uint32_t i, const plait_result *result)
{
    struct plait__slot *slot = frame->slot;
    struct plait__item_end *end = plait__slot_end_of(slot, i);
    size_t message = frame->running.message == NULL ? 0 : strlen(frame->running.message);

    *end = (struct plait__item_end){ .run_ns = result->run_ns,
                                     .code = result->code,
                                     .pid = self->pid,
                                     .end = (uint8_t)result->end,
                                     .cause = (uint8_t)result->cause,
                                     .starts = (uint8_t)result->starts };
    if (slot->saids == NULL || frame->running.wrote.len + message == 0)
        return;
    end->has_said = keep_said(&slot->saids[i], &frame->running, message);
    if (!end->has_said) {
        end->end = PLAIT_JOB_LOST;
        end->cause = PLAIT_CAUSE_MEMORY;
    }
}

/* A function that was asked to end, and did, has no error of its own. */
static void see_whether_cancelled(const struct frame *frame, plait_result *result, int64_t now)
{
    int64_t until_ns = frame->running.soft_until_ns;

    if (result->end != PLAIT_JOB_ERROR || result->code != -ECANCELED)
        return;
    if (is_asked(frame->slot))
        result->end = PLAIT_JOB_CANCELLED;
    else if (until_ns != 0 && now >= until_ns)
        result->end = PLAIT_JOB_EXPIRED;
}

/* Of item i of the job. */
static void begin_calls(struct frame *frame, uint32_t i)
{
    const struct plait__slot *slot = frame->slot;
    uintptr_t address = slot->fn;

    if (slot->function != NULL)
        address = plait__function_find(slot->function);
    frame->call = (struct plait__call){
        .fn = slot->is_text ? NULL : (plait_pool_fn *)address,
        .text_fn = slot->is_text ? (plait_pool_text_fn *)address : NULL,
        .in = slot->in + i * slot->in_bytes,
        .in_bytes = slot->in_bytes,
        .out = slot->out == NULL ? NULL : slot->out + i * slot->out_bytes,
        .ctx = slot->ctx,
    };
    frame->is_rough = slot->is_summed && slot->first_end == PLAIT__SLOT_ALL_VALUES &&
                      slot->soft_ns == 0 && slot->hard_ns == 0 && !self->block->is_wearing;
    if (frame->is_rough)
        frame->tick_ns = plait__os_tick_ns();
}

static void next_call(struct frame *frame)
{
    struct plait__call *call = &frame->call;

    call->in = (const char *)call->in + call->in_bytes;
    if (call->out != NULL)
        call->out = (char *)call->out + frame->slot->out_bytes;
}

static void call_function(struct frame *frame, plait_result *result)
{
    const struct plait__slot *slot = frame->slot;

    if (frame->call.fn == NULL && frame->call.text_fn == NULL) {
        *result = (plait_result){ .end = PLAIT_JOB_LOST, .cause = PLAIT_CAUSE_FUNCTION };
        return;
    }
    frame->running.soft_until_ns =
        slot->soft_ns == 0 ? 0 : plait__deadline_after(frame->started_ns, slot->soft_ns).ns;
    plait__run_item(&frame->running, &frame->call, result);
    /* a process that the function forked, and that returned from it, is no worker */
    if (plait__member_self() != self->member)
        _exit(0);
}

/* An item has ended, at clock_ns; or in this millisecond, if that is enough. */
static void look_at_clock(struct frame *frame, const plait_result *result)
{
    if (result->end != PLAIT_JOB_VALUE)
        frame->is_rough = false;
    if (frame->is_rough) {
        int64_t tick_ns = plait__os_tick_ns();
        if (tick_ns == frame->tick_ns)
            return;
        frame->tick_ns = tick_ns;
    }
    self->clock_ns = plait__os_now_ns();
}

static void run_item(struct frame *frame, uint32_t i, plait_result *ret)
{
    struct plait__slot *slot = frame->slot;

    if (slot->saids != NULL)
        plait__block_drop(&slot->saids[i].parcel); /* of a worker that died with this item */
    begin_asking(slot);
    call_function(frame, ret);
    if (slot->sleeper.wake_fd != 0)
        plait__sleeper_fini(&slot->sleeper);
    plait__os_flush_streams();
}

static void count_item(void)
{
    if (self->n_items++ == 0) /* workers are of use: nobody need wait with the next one */
        __atomic_store_n(&self->block->n_failures, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&self->record->n_items, self->n_items, __ATOMIC_RELAXED);
}

/* What it returned, and when, becomes its end. */
static void end_item(struct frame *frame, uint32_t i, unsigned starts, plait_result *result)
{
    struct plait__slot *slot = frame->slot;

    look_at_clock(frame, result);
    see_whether_cancelled(frame, result, self->clock_ns);
    result->starts = result->cause == PLAIT_CAUSE_FUNCTION ? starts - 1 : starts;
    result->run_ns = self->clock_ns - frame->started_ns;
    if (needs_no_end(slot, result))
        slot->own_end.run_ns += result->run_ns;
    else
        write_end(frame, i, result);
    count_item();
}

/* ---- commits ---- */

/* 0: nobody tells. */
static size_t resident_kib(void)
{
    uint64_t pages[2];

    if (plait__os_read_numbers("/proc/self", "statm", pages, 2) < 2)
        return 0;
    return pages[1] * plait__os_page_bytes() / 1024;
}

bool plait__worker_is_worn(void)
{
    const struct plait__pool_block *block = self->block;

    if (!block->is_wearing)
        return false;
    return (block->max_tasks != 0 && self->n_items >= block->max_tasks) ||
           (block->max_age_ns != 0 && self->clock_ns - self->ready_ns >= block->max_age_ns) ||
           (block->max_rss_kib != 0 && resident_kib() > block->max_rss_kib);
}

bool plait__worker_must_retire(void)
{
    return __atomic_load_n(&self->record->must_retire, __ATOMIC_RELAXED) != 0;
}

/* The keeper will kill us. */
static void wait_for_death(void)
{
    plait__sleeper_set_current(NULL);
    for (;;)
        plait_sleep(plait_after_ms(1000));
}

static bool is_worn(void)
{
    return self->block->is_wearing && plait__worker_is_worn();
}

/* What comes behind item i, which has ended. */
static struct plait__slot_word next_word(const struct plait__slot *slot,
                                         struct plait__slot_word word)
{
    word.item++;
    word.starts = 1;
    if (word.item == slot->n || is_asked(slot)) {
        word.state = PLAIT__SLOT_OVER;
        word.worker =
            word.item == slot->n ? 0 : plait__slot_end(PLAIT_JOB_CANCELLED, PLAIT_CAUSE_NONE);
    } else if (self->depth == 1 && (plait__worker_must_retire() || is_worn())) {
        word.state = PLAIT__SLOT_QUEUED;
        word.worker = word.starts = 0;
    }
    return word;
}

/* The soft limit: while we hold it, the keeper does not cancel what runs in the slot. It stays held
 * when the slot is ours no more, until somebody enters it again. */
static void touch(struct plait__slot *slot)
{
    if (slot->soft_ns == 0)
        return;
    while (__atomic_exchange_n(&slot->is_touched, 1, __ATOMIC_ACQUIRE) != 0)
        sched_yield();
}

static void let_touch(struct plait__slot *slot)
{
    if (slot->soft_ns != 0)
        __atomic_store_n(&slot->is_touched, 0, __ATOMIC_RELEASE);
}

/* Before the word says that the item is entered: the keeper reads it behind the word. */
static void set_started(struct frame *frame, int64_t now)
{
    if (frame->started_ns == now)
        return;
    frame->started_ns = now;
    if (frame->depth < PLAIT__POOL_DEPTH)
        /* release: pairs with the keeper's acquire of the word, which is changed behind it */
        __atomic_store_n(&self->record->started_ns[frame->depth], now, __ATOMIC_RELEASE);
}

/* The last time that is not in the sum yet, before the slot is not ours any more. */
static void end_sum(const struct frame *frame)
{
    int64_t now;

    if (!frame->is_rough)
        return;
    now = plait__os_now_ns();
    frame->slot->own_end.run_ns += now - self->clock_ns;
    self->clock_ns = now;
}

/* The item of *word has ended. True: the next one is entered, *word says which. */
static bool commit(struct frame *frame, struct plait__slot_word *word)
{
    struct plait__slot *slot = frame->slot;
    struct plait__slot_word next = next_word(slot, *word);
    unsigned generation = word->generation;

    touch(slot);
    if (next.state == PLAIT__SLOT_ENTERED)
        set_started(frame, self->clock_ns);
    else
        end_sum(frame);
    if (!plait__slot_change(slot, plait__slot_glue(*word), next))
        wait_for_death();
    *word = next;
    if (next.state == PLAIT__SLOT_ENTERED) {
        let_touch(slot);
        next_call(frame);
        return true;
    }
    if (next.state == PLAIT__SLOT_OVER) {
        plait__block_tell(self->block, slot);
        return false;
    }
    plait__block_requeued(self->block, slot, generation);
    return false;
}

/* The short way for one of many items of which nobody asks how each ended: the next one is entered, if
 * this one ended in a value in the same millisecond, and nothing else is to be done. */
static bool go_on(struct frame *frame, struct plait__slot_word *word, const plait_result *result)
{
    struct plait__slot *slot = frame->slot;
    struct plait__slot_word next = *word;

    if (!frame->is_rough || result->end != PLAIT_JOB_VALUE || ++next.item == slot->n ||
        self->n_items == 0 || is_asked(slot) || plait__worker_must_retire() ||
        plait__os_tick_ns() != frame->tick_ns)
        return false;
    next.starts = 1;
    if (!plait__slot_change(slot, plait__slot_glue(*word), next))
        wait_for_death();
    *word = next;
    count_item();
    next_call(frame);
    return true;
}

/* ---- jobs ---- */

/* The frame of a job on our stack; what to hand to pop. */
static struct plait__sleeper *push(struct frame *frame, struct plait__slot *slot)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();

    *frame = (struct frame){
        .running = { .pool = self->pool, .is_cancelled = is_cancelled, .progress = show_progress },
        .slot = slot,
        .depth = self->depth++
    };
    slot->sleeper.ops = NULL; /* a job that was killed may have been a loop */
    plait__sleeper_set_current(&slot->sleeper);
    return sleeper;
}

static void pop(struct frame *frame, struct plait__sleeper *sleeper)
{
    plait__running_fini(&frame->running);
    plait__sleeper_set_current(sleeper);
    self->depth--;
}

/* The item of *word, and as many behind it as go the short way; the last of them is then in *word. */
static void run_and_end(struct frame *frame, struct plait__slot_word *word)
{
    plait_result result = { 0 };

    do
        run_item(frame, word->item, &result);
    while (go_on(frame, word, &result));
    end_item(frame, word->item, word->starts, &result);
}

/* QUEUED, as found, becomes ENTERED by us, and the job runs. pre: `current` says so. False: somebody
 * else was faster. */
static bool enter_and_run(struct plait__slot *slot, uint64_t found)
{
    struct plait__slot_word word = plait__slot_cut(found);
    struct plait__sleeper *sleeper;
    struct frame frame;
    bool is_ours;

    word.state = PLAIT__SLOT_ENTERED;
    word.worker = self->worker;
    word.starts++;
    sleeper = push(&frame, slot);
    if (self->clock_ns == 0)
        self->clock_ns = plait__os_now_ns();
    set_started(&frame, self->clock_ns);
    is_ours = plait__slot_change(slot, found, word);
    if (is_ours) {
        let_touch(slot);
        begin_calls(&frame, word.item);
        do
            run_and_end(&frame, &word);
        while (commit(&frame, &word));
    }
    pop(&frame, sleeper);
    return is_ours;
}

void plait__worker_run_here(struct plait__slot *slot)
{
    struct frame frame;
    struct plait__sleeper *sleeper = push(&frame, slot);

    begin_calls(&frame, 0);
    for (uint32_t i = 0; i < slot->n; i++) {
        plait_result result = { 0 };
        frame.started_ns = plait__os_now_ns();
        run_item(&frame, i, &result);
        end_item(&frame, i, 1, &result);
        next_call(&frame);
    }
    pop(&frame, sleeper);
}

void plait__worker_follow(uint64_t hint)
{
    struct plait__slot *slot = plait__slot_hinted(self->block, hint);
    uint64_t found = plait__slot_load(slot);
    struct plait__slot_word word = plait__slot_cut(found);

    if (word.state == PLAIT__SLOT_QUEUED && plait__slot_is_meant(hint, word.generation))
        enter_and_run(slot, found);
    __atomic_store_n(&self->record->current[0], 0, __ATOMIC_RELEASE);
}

/* Where the record names what we are about to begin; NULL: it has no place left, and says so. */
static uint64_t *name_place(void)
{
    if (self->depth < PLAIT__POOL_DEPTH)
        return &self->record->current[self->depth];
    __atomic_store_n(&self->record->is_deep, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

bool plait__worker_run(struct plait__slot *slot)
{
    uint64_t found = plait__slot_load(slot), *current = name_place();
    struct plait__slot_word word = plait__slot_cut(found);
    bool is_ours;

    if (word.state != PLAIT__SLOT_QUEUED)
        return false;
    if (current != NULL)
        __atomic_store_n(current, plait__slot_hint(self->block, slot, word.generation),
                         __ATOMIC_RELEASE);
    self->clock_ns = 0;
    is_ours = enter_and_run(slot, found);
    if (current != NULL)
        __atomic_store_n(current, 0, __ATOMIC_RELEASE);
    return is_ours;
}
