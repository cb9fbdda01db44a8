/* One job: submit and apply.
 * SPDX-License-Identifier: MIT
 *
 * What is to be copied of input and context is copied here for an executor that does not do it
 * itself. What lies in the heap of the family goes by pointer.
 */
#include "base/opts.h"
#include "base/time.h"
#include "family/member.h"
#include "pool/pool.h"

#include <plait/error.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGN = 16
};

/* What a future of this job keeps besides itself. */
struct copies {
    size_t in; /* 0: none, or small */
    size_t ctx;
    size_t out;
};

static size_t round_up(size_t bytes)
{
    return (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static bool must_copy(const plait_pool *pool, const void *ptr, size_t bytes)
{
    return bytes > 0 && !pool->ops->copies_in && !plait__is_shared(ptr);
}

static int check_job(const plait_job *job)
{
    const size_t most = SSIZE_MAX / 4;

    if ((job->fn == NULL) == (job->text_fn == NULL) || (job->in == NULL && job->in_bytes > 0) ||
        (job->ctx == NULL && job->ctx_bytes > 0) || job->soft_ms < 0 || job->hard_ms < 0)
        return -EINVAL;
    if (job->in_bytes > most || job->ctx_bytes > most || job->out_bytes > most)
        return -ENOMEM;
    return 0;
}

void plait__limits_fill(struct plait__job_limits *limits, int64_t soft_ms, int64_t hard_ms,
                        unsigned attempts, unsigned lane)
{
    limits->soft_ns = plait__ns_of_ms(soft_ms);
    limits->hard_ns = plait__ns_of_ms(hard_ms);
    limits->attempts = attempts > 0 ? attempts : 1;
    limits->lane = lane;
}

/* Input and context, copied or as they are, and room for the output; they need more than the future
 * has. */
static int fill_large(plait_future *future, const plait_job *job)
{
    struct plait__job *ours = &future->job;
    bool copy_in = must_copy(ours->pool, job->in, job->in_bytes);
    bool copy_ctx = must_copy(ours->pool, job->ctx, job->ctx_bytes);
    struct copies copies = {
        .in = copy_in && job->in_bytes > PLAIT__FUTURE_SMALL ? round_up(job->in_bytes) : 0,
        .ctx = copy_ctx ? round_up(job->ctx_bytes) : 0,
        .out = job->out_bytes > PLAIT__FUTURE_SMALL ? round_up(job->out_bytes) : 0,
    };
    size_t bytes = copies.in + copies.ctx + copies.out;
    char *at = NULL;

    if (bytes > 0 && (at = future->copies = malloc(bytes)) == NULL)
        return -ENOMEM;
    ours->in =
        copy_in ? memcpy(copies.in > 0 ? at : future->small_in, job->in, job->in_bytes) : job->in;
    ours->ctx = copy_ctx ? memcpy(at + copies.in, job->ctx, job->ctx_bytes) : job->ctx;
    ours->out = copies.out > 0 ? at + copies.in + copies.ctx : future->small_out;
    if (job->out_bytes == 0)
        ours->out = NULL;
    return 0;
}

static int fill_memory(plait_future *future, const plait_job *job)
{
    struct plait__job *ours = &future->job;

    if (job->in_bytes > PLAIT__FUTURE_SMALL || job->out_bytes > PLAIT__FUTURE_SMALL ||
        job->ctx_bytes > 0)
        return fill_large(future, job);
    ours->in = job->in;
    if (job->in_bytes > 0 && !ours->pool->ops->copies_in)
        ours->in = memcpy(future->small_in, job->in, job->in_bytes);
    ours->ctx = job->ctx;
    ours->out = job->out_bytes > 0 ? future->small_out : NULL;
    return 0;
}

static void on_end(struct plait__job *job)
{
    plait_future *future = plait__list_entry(job, plait_future, job);

    plait__share_count_one(job->pool, &future->result);
    plait__future_end(future);
}

static int fill(plait_future *future, const plait_job *job)
{
    struct plait__job *ours = &future->job;

    ours->fn = job->fn;
    ours->text_fn = job->text_fn;
    ours->in_bytes = job->in_bytes;
    ours->out_bytes = job->out_bytes;
    ours->ctx_bytes = job->ctx_bytes;
    ours->n = 1;
    ours->results = &future->result;
    ours->said = &future->said;
    ours->n_ended = 0;
    ours->on_end = on_end;
    ours->refill = NULL;
    ours->executor = NULL;
    ours->slot = 0;
    ours->ticket = 0;
    ours->is_copied_in = false;
    ours->may_sum = ours->is_summed = false;
    ours->run_ns = 0;
    ours->is_timed = job->soft_ms > 0 || job->hard_ms > 0;
    plait__limits_fill(&ours->limits, job->soft_ms, job->hard_ms, job->attempts, job->lane);
    plait__future_begin_then(future, job->then, job->then_arg);
    return fill_memory(future, job);
}

static int submit(plait_pool *pool, plait_future **ret, const plait_job *job, plait_deadline until)
{
    plait_future *future = NULL;
    int rc = plait__pool_check(pool);

    if (rc == 0)
        rc = check_job(job);
    if (rc == 0)
        rc = plait__future_take(&future, pool, 1);
    if (rc < 0)
        return rc;
    rc = fill(future, job);
    if (rc == 0)
        rc = plait__pool_submit(pool, &future->job, until);
    if (rc < 0) {
        plait__future_drop(future, 1);
        return rc;
    }
    *ret = future;
    return 0;
}

/* By who was compiled with another size. */
static int submit_copy(plait_pool *pool, plait_future **ret, const plait_job *job, size_t job_bytes,
                       plait_deadline until)
{
    plait_job ours;
    int rc = plait__opts_copy(&ours, sizeof ours, job, job_bytes);

    return rc < 0 ? rc : submit(pool, ret, &ours, until);
}

int plait_pool_submit_sized(plait_pool *pool, plait_future **ret, const plait_job *job,
                            size_t job_bytes, plait_deadline until)
{
    if (ret == NULL || job == NULL)
        return -EINVAL;
    return job_bytes == sizeof *job ? submit(pool, ret, job, until)
                                    : submit_copy(pool, ret, job, job_bytes, until);
}

ssize_t plait_pool_apply_sized(plait_pool *pool, const plait_job *job, size_t job_bytes, void *out,
                               size_t cap, plait_deadline until)
{
    plait_job ours;
    plait_future *future = NULL;
    ssize_t n = plait__opts_copy(&ours, sizeof ours, job, job_bytes);

    if (n == 0)
        n = job == NULL || (out == NULL && cap > 0) ? -EINVAL : submit(pool, &future, &ours, until);
    if (n < 0)
        return n;
    n = plait_future_get(future, out, cap, until);
    if (n == -ETIMEDOUT || n == -ECANCELED)
        plait_future_cancel(future, false);
    else if (ours.result != NULL)
        *ours.result = future->result;
    plait_future_unref(future);
    return n;
}
