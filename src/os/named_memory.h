/* Memory with a name that leaves nothing behind: it is there as long as a process has it open.
 * SPDX-License-Identifier: MIT
 *
 * It is an anonymous file of the kernel's; the name is for /proc, where the others find it. Only
 * processes of the same user are asked, and such as can be seen: those of this pid namespace that
 * have not forbidden it (PR_SET_DUMPABLE).
 */
#ifndef PLAIT__OS_NAMED_MEMORY_H
#define PLAIT__OS_NAMED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum {
    PLAIT__NAME_BYTES = 64 /* of a name, at most */
};

/* To look for the name and to make it new is for one process of this user at a time, and one thread
 * of it, whatever the name. 0; -EAGAIN: another process is at it, or another thread forks; -EPERM: another user has taken
 * it; -errno. */
int plait__os_name_lock(const char *name);
void plait__os_name_unlock(void);

/* Asked of each file of that name, by a look as of private_file.h: negative or positive ends the
 * search. */
typedef int plait__memory_fn(int look, void *arg);

/* What fn said last; 0: it went through all. -ENOTSUP: no /proc, or that of another pid namespace;
 * -errno: the search could not be ended. */
int plait__os_memory_find(const char *name, plait__memory_fn *fn, void *arg);

/* A new one: a descriptor at or above 3, or -errno. */
int plait__os_memory_make(const char *name);
/* It shall never be longer or shorter. 0 or -errno. */
int plait__os_memory_seal(int fd);
bool plait__os_memory_is_sealed(int fd);

#endif
