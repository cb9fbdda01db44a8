/* The life of a worker of a process pool.
 * SPDX-License-Identifier: MIT
 *
 * It looks for a hint, enters the slot that the hint names, and commits each item by itself. It can
 * be killed at any instruction; what is seen of it then is the slot's word and the record's
 * `current`, which names a slot before the slot can name us. It ends itself only between jobs.
 */
#include "pool/process_worker.h"
#include "chan/bell.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/process.h"
#include "os/thread.h"
#include "pool/bell.h"
#include "pool/process_run.h"
#include "sync/nap.h"
#include "task/function.h"
#include "task/task.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    SPINS = 400,      /* pauses before the first sleep */
    PAUSES_MOST = 32, /* between two looks */
    LOW_FIRST = 16    /* each so many jobs, one of the lowest lane comes first */
};

#define BIND_NS \
    INT64_C(10000000) /* between two looks whether we die with our keeper, without a sleep */

uint64_t plait__worker_claim;

static struct plait__process_worker *const self = &plait__worker_self;

/* ---- looking for work ---- */

static uint32_t take_from(unsigned lane)
{
    return plait__hints_take(&self->block->lanes[lane], &self->record->current[0]);
}

/* Hints may be missing: looks at all slots. */
static uint32_t look_at_all(void)
{
    struct plait__pool_block *block = self->block;

    if (__atomic_load_n(&block->is_incomplete, __ATOMIC_SEQ_CST) == 0)
        return 0;
    __atomic_store_n(&block->is_incomplete, 0, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < block->n_slots; i++) {
        struct plait__slot_word word = plait__slot_cut(plait__slot_load(&block->slots[i]));
        if (word.state != PLAIT__SLOT_QUEUED)
            continue;
        uint32_t hint = plait__slot_hint(block, &block->slots[i], word.generation);
        __atomic_store_n(&block->is_incomplete, 1, __ATOMIC_SEQ_CST); /* there may be more */
        __atomic_store_n(&self->record->current[0], hint, __ATOMIC_RELEASE);
        return hint;
    }
    return 0;
}

static uint32_t find_hint(void)
{
    unsigned n = self->block->n_lanes;
    uint32_t hint = 0;

    if (n > 1 && ++self->turn % LOW_FIRST == 0) {
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
    return __atomic_load_n(&self->block->stops, __ATOMIC_SEQ_CST) != 0 ||
           plait__worker_must_retire();
}

/* What is still queued when nothing more comes was handed over by jobs. */
static bool may_begin(void)
{
    return !plait__worker_must_retire() &&
           __atomic_load_n(&self->block->kills, __ATOMIC_SEQ_CST) == 0;
}

/* Something may be there. */
static bool is_promising(void)
{
    for (unsigned lane = 0; lane < self->block->n_lanes; lane++)
        if (!plait__hints_is_empty(&self->block->lanes[lane]))
            return true;
    return is_over();
}

/* We die with our keeper: again, as the kernel forgets it when a job changes our user. */
static void bind_to_keeper(void)
{
    if (plait__os_die_with_parent(self->keeper, SIGKILL) < 0)
        _exit(0);
    self->bound_ns = 0;
}

/* The same between jobs that come one after the other. */
static void bind_now_and_then(void)
{
    if (self->bound_ns == 0)
        self->bound_ns = self->clock_ns;
    if (self->clock_ns - self->bound_ns > BIND_NS)
        bind_to_keeper();
}

/* Waits for a hint; 0: there may be other things to look at. */
static uint32_t wait_for_hint(void)
{
    uint32_t *bell = &self->block->task_bell, seen, hint = 0;

    self->clock_ns = 0;
    for (int i = 0, pauses = 1; i < SPINS; i += pauses) {
        /* each look takes the line from who writes it: they come less and less often */
        for (int k = 0; k < pauses; k++)
            plait__os_cpu_relax();
        if (is_promising())
            return find_hint();
        pauses = pauses < PAUSES_MOST ? pauses * 2 : PAUSES_MOST;
    }
    bind_to_keeper();
    __atomic_store_n(&self->record->is_idle, 1, __ATOMIC_RELAXED);
    for (unsigned round = 0; hint == 0 && !is_over(); round++) {
        seen = plait__bell_announce(bell, 1);
        hint = find_hint();
        if (hint != 0 || is_over())
            break;
        plait__nap(bell, seen, round, PLAIT_FOREVER);
    }
    __atomic_store_n(&self->record->is_idle, 0, __ATOMIC_RELAXED);
    /* the wake may have been meant for more than one */
    if (hint != 0 && plait__bell_awaited(bell) != 0 && is_promising())
        plait__bell_ring(bell);
    return hint;
}

static void work(void)
{
    for (;;) {
        uint32_t hint = may_begin() ? find_hint() : 0;
        if (hint == 0 && is_over())
            plait__worker_leave(self->pool, PLAIT__WORKER_RETIRED);
        if (hint == 0)
            hint = wait_for_hint();
        if (hint == 0)
            continue;
        plait__worker_follow(hint);
        bind_now_and_then();
        if (plait__worker_is_worn())
            plait__worker_leave(self->pool, PLAIT__WORKER_RECYCLED);
    }
}

/* ---- the beginning ---- */

/* Our record names us, unless the keeper that forked us has been replaced already. */
static bool claim(struct plait__worker *record)
{
    uint64_t unclaimed = plait__worker_claim;

    return __atomic_compare_exchange_n(&record->claim, &unclaimed, unclaimed | self->member, false,
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

    self->keeper = getppid();
    self->block = block;
    self->worker = worker;
    self->record = &block->workers[worker];
    if (plait__member_join() < 0)
        _exit(1);
    self->member = plait__member_self();
    if (!claim(self->record))
        _exit(1);
    self->pid = getpid();
    __atomic_store_n(&self->record->pid, self->pid, __ATOMIC_RELAXED);
    if (become_a_task(block->name, worker) < 0 ||
        block->make_handle(block, worker, &self->pool) < 0)
        _exit(1);
    if (run_init(block) < 0) {
        plait__os_flush_streams();
        _exit(PLAIT__WORKER_INIT_FAILED);
    }
    if (plait__member_self() != self->member)
        _exit(0);
    bind_to_keeper();
    plait__os_flush_streams();
    self->ready_ns = plait__os_now_ns();
    __atomic_store_n(&self->record->state, PLAIT__WORKER_READY, __ATOMIC_SEQ_CST);
    __atomic_store_n(&block->n_early, 0, __ATOMIC_SEQ_CST); /* one is enough */
    __atomic_store_n(&block->is_broken, 0, __ATOMIC_SEQ_CST);
    work();
}
