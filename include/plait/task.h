/* Tasks: a running function, as a process, as a thread or as a coroutine.
 * SPDX-License-Identifier: MIT
 *
 *     static int child(void *arg)
 *     {
 *         printf("hello from %s\n", plait_task_name(plait_task_current()));
 *         return 7;
 *     }
 *
 *     plait_task *task = NULL;
 *     plait_outcome end;
 *     plait_task_opts opts = {.name = "child"};
 *     int rc = plait_task_start(&task, PLAIT_PROCESS, child, NULL, &opts);
 *     if (rc == 0)
 *         rc = plait_task_join(task, plait_after_ms(2000)); // -ETIMEDOUT if it still runs
 *     if (rc == 0)
 *         rc = plait_task_outcome(task, &end);              // end.kind, end.code
 *     plait_task_destroy(task);
 *
 * The kinds differ in isolation and cost, not in the calls. The words are those of Python's
 * multiprocessing and threading (start, join, is_alive, terminate, kill, daemon), with their
 * meaning.
 *
 * Processes are forked from the caller and see its memory as it was. That needs a program without
 * other threads; with others, PLAIT_ETHREADS. The start methods of plait/process.h do not copy the
 * caller: PLAIT_START_SPAWN and PLAIT_START_FORKSERVER work beside threads. Each process is registered
 * with the keeper before its function is entered: when the caller's process dies, even by SIGKILL, the
 * task is killed too.
 *
 * At exit (a return from main, or exit) threads are joined, then processes that are daemons are
 * killed, then the other processes are joined.
 */
#ifndef PLAIT_TASK_H
#define PLAIT_TASK_H

#include <plait/export.h>
#include <plait/process.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

PLAIT_BEGIN

/* A task; opaque. */
typedef struct plait_task plait_task;

/* What a task is. The numbers are part of the interface. */
typedef enum plait_kind {
    PLAIT_PROCESS = 1, /* a process of its own: isolated; its death is an ordinary event */
    PLAIT_THREAD = 2,  /* a thread of this process: shares all memory; its crash is the program's */
    PLAIT_COROUTINE = 3, /* a strand of this thread: runs while the others of the thread wait */
} plait_kind;

/* The function of a task. What it returns is the task's result; it is never mixed with plait's own
 * codes. */
typedef int plait_task_fn(void *arg);

/* What a task runs in place of one function: what a subclass with its own run() is elsewhere. All of
 * it is called in the task, with its arg. The table lives as long as the task. */
typedef struct plait_task_table {
    int (*init)(
        void *arg);     /* first; not 0: that is the result, nothing else is called. May be NULL */
    plait_task_fn *run; /* its result is the task's */
    void (*fini)(void *arg); /* when run has returned. May be NULL */
} plait_task_table;

/* Options of plait_task_start; zero is the default of each field. Those of processes alone are
 * -ENOTSUP for other kinds, but with_threads, which allows what these need not ask for. */
typedef struct plait_task_opts {
    const char *name; /* copied; NULL: "Process-N", "Thread-N" or "Coroutine-N" */
    bool daemon; /* not waited for at exit; a process is killed then, a coroutine asked to end */
    size_t stack_bytes; /* of a thread: 0: the system's default. Of a coroutine: 0: 192 KiB */
    size_t
        arg_bytes; /* arg points to so many bytes, of which the task gets a copy; 0: arg itself */
    const plait_task_table *table; /* with an fn of NULL: what runs in its place */
    /* a process: how it is made */
    plait_start_method method;
    /* a process: ended are also those that it has started, and those below them, whatever they do to
     * get away: by plait_task_terminate, plait_task_kill and plait_task_destroy, and when the task has
     * ended or its owner has died */
    bool tree;
    /* a process: forked although the program has other threads. Of these there is nothing in the
     * child but what they held: until an exec, only what is safe in a signal handler, and plait, is
     * safe there, unless the program knows better */
    bool with_threads;
    const plait_process_opts *process; /* a process: what it begins with; NULL: as its parent */
} plait_task_opts;

/* How a task ended. */
typedef enum plait_end {
    PLAIT_RETURNED = 1, /* its function returned: `code` */
    PLAIT_EXITED,    /* it called exit or _exit (a process): `code` is the exit status, 0 … 255 */
    PLAIT_SIGNALLED, /* a signal ended it: `signal`, `core` */
    PLAIT_CANCELLED, /* it was asked to end, and its function then returned -ECANCELED: `code` */
    PLAIT_UNKNOWN,   /* the host reaped the process itself, and the kernel does not tell any more */
} plait_end;

