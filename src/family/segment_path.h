/* Named segments whose name is a path.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__FAMILY_SEGMENT_PATH_H
#define PLAIT__FAMILY_SEGMENT_PATH_H

#include "family/segment_open.h"

/* Opens the one at segment->path, or makes it: fd, id, shape and base of `segment`. pre: the lock
 * of attached.h; we are in the family.
 * 0 · 1: it is mapped already, ret_mapped · -EAGAIN: somebody else is at it: again · -ENOENT ·
 * -EEXIST, -ERANGE · -EPERM, -EACCES, -ELOOP · -EBADMSG, -EPROTO, -ENOEXEC · -EBUSY · -errno. On
 * failure, plait__segment_unmap closes what was opened. */
int plait__segment_open_path(const struct plait__segment_wish *wish, struct plait_segment *segment,
                             struct plait_segment **ret_mapped);

/* Is that file, which is open, in use? Removes it if not. 0: it is, and the guard is ours until it
 * is closed or the guard unlocked · -ENOENT: it was not, and is removed · -EAGAIN: somebody else is
 * at it, or another file stands at the path. */
int plait__segment_settle(const char *path, int fd, const struct plait__file_id *id);

/* Removes that file if nobody has it open any more, and we have no descriptor of it. Waits up to a
 * second for others who find that out. */
void plait__segment_sweep_path(const char *path, const struct plait__file_id *id);

#endif
