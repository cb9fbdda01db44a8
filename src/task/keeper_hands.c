/* The owner's side of the keeper: what is put in its hands. From any thread.
 * SPDX-License-Identifier: MIT
 */
#include "family/member.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "os/signal.h"
#include "os/thread.h"
#include "task/beginning.h"
#include "task/crew.h"
#include "task/keeper.h"
#include "task/keeper_link.h"
#include "task/keeper_tasks.h"
#include "task/keeper_wire.h"
#include "task/order.h"

#include <plait/error.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum {
    NAP_NS = 1000 * 1000
};

/* ---- its death ---- */

/* It is dead: the commands that it ran are lost, which plait__keeper_next says. */
static void lose(void)
{
    plait__keeper.has_lost = plait__keeper.has_lost || plait__keeper.n_running > 0;
    plait__keeper_bury();
}

static int replace(void)
{
    lose();
    return plait__keeper_need();
}

static bool bury_if_dead(void)
{
    struct plait__fd dead = { .fd = plait__keeper.pidfd, .wanted = PLAIT__FD_READ };

    if (!plait__keeper_is_there())
        return true;
    if (plait__os_poll(&dead, 1, 0) <= 0)
        return false;
    lose();
    return true;
}

bool plait__keeper_has_died(void)
{
    bool has_died;

    plait__mutex_lock(&plait__keeper.lock);
    has_died = bury_if_dead();
    plait__mutex_unlock(&plait__keeper.lock);
    return has_died;
}

void plait__keeper_at_fork(void)
{
    plait__mutex_reset(&plait__keeper.lock);
}

/* ---- processes that it kills ---- */

static int send_guard(pid_t pid, int pidfd, uint64_t mark)
{
    struct keeper_request guard = { .verb = KEEPER_GUARD, .id = (uint64_t)pid, .mark = mark };

    return plait__keeper_send_locked(&guard, sizeof guard, &pidfd, 1);
}

static int guard(pid_t pid, int pidfd, uint64_t mark)
{
    int rc = plait__keeper_need();

    if (rc < 0)
        return rc;
    rc = send_guard(pid, pidfd, mark);
    if (rc != PLAIT_EKEEPER)
        return rc;
    rc = replace();
    return rc < 0 ? rc : send_guard(pid, pidfd, mark);
}

int plait__keeper_guard_tree(pid_t pid, int pidfd, uint64_t mark)
{
    int rc;

    plait__mutex_lock(&plait__keeper.lock);
    rc = guard(pid, pidfd, mark);
    plait__mutex_unlock(&plait__keeper.lock);
    return rc;
}

int plait__keeper_guard(pid_t pid, int pidfd)
{
    return plait__keeper_guard_tree(pid, pidfd, 0);
}

/* ---- crews ---- */

/* One that was made without the family's heap gives way to another, if it has nothing to do. */
static int start_with_heap(void)
{
    int rc = plait__member_join();

    if (rc == 0)
        rc = plait__keeper_need();
    if (rc < 0 || plait__keeper.knows_family)
        return rc;
    if (plait__keeper.n_running > 0)
        return -EBUSY;
    rc = plait__os_thread_count();
    if (rc > 1)
        return PLAIT_ETHREADS;
    plait__keeper_bye();
    rc = plait__keeper_need();
    return rc == 0 && !plait__keeper.knows_family ? -ENOMEM : rc;
}

/* Its workers would not find the program as it is in one that was executed: a crew names its functions
 * by their addresses, and pools promise the memory of the program. */
static int start_for_crews(void)
{
    int rc = plait__keeper_need_forked();

    rc = rc < 0 ? rc : start_with_heap();
    return rc == 0 && plait__keeper.is_executed ? PLAIT_ETHREADS : rc;
}

static int hand_crew_over(struct plait__crew *crew, int out, int err)
{
    struct keeper_request take = { .verb = KEEPER_CREW, .id = (uint64_t)(uintptr_t)crew };
    int fds[2] = { out, err };
    int rc = start_for_crews();

    if (rc == 0)
        rc = plait__keeper_send_locked(&take, sizeof take, fds, 2);
    if (rc != PLAIT_EKEEPER)
        return rc;
    lose();
    rc = start_for_crews();
    return rc < 0 ? rc : plait__keeper_send_locked(&take, sizeof take, fds, 2);
}

int plait__keeper_take_crew(struct plait__crew *crew, int out, int err)
{
    int rc;

    plait__mutex_lock(&plait__keeper.lock);
    rc = hand_crew_over(crew, out, err);
    plait__mutex_unlock(&plait__keeper.lock);
    return rc;
}

/* A child may have died, as far as the keeper knows. */
void plait__keeper_kick(void)
{
    plait__mutex_lock(&plait__keeper.lock);
    if (plait__keeper_is_there())
        plait__os_pidfd_signal(plait__keeper.pidfd, SIGCHLD);
    plait__mutex_unlock(&plait__keeper.lock);
}

void plait__keeper_kick_from_worker(void)
{
    kill(getppid(), SIGCHLD);
}

/* ---- subprocesses ---- */

int plait__keeper_open_channel(void)
{
    int rc;

    plait__mutex_lock(&plait__keeper.lock);
    rc = plait__keeper_need();
    rc = rc < 0 ? rc : plait__os_dup_above(plait__keeper.channel, 3);
    plait__mutex_unlock(&plait__keeper.lock);
    return rc;
}

