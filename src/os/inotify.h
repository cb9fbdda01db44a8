/* What happens to files.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_INOTIFY_H
#define PLAIT__OS_INOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The bits are those of plait/watch.h. */
enum {
    PLAIT__FILE_CHANGED = 1,
    PLAIT__FILE_WRITTEN = 2,
    PLAIT__FILE_CREATED = 4,
    PLAIT__FILE_REMOVED = 8,
    PLAIT__FILE_GONE = 16,
    PLAIT__FILE_LOST = 32,
};

struct plait__file_event {
    unsigned what;
    const char *name; /* in the directory; "": of what is watched itself */
};

/* A descriptor, closed on exec, that is readable when something happened to the file or in the
 * directory. -ENOENT, -EACCES, -EMFILE, -ENOSPC (a limit on watches), -ENOMEM. */
int plait__os_inotify(const char *path);
/* Bytes of events, for the next function; n must have room for one with the longest name. How many ·
 * -EAGAIN. Never blocks. */
ssize_t plait__os_inotify_read(int fd, void *bytes, size_t n);
/* The event at *at, which goes on to the next one; false: there is none before end. */
bool plait__os_inotify_next(const char **at, const char *end, struct plait__file_event *ret);

#endif
