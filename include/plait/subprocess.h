/* Subprocesses: run another program, feed it, read what it says, and end it with all that it started.
 * SPDX-License-Identifier: MIT
 *
 *     const char *list[] = { "ls", "-l", NULL };
 *     plait_run_opts captured = { .capture = true };
 *     plait_run_result result;
 *
 *     int rc = plait_run(list, &captured, &result, plait_after_ms(5000));
 *     if (rc == 0)                                  // it ended with status 0
 *         fwrite(result.out, 1, result.out_bytes, stdout);
 *     else if (rc == -ETIMEDOUT)                    // it was killed, with all below it
 *         puts("too slow");
 *     plait_run_result_fini(&result);
 *
 *     const char *sort[] = { "sort", NULL };
 *     plait_process_opts both = { .in = PLAIT_FD_PIPE, .out = PLAIT_FD_PIPE };
 *     plait_subprocess_opts opts = { .process = &both };
 *     plait_subprocess *p;
 *
 *     plait_subprocess_start(&p, sort, &opts);
 *     plait_subprocess_communicate(p, "b\na\n", 4, PLAIT_FOREVER);
 *     puts(plait_subprocess_output(p, NULL));       // "a\nb\n"
 *     plait_subprocess_destroy(p);
 *
 * The words are those of Python's subprocess. Every wait lets the other coroutines of the thread
 * run. Starting costs the same however large the caller is (the first start makes the keeper, unless
 * plait_init has); that a program cannot be executed is the error of its start.
 *
 * A subprocess ends with this process, however that ends, SIGKILL included, unless it is detached:
 * it is registered with the keeper before its first instruction. Where no keeper can be made, since
 * the program had other threads before its first need of one, it is started all the same, and the log
 * says so; plait_init, or plait_keeper_start before the first thread, sees to that.
 *
 * It begins with no signal blocked, no handler, and SIGPIPE, SIGXFSZ and SIGCHLD not ignored; other
 * signals that the caller ignores stay ignored. It is a child of the caller's process, which a host's
 * own wait(-1) may reap, or a host that ignores SIGCHLD: then newer kernels still tell plait how it
 * ended, and on others that is PLAIT_UNKNOWN.
 */
#ifndef PLAIT_SUBPROCESS_H
#define PLAIT_SUBPROCESS_H

#include <plait/export.h>
#include <plait/process.h>
#include <plait/task.h>
#include <plait/time.h>
#include <plait/waitable.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

PLAIT_BEGIN

/* One program that was started, or several whose out is the in of the next; opaque. */
typedef struct plait_subprocess plait_subprocess;

/* Options of plait_subprocess_start; zero is the default of each field. */
typedef struct plait_subprocess_opts {
    /* in, out and err (PLAIT_FD_PIPE: an end of a pipe for plait_subprocess_communicate), directory,
     * environment and so on; NULL: the caller's */
    const plait_process_opts *process;
    /* argv[0] is a line for /bin/sh; the words behind it are its $0, $1 … */
    bool shell;
    /* What ends it ends all below it, also what has left for a session of its own. The program
     * becomes the parent of its orphans, and finds PLAIT_TREE in its environment. */
    bool tree;
    /* It lives on when this process ends, and when its handle is destroyed. */
    bool detach;
    /* plait_subprocess_communicate gives up when out, or err, is longer; 0: no limit */
    size_t max_bytes;
} plait_subprocess_opts;

/* Options of plait_run; zero is the default of each field. */
typedef struct plait_run_opts {
    const plait_process_opts *process; /* as plait_subprocess_opts */
    bool shell;                        /* likewise */
    /* out and err come into the result; each is a pipe where process says nothing else of it */
    bool capture;
    const void *input;  /* what the program reads; NULL: what process says */
    size_t input_bytes; /* how many bytes of it; 0: it finds the end of file at once */
    size_t max_bytes;   /* -EMSGSIZE when out, or err, is longer; 0: no limit */
} plait_run_opts;

/* What plait_run tells; zero bytes are an empty one. */
typedef struct plait_run_result {
    plait_outcome outcome; /* how it ended; kind is 0 if it was not started */
    char *out;             /* of an out that is a pipe: what it wrote, and a NUL; else NULL */
    size_t out_bytes;
    char *err;
    size_t err_bytes;
} plait_run_result;

