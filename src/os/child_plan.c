/* What a new process sets up for itself: the caller's half.
 * SPDX-License-Identifier: MIT
 */
#include "base/opts.h"
#include "os/child.h"
#include "os/fd.h"
#include "os/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    NICE_MIN = -20,
    NICE_MAX = 19,
    CPUS_MAX = 1 << 16, /* more than any kernel knows */
    NAME_BYTES = 1024,  /* what an entry of a user takes, at first … */
    NAME_MAX_BYTES = 1 << 20,
    GROUPS = 32
};

/* ---- descriptors ---- */

/* The source of a standard descriptor, at or above 3, of which *ret_opened is ours. */
static int find_source(int wanted, int *ret_opened)
{
    int fd = wanted, copy;

    if (wanted == PLAIT_FD_NULL) {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (fd < 0)
            return -errno;
    } else if (wanted < 0) {
        return -EINVAL;
    } else if (!plait__os_fd_is_open(wanted)) {
        return -EBADF;
    }
    if (fd >= 3 && wanted != PLAIT_FD_NULL)
        return fd;
    copy = fd < 3 ? plait__os_dup_above(fd, 3) : fd;
    if (fd != copy && wanted == PLAIT_FD_NULL)
        close(fd);
    if (copy > 0)
        *ret_opened = copy;
    return copy;
}

static int plan_standard_fds(struct plait__child_plan *plan, const plait_process_opts *opts)
{
    struct plait__child_setup *setup = &plan->setup;
    const int wanted[3] = { opts->in, opts->out, opts->err };

    for (int i = 0; i < 3; i++) {
        if (wanted[i] == 0)
            continue;
        if (i == 2 && wanted[i] == PLAIT_FD_OUT && setup->fds[1] != 0) {
            setup->fds[2] = setup->fds[1];
            continue;
        }
        int rc = find_source(i == 2 && wanted[i] == PLAIT_FD_OUT ? STDOUT_FILENO : wanted[i],
                             &setup->opened[i]);
        if (rc < 0)
            return rc;
        setup->fds[i] = rc;
    }
    return 0;
}

/* Into its place; each once. */
static void insert(int *fds, size_t *n, int fd)
{
    size_t i = *n;

    for (size_t at = 0; at < *n; at++)
        if (fds[at] == fd)
            return;
    for (; i > 0 && fds[i - 1] > fd; i--)
        fds[i] = fds[i - 1];
    fds[i] = fd;
    ++*n;
}

static int plan_other_fds(struct plait__child_plan *plan, const plait_process_opts *opts)
{
    if (!opts->close_fds && opts->n_keep_fds == 0)
        return 0;
    plait__probe_has(PLAIT__PROBE_CLOSE_RANGE); /* the child must not be the first to ask */
    plan->keep = calloc(opts->n_keep_fds + PLAIT__CHILD_EXTRA_FDS, sizeof *plan->keep);
    if (plan->keep == NULL)
        return -ENOMEM;
    plan->setup.keep = plan->keep;
    plan->setup.close_others = opts->close_fds;
    for (size_t i = 0; i < opts->n_keep_fds; i++) {
        int fd = opts->keep_fds[i];
        if (!plait__os_fd_is_open(fd))
            return fd < 0 ? -EINVAL : -EBADF;
        if (fd >= 3)
            insert(plan->keep, &plan->setup.n_keep, fd);
    }
    return 0;
}

void plait__child_plan_keep(struct plait__child_plan *plan, int fd)
{
    if (plan->setup.close_others)
        insert(plan->keep, &plan->setup.n_keep, fd);
}

/* ---- limits, CPUs ---- */

static int plan_limits(struct plait__child_plan *plan, const plait_process_opts *opts)
{
    for (size_t i = 0; i < opts->n_limits; i++) {
        const plait_limit *limit = &opts->limits[i];
        if (limit->resource < 0 || limit->resource >= (int)RLIM_NLIMITS ||
            limit->soft > limit->hard)
            return -EINVAL;
    }
    plan->setup.limits = opts->limits;
    plan->setup.n_limits = opts->n_limits;
    return 0;
}

static int plan_cpus(struct plait__child_plan *plan, const plait_process_opts *opts)
{
    size_t bytes;
    int most = -1;

    for (size_t i = 0; i < opts->n_cpus; i++) {
        if (opts->cpus[i] < 0 || opts->cpus[i] >= CPUS_MAX)
            return -EINVAL;
        most = opts->cpus[i] > most ? opts->cpus[i] : most;
    }
    if (most < 0)
        return 0;
    bytes = CPU_ALLOC_SIZE(most + 1);
    plan->cpus = calloc(1, bytes);
    if (plan->cpus == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < opts->n_cpus; i++)
        CPU_SET_S(opts->cpus[i], bytes, (cpu_set_t *)plan->cpus);
    plan->setup.cpus = plan->cpus;
    plan->setup.cpu_bytes = bytes;
    return 0;
}

/* ---- users and groups ---- */

/* A number in digits, or -1. */
static int64_t to_id(const char *name)
{
    int64_t id = 0;

    if (name[0] == '\0')
        return -1;
    for (; *name >= '0' && *name <= '9'; name++) {
        id = id * 10 + (*name - '0');
        if (id >= UINT32_MAX) /* which means "leave it" to the kernel */
            return -1;
    }
    return *name == '\0' ? id : -1;
}

