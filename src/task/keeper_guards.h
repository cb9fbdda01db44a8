/* The processes that the keeper kills when its owner dies, besides those below it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_KEEPER_GUARDS_H
#define PLAIT__TASK_KEEPER_GUARDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper_guard {
    int pidfd;
    pid_t pid;
    uint64_t
        mark; /* all below it is killed too, and all with this in the environment; 0: it alone */
};

struct keeper_guards {
    struct keeper_guard *all;
    size_t n, cap;
};

/* Takes the pidfd over. Without memory to remember it, the process is killed. */
void plait__keeper_guards_add(struct keeper_guards *guards, const struct keeper_guard *guard);
/* Before a message is received: sees to it that a descriptor in it is not lost for want of room. */
void plait__keeper_guards_keep_room(struct keeper_guards *guards);
void plait__keeper_guards_kill(const struct keeper_guards *guards);

#endif