/* Start a program.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_subprocess_destroy.
 *   argv      the program and its arguments, up to a NULL. A name without a slash is looked up in the
 *             PATH of the environment that the program gets. A file that the kernel takes for no
 *             program is a script for /bin/sh.
 *   opts      options, or NULL.
 *   Blocks    no longer than the kernel takes to execute it.
 *   From      any task, of any thread.
 *   Errors    What keeps the program from being executed is told here; the log (PLAIT_LOG_INFO)
 *             says which step failed.
 *             -ENOENT   there is no such program, or directory.
 *             -EACCES   it may not be executed, the directory not be entered, or a niceness not be
 *                       given.
 *             -EPERM    a user, group or limit that the caller may not give.
 *             -ENOTDIR, -ELOOP, -E2BIG and other errors of chdir and execve.
 *             -EINVAL   ret, argv or argv[0] is NULL, or an option makes no sense.
 *             -EBADF    one of the descriptors in the options is not open.
 *             -EAGAIN   a limit on processes.
 *             -EMFILE   no descriptor is left.
 *             -ENOMEM   no memory.
 *             -E2BIG    also: opts sets what this library does not know.
 *             -ECANCELED  another thread ends this process, and has waited for its tasks.
 *   Fork      a child may start some of its own; it has none of its parent's.
 *   Since     0.1
 */
static inline int plait_subprocess_start(plait_subprocess **ret, const char *const *argv,
                                         const plait_subprocess_opts *opts);

/* plait_subprocess_start with the size of the options in words, for bindings.
 *
 *   ret        as there.
 *   argv       as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   Blocks     as plait_subprocess_start.
 *   From       as plait_subprocess_start.
 *   Errors     as plait_subprocess_start.
 *   Fork       as plait_subprocess_start.
 *   Since      0.1
 */
PLAIT_API int plait_subprocess_start_sized(plait_subprocess **ret, const char *const *argv,
                                           const plait_subprocess_opts *opts, size_t opts_bytes);

static inline int plait_subprocess_start(plait_subprocess **ret, const char *const *argv,
                                         const plait_subprocess_opts *opts)
{
    return plait_subprocess_start_sized(ret, argv, opts, sizeof *opts);
}

/* Start several programs, the out of each being the in of the next. They are one subprocess: it has
 * ended when all have, signals go to all, and its outcome is that of the last.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_subprocess_destroy.
 *   argvs     the programs, each as plait_subprocess_start takes it.
 *   n         how many, at least 1.
 *   opts      options, or NULL; in is that of the first, out that of the last, the rest is that of
 *             all. Not with shell, where a line can say it itself.
 *   Blocks    as plait_subprocess_start.
 *   From      any task, of any thread.
 *   Errors    -ENOENT, -EACCES and so on, as plait_subprocess_start, of any of the programs: then those
 *             that had been started are killed.
 *             -EINVAL   also: n is 0, or opts says shell.
 *   Fork      as plait_subprocess_start.
 *   Since     0.1
 */
static inline int plait_subprocess_start_pipeline(plait_subprocess **ret,
                                                  const char *const *const *argvs, size_t n,
                                                  const plait_subprocess_opts *opts);

/* plait_subprocess_start_pipeline with the size of the options in words, for bindings.
 *
 *   ret        as there.
 *   argvs      as there.
 *   n          as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   Blocks     as plait_subprocess_start.
 *   From       as plait_subprocess_start.
 *   Errors     as plait_subprocess_start_pipeline.
 *   Fork       as plait_subprocess_start.
 *   Since      0.1
 */
PLAIT_API int plait_subprocess_start_pipeline_sized(plait_subprocess **ret,
                                                    const char *const *const *argvs, size_t n,
                                                    const plait_subprocess_opts *opts,
                                                    size_t opts_bytes);

static inline int plait_subprocess_start_pipeline(plait_subprocess **ret,
                                                  const char *const *const *argvs, size_t n,
                                                  const plait_subprocess_opts *opts)
{
    return plait_subprocess_start_pipeline_sized(ret, argvs, n, opts, sizeof *opts);
}

