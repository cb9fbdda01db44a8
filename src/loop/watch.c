/* What happens outside: signals, ends of processes, changes of files.
 * SPDX-License-Identifier: MIT
 */
#include <plait/watch.h>

#include "os/inotify.h"
#include "os/pidfd.h"
#include "os/signal.h"
#include "wait/wait.h"
#include "wait/waitable.h"

#include <errno.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* 0: it is readable. */
static int wait_readable(int fd, plait_deadline until)
{
    struct plait__fd one = { .fd = fd, .wanted = PLAIT__FD_READ };
    int rc;

    do
        rc = plait__wait_fds(&one, 1, until);
    while (rc == -EINTR);
    return rc > 0 ? 0 : rc;
}

/* ---- signals ---- */

int plait_signal_wait(const int *signals, size_t n, plait_deadline until)
{
    uint64_t wanted = 0;
    int fd, rc = 0;

    if (signals == NULL || n == 0)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (signals[i] < 1 || signals[i] >= NSIG)
            return -EINVAL;
        wanted |= plait__signal_bit(signals[i]);
    }
    if (wanted & ~plait__os_signals_blocked())
        return -EINVAL;
    fd = plait__os_signal_fd(wanted);
    if (fd < 0)
        return fd;
    while (rc == 0) {
        rc = wait_readable(fd, until);
        if (rc == 0)
            rc = plait__os_signal_read(fd); /* 0: another one took it */
    }
    close(fd);
    return rc;
}

/* ---- processes ---- */

int plait_pid_wait(pid_t pid, plait_deadline until)
{
    int fd, rc;

    if (pid <= 0)
        return -EINVAL;
    fd = plait__os_pidfd_open(pid);
    if (fd < 0)
        return fd;
    rc = wait_readable(fd, until);
    close(fd);
    return rc;
}

/* ---- files ---- */

enum {
    BYTES = 4096 /* of events at once */
};

struct plait_watch {
    int fd;
    const char *at, *end; /* what was read and not told */
    alignas(8) char bytes[BYTES];
};

int plait_watch_open(plait_watch **ret, const char *path)
{
    plait_watch *made;

    if (ret == NULL || path == NULL)
        return -EINVAL;
    made = malloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->at = made->end = made->bytes;
    made->fd = plait__os_inotify(path);
    if (made->fd < 0) {
        int rc = made->fd;
        free(made);
        return rc;
    }
    *ret = made;
    return 0;
}

int plait_watch_next(plait_watch *watch, plait_watch_event *ret, plait_deadline until)
{
    struct plait__file_event event;

    if (watch == NULL || ret == NULL)
        return -EINVAL;
    while (!plait__os_inotify_next(&watch->at, watch->end, &event)) {
        ssize_t n = plait__os_inotify_read(watch->fd, watch->bytes, sizeof watch->bytes);
        if (n == -EAGAIN)
            n = wait_readable(watch->fd, until);
        if (n < 0)
            return (int)n;
        watch->at = watch->bytes;
        watch->end = watch->bytes + n;
    }
    ret->what = event.what;
    snprintf(ret->name, sizeof ret->name, "%s", event.name);
    return 0;
}

static int look(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    const plait_watch *file = on->object;

    (void)how;
    watch->fd = file->fd;
    watch->wanted = PLAIT__FD_READ;
    return file->at < file->end || watch->ready_fd != 0;
}

int plait_watch_on_next(plait_waitable *ret, plait_watch *watch)
{
    static const struct plait__waitable_ops ops = { .look = look };

    if (ret == NULL || watch == NULL)
        return -EINVAL;
    plait__waitable_make(ret, &ops, watch, 0);
    return 0;
}

void plait_watch_close(plait_watch *watch)
{
    if (watch == NULL)
        return;
    close(watch->fd);
    free(watch);
}
