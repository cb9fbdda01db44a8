/* The life of a worker of a process pool.
 * SPDX-License-Identifier: MIT
 *
 * It looks for a hint, enters the slot that the hint names, and commits each item by itself. It can
 * be killed at any instruction; what is seen of it then is the slot's word and the record's
 * `current`, which names a slot before the slot can name us. It ends itself only between jobs.
 */
#include "pool/process_worker.h"
#include "base/time.h"
#include "chan/bell.h"
#include "family/member.h"
#include "family/parcel.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/readfile.h"
#include "os/thread.h"
#include "pool/bell.h"
#include "pool/function.h"
#include "pool/running.h"
#include "sync/nap.h"
#include "task/task.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    SPINS = 400,      /* pauses before the first sleep */
    PAUSES_MOST = 32, /* between two looks */
    LOW_FIRST = 16    /* each so many jobs, one of the lowest lane comes first */
};

/* An item on this worker's stack. */
struct frame {
    struct plait__running running; /* first */
    struct plait__slot *slot;
    int64_t started_ns; /* the item */
    unsigned depth;
};

uint64_t plait__worker_claim;

static struct {
    struct plait__pool_block *block; /* NULL: this is no worker */
    struct plait__worker *record;
    unsigned worker;
    uint32_t member; /* our id: a forked child has another */
    pid_t pid;
    unsigned depth;   /* jobs on the stack */
    unsigned turn;    /* counts looks for work */
    unsigned n_items; /* ended since the start */
    int64_t clock_ns; /* when the last item ended, which the next one begins at; 0: look */
    int64_t ready_ns;
    plait_pool *pool; /* our handle, for nested jobs */
} self;

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

