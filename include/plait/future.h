/* Futures: what a job of a pool will have ended in.
 * SPDX-License-Identifier: MIT
 *
 *     plait_future *future = NULL;
 *     plait_job job = {.fn = square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof n};
 *     int rc = plait_pool_submit(pool, &future, &job, PLAIT_FOREVER);
 *     ...
 *     long squared;
 *     ssize_t got = plait_future_get(future, &squared, sizeof squared, plait_after_ms(500));
 *     if (got == PLAIT_ENOVALUE) {
 *         plait_result end;
 *         plait_future_result(future, &end); // an error of its own, lost, cancelled, expired
 *     }
 *     plait_future_unref(future);
 *
 *     plait_completed *completed = NULL;     // in the order in which they become ready
 *     size_t which;
 *     rc = plait_completed_create(&completed, futures, n);
 *     while (rc == 0 && plait_completed_next(completed, &which, PLAIT_FOREVER) == 1)
 *         use(futures[which]);
 *     plait_completed_destroy(completed);
 *
 * A future belongs to one job, or to one map, and to the process that submitted it. It is completed
 * exactly once, whatever dies except that process. It is a handle with a count of references: who
 * unrefs the last one does not end the job, which runs on, and a future may outlive its pool.
 *
 * plait starts no thread for futures: results are brought in, and callbacks are called, by whoever
 * waits. That is each call here and in plait/pool.h that takes a deadline, and each that asks how
 * far a future or a pool is, also when it has to do with another job of the same pool. Nothing of
 * plait is locked meanwhile: a callback may submit, wait, cancel, or unref, but not destroy the
 * pool.
 *
 * While a task waits without a deadline it may run, on its own stack, the job that it waits for, if
 * that has not been begun (in a thread pool), and never another one.
 *
 * The words are those of Python's AsyncResult and Future: get, wait, ready, successful, result,
 * cancel, add_done_callback (then), wait for the first or for all, as_completed.
 */
#ifndef PLAIT_FUTURE_H
#define PLAIT_FUTURE_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

PLAIT_BEGIN

/* A future; opaque. A handle with a count of references. */
typedef struct plait_future plait_future;

/* What a job, or an item of a map, ended in: exactly one of these. The numbers are part of the
 * interface. */
typedef enum plait_job_end {
    PLAIT_JOB_VALUE = 1, /* its function returned 0 or more */
    PLAIT_JOB_ERROR,     /* its function returned a negative number, or said plait_task_fail */
    PLAIT_JOB_LOST,      /* its worker died, or it could not be begun: `cause` */
    PLAIT_JOB_CANCELLED, /* it was cancelled, or its pool ended: `cause` */
    PLAIT_JOB_EXPIRED,   /* it ran longer than its hard limit, or gave way to its soft limit */
} plait_job_end;

/* Why, where the end alone does not say it. */
typedef enum plait_job_cause {
    PLAIT_CAUSE_NONE = 0,
    PLAIT_CAUSE_DEATH,    /* its worker died while it ran: `pid`, `signal`, `code`, `core` */
    PLAIT_CAUSE_POISON,   /* so did as many workers as the pool puts up with */
    PLAIT_CAUSE_KEEPER,   /* the keeper died while it ran, and the workers with it */
    PLAIT_CAUSE_SHUTDOWN, /* the pool ended before it did */
    PLAIT_CAUSE_INIT,     /* no worker of the pool gets ready */
    PLAIT_CAUSE_FUNCTION, /* its function is not there in the worker */
    PLAIT_CAUSE_MEMORY,   /* no memory for it, or for its result */
} plait_job_cause;

/* How a job, or an item of a map, ended. */
typedef struct plait_result {
    plait_job_end end;     /* 0: it has not ended */
    plait_job_cause cause; /* why */
    int code;              /* what its function returned; of a death, the worker's exit status */
    pid_t pid;             /* the process that ran it; 0: it was never begun */
    int signal;            /* the signal that ended its worker; else 0 */
    bool core;             /* its worker dumped core */
    unsigned starts;       /* how often its function was entered */
    int64_t run_ns;        /* how long it ran, the last time; 0: that was not measured */
} plait_result;

/* What plait_future_then calls. */
typedef void plait_future_fn(plait_future *future, void *arg);

/* What plait_futures_wait waits for. */
typedef enum plait_wait_for {
    PLAIT_WAIT_ALL = 0,     /* all are ready */
    PLAIT_WAIT_ANY,         /* one is */
    PLAIT_WAIT_FIRST_ERROR, /* one is that did not end in a value, or all are */
} plait_wait_for;

