/* The workers of a thread pool: begin, look for jobs, sleep, end.
 * SPDX-License-Identifier: MIT
 *
 * `n_awake` counts the workers that run a job or look for one; who wakes an idle one counts it before
 * it runs. Nobody is woken while as many as are wanted are awake, or one of them searches: who stops
 * searching because it has a job wakes the next one, if there is more.
 */
#include "base/time.h"
#include "os/clock.h"
#include "os/cpu.h"
#include "os/thread.h"
#include "pool/bell.h"
#include "pool/pool.h"
#include "pool/thread_gang.h"
#include "task/coroutine.h"
#include "task/local.h"
#include "task/task.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SPINS = 20,     /* looks before it sleeps */
    RELAXES = 30,   /* between two looks */
    INIT_TRIES = 5, /* of one worker, before it is given up */
    NAME_BYTES = 64,
    STACK_UNKNOWN = 64 * 1024 /* for jobs that wait for jobs, where nobody says how much there is */
};

/* A worker that is one too many, with nothing to do. */
#define LINGER_NS PLAIT__SECOND_NS
/* Nothing has begun for so long: a job that sleeps is in the way. */
#define PATIENT_NS PLAIT__SECOND_NS
/* Until a worker is started again after a failure. */
#define RETRY_NS PLAIT__SECOND_NS

_Thread_local void *plait__worker_of_thread __attribute__((tls_model("initial-exec")));

/* ---- waking ---- */

/* Idle lock: the worker is awake, and searches. */
static void unlist(struct plait__worker *worker)
{
    struct plait__gang *gang = worker->gang;

    plait__list_remove(&worker->idle);
    __atomic_store_n(&gang->n_idle, gang->n_idle - 1, __ATOMIC_SEQ_CST);
    worker->is_searching = true;
    __atomic_fetch_add(&gang->n_awake, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&gang->n_searching, 1, __ATOMIC_SEQ_CST);
}

/* Was there an idle one? */
static bool wake_idle(struct plait__gang *gang)
{
    struct plait__worker *worker = NULL;

    plait__mutex_lock(&gang->idle_lock);
    if (!plait__list_is_empty(&gang->idle)) {
        worker = plait__list_entry(gang->idle.next, struct plait__worker, idle);
        unlist(worker);
        /* seq_cst: partner is the load in go_idle */
        __atomic_store_n(&worker->woken, 1, __ATOMIC_SEQ_CST);
    }
    plait__mutex_unlock(&gang->idle_lock);
    if (worker != NULL) /* it may have ended meanwhile: a wake for nothing is harmless */
        plait__wake_word(&worker->woken, 1);
    return worker != NULL;
}

static bool has_failed_lately(const struct plait__gang *gang)
{
    int64_t failed_ns = __atomic_load_n(&gang->failed_ns, __ATOMIC_RELAXED);

    return failed_ns != 0 && plait__os_now_ns() - failed_ns < RETRY_NS;
}

void plait__gang_wake_one(struct plait__gang *gang)
{
    uint32_t there, wanted = __atomic_load_n(&gang->n_wanted, __ATOMIC_RELAXED);

    /* seq_cst: something was queued before; partner is go_idle */
    if (__atomic_load_n(&gang->n_searching, __ATOMIC_SEQ_CST) > 0 ||
        __atomic_load_n(&gang->n_awake, __ATOMIC_SEQ_CST) >= wanted)
        return;
    if (__atomic_load_n(&gang->n_idle, __ATOMIC_SEQ_CST) > 0 && wake_idle(gang))
        return;
    there = __atomic_load_n(&gang->n_there, __ATOMIC_SEQ_CST);
    if (gang->loop != plait__loop_here() &&
        gang->loop != NULL) /* they begin on their own loop only */
        return;
    if (there < wanted + __atomic_load_n(&gang->pool->n_asleep, __ATOMIC_SEQ_CST) &&
        !has_failed_lately(gang))
        plait__gang_start_worker(gang); /* else it is begun later: whoever is awake finds it */
}

void plait__gang_wake_all(struct plait__gang *gang)
{
    while (__atomic_load_n(&gang->n_idle, __ATOMIC_SEQ_CST) > 0 && wake_idle(gang))
        continue;
}

