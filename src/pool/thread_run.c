/* Jobs of a thread pool that run and end.
 * SPDX-License-Identifier: MIT
 *
 * Whoever asks a running job to end needs its frame, which lies on its worker's stack. `ask` is held
 * by who looks at frames of others. A frame that goes away says so, and then looks whether somebody
 * asks; who asks says so, and then looks at the frames: either it does not see the frame, or the
 * frame waits for it.
 */
#include "os/clock.h"
#include "pool/bell.h"
#include "pool/thread_gang.h"
#include "wait/wait.h"

#include <errno.h>
#include <stdlib.h>

/* So long a job that gets its items in portions keeps its worker from others that are queued. */
#define SLICE_NS INT64_C(1000000)

/* ---- asking ---- */

static void begin_asking(struct plait__gang *gang)
{
    __atomic_fetch_add(&gang->n_asking, 1, __ATOMIC_SEQ_CST); /* partner: close_frame */
    plait__mutex_lock(&gang->ask);
}

static void stop_asking(struct plait__gang *gang)
{
    plait__mutex_unlock(&gang->ask);
    __atomic_fetch_sub(&gang->n_asking, 1, __ATOMIC_SEQ_CST);
}

/* Ask lock: the frames of this job, or (NULL) of all. */
static void ask_frames(struct plait__gang *gang, const struct plait__job *job)
{
    for (uint32_t i = 0; i < plait__gang_numbers(gang); i++) {
        struct plait__frame *frame =
            __atomic_load_n(&plait__gang_worker(gang, i)->frame, __ATOMIC_SEQ_CST);
        for (; frame != NULL; frame = frame->outer)
            if (job == NULL || frame->job == job)
                plait__cancel(&frame->sleeper);
    }
}

int plait__job_ask(struct plait__gang *gang, struct plait__job *job)
{
    uint32_t before;

    begin_asking(gang);
    /* seq_cst: partner is look_who_asked: it sees this, or we see its frame */
    before = __atomic_fetch_or(&job->slot, PLAIT__JOB_ASKED, __ATOMIC_SEQ_CST);
    if (!(before & PLAIT__JOB_HAS_ENDED))
        ask_frames(gang, job);
    stop_asking(gang);
    return before & PLAIT__JOB_HAS_ENDED ? -EALREADY : 0;
}

void plait__gang_ask_all(struct plait__gang *gang)
{
    begin_asking(gang);
    __atomic_store_n(&gang->is_over, 1, __ATOMIC_SEQ_CST); /* as above */
    ask_frames(gang, NULL);
    stop_asking(gang);
}

static bool is_asked(const struct plait__frame *frame)
{
    return __atomic_load_n(&frame->sleeper.cancel, __ATOMIC_RELAXED) != 0;
}

/* ---- frames ---- */

static bool is_cancelled(struct plait__running *running)
{
    return plait__is_cancelled(&plait__list_entry(running, struct plait__frame, running)->sleeper);
}

static void note_progress(struct plait__running *running, uint64_t done, uint64_t total)
{
    struct plait__worker *worker = plait__list_entry(running, struct plait__frame, running)->worker;

    __atomic_store_n(&worker->progress_done, done, __ATOMIC_RELAXED);
    __atomic_store_n(&worker->progress_total, total, __ATOMIC_RELAXED);
}

static void fill_frame(struct plait__frame *frame, struct plait__worker *worker,
                       struct plait__job *job)
{
    const struct plait__sleeper *below = plait__sleeper_current();

    frame->sleeper = (struct plait__sleeper){
        .name = worker->name,
        /* other coroutines run when one sleeps: nobody need take its place */
        .on_sleep = worker->gang->loop == NULL ? plait__frame_on_sleep : plait__frame_on_park,
    };
    if (below != NULL && below->ops != NULL) { /* it parks as its worker does */
        frame->sleeper.ops = below->ops;
        frame->sleeper.strand = below->strand;
        frame->sleeper.number = below->number;
    }
    frame->running = (struct plait__running){
        .pool = worker->gang->pool,
        .is_cancelled = is_cancelled,
        .progress = note_progress,
    };
    frame->job = job;
    frame->outer = __atomic_load_n(&worker->frame, __ATOMIC_RELAXED); /* our own */
    frame->worker = worker;
    frame->counts_as_asleep = false;
}