/* Futures in the order in which they become ready: Python's as_completed; opaque. */
typedef struct plait_completed plait_completed;

/* Wait until a future is ready, whatever it ended in.
 *
 *   future    the future.
 *   until     how long to wait.
 *   Returns   0: it is ready.
 *   Blocks    until it is, or the deadline. A cancellation point. Callbacks may be called.
 *   From      any task of the process that submitted it; several at once.
 *   Errors    -ETIMEDOUT  it is not ready.
 *             -ECANCELED  the caller was asked to end; the job is not.
 *             -ECHILD     it is a future of another process.
 *             -EINVAL     future is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_future_wait(plait_future *future, plait_deadline until);

/* Get the value of a job; waits until it is ready. May be called again.
 *
 *   future    the future.
 *   buf       gets the value; may be NULL when cap is 0.
 *   cap       room in buf.
 *   until     how long to wait.
 *   Returns   the size of the value: out_bytes of the job, or with 0 what it wrote by
 *             plait_task_write. Of a map: how many items did not end in a value; buf is not used.
 *   Blocks    as plait_future_wait.
 *   From      any task of the process that submitted it; several at once.
 *   Errors    PLAIT_ENOVALUE  it did not end in a value: plait_future_result says in what.
 *             -EMSGSIZE       the value is larger than cap; it stays.
 *             -EINVAL         future is NULL, or buf is.
 *             -ETIMEDOUT, -ECANCELED, -ECHILD  as plait_future_wait.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API ssize_t plait_future_get(plait_future *future, void *buf, size_t cap,
                                   plait_deadline until);

/* Is it ready?
 *
 *   future    the future; NULL is not.
 *   Returns   true once it has ended, in whatever; false in another process.
 *   Blocks    no, but callbacks may be called.
 *   From      any task of the process that submitted it.
 *   Errors    none.
 *   Fork      false in the child.
 *   Since     0.1
 */
PLAIT_API bool plait_future_is_ready(plait_future *future);

/* Did it end in a value? A map did when all its items did.
 *
 *   future    the future.
 *   Returns   1 or 0.
 *   Blocks    no, but callbacks may be called.
 *   From      any task of the process that submitted it.
 *   Errors    -EAGAIN  it is not ready.
 *             -ECHILD  it is a future of another process.
 *             -EINVAL  future is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_future_is_successful(plait_future *future);

/* How it ended. Of a map: how the first of its items ended, in their order, that did not end in a
 * value, if there is one; plait_map_opts.results tells it of each.
 *
 *   future    the future.
 *   ret       gets it; untouched on failure.
 *   Blocks    no, but callbacks may be called.
 *   From      any task of the process that submitted it.
 *   Errors    -EAGAIN  it is not ready.
 *             -ECHILD  it is a future of another process.
 *             -EINVAL  future or ret is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
static inline int plait_future_result(plait_future *future, plait_result *ret);

/* plait_future_result with the size of the result in words: what the inline function calls, for
 * bindings.
 *
 *   future    as there.
 *   ret       as there.
 *   ret_bytes sizeof *ret as the caller was compiled.
 *   Blocks    as plait_future_result.
 *   From      as plait_future_result.
 *   Errors    as plait_future_result.
 *   Fork      as plait_future_result.
 *   Since     0.1
 */
PLAIT_API int plait_future_result_sized(plait_future *future, plait_result *ret, size_t ret_bytes);

static inline int plait_future_result(plait_future *future, plait_result *ret)
{
    return plait_future_result_sized(future, ret, sizeof *ret);
}

/* What a job said by plait_task_fail.
 *
 *   future    the future.
 *   Returns   the text, which lives as long as the handle; "" if it said nothing, is not ready, or
 *             is of a map.
 *   Blocks    no, but callbacks may be called.
 *   From      any task of the process that submitted it.
 *   Errors    none.
 *   Fork      "" in the child.
 *   Since     0.1
 */
PLAIT_API const char *plait_future_message(plait_future *future);

