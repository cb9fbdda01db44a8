/* How a run of the engine is given up, and a job with it.
 * SPDX-License-Identifier: MIT
 */
#include "base/time.h"
#include "cmd/exit.h"
#include "cmd/map/engine.h"
#include "task/keeper.h"

#include <plait/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KILL_AFTER_S = 10,
    GONE_KILL_AFTER_MS = 500, /* the reader of our output went away: nobody waits for a farewell */
};

int64_t map_kill_after(const struct map_options *options)
{
    return options->has_kill_after ? options->kill_after_ns : KILL_AFTER_S * PLAIT__SECOND_NS;
}

void map_engine_stop(struct map_engine *engine, int64_t kill_after_ns)
{
    engine->phase = MAP_STOPPING;
    engine->kill_after_ns = kill_after_ns;
    if (engine->options->so != NULL) {
        map_so_stop(engine, kill_after_ns == 0 && engine->stop_signals > 1);
        return;
    }
    /* no keeper: nothing runs; a dead one: the loop hears of it; one that takes no requests: again
     * when it does */
    engine->must_tell_stop = plait__keeper_stop_all(kill_after_ns) == -ETIMEDOUT;
}

void map_engine_fail(struct map_engine *engine, int exit_code, const char *format, ...)
{
    char text[1024];
    va_list args;

    if (engine->fatal == 0) { /* what follows from the first failure is noise */
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        map_report_say(engine->report, "%s", text);
        engine->fatal = exit_code;
    }
    if (engine->phase != MAP_STOPPING)
        map_engine_stop(engine, map_kill_after(engine->options));
}

void map_engine_output_failed(struct map_engine *engine, int error)
{
    if (error == -EINTR) /* a second Ctrl-C while we wrote: the stop is under way */
        return;
    if (error != -EPIPE) {
        map_engine_fail(engine, CMD_EXIT_ERROR, "cannot write the output: %s",
                        plait_strerror(error));
        return;
    }
    if (!engine->reader_gone) {
        engine->reader_gone = true;
        map_engine_stop(engine, GONE_KILL_AFTER_MS * (PLAIT__SECOND_NS / 1000));
    }
}

void map_job_free(struct map_engine *engine, struct map_job *job)
{
    if (job == NULL)
        return;
    map_stream_fini(&engine->spool, &job->out);
    map_stream_fini(&engine->spool, &job->err);
    map_values_fini(&job->values);
    map_command_fini(&job->command);
    plait_future_unref(job->future);
    free(job);
}

void map_engine_put_back(struct map_engine *engine, struct map_job *job, int64_t ready_ns)
{
    job->node.key = ready_ns;
    if (plait__heap_push(&engine->retries, &job->node) < 0) {
        map_engine_fail(engine, CMD_EXIT_ERROR, "out of memory");
        map_job_free(engine, job);
    }
}
