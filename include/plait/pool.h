/* Pools: workers that run jobs, as processes or as threads.
 * SPDX-License-Identifier: MIT
 *
 *     static int square(const void *in, void *out, void *ctx)
 *     {
 *         long n = *(const long *)in;
 *         (void)ctx;
 *         *(long *)out = n * n;
 *         return 0;
 *     }
 *
 *     plait_pool *pool = NULL;
 *     int rc = plait_pool_create(&pool, PLAIT_PROCESS, NULL); // as many workers as CPUs
 *     if (rc == 0)
 *         rc = plait_pool_map(pool, square, PLAIT_IN(n), PLAIT_OUT(squares), NULL, PLAIT_FOREVER);
 *     plait_pool_destroy(pool); // rc > 0: so many items did not end in a value
 *
 *     plait_future *future = NULL;                            // one job
 *     plait_job job = {.fn = square, .in = &n[7], .in_bytes = sizeof n[7], .out_bytes = 8};
 *     rc = plait_pool_submit(pool, &future, &job, PLAIT_FOREVER);
 *
 * Every item that was accepted ends in exactly one outcome: a value, an error of its own, lost (its
 * worker died), cancelled, expired. A worker's death touches the item that it ran and no other; the
 * pool starts another worker. With `attempts` more than 1, which says that the function may run
 * more than once, the item is run again instead.
 *
 * Input and context of a job are bytes, which are copied to a worker that is a process, with two
 * exceptions. What lies in the heap of the family (plait_shared_alloc) goes by pointer, without a
 * copy; it is left alone until the job has ended. And with a size of 0 the pointer itself is handed
 * over, which means something in a thread, and in a process if it points into the heap of the
 * family.
 *
 * A worker that is a process sees the program's memory as it was when the keeper was made, and the
 * functions of libraries that were loaded since.
 *
 * The words are those of Python's Pool and Executor: submit, apply, close, terminate, join; the
 * maps are in plait/map.h. plait/future.h says who calls callbacks, and when.
 */
#ifndef PLAIT_POOL_H
#define PLAIT_POOL_H

#include <plait/export.h>
#include <plait/future.h>
#include <plait/plugin.h>
#include <plait/task.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

PLAIT_BEGIN

/* A pool; opaque. */
typedef struct plait_pool plait_pool;

/* A function of a pool. 0 or more: a value, which is in `out`; negative: an error of its own. */
typedef int plait_pool_fn(const void *in, void *out, void *ctx);
/* What each worker calls before its first job; negative: the worker is of no use. */
typedef int plait_pool_init_fn(void *arg);

/* Options of plait_pool_create; zero is the default of each field. */
typedef struct plait_pool_opts {
    size_t workers;           /* 0: as many as this process may use CPUs; of coroutines 100 */
    const char *name;         /* copied; NULL: "Pool-N" */
    plait_pool_init_fn *init; /* NULL: none */
    void *init_arg;
    size_t init_arg_bytes;    /* 0: init_arg goes as it is, else so many bytes of it are copied */
    unsigned max_tasks;       /* a worker is replaced after so many items; 0: never */
    size_t max_rss_kib;       /* … when it has more memory than that after an item; 0: never */
    int64_t max_age_ms;       /* … when it is older than that after an item; 0: never */
    size_t max_pending;       /* jobs accepted and not ended; 0: a number of the library's choice */
    size_t max_pending_bytes; /* their input; 0: no bound */
    unsigned lanes;           /* how many priorities, at most 8; 0: 1 */
    unsigned poison_limit;    /* so many deaths, and a job is given up; 0: 2 */
    int64_t grace_ms;         /* a job that was cancelled with kill has so long to end by itself */
    size_t stack_bytes;       /* of a thread; 0: the system's default */
} plait_pool_opts;

