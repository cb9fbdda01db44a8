/* Which processes descend from which, and ending all of them.
 * SPDX-License-Identifier: MIT
 *
 * Each process of a test holds the write end of a pipe: when the pipe ends, all of them are gone.
 */
#include "os/process.h"

#include "os/fd.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int life[2];  /* held by all that live */
static int ready[2]; /* each says a byte when it stands */

static void prepare(void)
{
    CHECK_INT(plait__os_pipe(life), 0);
    CHECK_INT(plait__os_pipe(ready), 0);
}

static void stand(void)
{
    (void)!write(ready[1], "r", 1);
    for (;;)
        pause();
}

static void wait_ready(int n)
{
    char byte;

    while (n-- > 0)
        CHECK_INT(read(ready[0], &byte, 1), 1);
}

static void check_all_gone(void)
{
    char byte;

    close(life[1]);
    CHECK_INT(read(life[0], &byte, 1), 0);
}

static pid_t child(void (*fn)(void))
{
    pid_t pid = plait__os_fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    return pid;
}

/* Two levels below, one of them in a group of its own. */
static void stand_with_two(void)
{
    if (plait__os_fork() == 0) {
        setpgid(0, 0);
        if (plait__os_fork() == 0)
            stand();
        stand();
    }
    stand();
}

TEST(all_below_the_root_are_met_and_killed)
{
    struct plait__tree tree = { 0 };

    prepare();
    tree.root = child(stand_with_two);
    wait_ready(3);
    CHECK_INT(plait__os_tree_signal(&tree, 0), 3);
    CHECK_INT(plait__os_tree_kill(&tree), 3);
    check_all_gone();
}

TEST(the_dead_are_not_met)
{
    struct plait__tree tree = { 0 };
    siginfo_t end;

    prepare();
    tree.root = child(stand);
    wait_ready(1);
    CHECK_INT(plait__os_tree_kill(&tree), 1);
    check_all_gone();
    CHECK_INT(waitid(P_PID, (id_t)tree.root, &end, WEXITED | WNOWAIT), 0);
    CHECK_INT(plait__os_tree_signal(&tree, 0), 0); /* a zombie still */
    plait__os_reap(tree.root);
    CHECK_INT(plait__os_tree_kill(&tree), 0);
}

static void lead_a_group(void)
{
    setpgid(0, 0);
    if (plait__os_fork() == 0)
        stand();
    _exit(0); /* the group outlives its leader */
}

TEST(a_group_without_its_leader_is_found)
{
    struct plait__tree tree = { 0 };

    prepare();
    tree.group = child(lead_a_group);
    wait_ready(1);
    plait__os_reap(tree.group);
    CHECK_INT(plait__os_tree_kill(&tree), 1);
    check_all_gone();
}

/* A daemon: an orphan in a session of its own, with `env` in its first environment. */
static void start_daemon(const char *env)
{
    pid_t pid = plait__os_fork();

    if (pid == 0) {
        setsid();
        if (plait__os_fork() > 0)
            _exit(0);
        dup2(ready[1], 3);
        dup2(life[1], 4);
        execle("/bin/sh", "sh", "-c", "echo >&3; exec sleep 100", NULL,
               (char *[]){ (char *)(uintptr_t)env, NULL });
        _exit(1);
    }
    plait__os_reap(pid);
}

TEST(a_daemon_is_found_at_its_adopter_by_its_environment)
{
    struct plait__tree tree = { .adopter = getpid(), .env = "PLAIT_TEST=1." };

    prepare();
    CHECK_INT(plait__os_adopt_orphans(), 0);
    start_daemon("PLAIT_TEST=1.7");
    wait_ready(1);
    CHECK_INT(plait__os_tree_signal(&tree, 0), 1);
    tree.env = "PLAIT_TEST=2.";
    CHECK_INT(plait__os_tree_kill(&tree), 0);
    tree.env = "PLAIT_TEST=1.7";
    CHECK_INT(plait__os_tree_kill(&tree), 1);
    check_all_gone();
}

static char mark[64]; /* a variable that nobody else has */

static void make_mark(void)
{
    snprintf(mark, sizeof mark, "PLAIT_TEST=%llx", (unsigned long long)plait__os_random());
}

TEST(by_its_environment_a_process_is_found_anywhere)
{
    struct plait__tree tree = { .env = mark, .anywhere = true };

    make_mark();
    prepare();
    start_daemon(mark); /* adopted by whoever adopts here: not by us */
    wait_ready(1);
    CHECK_INT(plait__os_tree_kill(&tree), 1);
    check_all_gone();
}