typedef struct plait_outcome {
    plait_end kind;
    int code;       /* what the function returned, or the exit status */
    int signal;     /* the signal that ended it; else 0 */
    bool core;      /* it dumped core */
    bool has_usage; /* the figures below are there (of a process that was not reaped by the host) */
    int64_t user_ns;   /* CPU time in user mode */
    int64_t system_ns; /* CPU time in the kernel */
    int64_t peak_kib;  /* peak resident memory, the pages shared with its parent included */
    /* the kernel ended it for want of memory: while it ran, its control group's count of such ends
     * has grown, and it died of a SIGKILL that its owner had not asked for */
    bool out_of_memory;
} plait_outcome;

/* Start a task.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_task_destroy.
 *   kind      PLAIT_PROCESS, PLAIT_THREAD or PLAIT_COROUTINE.
 *   fn        the function to run; NULL with opts->table. A process sees the caller's memory as it is now. stdout and
 *             stderr are flushed before a process is forked, and after its function has returned.
 *   arg       handed to fn; belongs to the task from success on. A process that is not forked from the
 *             caller finds no memory of it but the family's heap: NULL, a pointer into that, or bytes
 *             (opts->arg_bytes).
 *   opts      options, or NULL.
 *   Blocks    no longer than a fork of this process takes; with PLAIT_START_SPAWN until the new
 *             process has come to its plait_init; other coroutines of the thread run meanwhile.
 *   From      any task; a process that is forked, from the only thread of a program. Not from a signal
 *             handler.
 *   Errors    -EINVAL         ret or fn is NULL (or neither or both of fn and table are there),
 *                             kind is none of the kinds, the stack is too small, or an option makes
 *                             no sense.
 *             -ENOTSUP        an option that this kind, or this start method, does not have; or
 *                             PLAIT_START_SPAWN without plait_init, or in a program that has
 *                             privileges of its file (set-uid), which the log says.
 *             PLAIT_ETHREADS  a process is to be forked, or a keeper made without plait_init, while
 *                             other threads exist: start processes before threads.
 *             PLAIT_EKEEPER   the keeper died at this moment, and the new one too; nothing was
 *                             started.
 *             -EAGAIN         a limit on processes or threads.
 *             -EMFILE         no descriptors left.
 *             -ENOMEM         no memory.
 *             -E2BIG          opts is larger than this library knows and sets what it does not
 *                             know; or opts->process does.
 *             -EBUSY          PLAIT_START_FORKSERVER: the keeper was made without the family's heap, and
 *                             runs commands.
 *             -EADDRINUSE     PLAIT_START_SPAWN: eight new processes had something else at the
 *                             addresses of the family's heap.
 *             -ENOEXEC        PLAIT_START_SPAWN: the new process ended before its plait_init.
 *             -ESTALE         PLAIT_START_SPAWN: the library on disk is another build by now.
 *             -ENOENT         the directory, the user or the group does not exist, or a spawned
 *                             process cannot load the library that fn is in. What else can
 *                             be wrong with opts->process, the kernel says (-EPERM, -EACCES, …);
 *                             plait's log names the step that failed.
 *   Fork      a child may start tasks of its own; it has none of its parent's.
 *   Since     0.1
 */
static inline int plait_task_start(plait_task **ret, plait_kind kind, plait_task_fn *fn, void *arg,
                                   const plait_task_opts *opts)
    __attribute__((always_inline)); /* where a task was started is not in here */

/* plait_task_start with the size of the options in words: what the inline function calls, for
 * bindings.
 *
 *   ret        as there.
 *   kind       as there.
 *   fn         as there.
 *   arg        as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   Blocks     as plait_task_start.
 *   From       as plait_task_start.
 *   Errors     as plait_task_start.
 *   Fork       as plait_task_start.
 *   Since      0.1
 */
PLAIT_API int plait_task_start_sized(plait_task **ret, plait_kind kind, plait_task_fn *fn,
                                     void *arg, const plait_task_opts *opts, size_t opts_bytes);

static inline int plait_task_start(plait_task **ret, plait_kind kind, plait_task_fn *fn, void *arg,
                                   const plait_task_opts *opts)
{
    return plait_task_start_sized(ret, kind, fn, arg, opts, sizeof *opts);
}

/* Wait until a task has ended. May be called again, and by several tasks at once.
 *
 *   task      the task.
 *   until     how long to wait.
 *   Returns   0: it has ended.
 *   Blocks    until the task has ended or the deadline. A cancellation point.
 *   From      any task of the process that started it, but not the task itself.
 *   Errors    -ETIMEDOUT  it still runs.
 *             -ECANCELED  the caller was asked to end.
 *             -EDEADLK    a task may not wait for itself.
 *             -ECHILD     the task is not one of this process (a handle inherited by fork).
 *             -EINVAL     task is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_task_join(plait_task *task, plait_deadline until);

/* Has the task not yet ended?
 *
 *   task      the task; NULL counts as ended.
 *   Returns   true while it runs. In another process than the one that started it: false, but true
 *             for the task itself.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child: tasks of the parent count as ended there.
 *   Since     0.1
 */
