/* Descriptors that name a process, and reaping through them.
 * SPDX-License-Identifier: MIT
 */
#include "os/pidfd.h"

#include "os/fd.h"
#include "os/probe.h"
#include "os/process.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int pidfd;

/* A child that exits with `code`; with a negative code it waits for a signal. */
static pid_t start_child(int code)
{
    char byte;
    int gate[2]; /* it ends after it was opened: where SIGCHLD is ignored nobody would keep it */

    CHECK_INT(plait__os_pipe(gate), 0);
    pid_t pid = plait__os_fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(gate[1]);
        CHECK_INT(read(gate[0], &byte, 1), 0);
        while (code < 0)
            pause();
        _exit(code);
    }
    pidfd = plait__os_pidfd_open(pid);
    CHECK(pidfd >= 0);
    close(gate[0]);
    close(gate[1]);
    CHECK_INT(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    return pid;
}

static void wait_for_end(void)
{
    struct plait__fd end = { .fd = pidfd, .wanted = PLAIT__FD_READ };

    CHECK_INT(plait__os_poll(&end, 1, INT64_MAX), 1);
}

TEST(a_living_process_is_not_readable_and_not_reaped)
{
    struct plait__death death = { .pid = 99 };
    pid_t pid = start_child(-1);

    CHECK_INT(plait__os_fd_is_readable(pidfd), 0);
    CHECK_INT(plait__os_pidfd_wait(pidfd, &death), -EAGAIN);
    CHECK_INT(death.pid, 99);
    CHECK_INT(kill(pid, SIGKILL), 0);
}

TEST(an_exit_status_and_the_usage_are_told)
{
    struct plait__death death;
    pid_t pid = start_child(200);

    wait_for_end();
    CHECK_INT(plait__os_pidfd_wait(pidfd, &death), 0);
    CHECK_INT(death.pid, pid);
    CHECK(death.known);
    CHECK_INT(death.status, 200);
    CHECK_INT(death.signal, 0);
    CHECK(death.has_usage);
    CHECK(death.peak_kib > 0);
}

TEST(a_signal_is_told)
{
    struct plait__death death;

    start_child(-1);
    CHECK_INT(plait__os_pidfd_signal(pidfd, SIGUSR1), 0);
    wait_for_end();
    CHECK_INT(plait__os_pidfd_wait(pidfd, &death), 0);
    CHECK_INT(death.signal, SIGUSR1);
    CHECK(!death.core);
}

TEST(a_reaped_process_is_esrch_to_signals)
{
    pid_t pid = start_child(0);

    wait_for_end();
    CHECK_INT(plait__os_pidfd_signal(pidfd, SIGTERM), 0); /* a zombie takes it */
    plait__os_reap(pid);
    CHECK_INT(plait__os_pidfd_signal(pidfd, SIGTERM), -ESRCH);
    CHECK_INT(plait__os_pidfd_open(pid), -ESRCH);
}

static void check_stolen(int status, int signal)
{
    struct plait__death death;

    CHECK_INT(plait__os_pidfd_wait(pidfd, &death), 0);
    CHECK(!death.has_usage);
    CHECK_INT(death.known, plait__probe_has(PLAIT__PROBE_PIDFD_INFO));
    if (death.known) {
        CHECK_INT(death.status, status);
        CHECK_INT(death.signal, signal);
    }
}

TEST(what_somebody_else_reaped_is_known_if_the_kernel_tells)
{
    plait__os_reap(start_child(42));
    check_stolen(42, 0);
    pid_t pid = start_child(-1);
    CHECK_INT(kill(pid, SIGKILL), 0);
    plait__os_reap(pid);
    check_stolen(0, SIGKILL);
}

TEST(with_sigchld_ignored_each_end_is_known_as_well)
{
    struct plait__death death;

    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 200; i++) {
        int rc;
        start_child(i);
        while ((rc = plait__os_pidfd_wait(pidfd, &death)) == -EAGAIN || death.is_untold) {
            wait_for_end();
            usleep(100); /* it has ended, but the kernel may not be done with it */
        }
        CHECK_INT(rc, 0);
        CHECK_INT(death.known, plait__probe_has(PLAIT__PROBE_PIDFD_INFO));
        if (death.known)
            CHECK_INT(death.status, i);
        close(pidfd);
    }
}

TEST(the_probe_agrees_with_the_call)
{
    int status = -1;

    if (!plait__probe_has(PLAIT__PROBE_PIDFD_INFO))
        return;
    CHECK(plait__os_pidfd_status_works());
    pid_t pid = start_child(-1);
    CHECK_INT(plait__os_pidfd_status(pidfd, &status), -EAGAIN); /* it lives */
    CHECK_INT(status, -1);
    CHECK_INT(kill(pid, SIGKILL), 0);
    wait_for_end();
    CHECK_INT(plait__os_pidfd_status(pidfd, &status), -EAGAIN); /* nobody has reaped it */
    plait__os_reap(pid);
    CHECK_INT(plait__os_pidfd_status(pidfd, &status), 0);
    CHECK_INT(status, SIGKILL);
}
