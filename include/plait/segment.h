/* Named segments: memory that unrelated programs share.
 * SPDX-License-Identifier: MIT
 *
 *     struct counter {
 *         plait_lock lock;
 *         long n;
 *     };
 *     plait_segment *segment = NULL;
 *     void *block = NULL;
 *     int rc = plait_segment_open(&segment, "my-counter", NULL, plait_after_ms(5000));
 *     if (rc == 0) // found, or made of zeroes: a free lock
 *         rc = plait_segment_get(segment, &block, "counter", sizeof(struct counter),
 *                                PLAIT_FOREVER);
 *     struct counter *counter = block;
 *     ...
 *     plait_segment_close(segment);
 *
 * Programs of one user meet by the name of a segment: whoever comes first makes it, and it lives as
 * long as a process has it open. In it lie blocks with names of their own. Locks, semaphores,
 * events, conditions, barriers and once work in a block as they do in a family's heap, also when
 * their holders are killed; so do queues (plait/segment_queue.h), but pipes do not. It may lie
 * at another address in each process: no pointers in it, but offsets (plait_segment_offset,
 * plait_segment_at).
 *
 * A name with a slash is a path. There stands a file, of mode 0600, that is removed when the last
 * one closes the segment. When that one is killed, or has no descriptor or memory left to look at
 * the file, it stays; the next one to open it begins anew.
 * The file system must be a local one. Choose one in memory (/dev/shm, $XDG_RUNTIME_DIR): on a
 * disk, every change of the memory is written there some day.
 *
 * A name without a slash is no file and leaves nothing. It is found through /proc: by processes of
 * the same pid and network namespace, in such as may be looked into (PR_SET_DUMPABLE).
 *
 * Those who share a segment trust each other to go on: one that writes where it should not can
 * make others wait, or lose what they had in it. It can make no function here read or write outside
 * of the segment. But a file can be cut short by anybody who may write it, which ends those who use
 * it by SIGBUS; without a slash, it cannot.
 *
 * That a process lives, the others know by the descriptor behind its segment. A process that closes
 * it (as a daemon does that closes all it finds), or that opens and closes the file at the path by
 * itself, counts as dead from then on: what it holds is taken from it, though it still goes on.
 */
#ifndef PLAIT_SEGMENT_H
#define PLAIT_SEGMENT_H

#include <plait/export.h>
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

PLAIT_BEGIN

/* A segment that this process has open; opaque. */
typedef struct plait_segment plait_segment;

/* Options of plait_segment_open; zero is the default of each field. */
typedef struct plait_segment_opts {
    /* for blocks, each rounded up to 64; at most 512 GiB. 0: as many as it has, and 1 MiB when it
     * is made. There are names for one block in 4 KiB, 62 at least, 4096 at most */
    uint64_t bytes;
    bool only_new;      /* make it; not one that is there */
    bool only_existing; /* open it when somebody has made it; wait for that */
} plait_segment_opts;

/* Open a segment, or make it. A process that has it open already gets the same handle once more.
 *
 *   ret       gets the handle; untouched on failure. Closed by plait_segment_close.
 *   name      a path, if there is a slash in it; else up to 64 bytes of any kind.
 *   opts      options, or NULL.
 *   until     when to give up.
 *   Blocks    while another process opens it, or closes it; with only_existing also until it is
 *             there.
 *   From      any task.
 *   Errors    -ETIMEDOUT  somebody was opening or closing it all the time.
 *             -ECANCELED  the task was asked to end while it waited.
 *             -ENOENT     only_existing, and nobody has it open by now; or no such folder.
 *             -EEXIST     only_new, and it is there.
 *             -ERANGE     it has another size than opts->bytes.
 *             -EPROTO     it was made by another version of plait, with another layout.
 *             -ENOEXEC    it was made by a program for another kind of machine.
 *             -EBADMSG    what is there is no segment, or is broken.
 *             -EPERM      what is there is no regular file, or another user's; or another user
 *                         keeps the name from us.
 *             -EACCES     the file may be read or written by other users, or not by us; or we may
 *                         not make one in that folder.
 *             -ELOOP      a symbolic link is at the path.
 *             -EBUSY      another process there has, by chance, the number by which this one goes
 *                         (once in 2^30 times for each); start again.
 *             -ENOTSUP    there is no /proc, or that of another pid namespace; or the file system
 *                         cannot.
 *             -ENOSPC     no room for all of it on that file system.
 *             -ENOLCK     the kernel has no memory for a file lock, or none on that file system.
 *             -EIO        the file cannot be read.
 *             -EFBIG      files of this process may not be that large.
 *             -EMFILE     no descriptor is left, or 128 segments are open.
 *             -ENAMETOOLONG  the name is too long.
 *             -EINVAL     ret or name is NULL, the name empty, bytes too many; only_new and
 *                         only_existing.
 *             -ENOMEM     no memory.
 *             -EUSERS     the family has 4095 living members and cannot take in this process.
 *             -E2BIG      opts is larger than this library knows and sets what it does not know.
 *   Fork      usable in the child, and so is what was open before: a child has it open until it has
 *             closed it as often as its parent would have had to.
 *   Since     0.1
 */