/* ---- a job that sleeps ---- */

/* Nothing was begun for a while. */
static bool is_stuck(struct plait__gang *gang)
{
    uint64_t begun = 0;
    int64_t now = plait__os_now_ns();

    for (uint32_t i = 0; i < plait__gang_numbers(gang); i++)
        begun += __atomic_load_n(&plait__gang_worker(gang, i)->counts.begun, __ATOMIC_RELAXED);
    /* acquire and release: the time is not older than the count that is found with it */
    if (__atomic_load_n(&gang->seen_begun, __ATOMIC_ACQUIRE) == begun)
        return now - __atomic_load_n(&gang->seen_ns, __ATOMIC_RELAXED) > PATIENT_NS;
    __atomic_store_n(&gang->seen_ns, now, __ATOMIC_RELAXED);
    __atomic_store_n(&gang->seen_begun, begun, __ATOMIC_RELEASE);
    return false;
}

int64_t plait__frame_on_sleep(struct plait__sleeper *sleeper, const uint32_t *word, bool begins)
{
    struct plait__frame *frame = plait__list_entry(sleeper, struct plait__frame, sleeper);
    struct plait__gang *gang = frame->worker->gang;

    if (!begins) {
        if (frame->counts_as_asleep) {
            __atomic_fetch_add(&gang->n_awake, 1, __ATOMIC_SEQ_CST);
            __atomic_fetch_sub(&gang->pool->n_asleep, 1, __ATOMIC_SEQ_CST);
        }
        frame->counts_as_asleep = false;
        return INT64_MAX;
    }
    if (getpid() != gang->pool->owner) /* a child forked in a job: it begins none of its parent's */
        return INT64_MAX;
    if (word != gang->bell && !is_stuck(gang))
        return PATIENT_NS;
    frame->counts_as_asleep = true;
    __atomic_fetch_add(&gang->pool->n_asleep, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&gang->n_awake, 1, __ATOMIC_SEQ_CST);
    if (plait__gang_has_work(gang))
        plait__gang_wake_one(gang);
    return INT64_MAX;
}

int64_t plait__frame_on_park(struct plait__sleeper *sleeper, const uint32_t *word, bool begins)
{
    (void)word;
    (void)begins;
    if (plait__coroutines_are_ending())
        __atomic_store_n(&sleeper->cancel, 1, __ATOMIC_SEQ_CST);
    return INT64_MAX;
}

/* ---- looking for a job ---- */

static void stop_searching(struct plait__worker *worker)
{
    if (!worker->is_searching)
        return;
    worker->is_searching = false;
    __atomic_fetch_sub(&worker->gang->n_searching, 1, __ATOMIC_SEQ_CST);
}

bool plait__gang_is_crowded(const struct plait__gang *gang)
{
    return __atomic_load_n(&gang->n_awake, __ATOMIC_SEQ_CST) >
           __atomic_load_n(&gang->n_wanted, __ATOMIC_SEQ_CST);
}

static struct plait__job *search(struct plait__worker *worker)
{
    struct plait__gang *gang = worker->gang;
    struct plait__job *job = plait__gang_get(worker);

    if (job == NULL) {
        worker->ended_ns = 0;
        if (!worker->is_searching)
            __atomic_fetch_add(&gang->n_searching, 1, __ATOMIC_SEQ_CST);
        worker->is_searching = true;
    }
    for (int i = 0; job == NULL && i < SPINS && plait__may_spin(); i++) {
        for (int j = 0; j < RELAXES; j++)
            plait__os_cpu_relax();
        job = plait__gang_get(worker);
    }
    return job;
}

/* A thread waits for its coroutines at its end, and nobody has destroyed this pool. */
static bool is_left_over(const struct plait__gang *gang)
{
    return gang->loop != NULL && plait__coroutines_are_ending() &&
           !__atomic_load_n(&gang->is_over, __ATOMIC_SEQ_CST);
}

/* As a terminate, which no worker may call. */
static void call_off(struct plait__gang *gang)
{
    plait_pool_close(gang->pool);
    plait__maps_stop(gang->pool);
    gang->pool->ops->close(gang->pool);
    plait__gang_call_off(gang);
}

