/* A process pool whose workers, or whose keeper, may be killed at any instruction.
 * SPDX-License-Identifier: MIT
 *
 * The survivor is the pool's owner, and after the kill it is its keeper too: what the keeper's
 * process does with a crew it does itself, by the same functions. So nobody else is there while the
 * victim makes its steps. What a job has written into its story is true, whatever became of it in
 * the next instruction.
 */
#ifndef PLAIT_TESTS_POOL_SCENE_H
#define PLAIT_TESTS_POOL_SCENE_H

#include "chan/bell.h"
#include "family/member.h"
#include "os/fd.h"
#include "os/process.h"
#include "pool/bell.h"
#include "pool/pool.h"
#include "pool/process.h"
#include "pool/process_keep.h"
#include "pool/process_side.h"
#include "pool/process_worker.h"
#include "task/keeper_crews.h"

#include "step.h"
#include "trace.h"

#include <plait/map.h>
#include <plait/pool.h>
#include <plait/shared.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    JOBS = 8,     /* of the owner */
    STORIES = 40, /* of items, those of jobs within jobs included */
    ITEMS = 3,    /* of a map */
    NESTED = 10,  /* the first story of a job within a job */
    MANY = PLAIT__POOL_NESTED + 2,
    SAID = 200,  /* bytes that are written: more than a slot has room for */
    LARGE = 300, /* so too, of an input */
    NAP_US = 100,
};

enum kind {
    PLAIN,
    MARK,   /* the victim's call begins here, or ends */
    SAY,    /* a text, by plait_task_write */
    HANG,   /* for ever, when it is entered for the first time */
    SLEEP,  /* until it is cancelled, if it is the victim that runs it */
    RETIRE, /* as if the keeper had told the victim, or the partner, to end */
    APPLY,  /* the victim's call: hands over a job, and waits for it */
    LEAVE,  /* it begins here: hands over a large job that is a MARK, and does not wait */
    ASK,    /* as APPLY, with a job that writes */
    QUIT,   /* it begins here: hands over two, does not wait, and is told to end */
    CROWD,  /* hands over more jobs than there are slots for */
};

/* What an item is given. */
struct order {
    uint32_t number; /* of its story */
    uint32_t kind;
};

/* Of an item; written by the workers. */
struct story {
    uint32_t entered, finished; /* atomic: how often */
    uint32_t by_victim;         /* atomic: so often by it */
    pid_t pid;                  /* atomic: who entered it last */
};

struct scene {
    struct plait__pool_block *block;
    plait_pool *pool;
    struct plait__side *side;
    uint64_t blocks;  /* of the heap, before the pool */
    uint32_t n_items; /* of the owner's jobs */
    struct story stories[STORIES];
};

static struct scene *scene; /* in the heap itself */

/* The survivor's own. */
static struct {
    plait_future *future;
    struct order orders[ITEMS];
    uint64_t values[ITEMS]; /* of a map */
    plait_result results[ITEMS];
    bool is_silent; /* a map that nobody asks how each item ended */
    uint32_t n;     /* items */
    unsigned attempts;
    uint32_t n_calls; /* of its callback */
} jobs[JOBS];

static uint32_t n_jobs;
static bool is_victim;   /* in the victim alone */
static bool is_partner;  /* so too */
static bool has_partner; /* jobs are not begun in their order */
static bool is_keeper;   /* the survivor, after the kill */

static inline uint64_t count_blocks(void)
{
    plait_shared_usage usage;

    CHECK_INT(plait_shared_stats(&usage), 0);
    return usage.blocks;
}

/* ---- what jobs do ---- */

static inline void mark(void)
{
    if (is_victim)
        trace_mark();
}

static inline uint64_t value_of(uint32_t number)
{
    return number * UINT64_C(3) + 1;
}

static inline void retire(void)
{
    if (is_victim || is_partner)
        __atomic_store_n(&scene->block->workers[is_partner].must_retire, 1, __ATOMIC_SEQ_CST);
}

static inline struct story *enter(const struct order *order)
{
    struct story *story = &scene->stories[order->number];

    __atomic_fetch_add(&story->entered, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&story->by_victim, is_victim, __ATOMIC_SEQ_CST);
    __atomic_store_n(&story->pid, getpid(), __ATOMIC_SEQ_CST);
    return story;
}

static int work(const void *in, void *out, void *ctx);
static int say(plait_task *task, const void *in, size_t n);

