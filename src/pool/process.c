/* The executor of pools of kind process: the owner's side.
 * SPDX-License-Identifier: MIT
 *
 * Jobs go through the shared block (process_block.h); the owner talks to the keeper only to hand the
 * crew over and to wake it. It looks now and then, at a submit or when it has nothing to bring in,
 * whether the keeper has died; then the next one gets the crew, and finds in the block what is to be done. Where no
 * keeper can be made any more (the program has threads by now) what runs is LOST and so is what is
 * queued, and the pool takes nothing more. Where none lives for a while (no memory), so too, until
 * one does.
 */
#include "pool/process.h"
#include "base/time.h"
#include "chan/bell.h"
#include "family/heap.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/thread.h"
#include "pool/bell.h"
#include "pool/pool.h"
#include "pool/process_keep.h"
#include "pool/process_side.h"
#include "task/crew.h"
#include "task/function.h"
#include "task/keeper.h"

#include <plait/error.h>
#include <plait/shared.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PENDING = 4096,    /* jobs, by default */
    MORE_RECORDS = 32, /* workers that there is room for at least */
};

#define LOOK_NS     (PLAIT__SECOND_NS / 20) /* between two looks at the keeper */
#define PATIENCE_NS (10 * PLAIT__SECOND_NS) /* with keepers that get nowhere */

/* Between those who look whether the keeper has died, and hand over. */
static struct plait__mutex keeper_lock;

static struct plait__side *side_of(const plait_pool *pool)
{
    return pool->executor;
}

static bool is_owner(const struct plait__side *side)
{
    return side->submitter == 0;
}

/* ---- the keeper ---- */

/* A descriptor of ours, or one of /dev/null, which is to be closed. */
static int lend(int fd, int *ret_null)
{
    *ret_null = -1;
    if (fcntl(fd, F_GETFD) >= 0)
        return fd;
    *ret_null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return *ret_null;
}

static void give_back(int null)
{
    if (null >= 0)
        close(null);
}

/* pre: keeper_lock */
static int hand_over(struct plait__side *side)
{
    int null_out, null_err, out = lend(STDOUT_FILENO, &null_out),
                            err = lend(STDERR_FILENO, &null_err);
    int rc = out < 0 || err < 0 ? -EMFILE : plait__keeper_take_crew(&side->block->crew, out, err);

    give_back(null_out);
    give_back(null_err);
    if (rc == 0)
        side->keeper = plait__keeper_generation();
    return rc;
}

/* There is no keeper: we do what it would. How many workers are left? pre: keeper_lock */
static unsigned bury(struct plait__side *side)
{
    unsigned left = plait__keep_bury(side->block);

    /* each time: a worker that got ready as it was killed may have said that it is not */
    __atomic_store_n(&side->block->is_broken, 1, __ATOMIC_SEQ_CST);
    plait__side_give_up(side, PLAIT_JOB_LOST, PLAIT_CAUSE_KEEPER);
    return left;
}

/* And there will be none. pre: keeper_lock */
static void bury_it_ourselves(struct plait__side *side)
{
    if (!side->is_abandoned) {
        side->is_abandoned = true;
        plait__keep_take(side->block);
    }
    if (bury(side) == 0)
        __atomic_store_n(&side->block->is_gone, 1, __ATOMIC_SEQ_CST);
}

/* There is none, again: has none had the crew for long? pre: keeper_lock */
static bool fails_for_long(struct plait__side *side)
{
    uint32_t epoch = __atomic_load_n(&side->block->epoch, __ATOMIC_SEQ_CST);
    int64_t now = plait__os_now_ns();

    if (side->failing_since_ns == 0 || epoch != side->failing_epoch) { /* one had it in between */
        side->failing_epoch = epoch;
        side->failing_since_ns = now;
    }
    return now - side->failing_since_ns > PATIENCE_NS;
}

