/* Which process is meant, for ever.
 * SPDX-License-Identifier: MIT
 *
 * A pidfd is readable once all threads of its process have ended, and names the same process for as
 * long as it is open. So: open it by pid, see that the start time is the one we know, and only then
 * believe what it says. A process that is a zombie, or whose first thread alone has ended, is told
 * from a live one that way, which neither kill(2) nor the state in /proc can.
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
#include <unistd.h>

enum {
    FIELDS_TO_START = 20 /* of /proc/PID/stat, from the state behind the name on */
};

/* The start time of a process, or 0. */
static uint64_t read_start(pid_t pid)
{
    char path[64], text[1024], *at;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
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

static uint64_t read_namespace(void)
{
    struct stat status;

    return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

void plait__os_identity_of_self(struct plait__identity *ret)
{
    ret->pid = getpid();
    ret->start = read_start(ret->pid);
    ret->namespace = read_namespace();
}

bool plait__os_identity_is_dead(const struct plait__identity *who)
{
    int pidfd;
    bool is_dead;

    if (who->pid <= 0)
        return false;
    if (who->namespace != 0 && who->namespace != read_namespace())
        return false; /* there its pid means somebody else; nobody tells us */
    pidfd = plait__os_pidfd_open(who->pid);
    if (pidfd < 0) /* nobody has the pid; or no descriptor is left: what can be told without one */
        return pidfd == -ESRCH || (kill(who->pid, 0) < 0 && errno == ESRCH);
    is_dead = plait__os_fd_is_readable(pidfd) > 0;
    if (!is_dead && who->start != 0) { /* is it the one we mean, or did another one get its pid? */
        uint64_t start = read_start(who->pid);
        /* the pidfd was opened before: if its process has not ended by now, this was its time */
        is_dead = start != 0 && start != who->start && plait__os_fd_is_readable(pidfd) == 0;
    }
    close(pidfd);
    return is_dead;
}
