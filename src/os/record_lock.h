/* Locks on bytes of a file, which the kernel takes back from the dead.
 * SPDX-License-Identifier: MIT
 *
 * A byte that is locked belongs to the process, all its threads: a forked child has it not, and the
 * kernel frees it when the last thread has executed its last instruction. Also when the process
 * closes any descriptor of that file: have one only, and hand it to nobody.
 *
 * A byte that is shared belongs to the opened file: also to those who got the descriptor by a fork,
 * or what was mapped by it, until the last of them has ended, or has closed and unmapped it.
 */
#ifndef PLAIT__OS_RECORD_LOCK_H
#define PLAIT__OS_RECORD_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* 0; -EAGAIN: another process has it; -errno. Never waits. */
int plait__os_byte_lock(int fd, int64_t at);
void plait__os_byte_unlock(int fd, int64_t at);
/* 0 or -errno. */
int plait__os_byte_share(int fd, int64_t at);
/* Is it certain that no other process has locked it, and none that opened the file for itself has
 * shared it? What we have locked ourselves does not count. */
bool plait__os_byte_is_free(int fd, int64_t at);

#endif
