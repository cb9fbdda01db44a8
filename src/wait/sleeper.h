/* A task as the seam knows it: how it sleeps, and whether it was asked to end.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__WAIT_SLEEPER_H
#define PLAIT__WAIT_SLEEPER_H

#include "os/fd.h"
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plait__sleeper;

/* How a task sleeps that is not a thread. */
struct plait__park_ops {
    /* Give the thread to others until unpark or the deadline. 0 (also for nothing) or -ETIMEDOUT.
     * An unpark that comes before park makes the next park return at once. */
    int (*park)(struct plait__sleeper *sleeper, plait_deadline until);
    /* Make it run again; called from any thread of the process, with no lock of the seam's held but
     * the bucket's. */
    void (*unpark)(struct plait__sleeper *sleeper);
    /* As plait__wait_fds, without cancellation being looked at first; returns early, with 0, when
     * unparked. */
    int (*wait_fds)(struct plait__sleeper *sleeper, struct plait__fd *fds, size_t n,
                    plait_deadline until);
};

/* One for each task; zero bytes are the sleeper of a thread. */
struct plait__sleeper {
    const struct plait__park_ops *ops; /* const after the start; NULL: a thread */
    uint32_t
        cancel;  /* atomic: 1 once the task was asked to end; a futex word for the task itself */
    int wake_fd; /* atomic: an eventfd for cancelling a wait on descriptors, plus one; 0: none yet
                  */
};

/* The running task's sleeper; NULL in a thread that is no task of plait's (it cannot be cancelled).
 */
struct plait__sleeper *plait__sleeper_current(void);
void plait__sleeper_set_current(struct plait__sleeper *sleeper);
/* Frees what the sleeper acquired. The task must have ended, or never have begun. */
void plait__sleeper_fini(struct plait__sleeper *sleeper);

/* Ask the task to end: from now on each wait of it that would sleep says -ECANCELED, the one it
 * sleeps in too. Sticky. */
void plait__cancel(struct plait__sleeper *sleeper);
bool plait__is_cancelled(const struct plait__sleeper *sleeper);
/* The eventfd that a cancel raises, made at the first call; -errno. Only the running task asks. */
int plait__sleeper_wake_fd(struct plait__sleeper *sleeper);

#endif
