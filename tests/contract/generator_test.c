/* The contract of generators.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "test.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int n_ended, n_beside;

static plait_gen *make(plait_gen_fn *fn, void *arg)
{
    plait_gen *gen = NULL;

    CHECK_INT(plait_gen_create(&gen, fn, arg, NULL), 0);
    return gen;
}

static intptr_t next_of(plait_gen *gen)
{
    void *value = NULL;

    CHECK_INT(plait_gen_next(gen, &value), 1);
    return (intptr_t)value;
}

static int count(plait_gen *gen, void *arg)
{
    int rc = 0;

    for (intptr_t i = 0; i < (intptr_t)arg && rc == 0; i++)
        rc = plait_gen_yield(gen, (void *)i);
    n_ended++;
    return rc;
}

static void *number(intptr_t n)
{
    return (void *)n;
}

TEST(values_come_one_after_the_other_and_then_the_end)
{
    plait_gen *gen = make(count, number(1000)), *none = make(count, number(0));
    void *value = &value;

    for (int i = 0; i < 1000; i++)
        CHECK_INT(next_of(gen), i);
    CHECK_INT(plait_gen_next(gen, &value), 0);
    CHECK_INT(plait_gen_next(gen, &value), 0);
    CHECK_INT(plait_gen_next(none, NULL), 0);
    CHECK(value == &value);
    CHECK_INT(n_ended, 2);
    plait_gen_destroy(gen);
    plait_gen_destroy(none);
}

static int fail_after_one(plait_gen *gen, void *arg)
{
    (void)arg;
    CHECK_INT(plait_gen_yield(gen, NULL), 0);
    return -EIO;
}

TEST(an_error_of_the_function_is_told_each_time)
{
    plait_gen *gen = make(fail_after_one, NULL);

    CHECK_INT(next_of(gen), 0);
    CHECK_INT(plait_gen_next(gen, NULL), -EIO);
    CHECK_INT(plait_gen_next(gen, NULL), -EIO);
    plait_gen_destroy(gen);
}

static int call_itself(plait_gen *gen, void *arg)
{
    plait_gen *other = arg;

    CHECK_INT(plait_gen_next(gen, NULL), -EBUSY);
    CHECK_INT(plait_gen_yield(other, NULL), -EPERM);
    plait_gen_destroy(gen); /* does nothing */
    return plait_gen_yield(gen, NULL);
}

TEST(what_makes_no_sense_is_refused)
{
    plait_gen *other = make(count, number(2)), *gen = make(call_itself, other);

    CHECK_INT(plait_gen_create(NULL, count, NULL, NULL), -EINVAL);
    CHECK_INT(plait_gen_create(&gen, NULL, NULL, NULL), -EINVAL); /* gen is as it was */
    CHECK_INT(plait_gen_next(NULL, NULL), -EINVAL);
    CHECK_INT(plait_gen_yield(NULL, NULL), -EINVAL);
    CHECK_INT(plait_gen_cancel(NULL), -EINVAL);
    CHECK_INT(plait_gen_yield(gen, NULL), -EPERM);
    CHECK_INT(next_of(other), 0);
    CHECK_INT(next_of(gen), 0);
    CHECK_INT(plait_gen_next(gen, NULL), 0);
    plait_gen_destroy(gen);
    plait_gen_destroy(other);
    plait_gen_destroy(NULL);
}

/* ---- the end of one that has not ended ---- */

static int clean_up(plait_gen *gen, void *arg)
{
    (void)arg;
    while (plait_gen_yield(gen, NULL) == 0)
        ;
    CHECK_INT(plait_gen_yield(gen, NULL), -ECANCELED); /* from now on */
    CHECK_INT(plait_sleep(plait_after_ms(1)), 0);      /* the task was not asked to end */
    n_ended++;
    return -ECANCELED;
}