/* Wait until it has ended. May be called again, and by several tasks at once. A program that writes
 * into a pipe which nobody reads does not end: plait_subprocess_communicate reads and waits.
 *
 *   p         the subprocess.
 *   until     how long to wait.
 *   Returns   0: it has ended.
 *   Blocks    until it has ended or the deadline. A cancellation point.
 *   From      any task of the process that started it.
 *   Errors    -ETIMEDOUT  it still runs.
 *             -ECANCELED  the caller was asked to end.
 *             -ECHILD     it is not one of this process (a handle inherited by fork).
 *             -EINVAL     p is NULL.
 *             -ENOMEM     no memory to wait with.
 *             -EMFILE     no descriptor is left, and one is needed to be cancelled.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_wait(plait_subprocess *p, plait_deadline until);

/* Has it ended? It is reaped then.
 *
 *   p         the subprocess.
 *   Returns   1: it has ended; 0: it runs.
 *   Blocks    no.
 *   From      any task of the process that started it.
 *   Errors    -ECHILD  it is not one of this process.
 *             -EINVAL  p is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_poll(plait_subprocess *p);

/* How it ended: with a status, by a signal, or unknown when the host has reaped it. Of a pipeline: how
 * the last program ended.
 *
 *   p         the subprocess.
 *   ret       gets the outcome; untouched on failure.
 *   Blocks    no.
 *   From      any task of the process that started it.
 *   Errors    -EAGAIN  it still runs.
 *             -ECHILD  it is not one of this process.
 *             -EINVAL  p or ret is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_outcome(plait_subprocess *p, plait_outcome *ret);

/* How each program of a pipeline ended, as a shell's PIPESTATUS.
 *
 *   p         the subprocess.
 *   ret       gets the outcomes of the first n; untouched on failure. May be NULL when n is 0.
 *   n         room in ret.
 *   Returns   how many programs there are.
 *   Blocks    no.
 *   From      any task of the process that started it.
 *   Errors    -EAGAIN  one of them still runs.
 *             -ECHILD  it is not one of this process.
 *             -EINVAL  p is NULL, or ret is and n is not 0.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API ssize_t plait_subprocess_outcomes(plait_subprocess *p, plait_outcome *ret, size_t n);

/* Send it a signal; with tree, to all below it too. One that has ended is left alone.
 *
 *   p         the subprocess.
 *   number    the signal.
 *   Blocks    no; with tree, as long as it takes to look through /proc.
 *   From      any task of the process that started it.
 *   Errors    -EPERM   it belongs to somebody else now.
 *             -ECHILD  it is not one of this process.
 *             -EINVAL  p is NULL, or number is no signal.
 *             -ENOENT, -ENOMEM, -EMFILE  with tree: those below it were not found, as there is no
 *             /proc, or no memory; it alone was sent the signal.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_send_signal(plait_subprocess *p, int number);

/* Ask it to end, by SIGTERM.
 *
 *   p         the subprocess.
 *   Blocks    as plait_subprocess_send_signal; wait to see it end.
 *   From      any task of the process that started it.
 *   Errors    -EPERM   it belongs to somebody else now.
 *             -ECHILD  it is not one of this process.
 *             -EINVAL  p is NULL.
 *             -ENOENT, -ENOMEM, -EMFILE  with tree: as plait_subprocess_send_signal.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_terminate(plait_subprocess *p);

/* End it at once, by SIGKILL. With tree: and all below it, until nobody is found, also those that it
 * left behind when it ended.
 *
 *   p         the subprocess.
 *   Blocks    as plait_subprocess_send_signal; wait to see it end.
 *   From      any task of the process that started it.
 *   Errors    -EPERM   it belongs to somebody else now.
 *             -ECHILD  it is not one of this process.
 *             -EINVAL  p is NULL.
 *             -ENOENT, -ENOMEM, -EMFILE  with tree: as plait_subprocess_send_signal.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_kill(plait_subprocess *p);

/* Let go of a subprocess. One that still runs is killed (with tree, all below it too) and reaped, but
 * not if it is detached. Our ends of its pipes are closed.
 *
 *   p         the subprocess; NULL is fine.
 *   Blocks    for one that still runs, until the kernel has ended it.
 *   From      any task of the process that started it, with no other call on it under way.
 *   Errors    none.
 *   Fork      in the child it frees the handle and closes the child's descriptors.
 *   Since     0.1
 */
