/* The executor of pools of kind thread, and of kind coroutine: its vtable.
 * SPDX-License-Identifier: MIT
 */
#include "pool/thread.h"
#include "base/time.h"
#include "pool/bell.h"
#include "pool/pool.h"
#include "pool/thread_gang.h"
#include "task/coroutine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_PENDING = 1 << 20, /* unless the options say it */
    LEAST_STACK = 16 * 1024 /* that a job is left which is run on top of another one */
};

/* ---- create and destroy ---- */

static void destroy(plait_pool *pool)
{
    struct plait__gang *gang = pool->executor;

    if (gang == NULL)
        return;
    for (uint32_t i = 0; i < plait__gang_numbers(gang); i++) {
        struct plait__worker *worker = plait__gang_worker(gang, i);
        plait_task_destroy(worker->previous);
        plait_task_destroy(worker->task);
        plait__deque_fini(&worker->deque);
        plait__cells_fini(&worker->cells);
        free(worker);
    }
    plait__cells_fini(&gang->cells);
    if (gang->has_copied_arg)
        free(gang->init_arg);
    free(gang);
    pool->executor = NULL;
}

static int copy_init_arg(struct plait__gang *gang, const plait_pool_opts *opts)
{
    gang->init = opts->init;
    gang->init_arg = opts->init_arg;
    if (opts->init_arg == NULL || opts->init_arg_bytes == 0)
        return 0;
    gang->init_arg = malloc(opts->init_arg_bytes);
    if (gang->init_arg == NULL)
        return -ENOMEM;
    memcpy(gang->init_arg, opts->init_arg, opts->init_arg_bytes);
    gang->has_copied_arg = true;
    return 0;
}

static int fill(struct plait__gang *gang, plait_pool *pool, const plait_pool_opts *opts)
{
    memset(gang, 0, sizeof *gang);
    gang->pool = pool;
    gang->bell = plait__ends_bell();
    gang->max_tasks = opts->max_tasks;
    gang->max_age_ns = plait__ns_of_ms(opts->max_age_ms);
    gang->max_pending = opts->max_pending > 0 ? opts->max_pending : MOST_PENDING;
    gang->max_pending_bytes = opts->max_pending_bytes;
    gang->stack_bytes = opts->stack_bytes;
    gang->n_lanes = opts->lanes;
    gang->n_wanted = (uint32_t)opts->workers;
    for (unsigned i = 0; i < PLAIT__GANG_LANES; i++)
        plait__list_init(&gang->lanes[i]);
    plait__list_init(&gang->idle);
    plait__list_init(&gang->to_tell);
    return copy_init_arg(gang, opts);
}

static void close_gang(plait_pool *pool);
static int end(plait_pool *pool, bool now, plait_deadline until);

static int create(plait_pool *pool, const plait_pool_opts *opts)
{
    struct plait__gang *gang;
    int rc;

    if (opts->workers > PLAIT__GANG_MOST || opts->lanes > PLAIT__GANG_LANES)
        return -EINVAL;
    if (pool->kind == PLAIT_COROUTINE && (opts->max_tasks > 0 || opts->max_age_ms > 0))
        return -ENOTSUP; /* a coroutine does not wear out */
    gang = aligned_alloc(PLAIT__LINE, sizeof *gang);
    if (gang == NULL)
        return -ENOMEM;
    rc = fill(gang, pool, opts);
    pool->executor = gang;
    if (rc == 0 && pool->kind == PLAIT_COROUTINE)
        rc = plait__coroutine_get_loop(&gang->loop);
    if (rc == 0 && gang->loop != NULL)
        gang->loop_number = plait__loop_number(gang->loop);
    for (size_t i = 0; rc == 0 && i < opts->workers; i++)
        rc = plait__gang_start_worker(gang);
    if (rc < 0) {
        close_gang(pool);
        plait__mask_cancel(); /* those that have begun end at once: there is nothing to do */
        end(pool, false, PLAIT_FOREVER);
        plait__unmask_cancel();
        destroy(pool);
    }
    return rc;
}

/* ---- submit and pump ---- */

