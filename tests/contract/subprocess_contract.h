/* What a subprocess promises to every kind of task. A file of adapters says the kind.
 * SPDX-License-Identifier: MIT
 *
 * The includer defines KIND before.
 */
#ifndef PLAIT_TESTS_SUBPROCESS_CONTRACT_H
#define PLAIT_TESTS_SUBPROCESS_CONTRACT_H

#include "subprocess_support.h"

enum {
    MUCH = 3 * 1024 * 1024, /* far more than all pipes hold */
};

/* ---- start, status, outcome ---- */

CLAIM(its_status_and_what_it_says_are_told)
{
    const char *argv[] = { "sh", "-c", "printf out; printf err >&2; exit 7", NULL };
    plait_run_opts opts = { .capture = true };
    plait_run_result result;

    CHECK_INT(plait_run(argv, &opts, &result, PLAIT_FOREVER), 1);
    CHECK_INT(result.outcome.kind, PLAIT_EXITED);
    CHECK_INT(result.outcome.code, 7);
    CHECK(result.outcome.has_usage);
    CHECK_MEM(result.out, result.out_bytes + 1, "out", 4);
    CHECK_MEM(result.err, result.err_bytes + 1, "err", 4);
    plait_run_result_fini(&result);
    CHECK(result.out == NULL);
    CHECK_INT(plait_run((const char *[]){ "true", NULL }, NULL, NULL, PLAIT_FOREVER), 0);
}

CLAIM(what_cannot_be_executed_is_the_error_of_its_start)
{
    plait_subprocess *p = NULL;
    plait_process_opts elsewhere = { .directory = "/nonexistent" };
    plait_process_opts closed = { .out = 1000 };
    plait_subprocess_opts opts = { .process = &elsewhere };
    int n_fds;

    CHECK_INT(plait_run((const char *[]){ "true", NULL }, NULL, NULL, PLAIT_FOREVER), 0);
    n_fds = count_fds(); /* the first start has made a keeper */
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "no-such-program", NULL }, NULL),
              -ENOENT);
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "/dev/null", NULL }, NULL), -EACCES);
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "/dev/null/x", NULL }, NULL), -ENOTDIR);
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "true", NULL }, &opts), -ENOENT);
    opts.process = &closed;
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "true", NULL }, &opts), -EBADF);
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ NULL }, NULL), -EINVAL);
    CHECK_INT(plait_subprocess_start(NULL, (const char *[]){ "true", NULL }, NULL), -EINVAL);
    CHECK(p == NULL);
    CHECK_INT(count_fds(), n_fds);
}

CLAIM(a_name_is_looked_up_in_the_path_that_it_gets)
{
    char dir[] = "/tmp/plait-path-XXXXXX", file[64], path[64];
    plait_process_opts process = { .environment = (char *[]){ path, (char[]){ "X=7" }, NULL } };
    plait_subprocess_opts opts = { .process = &process };
    plait_subprocess *p = NULL;

    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "PATH=%s", dir);
    snprintf(file, sizeof file, "%s/only-there", dir);
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    CHECK_INT(dprintf(fd, "exit $X\n"), 8); /* without #!: as a shell runs it */
    close(fd);
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "only-there", NULL }, NULL), -ENOENT);
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "only-there", NULL }, &opts), 0);
    CHECK_INT(finish(p).code, 7);
    unlink(file);
    rmdir(dir);
}

CLAIM(a_folder_of_the_path_that_cannot_be_entered_does_not_end_the_search)
{
    char dir[] = "/tmp/plait-path-XXXXXX", loop[64], path[PATH_MAX + 256] = "PATH=";
    plait_process_opts process = { .environment = (char *[]){ path, NULL } };
    plait_subprocess_opts opts = { .process = &process };
    plait_subprocess *p = NULL;

    CHECK(mkdtemp(dir) != NULL);
    snprintf(loop, sizeof loop, "%s/loop", dir);
    CHECK_INT(symlink(loop, loop), 0);
    memset(path + 5, 'x', PATH_MAX);
    snprintf(path + 5 + PATH_MAX, sizeof path - 5 - PATH_MAX, ":%s:/dev/null:/bin:/usr/bin", loop);
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "true", NULL }, &opts), 0);
    CHECK_INT(finish(p).code, 0);
    CHECK_INT(plait_subprocess_start(&p, (const char *[]){ "no-such-program", NULL }, &opts),
              -ENAMETOOLONG);
    unlink(loop);
    rmdir(dir);
}

