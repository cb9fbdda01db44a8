/* The keeper's contract: the program that uses plait is not disturbed, and does not disturb.
 * SPDX-License-Identifier: MIT
 */
#include "keeper.h"
#include "os/probe.h"

static int return_code(void *arg)
{
    return *(int *)arg;
}

static int stand(void *arg)
{
    (void)arg;
    while (pause() < 0)
        ;
    return 0;
}

static plait_task *start(plait_task_fn *fn, void *arg)
{
    return start_of_kind(PLAIT_PROCESS, fn, arg);
}

/* A command, and a task, from start to end. */
static void use_everything(void)
{
    int code = 1234;

    run("exit 3", (struct plait__command){ .id = 1 });
    CHECK_INT(next_end().death.status, 3);
    run("kill -KILL $$", (struct plait__command){ .id = 2 });
    CHECK_INT(next_end().death.signal, SIGKILL);
    plait_outcome end = outcome_of(start(return_code, &code));
    CHECK_INT(end.kind, PLAIT_RETURNED);
    CHECK_INT(end.code, 1234);
}

/* ---- SIGCHLD and wait ---- */

static volatile sig_atomic_t n_handled;

static void count_child(int signal)
{
    (void)signal;
    n_handled++;
}

TEST(a_handler_of_sigchld_hears_nothing_of_keeper_and_commands)
{
    struct sigaction action = { .sa_handler = count_child }, now;
    struct plait__command_end end;

    prepare();
    CHECK_INT(sigaction(SIGCHLD, &action, NULL), 0);
    for (uint64_t i = 0; i < 10; i++) {
        run("exit 3", (struct plait__command){ .id = i });
        CHECK_INT(next_end().death.status, 3);
    }
    CHECK_INT(kill(plait__keeper_pid(), SIGKILL), 0);
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), PLAIT_EKEEPER);
    CHECK_INT(n_handled, 0);
    use_everything();
    CHECK_INT(n_handled, 1); /* the task is the program's own child */
    CHECK_INT(sigaction(SIGCHLD, NULL, &now), 0);
    CHECK(now.sa_handler == count_child);
}

TEST(where_sigchld_is_ignored_all_ends_are_told)
{
    struct sigaction now;

    prepare();
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 10; i++)
        use_everything();
    CHECK_INT(sigaction(SIGCHLD, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_IGN);
}

TEST(where_sigchld_is_blocked_all_ends_are_told)
{
    sigset_t set;

    prepare();
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    CHECK_INT(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    use_everything();
}

TEST(a_wait_for_any_child_meets_neither_keeper_nor_commands)
{
    int in[2], code = 5, status;

    prepare();
    CHECK_INT(pipe2(in, O_CLOEXEC), 0);
    run("read x; exit 8", (struct plait__command){ .id = 1, .fds = { in[0] } });
    errno = 0;
    CHECK(wait(NULL) == -1 && errno == ECHILD);
    plait_task *task = start(return_code, &code);
    CHECK_INT(wait(&status), plait_task_id(task)); /* the program's own child */
    CHECK_INT(WEXITSTATUS(status), 5);
    CHECK(wait(NULL) == -1 && errno == ECHILD);
    CHECK_INT(write(in[1], "\n", 1), 1);
    CHECK_INT(next_end().death.status, 8);
    CHECK_INT(outcome_of(task).code, 5);
}

/* ---- a host that reaps a task itself ---- */

TEST(what_a_task_returned_is_known_though_the_host_reaped_it)
{
    int code = -70000, status;

    prepare();
    plait_task *task = start(return_code, &code);
    CHECK_INT(waitpid(plait_task_id(task), &status, 0), plait_task_id(task));
    plait_outcome end = outcome_of(task);
    CHECK_INT(end.kind, PLAIT_RETURNED);
    CHECK_INT(end.code, code);
    CHECK(!end.has_usage);
}

TEST(of_a_killed_task_that_the_host_reaped_is_told_what_the_kernel_still_tells)
{
    int status;

    prepare();
    plait_task *task = start(stand, NULL);
    CHECK_INT(plait_task_kill(task), 0);
    CHECK_INT(waitpid(plait_task_id(task), &status, 0), plait_task_id(task));
    CHECK_INT(plait_task_kill(task), 0); /* the number may be somebody else's by now */
    plait_outcome end = outcome_of(task);
    if (plait__probe_has(PLAIT__PROBE_PIDFD_INFO)) {
        CHECK_INT(end.kind, PLAIT_SIGNALLED);
        CHECK_INT(end.signal, SIGKILL);
    } else {
        CHECK_INT(end.kind, PLAIT_UNKNOWN);
        CHECK_INT(end.signal, 0);
    }
    CHECK(!end.has_usage);
}

/* ---- signals and descriptors ---- */

TEST(what_a_terminal_sends_to_the_whole_group_does_not_end_the_keeper)
{
    static const int signals[] = { SIGINT,  SIGHUP,  SIGTERM, SIGQUIT, SIGTSTP,
                                   SIGTTIN, SIGTTOU, SIGPIPE, SIGUSR1, SIGUSR2 };

    prepare();
    CHECK_INT(plait_keeper_start(), 0);
    pid_t keeper = plait__keeper_pid();
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        CHECK_INT(kill(keeper, signals[i]), 0);
        run("exit 3", (struct plait__command){ .id = 1 });
        CHECK_INT(next_end().death.status, 3);
    }
    CHECK_INT(plait__keeper_pid(), keeper);
}

TEST(a_command_finds_the_hosts_dispositions_and_not_the_keepers)
{
    prepare();
    signal(SIGUSR2, SIG_IGN);
    run("kill -USR2 $$; kill -TERM $$; exit 3", (struct plait__command){ .id = 1 });
    CHECK_INT(next_end().death.signal, SIGTERM);
    run("kill -PIPE $$; exit 3", (struct plait__command){ .id = 2 });
    CHECK_INT(next_end().death.signal, SIGPIPE);
}

TEST(neither_keeper_nor_commands_hold_the_hosts_descriptors)
{
    int fds[2];
    char byte;

    prepare();
    CHECK_INT(pipe(fds), 0); /* not even those without close-on-exec */
    run("echo there; exec sleep 60", (struct plait__command){ .id = 1 });
    CHECK_STR(next_line(), "there");
    close(fds[1]);
    CHECK_INT(read(fds[0], &byte, 1), 0);
}

TEST(a_host_without_standard_descriptors_has_a_keeper_too)
{
    prepare();
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    run("exit 3", (struct plait__command){ .id = 1 });
    CHECK_INT(next_end().death.status, 3);
    int code = 1;
    CHECK_INT(outcome_of(start(return_code, &code)).code, 1);
}