static bool take_room(struct plait__gang *gang, const struct plait__job *job)
{
    size_t bytes = job->n * job->in_bytes, n = __atomic_load_n(&gang->n_room, __ATOMIC_SEQ_CST);
    size_t taken;

    do {
        if (n >= gang->max_pending)
            return false;
    } while (!__atomic_compare_exchange_n(&gang->n_room, &n, n + 1, true, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    if (gang->max_pending_bytes == 0)
        return true;
    taken = __atomic_add_fetch(&gang->room_bytes, bytes, __ATOMIC_SEQ_CST);
    if (taken <= gang->max_pending_bytes || taken == bytes) /* one that is too large goes alone */
        return true;
    __atomic_fetch_sub(&gang->room_bytes, bytes, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&gang->n_room, 1, __ATOMIC_SEQ_CST);
    return false;
}

struct room {
    struct plait__gang *gang;
    const struct plait__job *job;
};

static enum plait__ends_look look_for_room(void *arg, bool will_sleep)
{
    struct room *room = arg;

    (void)will_sleep;
    return take_room(room->gang, room->job) ? PLAIT__ENDS_DONE : PLAIT__ENDS_NOTHING;
}

static int submit_afar(struct plait__gang *gang, struct plait__job *job, plait_deadline until)
{
    int rc = plait__ends_wait(look_for_room, &(struct room){ gang, job }, until);

    if (rc < 0)
        return rc;
    rc = plait__gang_put(gang, NULL, job);
    if (rc < 0)
        plait__gang_give_room(gang, job);
    return rc;
}

static int submit(plait_pool *pool, struct plait__job *job, plait_deadline until)
{
    struct plait__gang *gang = pool->executor;
    struct plait__worker *worker = plait__gang_me(gang);

    if (job->limits.lane >= gang->n_lanes)
        return -EINVAL;
    /* a job that waited for room would be in the way of those that make it */
    return worker != NULL ? plait__gang_put(gang, worker, job) : submit_afar(gang, job, until);
}

/* Ends lock: those of one worker, in their order. */
static void collect(struct plait__gang *gang, struct plait__job **from)
{
    struct plait__list *after = gang->to_tell.prev;
    struct plait__job *job;

    /* relaxed: who has to find it was told later, and takes it with acquire */
    if (__atomic_load_n(from, __ATOMIC_RELAXED) == NULL)
        return;
    job = __atomic_exchange_n(from, NULL, __ATOMIC_ACQUIRE);
    while (job != NULL) { /* newest first: each one before those that are in already */
        struct plait__job *next = (struct plait__job *)(void *)job->node.next;
        plait__list_push_front(after, &job->node);
        job = next;
    }
}

static bool is_there_to_tell(struct plait__gang *gang)
{
    /* seq_cst: who announced itself at the bell looks; partner is tell_end */
    bool is_there = __atomic_load_n(&gang->n_to_tell, __ATOMIC_SEQ_CST) > 0 ||
                    __atomic_load_n(&gang->ended, __ATOMIC_SEQ_CST) != NULL;

    for (uint32_t i = 0; !is_there && i < plait__gang_numbers(gang); i++)
        is_there = __atomic_load_n(&plait__gang_worker(gang, i)->ended, __ATOMIC_SEQ_CST) != NULL;
    return is_there;
}

/* The next one that has ended; NULL. */
static struct plait__job *take_ended(struct plait__gang *gang)
{
    struct plait__list *node;

    if (!is_there_to_tell(gang))
        return NULL;
    plait__mutex_lock(&gang->ends);
    if (plait__list_is_empty(&gang->to_tell)) {
        collect(gang, &gang->ended);
        for (uint32_t i = 0; i < plait__gang_numbers(gang); i++)
            collect(gang, &plait__gang_worker(gang, i)->ended);
    }
    node = plait__list_pop_front(&gang->to_tell);
    __atomic_store_n(&gang->n_to_tell, !plait__list_is_empty(&gang->to_tell), __ATOMIC_SEQ_CST);
    plait__mutex_unlock(&gang->ends);
    return node != NULL ? plait__list_entry(node, struct plait__job, node) : NULL;
}

/* One by one, so that nothing is held back from others that pump. */
static size_t pump(plait_pool *pool)
{
    struct plait__job *job;
    size_t n = 0;

    for (; (job = take_ended(pool->executor)) != NULL; n++)
        job->on_end(job);
    return n;
}

/* ---- help and cancel ---- */

/* Not on the stack of a coroutine of the job, nor while the job has some: they would not run. */
static bool has_stack_left(const struct plait__worker *worker)
{
    const struct plait__frame *frame = __atomic_load_n(&worker->frame, __ATOMIC_RELAXED); /* ours */
    const char *here = (const char *)__builtin_frame_address(0);
    size_t used = here < worker->stack ? (size_t)(worker->stack - here) : 0;

    return frame != NULL && plait__sleeper_current() == &frame->sleeper &&
           (worker->gang->loop != NULL ? plait__group_count(plait__group_here()) == 0
                                       : frame->sleeper.ops == NULL) &&
           used + LEAST_STACK < worker->stack_bytes;
}

/* Workers of this pool only: others lack what the init function makes, and may have a deadline. */
static bool help(plait_pool *pool, struct plait__job *job)
{
    struct plait__gang *gang = pool->executor;
    struct plait__worker *worker = plait__gang_me(gang);

    return worker != NULL && has_stack_left(worker) && plait__job_help(worker, job);
}

static int cancel(plait_pool *pool, struct plait__job *job, bool kill)
{
    struct plait__gang *gang = pool->executor;

    (void)kill; /* a thread cannot be killed: it is asked */
    if (!plait__gang_claim(gang, plait__gang_me(gang), job))
        return plait__job_ask(gang, job);
    plait__job_drop(gang, job, PLAIT_JOB_CANCELLED, PLAIT_CAUSE_NONE);
    return 0;
}

/* ---- size and end ---- */

static int start_missing(struct plait__gang *gang, size_t workers)
{
    int rc = 0;

    while (rc == 0 && __atomic_load_n(&gang->n_there, __ATOMIC_SEQ_CST) < workers)
        rc = plait__gang_start_worker(gang);
    if (rc == -EAGAIN && __atomic_load_n(&gang->n_there, __ATOMIC_SEQ_CST) >= workers)
        rc = 0; /* others have started some */
    return rc;
}

/* In the loop of the pool's coroutines. The pool may have ended meanwhile; its memory is there. */
static int start_missing_here(void *arg)
{
    plait_pool *pool = arg;
    struct plait__share *visit = plait__pool_enter(pool);

    if (visit != NULL) {
        struct plait__gang *gang = pool->executor;
        /* without memory they begin as jobs come in */
        start_missing(gang, __atomic_load_n(&gang->n_wanted, __ATOMIC_SEQ_CST));
        plait__pool_leave(pool, visit);
    }
    plait__pool_unref(pool);
    return 0;
}

/* Coroutines begin on their own loop only. */
static int start_missing_there(plait_pool *pool)
{
    struct plait__gang *gang = pool->executor;
    int rc;

    plait__mutex_lock(&pool->lock);
    pool->n_holders++;
    plait__mutex_unlock(&pool->lock);
    rc = plait__coroutine_call(gang->loop, gang->loop_number, start_missing_here, pool);
    if (rc < 0)
        plait__pool_unref(pool);
    return rc == -ESRCH ? 0 : rc; /* that loop has ended, and runs nothing any more */
}

static int resize(plait_pool *pool, size_t workers)
{
    struct plait__gang *gang = pool->executor;
    uint32_t wanted = (uint32_t)workers, before;
    int rc;

    if (workers == 0 || workers > PLAIT__GANG_MOST)
        return -EINVAL;
    before = __atomic_exchange_n(&gang->n_wanted, wanted, __ATOMIC_SEQ_CST);
    if (gang->loop == NULL || gang->loop == plait__loop_here())
        rc = start_missing(gang, workers);
    else
        rc = start_missing_there(pool);
    if (rc < 0) /* as it was, unless somebody else wants something else by now */
        __atomic_compare_exchange_n(&gang->n_wanted, &wanted, before, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
    plait__gang_wake_all(gang); /* those that are too many end */
    return rc;
}

static void stats(plait_pool *pool, plait_pool_usage *ret)
{
    struct plait__gang *gang = pool->executor;
    uint64_t ended = 0, begun = 0, submitted = 0;
    uint32_t n = plait__gang_numbers(gang);

    for (uint32_t i = 0; i <= n; i++) {
        const struct plait__worker *worker = NULL;
        const struct plait__gang_counts *counts = &gang->counts;
        if (i < n)
            worker = plait__gang_worker(gang, i);
        if (worker != NULL)
            counts = &worker->counts;
        ended += __atomic_load_n(&counts->ended, __ATOMIC_ACQUIRE);
        begun += __atomic_load_n(&counts->begun, __ATOMIC_ACQUIRE);
        submitted += __atomic_load_n(&counts->submitted, __ATOMIC_ACQUIRE);
        if (worker != NULL) {
            ret->progress_done += __atomic_load_n(&worker->progress_done, __ATOMIC_RELAXED);
            ret->progress_total += __atomic_load_n(&worker->progress_total, __ATOMIC_RELAXED);
        }
    }
    /* not of one moment: what would be less than nothing is nothing */
    ret->pending += submitted > begun ? submitted - begun : 0;
    ret->running += begun > ended ? begun - ended : 0;
    ret->workers += __atomic_load_n(&gang->n_there, __ATOMIC_RELAXED);
    ret->idle += __atomic_load_n(&gang->n_idle, __ATOMIC_RELAXED);
    ret->started += __atomic_load_n(&gang->n_started, __ATOMIC_RELAXED);
    ret->recycled += __atomic_load_n(&gang->n_recycled, __ATOMIC_RELAXED);
    ret->is_broken = __atomic_load_n(&gang->is_broken, __ATOMIC_RELAXED);
}

static void close_gang(plait_pool *pool)
{
    struct plait__gang *gang = pool->executor;

    __atomic_store_n(&gang->is_closed, 1, __ATOMIC_SEQ_CST); /* partner: count_end, go_idle */
    if (plait__gang_is_quiet(gang))
        plait__gang_wake_all(gang);
}

static enum plait__ends_look look_for_end(void *arg, bool will_sleep)
{
    plait_pool *pool = arg;
    struct plait__gang *gang = pool->executor;

    (void)will_sleep;
    if (pump(pool) > 0)
        return PLAIT__ENDS_AGAIN;
    if (!plait__gang_is_quiet(gang)) {
        if (plait__gang_has_work(gang)) /* there may be no worker, for want of memory */
            plait__gang_wake_one(gang);
        return PLAIT__ENDS_NOTHING;
    }
    plait__gang_wake_all(gang);
    if (!plait__gang_finish(gang))
        return PLAIT__ENDS_NOTHING;
    pump(pool);
    return PLAIT__ENDS_DONE;
}

void plait__gang_call_off(struct plait__gang *gang)
{
    struct plait__job *job;

    plait__gang_ask_all(gang);
    while ((job = plait__gang_clear(gang)) != NULL)
        plait__job_drop(gang, job, PLAIT_JOB_CANCELLED, PLAIT_CAUSE_SHUTDOWN);
}

static int end(plait_pool *pool, bool now, plait_deadline until)
{
    struct plait__gang *gang = pool->executor;
    struct plait__worker *worker;
    int rc;

    if (plait__gang_me(gang) != NULL)
        return -EDEADLK;
    if (now)
        plait__gang_call_off(gang);
    rc = plait__ends_wait(look_for_end, pool, until);
    for (uint32_t i = 0; rc == 0 && i < plait__gang_numbers(gang); i++) {
        worker = plait__gang_worker(gang, i);
        if (worker->previous != NULL)
            rc = plait_task_join(worker->previous, until);
        if (rc == 0 && worker->task != NULL)
            rc = plait_task_join(worker->task, until);
    }
    return rc;
}

const struct plait__executor_ops plait__thread_executor = {
    .create = create,
    .submit = submit,
    .pump = pump,
    .help = help,
    .cancel = cancel,
    .resize = resize,
    .stats = stats,
    .close = close_gang,
    .end = end,
    .destroy = destroy,
    .copies_in = false,
    .fills_results = true,
    .refills = true,
};