CLAIM(a_line_goes_to_the_shell_with_its_words)
{
    const char *argv[] = { "printf '%s-%s' $0 \"$1\"; exit 5", "a", "b c", NULL };
    plait_run_opts opts = { .shell = true, .capture = true };
    plait_run_result result;

    CHECK_INT(plait_run(argv, &opts, &result, PLAIT_FOREVER), 1);
    CHECK_STR(result.out, "a-b c");
    CHECK_INT(result.outcome.code, 5);
    plait_run_result_fini(&result);
}

CLAIM(getoutput_gives_both_outputs_without_the_last_newline)
{
    char *text = NULL;

    CHECK_INT(plait_getoutput(&text, "echo out; echo err >&2", PLAIT_FOREVER), 0);
    CHECK_STR(text, "out\nerr");
    free(text);
    CHECK_INT(plait_getoutput(&text, "exit 3", PLAIT_FOREVER), 1);
    CHECK_STR(text, "");
    free(text);
    text = NULL;
    CHECK_INT(plait_getoutput(&text, NULL, PLAIT_FOREVER), -EINVAL);
    CHECK(text == NULL);
}

CLAIM(its_descriptors_and_directory_are_those_of_the_options)
{
    int ends[2];
    char said[64] = "";

    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    plait_process_opts process = {
        .in = PLAIT_FD_NULL, .out = ends[1], .err = PLAIT_FD_OUT, .directory = "/"
    };
    plait_subprocess *p =
        start_line("cat; pwd; echo err >&2", (plait_subprocess_opts){ .process = &process });
    CHECK_INT(finish(p).code, 0);
    CHECK_INT(test_read(ends[0], said, sizeof said - 1), 6);
    CHECK_STR(said, "/\nerr\n");
}

/* ---- its pipes ---- */

CLAIM(much_goes_both_ways_without_a_standstill)
{
    plait_subprocess *p = start_piped("cat", (plait_subprocess_opts){ 0 });
    char *input = malloc(MUCH);
    size_t n;

    CHECK(input != NULL);
    for (size_t i = 0; i < MUCH; i++)
        input[i] = (char)(i * 2654435761U >> 24);
    CHECK_INT(plait_subprocess_communicate(p, input, MUCH, PLAIT_FOREVER), 0);
    const char *output = plait_subprocess_output(p, &n);
    CHECK_INT(n, MUCH);
    CHECK(memcmp(output, input, MUCH) == 0);
    CHECK_INT(plait_subprocess_stdin(p), -EBADF);
    CHECK_INT(plait_subprocess_stdout(p), -EBADF);
    CHECK_INT(plait_subprocess_poll(p), 1);
    free(input);
    plait_subprocess_destroy(p);
}

CLAIM(a_deadline_loses_nothing_and_a_later_call_goes_on)
{
    int gate[2];
    char line[64], *input = calloc(1, MUCH);
    size_t n = 0;

    CHECK(input != NULL);
    CHECK_INT(pipe2(gate, O_CLOEXEC), 0);
    plait_process_opts process = {
        .in = PLAIT_FD_PIPE, .out = PLAIT_FD_PIPE, .keep_fds = &gate[0], .n_keep_fds = 1
    };
    snprintf(line, sizeof line, "echo one; read l <&%d; cat", gate[0]);
    plait_subprocess *p = start_line(line, (plait_subprocess_opts){ .process = &process });
    memset(input, 'x', MUCH);
    for (int i = 0; n < 4; i++) {
        CHECK_INT(plait_subprocess_communicate(p, i == 0 ? input : NULL, i == 0 ? MUCH : 0,
                                               plait_after_ms(1)),
                  -ETIMEDOUT);
        plait_subprocess_output(p, &n);
    }
    CHECK_INT(n, 4);
    CHECK_INT(plait_subprocess_communicate(p, input, MUCH, PLAIT_NOWAIT), -EINVAL);
    close(gate[1]);
    CHECK_INT(plait_subprocess_communicate(p, NULL, 0, PLAIT_FOREVER), 0);
    CHECK(strncmp(plait_subprocess_output(p, &n), "one\nxxx", 7) == 0);
    CHECK_INT(n, MUCH + 4);
    plait_subprocess_destroy(p);
    close(gate[0]);
    free(input);
}

