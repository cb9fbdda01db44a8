/* The guard of a task: what ends it together with all that is below it.
 * SPDX-License-Identifier: MIT
 *
 *     fork         the owner --forks--> the guard --forks--> the task --starts--> …
 *     forkserver   the owner --asks--> the keeper --forks--> the guard --forks--> the task
 *     spawn        the owner --executes--> the program, which before its first line becomes
 *                  the guard --forks--> the program goes on, as the task
 *
 * The guard is a small single-threaded process and the subreaper of all below it: whoever of them
 * loses its parent, by a double fork for example, becomes a child of the guard. So the guard finds
 * all, whatever they did to their sessions and environments, and it ends only when nobody is left.
 * It watches its owner by a pidfd, and by a channel whose other end an exec of the owner closes. One
 * that the keeper forked watches that, as a task of the keeper's ends with it; what becomes of the
 * owner is the keeper's business.
 *
 * A guard that is killed takes the task along, which dies with its parent; what that had started
 * then escapes. A guard has a process group of its own, so that who kills a group does not meet it.
 */
#ifndef PLAIT__TASK_GUARD_H
#define PLAIT__TASK_GUARD_H

#include "task/verdict.h"

#include <stdbool.h>
#include <sys/types.h>

/* What the owner says to the guard, one byte each. When the channel ends, it kills. */
enum guard_word {
    GUARD_GO = 'g',        /* once, with a gate: let the task pass */
    GUARD_TERMINATE = 't', /* SIGTERM to all below */
    GUARD_KILL = 'k',      /* SIGKILL to all below */
};

struct plait__guard {
    int channel;                    /* to the owner; at or above 3, as is `owner` */
    int owner;                      /* its pidfd; -1: it is not watched */
    pid_t keeper;                   /* our parent, whose death ends all; 0: it is the owner */
    struct plait__verdict *verdict; /* gets the end of the task */
    bool has_gate;                  /* the task waits for GUARD_GO */
};

/* In a process that was made for it, which becomes the guard and does not return from here, unless it
 * fails: then -errno, and *ret_step names what failed, a constant. Returns in the task's process: 0, or
 * with a gate the descriptor at which that has to wait for a byte. */
int plait__guard_fork(const struct plait__guard *with, const char **ret_step);

#endif
