/* Memory that a family of processes shares, and a page that no child inherits.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_MEMORY_H
#define PLAIT__OS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* A stretch of addresses that forked children share, at the same address, and spawned ones can map
 * there. Its pages are zero, and take memory once they are touched. */
struct plait__shared {
    char *base;
    size_t bytes;           /* a multiple of what was asked as the least */
    int fd;                 /* the unnamed file behind it, at or above 3; -1: there is none */
    uint64_t device, inode; /* of that file: the program may have closed it */
};

/* Up to `most` bytes, halved until they are at most a quarter of the address space that this process
 * may have, never fewer than `least`. Where the limits (on descriptors, on the size of files) allow
 * no file, without one. The first 128 MiB can be committed. 0 or -ENOMEM. */
int plait__os_shared_reserve(size_t least, size_t most, struct plait__shared *ret);
/* Sees to it that as many bytes can be committed, and some more: the rest is behind the end of the
 * file. Else mlockall(2), or a leak checker, would fill all of it with zeroes. pre: no other process
 * is here. How many bytes there are now (ret); -ENOMEM, also when the program has closed the file. */
int plait__os_shared_extend(const struct plait__shared *shared, size_t bytes, size_t *ret);
/* In a process that was spawned, and has its file by the same number: maps it where the others have it.
 * -EADDRINUSE: something else is there · -EBADF: that descriptor is another file · -ENOMEM. */
int plait__os_shared_attach(const struct plait__shared *shared);
void plait__os_shared_release(const struct plait__shared *shared);
/* Sees to it that these pages can be touched: without it, a machine out of memory answers the touch
 * with SIGBUS. Works also when the program has closed the file. 0 or -ENOMEM. */
int plait__os_shared_commit(const struct plait__shared *shared, size_t offset, size_t bytes);
/* Gives the memory of these pages back; they are zero when they are touched again. 0 or -errno:
 * then they are as they were. */
int plait__os_shared_decommit(const struct plait__shared *shared, size_t offset, size_t bytes);

/* A page of zeroes that is zeroes again in each child of a fork. NULL: no memory. */
void *plait__os_page_of_this_process(void);
void plait__os_page_free(void *page);
/* How large it is. */
size_t plait__os_page_bytes(void);

#endif
