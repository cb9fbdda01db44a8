/* What process tasks are given by their starter and their options, however they are made.
 * SPDX-License-Identifier: MIT
 *
 * The includer has included start_contract.h.
 */
#ifndef PLAIT_TESTS_START_OPTIONS_H
#define PLAIT_TESTS_START_OPTIONS_H

#include "last_said.h"

/* ---- what it is given ---- */

static int add(void *arg)
{
    const char *text = arg;
    int sum = 0;

    for (int i = 0; i < 100000; i++)
        sum += text[i];
    return (uintptr_t)arg % 16 == 0 ? sum : -1;
}

TEST(bytes_are_copied)
{
    char *text = malloc(100000);
    plait_task *task = NULL;

    CHECK(text != NULL);
    memset(text, 3, 100000);
    CHECK_INT(start_rc(&task, add, text, 100000), 0);
    memset(text, 4, 100000);
    CHECK_INT(join(task).code, 300000);
    plait_task_destroy(task);
    CHECK_INT(start_rc(&task, add, NULL, 4), -EINVAL);
    free(text);
}

/* From now on stdout is a pipe; its other end. */
static int catch_stdout(void)
{
    int fds[2];

    fflush(stdout);
    CHECK_INT(pipe(fds), 0);
    CHECK_INT(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
    close(fds[1]);
    setvbuf(stdout, NULL, _IOFBF, 4096);
    return fds[0];
}

static int print(void *arg)
{
    fputs(arg, stdout);
    return 0;
}

TEST(it_prints_where_its_starter_does_and_after_it)
{
    char text[64] = "";
    int fd = catch_stdout();
    plait_task *task = NULL;

    fputs("parent ", stdout);
    CHECK_INT(start_rc(&task, print, (char[]){ "child " }, 7), 0);
    CHECK_INT(join(task).kind, PLAIT_RETURNED);
    fputs("parent again", stdout);
    fflush(stdout);
    CHECK(test_read(fd, text, sizeof text - 1) > 0);
    CHECK_STR(text, "parent child parent again");
    plait_task_destroy(task);
}

/* ---- tables ---- */

static int open_account(void *arg)
{
    struct board *board = arg;

    board->value = 10;
    return board->other;
}

static int use_account(void *arg)
{
    struct board *board = arg;

    board->value += board->value == 10 ? 5 : 100;
    return board->value;
}

static void close_account(void *arg)
{
    struct board *board = arg;

    board->value *= 2;
}

static plait_outcome run_table(const plait_task_table *table, void *arg)
{
    plait_task_opts opts = { .method = METHOD, .table = table };
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, NULL, arg, &opts), 0);
    end = join(task);
    plait_task_destroy(task);
    return end;
}

TEST(a_table_runs_its_functions_in_order)
{
    plait_task_table table = { .init = open_account, .run = use_account, .fini = close_account };
    plait_task_table run_only = { .run = use_account };
    struct board *board = make_board();

    CHECK_INT(run_table(&table, board).code, 15);
    CHECK_INT(board->value, 30);
    board->other = -7;
    CHECK_INT(run_table(&table, board).code, -7);
    CHECK_INT(board->value, 10);
    CHECK_INT(run_table(&run_only, board).code, 15);
    CHECK_INT(board->value, 15);
}

/* ---- what it begins with ---- */

static int look_at_the_beginning(void *arg)
{
    struct board *board = arg;
    const char *word = getenv("START_WORD");
    struct rlimit limit;
    char byte = 0;

    if (getcwd(board->text, sizeof board->text) == NULL || word == NULL ||
        strcmp(word, "here") != 0 || getenv("PLAIT_SPAWN") != NULL || getenv("HOME") != NULL)
        return 1;
    if (getsid(0) != getpid() || getpriority(PRIO_PROCESS, 0) != 19)
        return 2;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur != 60)
        return 3;
    if (test_read(0, &byte, 1) != 1 || byte != 'x' || write(1, "out", 3) != 3 ||
        write(2, "err", 3) != 3)
        return 4;
    return write(board->other, "kept", 4) == 4 && fcntl(board->value, F_GETFD) < 0 ? 0 : 5;
}

/* Each a pipe: what it reads, what it writes, what it keeps. */
static void open_pipes(int in[2], int out[2], int kept[2])
{
    CHECK_INT(pipe2(in, O_CLOEXEC), 0);
    CHECK_INT(pipe2(out, O_CLOEXEC), 0);
    CHECK_INT(pipe2(kept, O_CLOEXEC), 0);
    CHECK_INT(write(in[1], "x", 1), 1);
}

TEST(it_begins_as_the_options_say)
{
    struct board *board = make_board();
    char *const environment[] = { (char[]){ "A=b" }, (char[]){ "START_WORD=here" }, NULL };
    const plait_limit limit = { RLIMIT_NOFILE, 60, 60 };
    int in[2], out[2], kept[2];
    char text[16] = "";
    plait_task *task = NULL;

    open_pipes(in, out, kept);
    board->other = dup2(kept[1], 40);
    board->value = kept[1];
    const plait_process_opts process = { .in = in[0],
                                         .out = out[1],
                                         .err = PLAIT_FD_OUT,
                                         .directory = "/",
                                         .environment = environment,
                                         .close_fds = true,
                                         .keep_fds = &board->other,
                                         .n_keep_fds = 1,
                                         .new_session = true,
                                         .has_nice = true,
                                         .nice = 19,
                                         .limits = &limit,
                                         .n_limits = 1 };
    const plait_task_opts opts = { .method = METHOD, .process = &process };
    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, look_at_the_beginning, board, &opts), 0);
    CHECK_INT(join(task).code, 0);
    CHECK_STR(board->text, "/");
    plait_task_destroy(task);
    CHECK_INT(test_read(out[0], text, sizeof text), 6);
    CHECK_STR(text, "outerr");
    CHECK_INT(test_read(kept[0], text, sizeof text), 4);
}

static int start_with(const plait_process_opts *process)
{
    plait_task *task = NULL;
    const plait_task_opts opts = { .method = METHOD, .process = process };
    int rc = plait_task_start(&task, PLAIT_PROCESS, return_7, NULL, &opts);

    CHECK((task != NULL) == (rc == 0));
    return rc;
}

TEST(the_log_names_the_step_that_failed)
{
    plait_log_set(keep_last, NULL, PLAIT_LOG_WARNING);
    CHECK_INT(start_with(&(plait_process_opts){ .directory = "/nonexistent" }), -ENOENT);
    CHECK(strstr(last_said, " was not started: chdir: ") != NULL);
}

TEST(a_beginning_that_cannot_be_is_refused_and_leaves_nothing)
{
    const plait_process_opts nowhere = { .directory = "/nonexistent", .in = PLAIT_FD_NULL };
    int before = 0;

    CHECK_INT(run(return_7, NULL).code, 7);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(start_with(&nowhere), -ENOENT);
        CHECK_INT(start_with(&(plait_process_opts){ .user = "plait-no-such-user" }), -ENOENT);
        CHECK_INT(start_with(&(plait_process_opts){ .out = PLAIT_FD_PIPE }), -EINVAL);
        CHECK_INT(start_with(&(plait_process_opts){ .spare = { [7] = 1 } }), -E2BIG);
        if (i == 0)
            before = count_open(NULL);
    }
    CHECK_INT(count_open(NULL), before);
    CHECK_INT(plait_task_children(NULL, 0), 0);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

#endif
