/* The tasks that the keeper forks: the keeper's side.
 * SPDX-License-Identifier: MIT
 */
#include "task/keeper_tasks.h"
#include "base/debug.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/module.h"
#include "os/pidfd.h"
#include "os/signal.h"
#include "os/thread.h"
#include "task/beginning.h"
#include "task/guard.h"
#include "task/order.h"
#include "task/process_start.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FEW = 16,
    ANSWER_TRIES = 100,
    NAP_NS = 1000 * 1000
};

struct child {
    pid_t pid;
    struct plait__order *order;
};

static struct {
    int channel;
    int shared; /* the family's memory; here, as its first page is not mapped in a new child */
    uint64_t ignored;
    struct child *children; /* `few`, until they are more */
    size_t n, cap;
    struct child few[FEW]; /* here, as a page more that we write would be copied at each fork */
} kept = { .channel = -1 };

void plait__kept_tasks_set_up(uint64_t ignored)
{
    /* in a task's own keeper: those of the one that forked the task */
    kept.channel = -1;
    kept.ignored = ignored;
    kept.children = kept.few;
    kept.cap = FEW;
    kept.n = 0;
}

void plait__kept_tasks_open(const int *fds, size_t n_fds)
{
    if (kept.channel >= 0)
        close(kept.channel);
    kept.channel = n_fds == 1 ? fds[0] : -1; /* without one the owner sees its other end closed */
    kept.shared = plait__family()->shared.fd;
    plait__os_module_program_base(); /* looked up once, not in each task */
    plait__debug_locks();
}

int plait__kept_tasks_fd(void)
{
    return kept.channel;
}

/* ---- in the child ---- */

static void insert(int *sorted, size_t *n, int fd)
{
    size_t i = (*n)++;

    for (; i > 0 && sorted[i - 1] > fd; i--)
        sorted[i] = sorted[i - 1];
    sorted[i] = fd;
}

/* To the numbers that they have in the owner, which are ascending, at or above 3 and in no use but
 * perhaps by each other. */
static void set_kept(const int *numbers, int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int fd = fds[i];
        if (fd > numbers[n - 1])
            continue;
        fds[i] = plait__os_dup_above(fd, numbers[n - 1] + 1);
        close(fd);
    }
    for (size_t i = 0; i < n; i++) {
        if (fds[i] < 0 || plait__os_dup_onto(fds[i], numbers[i]) < 0)
            _exit(1);
        close(fds[i]);
    }
}

/* What the owner has sent, and the family's memory. */
static void set_descriptors(const struct keeper_task *task, int *fds, size_t n_fds)
{
    int keep[PLAIT__CHANNEL_FDS + 1];
    size_t n = 0, next = 0;

    for (int fd = 0; fd < 3; fd++) /* where none came the keeper's /dev/null stays */
        if ((task->has >> fd & 1) && plait__os_dup_onto(fds[next++], fd) < 0)
            _exit(1);
    for (size_t i = next; i < n_fds; i++)
        insert(keep, &n, fds[i]);
    if (kept.shared >= 0)
        insert(keep, &n, kept.shared);
    plait__process_close_others(keep, n);
    if (task->n_keep > 0)
        set_kept(task->order->beginning->setup.keep, fds + next, task->n_keep);
}

/* A change of the user takes the parent's death back. */
static void begin(const struct keeper_task *task, pid_t keeper)
{
    if (task->order->beginning == NULL)
        return;
    plait__beginning_set_up(task->order->beginning, &task->order->verdict, task->token);
    if (plait__os_die_with_parent(keeper, SIGKILL) < 0)
        _exit(1);
}

/* Returns in the task's process: the guard, whose child it is. */
static pid_t become_guard(const struct keeper_task *task, int channel, pid_t keeper)
{
    struct plait__verdict *verdict = &task->order->verdict;
    const struct plait__guard guard = {
        .channel = channel, .owner = -1, .keeper = keeper, .verdict = verdict
    };

    const char *step = "";
    int rc = plait__guard_fork(&guard, &step);

    plait__process_tell(channel, verdict, rc, step);
    return getppid();
}

