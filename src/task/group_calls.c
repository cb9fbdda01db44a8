/* The public calls on groups.
 * SPDX-License-Identifier: MIT
 */
#include <plait/group.h>
#include <plait/semaphore.h>

#include "base/opts.h"
#include "family/self.h"
#include "task/coroutine.h"

#include <errno.h>
#include <stdlib.h>

struct plait_group {
    struct plait__group members; /* first */
    plait_semaphore room;        /* with a bound: for how many more there is a place */
    bool is_bounded;             /* const */
    bool cancel_on_error;        /* const */
    uint32_t n_failed;           /* atomic */
    int error;                   /* atomic: the first one; 0: none */
    pid_t owner;                 /* const: the process that made it */
};

/* One has ended, and is not counted any more in a moment. */
static void on_end(struct plait__group *members, int code)
{
    plait_group *group = (plait_group *)members;
    int none = 0;

    if (code < 0) {
        /* relaxed, both: who joins sees them by the count */
        __atomic_fetch_add(&group->n_failed, 1, __ATOMIC_RELAXED);
        __atomic_compare_exchange_n(&group->error, &none, code, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
        if (group->cancel_on_error)
            plait__group_cancel(members);
    }
    if (group->is_bounded)
        plait_semaphore_release(&group->room);
}

int plait_group_create_sized(plait_group **ret, const plait_group_opts *opts, size_t opts_bytes)
{
    plait_group_opts ours;
    plait_group *group;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc < 0)
        return rc;
    if (ret == NULL || ours.max_running > PLAIT_SEMAPHORE_MAX)
        return -EINVAL;
    group = calloc(1, sizeof *group);
    if (group == NULL)
        return -ENOMEM;
    group->members.on_end = on_end;
    group->is_bounded = ours.max_running > 0;
    group->cancel_on_error = ours.cancel_on_error;
    group->owner = plait__self_pid();
    plait_semaphore_init(&group->room, ours.max_running);
    *ret = group;
    return 0;
}

static int check(const plait_group *group)
{
    if (group == NULL)
        return -EINVAL;
    return group->owner != plait__self_pid() ? -ECHILD : 0;
}

void plait_group_destroy(plait_group *group)
{
    if (check(group) == 0) {
        plait__group_cancel(&group->members);
        plait__mask_cancel();
        plait__group_wait(&group->members, PLAIT_FOREVER);
        plait__unmask_cancel();
    }
    free(group);
}

/* ---- start ---- */

/* relaxed: one that is started at the same moment is asked to end when it begins */
static bool is_cancelled(const plait_group *group)
{
    return __atomic_load_n(&group->members.is_cancelled, __ATOMIC_RELAXED) != 0;
}

static void leave(plait_group *group)
{
    if (group->is_bounded)
        plait_semaphore_release(&group->room);
}

/* Takes a place. */
static int enter(plait_group *group, plait_deadline until)
{
    int rc = check(group);

    if (rc < 0)
        return rc;
    if (is_cancelled(group))
        return -EPIPE;
    if (group->is_bounded)
        rc = plait_semaphore_acquire(&group->room, until);
    if (rc < 0 || !is_cancelled(group))
        return rc;
    leave(group); /* it was, meanwhile */
    return -EPIPE;
}

int plait_group_go(plait_group *group, plait_task_fn *fn, void *arg, plait_deadline until)
{
    int rc = fn == NULL ? -EINVAL : enter(group, until);

    if (rc < 0)
        return rc;
    rc = plait__coroutine_go(&group->members, fn, arg, 0);
    if (rc < 0)
        leave(group);
    return rc;
}

int plait_group_go_copy(plait_group *group, plait_task_fn *fn, const void *arg, size_t arg_bytes,
                        plait_deadline until)
{
    int rc = fn == NULL || (arg == NULL && arg_bytes > 0) ? -EINVAL : enter(group, until);

    if (rc < 0)
        return rc;
    rc = plait__coroutine_go(&group->members, fn, arg_bytes > 0 ? arg : NULL, arg_bytes);
    if (rc < 0)
        leave(group);
    return rc;
}

int plait_group_start(plait_group *group, plait_task **ret, plait_task_fn *fn, void *arg,
                      plait_deadline until)
{
    plait_task *task = NULL;
    int rc = ret == NULL || fn == NULL ? -EINVAL : enter(group, until);

    if (rc < 0)
        return rc;
    rc = plait__coroutine_create(&task, fn, arg, &(plait_task_opts){ 0 });
    if (rc < 0) {
        leave(group);
        return rc;
    }
    plait__coroutine_enter(task, &group->members);
    task->ops->start(task, NULL); /* of a coroutine it cannot fail */
    *ret = task;
    return 0;
}

/* ---- all of them ---- */

int plait_group_join(plait_group *group, plait_deadline until)
{
    int rc = check(group);

    if (rc == 0 && plait__group_around() == &group->members)
        rc = -EDEADLK;
    if (rc == 0)
        rc = plait__group_wait(&group->members, until);
    return rc < 0 ? rc : (int)__atomic_load_n(&group->n_failed, __ATOMIC_RELAXED);
}

int plait_group_error(const plait_group *group)
{
    return group != NULL ? __atomic_load_n(&group->error, __ATOMIC_RELAXED) : 0;
}

int plait_group_cancel(plait_group *group)
{
    int rc = check(group);

    if (rc == 0)
        plait__group_cancel(&group->members);
    return rc;
}

uint32_t plait_group_count(const plait_group *group)
{
    return check(group) == 0 ? plait__group_count(&group->members) : 0;
}

uint32_t plait_group_free_count(const plait_group *group)
{
    if (check(group) < 0)
        return 0;
    return group->is_bounded ? plait_semaphore_count(&group->room) : UINT32_MAX;
}