/* A job. Zero is the default of each field; one of fn and text_fn is needed. */
typedef struct plait_job {
    plait_pool_fn *fn;
    plait_pool_text_fn *text_fn;
    const void *in;
    size_t in_bytes; /* 0: `in` goes as it is, else so many bytes of it are copied */
    size_t out_bytes;
    void *ctx;
    size_t ctx_bytes;      /* 0: `ctx` goes as it is, else so many bytes of it are copied */
    unsigned attempts;     /* how often it may be begun when workers die; 0: 1 */
    unsigned lane;         /* 0 is run before 1, and so on */
    int64_t soft_ms;       /* after so long it is asked to end; 0: never */
    int64_t hard_ms;       /* after so long its worker is killed; 0: never */
    plait_future_fn *then; /* called when it has ended, as plait_future_then says; NULL: nothing */
    void *then_arg;
    plait_result *result; /* of plait_pool_apply: gets how it ended; NULL: nobody asks */
} plait_job;

/* What a pool does, and did. */
typedef struct plait_pool_usage {
    size_t workers;     /* that are there now */
    size_t idle;        /* of them, those with nothing to do */
    size_t pending;     /* jobs accepted, not begun */
    size_t running;     /* jobs */
    uint64_t submitted; /* items accepted since the pool was made; those of nested jobs included */
    uint64_t values;    /* how those that have ended did */
    uint64_t errors;
    uint64_t lost;
    uint64_t cancelled;
    uint64_t expired;
    uint64_t started;       /* workers started */
    uint64_t deaths;        /* workers that died by themselves, or by a stranger's hand */
    uint64_t recycled;      /* workers that were replaced by max_tasks, max_rss_kib or max_age_ms */
    uint64_t progress_done; /* as the running jobs say by plait_task_progress, added up */
    uint64_t progress_total;
    bool is_broken; /* its workers die before they are ready: submit says PLAIT_EPOOL */
} plait_pool_usage;

/* ---- the pool ---- */

/* Make a pool, and start its workers.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_pool_destroy.
 *   kind      PLAIT_PROCESS: a worker's death is an ordinary event, and costs at most the job that
 *             it ran. PLAIT_THREAD: the workers share all memory, and a crash is the program's.
 *             PLAIT_COROUTINE: so too, and all run in this thread, whenever it waits in plait: for
 *             many jobs that mostly wait. A job that blocks elsewhere holds up the others.
 *   opts      options, or NULL.
 *   Blocks    no longer than it takes to start the workers.
 *   From      any task. A pool of processes needs the keeper: with plait_init on the first line of
 *             main, at any time.
 *   Errors    -EINVAL         ret is NULL, kind is none of these, or an option makes no sense.
 *             -ENOTSUP        max_tasks or max_age_ms with coroutines, which do not wear out.
 *             PLAIT_ETHREADS  there is no keeper that is a fork of this process (plait_keeper_start), and
 *                             with other threads there can be none.
 *             PLAIT_EKEEPER   the keeper died at this moment, and the new one too.
 *             -EAGAIN         a limit on processes or threads.
 *             -EMFILE         no descriptors left.
 *             -ENOMEM         no memory.
 *             -EUSERS         the family has 4095 living members.
 *             -E2BIG          opts is larger than this library knows and sets what it does not
 *                             know.
 *   Fork      a child may make pools of its own. It may destroy those of its parent, which frees
 *             the child's memory; each other call on them is -ECHILD.
 *   Since     0.1
 */
static inline int plait_pool_create(plait_pool **ret, plait_kind kind, const plait_pool_opts *opts);

/* plait_pool_create with the size of the options in words: what the inline function calls, for
 * bindings. */
PLAIT_API int plait_pool_create_sized(plait_pool **ret, plait_kind kind,
                                      const plait_pool_opts *opts, size_t opts_bytes);

/* End a pool at once, and free it. What has not been begun is cancelled; what runs in a process is
 * killed with it, and what runs in a thread is asked to end and waited for. All futures become
 * ready: those of jobs that had not ended with PLAIT_JOB_CANCELLED, PLAIT_CAUSE_SHUTDOWN. For an
 * orderly end say plait_pool_drain before.
 *
 *   pool      the pool; NULL is fine. Its futures stay usable, and so does plait_imap_next.
 *   Blocks    until all workers have gone. Callbacks are called.
 *   From      any task of the process that made it, but not from a job or a callback of it; with no
 *             other call on it under way but such as wait for a future.
 *   Errors    none.
 *   Fork      in the child it frees the child's memory and touches nothing else.
 *   Since     0.1
 */
PLAIT_API void plait_pool_destroy(plait_pool *pool);

