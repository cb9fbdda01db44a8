/* Pools and coroutines: who waits for a future is a coroutine, or a job has coroutines of its own.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

/* What workers of both kinds see. */
struct board {
    uint32_t gate;   /* atomic: jobs stand until it is set */
    uint32_t n_ran;  /* atomic: coroutines of jobs */
    uint32_t n_jobs; /* atomic */
};

static struct board *board;
static plait_pool *pool;
static unsigned n_turns; /* of `turn` */

static void prepare(plait_kind kind)
{
    plait_pool_opts opts = { .workers = 2 };

    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(board != MAP_FAILED);
    CHECK_INT(plait_pool_create(&pool, kind, &opts), 0);
}

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void add(uint32_t *word)
{
    __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
}

/* Until the gate is opened. */
static int stand_and_square(const void *in, void *out, void *ctx)
{
    long n;

    (void)ctx;
    add(&board->n_jobs);
    while (!load(&board->gate))
        usleep(500);
    memcpy(&n, in, sizeof n);
    n *= n;
    memcpy(out, &n, sizeof n);
    return 0;
}

static int turn(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        n_turns++;
        plait_sleep(plait_after_ms(1));
    }
    __atomic_store_n(&board->gate, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int square_by_pool(void *arg)
{
    long n = (intptr_t)arg, squared = 0;
    plait_job job = {
        .fn = stand_and_square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof squared
    };
    plait_future *future = NULL;

    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_get(future, &squared, sizeof squared, PLAIT_FOREVER), sizeof squared);
    CHECK_INT(squared, n * n);
    plait_future_unref(future);
    return 0;
}

static void wait_while_others_run(plait_kind kind)
{
    plait_task *tasks[6];

    prepare(kind);
    for (intptr_t i = 0; i < 6; i++)
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_COROUTINE, square_by_pool, (void *)i, NULL), 0);
    CHECK_INT(plait_go(turn, NULL), 0);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        plait_task_destroy(tasks[i]);
    }
    CHECK_INT(n_turns, 20); /* nobody got further before */
    plait_pool_destroy(pool);
}

TEST_LIMIT(coroutines_wait_for_a_pool_of_threads_while_others_run, 30)
{
    wait_while_others_run(PLAIT_THREAD);
}

TEST_LIMIT(coroutines_wait_for_a_pool_of_processes_while_others_run, 30)
{
    wait_while_others_run(PLAIT_PROCESS);
}

static int quick_square(const void *in, void *out, void *ctx)
{
    __atomic_store_n(&board->gate, 1, __ATOMIC_SEQ_CST);
    return stand_and_square(in, out, ctx);
}

static int map_by_pool(void *arg)
{
    long n[300], squares[300] = { 0 };

    for (int i = 0; i < 300; i++)
        n[i] = i + (intptr_t)arg;
    CHECK_INT(
        plait_pool_map(pool, quick_square, PLAIT_IN(n), PLAIT_OUT(squares), NULL, PLAIT_FOREVER),
        0);
    for (int i = 0; i < 300; i++)
        CHECK_INT(squares[i], n[i] * n[i]);
    return 0;
}

static void map_by_several(plait_kind kind)
{
    plait_task *tasks[4];
    plait_outcome end;

    prepare(kind);
    for (intptr_t i = 0; i < 4; i++)
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_COROUTINE, map_by_pool, (void *)i, NULL), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(tasks[i], &end), 0);
        CHECK_INT(end.code, 0);
        plait_task_destroy(tasks[i]);
    }
    plait_pool_destroy(pool);
}

TEST_LIMIT(several_coroutines_map_by_one_pool_of_threads, 30)
{
    map_by_several(PLAIT_THREAD);
}

TEST_LIMIT(several_coroutines_map_by_one_pool_of_processes, 30)
{
    map_by_several(PLAIT_PROCESS);
}

static int wait_for_standing(void *arg)
{
    return plait_future_wait(arg, PLAIT_FOREVER);
}

static void cancel_the_wait(plait_kind kind)
{
    long n = 3, squared;
    plait_job job = {
        .fn = stand_and_square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof squared
    };
    plait_future *future = NULL;
    plait_task *task = NULL;
    plait_outcome end;

    prepare(kind);
    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, wait_for_standing, future, NULL), 0);
    while (load(&board->n_jobs) == 0)
        plait_sleep(plait_after_ms(1));
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    CHECK(!plait_future_is_ready(future));
    __atomic_store_n(&board->gate, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(plait_future_get(future, &squared, sizeof squared, PLAIT_FOREVER), sizeof squared);
    CHECK_INT(squared, 9);
    plait_future_unref(future);
    plait_task_destroy(task);
    plait_pool_destroy(pool);
}

