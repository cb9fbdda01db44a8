/* The contract of scopes and of masks, for each kind of task.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SHORT_MS = 5
};

/* Calls fn(arg) in a task of each kind, and in the thread that is none. It returns 0. */
static void run_in_all(plait_task_fn *fn)
{
    static const plait_kind kinds[] = { PLAIT_PROCESS, PLAIT_THREAD, PLAIT_COROUTINE };

    CHECK_INT(fn(NULL), 0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        plait_task *task = NULL;
        plait_outcome end;
        CHECK_INT(plait_task_start(&task, kinds[i], fn, NULL, NULL), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(task, &end), 0);
        CHECK_INT(end.kind, PLAIT_RETURNED);
        CHECK_INT(end.code, 0);
        plait_task_destroy(task);
    }
    CHECK_INT(fn(NULL), 0); /* a thread that is a loop now */
}

/* ---- each wait ends with the scope ---- */

struct things { /* in the family's heap: the waits on it are in slices */
    plait_event event;
    plait_semaphore semaphore;
    plait_rwlock rwlock;
    plait_lock lock;
    plait_condition condition;
    plait_barrier barrier;
};

static struct things *things;
static plait_queue *queue;
static plait_priority_queue *priority_queue;

static int wait_in_scope(plait_task_fn *wait)
{
    plait_scope scope;
    int rc;

    CHECK_INT(plait_scope_enter(&scope, plait_after_ms(SHORT_MS)), 0);
    rc = wait(NULL);
    CHECK(plait_scope_leave(&scope));
    return rc;
}

static int sleep_on(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

static int wait_event(void *arg)
{
    (void)arg;
    return plait_event_wait(&things->event, PLAIT_FOREVER);
}

static int wait_semaphore(void *arg)
{
    (void)arg;
    return plait_semaphore_acquire(&things->semaphore, PLAIT_FOREVER);
}

static int wait_condition(void *arg)
{
    int rc;

    (void)arg;
    CHECK_INT(plait_lock_acquire(&things->lock, PLAIT_FOREVER), 0);
    rc = plait_condition_wait(&things->condition, &things->lock, PLAIT_FOREVER);
    CHECK_INT(plait_lock_release(&things->lock), 0); /* it was taken back, late as it is */
    return rc;
}

static int wait_queue(void *arg)
{
    char item;

    (void)arg;
    return (int)plait_queue_get(queue, &item, 1, PLAIT_FOREVER);
}

static int wait_priority_queue(void *arg)
{
    char item;

    (void)arg;
    return (int)plait_priority_queue_get(priority_queue, NULL, &item, 1, PLAIT_FOREVER);
}

static int wait_select(void *arg)
{
    plait_waitable on[1];

    (void)arg;
    CHECK_INT(plait_queue_on_get(&on[0], queue), 0);
    return (int)plait_select(on, 1, PLAIT_FOREVER);
}

static int wait_fd(void *arg)
{
    plait_waitable on[1];
    int fds[2];
    ssize_t rc;

    (void)arg;
    CHECK_INT(pipe(fds), 0);
    CHECK_INT(plait_on_fd(&on[0], fds[0], PLAIT_READABLE), 0);
    rc = plait_select(on, 1, PLAIT_FOREVER);
    close(fds[0]);
    close(fds[1]);
    return (int)rc;
}

static int wait_for_task(void *arg)
{
    plait_task *task = NULL;
    int rc;

    (void)arg;
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, sleep_on, NULL, NULL), 0);
    rc = plait_task_join(task, PLAIT_FOREVER);
    plait_task_destroy(task);
    return rc;
}

static int wait_all(void *arg)
{
    static plait_task_fn *const waits[] = { sleep_on,       wait_event, wait_semaphore,
                                            wait_condition, wait_queue, wait_priority_queue,
                                            wait_select,    wait_fd,    wait_for_task };

    (void)arg;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
        CHECK_INT(wait_in_scope(waits[i]), -ETIMEDOUT);
    return 0;
}