/* Close a pool: nothing new is accepted. What was accepted is still done, also the rest of maps
 * that are under way.
 *
 *   pool      the pool. One that is closed already stays so.
 *   Blocks    no.
 *   From      any task of the process that made it.
 *   Errors    -EINVAL  pool is NULL.
 *             -ECHILD  it is a pool of another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_pool_close(plait_pool *pool);

/* The orderly end: close the pool, wait until everything has been done, but not longer than until
 * the deadline; then end it, as plait_pool_terminate does, and wait for the workers to go.
 * plait_pool_destroy is still to be said.
 *
 *   pool      the pool.
 *   until     how long what was accepted may take.
 *   Returns   how many items were cancelled by it, PLAIT_CAUSE_SHUTDOWN; 0: all were done.
 *   Blocks    until the deadline, and then for as long as plait_pool_destroy. A cancellation point
 *             before the deadline. Callbacks are called.
 *   From      any task of the process that made it, but not from a job or a callback of it.
 *   Errors    -ECANCELED  the caller was asked to end; the pool is closed.
 *             -EDEADLK    the caller is a job of it; nothing was done.
 *             -EINVAL     pool is NULL.
 *             -ECHILD     it is a pool of another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API ssize_t plait_pool_drain(plait_pool *pool, plait_deadline until);

/* End a pool without waiting for it: close it, cancel what has not been begun, kill the workers
 * that are processes, ask those that are threads. plait_pool_join waits.
 *
 *   pool      the pool.
 *   Blocks    no.
 *   From      any task of the process that made it, but not from a job or a callback of it.
 *   Errors    -EDEADLK  the caller is a job of it; nothing was done.
 *             -EINVAL   pool is NULL.
 *             -ECHILD   it is a pool of another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_pool_terminate(plait_pool *pool);

/* Wait until a pool that was closed or terminated has done all that it accepted, and its workers
 * have gone. A map of items one by one (plait_pool_imap) takes none from its source after that.
 *
 *   pool      the pool.
 *   until     how long to wait.
 *   Returns   0: it has ended.
 *   Blocks    until then, or the deadline. A cancellation point. Callbacks are called.
 *   From      any task of the process that made it, but not from a job or a callback of it.
 *   Errors    -ETIMEDOUT  it has not ended yet.
 *             -EBUSY      it was neither closed nor terminated.
 *             -ECANCELED  the caller was asked to end.
 *             -EDEADLK    the caller is a job of it; nothing was done.
 *             -EINVAL     pool is NULL.
 *             -ECHILD     it is a pool of another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_pool_join(plait_pool *pool, plait_deadline until);

/* Change the number of workers. Those that are too many end after the job that they run.
 *
 *   pool      the pool.
 *   workers   how many it is to have, at least 1.
 *   Blocks    no longer than it takes to start workers.
 *   From      any task of the process that made it.
 *   Errors    -EINVAL   pool is NULL, or workers is 0 or too large.
 *             -EPIPE    the pool has ended.
 *             -EAGAIN   a limit on processes or threads; fewer were started.
 *             -ENOMEM   no memory; nothing was changed.
 *             -ENOTSUP  the pool is one of a job's (plait_pool_current).
 *             -ECHILD   it is a pool of another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_pool_resize(plait_pool *pool, size_t workers);

/* What a pool does and did; the figures are of slightly different moments.
 *
 *   pool      the pool.
 *   ret       gets them; untouched on failure.
 *   Blocks    no, but callbacks may be called.
 *   From      any task of the process that made it.
 *   Errors    -EINVAL  pool or ret is NULL.
 *             -ECHILD  it is a pool of another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_pool_stats(plait_pool *pool, plait_pool_usage *ret);

/* plait_pool_stats with the size of the figures in words: what the inline function calls, for
 * bindings. */
PLAIT_API int plait_pool_stats_sized(plait_pool *pool, plait_pool_usage *ret, size_t ret_bytes);

/* The pool whose job runs here: for jobs that submit jobs, which they may wait for, whatever the
 * number of workers.
 *
 *   Returns   the pool. In a worker that is a process it is another handle than the owner's, for
 *             plait_pool_submit, plait_pool_map and their like, and belongs to plait: it is not to
 *             be closed or destroyed. NULL outside of a job.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      not usable in the child of a job.
 *   Since     0.1
 */
