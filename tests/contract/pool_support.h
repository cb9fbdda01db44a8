/* What the tests of pools share: a board that all sides see, small jobs, and short ways to say what
 * every case says.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines KIND before. The board is mapped before the pool is made, so that workers of
 * both kinds see it.
 */
#ifndef PLAIT_TESTS_POOL_SUPPORT_H
#define PLAIT_TESTS_POOL_SUPPORT_H

#include <plait.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#define IS_PROCESS (KIND == PLAIT_PROCESS)

enum {
    MANY = 64
};

/* What both sides see, whether they share memory or not. */
struct board {
    uint32_t gate;          /* atomic: `stand` stands until it is set */
    uint32_t n_entered;     /* atomic: by jobs that count themselves */
    uint32_t n_left;        /* atomic */
    uint32_t numbers[MANY]; /* atomic */
    pid_t pids[MANY];       /* atomic */
};

static struct board *board;
static plait_pool *pool;

static inline void prepare(void)
{
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(board != MAP_FAILED);
}

static inline uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void store(uint32_t *word, uint32_t to)
{
    __atomic_store_n(word, to, __ATOMIC_SEQ_CST);
}

static inline uint32_t add(uint32_t *word)
{
    return __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
}

/* For what will surely become true. */
#define UNTIL(expr)                         \
    do {                                    \
        while (!(expr))                     \
            plait_sleep(plait_after_ms(1)); \
    } while (0)

/* A moment in which what is not held back would have happened. */
static inline void a_moment(void)
{
    plait_sleep(plait_after_ms(30));
}

/* ---- jobs ---- */

static inline int square(const void *in, void *out, void *ctx)
{
    long n;

    (void)ctx;
    memcpy(&n, in, sizeof n);
    n *= n;
    memcpy(out, &n, sizeof n);
    return 0;
}

static inline int return_in(const void *in, void *out, void *ctx)
{
    int code;

    (void)out;
    (void)ctx;
    memcpy(&code, in, sizeof code);
    return code;
}

static inline int count(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    add(&board->n_entered);
    add(&board->n_left);
    return 0;
}

/* A nap that plait knows nothing of: nobody takes the place of who sleeps so.
 */
static inline void nap(void)
{
    if (KIND == PLAIT_COROUTINE) /* the others are in this thread */
        plait_yield();
    nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
}

/* Until the gate is opened, or it is asked to end. */
static inline int stand(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    add(&board->n_entered);
    while (!load(&board->gate)) {
        if (plait_task_cancelled(plait_task_current()))
            return -ECANCELED;
        nap();
    }
    add(&board->n_left);
    return 0;
}

static inline void open_gate(void)
{
    store(&board->gate, 1);
}

/* ---- pools, jobs and futures ---- */

static inline void create(plait_pool_opts opts)
{
    if (board == NULL)
        prepare();
    CHECK_INT(plait_pool_create(&pool, KIND, &opts), 0);
    CHECK(pool != NULL);
}

static inline void create_with(size_t workers)
{
    create((plait_pool_opts){ .workers = workers });
}

static inline plait_future *submit_job(plait_job job)
{
    plait_future *future = NULL;

    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), 0);
    CHECK(future != NULL);
    return future;
}

static inline plait_future *submit(plait_pool_fn *fn)
{
    return submit_job((plait_job){ .fn = fn });
}

/* A job that nobody waits for. */
static inline void submit_alone(plait_pool_fn *fn)
{
    plait_future_unref(submit(fn));
}

/* What a submit says that may be refused; lets go of the future. */
static inline int try_submit(plait_job job, plait_deadline until)
{
    plait_future *future = NULL;
    int rc = plait_pool_submit(pool, &future, &job, until);

    CHECK_INT(rc == 0, future != NULL);
    plait_future_unref(future);
    return rc;
}

static inline plait_future *submit_square(long n)
{
    return submit_job(
        (plait_job){ .fn = square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof n });
}

static inline plait_future *submit_code(int code)
{
    return submit_job((plait_job){ .fn = return_in, .in = &code, .in_bytes = sizeof code });
}

static inline plait_result await_result(plait_future *future)
{
    plait_result result = { 0 };

    CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
    CHECK(plait_future_is_ready(future));
    CHECK_INT(plait_future_result(future, &result), 0);
    return result;
}

/* What became of it; lets go of it. */
static inline plait_result end_of(plait_future *future)
{
    plait_result result = await_result(future);

    plait_future_unref(future);
    return result;
}

static inline void check_square(plait_future *future, long n)
{
    long got = -1;

    CHECK_INT(plait_future_get(future, &got, sizeof got, PLAIT_FOREVER), sizeof got);
    CHECK_INT(got, n * n);
    CHECK_INT(end_of(future).end, PLAIT_JOB_VALUE);
}

static unsigned n_calls; /* of the callback */
static plait_future *called_with;

static inline void note_call(plait_future *future, void *arg)
{
    n_calls++;
    called_with = future;
    if (arg != NULL)
        ++*(unsigned *)arg;
}

static inline void destroy(void)
{
    plait_pool_destroy(pool);
    pool = NULL;
}

#endif
