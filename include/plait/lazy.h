/* Calls that return at once, and whose values are waited for where they are needed: Tomorrow.
 * SPDX-License-Identifier: MIT
 *
 *     static int fetch(const char *url, struct page *ret) // 0 or more: *ret is the value
 *     {
 *         …
 *     }
 *     PLAIT_LAZY(fetch, struct page, const char *);       // makes fetch_lazy
 *
 *     plait_lazy *pages[5];
 *     for (int i = 0; i < 5; i++)
 *         pages[i] = fetch_lazy(urls[i]);                 // five calls at the same time
 *     for (int i = 0; i < 5; i++) {
 *         struct page page;
 *         int rc = plait_lazy_get(pages[i], &page, sizeof page, plait_after_ms(5000)); // waits
 *         ...
 *         plait_lazy_destroy(pages[i]);
 *     }
 *
 * What goes wrong, also at the beginning, is told where the value is asked for.
 *
 * A function may take lazies, alone or in a structure, and ask for their values itself:
 *
 *     static int count(plait_lazy *page, long *ret) …     // calls plait_lazy_get(page, …)
 *     PLAIT_LAZY(count, long, plait_lazy *);
 *
 * It waits in its worker, for calls that were made before it, and so have begun before it: however
 * few workers there are, none of them waits for one that cannot begin.
 *
 * Calls run as jobs of a pool. If none is said it is one for all, of threads, as many as CPUs;
 * plait_lazy_pool says otherwise, before the first call: more threads for functions that mostly
 * wait, coroutines for a thousand of them, processes for what may crash. NAME_lazy_in takes a pool
 * for one call, and a time limit.
 *
 * The argument is copied as it is. A worker that is a process sees what a pointer points to only in
 * the family's heap (plait_shared_alloc), and of lazies only those whose pool is of processes, too.
 */
#ifndef PLAIT_LAZY_H
#define PLAIT_LAZY_H

#include <plait/export.h>
#include <plait/future.h>
#include <plait/pool.h>
#include <plait/task.h>
#include <plait/time.h>

#include <stddef.h>
#include <stdint.h>
#include <string.h>

PLAIT_BEGIN

/* A call that has been made; opaque. */
typedef struct plait_lazy plait_lazy;

/* What PLAIT_LAZY hands over. */
typedef struct plait_lazy_call {
    plait_pool_fn *fn;
    const void *arg;
    size_t arg_bytes;
    size_t value_bytes;
} plait_lazy_call;

/* For int name(arg_type arg, value_type *ret), which returns a negative number when there is no
 * value, two functions:
 *
 *     plait_lazy *name_lazy(arg_type arg);
 *     plait_lazy *name_lazy_in(plait_pool *pool, int64_t limit_ms, arg_type arg);
 *
 * as plait_lazy_start. At file scope. */
#define PLAIT_LAZY(name, value_type, arg_type)                                                 \
    static inline int name##_lazy_run(const void *in, void *out, void *lazy)                   \
    {                                                                                          \
        return plait_lazy_tell((plait_lazy *)lazy, out,                                        \
                               name(*(arg_type const *)in, (value_type *)out));                \
    }                                                                                          \
    static inline plait_lazy *name##_lazy_in(plait_pool *pool, int64_t limit_ms, arg_type arg) \
    {                                                                                          \
        plait_lazy_call call;                                                                  \
        call.fn = name##_lazy_run;                                                             \
        call.arg = (const void *)&arg;                                                         \
        call.arg_bytes = sizeof arg;                                                           \
        call.value_bytes = sizeof(value_type);                                                 \
        return plait_lazy_start(pool, limit_ms, &call);                                        \
    }                                                                                          \
    static inline plait_lazy *name##_lazy(arg_type arg)                                        \
    {                                                                                          \
        return name##_lazy_in(NULL, 0, arg);                                                   \
    }                                                                                          \
    struct plait_lazy /* for the semicolon */

/* Say in which pool calls run that name none.
 *
 *   kind      as plait_pool_create; of coroutines, they run in this thread, whenever it waits.
 *   opts      as plait_pool_create; NULL: its defaults.
 *   Returns   0: the pool is there, until the process ends.
 *   Blocks    as plait_pool_create.
 *   From      any task, before the first such call.
 *   Errors    -EALREADY  there is one already; it stays.
 *             -EINVAL, -ENOTSUP, PLAIT_ETHREADS, PLAIT_EKEEPER, -EAGAIN, -EMFILE, -ENOMEM, -EUSERS,
 *             -E2BIG     as plait_pool_create.
 *   Fork      usable in the child, which has a pool of its own.
 *   Since     0.1
 */