/* The frame can be found: it was asked before, or whoever asks finds it. */
static void look_who_asked(struct plait__frame *frame)
{
    if (__atomic_load_n(&frame->job->slot, __ATOMIC_SEQ_CST) & PLAIT__JOB_ASKED ||
        __atomic_load_n(&frame->worker->gang->is_over, __ATOMIC_SEQ_CST))
        __atomic_store_n(&frame->sleeper.cancel, 1, __ATOMIC_SEQ_CST);
}

/* The frame cannot be found any more: who has found it is waited for. */
static void close_frame(struct plait__frame *frame)
{
    struct plait__worker *worker = frame->worker;
    struct plait__gang *gang = worker->gang;

    if (__atomic_load_n(&gang->n_asking, __ATOMIC_SEQ_CST) > 0) {
        plait__mutex_lock(&gang->ask);
        plait__mutex_unlock(&gang->ask);
    }
    if (__atomic_load_n(&worker->progress_total, __ATOMIC_RELAXED) != 0)
        note_progress(&frame->running, 0, 0);
    if (frame->running.wrote.data != NULL || frame->running.message != NULL)
        plait__running_fini(&frame->running);
    if (frame->sleeper.wake_fd != 0) /* only its own task makes one */
        plait__sleeper_fini(&frame->sleeper);
}

/* ---- items ---- */

/* What was said while it ran decides with what it returned. */
static void judge(const struct plait__frame *frame, const struct plait__job_limits *limits,
                  plait_result *result)
{
    bool gave_way = result->code == -ECANCELED && !frame->running.has_failed;
    bool is_beyond = limits->hard_ns > 0 && result->run_ns >= limits->hard_ns;

    if (gave_way && !is_beyond && is_asked(frame)) {
        result->end = PLAIT_JOB_CANCELLED;
        if (__atomic_load_n(&frame->worker->gang->is_over, __ATOMIC_RELAXED))
            result->cause = PLAIT_CAUSE_SHUTDOWN;
        return;
    }
    if (is_beyond || (gave_way && limits->soft_ns > 0 && result->run_ns >= limits->soft_ns))
        result->end = PLAIT_JOB_EXPIRED;
}

static void release_bytes(char *bytes)
{
    free(bytes);
}

static void take_said(struct plait__running *running, struct plait__said *said)
{
    if (running->wrote.len > 0) {
        said->size = running->wrote.len;
        said->bytes = running->wrote.data;
        said->release = release_bytes;
        running->wrote = (struct plait__buf){ 0 };
    }
    said->message = running->message;
    running->message = NULL;
}

static int64_t sum(int64_t began_ns, int64_t ns)
{
    return ns > INT64_MAX - began_ns ? INT64_MAX : began_ns + ns;
}

/* The sooner of its limits ends its sleeps, and makes it know; nobody else keeps the time. */
static void set_limits(struct plait__frame *frame, const struct plait__job_limits *limits,
                       int64_t began_ns)
{
    int64_t soft_ns = limits->soft_ns > 0 ? sum(began_ns, limits->soft_ns) : 0;
    int64_t hard_ns = limits->hard_ns > 0 ? sum(began_ns, limits->hard_ns) : 0;

    frame->running.soft_until_ns = soft_ns;
    frame->sleeper.until_ns =
        soft_ns == 0 || (hard_ns != 0 && hard_ns < soft_ns) ? hard_ns : soft_ns;
}

static void run_item(struct plait__frame *frame, uint32_t i)
{
    const struct plait__job *job = frame->job;
    const struct plait__job_limits *limits = &job->limits;
    plait_result *result = &job->results[i];
    struct plait__call call = {
        .fn = job->fn,
        .text_fn = job->text_fn,
        .in = job->in + (job->in_bytes > 0 ? i * job->in_bytes : 0),
        .in_bytes = job->in_bytes,
        .out = job->out != NULL ? job->out + i * job->out_bytes : NULL,
        .ctx = job->ctx,
    };
    int64_t began_ns = frame->now_ns;

    if (limits->soft_ns > 0 || limits->hard_ns > 0)
        set_limits(frame, limits, began_ns);
    plait__run_item(&frame->running, &call, result);
    if (began_ns != 0)
        frame->now_ns = plait__os_now_ns();
    result->pid = job->pool->owner;
    result->signal = 0;
    result->core = false;
    result->starts = 1;
    result->run_ns = frame->now_ns - began_ns;
    if (result->code < 0 || limits->hard_ns > 0)
        judge(frame, limits, result);
    if (job->said != NULL && (frame->running.wrote.len > 0 || frame->running.message != NULL))
        take_said(&frame->running, &job->said[i]);
}