PLAIT_API plait_pool *plait_pool_current(void);

/* ---- jobs ---- */

/* Hand over a job: Python's submit and apply_async. Once this has returned 0 the job ends in
 * exactly one outcome, which its future tells, whatever dies except this process. Its function is
 * entered at most once; with attempts, at most so often, and never twice at the same time.
 *
 *   pool      the pool.
 *   ret       gets the future; untouched on failure. Given back by plait_future_unref.
 *   job       the job.
 *   until     how long to wait for room, when max_pending jobs or max_pending_bytes are under way.
 *   Blocks    until there is room, or the deadline. A cancellation point. Callbacks may be called.
 *   From      any task of the process that made the pool, jobs of it included (plait_pool_current).
 *   Errors    In each case nothing was accepted.
 *             -ETIMEDOUT   no room until the deadline.
 *             -EPIPE       the pool is closed.
 *             PLAIT_EPOOL  the workers of the pool die before they are ready, again and again.
 *             -EINVAL      pool, ret or job is NULL, not one of fn and text_fn is given, there is
 *                          no such lane, a limit is negative, or a pointer that goes as it is would
 *                          mean nothing to a worker that is a process: it must lie in the heap of
 *                          the family (plait_shared_alloc).
 *             -ECANCELED   the caller was asked to end.
 *             -ENOMEM      no memory.
 *             -E2BIG       job is larger than this library knows and sets what it does not know.
 *             -ECHILD      it is a pool of another process.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_pool_submit(plait_pool *pool, plait_future **ret, const plait_job *job,
                                    plait_deadline until);

/* plait_pool_submit with the size of the job in words: what the inline function calls, for
 * bindings. */
PLAIT_API int plait_pool_submit_sized(plait_pool *pool, plait_future **ret, const plait_job *job,
                                      size_t job_bytes, plait_deadline until);

/* Have a job done, and wait for its value. When that is not waited for any longer, the job is asked
 * to end, and what it ends in is dropped.
 *
 *   pool      the pool.
 *   job       the job; its `result`, if given, gets how it ended.
 *   out       gets the value; may be NULL when cap is 0.
 *   cap       room in out.
 *   until     how long to wait.
 *   Returns   the size of the value, as plait_future_get says it.
 *   Blocks    until the job has ended, or the deadline. A cancellation point. Callbacks may be
 *             called.
 *   From      any task of the process that made the pool, jobs of it included (plait_pool_current).
 *   Errors    PLAIT_ENOVALUE  it did not end in a value: job.result says in what.
 *             -EMSGSIZE       the value is larger than cap; it is dropped.
 *             -EINVAL         as plait_pool_submit, or out is NULL.
 *             -ETIMEDOUT, -EPIPE, PLAIT_EPOOL, -ECANCELED, -ENOMEM, -E2BIG, -ECHILD  as
 *             plait_pool_submit.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline ssize_t plait_pool_apply(plait_pool *pool, const plait_job *job, void *out,
                                       size_t cap, plait_deadline until);

/* plait_pool_apply with the size of the job in words: what the inline function calls, for
 * bindings. */
PLAIT_API ssize_t plait_pool_apply_sized(plait_pool *pool, const plait_job *job, size_t job_bytes,
                                         void *out, size_t cap, plait_deadline until);

/* ---- what the inline functions are ---- */

static inline int plait_pool_create(plait_pool **ret, plait_kind kind, const plait_pool_opts *opts)
{
    return plait_pool_create_sized(ret, kind, opts, sizeof *opts);
}

static inline int plait_pool_stats(plait_pool *pool, plait_pool_usage *ret)
{
    return plait_pool_stats_sized(pool, ret, sizeof *ret);
}

static inline int plait_pool_submit(plait_pool *pool, plait_future **ret, const plait_job *job,
                                    plait_deadline until)
{
    return plait_pool_submit_sized(pool, ret, job, sizeof *job, until);
}

static inline ssize_t plait_pool_apply(plait_pool *pool, const plait_job *job, void *out,
                                       size_t cap, plait_deadline until)
{
    return plait_pool_apply_sized(pool, job, sizeof *job, out, cap, until);
}

PLAIT_END

#endif