/* The value of a job in its place, without a copy.
 *
 *   future    the future.
 *   ret       gets where it is, never NULL, as long as the handle lives; untouched on failure.
 *   Returns   its size, as plait_future_get says it.
 *   Blocks    no, but callbacks may be called.
 *   From      any task of the process that submitted it.
 *   Errors    -EAGAIN         it is not ready.
 *             PLAIT_ENOVALUE  it did not end in a value.
 *             -ECHILD         it is a future of another process.
 *             -EINVAL         future or ret is NULL, or it is the future of a map.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API ssize_t plait_future_bytes(plait_future *future, const void **ret);

/* Ask that a job, or all of a map that has not ended, be cancelled. What has not been begun never
 * will be. What runs is asked to end: plait_task_cancelled says true, and its waits in plait say
 * -ECANCELED. The future becomes ready in any case, and what it ended in says what came first: its
 * end, or this.
 *
 *   future    the future.
 *   kill      what runs in a process and has not ended grace_ms later, as the pool's options say,
 *             is ended by a kill of its worker. A thread is asked only.
 *   Returns   0: it was asked.
 *   Blocks    no; plait_future_wait does.
 *   From      any task of the process that submitted it.
 *   Errors    -EALREADY  it has ended.
 *             -ECHILD    it is a future of another process.
 *             -EINVAL    future is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_future_cancel(plait_future *future, bool kill);

/* Have a function called when the future is ready: once, by a task that waits, with nothing locked.
 * If it is ready already, at once by this call. A future may have several, which are called in
 * their order.
 *
 *   future    the future.
 *   fn        the function. The handle that it gets is there until it returns; one that wants to
 *             keep it refs it.
 *   arg       handed to fn.
 *   Blocks    no.
 *   From      any task of the process that submitted it.
 *   Errors    -ENOMEM  no memory: it will not be called.
 *             -ECHILD  it is a future of another process.
 *             -EINVAL  future or fn is NULL.
 *   Fork      not usable in the child (-ECHILD); callbacks of before are not called there.
 *   Since     0.1
 */
PLAIT_API int plait_future_then(plait_future *future, plait_future_fn *fn, void *arg);

/* One reference more.
 *
 *   future    the future; NULL is fine.
 *   Returns   future.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API plait_future *plait_future_ref(plait_future *future);

/* One reference less. With the last one the handle goes; a job that has not ended goes on, its
 * callbacks are called, and its value is dropped.
 *
 *   future    the future; NULL is fine.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child: it frees the child's memory and touches nothing else.
 *   Since     0.1
 */
PLAIT_API void plait_future_unref(plait_future *future);

/* Wait for several futures, of one pool or of several, of any kind.
 *
 *   futures   the futures; not to be changed meanwhile.
 *   n         how many.
 *   what      when to return.
 *   until     how long to wait.
 *   Returns   how many of them are ready. 0 of none, at once.
 *   Blocks    until it is so, or the deadline. A cancellation point. Callbacks may be called.
 *   From      any task of the process that submitted them.
 *   Errors    -ETIMEDOUT  it is not so yet.
 *             -ECANCELED  the caller was asked to end.
 *             -ECHILD     one is a future of another process.
 *             -EINVAL     futures, or one of them, is NULL; what is none of these.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API ssize_t plait_futures_wait(plait_future *const *futures, size_t n, plait_wait_for what,
                                     plait_deadline until);

/* Begin to go through futures in the order in which they become ready.
 *
 *   ret       gets the handle; untouched on failure. Destroyed by plait_completed_destroy.
 *   futures   the futures; each gets a reference. May be NULL when n is 0.
 *   n         how many.
 *   Blocks    no.
 *   From      any task of the process that submitted them.
 *   Errors    -ENOMEM  no memory.
 *             -ECHILD  one is a future of another process.
 *             -EINVAL  ret, futures, or one of them, is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_completed_create(plait_completed **ret, plait_future *const *futures, size_t n);

/* The next one that is ready; waits for it.
 *
 *   completed  what plait_completed_create gave.
 *   ret       gets its index in the array that was handed over; untouched else.
 *   until     how long to wait.
 *   Returns   1: there is one; 0: all of them have been told.
 *   Blocks    until there is one, or the deadline. A cancellation point. Callbacks may be called.
 *   From      any task of the process that made it, one at a time.
 *   Errors    -ETIMEDOUT  none is ready that has not been told.
 *             -ECANCELED  the caller was asked to end.
 *             -ECHILD     it was made by another process.
 *             -EINVAL     completed or ret is NULL.
 *   Fork      not usable in the child (-ECHILD).
 *   Since     0.1
 */
PLAIT_API int plait_completed_next(plait_completed *completed, size_t *ret, plait_deadline until);

/* End it, whether all have been told or not. The futures stay as they are.
 *
 *   completed  what plait_completed_create gave; NULL is fine.
 *   Blocks    no.
 *   From      any task of the process that made it.
 *   Errors    none.
 *   Fork      usable in the child: it frees the child's memory.
 *   Since     0.1
 */
PLAIT_API void plait_completed_destroy(plait_completed *completed);

PLAIT_END

#endif
