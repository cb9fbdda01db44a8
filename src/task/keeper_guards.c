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

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

void plait__keeper_guards_forget_ended(struct keeper_guards *guards)
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

int plait__keeper_guards_add(struct keeper_guards *guards, int pidfd)
{
    if (guards->n * 2 >= guards->cap)
        plait__keeper_guards_forget_ended(guards);
    if (guards->n * 2 >= guards->cap) {
        size_t cap = guards->cap * 2 + 16;
        int *pidfds = reallocarray(guards->pidfds, cap, sizeof *pidfds);
        if (pidfds != NULL) {
            guards->pidfds = pidfds;
            guards->cap = cap;
        }
    }
    if (guards->n == guards->cap) {
        close(pidfd);
        return -ENOMEM;
    }
    guards->pidfds[guards->n++] = pidfd;
    return 0;
}

void plait__keeper_guards_kill(const struct keeper_guards *guards)
{
    for (size_t i = 0; i < guards->n; i++)
        plait__os_pidfd_signal(guards->pidfds[i], SIGKILL); /* one that has ended already is fine */
}
