/* The storm over a pool: what its workers do, and write down.
 * SPDX-License-Identifier: MIT
 */
#include "pool_storm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t life; /* of this worker */

int storm_init_worker(void *arg)
{
    uint32_t number = __atomic_fetch_add(&storm->n_lives, 1, __ATOMIC_SEQ_CST);

    (void)arg;
    if (number >= storm->max_lives)
        return -ENOSPC;
    life = number;
    storm->lives[number].keeper = getppid();
    __atomic_store_n(&storm->lives[number].pid, getpid(), __ATOMIC_SEQ_CST);
    return 0;
}

/* Is the process gone, or about to be reaped? */
static bool is_dead(pid_t pid)
{
    char path[64], line[512];
    FILE *file;
    const char *end;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return true;
    end = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    return end == NULL || end[2] == 'Z' || end[2] == 'X';
}

static struct storm_story *enter(const struct storm_order *order)
{
    struct storm_story *story = &storm->stories[order->number];
    uint32_t n = __atomic_fetch_add(&story->entered, 1, __ATOMIC_SEQ_CST);
    uint32_t before = __atomic_exchange_n(&story->running, life + 1, __ATOMIC_SEQ_CST);

    if (n < STORM_STARTS)
        __atomic_store_n(&story->lives[n], life + 1, __ATOMIC_SEQ_CST);
    if (before != 0 && !is_dead(storm->lives[before - 1].pid))
        __atomic_fetch_add(&story->overlaps, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&storm->lives[life].is_ready, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&storm->lives[life].in_job, 1, __ATOMIC_SEQ_CST);
    return story;
}

static int end(struct storm_story *story, int rc)
{
    __atomic_store_n(&storm->lives[life].in_job, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&story->running, 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&story->finished, 1, __ATOMIC_SEQ_CST);
    return rc;
}

static void spin(uint32_t amount)
{
    for (volatile uint32_t i = amount; i > 0; i--)
        ;
}

static int square(const void *in, void *out, void *ctx)
{
    uint64_t n;

    (void)ctx;
    memcpy(&n, in, sizeof n);
    n *= n;
    memcpy(out, &n, sizeof n);
    return 0;
}

static int echo(plait_task *task, const void *in, size_t n)
{
    return plait_task_write(task, in, n);
}

/* Nobody but this worker knows of the jobs below: if it is killed, nobody asks for them. */
static int apply(plait_job job, const void *want, size_t n)
{
    unsigned char got[STORM_NESTED_BYTES];
    plait_result result = { 0 };
    ssize_t rc;

    job.attempts = 2;
    job.result = &result;
    rc = plait_pool_apply(plait_pool_current(), &job, got, sizeof got, PLAIT_FOREVER);
    if (rc >= 0)
        return (size_t)rc == n && memcmp(got, want, n) == 0 ? 0 : -EBADMSG;
    return rc == PLAIT_ENOVALUE && result.end == PLAIT_JOB_LOST ? 0 : (int)rc;
}

/* One that nobody waits for. */
static int leave_alone(plait_job job)
{
    plait_future *future = NULL;
    int rc = plait_pool_submit(plait_pool_current(), &future, &job, PLAIT_FOREVER);

    plait_future_unref(future);
    return rc;
}

/* One that is cancelled at once. */
static int cancel(plait_job job)
{
    plait_future *future = NULL;
    plait_result result = { 0 };
    int rc = plait_pool_submit(plait_pool_current(), &future, &job, PLAIT_FOREVER);

    if (rc < 0)
        return rc;
    rc = plait_future_cancel(future, false);
    if (rc == 0 || rc == -EALREADY)
        rc = plait_future_wait(future, PLAIT_FOREVER);
    if (rc == 0)
        rc = plait_future_result(future, &result);
    plait_future_unref(future);
    if (rc == 0 && result.end != PLAIT_JOB_VALUE && result.end != PLAIT_JOB_CANCELLED &&
        result.end != PLAIT_JOB_LOST)
        return -EBADMSG;
    return rc;
}

static int nest(uint64_t n)
{
    uint64_t squared = n * n;
    unsigned char large[STORM_NESTED_BYTES]; /* more than a slot has room for */
    plait_job job = { .fn = square, .in = large, .in_bytes = sizeof large, .out_bytes = sizeof n };

    memset(large, (int)n, sizeof large);
    memcpy(large, &n, sizeof n);
    if (n % 4 == 0)
        return leave_alone(job);
    if (n % 4 == 1)
        return cancel(job);
    if (n % 4 == 2)
        return apply(job, &squared, sizeof squared);
    job.fn = NULL;
    job.text_fn = echo;
    job.out_bytes = 0;
    return apply(job, large, sizeof large);
}

int storm_work(const void *in, void *out, void *ctx)
{
    struct storm_order order;
    uint64_t value;
    int rc = 0;

    (void)ctx;
    memcpy(&order, in, sizeof order);
    struct storm_story *story = enter(&order);
    value = (uint64_t)order.number * 3 + 1;
    switch ((enum storm_kind)order.kind) {
    case STORM_SPIN:
        spin(order.amount);
        break;
    case STORM_SLEEP:
        plait_sleep(plait_after_ns((int64_t)order.amount * 100));
        break;
    case STORM_ERROR:
        rc = -(int)order.amount - 1;
        break;
    case STORM_LOOP:
        while (story != NULL)
            spin(1000);
        break;
    case STORM_NEST:
        rc = nest(order.number);
        break;
    case STORM_SQUARE:
    case STORM_WRITE:
    case STORM_KINDS:
        break;
    }
    memcpy(out, &value, sizeof value);
    return end(story, rc);
}

unsigned char storm_byte(const struct storm_order *order, size_t at)
{
    return (unsigned char)((order->number + at) * 2654435761U >> 11);
}

int storm_write(plait_task *task, const void *in, size_t n)
{
    static unsigned char bytes[STORM_MOST_BYTES];
    struct storm_order order;
    size_t half;
    int rc;

    (void)n;
    memcpy(&order, in, sizeof order);
    struct storm_story *story = enter(&order);
    for (size_t i = 0; i < order.amount; i++)
        bytes[i] = storm_byte(&order, i);
    half = order.amount / 2;
    rc = plait_task_write(task, bytes, half);
    if (rc == 0)
        rc = plait_task_write(task, bytes + half, order.amount - half);
    return end(story, rc);
}
