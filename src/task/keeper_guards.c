/* The processes that the keeper kills when its owner dies, besides those below it.
 * SPDX-License-Identifier: MIT
 *
 * Nobody tells the keeper that one has ended: the ended ones are looked for when half the room is
 * taken, so that each costs a constant share and their descriptors are given back long before the
 * limit.
 */
#include "task/keeper_guards.h"
#include "os/fd.h"
#include "os/pidfd.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FDS_OF_THE_KEEPER = 16 /* its own, and those of a message */
};

/* Closes the pidfds of those that have ended. */
static void forget_ended(struct keeper_guards *guards)
{
    size_t kept = 0;

    for (size_t i = 0; i < guards->n; i++) {
        if (plait__os_fd_is_readable(guards->pidfds[i]) == 1)
            close(guards->pidfds[i]);
        else
            guards->pidfds[kept++] = guards->pidfds[i];
    }
    guards->n = kept;
}

void plait__keeper_guards_keep_room(struct keeper_guards *guards)
{
    if ((int64_t)guards->n + FDS_OF_THE_KEEPER > plait__os_fd_limit())
        forget_ended(guards);
}

void plait__keeper_guards_add(struct keeper_guards *guards, int pidfd)
{
    if (guards->n * 2 >= guards->cap)
        forget_ended(guards);
    if (guards->n * 2 >= guards->cap) {
        size_t cap = guards->cap * 2 + 16;
        int *pidfds = reallocarray(guards->pidfds, cap, sizeof *pidfds);
        if (pidfds != NULL) {
            guards->pidfds = pidfds;
            guards->cap = cap;
        }
    }
    if (guards->n < guards->cap) {
        guards->pidfds[guards->n++] = pidfd;
        return;
    }
    plait__os_pidfd_signal(pidfd, SIGKILL); /* better than one that nobody would end */
    close(pidfd);
}

void plait__keeper_guards_kill(const struct keeper_guards *guards)
{
    for (size_t i = 0; i < guards->n; i++)
        plait__os_pidfd_signal(guards->pidfds[i], SIGKILL); /* one that has ended already is fine */
}