TEST_LIMIT(a_coroutine_that_waits_for_a_thread_of_a_pool_is_cancelled, 30)
{
    cancel_the_wait(PLAIT_THREAD);
}

TEST_LIMIT(a_coroutine_that_waits_for_a_process_of_a_pool_is_cancelled, 30)
{
    cancel_the_wait(PLAIT_PROCESS);
}

/* ---- jobs with coroutines ---- */

static int run_late(void *arg)
{
    (void)arg;
    plait_sleep(plait_after_ms(5));
    add(&board->n_ran);
    return 0;
}

static int go_thrice(const void *in, void *out, void *ctx)
{
    plait_task *task = NULL;

    (void)in;
    (void)out;
    (void)ctx;
    for (int i = 0; i < 2; i++)
        CHECK_INT(plait_go(run_late, NULL), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, run_late, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    plait_task_destroy(task);
    return 0;
}

static void jobs_with_coroutines(plait_kind kind)
{
    plait_future *futures[10];
    plait_job job = { .fn = go_thrice };
    plait_result end;

    prepare(kind);
    for (int i = 0; i < 10; i++)
        CHECK_INT(plait_pool_submit(pool, &futures[i], &job, PLAIT_FOREVER), 0);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(plait_future_wait(futures[i], PLAIT_FOREVER), 0);
        CHECK_INT(plait_future_result(futures[i], &end), 0);
        CHECK_INT(end.end, PLAIT_JOB_VALUE);
        plait_future_unref(futures[i]);
    }
    CHECK(plait_pool_drain(pool, PLAIT_FOREVER) >= 0);
    CHECK_INT(load(&board->n_ran), 30); /* a job ends only after what it started */
    plait_pool_destroy(pool);
}

static int square_below(void *arg)
{
    long n = 5, squared = 0;
    plait_job job = {
        .fn = quick_square, .in = &n, .in_bytes = sizeof n, .out_bytes = sizeof squared
    };

    (void)arg;
    CHECK_INT(plait_pool_apply(pool, &job, &squared, sizeof squared, PLAIT_FOREVER),
              sizeof squared);
    CHECK_INT(squared, 25);
    return 0;
}

static int go_and_wait_below(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    CHECK_INT(plait_go(square_below, NULL), 0);
    return square_below(NULL);
}

TEST_LIMIT(a_job_of_a_thread_with_coroutines_waits_for_other_jobs, 30)
{
    plait_pool_opts opts = { .workers = 1 };
    plait_job job = { .fn = go_and_wait_below };

    prepare(PLAIT_THREAD);
    plait_pool_destroy(pool);
    CHECK_INT(plait_pool_create(&pool, PLAIT_THREAD, &opts), 0);
    CHECK_INT(plait_pool_apply(pool, &job, NULL, 0, PLAIT_FOREVER), 0);
    plait_pool_destroy(pool);
}

static int sleep_for_ever(void *arg)
{
    int rc = plait_sleep(PLAIT_FOREVER);

    (void)arg;
    add(&board->n_ran);
    return rc;
}

static int go_and_sleep(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    CHECK_INT(plait_go(sleep_for_ever, NULL), 0);
    add(&board->n_jobs);
    return plait_sleep(PLAIT_FOREVER);
}

static void cancel_jobs_with_coroutines(plait_kind kind)
{
    plait_future *future;
    plait_job job = { .fn = go_and_sleep };
    plait_result end;

    prepare(kind);
    for (uint32_t i = 1; i <= 5; i++) {
        CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), 0);
        while (load(&board->n_jobs) < i)
            plait_sleep(plait_after_ms(1));
        plait_sleep(plait_after_ms(30));
        CHECK(!plait_future_is_ready(future));
        CHECK_INT(load(&board->n_ran), i - 1);
        CHECK(plait_future_cancel(future, false) >= 0);
        CHECK_INT(plait_future_wait(future, PLAIT_FOREVER), 0);
        CHECK_INT(plait_future_result(future, &end), 0);
        CHECK_INT(end.end, PLAIT_JOB_CANCELLED);
        CHECK_INT(load(&board->n_ran), i); /* asked to end, and waited for */
        plait_future_unref(future);
    }
    plait_pool_destroy(pool);
}