static bool is_over_for(struct plait__gang *gang)
{
    return __atomic_load_n(&gang->is_closed, __ATOMIC_SEQ_CST) && plait__gang_is_quiet(gang);
}

/* Back from the idle ones, whether or not somebody was faster and has woken us. */
static void get_up(struct plait__worker *worker)
{
    plait__mutex_lock(&worker->gang->idle_lock);
    if (!plait__list_is_empty(&worker->idle))
        unlist(worker);
    plait__mutex_unlock(&worker->gang->idle_lock);
}

/* Until it is woken, or its thread ends: then a coroutine is asked to end, once. */
static int wait_for_wake(struct plait__worker *worker, plait_deadline until)
{
    bool listens = worker->gang->loop != NULL && !plait__is_cancelled(plait__sleeper_current());
    int rc;

    if (listens)
        plait__unmask_cancel();
    rc = plait__wait_word(&worker->woken, 0, until);
    if (listens)
        plait__mask_cancel();
    return rc;
}

/* Sleeps until there may be a job. false: nothing came for so long that it may end. */
static bool go_idle(struct plait__worker *worker)
{
    struct plait__gang *gang = worker->gang;
    bool is_spare, was_woken = true;

    plait__mutex_lock(&gang->idle_lock);
    __atomic_store_n(&worker->woken, 0, __ATOMIC_SEQ_CST);
    plait__list_push_front(&gang->idle, &worker->idle);
    __atomic_store_n(&gang->n_idle, gang->n_idle + 1, __ATOMIC_SEQ_CST);
    stop_searching(worker);
    __atomic_fetch_sub(&gang->n_awake, 1, __ATOMIC_SEQ_CST);
    plait__mutex_unlock(&gang->idle_lock);
    is_spare = __atomic_load_n(&gang->n_there, __ATOMIC_SEQ_CST) >
               __atomic_load_n(&gang->n_wanted, __ATOMIC_SEQ_CST);
    /* seq_cst: it has said so before it looks; partner is wake_one */
    if (!is_over_for(gang) &&
        (!plait__gang_has_work(gang) || __atomic_load_n(&gang->n_awake, __ATOMIC_SEQ_CST) >=
                                            __atomic_load_n(&gang->n_wanted, __ATOMIC_SEQ_CST))) {
        plait_deadline until = PLAIT_FOREVER;
        if (is_spare)
            until = plait__deadline_after(plait__os_now_ns(), LINGER_NS);
        was_woken = wait_for_wake(worker, until) != -ETIMEDOUT;
    }
    get_up(worker);
    return was_woken;
}

/* NULL: the worker ends. */
static struct plait__job *next_job(struct plait__worker *worker, bool *ret_is_needless)
{
    struct plait__gang *gang = worker->gang;

    for (bool is_needed = true;;) {
        if (is_left_over(gang))
            call_off(gang);
        struct plait__job *job = plait__gang_is_crowded(gang) ? NULL : search(worker);
        if (job != NULL) {
            if (worker->is_searching) {
                stop_searching(worker);
                if (plait__gang_has_work(gang))
                    plait__gang_wake_one(gang);
            }
            return job;
        }
        if (!is_needed || is_over_for(gang)) {
            *ret_is_needless = !is_needed;
            return NULL;
        }
        is_needed = go_idle(worker);
    }
}

/* ---- the life of a worker ---- */

/* The worker has no thread any more, unless it is `needless` and the gang needs it after all. From
 * true on another thread may be that worker. */
static bool leave(struct plait__worker *worker, bool needless)
{
    struct plait__gang *gang = worker->gang;
    bool may_go;

    plait__mutex_lock(&gang->starts);
    may_go = !needless || gang->n_there > __atomic_load_n(&gang->n_wanted, __ATOMIC_SEQ_CST);
    if (may_go) {
        stop_searching(worker);
        worker->is_there = false;
        __atomic_fetch_sub(&gang->n_awake, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&gang->n_there, gang->n_there - 1, __ATOMIC_SEQ_CST);
    }
    plait__mutex_unlock(&gang->starts);
    if (!may_go)
        return false;
    if (plait__gang_has_work(gang)) /* queued while we were awake, and so nobody was told */
        plait__gang_wake_one(gang);
    plait__ends_ring(gang->bell);
    return true;
}

