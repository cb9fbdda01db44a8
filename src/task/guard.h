/* The guard of a task: what ends it together with all that is below it.
 * SPDX-License-Identifier: MIT
 *
 *     the owner --forks--> the guard --forks--> the task --starts--> …
 *
 * The guard is a small single-threaded process and the subreaper of all below it: whoever of them
 * loses its parent, by a double fork for example, becomes a child of the guard. So the guard finds
 * all, whatever they did to their sessions and environments, and it ends only when nobody is left.
 * It watches its owner by a pidfd, and by a channel whose other end an exec of the owner closes.
 *
 * A guard that is killed takes the task along, which dies with its parent; what that had started
 * then escapes. A guard has a process group of its own, so that who kills a group does not meet it.
 */
#ifndef PLAIT__TASK_GUARD_H
#define PLAIT__TASK_GUARD_H

#include "task/verdict.h"

#include <sys/types.h>

/* What the owner says to the guard, one byte each. When the channel ends, it kills. */
enum guard_word {
    GUARD_GO = 'g',        /* once: let the task pass its gate */
    GUARD_TERMINATE = 't', /* SIGTERM to all below */
    GUARD_KILL = 'k',      /* SIGKILL to all below */
};

struct plait__guard {
    int channel;                    /* to the owner; at or above 3, as is `owner` */
    int owner;                      /* its pidfd */
    struct plait__verdict *verdict; /* gets the end of the task, or why it could not be forked */
};

/* In a child that was forked for it, which becomes the guard and never returns from here. Returns in
 * the task's process: the descriptor at which that has to wait for a byte. */
int plait__guard_fork(const struct plait__guard *guard);

#endif
