/* What every kind of task promises, one body for each claim. A file of adapters says what differs.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines KIND and KIND_WORD before.
 */
#ifndef PLAIT_TESTS_TASK_CONTRACT_H
#define PLAIT_TESTS_TASK_CONTRACT_H

#include <plait.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "read_gate.h"
#include "tasks.h"

/* What both sides see, whether they share memory or not. */
struct board {
    int value;
    int other;
    pid_t id;
    char text[64];
};

static struct board *board;
static int zero;    /* what return_code returns when nobody cares */
static int gate[2]; /* a task stands at gate[0] until gate[1] is written or closed */

static void prepare(void)
{
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(board != MAP_FAILED);
    CHECK_INT(pipe(gate), 0);
}

static plait_task *start(plait_task_fn *fn, void *arg)
{
    return start_of_kind(KIND, fn, arg);
}

static plait_outcome join(plait_task *task)
{
    return end_of(task);
}

static int return_code(void *arg)
{
    return *(int *)arg;
}

/* Ends by itself, by the gate or when it is asked to. */
static int stand(void *arg)
{
    char byte;

    (void)arg;
    return read_gate(gate[0], &byte, 1) == 1 ? 0 : 1;
}

static int sleep_in_plait(void *arg)
{
    (void)arg;
    return plait_sleep(PLAIT_FOREVER);
}

static void open_gate(void)
{
    CHECK_INT(write(gate[1], "g", 1), 1);
}

/* ---- start, join, outcome ---- */

TEST(what_the_function_returns_is_told_whole)
{
    int codes[] = { 0, 1, 255, 256, 70000, -1, -125, INT_MAX, INT_MIN };

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        plait_task *task = start(return_code, &codes[i]);
        plait_outcome end = join(task);
        CHECK_INT(end.kind, PLAIT_RETURNED);
        CHECK_INT(end.code, codes[i]);
        CHECK_INT(end.signal, 0);
        plait_task_destroy(task);
    }
}

TEST(a_join_ends_at_its_deadline)
{
    prepare();
    plait_task *task = start(stand, NULL);
    plait_deadline until = plait_after_ms(30);
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_task_join(task, until), -ETIMEDOUT);
    CHECK_INT(plait_left_ns(until), 0);
    CHECK(plait_task_is_alive(task));
    open_gate();
    CHECK_INT(join(task).code, 0);
    plait_task_destroy(task);
}

TEST(a_task_may_be_joined_again)
{
    int seven = 7;
    plait_task *task = start(return_code, &seven);

    CHECK_INT(join(task).code, 7);
    CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), 0);
    CHECK_INT(join(task).code, 7);
    plait_task_destroy(task);
}

static int join_it(void *arg)
{
    return plait_task_join(arg, PLAIT_FOREVER);
}

TEST(several_tasks_may_join_one)
{
    plait_task *joiners[3], *task;

    prepare();
    CHECK_INT(plait_keeper_start(), 0);
    task = start(stand, NULL);
    for (int i = 0; i < 3; i++)
        CHECK_INT(plait_task_start(&joiners[i], PLAIT_THREAD, join_it, task, NULL), 0);
    open_gate();
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(join(joiners[i]).code, 0);
        plait_task_destroy(joiners[i]);
    }
    plait_task_destroy(task);
}

TEST(the_outcome_of_a_running_task_is_not_there_yet)
{
    plait_outcome end = { .code = 99 };

    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_task_outcome(task, &end), -EAGAIN);
    CHECK_INT(end.code, 99);
    open_gate();
    CHECK_INT(join(task).code, 0);
    CHECK(!plait_task_is_alive(task));
    plait_task_destroy(task);
}

TEST(an_outcome_is_there_without_a_join)
{
    int five = 5;
    plait_outcome end;
    plait_task *task = start(return_code, &five);

    while (plait_task_is_alive(task))
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, 5);
    plait_task_destroy(task);
}

TEST_LIMIT(many_tasks_at_once_end_each_with_its_own_result, 30)
{
    enum {
        MANY = 50
    };

    plait_task *tasks[MANY];
    int codes[MANY];

    for (int i = 0; i < MANY; i++) {
        codes[i] = i * 1000;
        tasks[i] = start(return_code, &codes[i]);
    }
    for (int i = MANY - 1; i >= 0; i--) {
        CHECK_INT(join(tasks[i]).code, i * 1000);
        plait_task_destroy(tasks[i]);
    }
}

/* ---- ending ---- */