PLAIT_API void plait_subprocess_destroy(plait_subprocess *p);

/* Its process id; of a pipeline, that of the last program.
 *
 *   p         the subprocess.
 *   Returns   the id; 0 for NULL. It may belong to somebody else once it has been waited for.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API pid_t plait_subprocess_pid(const plait_subprocess *p);

/* A descriptor that is readable once it has ended, for a foreign poll or epoll (a pidfd); of a
 * pipeline, that of the last program. Not to be closed.
 *
 *   p         the subprocess.
 *   Returns   the descriptor.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL  p is NULL.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_fd(const plait_subprocess *p);

/* Our end of the pipe that it reads. Write with SIGPIPE in mind, and not once
 * plait_subprocess_communicate was called. Not to be closed but by plait_subprocess_close_stdin.
 *
 *   p         the subprocess.
 *   Returns   the descriptor.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EBADF   there is none: in was not PLAIT_FD_PIPE, or it was closed.
 *             -EINVAL  p is NULL.
 *   Fork      usable in the child; the program reads the end of file when all have closed it.
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_stdin(const plait_subprocess *p);

/* Our end of the pipe that it writes out to. Not to be closed, nor read once
 * plait_subprocess_communicate was called.
 *
 *   p         the subprocess.
 *   Returns   the descriptor.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EBADF   there is none: out was not PLAIT_FD_PIPE, or was read to its end.
 *             -EINVAL  p is NULL.
 *   Fork      usable in the child; what one of them reads the other does not.
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_stdout(const plait_subprocess *p);

/* Our end of the pipe that it writes err to. Not to be closed, nor read once
 * plait_subprocess_communicate was called.
 *
 *   p         the subprocess.
 *   Returns   the descriptor.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EBADF   there is none: err was not PLAIT_FD_PIPE, or was read to its end.
 *             -EINVAL  p is NULL.
 *   Fork      usable in the child; what one of them reads the other does not.
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_stderr(const plait_subprocess *p);

/* Close our end of the pipe that it reads: it finds the end of file there.
 *
 *   p         the subprocess.
 *   Blocks    no.
 *   From      any task, with no other call on its pipes under way.
 *   Errors    -EBADF   there is none, or it was closed.
 *             -EINVAL  p is NULL.
 *   Fork      in the child it closes the child's own.
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_close_stdin(plait_subprocess *p);

/* Feed it, read its out and err to their ends (those that are PLAIT_FD_PIPE), and wait until it has
 * ended. SIGPIPE is not raised; what a program does not want to read is no error. When a deadline or
 * something else interrupts this, nothing is lost: what was read so far is there, and a later call
 * goes on.
 *
 *   p         the subprocess.
 *   input     what it is to read, then the end of file; NULL: the end of file at once, or the rest of
 *             what an earlier call began with. It is not copied: the bytes stay until all are written,
 *             or p is destroyed.
 *   n         how many bytes.
 *   until     how long to wait.
 *   Returns   0: it has ended; plait_subprocess_output has what it said.
 *   Blocks    until it has ended and its pipes are closed, also by what it started and left, or the
 *             deadline. A cancellation point.
 *   From      any task of the process that started it, one at a time.
 *   Errors    -ETIMEDOUT  it is not over yet.
 *             -ECANCELED  the caller was asked to end.
 *             -EMSGSIZE   it said more than max_bytes; the first max_bytes are there.
 *             -EINVAL     p is NULL, input is and n is not 0, in is not PLAIT_FD_PIPE, or an earlier
 *                         call had input already.
 *             -ENOMEM     no memory for what it says; what is there stays.
 *             -EMFILE     no descriptor is left, and one is needed to be cancelled.
 *             -ECHILD     it is not one of this process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_communicate(plait_subprocess *p, const void *input, size_t n,
                                           plait_deadline until);

/* What plait_subprocess_communicate has read of out so far.
 *
 *   p         the subprocess.
 *   ret_bytes gets how many bytes; may be NULL.
 *   Returns   the bytes and a NUL, which live until the next call on p that reads, or destroys it;
 *             "" if there are none, or for NULL.
 *   Blocks    no.
 *   From      any task, with no plait_subprocess_communicate under way.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API const char *plait_subprocess_output(const plait_subprocess *p, size_t *ret_bytes);

/* What plait_subprocess_communicate has read of err so far.
 *
 *   p         the subprocess.
 *   ret_bytes gets how many bytes; may be NULL.
 *   Returns   as plait_subprocess_output.
 *   Blocks    no.
 *   From      any task, with no plait_subprocess_communicate under way.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API const char *plait_subprocess_errors(const plait_subprocess *p, size_t *ret_bytes);

/* Ready when the subprocess has ended, so that plait_subprocess_wait does not wait.
 *
 *   ret       filled; untouched on failure.
 *   p         the subprocess; lives as long as the waitable is used.
 *   Blocks    no.
 *   From      any task of the process that started it.
 *   Errors    -ECHILD  it is not one of this process.
 *             -EINVAL  ret or p is NULL.
 *   Fork      not usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_subprocess_on_end(plait_waitable *ret, plait_subprocess *p);

/* Run a program to its end, as Python's run with check: start it, feed it, read what it says, wait.
 * When the deadline passes, or anything else goes wrong, it is killed, with all below it.
 *
 *   argv      the program and its arguments, as plait_subprocess_start takes them.
 *   opts      options, or NULL.
 *   ret       gets what came of it, also on failure: the output so far. May be NULL. What it held
 *             before is forgotten, not freed. Freed by plait_run_result_fini.
 *   until     how long it may take.
 *   Returns   0: it ended with status 0; 1: it ended in another way, which ret->outcome tells.
 *   Blocks    until it has ended and nobody has its pipes, or the deadline. A cancellation point.
 *   From      any task, of any thread.
 *   Errors    those of plait_subprocess_start: it did not run.
 *             -ETIMEDOUT  it took too long, and was killed; or lives on, if the caller may not kill
 *                         it: then, here and below, the outcome's kind is 0.
 *             -ECANCELED  the caller was asked to end; it was killed.
 *             -EMSGSIZE   it said more than max_bytes, and was killed.
 *             -EINVAL     also: input together with an in, or input_bytes without input.
 *             -ENOMEM     no memory for what it says; it was killed.
 *   Fork      usable in the child.
 *   Since     0.1
 */
