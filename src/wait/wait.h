/* The seam: the one place that knows how a task sleeps.
 * SPDX-License-Identifier: MIT
 *
 * Everything above waits by these calls and knows nothing of futex and poll. A task is represented
 * by its sleeper. A thread sleeps in the kernel; a task whose sleeper has ops (a coroutine) parks
 * instead, giving its thread to others: a scheduler plugs in by setting the sleeper of the running
 * task, and nothing else.
 *
 * Words: a task waits for a word of memory to change from a value; who changes the word wakes. A
 * wake is a hint: the woken looks again, and whoever is woken without needing it passes the wake
 * on. Parked tasks are kept in a table of this process; threads, of any process that shares the
 * word, in the kernel. A wake therefore reaches the parked tasks of its own process and the threads
 * of all.
 */
#ifndef PLAIT__WAIT_WAIT_H
#define PLAIT__WAIT_WAIT_H

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

/* Sleep while *word == expected.
 * 0: it may have changed (look again) · -ETIMEDOUT · -ECANCELED. The value is compared first: a
 * word that has changed already is 0 also in a cancelled task and after the deadline. */
int plait__wait_word(uint32_t *word, uint32_t expected, plait_deadline until);
/* Wake up to n tasks that wait for the word; UINT_MAX: all. The word must have been changed before.
 */
void plait__wake_word(uint32_t *word, unsigned n);

/* Sleep until a descriptor is ready. How many are · -ETIMEDOUT · -ECANCELED · -EINTR: a signal
 * handler ran · -errno. What is ready already is told also in a cancelled task and after the
 * deadline. */
int plait__wait_fds(struct plait__fd *fds, size_t n, plait_deadline until);

#endif