/* Calls `find` with more and more room until its entry fits. 0; -ENOENT: there is none; -errno. */
static int find_entry(int (*find)(const char *name, char *buf, size_t n, void *ret),
                      const char *name, char **ret_buf, void *ret)
{
    for (size_t n = NAME_BYTES; n <= NAME_MAX_BYTES; n *= 2) {
        char *buf = malloc(n);
        if (buf == NULL)
            return -ENOMEM;
        int rc = find(name, buf, n, ret);
        if (rc == 0) {
            *ret_buf = buf;
            return 0;
        }
        free(buf);
        if (rc != -ERANGE)
            return rc;
    }
    return -ENOMEM;
}

/* What the C library says where it knows nobody differs; ERANGE alone has a meaning. */
static int explain(int error, bool found)
{
    return found ? 0 : error == ERANGE || error == ENOMEM || error == EMFILE ? -error : -ENOENT;
}

static int find_user(const char *name, char *buf, size_t n, void *ret)
{
    struct passwd *found = NULL;
    int64_t id = to_id(name);
    int error =
        id < 0 ? getpwnam_r(name, ret, buf, n, &found) : getpwuid_r((uid_t)id, ret, buf, n, &found);

    return explain(error, found != NULL);
}

static int find_group(const char *name, char *buf, size_t n, void *ret)
{
    struct group *found = NULL;
    int error = getgrnam_r(name, ret, buf, n, &found);

    return explain(error, found != NULL);
}

static int plan_group(struct plait__child_setup *setup, const char *name)
{
    int64_t id = to_id(name);
    struct group group;
    char *buf = NULL;
    int rc = 0;

    if (id < 0)
        rc = find_entry(find_group, name, &buf, &group);
    if (rc < 0)
        return rc;
    setup->gid = id < 0 ? group.gr_gid : (gid_t)id;
    setup->has_gid = true;
    free(buf);
    return 0;
}

/* The groups that the user is in, with its own. */
static int list_groups(struct plait__child_plan *plan, const char *name)
{
    for (int n = GROUPS, tries = 0; tries < 3; tries++) {
        gid_t *groups = reallocarray(plan->groups, (size_t)n, sizeof *groups);
        if (groups == NULL)
            return -ENOMEM;
        plan->groups = groups;
        if (getgrouplist(name, plan->setup.gid, groups, &n) >= 0) {
            plan->setup.n_groups = (size_t)n;
            return 0;
        }
    }
    return -ENOMEM;
}

/* Nobody of the tables: a number, which has no other group than the given one. */
static int list_group(struct plait__child_plan *plan)
{
    plan->groups = malloc(sizeof *plan->groups);
    if (plan->groups == NULL)
        return -ENOMEM;
    plan->groups[0] = plan->setup.gid;
    plan->setup.n_groups = 1;
    return 0;
}

static int plan_user(struct plait__child_plan *plan, const plait_process_opts *opts)
{
    struct plait__child_setup *setup = &plan->setup;
    struct passwd user;
    char *buf = NULL;
    int rc = opts->group != NULL ? plan_group(setup, opts->group) : 0;

    if (rc < 0 || opts->user == NULL)
        return rc;
    rc = find_entry(find_user, opts->user, &buf, &user);
    if (rc == 0) {
        setup->uid = user.pw_uid;
        setup->gid = setup->has_gid ? setup->gid : user.pw_gid;
        rc = list_groups(plan, user.pw_name);
    } else if (rc == -ENOENT && to_id(opts->user) >= 0 && setup->has_gid) {
        setup->uid = (uid_t)to_id(opts->user);
        rc = list_group(plan);
    }
    free(buf);
    setup->groups = plan->groups;
    setup->has_groups = setup->has_gid = setup->has_uid = rc == 0;
    return rc;
}

/* ---- the plan ---- */

static int plan_niceness(struct plait__child_plan *plan, const plait_process_opts *opts)
{
    plan->setup.has_nice = opts->has_nice;
    plan->setup.nice = opts->nice;
    return opts->has_nice && (opts->nice < NICE_MIN || opts->nice > NICE_MAX) ? -EINVAL : 0;
}

static bool has_arrays(const plait_process_opts *opts)
{
    return (opts->n_keep_fds == 0 || opts->keep_fds != NULL) &&
           (opts->n_limits == 0 || opts->limits != NULL) &&
           (opts->n_cpus == 0 || opts->cpus != NULL);
}

int plait__child_plan_make(struct plait__child_plan *ret, const plait_process_opts *opts,
                           const char **ret_step)
{
    static const struct {
        int (*fn)(struct plait__child_plan *plan, const plait_process_opts *opts);
        const char *name;
    } steps[] = {
        { plan_limits, "setrlimit" }, { plan_niceness, "nice" }, { plan_cpus, "affinity" },
        { plan_other_fds, "close" },  { plan_user, "user" },     { plan_standard_fds, "dup2" },
    };

    int rc;

    *ret = (struct plait__child_plan){ .setup = { .directory = opts->directory,
                                                  .new_group = opts->new_group,
                                                  .new_session = opts->new_session } };
    *ret_step = "options";
    rc = plait__opts_copy(ret, 0, opts->spare, sizeof opts->spare); /* nothing there is known */
    if (rc < 0)
        return rc;
    if (!has_arrays(opts))
        return -EINVAL;
    for (size_t i = 0; rc == 0 && i < sizeof steps / sizeof *steps; i++) {
        *ret_step = steps[i].name;
        rc = steps[i].fn(ret, opts);
    }
    return rc;
}

void plait__child_plan_fini(struct plait__child_plan *plan)
{
    for (int i = 0; i < 3; i++)
        if (plan->setup.opened[i] > 0)
            close(plan->setup.opened[i]);
    free(plan->keep);
    free(plan->cpus);
    free(plan->groups);
}