CLAIM(a_program_that_never_pauses_is_left_at_the_deadline)
{
    plait_process_opts process = { .out = PLAIT_FD_PIPE };
    plait_subprocess *p = start_line(
        "exec yes", (plait_subprocess_opts){ .process = &process, .max_bytes = 512 * 1024 * 1024 });

    CHECK_INT(plait_subprocess_communicate(p, NULL, 0, plait_after_ms(1)), -ETIMEDOUT);
    CHECK_INT(plait_subprocess_communicate(p, NULL, 0, PLAIT_NOWAIT), -ETIMEDOUT);
    plait_subprocess_destroy(p);
}

CLAIM(a_program_that_does_not_read_raises_nothing)
{
    plait_subprocess *p = start_piped("exec <&-; echo done", (plait_subprocess_opts){ 0 });
    char *input = calloc(1, MUCH);
    sigset_t pending;

    CHECK(input != NULL);
    CHECK_INT(plait_subprocess_communicate(p, input, MUCH, PLAIT_FOREVER), 0);
    CHECK_STR(plait_subprocess_output(p, NULL), "done\n");
    sigpending(&pending);
    CHECK_INT(sigismember(&pending, SIGPIPE), 0);
    plait_subprocess_destroy(p);
    free(input);
}

CLAIM(more_than_is_wanted_ends_it)
{
    const char *argv[] = { "yes", NULL };
    plait_run_opts opts = { .capture = true, .max_bytes = 100001 };
    plait_run_result result;

    CHECK_INT(plait_run(argv, &opts, &result, PLAIT_FOREVER), -EMSGSIZE);
    CHECK_INT(result.out_bytes, 100001);
    CHECK_INT(result.out[100001], '\0');
    CHECK_INT(result.outcome.kind, PLAIT_SIGNALLED);
    plait_run_result_fini(&result);
    argv[0] = "echo";
    opts.max_bytes = 1;
    CHECK_INT(plait_run(argv, &opts, &result, PLAIT_FOREVER), 0);
    CHECK_STR(result.out, "\n");
    plait_run_result_fini(&result);
}

CLAIM(its_pipes_can_be_used_by_hand)
{
    plait_subprocess *p =
        start_piped("while read l; do echo \"<$l>\"; done; echo end", (plait_subprocess_opts){ 0 });
    char line[16];

    CHECK_INT(write(plait_subprocess_stdin(p), "a\n", 2), 2);
    read_said(plait_subprocess_stdout(p), line, sizeof line);
    CHECK_STR(line, "<a>");
    CHECK_INT(plait_subprocess_stderr(p), -EBADF);
    CHECK_INT(plait_subprocess_close_stdin(p), 0);
    CHECK_INT(plait_subprocess_close_stdin(p), -EBADF);
    read_said(plait_subprocess_stdout(p), line, sizeof line);
    CHECK_STR(line, "end");
    CHECK_INT(finish(p).code, 0);
}

/* ---- its end ---- */

CLAIM(it_is_ended_by_the_signal_that_is_sent)
{
    static const int numbers[] = { SIGTERM, SIGKILL, SIGUSR1 };
    plait_outcome end;

    for (int i = 0; i < 3; i++) {
        plait_subprocess *p = start_piped("echo; exec cat", (plait_subprocess_opts){ 0 });
        char line[8];
        read_said(plait_subprocess_stdout(p), line, sizeof line);
        CHECK_INT(plait_subprocess_poll(p), 0);
        CHECK_INT(plait_subprocess_outcome(p, &end), -EAGAIN);
        CHECK_INT(plait_subprocess_wait(p, PLAIT_NOWAIT), -ETIMEDOUT);
        CHECK_INT(i == 0   ? plait_subprocess_terminate(p)
                  : i == 1 ? plait_subprocess_kill(p)
                           : plait_subprocess_send_signal(p, numbers[i]),
                  0);
        CHECK_INT(plait_subprocess_wait(p, PLAIT_FOREVER), 0);
        CHECK_INT(plait_subprocess_kill(p), 0); /* it has ended: nobody is sent anything */
        CHECK_INT(plait_subprocess_send_signal(p, 1000), -EINVAL);
        end = finish(p);
        CHECK_INT(end.kind, PLAIT_SIGNALLED);
        CHECK_INT(end.signal, numbers[i]);
    }
}

