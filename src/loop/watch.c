/* What happens outside: signals, descriptors, ends of processes, changes of files.
 * SPDX-License-Identifier: MIT
 */
#include <plait/watch.h>

#include "os/fd.h"
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

/* 1: it is ready. */
static int wait_ready(struct plait__fd *one, plait_deadline until)
{
    int rc;

    do
        rc = plait__wait_fds(one, 1, until);
    while (rc == -EINTR);
    return rc;
}

/* 0: it is readable. */
static int wait_readable(int fd, plait_deadline until)
{
    int rc = wait_ready(&(struct plait__fd){ .fd = fd, .wanted = PLAIT__FD_READ }, until);

    return rc > 0 ? 0 : rc;
}

/* ---- descriptors ---- */

/* A hang-up alone is all that was asked for: whatever call follows does not wait. A descriptor that is
 * none looks so, too. */
int plait_fd_wait(int fd, unsigned events, plait_deadline until)
{
    struct plait__fd one = { .fd = fd };
    unsigned ready;
    int rc;

    if (events == 0 || (events & ~(unsigned)(PLAIT_READABLE | PLAIT_WRITABLE)))
        return -EINVAL;
    if (fd < 0)
        return -EBADF;
    one.wanted = (events & PLAIT_READABLE ? PLAIT__FD_READ : 0) |
                 (events & PLAIT_WRITABLE ? PLAIT__FD_WRITE : 0);
    rc = wait_ready(&one, until);
    if (rc > 0 && (one.ready & PLAIT__FD_HUP) && !plait__os_fd_is_open(fd))
        rc = -EBADF;
    if (rc < 0)
        return rc;
    ready = (one.ready & PLAIT__FD_READ ? PLAIT_READABLE : 0) |
            (one.ready & PLAIT__FD_WRITE ? PLAIT_WRITABLE : 0);
    return (int)(ready & events ? ready & events : events);
}

/* What a select that sleeps has for itself: plus one in the watch's state; 0: nothing yet. */
static void sleep_on(struct plait__watch *watch, int fd)
{
    watch->state = (uint64_t)fd + 1;
    watch->fd = fd;
    watch->wanted = PLAIT__FD_READ;
}

static void leave_own(const plait_waitable *on, struct plait__watch *watch)
{
    (void)on;
    if (watch->state != 0)
        close((int)watch->state - 1);
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

static int look_for_signal(const plait_waitable *on, struct plait__watch *watch,
                           struct plait__how how)
{
    int fd = (int)watch->state - 1;

    if (plait__os_signals_pending() & on->arg)
        return 1;
    if (!how.will_sleep)
        return 0;
    if (fd < 0)
        fd = plait__os_signal_fd(on->arg);
    if (fd < 0)
        return fd;
    sleep_on(watch, fd);
    return 0;
}

int plait_on_signal(plait_waitable *ret, int signal)
{
    static const struct plait__waitable_ops ops = { .look = look_for_signal, .leave = leave_own };

    if (ret == NULL || signal < 1 || signal >= NSIG ||
        !(plait__os_signals_blocked() & plait__signal_bit(signal)))
        return -EINVAL;
    plait__waitable_make(ret, &ops, NULL, plait__signal_bit(signal));
    return 0;
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

static int look_for_end(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    bool is_kept = watch->state != 0 || how.will_sleep;
    int fd = watch->state != 0 ? (int)watch->state - 1 : plait__os_pidfd_open((pid_t)on->arg);
    int rc;

    if (fd < 0)
        return fd == -ESRCH ? 1 : fd; /* it was reaped */
    rc = plait__os_fd_is_readable(fd);
    if (how.will_sleep)
        sleep_on(watch, fd);
    else if (!is_kept)
        close(fd);
    return rc;
}

int plait_on_pid(plait_waitable *ret, pid_t pid)
{
    static const struct plait__waitable_ops ops = { .look = look_for_end, .leave = leave_own };
    int fd;

    if (ret == NULL || pid <= 0)
        return -EINVAL;
    fd = plait__os_pidfd_open(pid);
    if (fd < 0)
        return fd;
    close(fd);
    plait__waitable_make(ret, &ops, NULL, (uint64_t)pid);
    return 0;
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
