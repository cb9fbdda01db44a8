/* The engine's way in: from the input to a running job.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/exit.h"
#include "cmd/map/engine.h"
#include "os/clock.h"
#include "os/fd.h"
#include "task/keeper.h"

#include <plait/error.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RETRIES_WAITING = 10000, /* more than so many wait for another attempt: no new inputs */
    /* with -k: as many ended jobs, and 16 for each slot, may wait for their turn */
    UNPRINTED_WAITING = 1024,
    HAND_OVER_MS = 20,     /* then signals are looked at again */
    SKIPS_AT_ONCE = 10000, /* --resume: then signals are looked at */
};

bool map_engine_has_more(const struct map_engine *engine)
{
    return !engine->input_ended || engine->retries.len > 0 || engine->next != NULL;
}

/* The lowest free slot; 0: all are taken. */
static unsigned find_slot(struct map_engine *engine)
{
    for (unsigned i = 0; i < engine->n_slots; i++)
        if (engine->slots[i] == NULL)
            return i + 1;
    if (engine->n_slots >= engine->full_limit)
        return 0;
    unsigned n = engine->n_slots * 2 + 4;
    n = n < engine->full_limit ? n : engine->full_limit;
    struct map_job **slots = reallocarray(engine->slots, n, sizeof *slots);
    if (slots == NULL)
        return 0; /* the jobs that run bring slots back */
    memset(slots + engine->n_slots, 0, (n - engine->n_slots) * sizeof *slots);
    engine->slots = slots;
    engine->n_slots = n;
    return find_slot(engine);
}

/* --retry-failed: the log is the input. */
static int next_failed(struct map_engine *engine, struct map_job *job, struct plait__buf *error)
{
    const char *line;
    int rc = map_joblog_next_failed(engine->joblog, &job->seq, &line);

    if (rc == 1)
        rc = map_command_from_line(&job->command, engine->shell, line) < 0 ? -ENOMEM : 1;
    if (rc < 0)
        plait__buf_printf(error, "cannot read the job log: %s", plait_strerror(rc));
    return rc;
}

static int next_values(struct map_engine *engine, struct map_job *job, struct plait__buf *error)
{
    struct map_place place = { .seq = engine->next_seq, .slot = job->slot };
    int rc = map_input_next(engine->input, &job->values, error);

    if (rc != 1)
        return rc;
    job->seq = engine->next_seq++;
    rc = map_template_fill(engine->template, &job->values, &place, &job->command, error);
    if (rc == -ENOMEM)
        plait__buf_add_str(error, "out of memory");
    return rc < 0 ? rc : 1;
}

/* Must it run? Says once that the input is not the one of the log. */
static bool is_wanted(struct map_engine *engine, const struct map_job *job)
{
    bool changed = false, wanted;

    if (engine->joblog == NULL || engine->options->resume == MAP_RESUME_NONE ||
        engine->options->resume == MAP_RETRY_FAILED)
        return true;
    wanted = map_joblog_wants(engine->joblog, job->seq, job->command.line, &changed);
    if (changed && !engine->said_changed) {
        engine->said_changed = true;
        map_report_say(engine->report,
                       "job %" PRIu64 " was another command in the job log: the input has changed",
                       job->seq);
    }
    return wanted;
}

/* A job from the input. 1: *ret · 0: none now, or none any more. */
static int next_new_job(struct map_engine *engine, unsigned slot, struct map_job **ret)
{
    struct plait__buf error = { 0 };
    int rc = 0, skips = 0;

    while (!engine->input_ended && engine->phase == MAP_STARTING && skips < SKIPS_AT_ONCE) {
        struct map_job *job = calloc(1, sizeof *job);
        if (job == NULL) {
            map_engine_fail(engine, CMD_EXIT_ERROR, "out of memory");
            break;
        }
        job->out = job->err = MAP_STREAM_NONE;
        job->slot = slot;
        rc = engine->input != NULL ? next_values(engine, job, &error)
                                   : next_failed(engine, job, &error);
        engine->input_ended = rc == 0;
        engine->input_waits = rc == -EAGAIN;
        engine->is_skipping = rc == -EINTR;
        if (rc < 0 && rc != -EAGAIN && rc != -EINTR)
            map_engine_fail(engine, rc == -EINVAL ? CMD_EXIT_USAGE : CMD_EXIT_ERROR, "%s",
                            error.len > 0 ? error.data : "out of memory");
        if (rc == 1 && is_wanted(engine, job)) {
            job->order = engine->next_order++;
            *ret = job;
            break;
        }
        map_job_free(engine, job);
        if (rc != 1)
            break;
        engine->counts.skipped++;
        skips++;
        rc = 0;
    }
    engine->is_skipping = engine->is_skipping || skips == SKIPS_AT_ONCE;
    plait__buf_fini(&error);
    return rc == 1;
}