TEST(a_task_can_be_destroyed_while_it_runs)
{
    prepare();
    plait_task_destroy(start(sleep_in_plait, NULL));
    plait_task_destroy(NULL);
    while (plait_task_children(NULL, 0) > 0)
        CHECK_INT(plait_sleep(plait_after_ms(1)), 0);
}

TEST(an_ended_task_may_be_terminated)
{
    plait_task *task = start(return_code, &zero);

    join(task);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(join(task).kind, PLAIT_RETURNED);
    plait_task_destroy(task);
}

/* ---- what a task is ---- */

TEST(a_name_is_given_or_made)
{
    char name[] = "given";
    plait_task_opts opts = { .name = name };
    plait_task *first, *second, *third = NULL;

    first = start(return_code, &zero);
    second = start(return_code, &zero);
    CHECK_INT(plait_task_start(&third, KIND, return_code, &zero, &opts), 0);
    memset(name, 'x', sizeof name - 1); /* it was copied */
    CHECK_STR(plait_task_name(first), KIND_WORD "-1");
    CHECK_STR(plait_task_name(second), KIND_WORD "-2");
    CHECK_STR(plait_task_name(third), "given");
    CHECK_INT(plait_task_kind(first), KIND);
    plait_task_destroy(first);
    plait_task_destroy(second);
    plait_task_destroy(third);
}

static int look_around(void *arg)
{
    plait_task *self = plait_task_current(), *parent = plait_task_parent(self);

    board->id = plait_task_id(self);
    board->value = plait_task_kind(self) == KIND && plait_task_is_alive(self) && parent == arg &&
                   plait_task_parent(parent) == NULL;
    board->other = plait_task_join(self, PLAIT_FOREVER);
    strncpy(board->text, plait_task_name(self), sizeof board->text - 1);
    return plait_task_id(parent) == getppid() || plait_task_id(parent) == getpid() ? 0 : 1;
}

TEST(a_task_knows_itself_and_its_parent)
{
    plait_task_opts opts = { .name = "looker" };
    plait_task *task = NULL;

    prepare();
    CHECK_STR(plait_task_name(plait_task_current()), "MainProcess");
    CHECK_INT(plait_task_id(plait_task_current()), getpid());
    CHECK_INT(plait_task_start(&task, KIND, look_around, plait_task_current(), &opts), 0);
    CHECK_INT(join(task).code, 0);
    CHECK_INT(board->id, plait_task_id(task));
    CHECK_INT(board->value, 1);
    CHECK_INT(board->other, -EDEADLK);
    CHECK_STR(board->text, "looker");
    CHECK(plait_task_parent(task) == plait_task_current());
    plait_task_destroy(task);
}

static int start_one_below(void *arg)
{
    plait_task *task = start(return_code, arg);
    int code = join(task).code;

    board->value = plait_task_parent(task) == plait_task_current();
    plait_task_destroy(task);
    return code;
}

TEST(a_task_starts_a_task)
{
    int code = 1000;

    prepare();
    plait_task *task = start(start_one_below, &code);
    CHECK_INT(join(task).code, 1000);
    CHECK_INT(board->value, 1);
    plait_task_destroy(task);
}

/* ---- what is refused ---- */

TEST(a_null_handle_is_refused_or_harmless)
{
    plait_outcome end;

    CHECK_INT(plait_task_join(NULL, PLAIT_NOWAIT), -EINVAL);
    CHECK_INT(plait_task_outcome(NULL, &end), -EINVAL);
    CHECK_INT(plait_task_terminate(NULL), -EINVAL);
    CHECK_INT(plait_task_kill(NULL), -EINVAL);
    CHECK_INT(plait_task_fd(NULL), -EINVAL);
    CHECK(!plait_task_is_alive(NULL));
    CHECK(!plait_task_is_daemon(NULL));
    CHECK_STR(plait_task_name(NULL), "");
    CHECK_INT(plait_task_kind(NULL), 0);
    CHECK_INT(plait_task_id(NULL), 0);
    CHECK(plait_task_parent(NULL) == NULL);
    plait_task_destroy(NULL);
}

