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
    LOOK_NS = 50 * 1000 * 1000 /* at the gate, from one look for the parent to the next */
};

/* Waits for the byte that opens the gate. False: it never comes. Its end alone does not say so where
 * a thread of the parent's may have forked somebody who has the gate open too. */
static bool wait_at(int gate, pid_t parent, bool must_look)
{
    struct plait__fd fd = { .fd = gate, .wanted = PLAIT__FD_READ };
    char go;

    for (;;) {
        if (must_look)
            plait__os_poll(&fd, 1, plait__os_now_ns() + LOOK_NS);
        if (must_look && fd.ready == 0) {
            if (getppid() != parent)
                return false;
            continue;
        }
        ssize_t n = read(gate, &go, 1);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN))
            return n == 1;
    }
}

static bool has_closed_others; /* const once the function has been entered */

bool plait__process_has_closed_others(void)
{
    return has_closed_others;
}

void plait__process_close_others(const int *keep, size_t n)
{
    plait__os_close_others(keep, n);
    has_closed_others = true;
}

/* Does what the options say, and tells how it went. */
static void set_up(struct plait__start *start, int gate)
{
    const plait_process_opts *opts = start->opts->process;
    struct plait__verdict *verdict = start->task->verdict;
    int rc = 0;

    if (opts != NULL) {
        plait__child_plan_keep(&start->plan, start->gate[0]);
        plait__child_plan_keep(&start->plan, gate);
        if (plait__family() != NULL && plait__family()->shared.fd >= 3)
            plait__child_plan_keep(&start->plan, plait__family()->shared.fd);
        rc = plait__os_child_set_up(&start->plan.setup, &verdict->step);
        has_closed_others = has_closed_others || opts->close_fds;
        if (opts->environment != NULL)
            plait__os_set_environment(opts->environment);
    }
    verdict->error = rc;
    verdict->pid = getpid();
    while ((rc = plait__os_channel_send(start->gate[0], "r", 1, NULL, 0)) == -EAGAIN)
        plait__os_poll(NULL, 0, 0); /* the kernel is out of memory */
    if (rc < 0 || verdict->error < 0)
        _exit(1);
}

/* From the fork to the function: at the gate. */
static void pass_gate(struct plait__start *start)
{
    bool has_guard = start->opts->tree;
    int gate = start->gate[0];
    pid_t parent = start->parent;

    close(start->gate[1]);
    if (has_guard) {
        gate = plait__guard_fork(&(struct plait__guard){
            .channel = start->gate[0], .owner = start->owner, .verdict = start->task->verdict });
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