static inline int plait_segment_open(plait_segment **ret, const char *name,
                                     const plait_segment_opts *opts, plait_deadline until);

/* plait_segment_open with the size of the options in words: what the inline function calls, for
 * bindings.
 *
 *   ret        as there.
 *   name       as there.
 *   opts       as there.
 *   opts_bytes sizeof *opts as the caller was compiled.
 *   until      as there.
 *   Blocks     as plait_segment_open.
 *   From       as plait_segment_open.
 *   Errors     as plait_segment_open.
 *   Fork       as plait_segment_open.
 *   Since      0.1
 */
PLAIT_API int plait_segment_open_sized(plait_segment **ret, const char *name,
                                       const plait_segment_opts *opts, size_t opts_bytes,
                                       plait_deadline until);

static inline int plait_segment_open(plait_segment **ret, const char *name,
                                     const plait_segment_opts *opts, plait_deadline until)
{
    return plait_segment_open_sized(ret, name, opts, sizeof *opts, until);
}

/* Close a segment, as often as it was opened. Then its memory is not there any more for this
 * process; what it holds in it is told to the others as if it had been killed.
 *
 *   segment   the segment; NULL is fine. No task of this process may use what lies in it any more.
 *   Blocks    while another thread of this process opens or closes one; up to a second while
 *             another process opens or closes this one.
 *   From      any task.
 *   Errors    -EINVAL  not open.
 *   Fork      usable in the child; its parent keeps it.
 *   Since     0.1
 */
PLAIT_API int plait_segment_close(plait_segment *segment);

/* Find a block of a segment, or make it: zeroes. It stays as long as the segment lives.
 *
 *   segment   the segment.
 *   ret       gets where it is in this process, aligned to 64 bytes; untouched on failure.
 *   key       its name: 1 to 47 bytes.
 *   bytes     its size.
 *   until     when to give up. A block that is there is found at once.
 *   Blocks    while other tasks make blocks in this segment.
 *   From      any task.
 *   Errors    -EINVAL     segment is not open, ret or key is NULL, the key empty, or bytes 0; the
 *                         block is there with another size.
 *             -ENAMETOOLONG  the key is too long.
 *             -ENOMEM     no room for it, or for another name, is left in the segment.
 *             -EBADMSG    somebody has written over the list of blocks.
 *             -ETIMEDOUT  others were making blocks all the time, or one of them is stopped.
 *             -ECANCELED  the task was asked to end while it waited.
 *             -EUSERS     the family has 4095 living members and cannot take in this process.
 *   Fork      usable in the child: it is at the same place there.
 *   Since     0.1
 */
PLAIT_API int plait_segment_get(plait_segment *segment, void **ret, const char *key, size_t bytes,
                                plait_deadline until);

/* Where something is in a segment, in words that mean the same to all its processes.
 *
 *   segment   the segment.
 *   ptr       into one of its blocks.
 *   Returns   its offset, never 0; 0: it is not in a block's place of that segment.
 *   Blocks    no.
 *   From      any task, and signal handlers.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API uint64_t plait_segment_offset(const plait_segment *segment, const void *ptr);

/* What lies at an offset of a segment. The offset may come from others: it is checked.
 *
 *   segment   the segment.
 *   offset    as plait_segment_offset says it.
 *   bytes     so many are needed there.
 *   Returns   where it is in this process; NULL: they do not all lie where blocks do.
 *   Blocks    no.
 *   From      any task, and signal handlers.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API void *plait_segment_at(const plait_segment *segment, uint64_t offset, size_t bytes);

/* The name by which this process opened it first.
 *
 *   segment   the segment.
 *   Returns   the name, until it is closed; NULL: it is not open.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API const char *plait_segment_name(const plait_segment *segment);

/* How many bytes it has for blocks, as it was made.
 *
 *   segment   the segment.
 *   Returns   the bytes; 0: it is not open.
 *   Blocks    no.
 *   From      any task.
 *   Errors    none.
 *   Fork      usable in the child.
 *   Since     0.1
 */
PLAIT_API uint64_t plait_segment_bytes(const plait_segment *segment);

PLAIT_END

#endif
