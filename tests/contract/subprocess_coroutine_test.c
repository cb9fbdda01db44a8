/* The contract of subprocesses, kept for coroutines.
 * SPDX-License-Identifier: MIT
 */
#define KIND PLAIT_COROUTINE
#include "subprocess_contract.h"

#include "child.h"

/* ---- the others of the thread ---- */

static int n_turns;

static int take_turns(void *arg)
{
    (void)arg;
    while (plait_sleep(plait_after_ms(1)) == 0)
        n_turns++;
    return 0;
}

/* The program ends when another coroutine has closed what it reads. */
static int close_later(void *arg)
{
    plait_subprocess *p = arg;

    while (n_turns < 3)
        plait_yield();
    return plait_subprocess_close_stdin(p);
}

TEST(the_others_run_while_one_waits)
{
    plait_subprocess *p = start_piped("read l; exit 4", (plait_subprocess_opts){ 0 });
    plait_task *turns = NULL;

    CHECK_INT(plait_task_start(&turns, PLAIT_COROUTINE, take_turns, NULL, NULL), 0);
    CHECK_INT(plait_go(close_later, p), 0);
    CHECK_INT(plait_subprocess_wait(p, PLAIT_FOREVER), 0);
    CHECK_INT(finish(p).code, 4);
    plait_task_destroy(turns);
}

static int yield_often(void *arg)
{
    (void)arg;
    while (n_turns < 5) {
        n_turns++;
        plait_yield();
    }
    return 0;
}

TEST(the_others_run_while_a_program_never_pauses)
{
    plait_process_opts process = { .out = PLAIT_FD_PIPE };
    plait_subprocess *p = start_line(
        "exec yes", (plait_subprocess_opts){ .process = &process, .max_bytes = 32 * 1024 * 1024 });
    plait_task *turns = NULL;

    CHECK_INT(plait_task_start(&turns, PLAIT_COROUTINE, yield_often, NULL, NULL), 0);
    CHECK_INT(plait_subprocess_communicate(p, NULL, 0, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(n_turns, 5);
    plait_subprocess_destroy(p);
    plait_task_destroy(turns);
}

/* Each feeds the one that reads what it says: they would stand still one after the other. */
static int pass_on(void *arg)
{
    plait_subprocess *p = start_piped("cat", (plait_subprocess_opts){ 0 });
    char *input = calloc(1, 500000);
    size_t n;

    (void)arg;
    CHECK(input != NULL);
    CHECK_INT(plait_subprocess_communicate(p, input, 500000, PLAIT_FOREVER), 0);
    plait_subprocess_output(p, &n);
    CHECK_INT(n, 500000);
    plait_subprocess_destroy(p);
    free(input);
    return 0;
}

TEST(many_communicate_at_once)
{
    plait_task *tasks[8];

    for (int i = 0; i < 8; i++)
        CHECK_INT(plait_task_start(&tasks[i], PLAIT_COROUTINE, pass_on, NULL, NULL), 0);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(plait_task_join(tasks[i], PLAIT_FOREVER), 0);
        plait_task_destroy(tasks[i]);
    }
}

static int run_long(void *arg)
{
    plait_run_result *result = arg;

    return plait_run((const char *[]){ "sleep", "60", NULL }, NULL, result, PLAIT_FOREVER);
}

TEST(who_is_cancelled_in_a_run_ends_the_program)
{
    plait_task *task = NULL;
    plait_run_result result = { 0 };
    plait_outcome end;

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, run_long, &result, NULL), 0);
    plait_yield();
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, -ECANCELED);
    CHECK_INT(result.outcome.signal, SIGKILL);
    plait_task_destroy(task);
}

static int said[2];

static int run_untouchable(void *arg)
{
    const char *argv[] = { "echo $$; exec sleep 60", NULL };
    plait_process_opts process = { .out = said[1] };

    (void)arg;
    return plait_run(argv, &(plait_run_opts){ .process = &process, .shell = true }, NULL,
                     PLAIT_FOREVER);
}

/* As a program does that changes its user. */
static void leave_the_program_behind(void)
{
    plait_task *task = NULL;
    plait_outcome end;
    int pidfd;

    CHECK_INT(plait_task_start(&task, PLAIT_COROUTINE, run_untouchable, NULL, NULL), 0);
    plait_yield();
    pidfd = read_pid(said[0]);
    CHECK_INT(setresuid(65534, 65534, 65534), 0);
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, -ECANCELED);
    CHECK(lives(pidfd)); /* until the keeper ends it, which may */
}

TEST(a_run_does_not_wait_for_who_may_not_be_killed)
{
    if (geteuid() != 0)
        test_skip("needs root");
    CHECK_INT(pipe2(said, O_CLOEXEC), 0);
    in_forked_child(leave_the_program_behind);
}