/* Sees to it that a living keeper has the crew. */
static void tend(struct plait__side *side)
{
    plait__mutex_lock(&keeper_lock);
    if (__atomic_load_n(&side->block->is_gone, __ATOMIC_SEQ_CST) == 0) {
        bool is_kept = !side->is_abandoned && !plait__keeper_has_died() &&
                       side->keeper == plait__keeper_generation();
        /* where nobody is to be started any more, a keeper that is dead needs no other one */
        bool stops = __atomic_load_n(&side->block->stops, __ATOMIC_SEQ_CST) != 0;
        bool needs_keeper = !is_kept && !side->is_abandoned && !stops;
        int rc = 0;
        if (needs_keeper && fails_for_long(side)) {
            plait__keep_take(side->block);
            bury(side);
        }
        if (needs_keeper)
            rc = hand_over(side);
        if (side->is_abandoned || rc == PLAIT_ETHREADS || (stops && !is_kept))
            bury_it_ourselves(side);
        /* what else may fail is tried again at the next look */
    }
    plait__mutex_unlock(&keeper_lock);
}

/* The same, not too often; and whether a worker keeps a job back. */
static void tend_now_and_then(struct plait__side *side)
{
    int64_t now = plait__os_tick_ns();
    int64_t looked_ns = __atomic_load_n(&side->looked_ns, __ATOMIC_RELAXED);

    if (now - looked_ns < LOOK_NS ||
        !__atomic_compare_exchange_n(&side->looked_ns, &looked_ns, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return;
    plait__block_hint_again(side->block);
    tend(side);
}

/* ---- create ---- */

static int set_init(struct plait__pool_block *block, const plait_pool_opts *opts)
{
    if (opts->init == NULL)
        return 0;
    block->init = opts->init;
    block->init_arg = opts->init_arg;
    if (opts->init_arg_bytes > 0) {
        block->init_memory = plait__heap_alloc(opts->init_arg_bytes);
        if (block->init_memory == NULL)
            return -ENOMEM;
        memcpy(block->init_memory, opts->init_arg, opts->init_arg_bytes);
        block->init_arg = block->init_memory;
    }
    return plait__function_name((uintptr_t)opts->init, &block->init_function);
}

static int make_block(struct plait__pool_block **ret, const plait_pool *pool,
                      const plait_pool_opts *opts)
{
    size_t own = opts->max_pending == 0 ? PENDING : opts->max_pending;
    size_t records = opts->workers * 2 > MORE_RECORDS ? opts->workers * 2 : MORE_RECORDS;
    struct plait__block_shape shape = { .n_lanes = opts->lanes };
    struct plait__pool_block *block;
    int rc;

    if (opts->workers > PLAIT__POOL_RECORDS || opts->lanes > PLAIT__POOL_LANES)
        return -EINVAL;
    shape.n_records = (uint32_t)(records < PLAIT__POOL_RECORDS ? records : PLAIT__POOL_RECORDS);
    if (own > PLAIT__POOL_SLOTS - shape.n_records * PLAIT__POOL_NESTED)
        own = PLAIT__POOL_SLOTS - shape.n_records * PLAIT__POOL_NESTED;
    shape.n_own = (uint32_t)own;
    rc = plait__block_create(&block, &shape);
    if (rc < 0)
        return rc;
    block->crew.ops = &plait__process_crew_ops;
    block->handle_ops = &plait__process_executor;
    block->make_handle = plait__side_begin;
    block->owner_bell = plait__ends_bell();
    block->max_tasks = opts->max_tasks;
    block->max_rss_kib = opts->max_rss_kib;
    block->max_age_ns = plait__ns_of_ms(opts->max_age_ms);
    block->is_wearing = opts->max_tasks != 0 || opts->max_rss_kib != 0 || opts->max_age_ms != 0;
    block->poison_limit = opts->poison_limit;
    block->wanted = (uint32_t)opts->workers;
    snprintf(block->name, sizeof block->name, "%s", pool->name);
    rc = set_init(block, opts);
    if (rc < 0) {
        plait__block_destroy(block);
        return rc;
    }
    *ret = block;
    return 0;
}

/* In a forked child: who held these locks may not be there. */
static void reset_locks(void)
{
    plait__mutex_reset(&keeper_lock);
    plait__functions_at_fork();
    plait__keeper_at_fork();
}

static int set_fork_handler(void)
{
    static uint32_t is_set; /* atomic */

    if (__atomic_exchange_n(&is_set, 1, __ATOMIC_SEQ_CST) != 0)
        return 0;
    if (plait__os_at_fork_child(reset_locks) == 0)
        return 0;
    __atomic_store_n(&is_set, 0, __ATOMIC_SEQ_CST);
    return -ENOMEM;
}

static int create(plait_pool *pool, const plait_pool_opts *opts)
{
    struct plait__pool_block *block = NULL;
    struct plait__side *side;
    int rc = plait__member_join();

    if (rc == 0)
        rc = set_fork_handler();
    if (rc == 0 && !plait__family_has(plait__ends_bell()))
        rc = -ENOMEM; /* there is no family that workers could ring in */
    if (rc == 0)
        rc = make_block(&block, pool, opts);
    if (rc < 0)
        return rc;
    rc = plait__side_create(&side, pool, block);
    if (rc == 0) {
        side->max_bytes = opts->max_pending_bytes;
        plait__mutex_lock(&keeper_lock);
        rc = hand_over(side);
        plait__mutex_unlock(&keeper_lock);
        if (rc < 0)
            plait__side_free(side);
    }
    if (rc < 0) {
        plait__block_destroy(block);
        return rc;
    }
    pool->executor = side;
    return 0;
}

/* ---- jobs ---- */

static int submit(plait_pool *pool, struct plait__job *job, plait_deadline until)
{
    struct plait__side *side = side_of(pool);
    int rc = plait__side_submit(side, job);

    (void)until; /* who waits pumps, which we must not do for him */
    /* he may never wait; and who is refused may ask for a keeper that helps */
    if ((rc == 0 || rc == PLAIT_EPOOL) && is_owner(side))
        tend_now_and_then(side);
    return rc;
}

static size_t pump(plait_pool *pool)
{
    struct plait__side *side = side_of(pool);
    size_t n = plait__side_pump(side);

    if (n == 0 && is_owner(side))
        tend_now_and_then(side);
    return n;
}

static bool help(plait_pool *pool, struct plait__job *job)
{
    struct plait__side *side = side_of(pool);

    return !is_owner(side) && plait__may_spin() && plait__side_help(side, job);
}

static int cancel(plait_pool *pool, struct plait__job *job, bool kill)
{
    struct plait__side *side = side_of(pool);
    int64_t kill_at_ns = 0;

    if (kill)
        kill_at_ns = plait__deadline_after(plait__os_now_ns(), plait__ns_of_ms(pool->grace_ms)).ns;
    return plait__side_cancel(side, job, kill_at_ns);
}

static int resize(plait_pool *pool, size_t workers)
{
    struct plait__side *side = side_of(pool);

    if (!is_owner(side))
        return -ENOTSUP;
    if (workers == 0 || workers > side->block->n_records)
        return -EINVAL;
    __atomic_store_n(&side->block->wanted, (uint32_t)workers, __ATOMIC_SEQ_CST);
    plait__keeper_kick();
    return 0;
}

/* ---- stats ---- */

static void add_workers(const struct plait__pool_block *block, plait_pool_usage *ret)
{
    for (uint32_t i = 0; i < block->n_records; i++) {
        const struct plait__worker *record = &block->workers[i];
        if (__atomic_load_n(&record->state, __ATOMIC_RELAXED) != PLAIT__WORKER_READY)
            continue;
        ret->workers++;
        ret->idle += __atomic_load_n(&record->is_idle, __ATOMIC_RELAXED);
    }
}

static void add_slots(const struct plait__pool_block *block, plait_pool_usage *ret)
{
    for (uint32_t i = 0; i < block->n_slots; i++) {
        const struct plait__slot *slot = &block->slots[i];
        enum plait__slot_state state = plait__slot_cut(plait__slot_load(slot)).state;
        if (state == PLAIT__SLOT_FREE || state == PLAIT__SLOT_OVER)
            continue;
        ret->pending += state == PLAIT__SLOT_QUEUED;
        ret->running += state != PLAIT__SLOT_QUEUED;
        ret->progress_done += __atomic_load_n(&slot->progress_done, __ATOMIC_RELAXED);
        ret->progress_total += __atomic_load_n(&slot->progress_total, __ATOMIC_RELAXED);
    }
}

/* Jobs within jobs; the others are counted by who submits them. */
static void add_nested(const struct plait__pool_block *block, plait_pool_usage *ret)
{
    uint64_t n[PLAIT_JOB_EXPIRED + 1];

    for (int i = 0; i <= PLAIT_JOB_EXPIRED; i++) {
        n[i] = __atomic_load_n(&block->n_nested[i], __ATOMIC_RELAXED);
        ret->submitted += n[i];
    }
    ret->values += n[PLAIT_JOB_VALUE];
    ret->errors += n[PLAIT_JOB_ERROR];
    ret->lost += n[PLAIT_JOB_LOST];
    ret->cancelled += n[PLAIT_JOB_CANCELLED];
    ret->expired += n[PLAIT_JOB_EXPIRED];
}

static void stats(plait_pool *pool, plait_pool_usage *ret)
{
    struct plait__side *side = side_of(pool);
    const struct plait__pool_block *block = side->block;

    add_workers(block, ret);
    add_slots(block, ret);
    add_nested(block, ret);
    ret->started += __atomic_load_n(&block->n_started, __ATOMIC_RELAXED);
    ret->deaths += __atomic_load_n(&block->n_deaths, __ATOMIC_RELAXED);
    ret->recycled += __atomic_load_n(&block->n_recycled, __ATOMIC_RELAXED);
    ret->is_broken = __atomic_load_n(&block->is_broken, __ATOMIC_RELAXED) != 0;
}

/* ---- the end ---- */

static void close_side(plait_pool *pool)
{
    struct plait__side *side = side_of(pool);

    plait__mutex_lock(&side->lock);
    side->is_closed = true;
    plait__mutex_unlock(&side->lock);
}

static void stop(struct plait__side *side)
{
    if (__atomic_exchange_n(&side->block->stops, 1, __ATOMIC_SEQ_CST) != 0)
        return;
    plait__bell_ring_all(&side->block->task_bell);
    plait__keeper_kick();
}

static enum plait__ends_look look_for_end(void *arg, bool will_sleep)
{
    struct plait__side *side = arg;
    bool kills = __atomic_load_n(&side->block->kills, __ATOMIC_SEQ_CST) != 0, is_gone;
    size_t n;

    if (kills && plait__side_n_jobs(side) > 0)
        plait__side_give_up(side, PLAIT_JOB_CANCELLED, PLAIT_CAUSE_SHUTDOWN);
    is_gone = __atomic_load_n(&side->block->is_gone, __ATOMIC_SEQ_CST) != 0;
    n = plait__side_pump(side);
    if (plait__side_n_jobs(side) == 0) {
        if (is_gone)
            return PLAIT__ENDS_DONE;
        stop(side);
    }
    if (n > 0)
        return PLAIT__ENDS_AGAIN;
    if (will_sleep)
        tend(side);
    return PLAIT__ENDS_NOTHING;
}

static int end(plait_pool *pool, bool now, plait_deadline until)
{
    struct plait__side *side = side_of(pool);

    if (!is_owner(side))
        return 0;
    if (now) {
        __atomic_store_n(&side->block->kills, 1, __ATOMIC_SEQ_CST);
        stop(side);
        plait__keeper_kick();
    }
    return plait__ends_wait(look_for_end, side, until);
}

static void destroy(plait_pool *pool)
{
    struct plait__side *side = side_of(pool);

    /* another process than the owner leaves the block alone; a worker's handle has none */
    if (is_owner(side) && plait__pool_check(pool) == 0) {
        plait_shared_free(side->spare.memory);
        plait_shared_free(side->block->init_memory);
        plait__block_destroy(side->block);
    }
    plait__side_free(side);
    pool->executor = NULL;
}

const struct plait__executor_ops plait__process_executor = {
    .create = create,
    .submit = submit,
    .pump = pump,
    .help = help,
    .cancel = cancel,
    .resize = resize,
    .stats = stats,
    .close = close_side,
    .end = end,
    .destroy = destroy,
    .copies_in = true,
    .fills_results = true,
};
