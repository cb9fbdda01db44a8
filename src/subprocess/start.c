/* Starting subprocesses: options, pipes, one program or several.
 * SPDX-License-Identifier: MIT
 */
#include "base/opts.h"
#include "family/self.h"
#include "os/fd.h"
#include "os/process.h"
#include "subprocess/subprocess.h"
#include "task/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a program has to be given, by turns. */
enum {
    IN,
    OUT,
    ERR
};

/* A pipe whose ends are both above what the caller may mean by 0, 1 and 2. */
static int make_pipe(int ret_fds[2])
{
    int fds[2], rc = plait__os_pipe(fds);

    for (int i = 0; rc == 0 && i < 2; i++) {
        int lifted = fds[i] < 3 ? plait__os_dup_above(fds[i], 3) : fds[i];
        if (lifted != fds[i])
            close(fds[i]);
        fds[i] = lifted;
        rc = lifted < 0 ? lifted : 0;
        if (rc < 0)
            close(fds[1 - i]);
    }
    if (rc == 0)
        memcpy(ret_fds, fds, sizeof fds);
    return rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The environment with the mark in it, instead of that of somebody above. */
static char **mark_environment(plait_subprocess *p, char *const *environment)
{
    size_t n = 0, length = strlen(PLAIT__TREE_ENV);
    char **marked;

    p->mark = plait__os_random() | 1;
    plait__keeper_tree_env(p->mark_env, p->mark);
    while (environment[n] != NULL)
        n++;
    marked = calloc(n + 2, sizeof *marked);
    if (marked == NULL)
        return NULL;
    n = 0;
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, PLAIT__TREE_ENV, length) != 0)
            marked[n++] = *environment;
    marked[n] = p->mark_env;
    return marked;
}

/* 0 or -errno; what it made belongs to the plan. */
static int make_plan(plait_subprocess *p, struct plait__subprocess_plan *plan)
{
    static char *const none[] = { NULL };

    if (plan->opts.process != NULL)
        plan->process = *plan->opts.process;
    if (plan->process.environment == NULL) /* after a clearenv there is none at all */
        plan->process.environment = environ != NULL ? environ : none;
    plan->stack = plait__os_spawn_stack();
    if (plan->stack == NULL)
        return -ENOMEM;
    if (!p->tree)
        return 0;
    plan->environment = mark_environment(p, plan->process.environment);
    plan->process.environment = plan->environment;
    return plan->environment == NULL ? -ENOMEM : 0;
}

static void free_plan(struct plait__subprocess_plan *plan)
{
    plait__os_spawn_stack_free(plan->stack);
    free(plan->environment);
}

/* The ends that a program gets and that are ours to close. */
struct ends {
    int theirs[3];
};

/* Makes a pipe if `wanted` asks for one: *ret_ours is our end, ends->theirs[which] the program's. */
static int plug(int *wanted, int which, struct ends *ends, int *ret_ours)
{
    int fds[2], rc;

    if (*wanted != PLAIT_FD_PIPE)
        return 0;
    rc = make_pipe(fds);
    if (rc < 0)
        return rc;
    *ret_ours = fds[which != IN ? 0 : 1];
    *wanted = ends->theirs[which] = fds[which != IN ? 1 : 0];
    return 0;
}

/* The i-th program. *from is the end that it reads, when it is not the first, and gets that which the
 * next one reads. */
static int start_one(plait_subprocess *p, size_t i, const char *const *argv,
                     const struct plait__subprocess_plan *plan, int *from)
{
    struct plait__subprocess_plan own = *plan;
    struct ends ends = { .theirs = { *from, -1, -1 } };
    bool is_last = i + 1 == p->n;
    int to = -1, rc = 0;

    *from = -1;
    if (i > 0)
        own.process.in = ends.theirs[IN];
    else
        rc = plug(&own.process.in, IN, &ends, &p->in);
    if (!is_last)
        own.process.out = PLAIT_FD_PIPE;
    if (rc == 0)
        rc = plug(&own.process.out, OUT, &ends, is_last ? &p->outs[0] : &to);
    if (rc == 0)
        rc = plait__subprocess_spawn(p, &p->programs[i], argv, &own);
    for (int which = 0; which < 3; which++)
        close_fd(&ends.theirs[which]);
    if (rc < 0)
        close_fd(&to);
    *from = to;
    return rc;
}

