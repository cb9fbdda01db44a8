/* What a process begins with: its directory, its descriptors, its limits, its user.
 * SPDX-License-Identifier: MIT
 *
 *     plait_limit limits[] = {{.resource = RLIMIT_NOFILE, .soft = 64, .hard = 64}};
 *     plait_process_opts process = {.directory = "/var/empty", .in = PLAIT_FD_NULL,
 *                                   .close_fds = true, .limits = limits, .n_limits = 1};
 *     plait_task_opts opts = {.process = &process};
 *     int rc = plait_task_start(&task, PLAIT_PROCESS, child, NULL, &opts);
 *
 * All of it is done in the new process before the task's function is entered, in this order: session
 * and process group, standard descriptors, the closing of the others, directory, limits, niceness,
 * CPUs, group and user. When one of these steps fails nothing was started: plait_task_start returns
 * the error, and plait's log names the step.
 *
 * The strings and arrays need to live until the start has returned.
 */
#ifndef PLAIT_PROCESS_H
#define PLAIT_PROCESS_H

#include <plait/export.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

/* How a process is made.
 *
 * A fork has all memory of its caller and is refused beside other threads. A spawned process has none
 * but the family's heap: it is the program again, and costs an exec. One of the forkserver has the
 * memory that the program had when its keeper was made (plait_keeper_start), and costs a fork of that
 * one, however large the caller has become. A keeper that is made beside threads has the memory that
 * the program has at plait_init. Neither cares for the caller's threads, if plait_init was called or
 * the keeper made before them. */
typedef enum plait_start_method {
    PLAIT_START_DEFAULT = 0,    /* what the program has chosen; else fork */
    PLAIT_START_FORK = 1,       /* a copy of the caller, with its memory as it is now */
    PLAIT_START_SPAWN = 2,      /* the program again, from its beginning, up to plait_init */
    PLAIT_START_FORKSERVER = 3, /* a copy of the keeper, with the memory that this one has */
} plait_start_method;

/* What may stand in place of a descriptor in `in`, `out` and `err`. */
enum {
    PLAIT_FD_NULL = -1, /* /dev/null */
    PLAIT_FD_PIPE = -2, /* a pipe to the caller; of a subprocess only, elsewhere -EINVAL */
    PLAIT_FD_OUT = -3,  /* of `err` only: where standard output goes */
};

/* A resource limit, as of setrlimit. */
typedef struct plait_limit {
    int resource;  /* RLIMIT_NOFILE, RLIMIT_CPU, … */
    uint64_t soft; /* UINT64_MAX: no limit */
    uint64_t hard; /* UINT64_MAX: no limit; not less than soft */
} plait_limit;

/* What a process begins with; zero is the default of each field: as the caller has it. */
typedef struct plait_process_opts {
    /* standard input, output and error. 0: the caller's own; more: that descriptor of the caller, of
     * which the process has a copy; else PLAIT_FD_… */
    int in, out, err;
    /* close all descriptors but the standard ones and those of keep_fds, which keep their numbers.
     * Of plait's own only the memory of the heap stays: pipes and named segments are not to be used
     * any more, unless keep_fds has the descriptors (plait_pipe_fd). One of the forkserver never has
     * others, and of keep_fds 29 at most, with `tree` 28: more are -ENOTSUP */
    bool close_fds;
    const int *keep_fds;
    size_t n_keep_fds;
    const char *directory;    /* the working directory */
    char *const *environment; /* "NAME=value", NULL at the end: the whole of it */
    bool new_group;           /* leads a process group of its own */
    bool new_session;         /* leads a session of its own, without a terminal, and a group */
    bool has_nice;
    int nice; /* with has_nice: the niceness itself, -20 … 19; below the caller's needs a privilege */
    const plait_limit *limits; /* each resource once */
    size_t n_limits;
    const int *cpus; /* the numbers of the CPUs that it may run on */
    size_t n_cpus;   /* 0: those of the caller */
    /* a name, or a number in digits. A user comes with its own group, unless `group` says another
     * one, and with its further groups; the caller needs the privilege to change */
    const char *user;
    const char *group;
    /* zero. Other options point to these, without their size: they do not grow, but fields of later
     * versions come in here, and are -E2BIG to this one */
    uint64_t spare[8];
} plait_process_opts;

/* How the processes of this program are made that do not say it: what plait_task_opts.method of
 * PLAIT_START_DEFAULT means from now on. To be called once, by the program, not by a library. What is
 * started keeps to it, and so does what that starts.
 *
 *   method    any but PLAIT_START_DEFAULT.
 *   Blocks    no.
 *   From      any task.
 *   Errors    -EINVAL    method is none of them.
 *             -EALREADY  it was called before.
 *   Fork      usable in the child; that it was called there is nothing to the parent.
 *   Since     0.1
 */
PLAIT_API int plait_set_start_method(plait_start_method method);

/* How they are made: what was set, or else PLAIT_START_FORK.
 *
 *   Returns   never PLAIT_START_DEFAULT.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API plait_start_method plait_get_start_method(void);

PLAIT_END

#endif
