/* The keeper's contract: nothing outlives its owner, and the keeper's own death is survived.
 * SPDX-License-Identifier: MIT
 *
 * An owner here is a program of its own, forked from the test, which kills it.
 */
#include "keeper.h"

#include <sys/resource.h>

/* What the library promises, times what sanitizers cost. */
static plait_deadline within_a_second(void)
{
    const char *slow = getenv("PLAIT_SLOW");
    int factor = slow != NULL ? atoi(slow) : 1;

    return plait_after_ms(1000 * (factor > 1 ? factor : 1));
}

static void check_gone(int pidfd, plait_deadline until)
{
    struct pollfd end = { .fd = pidfd, .events = POLLIN };

    CHECK_INT(poll(&end, 1, (int)(plait_left_ns(until) / MS)), 1);
    close(pidfd);
}

static pid_t start_owner(void (*fn)(void))
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn();
        for (;;)
            pause();
    }
    return pid;
}

/* Everything has said its pid: none of the n lives on for more than a second after its owner. */
static void check_nothing_outlives(pid_t owner, const int *pidfds, int n)
{
    int status;

    CHECK_INT(kill(owner, SIGKILL), 0);
    plait_deadline until = within_a_second();
    for (int i = 0; i < n; i++)
        check_gone(pidfds[i], until);
    CHECK_INT(waitpid(owner, &status, 0), owner);
    CHECK(WIFSIGNALED(status));
}

static int say_pid_and_stand(void *arg)
{
    (void)arg;
    dprintf(said[1], "%d\n", getpid());
    while (pause() < 0)
        ;
    return 0;
}

static int return_number(void *arg)
{
    return *(int *)arg;
}

static plait_task *start(plait_task_fn *fn, bool daemon)
{
    plait_task *task = NULL;
    plait_task_opts opts = { .daemon = daemon };

    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, fn, NULL, &opts), 0);
    return task;
}

/* ---- the owner's death ---- */

static int have_a_daemon(void *arg)
{
    start(say_pid_and_stand, true);
    return say_pid_and_stand(arg);
}

static void own_tasks_and_commands(void)
{
    start(have_a_daemon, false);
    start(say_pid_and_stand, true);
    run(STAY_WITH_ANOTHER_SESSION, (struct plait__command){ .id = 1 });
    run("trap '' TERM HUP INT; " STAY_WITH_ANOTHER_SESSION, (struct plait__command){ .id = 2 });
    dprintf(said[1], "%d\n", (int)plait__keeper_pid());
}

TEST(when_the_owner_is_killed_nothing_of_its_is_left_a_second_later)
{
    int pidfds[8]; /* tasks: one, its daemon, another; commands: two each; the keeper */

    prepare();
    pid_t owner = start_owner(own_tasks_and_commands);
    for (int i = 0; i < 8; i++)
        pidfds[i] = watch_next();
    check_nothing_outlives(owner, pidfds, 8);
}

static void own_what_left_its_command(void)
{
    run("setsid sh -c 'echo $$; exec sleep 60' & exit 0", (struct plait__command){ .id = 1 });
    next_end();
}

TEST(what_ended_commands_left_in_the_background_ends_with_the_owner)
{
    int pidfd;

    prepare();
    pid_t owner = start_owner(own_what_left_its_command);
    pidfd = watch_next();
    check_nothing_outlives(owner, &pidfd, 1);
}

static int go[2]; /* the owner does nothing more until its pids are watched */

static void wait_for_go(void)
{
    char byte;

    CHECK_INT(read(go[0], &byte, 1), 1);
}

static void exec_another_program(void)
{
    own_tasks_and_commands();
    wait_for_go();
    execlp("sleep", "sleep", "60", (char *)NULL);
    _exit(1);
}

static void leave_without_a_word(void)
{
    own_tasks_and_commands();
    wait_for_go();
    _exit(0);
}

static void check_all_ends_after(void (*fn)(void))
{
    int pidfds[8];

    prepare();
    CHECK_INT(pipe2(go, O_CLOEXEC), 0);
    pid_t owner = start_owner(fn);
    for (int i = 0; i < 8; i++)
        pidfds[i] = watch_next();
    CHECK_INT(write(go[1], "g", 1), 1);
    for (int i = 0; i < 8; i++)
        await_gone(pidfds[i]);
    CHECK_INT(kill(owner, SIGKILL), 0); /* it may be there still, as another program */
    CHECK_INT(waitpid(owner, NULL, 0), owner);
}

TEST(when_the_owner_becomes_another_program_all_it_ran_is_ended)
{
    check_all_ends_after(exec_another_program);
}

TEST(when_the_owner_leaves_by__exit_all_it_ran_is_ended)
{
    check_all_ends_after(leave_without_a_word);
}

/* Under a limit that would be reached if the keeper remembered those that have ended. */
static void start_and_join_hundreds(void)
{
    const struct rlimit limit = { .rlim_cur = 64, .rlim_max = 64 };
    plait_outcome end;

    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < 300; i++) {
        plait_task *task = NULL;
        CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, return_number, &i, NULL), 0);
        CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
        CHECK_INT(plait_task_outcome(task, &end), 0);
        CHECK_INT(end.kind, PLAIT_RETURNED);
        CHECK_INT(end.code, i);
        plait_task_destroy(task);
    }
    start(say_pid_and_stand, false);
}

