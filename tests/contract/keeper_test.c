/* The keeper's contract: commands, and what is done to them.
 * SPDX-License-Identifier: MIT
 */
#include "keeper.h"

#include <sys/resource.h>

/* ---- a command from start to end ---- */

TEST(the_end_of_a_command_is_told_whole)
{
    prepare();
    run("exit 3", (struct plait__command){ .id = 7 });
    struct plait__command_end end = next_end();
    CHECK_INT(end.id, 7);
    CHECK_INT(end.start_error, 0);
    CHECK(end.death.known && end.death.has_usage && end.death.peak_kib > 0);
    CHECK_INT(end.death.status, 3);
    CHECK_INT(end.death.signal, 0);
    CHECK(end.run_ns > 0 && end.start_real_ns > 0 && !end.timed_out);
}

TEST(the_signal_that_ended_a_command_is_told)
{
    prepare();
    run("kill -KILL $$", (struct plait__command){ .id = 1 });
    CHECK_INT(next_end().death.signal, SIGKILL);
}

TEST(without_an_end_the_owner_waits_until_its_deadline)
{
    struct plait__command_end end;

    prepare();
    run("exec sleep 60", (struct plait__command){ .id = 1 });
    CHECK_INT(plait__keeper_next(&end, PLAIT_NOWAIT), -ETIMEDOUT);
    CHECK_INT(plait__keeper_next(&end, plait_after_ms(20)), -ETIMEDOUT);
}

TEST(without_a_keeper_there_is_nothing_to_wait_for)
{
    struct plait__command_end end;

    CHECK(!plait__keeper_is_there());
    CHECK_INT(plait__keeper_pid(), 0);
    CHECK_INT(plait__keeper_fd(), -1);
    CHECK_INT(plait__keeper_next(&end, PLAIT_NOWAIT), PLAIT_EKEEPER);
    CHECK_INT(plait__keeper_time_out(1, 0), PLAIT_EKEEPER);
    CHECK_INT(plait__keeper_stop_all(0), PLAIT_EKEEPER);
}

TEST(the_keepers_descriptor_is_readable_when_an_end_is_to_be_told)
{
    prepare();
    run("exit 0", (struct plait__command){ .id = 1 });
    struct pollfd word = { .fd = plait__keeper_fd(), .events = POLLIN };
    CHECK_INT(poll(&word, 1, -1), 1);
    CHECK_INT(next_end().id, 1);
    CHECK_INT(poll(&word, 1, 0), 0);
}

TEST(what_an_ended_command_left_in_the_background_lives_on_until_all_is_stopped)
{
    struct plait__command_end end;

    prepare();
    run("sleep 60 & echo $!", (struct plait__command){ .id = 1 });
    int left = watch_next();
    CHECK_INT(next_end().death.status, 0);
    CHECK(!is_gone(left));
    CHECK_INT(plait__keeper_stop_all(5000 * MS), 0);
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), 0);
    CHECK(is_gone(left));
}

/* ---- what a command is started with ---- */

TEST(additions_to_the_environment_replace_what_was_there)
{
    const char *env[] = { "PLAIT_TEST_A=new", "PLAIT_TEST_B=added" };

    CHECK_INT(setenv("PLAIT_TEST_A", "old", 1), 0);
    CHECK_INT(setenv("PLAIT_TEST_AA", "stays", 1), 0);
    CHECK_INT(setenv("PLAIT_JOB_ID", "of a plait above", 1), 0);
    prepare();
    run("env | grep -c -e ^PLAIT_TEST_A= -e ^PLAIT_JOB_ID=;"
        "echo $PLAIT_TEST_A $PLAIT_TEST_AA $PLAIT_TEST_B; echo ${PLAIT_JOB_ID#*.}",
        (struct plait__command){ .id = 42, .env = env, .n_env = 2 });
    CHECK_STR(next_line(), "2");
    CHECK_STR(next_line(), "new stays added");
    CHECK_STR(next_line(), "42");
    CHECK_INT(next_end().death.status, 0);
}

TEST(a_command_runs_where_and_as_nicely_as_it_should)
{
    char ours[16];

    prepare();
    snprintf(ours, sizeof ours, "%d", getpriority(PRIO_PROCESS, 0));
    run("pwd -P; nice",
        (struct plait__command){ .id = 1, .cwd = "/usr", .has_nice = true, .nice = 19 });
    CHECK_STR(next_line(), "/usr");
    CHECK_STR(next_line(), "19");
    CHECK_INT(next_end().death.status, 0);
    run("nice", (struct plait__command){ .id = 2 });
    CHECK_STR(next_line(), ours);
    CHECK_INT(next_end().death.status, 0);
}

TEST(a_command_leads_a_process_group_of_its_own)
{
    prepare();
    run("echo $$; cut -d' ' -f5 /proc/$$/stat", (struct plait__command){ .id = 1 });
    int pid = atoi(next_line());
    CHECK_INT(atoi(next_line()), pid);
    CHECK(getpgrp() != pid);
    CHECK_INT(next_end().death.status, 0);
}

