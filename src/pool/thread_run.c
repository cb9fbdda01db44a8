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

/* ---- asking ---- */

static void begin_asking(struct plait__gang *gang)
{
    __atomic_fetch_add(&gang->n_asking, 1, __ATOMIC_SEQ_CST); /* partner: leave_frame */
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
    /* seq_cst: partner is enter_frame: it sees this, or we see its frame */
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

static void enter_frame(struct plait__frame *frame, struct plait__worker *worker,
                        struct plait__job *job)
{
    frame->sleeper = (struct plait__sleeper){
        .name = plait_task_name(worker->task),
        .on_sleep = plait__frame_on_sleep,
    };
    frame->running = (struct plait__running){
        .pool = worker->gang->pool,
        .is_cancelled = is_cancelled,
        .progress = note_progress,
    };
    frame->job = job;
    frame->outer = __atomic_load_n(&worker->frame, __ATOMIC_RELAXED); /* our own */
    frame->worker = worker;
    frame->counts_as_asleep = false;
    __atomic_store_n(&worker->frame, frame, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&job->slot, __ATOMIC_SEQ_CST) & PLAIT__JOB_ASKED ||
        __atomic_load_n(&worker->gang->is_over, __ATOMIC_SEQ_CST))
        __atomic_store_n(&frame->sleeper.cancel, 1, __ATOMIC_SEQ_CST);
}

static void leave_frame(struct plait__frame *frame)
{
    struct plait__worker *worker = frame->worker;
    struct plait__gang *gang = worker->gang;

    __atomic_store_n(&worker->frame, frame->outer, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&gang->n_asking, __ATOMIC_SEQ_CST) > 0) {
        plait__mutex_lock(&gang->ask);
        plait__mutex_unlock(&gang->ask);
    }
    if (__atomic_load_n(&worker->progress_total, __ATOMIC_RELAXED) != 0)
        note_progress(&frame->running, 0, 0);
    plait__running_fini(&frame->running);
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

/* When it ended. */
static int64_t run_item(struct plait__frame *frame, uint32_t i, int64_t began_ns)
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
    int64_t ended_ns;

    if (limits->soft_ns > 0 || limits->hard_ns > 0)
        set_limits(frame, limits, began_ns);
    plait__run_item(&frame->running, &call, result);
    ended_ns = plait__os_now_ns();
    result->pid = job->pool->owner;
    result->starts = 1;
    result->run_ns = ended_ns - began_ns;
    judge(frame, limits, result);
    if (job->said != NULL)
        take_said(&frame->running, &job->said[i]);
    return ended_ns;
}

static void drop_item(struct plait__gang *gang, struct plait__job *job, uint32_t i)
{
    plait_result *result = &job->results[i];

    result->end = PLAIT_JOB_CANCELLED;
    if (__atomic_load_n(&gang->is_over, __ATOMIC_RELAXED))
        result->cause = PLAIT_CAUSE_SHUTDOWN;
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
    __atomic_store_n(&worker->moved_ns, now, __ATOMIC_RELAXED);
    return now;
}

void plait__job_run(struct plait__worker *worker, struct plait__job *job)
{
    struct plait__sleeper *below = plait__sleeper_current();
    int64_t now = begin_ns(worker);
    struct plait__frame frame;

    enter_frame(&frame, worker, job);
    plait__sleeper_set_current(&frame.sleeper);
    for (uint32_t i = 0; i < job->n; i++) {
        if (is_asked(&frame))
            drop_item(worker->gang, job, i);
        else
            now = run_item(&frame, i, now);
    }
    plait__sleeper_set_current(below);
    leave_frame(&frame);
    worker->ended_ns = frame.outer == NULL ? now : 0;
    set_ended(job);
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

void plait__job_count_end(struct plait__gang *gang, struct plait__worker *worker,
                          struct plait__job *job)
{
    plait__gang_give_room(gang, job);
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