CLAIM(a_select_is_told_of_its_end)
{
    plait_subprocess *p = start_piped("read l; exit 4", (plait_subprocess_opts){ 0 });
    plait_waitable on[2];

    CHECK_INT(plait_subprocess_on_end(&on[0], p), 0);
    CHECK_INT(plait_on_fd(&on[1], plait_subprocess_stdin(p), PLAIT_READABLE), 0);
    on[1].ops = NULL;
    CHECK_INT(plait_select(on, 2, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait_subprocess_close_stdin(p), 0);
    CHECK_INT(plait_select(on, 2, PLAIT_FOREVER), 0);
    CHECK_INT(plait_subprocess_poll(p), 1);
    CHECK_INT(finish(p).code, 4);
}

/* Else it would look every millisecond until the last one has ended. */
CLAIM(a_select_sleeps_though_the_first_of_several_has_ended)
{
    const char *const *argvs[] = { (const char *[]){ "sleep", "0.05", NULL },
                                   (const char *[]){ "sleep", "0.2", NULL } };
    struct rusage before, after;
    plait_subprocess *p = NULL;
    plait_waitable on;

    CHECK_INT(plait_subprocess_start_pipeline(&p, argvs, 2, NULL), 0);
    CHECK_INT(plait_subprocess_on_end(&on, p), 0);
    CHECK_INT(getrusage(RUSAGE_THREAD, &before), 0);
    CHECK_INT(plait_select(&on, 1, PLAIT_FOREVER), 0);
    CHECK_INT(getrusage(RUSAGE_THREAD, &after), 0);
    if (getenv("PLAIT_EINTR_STORM") == NULL) /* each signal wakes it */
        CHECK(after.ru_nvcsw - before.ru_nvcsw < 20);
    CHECK_INT(finish(p).code, 0);
}

CLAIM(a_destroy_ends_and_reaps_it)
{
    plait_subprocess *p = start_piped("echo $$; exec cat", (plait_subprocess_opts){ 0 });
    pid_t pid = plait_subprocess_pid(p);
    int pidfd = read_pid(plait_subprocess_stdout(p));

    CHECK(lives(pidfd));
    plait_subprocess_destroy(p);
    check_ends(pidfd);
    CHECK_INT(waitpid(pid, NULL, WNOHANG), -1);
    plait_subprocess_destroy(NULL);
}

CLAIM(a_detached_one_outlives_its_handle)
{
    plait_subprocess *p =
        start_piped("echo $$; exec sleep 60", (plait_subprocess_opts){ .detach = true });
    pid_t pid = plait_subprocess_pid(p);
    int pidfd = read_pid(plait_subprocess_stdout(p));

    plait_subprocess_destroy(p);
    CHECK(lives(pidfd));
    kill(pid, SIGKILL);
    check_ends(pidfd);
    /* the next start reaps it */
    CHECK_INT(plait_run((const char *[]){ "true", NULL }, NULL, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(waitpid(pid, NULL, WNOHANG), -1);
}

/* ---- several ---- */

CLAIM(the_out_of_each_is_the_in_of_the_next)
{
    const char *first[] = { "sh", "-c", "cat; exit 3", NULL }, *sort[] = { "sort", NULL };
    const char *last[] = { "sh", "-c", "cat; kill -9 $$", NULL };
    const char *const *argvs[] = { first, sort, last };
    plait_process_opts pipes = { .in = PLAIT_FD_PIPE, .out = PLAIT_FD_PIPE };
    plait_subprocess_opts opts = { .process = &pipes };
    plait_subprocess *p = NULL;
    plait_outcome ends[4] = { 0 };

    CHECK_INT(plait_subprocess_start_pipeline(&p, argvs, 3, &opts), 0);
    CHECK_INT(plait_subprocess_outcomes(p, ends, 4), -EAGAIN);
    CHECK_INT(plait_subprocess_communicate(p, "b\na\n", 4, PLAIT_FOREVER), 0);
    CHECK_STR(plait_subprocess_output(p, NULL), "a\nb\n");
    CHECK_INT(plait_subprocess_outcomes(p, ends, 4), 3);
    CHECK_INT(ends[0].code, 3);
    CHECK_INT(ends[1].code, 0);
    CHECK_INT(ends[2].signal, SIGKILL);
    CHECK_INT(ends[3].kind, 0);
    CHECK_INT(finish(p).signal, SIGKILL);
}

CLAIM(of_several_all_are_started_or_none)
{
    int said[2];

    CHECK_INT(pipe2(said, O_CLOEXEC), 0);
    const char *first[] = { "sh", "-c", "echo $$ >&2; exec sleep 60", NULL };
    const char *none[] = { "no-such-program", NULL };
    const char *const *argvs[] = { first, none };
    plait_process_opts process = { .err = said[1] };
    plait_subprocess_opts opts = { .process = &process };
    plait_subprocess *p = NULL;

    CHECK_INT(plait_subprocess_start_pipeline(&p, argvs, 2, &opts), -ENOENT);
    CHECK(p == NULL);
    close(said[1]);
    char line[16];
    read_said(said[0], line, sizeof line); /* it may have been killed before it could say so */
    if (line[0] != '\0')
        check_is_ended(atoi(line));
    CHECK_INT(test_read(said[0], line, 1), 0); /* nobody has it any more */
    CHECK_INT(plait_subprocess_start_pipeline(&p, argvs, 0, &opts), -EINVAL);
}

/* ---- the tree ---- */

/* Another session, orphaned at once, without an environment; it holds the pipe. */
#define DAEMON "setsid sh -c 'env -i sh -c \"echo \\$\\$; exec sleep 60\" &'"
/* The same with its environment. */
#define CHILD "setsid sh -c 'sh -c \"echo \\$\\$; exec sleep 60\" &'"

CLAIM(a_deadline_of_run_ends_all_below_it)
{
    const char *argv[] = { DAEMON "; " CHILD "; sleep 60", NULL };
    plait_process_opts process = { 0 };
    plait_run_opts opts = { .shell = true, .process = &process };
    int said[2], pidfds[2];

    CHECK_INT(pipe2(said, O_CLOEXEC), 0);
    process.out = said[1];
    plait_subprocess *p =
        start_line(argv[0], (plait_subprocess_opts){ .process = &process, .tree = true });
    for (int i = 0; i < 2; i++)
        pidfds[i] = read_pid(said[0]);
    CHECK(lives(pidfds[0]) && lives(pidfds[1]));
    CHECK_INT(plait_subprocess_kill(p), 0);
    for (int i = 0; i < 2; i++)
        check_ends(pidfds[i]);
    CHECK_INT(finish(p).signal, SIGKILL);

    close(said[1]);
    argv[0] = "echo here; " CHILD "; sleep 60";
    process.out = 0;
    opts.capture = true;
    plait_run_result result = { 0 };
    int64_t ms = 50;
    do { /* on a slow machine it may need longer to say so much */
        plait_run_result_fini(&result);
        CHECK_INT(plait_run(argv, &opts, &result, plait_after_ms(ms)), -ETIMEDOUT);
        ms *= 2;
    } while (result.out_bytes < 7);
    CHECK(strncmp(result.out, "here\n", 5) == 0);
    CHECK_INT(result.outcome.signal, SIGKILL);
    check_is_ended(atoi(result.out + 5));
    plait_run_result_fini(&result);
}

CLAIM(what_it_left_behind_is_found_by_its_mark)
{
    plait_subprocess *p = start_piped(CHILD, (plait_subprocess_opts){ .tree = true });
    int pidfd = read_pid(plait_subprocess_stdout(p));

    CHECK_INT(plait_subprocess_wait(p, PLAIT_FOREVER), 0);
    CHECK(lives(pidfd));
    CHECK_INT(plait_subprocess_terminate(p), 0); /* it has ended, and is left alone */
    CHECK(lives(pidfd));
    CHECK_INT(plait_subprocess_kill(p), 0);
    check_ends(pidfd);
    plait_subprocess_destroy(p);
}

#endif