static inline int plait_run(const char *const *argv, const plait_run_opts *opts,
                            plait_run_result *ret, plait_deadline until);

/* plait_run with the size of the options in words, for bindings.
 *
 *   argv       as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   ret        as there.
 *   until      as there.
 *   Blocks     as plait_run.
 *   From       as plait_run.
 *   Errors     as plait_run.
 *   Fork       as plait_run.
 *   Since      0.1
 */
PLAIT_API int plait_run_sized(const char *const *argv, const plait_run_opts *opts,
                              size_t opts_bytes, plait_run_result *ret, plait_deadline until);

static inline int plait_run(const char *const *argv, const plait_run_opts *opts,
                            plait_run_result *ret, plait_deadline until)
{
    return plait_run_sized(argv, opts, sizeof *opts, ret, until);
}

/* Free what a result holds; it is empty after it.
 *
 *   result    what plait_run filled, or zero bytes; NULL is fine.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API void plait_run_result_fini(plait_run_result *result);

/* Run a line of /bin/sh and give what it says on out and err, without the last newline, as Python's
 * getoutput.
 *
 *   ret       gets the text, for free(), whenever 0 or 1 is returned; else untouched.
 *   line      the line.
 *   until     how long it may take.
 *   Returns   0: it ended with status 0; 1: it did not.
 *   Blocks    as plait_run.
 *   From      any task, of any thread.
 *   Errors    -EINVAL  ret or line is NULL.
 *             others   as plait_run.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API int plait_getoutput(char **ret, const char *line, plait_deadline until);

PLAIT_END

#endif