static bool get_ready(struct plait__worker *worker)
{
    struct plait__gang *gang = worker->gang;

    for (int i = 0; gang->init != NULL && i < INIT_TRIES; i++)
        if (gang->init(gang->init_arg) >= 0)
            return true;
    return gang->init == NULL;
}

static void give_up(struct plait__worker *worker)
{
    struct plait__gang *gang = worker->gang;

    __atomic_store_n(&gang->failed_ns, plait__os_now_ns(), __ATOMIC_RELAXED);
    leave(worker, false);
    /* after it has gone: of two that fail at once, one sees that it is the last */
    if (__atomic_load_n(&gang->n_there, __ATOMIC_SEQ_CST) == 0)
        plait__gang_break(gang);
}

static int work(void *arg);

/* Starts lock. */
static int start_thread(struct plait__worker *worker)
{
    struct plait__gang *gang = worker->gang;
    struct plait__sleeper *sleeper = plait__sleeper_current();
    plait_task *self = plait_task_current(), *task = NULL;
    struct plait__locals *locals;
    bool is_thread = plait_task_kind(self) == PLAIT_THREAD;
    char name[NAME_BYTES];
    plait_task_opts opts = { .name = name, .daemon = true, .stack_bytes = gang->stack_bytes };
    int rc;

    snprintf(name, sizeof name, "%s-%u", gang->pool->name, worker->number + 1);
    /* a worker is nobody's child: else each would keep the one before in memory */
    if (is_thread)
        plait__task_enter(NULL);
    locals = plait__locals_swap(NULL); /* nor has it anything of who happened to start it */
    rc = plait_task_start(&task, gang->pool->kind, work, worker, &opts);
    plait__locals_swap(locals);
    if (is_thread)
        plait__task_enter(self);
    plait__sleeper_set_current(sleeper);
    if (rc < 0)
        return rc;
    worker->previous = worker->task;
    worker->task = task;
    plait__count(&gang->n_started, 1);
    return 0;
}

/* Another thread goes on as this worker, if one can be started. */
static bool replace(struct plait__worker *worker)
{
    struct plait__gang *gang = worker->gang;
    bool is_replaced;

    plait__mutex_lock(&gang->starts);
    is_replaced = start_thread(worker) == 0;
    if (is_replaced)
        plait__count(&gang->n_recycled, 1);
    plait__mutex_unlock(&gang->starts);
    return is_replaced;
}

bool plait__worker_is_spent(const struct plait__worker *worker)
{
    const struct plait__gang *gang = worker->gang;

    return (gang->max_tasks > 0 && worker->n_items >= gang->max_tasks) ||
           (gang->max_age_ns > 0 && plait__os_now_ns() - worker->born_ns >= gang->max_age_ns);
}

static size_t stack_left(void)
{
    const struct plait__strand *strand = plait__strand_here();

    if (strand == NULL || strand->task == NULL)
        return plait__os_thread_stack_left();
    return (size_t)((const char *)__builtin_frame_address(0) - (const char *)strand->stack.low);
}

/* The starter holds the lock until all that it has to say of us is said. */
static void begin(struct plait__worker *worker)
{
    plait_task *previous;

    plait__mutex_lock(&worker->gang->starts);
    previous = worker->previous;
    worker->previous = NULL;
    worker->name = plait_task_name(worker->task);
    plait__mutex_unlock(&worker->gang->starts);
    *plait__worker_here() = worker;
    plait__share_own(worker->gang->pool, worker->share);
    plait__mask_cancel(); /* a worker is not asked to end: its jobs are */
    if (previous != NULL && plait_task_join(previous, PLAIT_FOREVER) == 0)
        plait_task_destroy(previous);
    worker->born_ns = plait__os_now_ns();
    worker->n_items = 0;
    worker->stack = (const char *)__builtin_frame_address(0);
    worker->stack_bytes = stack_left() / 2;
    if (worker->stack_bytes == 0)
        worker->stack_bytes = STACK_UNKNOWN;
}