TEST(destroy_has_it_clean_up)
{
    plait_gen *gen = make(clean_up, NULL), *never = make(clean_up, NULL);

    CHECK_INT(next_of(gen), 0);
    CHECK_INT(next_of(gen), 0);
    plait_gen_destroy(gen);
    CHECK_INT(n_ended, 1);
    plait_gen_destroy(never); /* there is nothing to clean up */
    CHECK_INT(n_ended, 1);
}

TEST(a_cancelled_one_ends_at_the_next_call)
{
    plait_gen *gen = make(clean_up, NULL), *never = make(clean_up, NULL);

    CHECK_INT(next_of(gen), 0);
    CHECK_INT(plait_gen_cancel(gen), 0);
    CHECK_INT(n_ended, 0);
    CHECK_INT(plait_gen_next(gen, NULL), -ECANCELED);
    CHECK_INT(n_ended, 1);
    CHECK_INT(plait_gen_cancel(never), 0);
    CHECK_INT(plait_gen_next(never, NULL), -ECANCELED);
    CHECK_INT(n_ended, 1);
    plait_gen_destroy(gen);
    plait_gen_destroy(never);
}

/* ---- one in the other ---- */

static int double_each(plait_gen *gen, void *arg)
{
    plait_gen *inner = make(count, arg);
    void *value;
    int rc = 0;

    while (rc == 0 && plait_gen_next(inner, &value) == 1)
        rc = plait_gen_yield(gen, number(2 * (intptr_t)value));
    plait_gen_destroy(inner);
    return rc;
}

static int walk(plait_gen *gen, void *arg)
{
    intptr_t depth = (intptr_t)arg;
    plait_gen *below = depth > 0 ? make(walk, number(depth - 1)) : NULL;
    int rc = plait_gen_yield(gen, arg);
    void *value;

    while (rc == 0 && below != NULL && plait_gen_next(below, &value) == 1)
        rc = plait_gen_yield(gen, value);
    plait_gen_destroy(below);
    n_ended++;
    return rc;
}

TEST(generators_lie_in_each_other)
{
    plait_gen *gen = make(double_each, number(3)), *deep = make(walk, number(20));

    for (int i = 0; i < 3; i++)
        CHECK_INT(next_of(gen), 2 * i);
    CHECK_INT(plait_gen_next(gen, NULL), 0);
    CHECK_INT(n_ended, 1);
    for (int i = 20; i >= 5; i--)
        CHECK_INT(next_of(deep), i);
    plait_gen_destroy(deep); /* and all that lie in it */
    CHECK_INT(n_ended, 1 + 16);
    plait_gen_destroy(gen);
}

/* ---- in tasks ---- */

static int slow(plait_gen *gen, void *arg)
{
    plait_task *self = plait_task_current();
    int rc = 0;

    for (intptr_t i = 0; i < 5 && rc == 0; i++) {
        rc = plait_sleep(plait_after_ms(1));
        CHECK(plait_task_current() == self);
        if (rc == 0)
            rc = plait_gen_yield(gen, number(i));
    }
    (void)arg;
    return rc;
}

static int sum_slow(void *arg)
{
    plait_gen *gen = make(slow, NULL);
    intptr_t sum = 0;
    void *value;
    int rc;

    (void)arg;
    while ((rc = plait_gen_next(gen, &value)) == 1) {
        sum += (intptr_t)value;
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0); /* it stands meanwhile */
    }
    plait_gen_destroy(gen);
    return rc < 0 ? rc : (int)sum;
}

TEST(where_it_waits_its_task_waits_and_others_run)
{
    static const plait_kind kinds[] = { PLAIT_PROCESS, PLAIT_COROUTINE, PLAIT_COROUTINE,
                                        PLAIT_THREAD };
    plait_task *tasks[4] = { NULL };
    plait_outcome end;

    CHECK_INT(sum_slow(NULL), 10);
    for (int i = 0; i < 4; i++)
        CHECK_INT(plait_task_start(&tasks[i], kinds[i], sum_slow, NULL, NULL), 0);
    CHECK_INT(sum_slow(NULL), 10);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(tasks[i], &end), 0);
        CHECK_INT(end.code, 10);
        plait_task_destroy(tasks[i]);
    }
}

