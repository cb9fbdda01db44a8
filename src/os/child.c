/* What a new process sets up for itself: the child's half.
 * SPDX-License-Identifier: MIT
 *
 * The user comes last but one, since much of the rest needs the privilege that it gives up.
 */
#include "os/child.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int set_group(const struct plait__child_setup *setup)
{
    if (setup->new_session) /* which brings a group */
        return setsid() < 0 ? -errno : 0;
    return setup->new_group && setpgid(0, 0) < 0 ? -errno : 0;
}

static int set_standard_fds(const struct plait__child_setup *setup)
{
    for (int fd = 0; fd < 3; fd++)
        if (setup->fds[fd] > 0 && dup2(setup->fds[fd], fd) < 0)
            return -errno;
    for (int fd = 0; fd < 3; fd++)
        if (setup->opened[fd] > 0)
            close(setup->opened[fd]);
    return 0;
}

static int close_fds(const struct plait__child_setup *setup)
{
    if (setup->close_others)
        plait__os_close_others(setup->keep, setup->n_keep);
    for (size_t i = 0; setup->keep_at_exec && i < setup->n_keep; i++)
        if (fcntl(setup->keep[i], F_SETFD, 0) < 0)
            return -errno;
    return 0;
}

static int set_directory(const struct plait__child_setup *setup)
{
    return setup->directory != NULL && chdir(setup->directory) < 0 ? -errno : 0;
}

static int set_limits(const struct plait__child_setup *setup)
{
    for (size_t i = 0; i < setup->n_limits; i++) {
        const plait_limit *limit = &setup->limits[i];
        struct rlimit both = { .rlim_cur = (rlim_t)limit->soft, .rlim_max = (rlim_t)limit->hard };
        if (setrlimit(limit->resource, &both) < 0)
            return -errno;
    }
    return 0;
}

static int set_niceness(const struct plait__child_setup *setup)
{
    return setup->has_nice && setpriority(PRIO_PROCESS, 0, setup->nice) < 0 ? -errno : 0;
}

/* These are raw calls: the C library's would do it to all threads that it knows of, which are not in
 * this process. */

static int set_cpus(const struct plait__child_setup *setup)
{
    return setup->cpu_bytes > 0 &&
                   syscall(SYS_sched_setaffinity, 0, setup->cpu_bytes, setup->cpus) < 0
               ? -errno
               : 0;
}

static int set_groups(const struct plait__child_setup *setup)
{
    return setup->has_groups && syscall(SYS_setgroups, setup->n_groups, setup->groups) < 0 ? -errno
                                                                                           : 0;
}

static int set_gid(const struct plait__child_setup *setup)
{
    return setup->has_gid && syscall(SYS_setresgid, setup->gid, setup->gid, setup->gid) < 0 ? -errno
                                                                                            : 0;
}

static int set_uid(const struct plait__child_setup *setup)
{
    return setup->has_uid && syscall(SYS_setresuid, setup->uid, setup->uid, setup->uid) < 0 ? -errno
                                                                                            : 0;
}

int plait__os_child_set_up(const struct plait__child_setup *setup, const char **ret_step)
{
    static const struct {
        int (*fn)(const struct plait__child_setup *setup);
        const char *name;
    } steps[] = {
        { set_group, "setpgid" },   { set_standard_fds, "dup2" }, { close_fds, "close" },
        { set_directory, "chdir" }, { set_limits, "setrlimit" },  { set_niceness, "nice" },
        { set_cpus, "affinity" },   { set_groups, "setgroups" },  { set_gid, "setgid" },
        { set_uid, "setuid" },
    };

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int rc = steps[i].fn(setup);
        if (rc < 0) {
            *ret_step = steps[i].name;
            return rc;
        }
    }
    return 0;
}

void plait__os_set_environment(char *const *environment)
{
    environ = (char **)(uintptr_t)environment;
}