static void drop_item(struct plait__gang *gang, struct plait__job *job, uint32_t i)
{
    bool is_over = __atomic_load_n(&gang->is_over, __ATOMIC_RELAXED);

    job->results[i] = (plait_result){
        .end = PLAIT_JOB_CANCELLED,
        .cause = is_over ? PLAIT_CAUSE_SHUTDOWN : PLAIT_CAUSE_NONE,
    };
}

/* Nobody can ask it any more: who does it at this moment has asked, in vain. */
static void set_ended(struct plait__job *job)
{
    uint32_t from_afar = __atomic_load_n(&job->slot, __ATOMIC_RELAXED) & PLAIT__JOB_FROM_AFAR;

    job->n_ended = job->n;
    /* relaxed: its end is handed over by what tells it */
    __atomic_store_n(&job->slot, from_afar | PLAIT__JOB_HAS_ENDED, __ATOMIC_RELAXED);
}

/* A worker that goes from job to job reads the clock once for each. */
static int64_t begin_ns(struct plait__worker *worker)
{
    int64_t now = worker->ended_ns != 0 ? worker->ended_ns : plait__os_now_ns();

    worker->ended_ns = 0;
    return now;
}

/* Those that are there: all, or a portion. */
static void run_portion(struct plait__frame *frame)
{
    struct plait__job *job = frame->job;

    for (uint32_t i = 0; i < job->n; i++) {
        if (is_asked(frame))
            drop_item(frame->worker->gang, job, i);
        else
            run_item(frame, i);
    }
    if (frame->outer == NULL)
        frame->worker->n_items += job->n;
}

/* Is a job that runs since then to go back to the queue between two portions? */
static bool must_yield(const struct plait__frame *frame, int64_t since_ns)
{
    const struct plait__worker *worker = frame->worker;
    const struct plait__gang *gang = worker->gang;

    /* relaxed, all: it looks again after the next portion */
    if (frame->outer != NULL ||
        !(__atomic_load_n(&frame->job->slot, __ATOMIC_RELAXED) & PLAIT__JOB_FROM_AFAR))
        return false;
    if (__atomic_load_n(&gang->n_queued, __ATOMIC_RELAXED) > 0 || plait__gang_is_crowded(gang))
        return plait__os_now_ns() - since_ns >= SLICE_NS || plait__worker_is_spent(worker);
    return plait__worker_is_spent(worker);
}

/* Portion by portion. True: it has ended. */
static bool run_portions(struct plait__frame *frame)
{
    struct plait__job *job = frame->job;
    int64_t since_ns = frame->now_ns;
    bool yields = false;

    if (!job->is_timed)
        frame->now_ns = 0;
    while (job->refill(job, !yields && !is_asked(frame))) {
        run_portion(frame);
        yields = must_yield(frame, since_ns);
    }
    return !yields || is_asked(frame);
}

/* True: it has ended. */
static bool run_items(struct plait__frame *frame, int64_t now_ns)
{
    struct plait__sleeper *below = plait__sleeper_current();
    bool has_ended = true;

    frame->now_ns = now_ns;
    look_who_asked(frame);
    plait__sleeper_set_current(&frame->sleeper);
    if (frame->job->refill != NULL)
        has_ended = run_portions(frame);
    else
        run_portion(frame);
    plait__sleeper_set_current(below);
    return has_ended;
}

bool plait__job_run(struct plait__worker *worker, struct plait__job *job)
{
    struct plait__frame frame;
    bool has_ended;

    fill_frame(&frame, worker, job);
    __atomic_store_n(&worker->frame, &frame, __ATOMIC_SEQ_CST);
    has_ended = run_items(&frame, begin_ns(worker));
    worker->ended_ns = frame.now_ns;
    __atomic_store_n(&worker->frame, frame.outer, __ATOMIC_SEQ_CST);
    close_frame(&frame);
    if (has_ended)
        set_ended(job);
    return has_ended;
}