static void live(const struct keeper_task *task, int *fds, size_t n_fds, pid_t keeper)
{
    if (task->tree)
        keeper = become_guard(task, fds[--n_fds], keeper);
    else if (plait__os_die_with_parent(keeper, SIGKILL) < 0)
        _exit(1);
    plait__self_find_pid(); /* by a write: to look first would be a page fault more */
    set_descriptors(task, fds, n_fds);
    if (task->in_group)
        plait__os_join_group(task->group);
    plait__os_set_own_name();
    plait__os_signals_default(kept.ignored & ~task->ignored);
    begin(task, keeper);
    if (plait__order_await(task->order, task->token) < 0)
        _exit(1);
    plait__order_live(task->order);
}

/* ---- in the keeper ---- */

static int make_room(void)
{
    bool are_few = kept.children == kept.few;
    size_t cap = kept.cap * 2;
    struct child *children;

    if (kept.n < kept.cap)
        return 0;
    children = reallocarray(are_few ? NULL : kept.children, cap, sizeof *children);
    if (children == NULL)
        return -ENOMEM;
    if (are_few)
        memcpy(children, kept.few, sizeof kept.few);
    kept.children = children;
    kept.cap = cap;
    return 0;
}

/* Its pid, or -errno. */
static int fork_task(const struct keeper_task *task, int *fds, size_t n_fds)
{
    pid_t keeper = getpid(), pid;
    uint64_t blocked = plait__os_signals_blocked();
    int rc = make_room();

    if (rc < 0)
        return rc;
    /* a signal that is sent to the task at once waits until it no longer ignores what we ignore */
    plait__os_signals_set_blocked(~UINT64_C(0));
    pid = plait__os_fork();
    if (pid == 0)
        live(task, fds, n_fds, keeper);
    plait__os_signals_set_blocked(blocked);
    if (pid > 0)
        kept.children[kept.n++] = (struct child){ .pid = pid, .order = task->order };
    return pid;
}

/* There is room: one answer for each request. Else the owner is gone, or the kernel has no memory: one
 * that hears nothing at all takes us for dead. */
static void send_answer(int32_t reply, int pidfd)
{
    int rc = -EAGAIN;

    for (int i = 0; i < ANSWER_TRIES && (rc == -EAGAIN || rc == -ETOOMANYREFS); i++) {
        if (i > 0)
            plait__os_poll(NULL, 0, plait__os_now_ns() + NAP_NS);
        rc = plait__os_channel_send(kept.channel, &reply, sizeof reply, &pidfd, pidfd >= 0);
    }
    if (rc == 0)
        return;
    close(kept.channel);
    kept.channel = -1;
}

/* Its descriptor goes along: it is a child of ours, which keeps its pid until we reap it. */
static void answer(int32_t reply)
{
    int pidfd = reply > 0 ? plait__os_pidfd_open(reply) : -1;

    if (reply > 0 &&
        pidfd < 0) { /* it waits for its order's word still: as if it had not been forked */
        kill(reply, SIGKILL);
        plait__os_reap(reply);
        kept.n--;
        reply = pidfd;
    }
    send_answer(reply, pidfd);
    if (pidfd >= 0)
        close(pidfd);
}

void plait__kept_tasks_read(void)
{
    struct keeper_task task;
    int fds[PLAIT__CHANNEL_FDS];
    size_t n_fds = 0;
    ssize_t n = plait__os_channel_recv(kept.channel, &task, sizeof task, fds, &n_fds);

    if (n == -EAGAIN)
        return;
    if (n != (ssize_t)sizeof task) {
        close(kept.channel); /* the owner has closed it */
        kept.channel = -1;
        return;
    }
    answer(n_fds == (size_t)__builtin_popcount(task.has) + task.n_keep + (task.tree ? 1 : 0)
               ? fork_task(&task, fds, n_fds)
               : -EMFILE);
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

bool plait__kept_tasks_reap(const struct plait__death *death)
{
    for (size_t i = 0; i < kept.n; i++) {
        struct plait__order *order = kept.children[i].order;
        if (kept.children[i].pid != death->pid)
            continue;
        kept.children[i] = kept.children[--kept.n];
        plait__order_tell_end(order, death);
        return true;
    }
    return false;
}
