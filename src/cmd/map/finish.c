/* The engine's way out: a job that ended is tried again, or printed, logged and counted.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/exit.h"
#include "cmd/map/codes.h"
#include "cmd/map/engine.h"
#include "cmd/map/halt.h"
#include "os/clock.h"
#include "os/fd.h"
#include "task/keeper.h"

#include <plait/error.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REFUSALS = 8, /* tries to start anything at all, 100 ms · 2^n apart: 25 s in all */
    REFUSAL_NS = 100 * 1000 * 1000,
    PIPE_AT_MOST = 1024 * 1024, /* a pipe holds no more: what comes then is a leftover's */
    TIMES = 1024,               /* run times that --timeout N% looks at */
};

/* What the job left in the background still holds the pipe: somebody has to read it, or it would
 * die of SIGPIPE, or wait. */
static void keep_leftover(struct map_engine *engine, int fd)
{
    int *leftovers;

    if (engine->n_leftovers > 0 && engine->n_leftovers >= engine->max_leftovers) {
        close(engine->leftovers[0]);
        engine->n_leftovers--;
        memmove(engine->leftovers, engine->leftovers + 1,
                engine->n_leftovers * sizeof *engine->leftovers);
    }
    leftovers = reallocarray(engine->leftovers, engine->n_leftovers + 1, sizeof *leftovers);
    if (leftovers == NULL) {
        close(fd);
        return;
    }
    engine->leftovers = leftovers;
    leftovers[engine->n_leftovers++] = fd;
}

/* Takes what the ended job has written; its pipe may be open still in a leftover. */
static int drain(struct map_engine *engine, struct map_stream *stream)
{
    uint64_t end = stream->bytes + PIPE_AT_MOST;
    int rc = 1;

    map_stream_close_far(stream);
    if (stream->fd < 0)
        return 0;
    while (rc == 1 && stream->bytes < end)
        rc = map_stream_read(&engine->spool, stream);
    if (rc == -EAGAIN || rc == 1)
        keep_leftover(engine, stream->fd);
    else
        close(stream->fd);
    stream->fd = -1;
    return rc == -EAGAIN || rc == 1 ? 0 : rc;
}

static void set_result(struct map_engine *engine, struct map_job *job,
                       const struct plait__command_end *end)
{
    struct map_result *result = &job->result;

    *result = (struct map_result){ .seq = job->seq,
                                   .slot = job->slot,
                                   .attempt = job->attempt,
                                   .values = &job->values,
                                   .line = job->command.line,
                                   .out_bytes = job->out.bytes,
                                   .err_bytes = job->err.bytes };
    if (end == NULL) {
        result->keeper_died = true;
        result->signal = 9;
        result->start_ns = plait__os_real_ns() - (plait__os_now_ns() - job->started_ns);
        result->run_ns = plait__os_now_ns() - job->started_ns;
        return;
    }
    result->start_ns = end->start_real_ns;
    result->run_ns = end->run_ns;
    result->timed_out = end->timed_out;
    if (end->start_error != 0) {
        result->start_error = end->start_error;
        result->exit_status =
            end->start_error == ENOENT ? CMD_EXIT_NOT_FOUND : CMD_EXIT_NOT_EXECUTABLE;
        return;
    }
    result->pid = end->death.pid;
    result->exit_status = end->death.status;
    result->signal = end->death.signal;
    result->core = end->death.core;
    result->user_ns = end->death.user_ns;
    result->system_ns = end->death.system_ns;
    result->peak_kib = end->death.peak_kib;
    engine->refusals = 0;
}

static bool must_retry(const struct map_engine *engine, const struct map_job *job)
{
    const struct map_options *options = engine->options;
    int code =
        job->result.signal != 0 ? CMD_EXIT_SIGNAL + job->result.signal : job->result.exit_status;

    if (!map_result_failed(&job->result) || job->attempt >= options->retries ||
        engine->phase != MAP_STARTING)
        return false;
    return options->retry_on == NULL || map_codes_has(options->retry_on, code);
}