/* A program that is replaced by itself for ever. */
static void exec_for_ever(void)
{
    static char shell[] = "/bin/sh", flag[] = "-c", again[] = "exec /bin/sh -c \"$AGAIN\"",
                variable[] = "AGAIN=exec /bin/sh -c \"$AGAIN\"";
    char *const argv[] = { shell, flag, again, NULL }, *const envp[] = { variable, mark, NULL };

    execve(shell, argv, envp);
}

/* Between the old program and the new one it has no environment to be found by. */
TEST_LIMIT(a_process_is_found_by_its_environment_also_in_the_middle_of_an_exec, 30)
{
    struct plait__tree tree = { .env = mark, .anywhere = true };

    make_mark();
    pid_t pid = child(exec_for_ever);
    while (plait__os_tree_signal(&tree, SIGCONT) == 0) /* until its first exec */
        usleep(1000);
    for (int i = 0; i < 150; i++)
        CHECK_INT(plait__os_tree_signal(&tree, SIGCONT), 1);
    CHECK_INT(plait__os_tree_kill(&tree), 1);
    plait__os_reap(pid);
}

TEST(all_children_of_an_adopter_are_meant_without_an_environment)
{
    struct plait__tree tree = { .adopter = getpid() };

    prepare();
    child(stand_with_two);
    child(stand);
    wait_ready(4);
    CHECK_INT(plait__os_tree_kill(&tree), 4);
    check_all_gone();
}

TEST(nobody_is_meant_by_nothing)
{
    struct plait__tree tree = { 0 };
    int status;
    pid_t stranger;

    prepare();
    stranger = child(stand);
    wait_ready(1);
    CHECK_INT(plait__os_tree_kill(&tree), 0);
    tree = (struct plait__tree){ .root = getpid() - 1000000 };
    CHECK_INT(plait__os_tree_kill(&tree), 0);
    CHECK_INT(waitpid(stranger, &status, WNOHANG | WUNTRACED), 0); /* neither ended nor stopped */
}

TEST(neither_the_caller_nor_a_stranger_is_signalled)
{
    struct plait__tree tree = { 0 };
    int status;
    pid_t stranger;

    prepare();
    stranger = child(stand);
    tree.root = child(stand_with_two);
    tree.group = getpgrp(); /* the caller and the stranger are in it: only the caller is spared */
    setpgid(stranger, stranger);
    wait_ready(4);
    CHECK_INT(plait__os_tree_kill(&tree), 3);
    CHECK_INT(waitpid(stranger, &status, WNOHANG | WUNTRACED), 0);
    kill(stranger, SIGKILL);
}

enum {
    BOMB_SIZE = 60
};

/* Forks, and ends, and the child goes on: each is gone before it can be found by its parent. */
static void run_away(void)
{
    for (int i = 0; i < 1000; i++) {
        pid_t pid = plait__os_fork();
        if (pid > 0)
            _exit(0);
        usleep(5000);
    }
}

static void explode(void)
{
    for (int i = 0; i < BOMB_SIZE; i++) {
        if (plait__os_fork() == 0) {
            usleep(i * 300);
            if (plait__os_fork() == 0)
                stand();
            stand();
        }
    }
    stand();
}

TEST_LIMIT(a_fork_bomb_is_killed_entirely, 30)
{
    struct plait__tree tree = { .adopter = getpid() };

    prepare();
    CHECK_INT(plait__os_adopt_orphans(), 0);
    child(explode);
    wait_ready(5);
    CHECK(plait__os_tree_kill(&tree) > 5);
    while (plait__os_tree_kill(&tree) > 0) /* what forked faster than we could look */
        ;
    check_all_gone();
}

TEST_LIMIT(who_runs_away_by_forking_is_caught, 30)
{
    struct plait__tree tree = { .adopter = getpid() };

    prepare();
    CHECK_INT(plait__os_adopt_orphans(), 0);
    child(run_away);
    while (plait__os_tree_kill(&tree) == 0) /* it may hop just while we look: look again */
        ;
    check_all_gone();
}

static void *stand_in_thread(void *arg)
{
    (void)arg;
    stand();
    return NULL;
}

static void leave_a_thread_behind(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, stand_in_thread, NULL);
    pthread_exit(NULL);
}

TEST(a_process_whose_main_thread_has_ended_lives)
{
    struct plait__tree tree = { 0 };

    prepare();
    tree.root = child(leave_a_thread_behind);
    wait_ready(1);
    usleep(20000); /* the main thread is gone by now, or the claim is an easy one */
    CHECK_INT(plait__os_tree_signal(&tree, 0), 1);
    CHECK_INT(plait__os_tree_kill(&tree), 1);
    check_all_gone();
}