/* To its end, or until it was queued again. */
static void run_job(struct plait__worker *worker, struct plait__job *job)
{
    struct plait__gang *gang = worker->gang;

    while (!plait__job_run(worker, job)) {
        if (plait__gang_put_again(gang, job) == 0) {
            plait__job_count_again(gang, worker);
            return;
        }
    }
    plait__job_tell_end(gang, worker, job);
}

/* Job after job, until the worker ends. */
static void run_jobs(struct plait__worker *worker)
{
    struct plait__job *job;
    bool is_needless = false;

    do {
        while ((job = next_job(worker, &is_needless)) != NULL) {
            run_job(worker, job);
            if (plait__worker_is_spent(worker) && replace(worker))
                return;
        }
    } while (!leave(worker, is_needless));
}

static int work(void *arg)
{
    struct plait__worker *worker = arg;

    begin(worker);
    if (get_ready(worker))
        run_jobs(worker);
    else
        give_up(worker);
    plait__share_own(NULL, NULL); /* the next thread of this worker has it */
    return 0;
}

bool plait__gang_finish(struct plait__gang *gang)
{
    plait__mutex_lock(&gang->starts);
    plait__mutex_lock(&gang->queue_lock);
    gang->is_gone = gang->n_there == 0 && plait__gang_is_quiet(gang);
    plait__mutex_unlock(&gang->queue_lock);
    plait__mutex_unlock(&gang->starts);
    return gang->is_gone;
}

/* Starts lock: one without a thread, made if need be. */
static int find_free(struct plait__gang *gang, struct plait__worker **ret)
{
    struct plait__worker *worker;
    uint32_t n = plait__gang_numbers(gang);
    int rc;

    for (uint32_t i = 0; i < n; i++) {
        *ret = plait__gang_worker(gang, i);
        if (!(*ret)->is_there)
            return 0;
    }
    worker = aligned_alloc(PLAIT__LINE, sizeof *worker);
    if (worker == NULL)
        return -ENOMEM;
    memset(worker, 0, sizeof *worker);
    worker->gang = gang;
    worker->number = worker->random = n;
    plait__list_init(&worker->idle);
    worker->share = plait__share_add(gang->pool);
    rc = worker->share != NULL ? plait__deque_init(&worker->deque) : -ENOMEM;
    if (rc < 0) { /* the share stays with the pool */
        free(worker);
        return rc;
    }
    __atomic_store_n(&gang->workers[n], worker, __ATOMIC_RELEASE);
    __atomic_store_n(&gang->n_numbers, n + 1, __ATOMIC_SEQ_CST);
    *ret = worker;
    return 0;
}

int plait__gang_start_worker(struct plait__gang *gang)
{
    struct plait__worker *worker = NULL;
    uint32_t wanted = __atomic_load_n(&gang->n_wanted, __ATOMIC_SEQ_CST);
    uint32_t asleep = __atomic_load_n(&gang->pool->n_asleep, __ATOMIC_SEQ_CST);
    uint32_t most = wanted + (asleep < PLAIT__GANG_SPARE ? asleep : PLAIT__GANG_SPARE);
    int rc = -EAGAIN;

    plait__mutex_lock(&gang->starts);
    if (gang->n_there < most && gang->n_there < PLAIT__GANG_MOST && !gang->is_gone)
        rc = find_free(gang, &worker);
    if (rc == 0) {
        __atomic_fetch_add(&gang->n_awake, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&gang->n_there, gang->n_there + 1, __ATOMIC_SEQ_CST);
        worker->is_there = true;
        rc = start_thread(worker);
        if (rc < 0) {
            worker->is_there = false;
            __atomic_fetch_sub(&gang->n_awake, 1, __ATOMIC_SEQ_CST);
            __atomic_store_n(&gang->n_there, gang->n_there - 1, __ATOMIC_SEQ_CST);
            __atomic_store_n(&gang->failed_ns, plait__os_now_ns(), __ATOMIC_RELAXED);
        }
    }
    plait__mutex_unlock(&gang->starts);
    return rc;
}