static inline int plait_lazy_pool(plait_kind kind, const plait_pool_opts *opts);

/* plait_lazy_pool with the size of the options in words: what the inline function calls, for
 * bindings. */
PLAIT_API int plait_lazy_pool_sized(plait_kind kind, const plait_pool_opts *opts,
                                    size_t opts_bytes);

/* Make a call: what the functions of PLAIT_LAZY do.
 *
 *   pool      where it is to run; NULL: in the pool for all. It is not destroyed before the lazy's
 *             end, or with it.
 *   limit_ms  a call that has run for so long is ended: a process is killed, a thread or coroutine
 *             asked; 0: never.
 *   call      the function, its argument, the size of its value.
 *   Returns   the lazy, for plait_lazy_destroy. NULL: no memory, or call is NULL. If the call
 *             cannot be begun plait_lazy_get says why.
 *   Blocks    no longer than until the pool has room, and for the first call until it is made.
 *   From      any task; also a call that runs.
 *   Errors    none; NULL says that it failed.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API plait_lazy *plait_lazy_start(plait_pool *pool, int64_t limit_ms,
                                       const plait_lazy_call *call);

/* What the function that PLAIT_LAZY makes says when the call has returned.
 *
 *   lazy      what it was given as ctx.
 *   value     the value.
 *   code      what the function returned.
 *   Returns   code.
 *   Blocks    no.
 *   From      the worker.
 *   Errors    none but code.
 *   Fork      not usable in the child of a job.
 *   Since     0.1
 */
PLAIT_API int plait_lazy_tell(plait_lazy *lazy, const void *value, int code);

/* The value of a call; waits until it is there. May be asked again.
 *
 *   lazy      the call.
 *   ret       gets the value; untouched on failure.
 *   bytes     the size of the value: sizeof *ret.
 *   until     how long to wait. The call goes on after that.
 *   Returns   0: *ret is the value.
 *   Blocks    until the call has ended, or the deadline. A cancellation point.
 *   From      any task of the process that made the call, several at once; and a call that got it
 *             as an argument.
 *   Errors    PLAIT_ENOVALUE  it did not end in a value: plait_future_result of plait_lazy_future
 *                             says in what: an error of its own, lost, cancelled, expired.
 *             -ETIMEDOUT      it has not ended.
 *             -ECANCELED      the caller was asked to end.
 *             -EINVAL         lazy or ret is NULL, or the value has another size.
 *             -ECHILD         it was made by another process, in a pool that is not of processes.
 *             -ENOMEM, -EPIPE, -EAGAIN, PLAIT_EPOOL, PLAIT_ETHREADS, PLAIT_EKEEPER, -EMFILE,
 *             -EUSERS
 *                             it could not be begun.
 *   Fork      not usable in the child (-ECHILD) but for a lazy of processes.
 *   Since     0.1
 */
PLAIT_API int plait_lazy_get(plait_lazy *lazy, void *ret, size_t bytes, plait_deadline until);

/* The future of a call, for all that is to be had there: is it ready, what did it end in, tell me
 * when it is, wait for any of several, cancel.
 *
 *   lazy      the call.
 *   Returns   the future, which belongs to the lazy: plait_future_ref to keep it longer. NULL: the
 *             call could not be begun, or lazy is NULL.
 *   Blocks    no.
 *   From      any task of the process that made the call.
 *   Errors    none.
 *   Fork      not usable in the child.
 *   Since     0.1
 */
PLAIT_API plait_future *plait_lazy_future(const plait_lazy *lazy);

/* Let go of a call. One that has not begun never will; one that runs is asked to end, and its value
 * is dropped. A process that runs it and does not end is killed after the pool's grace_ms.
 *
 *   lazy      the call; NULL is fine. No other call on it may be under way, and none that got it as
 *             an argument.
 *   Blocks    no.
 *   From      any task of the process that made the call.
 *   Errors    none.
 *   Fork      in the child it frees the child's memory and touches nothing else.
 *   Since     0.1
 */
PLAIT_API void plait_lazy_destroy(plait_lazy *lazy);

static inline int plait_lazy_pool(plait_kind kind, const plait_pool_opts *opts)
{
    return plait_lazy_pool_sized(kind, opts, sizeof *opts);
}

PLAIT_END

#endif