static struct plait__command_end fail_to_start(const char *file, const char *cwd)
{
    char *argv[] = { (char[]){ "x" }, NULL };
    struct plait__command command = { .id = 5,
                                      .file = file,
                                      .argv = argv,
                                      .n_argv = 1,
                                      .fds = { nothing, said[1], STDERR_FILENO },
                                      .cwd = cwd };

    CHECK_INT(plait__keeper_run(&command, PLAIT_FOREVER), 0);
    struct plait__command_end end = next_end();
    CHECK_INT(end.id, 5);
    return end;
}

TEST(a_command_that_cannot_be_started_is_told_with_the_step_that_failed)
{
    static const struct {
        const char *file, *cwd;
        int error;
        const char *step;
    } cases[] = {
        { "/nonexistent/program", NULL, ENOENT, "exec" },
        { "plait-has-no-such-program", NULL, ENOENT, "exec" },
        { "/etc/passwd", NULL, EACCES, "exec" },
        { "/usr", NULL, EACCES, "exec" },
        { "true", "/nonexistent", ENOENT, "chdir" },
    };

    prepare();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plait__command_end end = fail_to_start(cases[i].file, cases[i].cwd);
        CHECK_INT(end.start_error, cases[i].error);
        CHECK_STR(end.step, cases[i].step);
    }
    run("exit 6", (struct plait__command){ .id = 6 });
    CHECK_INT(next_end().death.status, 6);
}

TEST_LIMIT(a_mebibyte_of_arguments_arrives_whole, 20)
{
    enum {
        WORDS = 16 * 1024,
        HEAD = 4
    };

    static char word[64 + 1];
    char **argv = calloc(HEAD + WORDS + 1, sizeof *argv);
    struct plait__command command = { .id = 1, .file = "sh", .argv = argv };

    CHECK(argv != NULL);
    prepare();
    memset(word, 'w', 64);
    argv[0] = argv[3] = (char[]){ "sh" };
    argv[1] = (char[]){ "-c" };
    argv[2] = (char[]){ "echo $# ${#1}; shift $(($# - 1)); echo $1" };
    for (size_t i = 0; i < WORDS; i++)
        argv[HEAD + i] = word;
    argv[HEAD + WORDS - 1] = (char[]){ "last" };
    command.n_argv = HEAD + WORDS;
    command.fds[0] = nothing;
    command.fds[1] = said[1];
    command.fds[2] = STDERR_FILENO;
    CHECK_INT(plait__keeper_run(&command, PLAIT_FOREVER), 0);
    free(argv); /* they were copied */
    CHECK_STR(next_line(), "16384 64");
    CHECK_STR(next_line(), "last");
    CHECK_INT(next_end().death.status, 0);
}

/* ---- time-outs ---- */

TEST(a_command_whose_time_is_over_is_ended_by_sigterm)
{
    prepare();
    run("exec sleep 60",
        (struct plait__command){ .id = 1, .timeout_ns = 30 * MS, .kill_after_ns = 60000 * MS });
    struct plait__command_end end = next_end();
    CHECK(end.timed_out);
    CHECK_INT(end.death.signal, SIGTERM);
    CHECK(end.run_ns >= 30 * MS);
}

TEST(a_command_in_time_is_not_timed_out)
{
    prepare();
    run("exit 0", (struct plait__command){ .id = 1, .timeout_ns = 60000 * MS });
    CHECK(!next_end().timed_out);
}

TEST(who_does_not_end_by_sigterm_is_killed_later_with_all_below)
{
    prepare();
    run("trap '' TERM; " STAY_WITH_ANOTHER_SESSION, (struct plait__command){ .id = 1 });
    int main_process = watch_next(), other_session = watch_next();
    CHECK_INT(plait__keeper_time_out(1, 30 * MS), 0);
    struct plait__command_end end = next_end();
    CHECK(end.timed_out);
    CHECK_INT(end.death.signal, SIGKILL);
    CHECK(is_gone(main_process) && is_gone(other_session));
}

TEST(who_tidies_up_on_sigterm_has_the_time_to)
{
    prepare();
    run("trap 'echo tidy; exit 9' TERM; echo ready; while :; do :; done",
        (struct plait__command){ .id = 1 });
    CHECK_STR(next_line(), "ready");
    CHECK_INT(plait__keeper_time_out(1, 60000 * MS), 0);
    CHECK_STR(next_line(), "tidy");
    struct plait__command_end end = next_end();
    CHECK(end.timed_out);
    CHECK_INT(end.death.status, 9);
}

/* 10 begins as 1 does: also its orphan, found by its environment alone, must not be taken for one
 * of the other command's. */