TEST_LIMIT(each_wait_ends_with_the_scope, 30)
{
    things = plait_shared_alloc(sizeof *things);
    CHECK(things != NULL);
    CHECK_INT(plait_queue_create(&queue, NULL), 0);
    CHECK_INT(plait_priority_queue_create(&priority_queue, NULL), 0);
    run_in_all(wait_all);
}

static int wait_barrier(void *arg)
{
    (void)arg;
    return plait_barrier_wait(&things->barrier, PLAIT_FOREVER);
}

TEST(a_barrier_ends_with_the_scope)
{
    things = plait_shared_alloc(sizeof *things);
    CHECK(things != NULL);
    CHECK_INT(plait_barrier_init(&things->barrier, 2), 0);
    CHECK_INT(wait_in_scope(wait_barrier), -ETIMEDOUT);
}

static int nap(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return plait_sleep(PLAIT_FOREVER);
}

TEST(a_map_of_a_pool_ends_with_the_scope)
{
    plait_pool *pool = NULL;
    plait_scope scope;
    int in[2] = { 0 }, out[2];

    CHECK_INT(plait_pool_create(&pool, PLAIT_THREAD, NULL), 0);
    plait_scope_enter(&scope, plait_after_ms(SHORT_MS));
    CHECK_INT(plait_pool_map(pool, nap, PLAIT_IN(in), PLAIT_OUT(out), NULL, PLAIT_FOREVER),
              -ETIMEDOUT);
    CHECK(plait_scope_leave(&scope));
    plait_pool_destroy(pool);
}

/* ---- nesting ---- */

static int nest(void *arg)
{
    plait_scope outer, inner;

    (void)arg;
    plait_scope_enter(&outer, plait_after_ms(SHORT_MS));
    plait_scope_enter(&inner, plait_after_ms(100000)); /* the outer one is sooner */
    CHECK_INT(plait_sleep(PLAIT_FOREVER), -ETIMEDOUT);
    CHECK(!plait_scope_leave(&inner));
    CHECK(plait_scope_leave(&outer));
    CHECK(!plait_scope_leave(&outer)); /* once */

    plait_scope_enter(&outer, plait_after_ms(100000));
    plait_scope_enter(&inner, plait_after_ms(SHORT_MS));
    CHECK_INT(plait_sleep(PLAIT_FOREVER), -ETIMEDOUT);
    CHECK(plait_scope_leave(&inner));
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0); /* there is time again */
    CHECK(!plait_scope_leave(&outer));

    plait_scope_enter(&outer, plait_after_ms(1));
    plait_scope_enter(&inner, plait_after_ms(2));
    plait_cancel_mask();
    CHECK_INT(plait_sleep(plait_after_ms(3)), 0); /* both have passed, the outer one before */
    plait_cancel_unmask();
    CHECK(!plait_scope_leave(&inner));
    CHECK(plait_scope_leave(&outer));

    plait_scope_enter(&outer, PLAIT_NOWAIT);
    CHECK_INT(plait_sleep(plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(plait_sleep(PLAIT_NOWAIT), 0); /* what need not wait succeeds */
    CHECK(plait_scope_leave(&outer));
    return plait_sleep(plait_after_ms(1));
}

TEST(the_sooner_scope_counts_and_says_so)
{
    run_in_all(nest);
}

TEST(what_makes_no_sense_is_refused)
{
    plait_scope never;

    memset(&never, 0, sizeof never);
    CHECK_INT(plait_scope_enter(NULL, PLAIT_FOREVER), -EINVAL);
    CHECK(!plait_scope_leave(NULL));
    CHECK(!plait_scope_leave(&never));
    plait_cancel_unmask(); /* one too many */
    plait_cancel_mask();
    plait_cancel_unmask();
}

/* ---- whose it is ---- */

static int sleep_a_little(void *arg)
{
    (void)arg;
    return plait_sleep(plait_after_ms(2));
}

static int start_in_scope(void *arg)
{
    plait_scope scope;
    plait_task *task = NULL;
    plait_outcome end;

    (void)arg;
    plait_scope_enter(&scope, PLAIT_NOWAIT);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, sleep_a_little, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), -ETIMEDOUT);
    plait_scope_leave(&scope);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, 0);
    plait_task_destroy(task);
    return 0;
}

