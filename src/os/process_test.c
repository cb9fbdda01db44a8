/* Forking and reaping.
 * SPDX-License-Identifier: MIT
 */
#include "os/process.h"

#include "os/clock.h"
#include "os/fd.h"
#include "os/pidfd.h"
#include "os/thread.h"
#include "test.h"
#include "threads.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TEST(wait_any_tells_each_end_once)
{
    struct plait__death death = { .pid = 99 };
    int seen = 0;
    pid_t pid;

    CHECK_INT(plait__os_wait_any(&death), -ECHILD);
    for (int i = 0; i < 3; i++)
        if (plait__os_fork() == 0)
            _exit(10 + i);
    while ((pid = plait__os_wait_any(&death)) != -ECHILD) {
        CHECK(pid >= 0);
        if (pid == 0) {
            usleep(1000);
            continue;
        }
        CHECK_INT(death.pid, pid);
        CHECK(death.known && death.has_usage);
        CHECK(death.status >= 10 && death.status < 13);
        seen |= 1 << (death.status - 10);
    }
    CHECK_INT(seen, 7);
}

TEST(wait_any_says_0_while_all_live)
{
    struct plait__death death = { .pid = 99 };
    pid_t pid = plait__os_fork();

    if (pid == 0)
        for (;;)
            pause();
    CHECK_INT(plait__os_wait_any(&death), 0);
    CHECK_INT(death.pid, 99);
    CHECK_INT(kill(pid, SIGKILL), 0);
    plait__os_reap(pid);
}

static volatile sig_atomic_t children_signalled;

static void count_child(int number)
{
    (void)number;
    children_signalled++;
}

TEST(a_hidden_child_is_not_waited_for_and_sends_no_signal)
{
    struct plait__death death;
    int pidfd = -1;

    CHECK_INT(sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = count_child }, NULL), 0);
    pid_t pid = plait__os_fork_hidden(&pidfd);
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(9);
    struct plait__fd end = { .fd = pidfd, .wanted = PLAIT__FD_READ };
    CHECK_INT(waitpid(-1, NULL, 0), -1);
    CHECK_INT(errno, ECHILD);
    CHECK_INT(plait__os_poll(&end, 1, INT64_MAX), 1);
    CHECK_INT(plait__os_pidfd_wait(pidfd, &death), 0);
    CHECK_INT(death.pid, pid);
    CHECK_INT(death.status, 9);
    CHECK_INT(children_signalled, 0);
}

static void wait_at_pipe(void *arg)
{
    char byte;

    (void)!read(*(int *)arg, &byte, 1);
}

TEST(threads_are_counted)
{
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(plait__os_thread_count(), 1);
    CHECK_INT(start_detached(wait_at_pipe, &fds[0], 0), 0);
    CHECK_INT(start_detached(wait_at_pipe, &fds[0], 0), 0);
    CHECK_INT(plait__os_thread_count(), 3);
    close(fds[1]);
    while (plait__os_thread_count() > 1) /* an ended thread is not counted for ever */
        usleep(1000);
}

static void end_at_once(void *arg)
{
    (void)arg;
}

static void wait_and_close(void *arg)
{
    wait_at_pipe(arg);
    close(*(int *)arg);
}

TEST_LIMIT(a_thread_is_counted_while_those_before_it_end, 60)
{
    static int ends[800][2]; /* who is detached tells nobody that it has read them */

    for (int i = 0; i < 800; i++) {
        int *fds = ends[i];
        CHECK_INT(plait__os_pipe(fds), 0);
        for (int n = 0; n < 4; n++)
            CHECK_INT(start_detached(end_at_once, NULL, 0), 0);
        CHECK_INT(start_detached(wait_and_close, &fds[0], 0), 0);
        for (int n = 0; n < 4; n++)
            CHECK(plait__os_thread_count() >= 2);
        close(fds[1]);
        while (plait__os_thread_count() > 1)
            sched_yield();
    }
}

TEST(without_a_descriptor_the_count_is_an_error)
{
    struct rlimit before, none;
    int fds[2], n;

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(start_detached(wait_at_pipe, &fds[0], 0), 0);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ 0, before.rlim_max };
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    n = plait__os_thread_count();
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0); /* a leak check at the end wants some */
    CHECK_INT(n, -EMFILE);
}

TEST(a_name_full_of_parentheses_does_not_confuse_the_count)
{
    plait__os_set_process_name("a) R 1 2 (b) 3");
    CHECK_INT(plait__os_thread_count(), 1);
}

TEST(a_process_that_dies_with_its_parent_does)
{
    char byte;
    int fds[2], go[2], status;

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(plait__os_pipe(go), 0);
    pid_t pid = plait__os_fork();
    if (pid == 0) {
        pid_t parent = getpid();
        if (plait__os_fork() == 0) {
            (void)!write(go[1], plait__os_die_with_parent(parent, SIGKILL) == 0 ? "r" : "x", 1);
            for (;;)
                pause();
        }
        (void)!read(go[0], &byte, 1);
        _exit(byte == 'r' ? 0 : 1);
    }
    close(fds[1]);
    CHECK_INT(read(fds[0], &byte, 1), 0); /* both ends of the pipe are gone */
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

TEST(a_parent_that_is_gone_already_is_told)
{
    int status;
    pid_t pid = plait__os_fork();

    if (pid == 0) /* getpid() is not the pid of its parent */
        _exit(plait__os_die_with_parent(getpid(), SIGKILL) == -ESRCH ? 0 : 1);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

TEST(orphans_come_to_their_adopter)
{
    char byte;
    int fds[2];
    struct plait__death death;

    CHECK_INT(plait__os_adopt_orphans(), 0);
    CHECK_INT(plait__os_pipe(fds), 0);
    pid_t pid = plait__os_fork();
    if (pid == 0) {
        if (plait__os_fork() == 0) {
            (void)!read(fds[0], &byte, 1);
            _exit(33);
        }
        _exit(0);
    }
    plait__os_reap(pid);
    CHECK_INT(write(fds[1], "x", 1), 1);
    while (plait__os_wait_any(&death) == 0)
        usleep(1000);
    CHECK_INT(death.status, 33);
}

TEST(the_process_gets_its_name)
{
    char name[17] = "";

    plait__os_set_process_name("plait-test");
    CHECK_INT(prctl(PR_GET_NAME, name), 0);
    CHECK_STR(name, "plait-test");
}

TEST(random_numbers_differ_and_clocks_go_forward)
{
    int64_t now = plait__os_now_ns();

    CHECK(plait__os_random() != plait__os_random());
    CHECK(plait__os_now_ns() >= now);
    CHECK(plait__os_real_ns() / 1000000000 - (int64_t)time(NULL) <= 1);
}