TEST(the_time_out_of_one_command_leaves_the_others_alone)
{
    int in[2];

    prepare();
    CHECK_INT(pipe2(in, O_CLOEXEC), 0);
    run("exec 3<&0; (setsid sh -c 'echo orphan; read x <&3; echo alive' &); read x; exit 7",
        (struct plait__command){ .id = 10, .fds = { in[0] } });
    run("exec sleep 60", (struct plait__command){ .id = 1 });
    CHECK_STR(next_line(), "orphan");
    CHECK_INT(plait__keeper_time_out(1, 5000 * MS), 0);
    CHECK_INT(next_end().id, 1);
    CHECK_INT(write(in[1], "\n\n", 2), 2);
    CHECK_STR(next_line(), "alive");
    struct plait__command_end end = next_end();
    CHECK_INT(end.id, 10);
    CHECK_INT(end.death.status, 7);
    CHECK(!end.timed_out);
}

TEST(a_time_out_of_nobody_is_harmless)
{
    prepare();
    run("exit 0", (struct plait__command){ .id = 1 });
    CHECK_INT(next_end().id, 1);
    CHECK_INT(plait__keeper_time_out(1, 0), 0);
    CHECK_INT(plait__keeper_time_out(99, 0), 0);
    run("exit 2", (struct plait__command){ .id = 2 });
    CHECK_INT(next_end().death.status, 2);
}

TEST(while_all_is_paused_time_stands_still)
{
    enum {
        TIMEOUT_MS = 400,
        PAUSE_MS = 600
    };
    struct plait__command_end end;

    prepare();
    CHECK_INT(plait_keeper_start(), 0);
    plait_deadline far = plait_after_ms(1000000);
    run("exec sleep 60", (struct plait__command){
                             .id = 1, .timeout_ns = TIMEOUT_MS * MS, .kill_after_ns = 5000 * MS });
    CHECK_INT(plait__keeper_pause(), 0);
    await_obeyed();
    CHECK_INT(plait__keeper_next(&end, plait_after_ms(PAUSE_MS)), -ETIMEDOUT);
    CHECK_INT(plait__keeper_resume(), 0);
    end = next_end();
    CHECK(end.timed_out);
    CHECK_INT(end.death.signal, SIGTERM);
    CHECK(end.run_ns >= TIMEOUT_MS * MS);
    /* all the time that passed, but for the pause */
    CHECK(1000000 * MS - plait_left_ns(far) >= end.run_ns + PAUSE_MS * MS);
}

TEST(what_was_paused_goes_on)
{
    prepare();
    run("echo ready; read x <&0; exit 4", (struct plait__command){ .id = 1 });
    CHECK_INT(plait__keeper_pause(), 0);
    CHECK_INT(plait__keeper_pause(), 0);
    CHECK_INT(plait__keeper_resume(), 0);
    CHECK_INT(plait__keeper_resume(), 0);
    CHECK_INT(next_end().death.status, 4);
}

/* ---- everything at once ---- */

TEST(to_stop_all_tells_each_end_and_then_that_all_have_ended)
{
    struct plait__command_end end;
    int told = 0, rc;

    prepare();
    run(STAY_WITH_ANOTHER_SESSION, (struct plait__command){ .id = 1 });
    int first = watch_next(), first_below = watch_next();
    run("trap '' TERM; " STAY_WITH_ANOTHER_SESSION, (struct plait__command){ .id = 2 });
    int second = watch_next(), second_below = watch_next();
    CHECK_INT(plait__keeper_stop_all(30 * MS), 0);
    while ((rc = plait__keeper_next(&end, PLAIT_FOREVER)) == 1) {
        CHECK_INT(end.death.signal, end.id == 1 ? SIGTERM : SIGKILL);
        told |= 1 << end.id;
    }
    CHECK_INT(rc, 0);
    CHECK_INT(told, 1 << 1 | 1 << 2);
    CHECK(is_gone(first) && is_gone(first_below) && is_gone(second) && is_gone(second_below));
    run("exit 3", (struct plait__command){ .id = 3 }); /* it goes on */
    CHECK_INT(next_end().death.status, 3);
}

TEST(to_stop_all_when_nothing_runs_is_over_at_once)
{
    struct plait__command_end end;

    prepare();
    CHECK_INT(plait_keeper_start(), 0);
    CHECK_INT(plait__keeper_stop_all(60000 * MS), 0);
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), 0);
}

/* Ends are told while the owner is busy starting, and do not get lost when the channel is full. */
TEST_LIMIT(the_ends_of_many_commands_are_told_when_the_owner_asks, 40)
{
    enum {
        MANY = 200
    };

    static bool is_told[MANY];

    prepare();
    for (uint64_t i = 0; i < MANY; i++)
        run("exit 1", (struct plait__command){ .id = i });
    for (int i = 0; i < MANY; i++) {
        struct plait__command_end end = next_end();
        CHECK(end.id < MANY && !is_told[end.id]);
        CHECK_INT(end.start_error, 0);
        CHECK_INT(end.death.status, 1);
        is_told[end.id] = true;
    }
}