/* Nobody but this worker knows of the job within. */
static inline void apply(uint32_t number)
{
    struct order order = { .number = number, .kind = PLAIN };
    plait_job job = { .fn = work, .in = &order, .in_bytes = sizeof order, .out_bytes = 8 };
    uint64_t value = 0;

    CHECK_INT(plait_pool_apply(plait_pool_current(), &job, &value, sizeof value, PLAIT_FOREVER),
              sizeof value);
    CHECK_INT(value, value_of(number));
}

static inline plait_future *hand_over(uint32_t number, enum kind kind, size_t bytes)
{
    char in[LARGE] = { 0 };
    struct order order = { .number = number, .kind = kind };
    plait_job job = { .in = in, .in_bytes = bytes };
    plait_future *future = NULL;

    memcpy(in, &order, sizeof order);
    if (kind == SAY)
        job.text_fn = say;
    else
        job.fn = work;
    CHECK_INT(plait_pool_submit(plait_pool_current(), &future, &job, PLAIT_FOREVER), 0);
    return future;
}

static inline void ask(uint32_t number)
{
    plait_future *future = hand_over(number, SAY, sizeof(struct order));
    const void *bytes;

    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_bytes(future, &bytes), SAID);
    CHECK_INT(((const char *)bytes)[SAID - 1], number + 1);
    plait_future_unref(future);
}

/* The last ones find no slot, and run at once: that is the victim's call. */
static inline void hand_many_over(void)
{
    plait_future *futures[MANY];

    for (uint32_t i = 0; i < MANY; i++) {
        if (i == PLAIT__POOL_NESTED)
            mark();
        futures[i] = hand_over(NESTED + i, PLAIN, sizeof(struct order));
    }
    mark();
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK_INT(plait_future_wait(futures[i], PLAIT_FOREVER), 0);
        CHECK_INT(plait_future_is_successful(futures[i]), 1);
        plait_future_unref(futures[i]);
    }
}

static inline int act(const struct order *order, const struct story *story)
{
    switch ((enum kind)order->kind) {
    case PLAIN:
    case SAY:
        break;
    case MARK:
        mark();
        break;
    case HANG:
        while (story->entered == 1)
            pause();
        break;
    case SLEEP:
        return is_victim ? plait_sleep(plait_after_ms(STEP_LIMIT_S * 1000)) : 0;
    case RETIRE:
        if (is_partner)
            trace_mark(); /* its part begins */
        retire();
        break;
    case APPLY:
        mark();
        apply(NESTED);
        mark();
        break;
    case LEAVE:
        mark();
        plait_future_unref(hand_over(NESTED, MARK, LARGE));
        break;
    case ASK:
        mark();
        ask(NESTED);
        mark();
        break;
    case QUIT:
        mark();
        plait_future_unref(hand_over(NESTED, PLAIN, LARGE));
        plait_future_unref(hand_over(NESTED + 1, SAY, sizeof *order));
        retire();
        break;
    case CROWD:
        hand_many_over();
        break;
    }
    return 0;
}

static int work(const void *in, void *out, void *ctx)
{
    struct order order;
    uint64_t value;
    int rc;

    (void)ctx;
    memcpy(&order, in, sizeof order);
    struct story *story = enter(&order);
    value = value_of(order.number);
    rc = act(&order, story);
    if (out != NULL)
        memcpy(out, &value, sizeof value);
    __atomic_fetch_add(&story->finished, 1, __ATOMIC_SEQ_CST);
    return rc;
}

static int say(plait_task *task, const void *in, size_t n)
{
    struct order order;
    char bytes[SAID];
    int rc;

    (void)n;
    memcpy(&order, in, sizeof order);
    struct story *story = enter(&order);
    memset(bytes, (int)order.number + 1, sizeof bytes);
    rc = plait_task_write(task, bytes, sizeof bytes);
    __atomic_fetch_add(&story->finished, 1, __ATOMIC_SEQ_CST);
    return rc;
}

/* ---- the keeper ---- */

static inline int above_3(int fd)
{
    int copy = plait__os_dup_above(fd, 3);

    CHECK(copy >= 0);
    return copy;
}

/* As at KEEPER_CREW; looks at once. */
static inline void take_crew(void)
{
    struct keeper_request take = { .verb = KEEPER_CREW, .id = (uintptr_t)scene->block };
    int fds[2] = { above_3(1), above_3(2) };

    plait__crews_take(&take, fds, 2);
}

static inline void keep(void)
{
    struct plait__death death;

    if (!is_keeper)
        return;
    while (plait__os_wait_any(&death) > 0)
        plait__crews_reap(&death);
    plait__crews_fire_timers();
}

