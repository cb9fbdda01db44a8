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
#include "os/process.h"
#include "task/keeper.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FDS_OF_THE_KEEPER = 16, /* its own, and those of a message */
    KILL_ROUNDS = 100,      /* of a tree: who forks faster than /proc can be read is met again */
};

/* Closes the pidfds of those that have ended. */
static void forget_ended(struct keeper_guards *guards)
{
    size_t kept = 0;

    for (size_t i = 0; i < guards->n; i++) {
        if (plait__os_fd_is_readable(guards->all[i].pidfd) == 1)
            close(guards->all[i].pidfd);
        else
            guards->all[kept++] = guards->all[i];
    }
    guards->n = kept;
}

static bool has_room(const struct keeper_guards *guards)
{
    return (int64_t)guards->n + FDS_OF_THE_KEEPER <= plait__os_fd_limit();
}

/* The owner may have given itself more descriptors since it made us. */
void plait__keeper_guards_keep_room(struct keeper_guards *guards)
{
    if (!has_room(guards))
        forget_ended(guards);
    if (!has_room(guards))
        plait__os_raise_fd_limit();
}

void plait__keeper_guards_add(struct keeper_guards *guards, const struct keeper_guard *guard)
{
    if (guards->n * 2 >= guards->cap)
        forget_ended(guards);
    if (guards->n * 2 >= guards->cap) {
        size_t cap = guards->cap * 2 + 16;
        struct keeper_guard *all = reallocarray(guards->all, cap, sizeof *all);
        if (all != NULL) {
            guards->all = all;
            guards->cap = cap;
        }
    }
    if (guards->n < guards->cap) {
        guards->all[guards->n++] = *guard;
        return;
    }
    plait__os_pidfd_signal(guard->pidfd, SIGKILL); /* better than one that nobody would end */
    close(guard->pidfd);
}

/* One that has ended already is fine, and is not found by its number any more. */
static void end(const struct keeper_guard *guard)
{
    char env[PLAIT__TREE_ENV_BYTES];
    struct plait__tree tree = { .root = guard->pid, .env = env, .anywhere = true };

    plait__keeper_tree_env(env, guard->mark);
    if (guard->mark != 0 && plait__os_fd_is_readable(guard->pidfd) == 0)
        for (int i = 0; i < KILL_ROUNDS && plait__os_tree_kill(&tree) > 0; i++)
            ;
    plait__os_pidfd_signal(guard->pidfd, SIGKILL);
}

void plait__keeper_guards_kill(const struct keeper_guards *guards)
{
    for (size_t i = 0; i < guards->n; i++)
        end(&guards->all[i]);
}

void plait__keeper_tree_env(char env[PLAIT__TREE_ENV_BYTES], uint64_t mark)
{
    snprintf(env, PLAIT__TREE_ENV_BYTES, PLAIT__TREE_ENV "%016" PRIx64, mark);
}
