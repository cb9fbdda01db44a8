/* For tests only: an executor that runs its jobs in the thread that pumps, when the test wants it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__POOL_SERIAL_H
#define PLAIT__POOL_SERIAL_H

#include "os/clock.h"
#include "pool/pool.h"
#include "pool/running.h"

#include <errno.h>
#include <stdlib.h>

struct serial {
    struct plait__mutex lock;
    struct plait__list queue; /* submitted, not run */
    size_t n;                 /* of them */
    size_t most;              /* room for so many */
    size_t most_seen;
    size_t submits;
    size_t budget;    /* jobs that may be run; each takes one */
    size_t refills;   /* the budget once something was cancelled; 0: as it is */
    int error;        /* what submit says, if it is not 0 */
    size_t error_at;  /* … from the submit with this number on */
    bool runs_newest; /* the last one first */
    bool is_ended;
};

static inline struct serial *serial_of(plait_pool *pool)
{
    return pool->executor;
}

static int serial_create(plait_pool *pool, const plait_pool_opts *opts)
{
    struct serial *serial = calloc(1, sizeof *serial);

    if (serial == NULL)
        return -ENOMEM;
    plait__list_init(&serial->queue);
    serial->most = opts->max_pending > 0 ? opts->max_pending : 1000;
    serial->budget = SIZE_MAX;
    pool->executor = serial;
    return 0;
}

static int serial_submit(plait_pool *pool, struct plait__job *job, plait_deadline until)
{
    struct serial *serial = serial_of(pool);
    int rc = 0;

    (void)until;
    plait__mutex_lock(&serial->lock);
    if (serial->error != 0 && serial->submits >= serial->error_at)
        rc = serial->error;
    else if (serial->n == serial->most)
        rc = -ETIMEDOUT;
    if (rc == 0) {
        plait__list_push_back(&serial->queue, &job->node);
        serial->submits++;
        serial->n++;
        if (serial->n > serial->most_seen)
            serial->most_seen = serial->n;
    }
    plait__mutex_unlock(&serial->lock);
    return rc;
}

static void serial_run(plait_pool *pool, struct plait__job *job)
{
    struct plait__running running = { .pool = pool };

    for (uint32_t i = 0; i < job->n; i++) {
        struct plait__call call = { job->fn,
                                    job->text_fn,
                                    job->in != NULL ? job->in + i * job->in_bytes : NULL,
                                    job->in_bytes,
                                    job->out != NULL ? job->out + i * job->out_bytes : NULL,
                                    job->ctx };
        int64_t from = plait__os_now_ns();
        if (job->results[i].end != 0)
            continue; /* cancelled */
        plait__run_item(&running, &call, &job->results[i]);
        job->results[i].starts = 1;
        job->results[i].run_ns = plait__os_now_ns() - from;
        if (job->said != NULL) {
            job->said[i].size = running.wrote.len;
            job->said[i].bytes = plait__buf_detach(&running.wrote);
            job->said[i].release = (void (*)(char *))free;
            job->said[i].message = running.message;
            running.message = NULL;
        }
    }
    plait__running_fini(&running);
    job->n_ended = job->n;
    job->on_end(job);
}

/* The next one to be run, out of the queue; NULL. */
static struct plait__job *serial_take(struct serial *serial)
{
    struct plait__job *job = NULL;
    struct plait__list *node;

    plait__mutex_lock(&serial->lock);
    node = serial->runs_newest ? serial->queue.prev : serial->queue.next;
    if (node != &serial->queue && serial->budget > 0) {
        job = plait__list_entry(node, struct plait__job, node);
        plait__list_remove(node);
        serial->n--;
        serial->budget--;
    }
    plait__mutex_unlock(&serial->lock);
    return job;
}

static size_t serial_pump(plait_pool *pool)
{
    struct plait__job *job;
    size_t n = 0;

    for (; (job = serial_take(serial_of(pool))) != NULL; n++)
        serial_run(pool, job);
    return n;
}

static bool serial_has(struct serial *serial, const struct plait__job *job)
{
    list_for_each (node, &serial->queue)
        if (node == &job->node)
            return true;
    return false;
}

static int serial_cancel(plait_pool *pool, struct plait__job *job, bool kill)
{
    struct serial *serial = serial_of(pool);
    bool has;

    (void)kill;
    plait__mutex_lock(&serial->lock);
    has = serial_has(serial, job);
    for (uint32_t i = 0; has && i < job->n; i++)
        job->results[i] = (plait_result){ .end = PLAIT_JOB_CANCELLED };
    if (serial->refills > 0)
        serial->budget = serial->refills;
    plait__mutex_unlock(&serial->lock);
    return has ? 0 : -EALREADY;
}

static int serial_resize(plait_pool *pool, size_t workers)
{
    (void)pool;
    (void)workers;
    return 0;
}

static void serial_stats(plait_pool *pool, plait_pool_usage *ret)
{
    ret->pending = serial_of(pool)->n;
    ret->workers = 1;
}

static void serial_close(plait_pool *pool)
{
    serial_of(pool)->error = -EPIPE;
    serial_of(pool)->error_at = 0;
}

static int serial_end(plait_pool *pool, bool now, plait_deadline until)
{
    struct serial *serial = serial_of(pool);
    struct plait__job *job;

    (void)until;
    serial->budget = SIZE_MAX;
    while ((job = serial_take(serial)) != NULL) {
        for (uint32_t i = 0; now && i < job->n; i++)
            job->results[i] =
                (plait_result){ .end = PLAIT_JOB_CANCELLED, .cause = PLAIT_CAUSE_SHUTDOWN };
        serial_run(pool, job);
    }
    serial->is_ended = true;
    return 0;
}

static void serial_destroy(plait_pool *pool)
{
    free(pool->executor);
}

static const struct plait__executor_ops serial_ops = {
    .create = serial_create,
    .submit = serial_submit,
    .pump = serial_pump,
    .cancel = serial_cancel,
    .resize = serial_resize,
    .stats = serial_stats,
    .close = serial_close,
    .end = serial_end,
    .destroy = serial_destroy,
};

/* A pool of it, of two workers as far as maps are concerned. */
static inline plait_pool *serial_pool(size_t most)
{
    plait_pool_opts opts = { .workers = 2, .max_pending = most };
    plait_pool *pool = NULL;

    plait__pool_start(&pool, PLAIT_THREAD, &serial_ops, &opts);
    return pool;
}

#endif
