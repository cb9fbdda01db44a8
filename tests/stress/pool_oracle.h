/* What must come of the jobs of a pool of which somebody was killed, and of the pool.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_ORACLE_H
#define PLAIT_TESTS_POOL_ORACLE_H

#include "pool_scene.h"

/* What a check has seen. */
struct seen {
    uint32_t n_values, n_lost, n_cancelled, n_expired, n_starts, n_items;
};

static inline void check_value(const plait_result *result, const struct order *order,
                               const void *bytes, size_t n)
{
    uint64_t value = value_of(order->number);
    const char *text = bytes;

    CHECK_INT(result->code, 0);
    CHECK(scene->stories[order->number].finished > 0);
    if (order->kind != SAY) {
        CHECK_MEM(bytes, n, &value, sizeof value);
        return;
    }
    CHECK_INT(n, SAID);
    CHECK_INT(text[0], order->number + 1);
    CHECK(memcmp(text, text + 1, SAID - 1) == 0);
}

/* No worker is killed but by us, or with its keeper. */
static inline void check_lost(const plait_result *result, unsigned attempts)
{
    CHECK(result->cause == PLAIT_CAUSE_DEATH || result->cause == PLAIT_CAUSE_KEEPER);
    CHECK_INT(result->signal, SIGKILL);
    CHECK(result->pid > 0);
    CHECK_INT(result->starts, attempts);
}

static inline void check_item(struct seen *seen, const plait_result *result,
                              const struct order *order, unsigned attempts)
{
    const struct story *story = &scene->stories[order->number];

    CHECK(story->entered <= result->starts && result->starts <= attempts);
    CHECK(story->finished <= story->entered);
    seen->n_starts += result->starts;
    seen->n_items++;
    seen->n_values += result->end == PLAIT_JOB_VALUE;
    seen->n_lost += result->end == PLAIT_JOB_LOST;
    seen->n_cancelled += result->end == PLAIT_JOB_CANCELLED;
    seen->n_expired += result->end == PLAIT_JOB_EXPIRED;
    if (result->end == PLAIT_JOB_LOST)
        check_lost(result, attempts);
    /* who goes on with another job has committed this one */
    if (story->by_victim > 0 && story[1].by_victim > 0 && !has_partner &&
        order->number + 1 < scene->n_items)
        CHECK(result->end != PLAIT_JOB_LOST && result->starts == 1);
}

/* All that is told is how many items did not end in a value. */
static inline void check_silent(struct seen *seen, uint32_t i)
{
    ssize_t n_lost = plait_future_get(jobs[i].future, NULL, 0, PLAIT_NOWAIT), n_wrong = 0;

    for (uint32_t k = 0; k < ITEMS; k++)
        n_wrong += jobs[i].values[k] != value_of(jobs[i].orders[k].number);
    CHECK(n_lost >= n_wrong && n_lost <= ITEMS);
    seen->n_items += ITEMS;
    seen->n_lost += (uint32_t)n_lost;
    seen->n_values += ITEMS - (uint32_t)n_lost;
}

static inline void check_job(struct seen *seen, uint32_t i)
{
    const void *bytes = NULL;
    plait_result result;
    ssize_t n;

    CHECK_INT(jobs[i].n_calls, 1);
    if (jobs[i].is_silent) {
        check_silent(seen, i);
        return;
    }
    for (uint32_t k = 0; jobs[i].n > 1 && k < jobs[i].n; k++) {
        check_item(seen, &jobs[i].results[k], &jobs[i].orders[k], jobs[i].attempts);
        if (jobs[i].results[k].end == PLAIT_JOB_VALUE)
            check_value(&jobs[i].results[k], &jobs[i].orders[k], &jobs[i].values[k], 8);
    }
    if (jobs[i].n > 1)
        return;
    CHECK_INT(plait_future_result(jobs[i].future, &result), 0);
    check_item(seen, &result, &jobs[i].orders[0], jobs[i].attempts);
    n = plait_future_bytes(jobs[i].future, &bytes);
    CHECK_INT(n >= 0, result.end == PLAIT_JOB_VALUE);
    if (n >= 0)
        check_value(&result, &jobs[i].orders[0], bytes, (size_t)n);
}

/* All jobs from this one on end; the survivor keeps the pool from now on. */
static inline struct seen check_jobs(uint32_t first)
{
    struct seen seen = { 0 };

    for (uint32_t i = first; i < n_jobs; i++)
        while (!plait_future_is_ready(jobs[i].future))
            usleep(NAP_US);
    for (uint32_t i = first; i < n_jobs; i++) {
        check_job(&seen, i);
        plait_future_unref(jobs[i].future);
    }
    CHECK_INT(seen.n_values + seen.n_lost + seen.n_cancelled + seen.n_expired, seen.n_items);
    return seen;
}

static inline void check_counts(void)
{
    plait_pool_usage usage = { .running = 1 };

    while (usage.pending + usage.running > 0) /* a job within a job that nobody waits for */
        CHECK_INT(plait_pool_stats(scene->pool, &usage), 0);
    CHECK_INT(usage.submitted,
              usage.values + usage.errors + usage.lost + usage.cancelled + usage.expired);
    CHECK_INT(usage.errors, 0);
    CHECK(usage.submitted >= scene->n_items);
}

/* Nothing of a job or a worker is left. */
static inline void check_block(const struct plait__pool_block *block)
{
    CHECK_INT(scene->side->n_free, block->n_own);
    CHECK_INT(scene->side->bytes, 0);
    CHECK_INT(scene->side->n_limited, 0);
    for (uint32_t i = 0; i < block->n_slots; i++) {
        struct plait__slot_word word = plait__slot_cut(plait__slot_load(&block->slots[i]));
        /* of a worker that ended before it had taken the results */
        bool is_left = word.state == PLAIT__SLOT_OVER && i >= block->n_own;
        CHECK(is_left || word.state == PLAIT__SLOT_FREE);
    }
    for (uint32_t i = 0; i < block->n_records; i++) {
        CHECK_INT(block->workers[i].state, PLAIT__WORKER_NONE);
        CHECK_INT(block->workers[i].left, 0);
        for (uint32_t depth = 0; depth < PLAIT__POOL_DEPTH; depth++)
            CHECK_INT(block->workers[i].current[depth], 0);
    }
}

static inline void check_end(void)
{
    struct plait__death death;

    check_counts();
    CHECK_INT(plait_pool_close(scene->pool), 0);
    CHECK_INT(plait_pool_join(scene->pool, PLAIT_FOREVER), 0);
    check_block(scene->block);
    plait_pool_destroy(scene->pool);
    CHECK_INT(count_blocks(), scene->blocks);
    while (plait__os_wait_any(&death) != -ECHILD) /* who had no keeper any more ends by himself */
        usleep(NAP_US);
}

/* It does what it did before; then it ends, and leaves nothing. */
static inline void check_pool(void)
{
    uint32_t first = n_jobs;

    submit(PLAIN, 1);
    submit(APPLY, 1);
    CHECK_INT(check_jobs(first).n_values, 2);
    check_end();
}

#endif