/* A job whose time to be tried again has come, else a new one. */
static int next_job(struct map_engine *engine, unsigned slot, int64_t now_ns, struct map_job **ret)
{
    struct plait__heap_node *first = plait__heap_first(&engine->retries);

    if (first != NULL && first->key <= now_ns) {
        struct map_job *job = plait__list_entry(first, struct map_job, node);
        plait__heap_remove(&engine->retries, first);
        job->slot = slot;
        *ret = job;
        return 1;
    }
    if (engine->retries.len >= RETRIES_WAITING ||
        engine->unprinted.len >= UNPRINTED_WAITING + (size_t)engine->full_limit * 16)
        return 0;
    return next_new_job(engine, slot, ret);
}

/* The two pipes of a job. */
static int open_streams(struct map_job *job)
{
    int out[2], err[2];
    int rc = plait__os_pipe(out);

    if (rc < 0)
        return rc;
    rc = plait__os_pipe(err);
    if (rc == 0) {
        plait__os_set_nonblocking(out[0]);
        plait__os_set_nonblocking(err[0]);
        job->out.fd = out[0];
        job->out.far = out[1];
        job->err.fd = err[0];
        job->err.far = err[1];
        return 0;
    }
    close(out[0]);
    close(out[1]);
    return rc;
}

static int hand_to_keeper(struct map_engine *engine, struct map_job *job)
{
    const struct map_options *options = engine->options;
    bool is_raw = options->output == MAP_OUTPUT_RAW;
    char seq[40];
    const char *env[] = { seq };
    struct plait__command command = { .id = engine->next_id++,
                                      .slot = job->slot,
                                      .file = job->command.argv[0],
                                      .argv = job->command.argv,
                                      .n_argv = job->command.argc,
                                      .env = env,
                                      .n_env = 1,
                                      .fds = { engine->null, is_raw ? STDOUT_FILENO : job->out.far,
                                               is_raw ? STDERR_FILENO : job->err.far },
                                      .cwd = options->wd,
                                      .nice = options->nice,
                                      .has_nice = options->has_nice,
                                      .timeout_ns = options->timeout_ns,
                                      .kill_after_ns = map_kill_after(options) };

    plait_deadline until;

    snprintf(seq, sizeof seq, "PLAIT_SEQ=%" PRIu64, job->seq);
    job->id = command.id;
    until = plait_after_ms(HAND_OVER_MS);
    return job->slot > 0 ? plait__keeper_run(&command, until)
                         : plait__keeper_line_up(&command, until);
}

/* A job without a slot is lined up. 0, or why the job could not even be handed over. */
static int hand_over(struct map_engine *engine, struct map_job *job)
{
    bool is_raw = engine->options->output == MAP_OUTPUT_RAW;
    int rc;

    map_stream_fini(&engine->spool, &job->out); /* what an earlier attempt said */
    map_stream_fini(&engine->spool, &job->err);
    rc = is_raw || engine->so.pool != NULL ? 0 : open_streams(job);
    if (rc < 0)
        return rc;
    if (engine->options->trace) {
        map_report_wipe(engine->report);
        map_writer_write(&engine->err, job->command.line, strlen(job->command.line));
        map_writer_write(&engine->err, "\n", 1);
    }
    /* a signal may have come while we wrote */
    if (engine->phase != MAP_STARTING)
        rc = -ECANCELED;
    else
        rc = engine->so.pool != NULL ? map_so_submit(engine, job) : hand_to_keeper(engine, job);
    if (!engine->keeps_far_ends) {
        map_stream_close_far(&job->out);
        map_stream_close_far(&job->err);
    }
    if (rc < 0) {
        map_stream_fini(&engine->spool, &job->out);
        map_stream_fini(&engine->spool, &job->err);
    }
    return rc;
}

/* --dry-run: the command instead of its run. */
static void show_job(struct map_engine *engine, struct map_job *job)
{
    int rc = map_writer_write(&engine->out, job->command.line, strlen(job->command.line));

    if (rc == 0)
        rc = map_writer_write(&engine->out, "\n", 1);
    if (rc < 0)
        map_engine_output_failed(engine, rc);
    engine->counts.started++;
    engine->counts.succeeded++;
    map_job_free(engine, job);
}

/* The hand-over failed. A full table or a dead keeper is a matter of time; the rest is the end. */
static void refuse_job(struct map_engine *engine, struct map_job *job, int error, int64_t now_ns)
{
    bool is_keeper = error == PLAIT_EKEEPER || error == -ECANCELED || error == -ETIMEDOUT;
    bool is_limit = error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN;

    engine->is_keeper_full = error == -ETIMEDOUT;
    if (!is_keeper && (!is_limit || engine->counts.running == 0)) {
        map_engine_fail(engine, CMD_EXIT_ERROR, "cannot start a job: %s", plait_strerror(error));
        map_job_free(engine, job);
        return;
    }
    if (is_limit)
        engine->limit = engine->counts.running;
    map_engine_put_back(engine, job, now_ns);
}

