/* Memory that a family of processes shares, and a page that no child inherits.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_MEMORY_H
#define PLAIT__OS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* A stretch of addresses backed by an unnamed file; children have it at the same address. Its pages
 * are zero, and take memory once they are touched. */
struct plait__shared {
    char *base;
    size_t bytes; /* a multiple of what was asked as the least */
    int fd;       /* at or above 3; for plait__os_shared_commit, while it is that file */
    uint64_t device, inode;
};

/* Up to `most` bytes, halved until the limits of this process allow it, never fewer than `least`.
 * 0, -ENOMEM or another -errno. */
int plait__os_shared_reserve(size_t least, size_t most, struct plait__shared *ret);
void plait__os_shared_release(const struct plait__shared *shared);
/* Sees to it that these pages can be touched: without it, a machine out of memory answers the touch
 * with SIGBUS. Works also when the program has closed the descriptor. 0 or -ENOMEM. */
int plait__os_shared_commit(const struct plait__shared *shared, size_t offset, size_t bytes);
/* Gives the memory of these pages back; they are zero when they are touched again. */
void plait__os_shared_decommit(const struct plait__shared *shared, size_t offset, size_t bytes);

/* A page of zeroes that is zeroes again in each child of a fork. NULL: no memory. */
void *plait__os_page_of_this_process(void);
void plait__os_page_free(void *page);
/* How large it is. */
size_t plait__os_page_bytes(void);

#endif
