/* Files that belong to one user, found and made by their path.
 * SPDX-License-Identifier: MIT
 *
 * To look at a file is not to open it: what a look finds can be closed without harm to
 * record_lock.h. Every descriptor made here is close-on-exec, and those of opened files are at or
 * above 3.
 */
#ifndef PLAIT__OS_PRIVATE_FILE_H
#define PLAIT__OS_PRIVATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which file, and how long it is. */
struct plait__file_id {
    uint64_t device, inode, bytes;
};

/* A file that is being made. */
struct plait__new_file {
    int fd;
    char *temporary; /* its name as long as it is; NULL: it has none */
};

/* Looks at what stands at the path: a descriptor for plait__os_file_open.
 * -ENOENT · -ELOOP: a symbolic link · -EPERM: no regular file, or not of our effective user ·
 * -EACCES: others may read or write it · -errno. */
int plait__os_file_look(const char *path, struct plait__file_id *ret);
/* The same of a descriptor, opened or not. */
int plait__os_file_check(int fd, struct plait__file_id *ret);
/* Is this still that file? Whoever's it is. */
bool plait__os_file_is(int fd, const struct plait__file_id *id);
/* Opens what was looked at, to read and to write. A descriptor; -ENOTSUP: there is no /proc. */
int plait__os_file_open(int look);
/* Does this file stand at the path? */
bool plait__os_file_is_at(const char *path, const struct plait__file_id *id);
int plait__os_file_remove(const char *path);
/* The path from the root on; to be freed. NULL: no memory, or no working directory. */
char *plait__os_file_absolute(const char *path);

/* A file for that path, not there yet, and for nobody but this user. `guard` is a byte that its
 * maker has locked as long as it has another name. 0; -EAGAIN: somebody else is making one:
 * again. */
int plait__os_file_make(struct plait__new_file *ret, const char *path, int64_t guard);
/* Puts it there. 0; -EEXIST: there is another one; -ENOTSUP: the file system cannot, or there is no
 * /proc; -errno. */
int plait__os_file_publish(struct plait__new_file *file, const char *path, int64_t guard);
/* Closes it, and removes the name that it had, unless it was published. */
void plait__os_file_abandon(struct plait__new_file *file);

/* Makes it so long, with memory or disk for all of it now. 0; -ENOSPC, -EFBIG, -ENOMEM; -errno. */
int plait__os_file_reserve(int fd, size_t bytes);
/* 0; -EBADMSG: it is shorter; -errno. */
int plait__os_file_read_at_start(int fd, void *bytes, size_t n);
int plait__os_file_write_at_start(int fd, const void *bytes, size_t n);
/* 0 or -errno. */
int plait__os_file_map(int fd, size_t bytes, char **ret);
void plait__os_file_unmap(char *base, size_t bytes);
/* Moves a descriptor to 3 or above: 0 to 2 get other meanings in children. It, or -errno: then it
 * is closed. */
int plait__os_file_lift(int fd);

#endif