/* err goes to one pipe, whichever program writes it. */
static int start_all(plait_subprocess *p, const char *const *const *argvs,
                     struct plait__subprocess_plan *plan)
{
    struct ends ends = { .theirs = { -1, -1, -1 } };
    int from = -1;
    int rc = plug(&plan->process.err, ERR, &ends, &p->outs[1]);

    for (size_t i = 0; rc == 0 && i < p->n; i++)
        rc = start_one(p, i, argvs[i], plan, &from);
    close_fd(&ends.theirs[ERR]);
    return rc;
}

static int check(plait_subprocess **ret, const char *const *const *argvs, size_t n)
{
    if (ret == NULL || argvs == NULL || n == 0 || n > SIZE_MAX / 2 / sizeof(struct plait__program))
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        if (argvs[i] == NULL || argvs[i][0] == NULL)
            return -EINVAL;
    return 0;
}

static plait_subprocess *create(size_t n, const plait_subprocess_opts *opts)
{
    plait_subprocess *p = calloc(1, sizeof *p + n * sizeof *p->programs);

    if (p == NULL)
        return NULL;
    plait__list_init(&p->node);
    p->owner = plait__self_pid();
    p->tree = opts->tree;
    p->is_detached = opts->detach;
    p->keeper = plait__keeper_generation(); /* it may change before all are started */
    p->max_bytes = opts->max_bytes;
    p->in = p->outs[0] = p->outs[1] = -1;
    p->n = n;
    for (size_t i = 0; i < n; i++)
        p->programs[i].pidfd = -1;
    return p;
}

static int start_begun(plait_subprocess **ret, const char *const *const *argvs, size_t n,
                       const plait_subprocess_opts *opts)
{
    struct plait__subprocess_plan plan = { .opts = *opts };
    plait_subprocess *p = create(n, opts);
    int rc = p != NULL ? make_plan(p, &plan) : -ENOMEM;

    if (rc == 0)
        rc = start_all(p, argvs, &plan);
    free_plan(&plan);
    if (rc < 0) {
        if (p != NULL)
            p->is_detached = false; /* what had been started is ended */
        plait_subprocess_destroy(p);
        return rc;
    }
    plait__subprocess_enlist(p);
    *ret = p;
    return 0;
}

static int start(plait_subprocess **ret, const char *const *const *argvs, size_t n,
                 const plait_subprocess_opts *opts)
{
    int rc = plait__subprocess_begin();

    if (rc < 0)
        return rc;
    rc = start_begun(ret, argvs, n, opts);
    plait__subprocess_begun();
    return rc;
}

int plait_subprocess_start_sized(plait_subprocess **ret, const char *const *argv,
                                 const plait_subprocess_opts *opts, size_t opts_bytes)
{
    plait_subprocess_opts ours;
    int rc = check(ret, &argv, 1);

    if (rc == 0)
        rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);
    return rc < 0 ? rc : start(ret, &argv, 1, &ours);
}

int plait_subprocess_start_pipeline_sized(plait_subprocess **ret, const char *const *const *argvs,
                                          size_t n, const plait_subprocess_opts *opts,
                                          size_t opts_bytes)
{
    plait_subprocess_opts ours;
    int rc = check(ret, argvs, n);

    if (rc == 0)
        rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);
    if (rc == 0 && ours.shell)
        rc = -EINVAL;
    return rc < 0 ? rc : start(ret, argvs, n, &ours);
}