/* As process.c's, but for a keeper that is this process. */
static int take_job(plait_pool *pool, struct plait__job *job, plait_deadline until)
{
    (void)until;
    return plait__side_submit(pool->executor, job);
}

static size_t pump(plait_pool *pool)
{
    keep();
    return plait__side_pump(pool->executor);
}

static int end(plait_pool *pool, bool now, plait_deadline until)
{
    struct plait__side *side = pool->executor;
    struct plait__pool_block *block = side->block;

    (void)until;
    __atomic_store_n(&block->kills, now, __ATOMIC_SEQ_CST);
    __atomic_store_n(&block->stops, 1, __ATOMIC_SEQ_CST);
    plait__bell_ring_all(&block->task_bell);
    while (block->is_gone == 0) {
        keep();
        plait__crews_look();
        usleep(NAP_US);
    }
    pump(pool);
    return 0;
}

/* ---- the stage ---- */

/* A pool of one worker, which nobody has started. */
static inline void new_scene(void)
{
    static struct plait__executor_ops ops;
    struct plait__block_shape shape = { .n_own = JOBS, .n_records = 2, .n_lanes = 1 };
    struct plait__pool_block *block;

    CHECK_INT(plait__member_join(), 0);
    scene = plait_shared_alloc(sizeof *scene);
    CHECK(scene != NULL);
    scene->blocks = count_blocks();
    ops = plait__process_executor;
    ops.submit = take_job;
    ops.pump = pump;
    ops.end = end;
    CHECK_INT(plait__pool_make(&scene->pool, PLAIT_PROCESS, &ops, "pool"), 0);
    CHECK_INT(plait__block_create(&block, &shape), 0);
    block->crew.ops = &plait__process_crew_ops;
    block->handle_ops = &plait__process_executor;
    block->make_handle = plait__side_begin;
    block->owner_bell = plait__ends_bell();
    block->poison_limit = PLAIT__POOL_STARTS;
    block->wanted = 1;
    CHECK_INT(plait__side_create(&scene->side, scene->pool, block), 0);
    scene->pool->executor = scene->side;
    scene->block = block;
}

static void count_call(plait_future *future, void *arg)
{
    CHECK(plait_future_is_ready(future));
    ++*(uint32_t *)arg;
}

static inline uint32_t plan(uint32_t n, enum kind kind, unsigned attempts)
{
    uint32_t i = n_jobs++;

    CHECK(i < JOBS && scene->n_items + n <= NESTED);
    jobs[i].n = n;
    jobs[i].attempts = attempts;
    for (uint32_t k = 0; k < n; k++)
        jobs[i].orders[k] = (struct order){ .number = scene->n_items++, .kind = kind };
    return i;
}

static inline void submit_limited(enum kind kind, unsigned attempts, int64_t soft_ms,
                                  int64_t hard_ms)
{
    uint32_t i = plan(1, kind, attempts);
    plait_job job = { .in = jobs[i].orders,
                      .in_bytes = sizeof jobs[i].orders[0],
                      .attempts = attempts,
                      .soft_ms = soft_ms,
                      .hard_ms = hard_ms,
                      .then = count_call,
                      .then_arg = &jobs[i].n_calls };

    if (kind == SAY)
        job.text_fn = say;
    else
        job.fn = work;
    job.out_bytes = kind == SAY ? 0 : sizeof(uint64_t);
    CHECK_INT(plait_pool_submit(scene->pool, &jobs[i].future, &job, PLAIT_NOWAIT), 0);
}

static inline void submit(enum kind kind, unsigned attempts)
{
    submit_limited(kind, attempts, 0, 0);
}

/* ITEMS items that go to a worker together; one in the middle is of that kind. */
static inline void submit_map(enum kind kind, unsigned attempts, bool is_silent)
{
    uint32_t i = plan(ITEMS, PLAIN, attempts);
    plait_map_opts opts = { .results = is_silent ? NULL : jobs[i].results,
                            .attempts = attempts,
                            .chunk = ITEMS,
                            .then = count_call,
                            .then_arg = &jobs[i].n_calls };

    jobs[i].is_silent = is_silent;
    jobs[i].orders[ITEMS / 2].kind = kind;
    CHECK_INT(plait_pool_map_async(scene->pool, &jobs[i].future, work, PLAIT_IN(jobs[i].orders),
                                   PLAIT_OUT(jobs[i].values), &opts),
              0);
}

#endif
