/* The owner's side of the keeper.
 * SPDX-License-Identifier: MIT
 *
 * The keeper is cloned, not exec'd, without an exit signal: the host's wait() does not see it and
 * no SIGCHLD is sent. A forked child finds by its pid that the keeper is its parent's, and forgets
 * it.
 *
 * When the keeper dies, what it ran lives on for a moment: the main processes die with it
 * (PR_SET_PDEATHSIG), their descendants are found by PLAIT_JOB_ID in their environment and killed
 * here.
 */
#include "task/keeper.h"
#include "base/time.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/pidfd.h"
#include "os/signal.h"
#include "os/thread.h"
#include "task/keeper_link.h"
#include "task/keeper_wire.h"
#include "wait/wait.h"

#include <plait/error.h>
#include <plait/init.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct plait__keeper_link plait__keeper;

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
    BURY_ROUNDS = 100
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

static int fork_keeper(int ours, int theirs, int self)
{
    uint64_t id = plait__os_random();
    int pidfd = -1;
    pid_t pid;

    plait__os_flush_streams(); /* else its workers would write once more what is in them */
    pid = plait__os_fork_hidden(&pidfd);

    if (pid < 0)
        return pid;
    if (pid == 0)
        plait__keeper_main(theirs, self, id);
    int lifted = pidfd < 3 ? plait__os_dup_above(pidfd, 3) : -1;
    /* a host that has closed its standard descriptors shall not find this one there */
    if (lifted >= 0) {
        close(pidfd);
        pidfd = lifted;
    }
    plait__keeper.pid = pid;
    plait__keeper.pidfd = pidfd;
    plait__keeper.channel = ours;
    plait__keeper.id = id;
    plait__keeper.knows_family = plait__family() != NULL;
    plait__keeper.generation++;
    return 0;
}

/* Hears whether it could set itself up. */
static int wait_until_ready(void)
{
    struct keeper_event event = { 0 };
    struct plait__fd word = { .fd = plait__keeper.channel, .wanted = PLAIT__FD_READ };
    int fds[PLAIT__CHANNEL_FDS];
    size_t n_fds;
    ssize_t n;

    while ((n = plait__os_channel_recv(plait__keeper.channel, &event, sizeof event, fds, &n_fds)) ==
           -EAGAIN)
        plait__os_poll(&word, 1, INT64_MAX); /* as short as its first instructions: no cancel */
    if (n == (ssize_t)sizeof event && event.start_error == 0)
        return 0;
    plait__keeper_bury();
    return n == (ssize_t)sizeof event ? -event.start_error : PLAIT_EKEEPER;
}

static int start_once(void)
{
    int channel[2], self, rc;

    plait__keeper_forget();
    if (plait__keeper.pid != 0)
        return 0;
    rc = plait__os_thread_count();
    if (rc > 1)
        return PLAIT_ETHREADS;
    if (rc < 0 && rc != -ENOENT) /* that: without /proc nobody tells */
        return rc;
    if (!plait__keeper.knows_ignored) {
        plait__keeper.ignored = plait__os_signals_ignored();
        plait__keeper.knows_ignored = true;
    }
    rc = plait__os_channel(channel);
    if (rc < 0)
        return rc;
    /* so that they survive its taking care of 0, 1 and 2 */
    channel[0] = plait__os_lift(channel[0]);
    channel[1] = plait__os_lift(channel[1]);
    self = plait__os_lift(plait__os_pidfd_open(getpid()));
    rc = channel[0] < 0 ? channel[0] : channel[1] < 0 ? channel[1] : self < 0 ? self : 0;
    if (rc == 0)
        rc = fork_keeper(channel[0], channel[1], self);
    if (self >= 0)
        close(self);
    if (channel[1] >= 0)
        close(channel[1]);
    if (rc < 0 && channel[0] >= 0)
        close(channel[0]);
    return rc < 0 ? rc : wait_until_ready();
}

int plait__keeper_start_without_heap(void)
{
    int rc = start_once();

    /* killed before it was ready: it ran nothing yet, and another one may live */
    return rc == PLAIT_EKEEPER ? start_once() : rc;
}

int plait__keeper_start(void)
{
    /* before the keeper is made, as only then it can have the heap at the same address. A family
     * that cannot be made now is missed by crews alone, who say so */
    if (!plait__keeper_is_there())
        plait__member_join();
    return plait__keeper_start_without_heap();
}

int plait_keeper_start(void)
{
    return plait__keeper_start();
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
        int rc = plait__os_channel_send(plait__keeper.channel, bytes, n, fds, n_fds);
        if (rc == -EPIPE || rc == -ECONNRESET)
            return PLAIT_EKEEPER;
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

uint64_t plait__keeper_generation(void)
{
    return plait__keeper.generation;
}

void plait__keeper_bye(void)
{
    plait_deadline until = plait_after_ms(PLAIT__KEEPER_PATIENCE_MS);
    struct keeper_request bye = { .verb = KEEPER_BYE };
    struct plait__fd dead = { .fd = plait__keeper.pidfd, .wanted = PLAIT__FD_READ };
    struct plait__death death;

    if (!plait__keeper_is_there())
        return;
    /* reaped here: a pid 1 that does not reap would keep it as a zombie */
    if (plait__keeper_send(&bye, sizeof bye, NULL, 0, until) == 0 &&
        plait__os_poll(&dead, 1, until.ns) > 0)
        plait__os_pidfd_wait(plait__keeper.pidfd, &death);
    let_go(); /* whoever still starts something gets a new one */
}
