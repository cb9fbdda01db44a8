/* Process tasks that are the program again.
 * SPDX-License-Identifier: MIT
 *
 * Such a one is a child of ours, as a forked one is: it is watched, reaped and ended in the same way.
 * It registers itself with the keeper before it executes anything, and enters its function after it
 * has said that it is ready and we have let it. With a guard (guard.h), that is our child.
 */
#include "base/log.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/module.h"
#include "os/oom.h"
#include "os/pidfd.h"
#include "os/process.h"
#include "os/thread.h"
#include "task/keeper.h"
#include "task/order.h"
#include "task/process_start.h"
#include "task/reexec.h"
#include "task/start.h"
#include "task/task.h"
#include "wait/wait.h"

#include <plait/error.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum {
    TRIES = 8,                       /* processes, of which each has its addresses elsewhere */
    PATIENCE_NS = 1000 * 1000 * 1000 /* with a guard that has to end what is below it */
};

/* Meanwhile a coroutine gives its thread to others: its constructors may take their time. No cancel: the
 * process that was begun has to come to something. */
static void wait_for_word(struct plait__fd *from, size_t n)
{
    int rc;

    plait__mask_cancel();
    rc = plait__wait_fds(from, n, PLAIT_FOREVER);
    plait__unmask_cancel();
    if (rc < 0 && rc != -EINTR) /* no memory to wait with */
        plait__os_poll(from, n, INT64_MAX);
}

/* What the new process says: 0 or -errno. The end of its channel alone does not tell that it has
 * ended: a child of its constructors', or one that another thread of ours forked, has that open too. */
static int hear(int channel, int pidfd)
{
    struct plait__fd from[2] = { { .fd = channel, .wanted = PLAIT__FD_READ },
                                 { .fd = pidfd, .wanted = PLAIT__FD_READ } };
    int fds[PLAIT__CHANNEL_FDS];
    int32_t answer = 0;
    size_t n_fds;
    ssize_t n;

    for (;;) {
        bool has_ended = from[1].ready != 0; /* looked at before: what it said is there */
        n = plait__os_channel_recv(channel, &answer, sizeof answer, fds, &n_fds);
        if (n != -EAGAIN || has_ended)
            break;
        wait_for_word(from, 2);
    }
    return n == (ssize_t)sizeof answer ? answer : -ENOEXEC;
}

/* It has not come to its function. A guard, whose channel is closed, ends by itself. */
static void give_up(pid_t pid, int pidfd, bool has_guard)
{
    struct plait__fd end = { .fd = pidfd, .wanted = PLAIT__FD_READ };

    if (has_guard)
        plait__os_poll(&end, 1, plait__os_now_ns() + PATIENCE_NS);
    plait__os_pidfd_signal(pidfd, SIGKILL); /* if it has not ended by itself */
    plait__os_reap(pid);
    close(pidfd);
}

/* After that: may the order be used again? A task whose guard was killed may look at it still, unless
 * it has said what failed: that was its last word. */
static bool is_let_go(const struct plait__order *order, bool has_guard, int rc)
{
    return !has_guard || rc != -ENOEXEC ||
           __atomic_load_n(&order->verdict.has_died, __ATOMIC_ACQUIRE) != 0;
}

static int spawn_once(plait_task *task, struct plait__order *order, const plait_task_opts *opts)
{
    struct plait__reexec what = {
        .name = task->name, .order = order, .opts = opts->process, .tree = opts->tree, .keeper = -1
    };
    int channel, pidfd, rc;
    pid_t pid;

    task->keeper = plait__keeper_generation(); /* before: at worst it is guarded once more */
    if (!opts->tree)
        what.keeper = plait__keeper_open_channel();
    if (!opts->tree && what.keeper < 0)
        return what.keeper;
    pid = plait__reexec(&what, &channel, &pidfd);
    if (what.keeper >= 0)
        close(what.keeper);
    if (pid < 0)
        return pid;
    rc = hear(channel, pidfd);
    if (rc < 0 || !opts->tree)
        close(channel);
    if (rc < 0) {
        give_up(pid, pidfd, opts->tree);
        return rc;
    }
    if (opts->tree)
        task->guard = channel;
    task->pidfd = pidfd;
    task->oom_kills = plait__os_oom_kills_lately();
    /* relaxed: nobody else has the handle yet */
    __atomic_store_n(&task->id, (uint32_t)(opts->tree ? order->verdict.pid : pid),
                     __ATOMIC_RELAXED);
    return 0;
}

static int check(void)
{
    if (!plait__reexec_is_possible()) {
        plait__log(PLAIT_LOG_WARNING,
                   "nothing is spawned: main has to call plait_init first of all");
        return -ENOTSUP;
    }
    if (plait__reexec_is_privileged()) {
        plait__log(PLAIT_LOG_WARNING,
                   "nothing is spawned: the program has privileges of its file (set-uid)");
        return -ENOTSUP;
    }
    if (!plait__os_module_is_executed()) { /* it would take our first argument for a program */
        plait__log(PLAIT_LOG_WARNING,
                   "nothing is spawned: the program was started by an explicit call of the loader");
        return -ENOTSUP;
    }
    if (plait__family()->shared.fd < 0) {
        plait__log(PLAIT_LOG_WARNING, "nothing is spawned: a limit allows no file for the heap");
        return -ENOTSUP;
    }
    return 0;
}

int plait__spawn_start(plait_task *task, const plait_task_opts *opts)
{
    struct plait__order *order = NULL;
    int rc = plait__member_join();

    if (rc == 0)
        rc = check();
    if (rc == 0)
        rc = plait__order_make(&order, task, opts);
    if (rc < 0)
        return rc;
    plait__os_flush_streams();
    rc = -EADDRINUSE;
    for (int i = 0; i < TRIES && (rc == -EADDRINUSE || (rc == PLAIT_EKEEPER && i < 2)); i++) {
        if (rc == PLAIT_EKEEPER)
            plait__keeper_has_died(); /* it had: the next one is made */
        rc = spawn_once(task, order, opts);
    }
    if (rc < 0) {
        if (is_let_go(order, opts->tree, rc))
            plait__order_free(order);
        else
            plait__order_withdraw(order);
        return rc;
    }
    task->order = order;
    task->verdict = &order->verdict;
    plait__process_guard_again();
    plait__order_go(order, PLAIT__REEXEC_TOKEN);
    return 0;
}
