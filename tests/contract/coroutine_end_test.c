/* The end of a task that has started coroutines, by every way out.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static int n_told; /* atomic */

static int stay(void *arg)
{
    int rc = plait_sleep(PLAIT_FOREVER);

    (void)arg;
    __atomic_fetch_add(&n_told, rc == -ECANCELED, __ATOMIC_SEQ_CST);
    return rc;
}

/* Returns at once; what it started goes on. */
static int start_and_return(void *arg)
{
    (void)arg;
    return plait_go(stay, NULL);
}

static plait_task *start(plait_kind kind)
{
    plait_task *task = NULL;

    CHECK_INT(plait_task_start(&task, kind, start_and_return, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, plait_after_ms(50)), -ETIMEDOUT);
    return task;
}

TEST(a_coroutine_whose_function_has_returned_passes_on_that_it_is_to_end)
{
    plait_task *task = start(PLAIT_COROUTINE);

    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(n_told, 1);
    plait_task_destroy(task);
}

TEST(a_thread_whose_function_has_returned_passes_on_that_it_is_to_end)
{
    plait_task *task = start(PLAIT_THREAD);

    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(n_told, 1);
    plait_task_destroy(task);
}

TEST(a_group_that_is_destroyed_reaches_what_its_coroutines_left)
{
    plait_group *group = NULL;

    CHECK_INT(plait_group_create(&group, NULL), 0);
    CHECK_INT(plait_group_go(group, start_and_return, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_sleep(plait_after_ms(20)), 0);
    plait_group_destroy(group);
    CHECK_INT(n_told, 1);
}

TEST(a_return_from_main_reaches_what_coroutines_left)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        CHECK_INT(plait_go(start_and_return, NULL), 0);
        CHECK_INT(plait_sleep(plait_after_ms(20)), 0);
        exit(3);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 3);
}

/* ---- jobs ---- */

static int nap(void *arg)
{
    CHECK_INT(plait_sleep(plait_after_ms(30)), 0);
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int start_naps(const void *in, void *out, void *ctx)
{
    static int n_naps;

    (void)in;
    (void)ctx;
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_go(nap, &n_naps), 0);
    *(int **)out = &n_naps;
    return 0;
}

static void check_job(plait_kind kind)
{
    plait_pool_opts opts = { .workers = 2 };
    plait_job job = { .fn = start_naps, .out_bytes = sizeof(int *) };
    plait_pool *pool = NULL;
    int *n_naps = NULL;

    CHECK_INT(plait_pool_create(&pool, kind, &opts), 0);
    for (int i = 1; i <= 3; i++) {
        CHECK_INT(plait_pool_apply(pool, &job, &n_naps, sizeof n_naps, PLAIT_FOREVER),
                  sizeof n_naps);
        CHECK_INT(*n_naps, 3 * i);
    }
    plait_pool_destroy(pool);
}

TEST(a_job_of_a_coroutine_ends_after_its_coroutines)
{
    check_job(PLAIT_COROUTINE);
}

TEST(a_job_of_a_thread_ends_after_its_coroutines)
{
    check_job(PLAIT_THREAD);
}

static int leave_one(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return plait_go(stay, NULL);
}

static void check_terminate(plait_kind kind)
{
    plait_pool_opts opts = { .workers = 1 };
    plait_job job = { .fn = leave_one };
    plait_future *future = NULL;
    plait_pool *pool = NULL;

    CHECK_INT(plait_pool_create(&pool, kind, &opts), 0);
    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), 0);
    CHECK_INT(plait_future_wait(future, plait_after_ms(50)), -ETIMEDOUT);
    plait_future_unref(future);
    plait_pool_destroy(pool);
    CHECK_INT(n_told, 1);
}

TEST(a_pool_of_coroutines_is_destroyed_while_jobs_wait_for_theirs)
{
    check_terminate(PLAIT_COROUTINE);
}

TEST(a_pool_of_threads_is_destroyed_while_jobs_wait_for_their_coroutines)
{
    check_terminate(PLAIT_THREAD);
}

/* ---- letting others run ---- */

static int count_up(void *arg)
{
    ++*(int *)arg;
    return 0;
}

TEST(a_sleep_of_no_time_lets_others_run)
{
    int n = 0;

    CHECK_INT(plait_go(count_up, &n), 0);
    CHECK_INT(plait_sleep(PLAIT_NOWAIT), 0);
    CHECK_INT(n, 1);
    CHECK_INT(plait_go(count_up, &n), 0);
    CHECK_INT(plait_sleep(plait_after_ms(0)), 0);
    CHECK_INT(n, 2);
}

static plait_local mine;

static void *same(void *value)
{
    return value;
}

static int look_at_local(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)ctx;
    *(void **)out = plait_local_get(&mine);
    return 0;
}

TEST(an_offloaded_function_sees_nothing_of_who_came_first)
{
    plait_job job = { .fn = look_at_local, .out_bytes = sizeof(void *) };
    void *seen = &job;

    mine.inherit = same;
    CHECK_INT(plait_local_set(&mine, &job), 0);
    CHECK_INT(plait_offload(PLAIT_OFFLOAD_ANY, &job, &seen, sizeof seen, PLAIT_FOREVER),
              sizeof seen);
    CHECK(seen == NULL);
}