static int wait_for_ever(plait_gen *gen, void *arg)
{
    (void)gen;
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

static plait_gen *common;

static int next_common(void *arg)
{
    (void)arg;
    return plait_gen_next(common, NULL);
}

static int be_beside(void *arg)
{
    (void)arg;
    CHECK_INT(plait_gen_next(common, NULL), -EBUSY); /* it waits in another task */
    CHECK_INT(plait_gen_yield(common, NULL), -EPERM);
    n_beside++;
    return 0;
}

TEST(a_task_that_is_asked_to_end_hears_it_in_its_generator)
{
    plait_task *task = NULL;
    plait_outcome end;

    common = make(wait_for_ever, NULL);
    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, next_common, NULL, NULL), 0);
    plait_yield();
    CHECK_INT(plait_go(be_beside, NULL), 0);
    plait_yield();
    CHECK_INT(n_beside, 1);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.kind, PLAIT_CANCELLED);
    plait_task_destroy(task);
    plait_gen_destroy(common);
}

static int next_of_other_thread(void *arg)
{
    return plait_gen_next(arg, NULL);
}

TEST(it_stays_in_its_thread)
{
    plait_gen *gen = make(count, number(3));
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(next_of(gen), 0);
    CHECK_INT(plait_task_start(&task, PLAIT_THREAD, next_of_other_thread, gen, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, -EPERM);
    CHECK_INT(next_of(gen), 1);
    plait_task_destroy(task);
    plait_gen_destroy(gen);
}

static int step(void *arg)
{
    return (int)next_of(arg);
}

TEST(several_coroutines_take_turns_with_one)
{
    plait_gen *gen = make(count, number(10));

    for (int i = 0; i < 10; i++) {
        plait_task *task = NULL;
        plait_outcome end;
        CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, step, gen, NULL), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(task, &end), 0);
        CHECK_INT(end.code, i);
        plait_task_destroy(task);
    }
    plait_gen_destroy(gen);
}

/* ---- forks ---- */

static int fork_within(plait_gen *gen, void *arg)
{
    pid_t pid = fork();
    int rc = plait_gen_yield(gen, number(pid));

    (void)arg;
    if (rc == 0)
        rc = plait_sleep(plait_after_ms(1));
    return rc;
}

TEST(it_goes_on_in_a_forked_child)
{
    plait_gen *gen = make(count, number(3)), *forker = make(fork_within, NULL);
    pid_t pid;
    int status = 0;

    CHECK_INT(next_of(gen), 0);
    pid = (pid_t)next_of(forker);
    CHECK(pid >= 0);
    CHECK_INT(next_of(gen), 1);
    CHECK_INT(plait_gen_next(forker, NULL), 0);
    if (pid == 0)
        _exit(9); /* the thread sanitizer takes a free in here for a race */
    plait_gen_destroy(gen);
    plait_gen_destroy(forker);
    CHECK_INT(test_waitpid(pid, &status, 0), pid);
    CHECK_INT(WEXITSTATUS(status), 9);
}

TEST(thousands_stand_at_once)
{
    enum {
        MANY = 4000 /* the thread sanitizer takes up to 8128 */
    };

    static plait_gen *gens[MANY];
    static const plait_gen_opts small = { .stack_bytes = 65536 };

    for (int i = 0; i < MANY; i++)
        CHECK_INT(plait_gen_create(&gens[i], count, number(3), &small), 0);
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < MANY; i++)
            CHECK_INT(next_of(gens[i]), turn);
    for (int i = 0; i < MANY; i++)
        plait_gen_destroy(gens[i]);
    CHECK_INT(n_ended, MANY);
}