TEST(a_scope_is_of_its_task_alone)
{
    run_in_all(start_in_scope);
}

/* ---- masks ---- */

static plait_event cleaned;

static int clean_up(void *arg)
{
    plait_scope outer, inner;

    (void)arg;
    plait_scope_enter(&outer, plait_after_ms(100000));
    if (plait_sleep(PLAIT_FOREVER) != -ECANCELED)
        return 1;
    plait_cancel_mask();
    plait_cancel_mask();
    if (plait_sleep(plait_after_ms(1)) != 0)
        return 2;
    plait_cancel_unmask();
    plait_scope_enter(&inner, plait_after_ms(1)); /* one of the clean-up's own counts */
    if (plait_sleep(PLAIT_FOREVER) != -ETIMEDOUT || !plait_scope_leave(&inner))
        return 3;
    plait_cancel_unmask();
    if (plait_sleep(PLAIT_FOREVER) != -ECANCELED)
        return 4;
    plait_scope_leave(&outer);
    plait_event_set(&cleaned);
    return 0;
}

static void end_and_expect_0(plait_kind kind)
{
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(plait_task_start(&task, kind, clean_up, NULL, NULL), 0);
    plait_yield();
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, 0);
    CHECK(plait_event_is_set(&cleaned));
    plait_event_clear(&cleaned);
    plait_task_destroy(task);
}

TEST(a_masked_task_waits_though_it_was_asked_to_end)
{
    end_and_expect_0(PLAIT_THREAD);
    end_and_expect_0(PLAIT_COROUTINE);
}

static int sleep_masked(void *arg)
{
    plait_scope scope;

    (void)arg;
    plait_scope_enter(&scope, PLAIT_NOWAIT);
    plait_cancel_mask();
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    plait_cancel_unmask();
    CHECK_INT(plait_sleep(plait_after_ms(1)), -ETIMEDOUT);
    CHECK(plait_scope_leave(&scope));
    return 0;
}

TEST(a_scope_does_not_reach_into_a_mask)
{
    run_in_all(sleep_masked);
}

static int do_nothing(const void *in, void *out, void *ctx)
{
    (void)in;
    (void)out;
    (void)ctx;
    return 0;
}

static int return_0(void *arg)
{
    (void)arg;
    return 0;
}

static void start_coroutine(plait_future *future, void *arg)
{
    (void)future;
    CHECK_INT(plait_go(return_0, NULL), 0);
    *(int *)arg = 1;
}

/* A destroy cannot be cut short, and calls back. */
TEST(a_thread_that_becomes_a_loop_in_a_callback_has_its_scopes_and_masks)
{
    int is_called = 0;
    plait_job job = { .fn = do_nothing, .then = start_coroutine, .then_arg = &is_called };
    plait_future *future = NULL;
    plait_pool *pool = NULL;

    CHECK_INT(plait_pool_create(&pool, PLAIT_THREAD, NULL), 0);
    CHECK_INT(plait_pool_submit(pool, &future, &job, PLAIT_FOREVER), 0);
    plait_pool_destroy(pool);
    plait_future_unref(future);
    CHECK_INT(is_called, 1);
    CHECK_INT(sleep_masked(NULL), 0);
}

TEST(a_threads_scope_holds_in_a_forked_child)
{
    plait_scope scope;
    pid_t pid;
    int status = 0;

    plait_scope_enter(&scope, plait_after_ms(SHORT_MS));
    pid = fork();
    if (pid == 0) {
        CHECK_INT(plait_sleep(PLAIT_FOREVER), -ETIMEDOUT);
        CHECK(plait_scope_leave(&scope));
        _exit(0);
    }
    plait_scope_leave(&scope);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}