/* The end of item i, into the slot. */
static void write_end(const struct frame *frame, uint32_t i, const plait_result *result)
{
    struct plait__slot *slot = frame->slot;
    struct plait__item_end *end = &slot->ends[i];
    size_t message = frame->running.message == NULL ? 0 : strlen(frame->running.message);

    *end = (struct plait__item_end){ .run_ns = result->run_ns,
                                     .code = result->code,
                                     .pid = self.pid,
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

static bool find_function(const struct plait__slot *slot, struct plait__call *call)
{
    uintptr_t address = slot->fn;

    if (slot->function != NULL)
        address = plait__function_find(slot->function);
    if (slot->is_text)
        call->text_fn = (plait_pool_text_fn *)address;
    else
        call->fn = (plait_pool_fn *)address;
    return address != 0;
}

static void call_function(struct frame *frame, uint32_t i, plait_result *result)
{
    struct plait__slot *slot = frame->slot;
    struct plait__call call = { .in = slot->in + i * slot->in_bytes,
                                .in_bytes = slot->in_bytes,
                                .out = slot->out == NULL ? NULL : slot->out + i * slot->out_bytes,
                                .ctx = slot->ctx };

    if (!find_function(slot, &call)) {
        *result = (plait_result){ .end = PLAIT_JOB_LOST, .cause = PLAIT_CAUSE_FUNCTION };
        return;
    }
    frame->running.soft_until_ns =
        slot->soft_ns == 0 ? 0 : plait__deadline_after(frame->started_ns, slot->soft_ns).ns;
    plait__run_item(&frame->running, &call, result);
    /* a process that the function forked, and that returned from it, is no worker */
    if (plait__member_self() != self.member)
        _exit(0);
}

static void run_item(struct frame *frame, uint32_t i, unsigned starts)
{
    struct plait__slot *slot = frame->slot;
    plait_result result = { 0 };

    if (slot->saids != NULL)
        plait__block_drop(&slot->saids[i].parcel); /* of a worker that died with this item */
    begin_asking(slot);
    call_function(frame, i, &result);
    if (slot->sleeper.wake_fd != 0)
        plait__sleeper_fini(&slot->sleeper);
    plait__os_flush_streams();
    self.clock_ns = plait__os_now_ns();
    see_whether_cancelled(frame, &result, self.clock_ns);
    result.starts = result.cause == PLAIT_CAUSE_FUNCTION ? starts - 1 : starts;
    result.run_ns = self.clock_ns - frame->started_ns;
    write_end(frame, i, &result);
    if (self.n_items++ == 0) /* workers are of use: nobody need wait with the next one */
        __atomic_store_n(&self.block->n_failures, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&self.record->n_items, self.n_items, __ATOMIC_RELAXED);
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

static bool is_worn(void)
{
    const struct plait__pool_block *block = self.block;

    if (!block->is_wearing)
        return false;
    return (block->max_tasks != 0 && self.n_items >= block->max_tasks) ||
           (block->max_age_ns != 0 && self.clock_ns - self.ready_ns >= block->max_age_ns) ||
           (block->max_rss_kib != 0 && resident_kib() > block->max_rss_kib);
}

static bool must_retire(void)
{
    return __atomic_load_n(&self.record->must_retire, __ATOMIC_RELAXED) != 0;
}

/* The keeper will kill us. */
static void wait_for_death(void)
{
    plait__sleeper_set_current(NULL);
    for (;;)
        plait_sleep(plait_after_ms(1000));
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
    } else if (self.depth == 1 && (must_retire() || is_worn())) {
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
    frame->started_ns = now;
    if (frame->depth < PLAIT__POOL_DEPTH)
        __atomic_store_n(&self.record->started_ns[frame->depth], now, __ATOMIC_SEQ_CST);
}

/* The item of *word has ended. True: the next one is entered, *word says which. */
static bool commit(struct frame *frame, struct plait__slot_word *word)
{
    struct plait__slot *slot = frame->slot;
    struct plait__slot_word next = next_word(slot, *word);
    unsigned generation = word->generation;

    touch(slot);
    if (next.state == PLAIT__SLOT_ENTERED)
        set_started(frame, self.clock_ns);
    if (!plait__slot_change(slot, plait__slot_glue(*word), next))
        wait_for_death();
    *word = next;
    if (next.state == PLAIT__SLOT_ENTERED) {
        let_touch(slot);
        return true;
    }
    if (next.state == PLAIT__SLOT_OVER) {
        plait__block_tell(self.block, slot);
        return false;
    }
    plait__block_requeued(self.block, slot, generation);
    return false;
}

/* ---- jobs ---- */

/* The frame of a job on our stack; what to hand to pop. */
static struct plait__sleeper *push(struct frame *frame, struct plait__slot *slot)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();

    *frame = (struct frame){
        .running = { .pool = self.pool, .is_cancelled = is_cancelled, .progress = show_progress },
        .slot = slot,
        .depth = self.depth++
    };
    plait__sleeper_set_current(&slot->sleeper);
    return sleeper;
}

static void pop(struct frame *frame, struct plait__sleeper *sleeper)
{
    plait__running_fini(&frame->running);
    plait__sleeper_set_current(sleeper);
    self.depth--;
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
    word.worker = self.worker;
    word.starts++;
    sleeper = push(&frame, slot);
    set_started(&frame, self.clock_ns != 0 ? self.clock_ns : plait__os_now_ns());
    is_ours = plait__slot_change(slot, found, word);
    if (is_ours) {
        let_touch(slot);
        do
            run_item(&frame, word.item, word.starts);
        while (commit(&frame, &word));
    }
    pop(&frame, sleeper);
    return is_ours;
}

void plait__worker_run_here(struct plait__slot *slot)
{
    struct frame frame;
    struct plait__sleeper *sleeper = push(&frame, slot);

    for (uint32_t i = 0; i < slot->n; i++) {
        frame.started_ns = plait__os_now_ns();
        run_item(&frame, i, 1);
    }
    pop(&frame, sleeper);
}

/* The hint is in our `current`. */
static void follow(uint64_t hint)
{
    struct plait__slot *slot = plait__slot_hinted(self.block, hint);
    uint64_t found = plait__slot_load(slot);
    struct plait__slot_word word = plait__slot_cut(found);

    if (word.state == PLAIT__SLOT_QUEUED && plait__slot_is_meant(hint, word.generation))
        enter_and_run(slot, found);
    __atomic_store_n(&self.record->current[0], 0, __ATOMIC_RELEASE);
}

/* Where the record names what we are about to begin; NULL: it has no place left, and says so. */
static uint64_t *name_place(void)
{
    if (self.depth < PLAIT__POOL_DEPTH)
        return &self.record->current[self.depth];
    __atomic_store_n(&self.record->is_deep, 1, __ATOMIC_SEQ_CST);
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
        __atomic_store_n(current, plait__slot_hint(self.block, slot, word.generation),
                         __ATOMIC_RELEASE);
    self.clock_ns = 0;
    is_ours = enter_and_run(slot, found);
    if (current != NULL)
        __atomic_store_n(current, 0, __ATOMIC_RELEASE);
    return is_ours;
}

/* ---- looking for work ---- */

static uint32_t take_from(unsigned lane)
{
    return plait__hints_take(&self.block->lanes[lane], &self.record->current[0]);
}

/* Hints may be missing: looks at all slots. */
static uint32_t look_at_all(void)
{
    struct plait__pool_block *block = self.block;

    if (__atomic_load_n(&block->is_incomplete, __ATOMIC_SEQ_CST) == 0)
        return 0;
    __atomic_store_n(&block->is_incomplete, 0, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < block->n_slots; i++) {
        struct plait__slot_word word = plait__slot_cut(plait__slot_load(&block->slots[i]));
        if (word.state != PLAIT__SLOT_QUEUED)
            continue;
        uint32_t hint = plait__slot_hint(block, &block->slots[i], word.generation);
        __atomic_store_n(&block->is_incomplete, 1, __ATOMIC_SEQ_CST); /* there may be more */
        __atomic_store_n(&self.record->current[0], hint, __ATOMIC_RELEASE);
        return hint;
    }
    return 0;
}

static uint32_t find_hint(void)
{
    unsigned n = self.block->n_lanes;
    uint32_t hint = 0;

    if (n > 1 && ++self.turn % LOW_FIRST == 0) {
        for (unsigned lane = n; lane > 0 && hint == 0; lane--)
            hint = take_from(lane - 1);
        return hint;
    }
    for (unsigned lane = 0; lane < n && hint == 0; lane++)
        hint = take_from(lane);
    return hint != 0 ? hint : look_at_all();
}

static bool is_over(void)
{
    return __atomic_load_n(&self.block->stops, __ATOMIC_SEQ_CST) != 0 || must_retire();
}

/* Something may be there. */
static bool is_promising(void)
{
    for (unsigned lane = 0; lane < self.block->n_lanes; lane++)
        if (!plait__hints_is_empty(&self.block->lanes[lane]))
            return true;
    return is_over();
}

/* Waits for a hint; 0: there may be other things to look at. */
static uint32_t wait_for_hint(void)
{
    uint32_t *bell = &self.block->task_bell, seen, hint = 0;

    self.clock_ns = 0;
    for (int i = 0, pauses = 1; i < SPINS; i += pauses) {
        /* each look takes the line from who writes it: they come less and less often */
        for (int k = 0; k < pauses; k++)
            plait__os_cpu_relax();
        if (is_promising())
            return find_hint();
        pauses = pauses < PAUSES_MOST ? pauses * 2 : PAUSES_MOST;
    }
    __atomic_store_n(&self.record->is_idle, 1, __ATOMIC_RELAXED);
    for (unsigned round = 0; hint == 0 && !is_over(); round++) {
        seen = plait__bell_announce(bell, 1);
        hint = find_hint();
        if (hint != 0 || is_over())
            break;
        plait__nap(bell, seen, round, PLAIT_FOREVER);
    }
    __atomic_store_n(&self.record->is_idle, 0, __ATOMIC_RELAXED);
    /* the wake may have been meant for more than one */
    if (hint != 0 && plait__bell_awaited(bell) != 0 && is_promising())
        plait__bell_ring(bell);
    return hint;
}

static void work(void)
{
    for (;;) {
        uint32_t hint;
        if (is_over())
            _exit(PLAIT__WORKER_RETIRED);
        hint = find_hint();
        if (hint == 0)
            hint = wait_for_hint();
        if (hint == 0)
            continue;
        follow(hint);
        if (is_worn())
            _exit(PLAIT__WORKER_RECYCLED);
    }
}

/* ---- the beginning ---- */

/* Our record names us, unless the keeper that forked us has been replaced already. */
static bool claim(struct plait__worker *record)
{
    uint64_t unclaimed = plait__worker_claim;

    return __atomic_compare_exchange_n(&record->claim, &unclaimed, unclaimed | self.member, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static int run_init(const struct plait__pool_block *block)
{
    uintptr_t address = (uintptr_t)block->init;

    if (block->init == NULL)
        return 0;
    if (block->init_function != NULL)
        address = plait__function_find(block->init_function);
    return address == 0 ? -1 : ((plait_pool_init_fn *)address)(block->init_arg);
}

/* The task that this process is. */
static int become_a_task(const char *pool, unsigned worker)
{
    char name[64];
    plait_task_opts opts = { .name = name };
    plait_task *task = NULL;
    int rc;

    snprintf(name, sizeof name, "%s-%u", pool, worker + 1);
    rc = plait__task_create(&task, PLAIT_PROCESS, NULL, NULL, &opts);
    if (rc == 0)
        plait__task_enter_process(task);
    return rc;
}

void plait__worker_enter(struct plait__crew *crew, unsigned worker)
{
    struct plait__pool_block *block = (struct plait__pool_block *)crew;
    pid_t keeper = getppid();

    self.block = block;
    self.worker = worker;
    self.record = &block->workers[worker];
    if (plait__member_join() < 0)
        _exit(1);
    self.member = plait__member_self();
    if (!claim(self.record))
        _exit(1);
    self.pid = getpid();
    __atomic_store_n(&self.record->pid, self.pid, __ATOMIC_RELAXED);
    if (become_a_task(block->name, worker) < 0 || block->make_handle(block, worker, &self.pool) < 0)
        _exit(1);
    if (run_init(block) < 0) {
        plait__os_flush_streams();
        _exit(PLAIT__WORKER_INIT_FAILED);
    }
    /* again: the kernel forgets it when init changes our user */
    if (plait__member_self() != self.member || plait__os_die_with_parent(keeper, SIGKILL) < 0)
        _exit(0);
    plait__os_flush_streams();
    self.ready_ns = plait__os_now_ns();
    __atomic_store_n(&self.record->state, PLAIT__WORKER_READY, __ATOMIC_SEQ_CST);
    __atomic_store_n(&block->n_early, 0, __ATOMIC_SEQ_CST); /* one is enough */
    __atomic_store_n(&block->is_broken, 0, __ATOMIC_SEQ_CST);
    work();
}
