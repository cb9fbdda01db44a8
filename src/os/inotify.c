/* What happens to files.
 * SPDX-License-Identifier: MIT
 */
#include "os/inotify.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    ALL = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_DELETE |
          IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF
};

int plait__os_inotify(const char *path)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), rc;

    if (fd < 0)
        return -errno;
    if (inotify_add_watch(fd, path, ALL) < 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

ssize_t plait__os_inotify_read(int fd, void *bytes, size_t n)
{
    ssize_t rc;

    do
        rc = read(fd, bytes, n);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : rc;
}

static unsigned what_of(uint32_t mask)
{
    static const struct {
        uint32_t mask;
        unsigned what;
    } table[] = {
        { IN_MODIFY | IN_ATTRIB, PLAIT__FILE_CHANGED },
        { IN_CLOSE_WRITE, PLAIT__FILE_WRITTEN },
        { IN_CREATE | IN_MOVED_TO, PLAIT__FILE_CREATED },
        { IN_DELETE | IN_MOVED_FROM, PLAIT__FILE_REMOVED },
        { IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED, PLAIT__FILE_GONE },
        { IN_Q_OVERFLOW, PLAIT__FILE_LOST },
    };

    unsigned what = 0;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (mask & table[i].mask)
            what |= table[i].what;
    return what;
}

bool plait__os_inotify_next(const char **at, const char *end, struct plait__file_event *ret)
{
    const struct inotify_event *event = (const void *)*at; /* aligned: the kernel pads the names */

    if (*at >= end)
        return false;
    *ret = (struct plait__file_event){ .what = what_of(event->mask),
                                       .name = event->len > 0 ? event->name : "" };
    *at += sizeof *event + event->len;
    return true;
}
