/* Joins of a coroutine by others of its loop: who joins one that is next lends it its turn, which nobody
 * may notice.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>

#include "tasks.h"
#include "test.h"

#include <errno.h>
#include <string.h>

static char said[32]; /* in its order */
static size_t n_said;
static plait_event may_end;

static void say(char letter)
{
    CHECK(n_said < sizeof said - 1);
    said[n_said++] = letter;
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static plait_task *start(plait_task_fn *fn, void *arg)
{
    static bool is_warm; /* a loop that looks outside at each switch lends nobody a turn */

    if (!is_warm) {
        is_warm = true;
        CHECK_INT(plait_go(do_nothing, NULL), 0);
        for (int i = 0; i < 1000; i++)
            plait_yield();
    }
    return start_of_kind(PLAIT_COROUTINE, fn, arg);
}

/* Its code. */
static int end(plait_task *task)
{
    return outcome_of(task).code;
}

/* Not by a yield, which would leave us ready before those that it starts. */
static void let_it_wait(plait_task *task)
{
    CHECK_INT(plait_task_join(task, plait_after_ms(20)), -ETIMEDOUT);
}

static char letters[] = "abcdef";

static int say_it(void *arg)
{
    say(*(char *)arg);
    return *(char *)arg;
}

static int say_and_start(void *arg)
{
    say(*(char *)arg);
    plait_task_destroy(start(say_it, (char *)arg + 1)); /* one whose end it does not wait for */
    say(*(char *)arg);
    return 0;
}

/* ---- order ---- */

TEST(who_was_ready_before_runs_before_the_one_that_is_joined)
{
    plait_task *one = start(say_it, &letters[0]), *other = start(say_it, &letters[1]);

    CHECK_INT(end(other), 'b');
    CHECK_STR(said, "ab");
    CHECK_INT(end(one), 'a');
}

TEST(whom_it_made_ready_runs_before_the_joiner)
{
    CHECK_INT(end(start(say_and_start, &letters[0])), 0);
    say('-');
    plait_yield();
    CHECK_STR(said, "aab-");
}

static int yield_and_say(void *arg)
{
    plait_yield();
    say(*(char *)arg);
    return 0;
}

TEST(others_run_before_the_joiner_in_their_order)
{
    plait_task *one = start(yield_and_say, &letters[0]);

    CHECK_INT(plait_go(say_it, &letters[1]), 0);
    CHECK_INT(plait_go(say_and_start, &letters[2]), 0);
    CHECK_INT(end(one), 0);
    say('-');
    plait_yield();
    CHECK_STR(said, "bccad-");
}

static int go_down(void *arg)
{
    int depth = *(int *)arg - 1, rc;

    if (depth == 0)
        return plait_sleep(plait_after_ms(5)) == 0 ? 1 : -1;
    rc = end(start(go_down, &depth));
    CHECK_INT(plait_sleep(PLAIT_NOWAIT), 0);
    return rc + 1;
}

TEST(joiners_of_joiners_all_go_on)
{
    for (int depth = 1; depth <= 100; depth += 33)
        CHECK_INT(end(start(go_down, &depth)), depth);
}

/* ---- whoever asks the joiner to end ---- */

static int wait_for_end(void *arg)
{
    (void)arg;
    return plait_event_wait(&may_end, PLAIT_FOREVER) < 0 ? -1 : 7;
}

static int join_it(void *arg)
{
    plait_task *task = start(wait_for_end, NULL);
    int rc = plait_task_join(task, PLAIT_FOREVER);

    CHECK(plait_task_is_alive(task));
    *(plait_task **)arg = task;
    return rc;
}

TEST(a_joiner_is_asked_to_end_while_the_other_one_waits)
{
    plait_task *task = NULL, *joiner = start(join_it, &task);

    let_it_wait(joiner);
    CHECK_INT(plait_task_terminate(joiner), 0);
    CHECK_INT(end(joiner), -ECANCELED);
    plait_event_set(&may_end);
    CHECK_INT(end(task), 7);
}

static int end_its_joiner(void *arg)
{
    CHECK_INT(plait_task_terminate(*(plait_task **)arg), 0);
    CHECK_INT(plait_event_wait(&may_end, PLAIT_FOREVER), 0);
    return 7;
}

static int join_what_ends_it(void *arg)
{
    plait_task **tasks = arg;
    int rc;

    tasks[1] = start(end_its_joiner, tasks);
    rc = plait_task_join(tasks[1], PLAIT_FOREVER);
    plait_event_set(&may_end);
    return rc;
}

TEST(a_joiner_is_asked_to_end_by_the_one_that_it_joins)
{
    plait_task *tasks[2];

    tasks[0] = start(join_what_ends_it, tasks);
    CHECK_INT(end(tasks[0]), -ECANCELED);
    CHECK_INT(end(tasks[1]), 7);
}

static int middle(void *arg)
{
    return join_it(arg);
}

static int join_the_middle(void *arg)
{
    plait_task **tasks = arg;

    tasks[1] = start(middle, &tasks[2]);
    return plait_task_join(tasks[1], PLAIT_FOREVER);
}

/* The first joins the second, which joins the third, which waits. */
static void check_row(int asked)
{
    plait_task *tasks[3] = { NULL };

    tasks[0] = start(join_the_middle, tasks);
    let_it_wait(tasks[0]);
    CHECK_INT(plait_task_terminate(tasks[asked]), 0);
    CHECK_INT(end(tasks[0]), asked == 0 ? -ECANCELED : 0);
    if (asked == 0)
        plait_task_terminate(tasks[1]);
    CHECK_INT(end(tasks[1]), -ECANCELED);
    plait_event_set(&may_end);
    CHECK_INT(end(tasks[2]), 7);
}

TEST(in_a_row_of_joiners_the_first_alone_is_asked_to_end)
{
    check_row(0);
}

TEST(in_a_row_of_joiners_the_second_alone_is_asked_to_end)
{
    check_row(1);
}

static int spins, was_asked; /* atomic */

static int terminate_from_outside(void *arg)
{
    int rc;

    while (!__atomic_load_n(&spins, __ATOMIC_SEQ_CST))
        plait_yield();
    rc = plait_task_terminate(arg);
    __atomic_store_n(&was_asked, 1, __ATOMIC_SEQ_CST);
    return rc;
}

/* Busy while another thread asks its joiner to end; waits afterwards or not. */
static int spin(void *arg)
{
    __atomic_store_n(&spins, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&was_asked, __ATOMIC_SEQ_CST)) {
    }
    return arg == NULL ? 7 : plait_event_wait(arg, PLAIT_FOREVER);
}