int plait__keeper_guard_self(int channel, uint64_t mark)
{
    struct keeper_request guard = { .verb = KEEPER_GUARD, .id = (uint64_t)getpid(), .mark = mark };
    int pidfd = plait__os_pidfd_open(getpid());
    int rc = pidfd < 0 ? pidfd : -EAGAIN;

    /* our parent sleeps until we have done this: the seam is not for us */
    for (int i = 0; i < PLAIT__KEEPER_PATIENCE_MS && (rc == -EAGAIN || rc == -ETOOMANYREFS); i++) {
        if (i > 0)
            plait__os_poll(NULL, 0, plait__os_now_ns() + NAP_NS);
        rc = plait__os_channel_send(channel, &guard, sizeof guard, &pidfd, 1);
    }
    if (pidfd >= 0)
        close(pidfd);
    return rc == -EPIPE || rc == -ECONNRESET ? PLAIT_EKEEPER : rc;
}

/* ---- tasks that it forks ---- */

/* The channel for them, made at the first one. */
static int open_tasks(void)
{
    struct keeper_request tasks = { .verb = KEEPER_TASKS };
    int channel[2], rc;

    if (plait__keeper.tasks > 0)
        return 0;
    rc = plait__os_channel(channel);
    if (rc < 0)
        return rc;
    rc = plait__os_dup_above(channel[0], 3); /* 0 to 2 get other meanings in children */
    close(channel[0]);
    if (rc >= 0) {
        plait__keeper.tasks = rc;
        rc = plait__keeper_send_locked(&tasks, sizeof tasks, &channel[1], 1);
    }
    close(channel[1]);
    return rc < 0 ? rc : 0;
}

static int send_task(struct keeper_task *task, int guard)
{
    int fds[PLAIT__CHANNEL_FDS], rc;
    size_t n = 0;

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(task->fds[fd], F_GETFD) >= 0) {
            task->has |= 1U << fd;
            fds[n++] = task->fds[fd];
        }
    for (size_t i = 0; i < task->n_keep; i++) /* there is room for KEEPER_TASK_KEEPS */
        fds[n++] = task->order->beginning->setup.keep[i];
    if (task->tree)
        fds[n++] = guard;
    rc = plait__os_channel_send(plait__keeper.tasks, task, sizeof *task, fds, n);
    return rc == -EPIPE || rc == -ECONNRESET ? PLAIT_EKEEPER : rc;
}

static int hear_of_task(struct plait__forked *ret)
{
    struct plait__fd fds[2] = { { .fd = plait__keeper.tasks, .wanted = PLAIT__FD_READ },
                                { .fd = plait__keeper.pidfd, .wanted = PLAIT__FD_READ } };
    int got[PLAIT__CHANNEL_FDS];
    int32_t reply = 0;
    size_t n_got = 0;
    ssize_t n;

    do {
        if (fds[1].ready != 0)
            return PLAIT_EKEEPER;
        plait__os_poll(fds, 2, INT64_MAX); /* as short as a fork */
        n = plait__os_channel_recv(plait__keeper.tasks, &reply, sizeof reply, got, &n_got);
    } while (n == -EAGAIN);
    if (n != (ssize_t)sizeof reply)
        return PLAIT_EKEEPER;
    if (reply <= 0)
        return reply;
    ret->pid = reply;
    if (n_got != 1)
        return -EMFILE; /* no room here for the descriptor */
    ret->pidfd = got[0];
    return 0;
}

/* Our end is in ret->guard, the guard's comes back. */
static int open_guard(struct plait__forked *ret)
{
    int channel[2];
    int rc = plait__os_channel(channel);

    if (rc < 0)
        return rc;
    ret->guard = plait__os_lift(channel[0]); /* 0 to 2 get other meanings in children */
    if (ret->guard >= 0)
        return channel[1];
    close(channel[1]);
    return ret->guard;
}

static int send_and_hear(struct keeper_task *task, struct plait__forked *ret)
{
    int guard = task->tree ? open_guard(ret) : -1;
    int rc = task->tree && guard < 0 ? guard : send_task(task, guard);

    if (guard >= 0)
        close(guard);
    if (rc == 0)
        rc = hear_of_task(ret);
    if (rc < 0 && ret->guard >= 0) {
        close(ret->guard);
        ret->guard = -1;
    }
    return rc;
}

static int fork_once(struct keeper_task *task, struct plait__forked *ret)
{
    int rc = start_with_heap();

    if (rc == 0)
        rc = open_tasks();
    task->token = (uint32_t)plait__keeper.generation;
    task->ignored = plait__keeper.ignored;
    if (rc == 0)
        rc = send_and_hear(task, ret);
    if (rc < 0)
        return rc;
    ret->keeper = plait__keeper.generation;
    ret->token = task->token;
    return 0;
}

int plait__keeper_fork(const struct keeper_task *task, struct plait__forked *ret)
{
    struct keeper_task ours = *task;
    int rc;

    *ret = (struct plait__forked){ .pidfd = -1, .guard = -1 };
    plait__mutex_lock(&plait__keeper.lock);
    rc = fork_once(&ours, ret);
    if (rc == PLAIT_EKEEPER) {
        rc = replace();
        if (rc == 0)
            rc = task->tree ? PLAIT_EKEEPER : fork_once(&ours, ret);
    }
    plait__mutex_unlock(&plait__keeper.lock);
    return rc;
}