/* From try to try the pause doubles. */
static int64_t backoff(const struct map_options *options, unsigned attempt)
{
    int64_t pause = options->backoff_first_ns;

    for (unsigned i = 1; i < attempt && pause < options->backoff_last_ns; i++)
        pause = pause > options->backoff_last_ns / 2 ? options->backoff_last_ns : pause * 2;
    return pause;
}

/* No process could be made: not the job's fault. True: it was put back. */
static bool is_refused(struct map_engine *engine, struct map_job *job,
                       const struct plait__command_end *end)
{
    int error = end != NULL ? end->start_error : 0;

    if (error != EAGAIN && error != ENOMEM && error != EMFILE && error != ENFILE)
        return false;
    if (engine->phase != MAP_STARTING ||
        (engine->counts.running == 0 && ++engine->refusals > REFUSALS))
        return false;
    if (engine->counts.running == 0) /* all starts wait: another one would be refused, too */
        engine->throttle.next_ns =
            plait__os_now_ns() + ((int64_t)REFUSAL_NS << (engine->refusals - 1));
    else
        engine->limit = engine->counts.running;
    map_stream_fini(&engine->spool, &job->out);
    map_stream_fini(&engine->spool, &job->err);
    if (--job->attempt == 0)
        engine->counts.started--;
    else
        engine->counts.retried--;
    map_engine_put_back(engine, job, plait__os_now_ns());
    return true;
}

static void log_job(struct map_engine *engine, struct map_job *job)
{
    struct plait__buf line = { 0 };
    struct map_writer log;
    int rc = engine->joblog != NULL ? map_joblog_write(engine->joblog, &job->result) : 0;

    if (rc < 0) {
        map_engine_fail(engine, CMD_EXIT_ERROR, "cannot write the job log: %s", plait_strerror(rc));
        return;
    }
    if (engine->log_json < 0)
        return;
    rc = map_json_result(&line, &job->result, NULL, NULL);
    if (rc == 0) {
        map_writer_init(&log, engine->log_json);
        rc = map_writer_write(&log, line.data, line.len);
    }
    if (rc < 0)
        map_engine_fail(engine, CMD_EXIT_ERROR, "cannot write to '%s': %s",
                        engine->options->log_json, plait_strerror(rc));
    plait__buf_fini(&line);
}

/* Prints, then logs: a job whose output could not be printed is not done. */
static void print_and_log(struct map_engine *engine, struct map_job *job)
{
    int rc = 0;

    if (engine->options->results != NULL && (rc = map_engine_save_results(engine, job)) < 0)
        map_engine_fail(engine, CMD_EXIT_ERROR, "cannot write below '%s': %s",
                        engine->options->results, plait_strerror(rc));
    if (rc == 0 && (rc = map_engine_print_job(engine, job)) < 0)
        map_engine_output_failed(engine, rc);
    if (rc == 0)
        log_job(engine, job);
    map_job_free(engine, job);
}

void map_engine_print_waiting(struct map_engine *engine, bool all)
{
    struct plait__heap_node *first;

    while ((first = plait__heap_first(&engine->unprinted)) != NULL) {
        struct map_job *job = plait__list_entry(first, struct map_job, node);
        if (!all && job->order != engine->next_print)
            return;
        plait__heap_remove(&engine->unprinted, first);
        engine->next_print = job->order + 1;
        print_and_log(engine, job);
    }
}

static void note_time(struct map_engine *engine, int64_t run_ns)
{
    if (engine->options->timeout_percent == 0)
        return;
    if (engine->times == NULL)
        engine->times = calloc(TIMES, sizeof *engine->times);
    if (engine->times != NULL)
        engine->times[engine->n_times++ % TIMES] = run_ns;
}

