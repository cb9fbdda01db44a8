/* Which process is meant, for ever.
 * SPDX-License-Identifier: MIT
 *
 * A pidfd is readable once all threads of its process have ended, and names the same process for as
 * long as it is open. So: open it by pid, see that the start time is the one we know, and only then
 * believe what it says. A process that is a zombie, or whose first thread alone has ended, is told
 * from a live one that way, which neither kill(2) nor the state in /proc can.
 *
 * What a number means depends on where it is read: a pid on the pid namespace of who asks, and in
 * /proc on that of the mount, which may be another one's; a start time on the time namespace.
 */
#include "os/identity.h"
#include "os/fd.h"
#include "os/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FIELDS_TO_START = 20 /* of /proc/PID/stat, from the state behind the name on */
};

/* The start time of a process, or 0. */
static uint64_t read_start(const char *path)
{
    char text[1024], *at;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    at = strrchr(text, ')'); /* a name can hold any character, blanks and this one too */
    for (int i = 0; at != NULL && i < FIELDS_TO_START; i++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

static uint64_t read_namespace(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? status.st_ino : 0;
}

void plait__os_identity_of_self(struct plait__identity *ret)
{
    ret->pid = getpid();
    ret->start = read_start("/proc/self/stat"); /* by number it may be another process there */
    ret->namespace = read_namespace("/proc/self/ns/pid");
    ret->clock = read_namespace("/proc/self/ns/time");
}

bool plait__os_proc_is_ours(void)
{
    char text[32];
    ssize_t n = readlink("/proc/self", text, sizeof text - 1);

    text[n > 0 ? n : 0] = '\0';
    return strtol(text, NULL, 10) == getpid();
}

/* Without a pidfd less can be told. `error` says why there is none. */
static bool is_gone(pid_t pid, int error)
{
    siginfo_t info = { .si_pid = 0 };

    /* no process has the pid, or it is that of some process's second thread by now: older kernels
     * say EINVAL, newer ones ENOENT */
    if (error == -ESRCH || error == -EINVAL || error == -ENOENT)
        return true;
    if (kill(pid, 0) < 0 && errno == ESRCH)
        return true;
    /* our own child, which has ended and which nobody has reaped: whoever had its pid is gone */
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
           info.si_pid == pid;
}

/* It lives, but is it the one we mean, or did another one get its pid? */
static bool is_another(int pidfd, const struct plait__identity *who,
                       const struct plait__identity *self)
{
    char path[64];
    uint64_t start;

    if (who->start == 0 || who->clock != self->clock || !plait__os_proc_is_ours())
        return false;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)who->pid);
    start = read_start(path);
    /* the pidfd was opened before: if its process has not ended by now, this was its time */
    return start != 0 && start != who->start && plait__os_fd_is_readable(pidfd) == 0;
}

bool plait__os_identity_is_dead(const struct plait__identity *who,
                                const struct plait__identity *self)
{
    int pidfd;
    bool is_dead;

    if (who->pid <= 0 || who->namespace != self->namespace)
        return false; /* elsewhere its pid means somebody else; nobody tells us */
    pidfd = plait__os_pidfd_open(who->pid);
    if (pidfd < 0)
        return is_gone(who->pid, pidfd);
    is_dead = plait__os_fd_is_readable(pidfd) > 0 || is_another(pidfd, who, self);
    close(pidfd);
    return is_dead;
}
