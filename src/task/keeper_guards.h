/* The processes that the keeper kills when its owner dies, besides those below it.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_KEEPER_GUARDS_H
#define PLAIT__TASK_KEEPER_GUARDS_H

#include <stddef.h>

struct keeper_guards {
    int *pidfds;
    size_t n, cap;
};

/* Takes the pidfd over. -ENOMEM: it could not, and has closed it. */
int plait__keeper_guards_add(struct keeper_guards *guards, int pidfd);
/* Closes the pidfds of those that have ended. */
void plait__keeper_guards_forget_ended(struct keeper_guards *guards);
void plait__keeper_guards_kill(const struct keeper_guards *guards);

#endif