/* The job to start in a slot, or with slot 0 to line up. NULL: none now. */
static struct map_job *take_job(struct map_engine *engine, unsigned slot, int64_t now_ns)
{
    struct map_job *job = NULL;

    if (next_job(engine, slot, now_ns, &job) != 1)
        return NULL;
    if (job->command.argc > 0)
        return job;
    map_engine_fail(engine, CMD_EXIT_USAGE, "the command is empty: there is no value for {}");
    map_job_free(engine, job);
    return NULL;
}

static void place(struct map_engine *engine, struct map_job *job, unsigned slot, int64_t now_ns)
{
    if (job->attempt++ == 0)
        engine->counts.started++;
    else
        engine->counts.retried++;
    job->slot = slot;
    job->started_ns = now_ns;
    engine->slots[slot - 1] = job;
    engine->counts.running++;
    map_throttle_started(&engine->throttle, now_ns);
}

/* False: it cannot be started now. */
static bool start_job(struct map_engine *engine, struct map_job *job, int64_t now_ns)
{
    int rc = hand_over(engine, job);

    if (rc < 0)
        refuse_job(engine, job, rc, now_ns);
    else
        place(engine, job, job->slot, now_ns);
    return rc == 0;
}

void map_engine_place_next(struct map_engine *engine, unsigned slot, int64_t now_ns)
{
    struct map_job *job = engine->next;

    engine->next = NULL;
    place(engine, job, slot, now_ns);
}

/* There is a slot for it, but no end has told that the keeper started it. */
static bool start_next(struct map_engine *engine, unsigned slot, int64_t now_ns)
{
    int rc = plait__keeper_go(engine->next->id, slot);

    if (rc == 0)
        map_engine_place_next(engine, slot, now_ns);
    engine->is_keeper_full = rc == -ETIMEDOUT;
    return rc == 0; /* a dead keeper is what the loop hears of */
}

bool map_engine_can_line_up(const struct map_engine *engine)
{
    const struct map_options *options = engine->options;

    return options->halt_when == MAP_HALT_NEVER && !options->trace && !options->dry_run &&
           map_throttle_is_idle(&engine->throttle) &&
           (engine->template == NULL || !map_template_names_slot(engine->template));
}

/* All slots are taken: who comes next can be told to the keeper already. */
static void line_up(struct map_engine *engine, int64_t now_ns)
{
    struct map_job *job;
    int rc;

    if (!engine->lines_up || engine->next != NULL || engine->is_keeper_full ||
        engine->phase != MAP_STARTING || engine->limit < engine->full_limit ||
        engine->counts.running < engine->limit)
        return;
    job = take_job(engine, 0, now_ns);
    if (job == NULL)
        return;
    rc = hand_over(engine, job);
    if (rc < 0)
        refuse_job(engine, job, rc, now_ns);
    else
        engine->next = job;
}

/* As many as there are slots for. When to come again. */
static int64_t fill_slots(struct map_engine *engine, int64_t now_ns)
{
    int shown = 0;

    while (engine->phase == MAP_STARTING && engine->counts.running < engine->limit &&
           !engine->is_keeper_full) {
        struct map_job *job;
        int64_t when = map_throttle_when(&engine->throttle, now_ns);
        unsigned slot = find_slot(engine);
        if (slot == 0 && engine->counts.running == 0) /* nothing will bring a slot back */
            map_engine_fail(engine, CMD_EXIT_ERROR, "out of memory");
        if (slot == 0 || !map_engine_has_more(engine))
            break;
        if (when > now_ns)
            return when;
        if (engine->next != NULL) {
            if (!start_next(engine, slot, now_ns))
                break;
            continue;
        }
        job = take_job(engine, slot, now_ns);
        if (job == NULL)
            break;
        if (engine->options->dry_run) {
            show_job(engine, job);
            if (++shown == SKIPS_AT_ONCE)
                return now_ns;
        } else if (!start_job(engine, job, now_ns)) {
            break; /* let the loop see what is wrong */
        }
        now_ns = engine->options->dry_run ? now_ns : plait__os_now_ns();
    }
    return INT64_MAX;
}

int64_t map_engine_start_jobs(struct map_engine *engine, int64_t now_ns)
{
    struct plait__heap_node *first;
    int64_t when;

    engine->is_skipping = false;
    when = fill_slots(engine, now_ns);
    line_up(engine, now_ns);
    if (engine->is_skipping)
        return now_ns;
    first = plait__heap_first(&engine->retries);
    if (first != NULL && first->key < when && engine->phase == MAP_STARTING &&
        !engine->is_keeper_full && engine->counts.running < engine->limit)
        when = first->key;
    return when;
}
