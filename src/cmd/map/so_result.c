/* --so: how a function ended, as a job's result.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/engine.h"
#include "os/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum {
    STATUS_MOST = 255,
};

/* Negative codes are errors by their number: -2 is exit status 2. plait_task_fail's is none of the
 * function's own. */
static int to_status(int code)
{
    if (code >= 0 || code == -ECANCELED)
        return 1;
    return code < -STATUS_MOST ? STATUS_MOST : -code;
}

/* Why, where the codes do not tell. */
static const char *explain(struct map_job *job, const plait_result *end)
{
    const char *message = plait_future_message(job->future);

    if (end->end == PLAIT_JOB_ERROR)
        return message[0] != '\0' ? message : NULL;
    if (end->end == PLAIT_JOB_CANCELLED)
        return "cancelled";
    if (end->end != PLAIT_JOB_LOST || end->signal != 0)
        return NULL;
    switch (end->cause) {
    case PLAIT_CAUSE_INIT:
        return "no process of the pool gets ready";
    case PLAIT_CAUSE_FUNCTION:
        return "the function is not there in the process that was to run it";
    case PLAIT_CAUSE_MEMORY:
        return "no memory for what it wrote";
    case PLAIT_CAUSE_DEATH:
    case PLAIT_CAUSE_POISON:
        snprintf(job->note, sizeof job->note, "it ended its process: exit %d", end->code);
        return job->note;
    default:
        return NULL;
    }
}

static void set_end(struct map_job *job, const plait_result *end, bool is_main)
{
    struct map_result *result = &job->result;

    switch (end->end) {
    case PLAIT_JOB_VALUE:
        result->exit_status = is_main ? end->code : 0;
        break;
    case PLAIT_JOB_ERROR:
        result->exit_status = to_status(end->code);
        break;
    case PLAIT_JOB_EXPIRED:
        result->timed_out = true;
        result->signal = end->signal;
        result->exit_status = 1;
        break;
    case PLAIT_JOB_LOST:
        result->keeper_died = end->cause == PLAIT_CAUSE_KEEPER;
        result->signal = result->keeper_died ? SIGKILL : end->signal;
        result->core = end->core;
        result->exit_status = end->code > 0 ? end->code : 1;
        break;
    case PLAIT_JOB_CANCELLED:
        result->exit_status = 1;
        break;
    }
    result->message = explain(job, end);
}

int map_so_result(struct map_job *job, bool is_main)
{
    const void *bytes = NULL;
    plait_result end;
    ssize_t n = plait_future_bytes(job->future, &bytes);
    int rc = plait_future_result(job->future, &end);

    if (rc < 0)
        return rc;
    if (n > 0 && (rc = plait__buf_add(&job->out.tail, bytes, (size_t)n)) < 0)
        return rc;
    job->out.bytes = n > 0 ? (uint64_t)n : 0;
    job->result = (struct map_result){ .seq = job->seq,
                                       .slot = job->slot,
                                       .attempt = job->attempt,
                                       .values = &job->values,
                                       .line = job->command.line,
                                       .run_ns = end.run_ns,
                                       .pid = end.pid,
                                       .out_bytes = job->out.bytes };
    if (end.starts > 0)
        job->result.start_ns = plait__os_real_ns() - end.run_ns;
    set_end(job, &end, is_main);
    return 0;
}