TEST(a_bad_start_starts_nothing)
{
    struct {
        plait_task_opts opts;
        int later; /* what a later version knows */
    } large = { .later = 1 };

    plait_task *task = NULL;

    CHECK_INT(plait_task_start(NULL, KIND, return_code, &zero, NULL), -EINVAL);
    CHECK_INT(plait_task_start(&task, KIND, NULL, NULL, NULL), -EINVAL);
    CHECK_INT(plait_task_start(&task, (plait_kind)0, return_code, &zero, NULL), -EINVAL);
    CHECK_INT(plait_task_start(&task, (plait_kind)99, return_code, &zero, NULL), -EINVAL);
    CHECK_INT(plait_task_start_sized(&task, KIND, return_code, &zero, &large.opts, sizeof large),
              -E2BIG);
    CHECK(task == NULL);
    CHECK_INT(plait_task_children(NULL, 0), 0);
    large.later = 0; /* a later version's default is what this one does */
    CHECK_INT(plait_task_start_sized(&task, KIND, return_code, &zero, &large.opts, sizeof large),
              0);
    plait_task_destroy(task);
}

TEST(a_handle_that_a_fork_inherited_is_not_ones_own)
{
    int status;

    prepare();
    plait_task *task = start(stand, NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        plait_outcome end;
        CHECK_INT(plait_task_join(task, PLAIT_NOWAIT), -ECHILD);
        CHECK_INT(plait_task_outcome(task, &end), -ECHILD);
        CHECK_INT(plait_task_terminate(task), -ECHILD);
        CHECK_INT(plait_task_kill(task), -ECHILD);
        CHECK_INT(plait_task_fd(task), -ECHILD);
        CHECK(!plait_task_is_alive(task));
        CHECK_STR(plait_task_name(task), KIND_WORD "-1");
        CHECK_INT(plait_task_children(NULL, 0), 0);
        CHECK_INT(plait_task_id(plait_task_current()), getpid());
        plait_task_destroy(task);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK(plait_task_is_alive(task));
    open_gate();
    CHECK_INT(join(task).code, 0);
    plait_task_destroy(task);
}

/* ---- the end of the program ---- */

/* Runs `fn` as a program of its own, which then calls exit; what it wrote to board->value and when
 * its last task let go of the pipe is for the caller to see. */
static void run_program(void (*fn)(void))
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn();
        exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

static int write_late(void *arg)
{
    (void)arg;
    plait_sleep(plait_after_ms(50));
    __atomic_store_n(&board->value, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static plait_task *left[2]; /* what nobody destroys: for a leak checker to see */

static void leave_a_task(void)
{
    left[0] = start(write_late, NULL);
}

static void leave_a_daemon(void)
{
    CHECK_INT(plait_task_start(&left[1], KIND, sleep_in_plait, NULL,
                               &(plait_task_opts){ .daemon = true }),
              0);
    CHECK(plait_task_is_daemon(left[1]));
}

static void leave_both(void)
{
    leave_a_daemon();
    leave_a_task();
}

/* By the first start. */
static void register_plaits_own_handler(void)
{
    plait_task *task = start(return_code, &zero);

    join(task);
    plait_task_destroy(task);
}

static void start_in_an_early_handler(void)
{
    register_plaits_own_handler();
    atexit(leave_both); /* runs before plait's own */
}

static void start_in_a_late_handler(void)
{
    atexit(leave_both); /* runs after plait's own */
    register_plaits_own_handler();
}

TEST(at_exit_a_task_is_waited_for)
{
    prepare();
    run_program(leave_a_task);
    CHECK_INT(__atomic_load_n(&board->value, __ATOMIC_SEQ_CST), 1);
}

TEST(at_exit_a_daemon_is_not_waited_for)
{
    prepare();
    run_program(leave_a_daemon);
}

TEST(what_exit_handlers_start_is_waited_for_before_plaits_own)
{
    prepare();
    run_program(start_in_an_early_handler);
    CHECK_INT(__atomic_load_n(&board->value, __ATOMIC_SEQ_CST), 1);
}

TEST(what_exit_handlers_start_is_waited_for_after_plaits_own)
{
    prepare();
    run_program(start_in_a_late_handler);
    CHECK_INT(__atomic_load_n(&board->value, __ATOMIC_SEQ_CST), 1);
}

static int leave_tasks_below(void *arg)
{
    (void)arg;
    leave_both();
    return 3;
}

TEST(the_tasks_of_a_process_task_are_waited_for_when_it_returns)
{
    plait_task *task = NULL;

    prepare();
    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, leave_tasks_below, NULL, NULL), 0);
    CHECK_INT(join(task).code, 3);
    CHECK_INT(__atomic_load_n(&board->value, __ATOMIC_SEQ_CST), 1);
    plait_task_destroy(task);
}

#endif
