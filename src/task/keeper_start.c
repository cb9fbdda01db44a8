/* The owner's side of the keeper: how it is made.
 * SPDX-License-Identifier: MIT
 *
 * While there is no other thread it is cloned, not exec'd, without an exit signal: the host's wait()
 * does not see it and no SIGCHLD is sent. It then has the program's memory as it is.
 *
 * A copy of a program with other threads would have the locks that these held. There it is the program
 * again, up to plait_init, and nobody's child, as what has exec'd does send SIGCHLD. It ends by itself
 * when its owner does: its owner's pidfd, and its end of the channel, say so.
 */
#include "family/member.h"
#include "os/fd.h"
#include "os/module.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "os/signal.h"
#include "os/thread.h"
#include "task/keeper.h"
#include "task/keeper_link.h"
#include "task/keeper_wire.h"
#include "task/reexec.h"

#include <plait/error.h>
#include <plait/init.h>

#include <errno.h>
#include <unistd.h>

enum {
    EXEC_TRIES = 8 /* each has its addresses elsewhere */
};

/* It runs, and is ours. */
static void take(pid_t pid, int pidfd, int channel, uint64_t id)
{
    plait__keeper.pid = pid;
    plait__keeper.pidfd = pidfd;
    plait__keeper.channel = channel;
    plait__keeper.id = id;
}

/* A host that has closed its standard descriptors shall not find this one there. */
static int lift_pidfd(int pidfd)
{
    int lifted = pidfd < 3 ? plait__os_dup_above(pidfd, 3) : -1;

    if (lifted < 0)
        return pidfd;
    close(pidfd);
    return lifted;
}

/* Hears whether it could set itself up. A child of its constructors' may have the channel open. */
static int wait_until_ready(void)
{
    struct keeper_event event = { 0 };
    struct plait__fd from[2] = { { .fd = plait__keeper.channel, .wanted = PLAIT__FD_READ },
                                 { .fd = plait__keeper.pidfd, .wanted = PLAIT__FD_READ } };
    int fds[PLAIT__CHANNEL_FDS];
    size_t n_fds;
    ssize_t n;

    for (;;) {
        bool has_ended = from[1].ready != 0; /* looked at before: what it said is there */
        n = plait__os_channel_recv(plait__keeper.channel, &event, sizeof event, fds, &n_fds);
        if (n != -EAGAIN || has_ended)
            break;
        plait__os_poll(from, 2, INT64_MAX); /* as short as its first instructions: no cancel */
    }
    if (n == (ssize_t)sizeof event && event.start_error == 0) {
        __atomic_store_n(&plait__keeper.generation, plait__keeper.generation + 1, __ATOMIC_RELAXED);
        return 0;
    }
    plait__keeper_bury();
    return n == (ssize_t)sizeof event ? -event.start_error : PLAIT_EKEEPER;
}

/* ---- beside no other thread ---- */

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
    take(pid, lift_pidfd(pidfd), ours, id);
    plait__keeper.knows_family = plait__family() != NULL;
    plait__keeper.is_executed = false;
    return 0;
}

static int fork_with_channel(int self)
{
    int channel[2], rc = plait__os_channel(channel);

    if (rc < 0)
        return rc;
    /* so that they survive its taking care of 0, 1 and 2 */
    channel[0] = plait__os_lift(channel[0]);
    channel[1] = plait__os_lift(channel[1]);
    rc = channel[0] < 0 ? channel[0] : channel[1] < 0 ? channel[1] : 0;
    if (rc == 0)
        rc = fork_keeper(channel[0], channel[1], self);
    if (channel[1] >= 0)
        close(channel[1]);
    if (rc < 0 && channel[0] >= 0)
        close(channel[0]);
    return rc;
}

/* ---- beside other threads ---- */

static bool may_execute(void)
{
    return plait__reexec_is_possible() && !plait__reexec_is_privileged() &&
           plait__os_module_is_executed();
}

static int execute_keeper(int self)
{
    struct plait__reexec what = {
        .name = "the keeper", .keeper = -1, .owner_pidfd = self, .keeper_id = plait__os_random()
    };
    int channel, pidfd;
    pid_t pid = plait__reexec(&what, &channel, &pidfd);

    if (pid == -ESRCH) /* killed while it was made */
        return PLAIT_EKEEPER;
    if (pid < 0)
        return pid;
    take(pid, lift_pidfd(pidfd), channel, what.keeper_id);
    plait__keeper.knows_family = plait__family() != NULL && plait__family()->shared.fd >= 0;
    plait__keeper.is_executed = true;
    return 0;
}

/* ---- either way ---- */

/* What takes some time is done once: then the keeper is dead, or ready. */
static int make(bool is_executed)
{
    int self = plait__os_lift(plait__os_pidfd_open(getpid()));
    int rc = self < 0 ? self : is_executed ? execute_keeper(self) : fork_with_channel(self);

    if (self >= 0)
        close(self);
    return rc < 0 ? rc : wait_until_ready();
}

static int start_once(void)
{
    bool beside_threads;
    int rc;

    plait__keeper_forget();
    if (plait__keeper.pid != 0)
        return 0;
    rc = plait__os_thread_count();
    if (rc < 0 && rc != -ENOENT) /* that: without /proc nobody tells */
        return rc;
    beside_threads = rc > 1;
    if (beside_threads && !may_execute())
        return PLAIT_ETHREADS;
    if (!plait__keeper.knows_ignored) {
        plait__keeper.ignored = plait__os_signals_ignored();
        plait__keeper.knows_ignored = true;
    }
    rc = make(beside_threads);
    for (int i = 1; i < EXEC_TRIES && beside_threads && rc == -EADDRINUSE; i++)
        rc = make(true);
    return rc;
}

int plait__keeper_start_without_heap(void)
{
    int rc = start_once();

    /* killed before it was ready: it ran nothing yet, and another one may live */
    return rc == PLAIT_EKEEPER ? start_once() : rc;
}

int plait__keeper_need(void)
{
    /* before the keeper is made, as only then it can have the heap at the same address. A family
     * that cannot be made now is missed by crews alone, who say so */
    if (!plait__keeper_is_there())
        plait__member_join();
    return plait__keeper_start_without_heap();
}

int plait__keeper_need_forked(void)
{
    int n = plait__keeper_is_there() ? 1 : plait__os_thread_count();

    return n > 1 ? PLAIT_ETHREADS : plait__keeper_need();
}

int plait_keeper_start(void)
{
    int rc;

    plait__mutex_lock(&plait__keeper.lock);
    rc = plait__keeper_need();
    plait__mutex_unlock(&plait__keeper.lock);
    return rc;
}

int plait__keeper_start_forked(void)
{
    int rc;

    plait__mutex_lock(&plait__keeper.lock);
    rc = plait__keeper_need_forked();
    plait__mutex_unlock(&plait__keeper.lock);
    return rc;
}