static int join_one_that_spins(void *arg)
{
    plait_task *task = start(spin, arg), *thread = NULL;
    int rc;

    CHECK_INT(
        plait_task_start(&thread, PLAIT_THREAD, terminate_from_outside, plait_task_current(), NULL),
        0);
    rc = plait_task_join(task, PLAIT_FOREVER);
    if (arg != NULL)
        plait_event_set(arg);
    CHECK_INT(plait_sleep(plait_after_ms(1000)), -ECANCELED);
    plait_task_destroy(thread);
    plait_task_destroy(task);
    return rc;
}

TEST(another_thread_asks_a_joiner_to_end_while_the_other_one_runs)
{
    CHECK_INT(end(start(join_one_that_spins, NULL)), 0); /* it has ended: that is told first */
}

TEST(another_thread_asks_a_joiner_to_end_before_the_other_one_waits)
{
    CHECK_INT(end(start(join_one_that_spins, &may_end)), -ECANCELED);
}

/* ---- several joiners, and again ---- */

static int n_joined; /* atomic */

static int join_and_count(void *arg)
{
    int rc = plait_task_join(arg, PLAIT_FOREVER);

    __atomic_fetch_add(&n_joined, 1, __ATOMIC_SEQ_CST);
    return rc;
}

TEST(several_join_one)
{
    plait_task *task = start(wait_for_end, NULL), *thread = NULL, *joiners[3];

    CHECK_INT(plait_task_start(&thread, PLAIT_THREAD, join_and_count, task, NULL), 0);
    for (int i = 0; i < 3; i++)
        joiners[i] = start(join_and_count, task);
    CHECK_INT(plait_task_join(task, plait_after_ms(20)), -ETIMEDOUT);
    CHECK_INT(__atomic_load_n(&n_joined, __ATOMIC_SEQ_CST), 0);
    plait_event_set(&may_end);
    for (int i = 0; i < 3; i++)
        CHECK_INT(end(joiners[i]), 0);
    CHECK_INT(end(thread), 0);
    CHECK_INT(end(task), 7);
    CHECK_INT(n_joined, 4);
}

TEST(one_is_joined_again_after_a_deadline)
{
    plait_task *task = start(wait_for_end, NULL);

    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_task_join(task, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_event_set(&may_end);
    CHECK_INT(end(task), 7);
}

/* Nobody is left who could end it: the thread is told. */
TEST(a_joiner_of_one_that_waits_for_ever_is_told)
{
    plait_log_set(NULL, NULL, PLAIT_LOG_ERROR);
    plait_task *task = NULL;
    static const plait_task_opts daemon = { .daemon = true };

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, wait_for_end, NULL, &daemon), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), -EDEADLK);
    plait_event_set(&may_end);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    plait_task_destroy(task);
}
