/* The keeper's contract: what happens when a task start, and not a command, finds the keeper dead.
 * SPDX-License-Identifier: MIT
 */
#include "keeper.h"

#include <sys/resource.h>

static void kill_keeper(void)
{
    int pidfd = watch(plait__keeper_pid());

    CHECK_INT(plait__os_pidfd_signal(pidfd, SIGKILL), 0);
    await_gone(pidfd);
}

static int return_7(void *arg)
{
    (void)arg;
    return 7;
}

static void start_and_join(void)
{
    plait_task *task = NULL;
    plait_outcome end;

    CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, return_7, NULL, NULL), 0);
    CHECK_INT(plait_task_join(task, PLAIT_FOREVER), 0);
    CHECK_INT(plait_task_outcome(task, &end), 0);
    CHECK_INT(end.code, 7);
    plait_task_destroy(task);
}

TEST(a_task_start_that_finds_the_keeper_dead_makes_another)
{
    CHECK_INT(plait_keeper_start(), 0);
    pid_t first = plait__keeper_pid();
    kill_keeper();
    start_and_join();
    CHECK(plait__keeper_pid() != first);
}

TEST(who_runs_commands_hears_of_their_loss_though_a_task_start_found_the_keeper_dead)
{
    char *argv[] = { (char[]){ "true" }, NULL };
    struct plait__command_end end;

    prepare();
    run(STAY_WITH_ANOTHER_SESSION, (struct plait__command){ .id = 1 });
    int first = watch_next(), second = watch_next();
    kill_keeper();
    start_and_join();
    await_gone(first);
    await_gone(second);
    CHECK_INT(plait__keeper_run(&(struct plait__command){ .id = 2,
                                                          .file = "true",
                                                          .argv = argv,
                                                          .n_argv = 1,
                                                          .fds = { nothing, nothing, nothing } },
                                PLAIT_FOREVER),
              PLAIT_EKEEPER);
    CHECK_INT(plait__keeper_fd(), -1);
    CHECK_INT(plait__keeper_next(&end, PLAIT_FOREVER), PLAIT_EKEEPER);
    run("exit 6", (struct plait__command){ .id = 2 });
    end = next_end();
    CHECK_INT(end.id, 2);
    CHECK_INT(end.death.status, 6);
}

TEST(who_ran_no_commands_hears_of_no_loss)
{
    prepare();
    run("exit 1", (struct plait__command){ .id = 1 });
    CHECK_INT(next_end().death.status, 1);
    kill_keeper();
    start_and_join();
    run("exit 6", (struct plait__command){ .id = 2 });
    CHECK_INT(next_end().death.status, 6);
}

static void start_in_exit_handler(void)
{
    start_and_join();
    (void)!write(said[1], "late\n", 5);
}

TEST(after_the_end_of_the_tasks_another_keeper_can_be_made)
{
    prepare();
    pid_t pid = fork();
    if (pid == 0) {
        atexit(start_in_exit_handler); /* runs after plait's own */
        start_and_join();
        exit(0);
    }
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_STR(next_line(), "late");
}

/* ---- a keeper that is late ---- */

enum {
    MANY = 400 /* messages of each: more than the channel holds */
};

static int *n_sent; /* atomic, shared with the child */
static pid_t child;

/* Wakes the keeper when nobody sends any more. Were that too early, nothing would be tried. */
static void wake_late(pid_t keeper)
{
    int seen = -1;

    while (seen != __atomic_load_n(n_sent, __ATOMIC_SEQ_CST)) {
        seen = __atomic_load_n(n_sent, __ATOMIC_SEQ_CST);
        usleep(20 * 1000);
    }
    _exit(kill(keeper, SIGCONT) < 0);
}

static int guard_child(void *arg)
{
    int pidfd = watch(child);

    (void)arg;
    for (int i = 0; i < MANY; i++) {
        CHECK_INT(plait__keeper_guard(child, pidfd), 0);
        __atomic_fetch_add(n_sent, 1, __ATOMIC_SEQ_CST);
    }
    close(pidfd);
    return 0;
}

TEST(coroutines_that_wait_for_a_late_keeper_go_on)
{
    plait_group *group = NULL;
    pid_t keeper;
    int status;

    CHECK_INT(plait_keeper_start(), 0);
    n_sent = plait_shared_alloc(sizeof *n_sent);
    keeper = plait__keeper_pid();
    CHECK_INT(kill(keeper, SIGSTOP), 0);
    child = fork();
    if (child == 0)
        wake_late(keeper);
    CHECK_INT(plait_group_create(&group, NULL), 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(plait_group_go(group, guard_child, NULL, PLAIT_FOREVER), 0);
    CHECK_INT(plait_group_join(group, PLAIT_FOREVER), 0);
    CHECK_INT(*n_sent, 2 * MANY);
    plait_group_destroy(group);
    CHECK_INT(test_waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

/* ---- a keeper with few descriptors ---- */

static int say_and_stay(void *arg)
{
    (void)arg;
    dprintf(said[1], "%d\n", (int)getpid());
    plait_sleep(PLAIT_FOREVER);
    return 0;
}

static void set_fd_limit(rlim_t soft)
{
    struct rlimit limit;

    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = soft > 0 ? soft : limit.rlim_max;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* The owner raises its limit when it has the keeper already. */
TEST(a_keeper_guards_as_many_as_its_owner_has)
{
    enum {
        FEW = 64
    };

    plait_task *task = NULL;
    pid_t owner;

    prepare();
    owner = fork();
    if (owner == 0) {
        set_fd_limit(FEW);
        CHECK_INT(plait_keeper_start(), 0);
        set_fd_limit(0);
        for (int i = 0; i < FEW; i++) /* any process will do to take its descriptors */
            CHECK_INT(plait__keeper_guard(getpid(), watch(getpid())), 0);
        CHECK_INT(plait_task_start(&task, PLAIT_PROCESS, say_and_stay, NULL, NULL), 0);
        plait_sleep(PLAIT_FOREVER);
    }
    int stays = watch_next();
    CHECK_INT(kill(owner, SIGKILL), 0);
    CHECK_INT(test_waitpid(owner, NULL, 0), owner);
    await_gone(stays);
}