static void count(struct map_engine *engine, const struct map_result *result)
{
    bool failed = map_result_failed(result);

    engine->counts.succeeded += !failed;
    engine->counts.failed += failed;
    engine->counts.lost += result->keeper_died;
    if (failed)
        engine->failing_status =
            result->signal != 0 ? CMD_EXIT_SIGNAL + result->signal : result->exit_status;
    else
        note_time(engine, result->run_ns);
    map_report_ended(engine->report, result, &engine->counts, plait__os_now_ns());
    if (engine->phase != MAP_STOPPING && !engine->is_halted &&
        map_halt_is_reached(engine->options, &engine->counts)) {
        engine->is_halted = true;
        if (engine->options->halt_when == MAP_HALT_NOW)
            map_engine_stop(engine, map_kill_after(engine->options));
        else
            engine->phase = MAP_DRAINING;
    }
}

static int settle(struct map_engine *engine, struct map_job *job)
{
    int rc = map_stream_settle(&engine->spool, &job->out);

    return rc < 0 ? rc : map_stream_settle(&engine->spool, &job->err);
}

/* A job whose output is not whole is not done: it is neither printed nor logged. */
static void fail_to_keep(struct map_engine *engine, struct map_job *job, int error)
{
    map_engine_fail(engine, CMD_EXIT_ERROR, "cannot keep the output of job %" PRIu64 ": %s",
                    job->seq, plait_strerror(error));
    map_job_free(engine, job);
}

void map_engine_finish_job(struct map_engine *engine, struct map_job *job)
{
    int rc = settle(engine, job);

    if (rc < 0) {
        fail_to_keep(engine, job, rc);
        return;
    }
    count(engine, &job->result);
    if (!engine->options->keep_order) {
        print_and_log(engine, job);
        return;
    }
    job->node.key = (int64_t)job->order;
    if (plait__heap_push(&engine->unprinted, &job->node) < 0) {
        map_engine_fail(engine, CMD_EXIT_ERROR, "out of memory");
        map_job_free(engine, job);
        return;
    }
    map_engine_print_waiting(engine, false);
}

static void free_slot(struct map_engine *engine, struct map_job *job)
{
    engine->slots[job->slot - 1] = NULL;
    engine->counts.running--;
    if (engine->limit < engine->full_limit)
        engine->limit++;
}

/* The job has its result, or `rc` says why its output is not whole. */
static void go_on(struct map_engine *engine, struct map_job *job, int rc)
{
    if (rc < 0 || job->is_cut) {
        fail_to_keep(engine, job, rc);
        return;
    }
    if (engine->phase == MAP_STOPPING && map_result_failed(&job->result)) {
        /* it was us: as if it had never been started, as some of --so have not been */
        engine->ended_jobs += engine->options->so == NULL || job->result.start_ns != 0;
        map_job_free(engine, job);
        return;
    }
    if (!must_retry(engine, job)) {
        map_engine_finish_job(engine, job);
        return;
    }
    /* its output is kept until the next attempt: if none comes (--halt), this was the last */
    rc = settle(engine, job);
    if (rc < 0) {
        fail_to_keep(engine, job, rc);
        return;
    }
    job->too_slow = false;
    map_engine_put_back(engine, job, plait__os_now_ns() + backoff(engine->options, job->attempt));
}

void map_engine_end_job(struct map_engine *engine, struct map_job *job,
                        const struct plait__command_end *end)
{
    int rc_out = drain(engine, &job->out), rc_err = drain(engine, &job->err);

    free_slot(engine, job);
    if (is_refused(engine, job, end))
        return;
    set_result(engine, job, end);
    go_on(engine, job, rc_out < 0 ? rc_out : rc_err);
}

void map_engine_end_function(struct map_engine *engine, struct map_job *job)
{
    int rc = map_so_result(job, engine->options->argv);

    free_slot(engine, job);
    go_on(engine, job, rc);
}

void map_engine_finish_retries(struct map_engine *engine)
{
    struct plait__heap_node *first;

    while ((first = plait__heap_first(&engine->retries)) != NULL) {
        struct map_job *job = plait__list_entry(first, struct map_job, node);
        plait__heap_remove(&engine->retries, first);
        if (job->attempt > 0)
            map_engine_finish_job(engine, job);
        else
            map_job_free(engine, job);
    }
}
