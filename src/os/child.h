/* What a new process sets up for itself before anything else runs in it.
 * SPDX-License-Identifier: MIT
 *
 * In two halves. The caller makes a plan from the options: it checks them, looks names up, opens and
 * copies descriptors, so that most of what is wrong is known before there is a child. The child then
 * does what the plan says, and calls nothing but the kernel: it may share its caller's memory, or be
 * a copy of a program whose other threads held any lock.
 */
#ifndef PLAIT__OS_CHILD_H
#define PLAIT__OS_CHILD_H

#include <plait/process.h>

#include <sys/types.h>

/* What the child does; all zero: nothing. */
struct plait__child_setup {
    int fds[3];      /* become 0, 1 and 2; each at or above 3, or 0: stays as it is */
    int opened[3];   /* above 0: ours, closed when they have become 0, 1 or 2 */
    const int *keep; /* at or above 3, ascending, each once */
    size_t n_keep;
    bool close_others; /* all but 0, 1, 2 and `keep` */
    bool keep_at_exec; /* an exec does not close those of `keep` either */
    bool new_group;    /* leads a process group of its own */
    bool new_session;  /* leads a session of its own */
    bool has_nice;
    int nice;
    const char *directory; /* NULL: the caller's */
    const plait_limit *limits;
    size_t n_limits;
    const void *cpus; /* a set as of sched_setaffinity */
    size_t cpu_bytes; /* 0: the caller's */
    const gid_t *groups;
    size_t n_groups;
    gid_t gid;
    uid_t uid;
    bool has_groups, has_gid, has_uid;
};

/* In the child: does it, step by step. 0, or -errno of the step that failed and whose name
 * *ret_step then gets, a constant ("chdir"). Async-signal-safe, and writes to no memory but its
 * stack. A parent's death signal has to be asked for after it: a change of the user takes it back. */
int plait__os_child_set_up(const struct plait__child_setup *setup, const char **ret_step);

/* The environment of the calling process from now on. */
void plait__os_set_environment(char *const *environment);

/* A setup and what it points to. */
struct plait__child_plan {
    struct plait__child_setup setup;
    int *keep;
    void *cpus;
    gid_t *groups;
};

enum {
    PLAIT__CHILD_EXTRA_FDS = 8 /* so many may be kept by plait__child_plan_keep */
};

/* Checks the options and makes the plan. The options must live as long as it does.
 * -EINVAL · -E2BIG: of a later version · -EBADF: a descriptor that is not open · -ENOENT: no such user
 * or group · -EMFILE · -ENOMEM; *ret_step names what it is about then. plait__child_plan_fini in any
 * case. */
int plait__child_plan_make(struct plait__child_plan *ret, const plait_process_opts *opts,
                           const char **ret_step);
/* One more that is not closed; at or above 3. */
void plait__child_plan_keep(struct plait__child_plan *plan, int fd);
/* Gives back what the plan has. */
void plait__child_plan_fini(struct plait__child_plan *plan);

#endif
