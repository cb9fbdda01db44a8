/* The guard of a task.
 * SPDX-License-Identifier: MIT
 *
 * What can fail is done before the task is forked, whose caller then tells the owner.
 */
#include "task/guard.h"
#include "family/attached.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/process.h"
#include "os/sched.h"
#include "os/signal.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

enum {
    LOOK_AGAIN_NS = 10 * 1000 * 1000, /* everything is being ended */
    KILLS_IN_VAIN = 100,              /* rounds without anything left that we may kill: give up */
};

static struct {
    struct plait__guard with;
    int signals;
    int gate; /* of the task; -1: it has passed */
    pid_t task;
} guard;

/* SIGCONT comes when the keeper dies, whatever else has sent it: it also wakes who was stopped. */
static const uint64_t guard_signals = UINT64_C(1) << (SIGCHLD - 1) | UINT64_C(1) << (SIGCONT - 1);

static int make_gate(int ret[2])
{
    int rc = plait__os_pipe(ret);

    if (rc < 0)
        return rc;
    ret[0] = plait__os_lift(ret[0]);
    ret[1] = plait__os_lift(ret[1]);
    return ret[0] < 0 ? ret[0] : ret[1] < 0 ? ret[1] : 0;
}

/* ---- the end of those below ---- */

/* False: nobody is left. */
static bool reap(void)
{
    struct plait__verdict *verdict = guard.with.verdict;
    struct plait__death death;
    pid_t pid;

    while ((pid = plait__os_wait_any(&death)) > 0)
        if (pid == guard.task) {
            verdict->death = death;
            __atomic_store_n(&verdict->has_died, 1, __ATOMIC_RELEASE);
        }
    return pid != -ECHILD;
}

static bool has_died(void)
{
    return __atomic_load_n(&guard.with.verdict->has_died, __ATOMIC_RELAXED) != 0; /* stored here */
}

/* How many it met. Where /proc cannot be read the task itself is all that is known. */
static int signal_all(int number)
{
    struct plait__tree all = { .adopter = getpid() };
    int met = number == SIGKILL ? plait__os_tree_kill(&all) : plait__os_tree_signal(&all, number);

    if (met >= 0)
        return met;
    return !has_died() && kill(guard.task, number) == 0;
}

static void end_everything(void)
{
    struct plait__fd child = { .fd = guard.signals, .wanted = PLAIT__FD_READ };
    int in_vain = 0;

    while (reap() && in_vain < KILLS_IN_VAIN) {
        in_vain = signal_all(SIGKILL) > 0 ? 0 : in_vain + 1;
        plait__os_poll(&child, 1, plait__os_now_ns() + LOOK_AGAIN_NS);
        while (plait__os_signal_read(guard.signals) > 0)
            in_vain = 0; /* somebody has ended, and may have left a child */
    }
    _exit(0);
}

/* ---- the guard's life ---- */

/* Nothing of the owner's stays: neither signals, nor segments, nor descriptors. */
static void become_guard(void)
{
    int all[4] = { guard.with.channel, guard.with.owner, guard.signals, guard.gate }, keep[4];
    size_t n = 0;

    plait__os_set_process_name("plait-guard");
    plait__os_sched_short_turns();
    plait__os_lead_group();
    plait__os_signals_own(~guard_signals, guard_signals);
    plait__attached_forget();
    for (int i = 0; i < 4; i++) /* in ascending order */
        if (all[i] >= 0) {
            size_t at = n++;
            for (; at > 0 && keep[at - 1] > all[i]; at--)
                keep[at] = keep[at - 1];
            keep[at] = all[i];
        }
    if (plait__os_close_all_but(keep, n) < 0) { /* no /dev/null: 0, 1 and 2 stay */
        for (int fd = 0; fd < 3; fd++)
            close(fd);
        plait__os_close_others(keep, n);
    }
}

static void open_gate(void)
{
    if (guard.gate < 0)
        return;
    while (write(guard.gate, "g", 1) < 0 && errno == EINTR)
        ; /* another failure: it was killed; SIGPIPE is ignored */
    close(guard.gate);
    guard.gate = -1;
}

static void obey(void)
{
    int fds[PLAIT__CHANNEL_FDS];
    size_t n_fds;
    char word;
    ssize_t n;

    while ((n = plait__os_channel_recv(guard.with.channel, &word, 1, fds, &n_fds)) == 1) {
        if (word == GUARD_GO) {
            open_gate();
        } else if (word == GUARD_TERMINATE) {
            signal_all(SIGTERM);
            signal_all(SIGCONT); /* a stopped process does not see SIGTERM */
        } else {
            end_everything();
        }
    }
    if (n != -EAGAIN)
        end_everything();
}

static bool has_lost_keeper(void)
{
    return guard.with.keeper != 0 && getppid() != guard.with.keeper;
}

static void watch(void)
{
    for (;;) {
        struct plait__fd fds[3] = {
            { .fd = guard.with.channel, .wanted = PLAIT__FD_READ },
            { .fd = guard.with.owner, .wanted = PLAIT__FD_READ },
            { .fd = guard.signals, .wanted = PLAIT__FD_READ },
        };
        /* nobody: where the host ignores SIGCHLD the kernel has reaped one that ended at once */
        if (!reap() || has_died() || has_lost_keeper())
            end_everything();
        plait__os_poll(fds, 3, INT64_MAX); /* an error: as if all were quiet; look again */
        while (plait__os_signal_read(guard.signals) > 0)
            ;
        if (fds[1].ready != 0)
            end_everything();
        if (fds[0].ready != 0)
            obey();
    }
}

/* What it needs. */
static int prepare(int gate[2], const char **ret_step)
{
    int rc = plait__os_adopt_orphans();

    *ret_step = "subreaper";
    if (rc < 0)
        return rc;
    *ret_step = "guard";
    guard.signals = plait__os_lift(plait__os_signal_fd(guard_signals));
    if (guard.signals < 0)
        return guard.signals;
    if (guard.with.keeper != 0 && plait__os_die_with_parent(guard.with.keeper, SIGCONT) < 0)
        raise(SIGKILL); /* as the keeper's tasks end with it */
    return guard.with.has_gate ? make_gate(gate) : 0;
}

/* In the task's process. */
static int leave(int gate[2], uint64_t blocked)
{
    plait__os_signals_set_blocked(blocked);
    close(guard.signals);
    if (guard.with.owner >= 0)
        close(guard.with.owner);
    if (!guard.with.has_gate)
        return 0;
    close(gate[1]);
    return gate[0];
}

int plait__guard_fork(const struct plait__guard *with, const char **ret_step)
{
    uint64_t blocked = plait__os_signals_blocked();
    int gate[2] = { -1, -1 };
    pid_t self = getpid();
    int rc;

    guard.with = *with;
    rc = prepare(gate, ret_step);
    if (rc < 0)
        return rc;
    *ret_step = "fork";
    guard.task = plait__os_fork();
    if (guard.task < 0)
        return guard.task;
    if (guard.task == 0) {
        if (plait__os_die_with_parent(self, SIGKILL) < 0)
            _exit(1);
        return leave(gate, blocked);
    }
    if (gate[0] >= 0)
        close(gate[0]);
    guard.gate = gate[1];
    become_guard();
    watch();
    _exit(1);
}
