/* The owner's side of the keeper.
 * SPDX-License-Identifier: MIT
 *
 * How it is made is in keeper_start.c. A forked child finds by its pid that the keeper is its parent's,
 * and forgets it.
 *
 * When the keeper dies, what it ran lives on for a moment: the main processes die with it
 * (PR_SET_PDEATHSIG), their descendants are found by PLAIT_JOB_ID in their environment and killed
 * here.
 */
#include "task/keeper.h"
#include "base/beside.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/pidfd.h"
#include "os/signal.h"
#include "os/thread.h"
#include "task/keeper_link.h"
#include "task/keeper_wire.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct plait__keeper_link plait__keeper PLAIT__BESIDE;

static void let_go(void)
{
    if (plait__keeper.pid != 0) {
        close(plait__keeper.channel);
        close(plait__keeper.pidfd);
        if (plait__keeper.tasks > 0)
            close(plait__keeper.tasks);
    }
    plait__keeper.tasks = 0;
    plait__keeper.pid = 0;
    plait__keeper.n_running = 0;
}

void plait__keeper_forget(void)
{
    if (plait__keeper.owner == getpid())
        return;
    let_go();
    plait__keeper.has_lost = false;
    plait__keeper.owner = getpid();
}

bool plait__keeper_is_there(void)
{
    return plait__keeper.owner == getpid() && plait__keeper.pid != 0;
}

pid_t plait__keeper_pid(void)
{
    return plait__keeper_is_there() ? plait__keeper.pid : 0;
}

int plait__keeper_fd(void)
{
    return plait__keeper_is_there() && !plait__keeper.has_lost ? plait__keeper.channel : -1;
}

enum {
    BURY_ROUNDS = 100,
    NAP_NS = 1000 * 1000
};

void plait__keeper_bury(void)
{
    char env[KEEPER_ENV_BYTES];
    struct plait__tree left = { .env = env, .anywhere = true };
    struct plait__death death;
    struct plait__fd dead = { .fd = plait__keeper.pidfd, .wanted = PLAIT__FD_READ };

    plait__os_pidfd_signal(plait__keeper.pidfd, SIGKILL);
    while (plait__os_poll(&dead, 1, INT64_MAX) <= 0)
        ;
    plait__os_pidfd_wait(plait__keeper.pidfd, &death);
    snprintf(env, sizeof env, KEEPER_ENV "%" PRIx64 ".", plait__keeper.id);
    for (int i = 0; i < BURY_ROUNDS && plait__os_tree_kill(&left) > 0; i++)
        ; /* again, for what forked faster than /proc could be read */
    let_go();
}

/* -EAGAIN, -ETOOMANYREFS: there is no room just now. */
static int try_to_send(const void *bytes, size_t n, const int *fds, size_t n_fds)
{
    int rc = plait__os_channel_send(plait__keeper.channel, bytes, n, fds, n_fds);

    return rc == -EPIPE || rc == -ECONNRESET ? PLAIT_EKEEPER : rc;
}

static int wait_a_moment(plait_deadline until)
{
    int rc = plait_sleep(plait__deadline_earlier(until, plait_after_ms(2)));

    return rc == 0 && plait_left_ns(until) == 0 ? -ETIMEDOUT : rc;
}

int plait__keeper_send(const void *bytes, size_t n, const int *fds, size_t n_fds,
                       plait_deadline until)
{
    for (;;) {
        struct plait__fd room = { .fd = plait__keeper.channel, .wanted = PLAIT__FD_WRITE };
        int rc = try_to_send(bytes, n, fds, n_fds);
        if (rc != -EAGAIN && rc != -ETOOMANYREFS)
            return rc;
        /* descriptors on their way, of all processes of the user: no call tells when there is room */
        if (rc == -ETOOMANYREFS)
            rc = wait_a_moment(until);
        else
            rc = plait__wait_fds(&room, 1, until);
        if (rc < 0 && rc != -EINTR)
            return rc;
    }
}

int plait__keeper_send_locked(const void *bytes, size_t n, const int *fds, size_t n_fds)
{
    struct plait__fd room = { .fd = plait__keeper.channel, .wanted = PLAIT__FD_WRITE };
    int rc;

    while ((rc = try_to_send(bytes, n, fds, n_fds)) == -EAGAIN || rc == -ETOOMANYREFS)
        plait__os_poll(&room, rc == -EAGAIN ? 1 : 0, plait__os_now_ns() + NAP_NS);
    return rc;
}

uint64_t plait__keeper_generation(void)
{
    /* relaxed: another one is made beside threads, too; what was done with it has the lock */
    return __atomic_load_n(&plait__keeper.generation, __ATOMIC_RELAXED);
}

void plait__keeper_bye(void)
{
    struct keeper_request bye = { .verb = KEEPER_BYE };
    struct plait__fd dead = { .fd = plait__keeper.pidfd, .wanted = PLAIT__FD_READ };
    plait_deadline until;
    struct plait__death death;

    if (!plait__keeper_is_there()) /* as most processes that are tasks */
        return;
    until = plait_after_ms(PLAIT__KEEPER_PATIENCE_MS);
    /* reaped here: a pid 1 that does not reap would keep it as a zombie */
    if (plait__keeper_send(&bye, sizeof bye, NULL, 0, until) == 0 &&
        plait__os_poll(&dead, 1, until.ns) > 0)
        plait__os_pidfd_wait(plait__keeper.pidfd, &death);
    let_go(); /* whoever still starts something gets a new one */
}