/* ---- a pool of coroutines, and another thread ---- */

static plait_event second_runs;

static int wait_for_second(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    add(&board->n_jobs);
    return plait_event_wait(&second_runs, PLAIT_FOREVER);
}

static int be_second(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return plait_event_set(&second_runs);
}

static int grow(void *arg)
{
    (void)arg;
    while (load(&board->n_jobs) == 0)
        plait_sleep(plait_after_ms(1));
    return plait_pool_resize(pool, 2);
}

TEST_LIMIT(another_thread_makes_a_pool_of_coroutines_larger_at_once, 30)
{
    plait_pool_opts opts = { .workers = 1 };
    plait_future *futures[2];
    plait_task *thread = NULL;

    prepare(PLAIT_THREAD);
    plait_pool_destroy(pool);
    CHECK_INT(plait_pool_create(&pool, PLAIT_COROUTINE, &opts), 0);
    CHECK_INT(plait_task_start(&thread, PLAIT_THREAD, grow, NULL, NULL), 0);
    CHECK_INT(
        plait_pool_submit(pool, &futures[0], &(plait_job){ .fn = wait_for_second }, PLAIT_FOREVER),
        0);
    CHECK_INT(plait_pool_submit(pool, &futures[1], &(plait_job){ .fn = be_second }, PLAIT_FOREVER),
              0);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(plait_future_wait(futures[i], PLAIT_FOREVER), 0);
        plait_future_unref(futures[i]);
    }
    CHECK_INT(plait_task_join(thread, PLAIT_FOREVER), 0);
    plait_task_destroy(thread);
    plait_pool_destroy(pool);
}

TEST_LIMIT(a_job_of_a_thread_with_coroutines_is_asked_to_end, 30)
{
    cancel_jobs_with_coroutines(PLAIT_THREAD);
}

TEST_LIMIT(a_job_of_a_process_with_coroutines_is_asked_to_end, 30)
{
    cancel_jobs_with_coroutines(PLAIT_PROCESS);
}

TEST_LIMIT(a_job_of_a_thread_may_have_coroutines, 30)
{
    jobs_with_coroutines(PLAIT_THREAD);
}

TEST_LIMIT(a_job_of_a_process_may_have_coroutines, 30)
{
    jobs_with_coroutines(PLAIT_PROCESS);
}

/* ---- a pool that nobody destroys ---- */

static int wait_for_ever(const void *in, void *out, void *ctx)
{
    static plait_event never;

    (void)in;
    (void)out;
    (void)ctx;
    CHECK_INT(plait_event_wait(&never, PLAIT_FOREVER), -ECANCELED);
    add(&board->n_jobs);
    return -ECANCELED;
}

static plait_future *futures[2];

/* So many workers, and two jobs that wait for ever. */
static int leave_a_pool(void *arg)
{
    size_t workers = (size_t)(uintptr_t)arg;

    CHECK_INT(plait_pool_create(&pool, PLAIT_COROUTINE, &(plait_pool_opts){ .workers = workers }),
              0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(
            plait_pool_submit(pool, &futures[i], &(plait_job){ .fn = wait_for_ever }, PLAIT_NOWAIT),
            0);
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0); /* they begin */
    return 0;
}

static void leave_and_exit(size_t workers)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        leave_a_pool((void *)(uintptr_t)workers);
        exit(0);
    }
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

TEST_LIMIT(a_pool_that_nobody_destroys_ends_with_the_program, 30)
{
    prepare(PLAIT_THREAD);
    plait_pool_destroy(pool);
    leave_and_exit(1); /* a job has not begun, and does not */
    CHECK_INT(load(&board->n_jobs), 1);
    leave_and_exit(5); /* some are idle */
    CHECK_INT(load(&board->n_jobs), 3);
}

TEST_LIMIT(a_pool_that_nobody_destroys_ends_with_its_thread, 30)
{
    plait_task *task = NULL;

    prepare(PLAIT_THREAD);
    plait_pool_destroy(pool);
    for (uintptr_t workers = 1; workers <= 5; workers += 4) {
        CHECK_INT(plait_task_start(&task, PLAIT_THREAD, leave_a_pool, (void *)workers, NULL), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        plait_task_destroy(task);
        plait_pool_destroy(pool); /* also afterwards */
        for (int i = 0; i < 2; i++)
            plait_future_unref(futures[i]);
    }
    CHECK_INT(load(&board->n_jobs), 3);
}