/* ---- ends ---- */

bool plait__gang_is_quiet(struct plait__gang *gang)
{
    uint64_t ended = __atomic_load_n(&gang->counts.ended, __ATOMIC_ACQUIRE), submitted;

    /* Both only grow, and no more ever ended than were submitted: if all that were submitted by now
     * had ended before we looked, there was nothing in between. acquire: partner in count_end. */
    for (uint32_t i = 0; i < plait__gang_numbers(gang); i++)
        ended += __atomic_load_n(&plait__gang_worker(gang, i)->counts.ended, __ATOMIC_ACQUIRE);
    submitted = __atomic_load_n(&gang->counts.submitted, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < plait__gang_numbers(gang); i++)
        submitted +=
            __atomic_load_n(&plait__gang_worker(gang, i)->counts.submitted, __ATOMIC_ACQUIRE);
    return submitted == ended;
}

void plait__gang_give_room(struct plait__gang *gang, const struct plait__job *job)
{
    if (!(__atomic_load_n(&job->slot, __ATOMIC_RELAXED) & PLAIT__JOB_FROM_AFAR))
        return;
    if (gang->max_pending_bytes > 0)
        __atomic_fetch_sub(&gang->room_bytes, job->n * job->in_bytes, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&gang->n_room, 1, __ATOMIC_SEQ_CST);
}

static void count_end(struct plait__gang *gang, struct plait__worker *worker)
{
    struct plait__gang_counts *counts = worker != NULL ? &worker->counts : &gang->counts;

    /* release: partner is is_quiet: who counts it sees all that the job did */
    if (worker != NULL)
        __atomic_store_n(&counts->ended, counts->ended + 1, __ATOMIC_RELEASE);
    else
        __atomic_fetch_add(&counts->ended, 1, __ATOMIC_ACQ_REL);
    if (__atomic_load_n(&gang->is_closed, __ATOMIC_SEQ_CST) && plait__gang_is_quiet(gang))
        plait__gang_wake_all(gang);
}

/* The frame can be found before the job is claimed, and until its end was brought in: an atomic
 * exchange stands between each of the two stores and the look after it, which is all that a seq_cst
 * store would have done. Who asks a frame whose job was not to be had does no harm. */
bool plait__job_help(struct plait__worker *worker, struct plait__job *job)
{
    struct plait__gang *gang = worker->gang;
    struct plait__frame frame;
    bool is_ours;

    fill_frame(&frame, worker, job);
    __atomic_store_n(&worker->frame, &frame, __ATOMIC_RELEASE);
    is_ours = plait__gang_claim(gang, worker, job);
    if (is_ours) {
        run_items(&frame, job->is_timed ? plait__os_now_ns() : 0);
        set_ended(job);
        plait__gang_give_room(gang, job);
        count_end(gang, worker);
        __atomic_store_n(&worker->frame, frame.outer, __ATOMIC_RELEASE);
        job->on_end(job);
    } else {
        __atomic_store_n(&worker->frame, frame.outer, __ATOMIC_SEQ_CST);
    }
    close_frame(&frame);
    return is_ours;
}

void plait__job_count_again(struct plait__gang *gang, struct plait__worker *worker)
{
    count_end(gang, worker);
}

void plait__job_tell_end(struct plait__gang *gang, struct plait__worker *worker,
                         struct plait__job *job)
{
    struct plait__job **ended = worker != NULL ? &worker->ended : &gang->ended;
    struct plait__job *next = __atomic_load_n(ended, __ATOMIC_RELAXED);

    plait__gang_give_room(gang, job);
    /* seq_cst: who announced itself at the bell and saw nothing here is rung; whoever takes the job
     * sees what it did. From then on it may be gone */
    do
        job->node.next = (struct plait__list *)(void *)next;
    while (
        !__atomic_compare_exchange_n(ended, &next, job, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    count_end(gang, worker);
    plait__ends_ring(gang->bell);
}

void plait__job_drop(struct plait__gang *gang, struct plait__job *job, plait_job_end end,
                     plait_job_cause cause)
{
    for (uint32_t i = 0; i < job->n; i++)
        job->results[i] = (plait_result){ .end = end, .cause = cause };
    set_ended(job);
    plait__job_tell_end(gang, NULL, job);
}
