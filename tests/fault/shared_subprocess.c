/* The fault injector's shared program: other programs, fed and drained.
 * SPDX-License-Identifier: MIT
 */
#include "shared_support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* Of a start, what a child may fail with too, of its steps and of its exec; of a pipe what no pipe
 * says, but a file. */
static const int of_start[] = { ENOMEM,  EMFILE, EAGAIN, EACCES, ETXTBSY, EBUSY, EINVAL,
                                ENOBUFS, EPERM,  EIO,    ENOSPC, EBADF,   0 };
static const int of_talk[] = { ENOMEM, EMFILE, EINVAL, EIO, ENOSPC, 0 };

static void run_missing(void)
{
    plait_subprocess *none = NULL;
    int rc = plait_subprocess_start(&none, (const char *[]){ "/nonexistent", NULL }, NULL);

    if (rc == -ENOENT)
        return;
    if (worked(
            "start", rc,
            of_start)) { /* killed before it could say so, by a keeper without memory to guard it */
        plait_outcome end = { 0 };
        worked("wait", plait_subprocess_wait(none, soon()), of_talk);
        must("what is not there does not run",
             plait_subprocess_outcome(none, &end) < 0 || end.signal == SIGKILL);
    }
    plait_subprocess_destroy(none);
}

/* As it ended by itself, or killed as above. */
static void check_end(const plait_outcome *end, int code)
{
    must("it ended by itself or was killed",
         end->kind == PLAIT_EXITED ? end->code == code : end->signal == SIGKILL);
    worked("the program", end->kind == PLAIT_EXITED ? 0 : -EIO, of_talk);
}

static void run_captured(void)
{
    const char *argv[] = { "sh", "-c", "cat; echo err >&2; exit 3", NULL };
    plait_process_opts process = { .directory = "/", .new_group = true };
    plait_run_opts opts = {
        .capture = true, .input = large, .input_bytes = LARGE, .process = &process
    };
    plait_run_result result;
    int rc = plait_run(argv, &opts, &result, soon());

    if (worked("run", rc, of_start)) {
        bool ended = result.outcome.kind == PLAIT_EXITED;
        must("a run tells a status", rc == 1);
        check_end(&result.outcome, 3);
        must("a run captures all", !ended || (result.out_bytes == LARGE && result.err_bytes == 4 &&
                                              memcmp(result.out, large, LARGE) == 0));
    }
    plait_run_result_fini(&result);
}

static void run_chain(void)
{
    const char *first[] = { "cat", NULL }, *last[] = { "wc", "-c", NULL };
    const char *const *argvs[] = { first, last };
    plait_process_opts pipes = { .in = PLAIT_FD_PIPE, .out = PLAIT_FD_PIPE };
    plait_subprocess_opts opts = { .process = &pipes };
    plait_subprocess *p = NULL;
    plait_outcome ends[2];

    if (!worked("start", plait_subprocess_start_pipeline(&p, argvs, 2, &opts), of_start))
        return;
    if (worked("communicate", plait_subprocess_communicate(p, large, LARGE, soon()), of_talk)) {
        must("both have ended", plait_subprocess_outcomes(p, ends, 2) == 2);
        for (int i = 0; i < 2; i++)
            check_end(&ends[i], 0);
        if (ends[0].signal == 0 && ends[1].signal == 0)
            must("all has come through", strcmp(plait_subprocess_output(p, NULL), "100000\n") == 0);
    }
    plait_subprocess_destroy(p);
}

/* Selected on, then killed. (What ends a tree reads all of /proc, whose size is not ours: the tool's
 * time-outs have it.) */
static void run_ended(void)
{
    plait_process_opts quiet = { .out = PLAIT_FD_NULL };
    plait_subprocess_opts opts = { .process = &quiet };
    plait_subprocess *p = NULL;
    plait_waitable on;
    plait_outcome end;

    if (!worked("start", plait_subprocess_start(&p, (const char *[]){ "sleep", "60", NULL }, &opts),
                of_start))
        return;
    worked("on_end", plait_subprocess_on_end(&on, p), of_talk);
    ssize_t rc = plait_select(&on, 1, plait_after_ms(1));
    if (rc != -ETIMEDOUT)
        worked("select", rc, of_talk);
    if (worked("kill", plait_subprocess_kill(p), of_start) &&
        worked("wait", plait_subprocess_wait(p, soon()), of_talk)) {
        must("there is an outcome", plait_subprocess_outcome(p, &end) == 0);
        must("it was killed", end.signal == SIGKILL);
    }
    plait_subprocess_destroy(p);
}

void run_subprocess(const char *name)
{
    (void)name;
    if (!worked("keeper", plait_keeper_start(), of_start))
        return;
    remember_fds(); /* its own stay */
    run_missing();
    run_captured();
    run_chain();
    run_ended();
    plait_subprocess_destroy(NULL);
}