TEST_LIMIT(guards_are_forgotten_when_their_tasks_have_ended, 40)
{
    int pidfd;

    prepare();
    pid_t owner = start_owner(start_and_join_hundreds);
    pidfd = watch_next();
    check_nothing_outlives(owner, &pidfd, 1);
}

/* ---- the keeper's death ---- */

static void kill_keeper(void)
{
    int keeper = watch(plait__keeper_pid());

    CHECK_INT(kill(plait__keeper_pid(), SIGKILL), 0);
    await_gone(keeper);
}

TEST(when_the_keeper_is_killed_its_commands_are_and_a_new_one_goes_on)
{
    struct plait__command_end end;

    prepare();
    run(STAY_WITH_ANOTHER_SESSION, (struct plait__command){ .id = 1 });
    int main_process = watch_next(), other_session = watch_next();
    pid_t old = plait__keeper_pid();
    uint64_t generation = plait__keeper_generation();
    kill_keeper();
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), PLAIT_EKEEPER);
    await_gone(main_process);
    await_gone(other_session);
    CHECK(!plait__keeper_is_there());
    run("exit 4", (struct plait__command){ .id = 2 });
    CHECK(plait__keeper_is_there() && plait__keeper_pid() != old);
    CHECK(plait__keeper_generation() != generation);
    struct plait__command_end next = next_end();
    CHECK_INT(next.id, 2);
    CHECK_INT(next.death.status, 4);
}

TEST(what_the_keeper_had_told_before_it_died_is_heard)
{
    struct plait__command_end end;

    prepare();
    run("exit 3", (struct plait__command){ .id = 1 });
    CHECK_INT(poll(&(struct pollfd){ .fd = plait__keeper_fd(), .events = POLLIN }, 1, -1), 1);
    kill_keeper();
    CHECK_INT(next_end().death.status, 3);
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), PLAIT_EKEEPER);
}

TEST(a_command_that_meets_a_dead_keeper_is_refused_until_the_owner_has_heard)
{
    char *argv[] = { (char[]){ "true" }, NULL };
    struct plait__command_end end;

    prepare();
    struct plait__command command = {
        .id = 1, .file = "true", .argv = argv, .n_argv = 1, .fds = { nothing, nothing, nothing }
    };
    CHECK_INT(plait_keeper_start(), 0);
    kill_keeper();
    CHECK_INT(plait__keeper_run(&command, PLAIT_FOREVER), PLAIT_EKEEPER);
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), PLAIT_EKEEPER);
    CHECK_INT(plait__keeper_run(&command, PLAIT_FOREVER), 0);
    CHECK_INT(next_end().death.status, 0);
}

TEST(tasks_outlive_the_keeper_and_are_joined_as_before)
{
    plait_outcome end;

    prepare();
    plait_task *task = start(say_pid_and_stand, false);
    int pidfd = watch_next();
    kill_keeper();
    CHECK(plait_task_is_alive(task));
    CHECK_INT(plait_task_terminate(task), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.signal, SIGTERM);
    plait_task_destroy(task);
    await_gone(pidfd);
}

static void lose_a_keeper_between_two_tasks(void)
{
    start(say_pid_and_stand, false);
    kill_keeper();
    start(say_pid_and_stand, false);
}

TEST(a_new_keeper_guards_the_tasks_of_the_old_one_too)
{
    int pidfds[2];

    prepare();
    pid_t owner = start_owner(lose_a_keeper_between_two_tasks);
    pidfds[0] = watch_next();
    pidfds[1] = watch_next();
    check_nothing_outlives(owner, pidfds, 2);
}

static void lose_keepers_between_commands(void)
{
    struct plait__command_end end;

    start(say_pid_and_stand, false);
    kill_keeper();
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), PLAIT_EKEEPER);
    run("exit 0", (struct plait__command){ .id = 1 });
    next_end();
    start(say_pid_and_stand, false);
}

TEST(a_keeper_made_for_a_command_guards_older_tasks_from_the_next_start_on)
{
    int pidfds[2];

    prepare();
    pid_t owner = start_owner(lose_keepers_between_commands);
    pidfds[0] = watch_next();
    pidfds[1] = watch_next();
    check_nothing_outlives(owner, pidfds, 2);
}

TEST(to_forget_the_keeper_in_a_child_leaves_it_to_the_parent)
{
    int status;

    prepare();
    run("exec sleep 60", (struct plait__command){ .id = 1 });
    pid_t keeper = plait__keeper_pid(), pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK(!plait__keeper_is_there());
        run("exit 6", (struct plait__command){ .id = 1 });
        CHECK(plait__keeper_pid() != keeper);
        CHECK_INT(next_end().death.status, 6);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    CHECK_INT(plait__keeper_time_out(1, 5000 * MS), 0);
    CHECK_INT(next_end().death.signal, SIGTERM);
}
