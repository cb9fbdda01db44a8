/* Functions that block, run where they do not stop the coroutines of this thread.
 * SPDX-License-Identifier: MIT
 *
 *     static int look_up(const void *in, void *out, void *ctx)      // in a thread of plait's
 *     {
 *         struct addrinfo **found = out;
 *         return getaddrinfo(in, ctx, NULL, found) == 0 ? 0 : -ENOENT;
 *     }
 *
 *     plait_job job = {.fn = look_up, .in = name, .in_bytes = strlen(name) + 1, .ctx = "80",
 *                      .out_bytes = sizeof(struct addrinfo *)};
 *     ssize_t n = plait_offload(PLAIT_OFFLOAD_DNS, &job, &found, sizeof found, plait_after_ms(500));
 *
 * read(2), getaddrinfo(3) or a library's own waiting stop all coroutines of a thread. By this call
 * such a function runs in another thread, while the caller waits as in any call of plait: gevent's
 * threadpool, eventlet's tpool, Python's to_thread.
 *
 * This starts threads, unasked: at the first call, and one more when none is idle, up to 64 for each
 * class. They stay until the process ends. Processes are to be started before, as before any thread,
 * or with plait_init on the first line of main.
 */
#ifndef PLAIT_OFFLOAD_H
#define PLAIT_OFFLOAD_H

#include <plait/export.h>
#include <plait/pool.h>
#include <plait/time.h>

#include <stddef.h>
#include <sys/types.h>

PLAIT_BEGIN

/* Threads of one class are in no way of those of another: a name server that does not answer does
 * not keep files from being read. */
typedef enum plait_offload_class {
    PLAIT_OFFLOAD_ANY = 0, /* whatever blocks */
    PLAIT_OFFLOAD_DNS = 1,
    PLAIT_OFFLOAD_DISK = 2,
} plait_offload_class;

/* Run a function in a thread of its class, and wait for its value.
 *
 *   where     the class.
 *   job       the function, and what it gets, as plait_pool_apply says. What goes as it is, not
 *             copied, must stay where it is until the function returns, also when nobody waits for
 *             that any longer.
 *   out       gets the value; may be NULL when cap is 0.
 *   cap       room in out.
 *   until     how long to wait. A function that has begun by then runs on; what it gives is dropped.
 *   Returns   the size of the value, as plait_future_get says it.
 *   Blocks    until the function has returned, or the deadline. A cancellation point.
 *   From      any task; a function that runs by this call may call it too, but with a deadline not
 *             more than 96 of a class at once: then some of them wait for nothing until it passes.
 *   Errors    PLAIT_ENOVALUE  it did not end in a value: job->result says in what.
 *             -ETIMEDOUT  it has not ended.
 *             -ECANCELED  the caller was asked to end.
 *             -EAGAIN     a limit on threads, and there is none yet.
 *             -EMSGSIZE   the value is larger than cap; it is dropped.
 *             -EINVAL     there is no such class, job is NULL, or as plait_pool_apply.
 *             -ENOMEM     no memory.
 *             -E2BIG      job is larger than this library knows and sets what it does not know.
 *   Fork      usable in the child, which gets threads of its own.
 *   Since     0.1
 */
static inline ssize_t plait_offload(plait_offload_class where, const plait_job *job, void *out,
                                    size_t cap, plait_deadline until);

/* plait_offload with the size of the job in words: what the inline function calls, for bindings. */
PLAIT_API ssize_t plait_offload_sized(plait_offload_class where, const plait_job *job,
                                      size_t job_bytes, void *out, size_t cap,
                                      plait_deadline until);

static inline ssize_t plait_offload(plait_offload_class where, const plait_job *job, void *out,
                                    size_t cap, plait_deadline until)
{
    return plait_offload_sized(where, job, sizeof *job, out, cap, until);
}

PLAIT_END

#endif
