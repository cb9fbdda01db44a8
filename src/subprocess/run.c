/* A program from its start to its end, in one call.
 * SPDX-License-Identifier: MIT
 */
#include "base/opts.h"
#include "subprocess/subprocess.h"
#include "wait/sleeper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* What the program is started with. */
static int choose(const plait_run_opts *opts, plait_process_opts *process,
                  plait_subprocess_opts *ret)
{
    *process = opts->process != NULL ? *opts->process : (plait_process_opts){ 0 };
    if (opts->input != NULL ? process->in != 0 : opts->input_bytes > 0)
        return -EINVAL;
    if (opts->capture && process->out == 0)
        process->out = PLAIT_FD_PIPE;
    if (opts->capture && process->err == 0)
        process->err = PLAIT_FD_PIPE;
    if (opts->input != NULL)
        process->in = PLAIT_FD_PIPE;
    *ret = (plait_subprocess_opts){
        .process = process, .shell = opts->shell, .tree = true, .max_bytes = opts->max_bytes
    };
    return 0;
}

/* Nothing of it is left but what it has said, unless it has become somebody else's. */
static void end(plait_subprocess *p)
{
    if (plait__subprocess_signal(p, SIGKILL) == -EPERM)
        return;
    plait__mask_cancel();
    plait_subprocess_wait(p, PLAIT_FOREVER);
    plait_subprocess_communicate(p, NULL, 0, PLAIT_NOWAIT);
    plait__unmask_cancel();
}

/* Hands what was read of a pipe over. */
static int take(plait_subprocess *p, int which, char **ret, size_t *ret_bytes)
{
    size_t n = p->said[which].len;

    *ret = plait__buf_detach(&p->said[which]);
    *ret_bytes = n;
    return *ret == NULL ? -ENOMEM : 0;
}

static int run(const char *const *argv, const plait_run_opts *opts, plait_run_result *ret,
               plait_deadline until)
{
    plait_process_opts process;
    plait_subprocess_opts start;
    plait_subprocess *p = NULL;
    int rc = choose(opts, &process, &start), taken = 0;

    if (rc == 0)
        rc = plait_subprocess_start(&p, argv, &start);
    if (rc < 0)
        return rc;
    rc = plait_subprocess_communicate(p, opts->input, opts->input_bytes, until);
    if (rc < 0)
        end(p);
    plait_subprocess_outcome(p, &ret->outcome);
    if (process.out == PLAIT_FD_PIPE)
        taken = take(p, 0, &ret->out, &ret->out_bytes);
    if (process.err == PLAIT_FD_PIPE && taken == 0)
        taken = take(p, 1, &ret->err, &ret->err_bytes);
    plait_subprocess_destroy(p);
    rc = rc < 0 ? rc : taken;
    if (rc == 0)
        rc = ret->outcome.kind != PLAIT_EXITED || ret->outcome.code != 0;
    return rc;
}

int plait_run_sized(const char *const *argv, const plait_run_opts *opts, size_t opts_bytes,
                    plait_run_result *ret, plait_deadline until)
{
    plait_run_result result = { 0 };
    plait_run_opts ours;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc == 0)
        rc = run(argv, &ours, &result, until);
    if (ret != NULL)
        *ret = result;
    else
        plait_run_result_fini(&result);
    return rc;
}

void plait_run_result_fini(plait_run_result *result)
{
    if (result == NULL)
        return;
    free(result->out);
    free(result->err);
    *result = (plait_run_result){ 0 };
}

int plait_getoutput(char **ret, const char *line, plait_deadline until)
{
    const char *argv[] = { line, NULL };
    plait_process_opts both = { .out = PLAIT_FD_PIPE, .err = PLAIT_FD_OUT };
    plait_run_opts opts = { .process = &both, .shell = true };
    plait_run_result result;
    int rc;

    if (ret == NULL || line == NULL)
        return -EINVAL;
    rc = plait_run(argv, &opts, &result, until);
    if (rc < 0) {
        plait_run_result_fini(&result);
        return rc;
    }
    if (result.out_bytes > 0 && result.out[result.out_bytes - 1] == '\n')
        result.out[result.out_bytes - 1] = '\0';
    *ret = result.out;
    return rc;
}
