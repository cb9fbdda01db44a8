/* The life of a process task.
 * SPDX-License-Identifier: MIT
 *
 * After a fork each page that one of the two writes is copied, and each that the child reads is
 * mapped anew: twenty such faults cost half as much as the fork. Therefore the way from here to the
 * function and back touches no memory that it need not, nor calls what would.
 *
 * The child of a program with other threads has of these what they held. What is called before the
 * function takes no lock but those that were made anew at the fork.
 */
#include "base/beside.h"
#include "family/member.h"
#include "os/clock.h"
#include "os/fd.h"
#include "os/process.h"
#include "task/guard.h"
#include "task/live.h"
#include "task/local.h"
#include "task/process_start.h"
#include "task/verdict.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum {
    LOOK_NS = 50 * 1000 * 1000, /* at the gate, from one look for the parent to the next */
    BLIND_NS = 500 * 1000       /* the same, where a limit of no descriptors lets nobody poll */
};

/* Waits for the byte that opens the gate. False: it never comes. Its end alone does not say so where
 * a thread of the parent's may have forked somebody who has the gate open too. */
static bool wait_at(int gate, pid_t parent, bool must_look)
{
    struct plait__fd fd = { .fd = gate, .wanted = PLAIT__FD_READ };
    char go;

    for (;;) {
        int rc = must_look ? plait__os_poll(&fd, 1, plait__os_now_ns() + LOOK_NS) : 1;
        if (rc <= 0 && getppid() != parent)
            return false;
        if (rc == 0 || rc == -EINTR)
            continue;
        if (rc < 0)
            plait__os_poll(NULL, 0, plait__os_now_ns() + BLIND_NS);
        ssize_t n = read(gate, &go, 1);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN))
            return n == 1;
    }
}

static bool has_closed_others PLAIT__BESIDE; /* const once the function has been entered */

bool plait__process_has_closed_others(void)
{
    return has_closed_others;
}

void plait__process_close_others(const int *keep, size_t n)
{
    plait__os_close_others(keep, n);
    has_closed_others = true;
}

void plait__process_tell(int channel, struct plait__verdict *verdict, int error, const char *step)
{
    int rc;

    plait__verdict_set_error(verdict, error < 0 ? error : 0, step);
    verdict->pid = getpid();
    while ((rc = plait__os_channel_send(channel, "r", 1, NULL, 0)) == -EAGAIN)
        plait__os_poll(NULL, 0, 0); /* the kernel is out of memory */
    if (rc < 0 || error < 0)
        _exit(1);
}

/* Does what the options say, and tells how it went. */
static void set_up(struct plait__start *start, int gate)
{
    const plait_process_opts *opts = start->opts->process;
    struct plait__verdict *verdict = start->task->verdict;
    const char *step = "";
    int rc = 0;

    if (opts != NULL) {
        plait__child_plan_keep(&start->plan, start->gate[0]);
        plait__child_plan_keep(&start->plan, gate);
        if (plait__family() != NULL && plait__family()->shared.fd >= 3)
            plait__child_plan_keep(&start->plan, plait__family()->shared.fd);
        rc = plait__os_child_set_up(&start->plan.setup, &step);
        has_closed_others = has_closed_others || opts->close_fds;
        if (opts->environment != NULL)
            plait__os_set_environment(opts->environment);
    }
    plait__process_tell(start->gate[0], verdict, rc, step);
}

/* The gate of the task, in its process. */
static int fork_guarded(const struct plait__start *start)
{
    struct plait__verdict *verdict = start->task->verdict;
    const struct plait__guard guard = {
        .channel = start->gate[0], .owner = start->owner, .verdict = verdict, .has_gate = true
    };
    const char *step = "";
    int gate = plait__guard_fork(&guard, &step);

    if (gate < 0)
        plait__process_tell(start->gate[0], verdict, gate, step);
    return gate;
}

/* From the fork to the function: at the gate. */
static void pass_gate(struct plait__start *start)
{
    bool has_guard = start->opts->tree;
    int gate = start->gate[0];
    pid_t parent = start->parent;

    close(start->gate[1]);
    if (has_guard) {
        gate = fork_guarded(start);
        parent = getppid();
    }
    plait__task_enter_process(start->task);
    if (start->is_told)
        set_up(start, gate);
    /* again, since a change of the user takes it back */
    if (has_guard && plait__os_die_with_parent(parent, SIGKILL) < 0)
        _exit(1);
    if (!wait_at(gate, parent, start->is_told || start->opts->with_threads))
        _exit(1); /* the parent died before it could register us */
    close(gate);
    if (has_guard)
        close(start->gate[0]);
}

void plait__process_live(struct plait__start *start)
{
    pass_gate(start);
    plait__locals_enter_process();
    plait__live(start->task);
}