PLAIT_API bool plait_task_is_alive(plait_task *task);

/* How the task ended.
 *
 *   task      the task.
 *   ret       gets the outcome; untouched on failure.
 *   Blocks    no.
 *   From      any task of the process that started it.
 *   Errors    -EAGAIN  it still runs.
 *             -ECHILD  the task is not one of this process.
 *             -EINVAL  task or ret is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_task_outcome(plait_task *task, plait_outcome *ret);

/* Ask a task to end: SIGTERM for a process; for a thread or a coroutine, each wait in plait says
 * -ECANCELED from now on.
 *
 *   task      the task. One that has ended already is left alone.
 *   Blocks    no; join it to see it end.
 *   From      any task of the process that started it. A thread may ask itself.
 *   Errors    -ECHILD  the task is not one of this process.
 *             -EINVAL  task is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_task_terminate(plait_task *task);

/* End a process at once, by SIGKILL.
 *
 *   task      the task. One that has ended already is left alone.
 *   Blocks    no; join it to see it end.
 *   From      any task of the process that started it.
 *   Errors    -ENOTSUP  a thread or a coroutine cannot be killed: ask it to end by
 *                       plait_task_terminate.
 *             -ECHILD   the task is not one of this process.
 *             -EINVAL   task is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_task_kill(plait_task *task);

/* Let go of a task. A process that still runs is killed and reaped; a thread that still runs is
 * asked to end, and its memory is freed when it has.
 *
 *   task      the task; NULL is fine.
 *   Blocks    for a process that still runs, until the kernel has ended it.
 *   From      any task of the process that started it, but not the task itself; with no other call
 *             on it under way.
 *   Errors    none.
 *   Fork      in the child it frees the handle and touches nothing else.
 *   Since     0.1
 */
PLAIT_API void plait_task_destroy(plait_task *task);

/* The name of a task.
 *
 *   task      the task.
 *   Returns   the name, which lives as long as the handle; "" for NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API const char *plait_task_name(const plait_task *task);

/* The kind of a task.
 *
 *   task      the task.
 *   Returns   the kind; the main task of a process is of kind PLAIT_PROCESS. 0 for NULL.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API plait_kind plait_task_kind(const plait_task *task);

/* The number of a task: the process id of a process, the kernel's thread id of a thread.
 *
 *   task      the task.
 *   Returns   the id; 0 for NULL. It may belong to somebody else once the task has been joined.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API pid_t plait_task_id(const plait_task *task);

/* Was the task started as a daemon?
 *
 *   task      the task; NULL is none.
 *   Returns   true for a daemon.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_task_is_daemon(const plait_task *task);

/* A descriptor that is readable once the process has ended, for a foreign poll or epoll: Python's
 * sentinel.
 *
 *   task      the task.
 *   Returns   the descriptor (a pidfd). It belongs to the handle: do not close it.
 *   Blocks    no.
 *   From      any task of the process that started it.
 *   Errors    -ENOTSUP  a thread or a coroutine has none.
 *             -ECHILD   the task is not one of this process.
 *             -EINVAL   task is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_task_fd(const plait_task *task);

/* The task that runs this call.
 *
 *   Returns   never NULL: in a thread that plait did not start it is the main task of the process.
 *             The handle is owned by plait: do not destroy it.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      in a child forked by plait it is the new task; in one forked by the host it is a main
 *             task.
 *   Since     0.1
 */
PLAIT_API plait_task *plait_task_current(void);

/* The task that this process began as: Python's main_thread.
 *
 *   Returns   never NULL. In a process task it is that task, else one of kind PLAIT_PROCESS that
 *             nobody started. Owned by plait: do not destroy it.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      in a child forked by plait it is the new task; in one forked by the host it is a main
 *             task of its own.
 *   Since     0.1
 */
PLAIT_API plait_task *plait_task_main(void);

/* The task that started this one.
 *
 *   task      the task.
 *   Returns   its parent; NULL for the main task of the program, and for NULL. In a process task
 *             the parent's handle tells name, kind and id, and nothing else.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API plait_task *plait_task_parent(const plait_task *task);

/* The live tasks that this process started: Python's active_children and enumerate in one.
 *
 *   ret       gets up to max handles, in the order of their start; may be NULL when max is 0. They
 *             are not copies: they live until their owner destroys them.
 *   max       room in ret.
 *   Returns   how many live tasks there are, which may be more than max.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      in the child there are none at first.
 *   Since     0.1
 */
PLAIT_API size_t plait_task_children(plait_task **ret, size_t max);

/* Was the running task asked to end?
 *
 *   Returns   true after plait_task_terminate on a thread or a coroutine. A process is told by SIGTERM
 *             instead: false.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      false in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_task_is_cancelled(void);

PLAIT_END

#endif
