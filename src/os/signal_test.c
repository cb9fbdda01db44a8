/* Signals of processes that are ours.
 * SPDX-License-Identifier: MIT
 */
#include "os/signal.h"

#include "os/fd.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

static void handle(int number)
{
    (void)number;
}

static void (*action_of(int number))(int)
{
    struct sigaction action;

    CHECK_INT(sigaction(number, NULL, &action), 0);
    return action.sa_handler;
}

TEST(what_is_ignored_is_told)
{
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, handle);
    uint64_t ignored = plait__os_signals_ignored();
    CHECK(ignored & plait__signal_bit(SIGUSR1));
    CHECK(!(ignored & plait__signal_bit(SIGUSR2)));
    CHECK(!(ignored & plait__signal_bit(SIGKILL)));
}

TEST(a_process_of_ours_keeps_nothing_of_the_hosts)
{
    sigset_t blocked;

    signal(SIGUSR1, handle);
    signal(SIGUSR2, SIG_IGN);
    sigfillset(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    plait__os_signals_own(plait__signal_bit(SIGHUP), plait__signal_bit(SIGCHLD));
    CHECK(action_of(SIGUSR1) == SIG_DFL);
    CHECK(action_of(SIGUSR2) == SIG_DFL);
    CHECK(action_of(SIGHUP) == SIG_IGN);
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int number = 1; number < SIGRTMIN; number++)
        CHECK_INT(sigismember(&blocked, number) == 1, number == SIGCHLD);
}

TEST(signals_are_read_from_their_descriptor)
{
    int fd = plait__os_signal_fd(plait__signal_bit(SIGUSR1) | plait__signal_bit(SIGUSR2));

    CHECK(fd >= 0);
    CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_INT(plait__os_signal_read(fd), 0);
    CHECK_INT(plait__os_fd_is_readable(fd), 0);
    kill(getpid(), SIGUSR2); /* blocked from now on: the default would end us */
    CHECK_INT(plait__os_fd_is_readable(fd), 1);
    CHECK_INT(plait__os_signal_read(fd), SIGUSR2);
    CHECK_INT(plait__os_signal_read(fd), 0);
}

TEST(an_ignored_signal_does_nothing)
{
    plait__os_ignore(SIGTERM);
    kill(getpid(), SIGTERM);
    CHECK(action_of(SIGTERM) == SIG_IGN);
}

TEST(a_stopped_process_goes_on_when_continued)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        plait__os_stop_self();
        _exit(5);
    }
    CHECK_INT(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    CHECK_INT(kill(pid, SIGCONT), 0);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(WEXITSTATUS(status), 5);
}
