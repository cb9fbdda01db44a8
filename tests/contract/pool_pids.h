/* Processes that a pool's tests watch and end.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_PIDS_H
#define PLAIT_TESTS_POOL_PIDS_H

#include "os/pidfd.h"
#include "task/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "test.h"

/* A pidfd, which is readable once the process has ended, whoever its parent is.
 */
static inline int watch(pid_t pid)
{
    int pidfd = plait__os_pidfd_open(pid);

    CHECK(pidfd >= 0);
    return pidfd;
}

/* pre: the test's limit is generous. */
static inline void await_gone(int pidfd)
{
    int rc;

    do
        rc = poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, -1);
    while (rc < 0 && errno == EINTR);
    CHECK_INT(rc, 1);
    close(pidfd);
}

static inline void kill_keeper(void)
{
    int keeper = watch(plait__keeper_pid());

    CHECK_INT(kill(plait__keeper_pid(), SIGKILL), 0);
    await_gone(keeper);
}

#endif
