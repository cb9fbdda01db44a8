/* The public calls on groups.
 * SPDX-License-Identifier: MIT
 */
#include "task/group_calls.h"
#include "base/opts.h"
#include "family/self.h"
#include "task/coroutine.h"

#include <plait/semaphore.h>

#include <errno.h>
#include <stdlib.h>

struct plait_group {
    struct plait__group members; /* first */
    plait_semaphore room;        /* with a bound: for how many more there is a place */
    uint32_t bound;              /* const: 0: none */
    bool cancel_on_error;        /* const */
    uint32_t n_failed;           /* atomic */
    int error;                   /* atomic: the first one; 0: none */
    pid_t owner;                 /* const: the process that made it */
    struct plait__mutex lock;
    struct plait__list items; /* lock: those that have not ended; not in members.begun */
};

static void cancel_all(plait_group *group)
{
    plait__group_cancel(&group->members);
    plait__mutex_lock(&group->lock);
    list_for_each (node, &group->items)
        plait__group_cancel(&plait__list_entry(node, struct plait__group_item, node)->own);
    plait__mutex_unlock(&group->lock);
}

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
            cancel_all(group);
    }
    if (group->bound > 0)
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
    group->bound = ours.max_running;
    plait__list_init(&group->items);
    group->cancel_on_error = ours.cancel_on_error;
    group->owner = plait__self_pid();
    plait_semaphore_init(&group->room, ours.max_running);
    *ret = group;
    return 0;
}

int plait__group_check(const plait_group *group)
{
    if (group == NULL)
        return -EINVAL;
    return group->owner != plait__self_pid() ? -ECHILD : 0;
}

void plait_group_destroy(plait_group *group)
{
    if (plait__group_check(group) == 0) {
        cancel_all(group);
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

void plait__group_leave(plait_group *group)
{
    if (group->bound > 0)
        plait_semaphore_release(&group->room);
}

int plait__group_enter(plait_group *group, plait_deadline until)
{
    int rc = plait__group_check(group);

    if (rc < 0)
        return rc;
    if (is_cancelled(group))
        return -EPIPE;
    if (group->bound > 0)
        rc = plait_semaphore_acquire(&group->room, until);
    if (rc < 0 || !is_cancelled(group))
        return rc;
    plait__group_leave(group); /* it was, meanwhile */
    return -EPIPE;
}

int plait_group_go(plait_group *group, plait_task_fn *fn, void *arg, plait_deadline until)
{
    int rc = fn == NULL ? -EINVAL : plait__group_enter(group, until);

    if (rc < 0)
        return rc;
    rc = plait__coroutine_go(&group->members, fn, arg, 0);
    if (rc < 0)
        plait__group_leave(group);
    return rc;
}

int plait_group_go_copy(plait_group *group, plait_task_fn *fn, const void *arg, size_t arg_bytes,
                        plait_deadline until)
{
    int rc =
        fn == NULL || (arg == NULL && arg_bytes > 0) ? -EINVAL : plait__group_enter(group, until);

    if (rc < 0)
        return rc;
    rc = plait__coroutine_go(&group->members, fn, arg_bytes > 0 ? arg : NULL, arg_bytes);
    if (rc < 0)
        plait__group_leave(group);
    return rc;
}

int plait_group_start(plait_group *group, plait_task **ret, plait_task_fn *fn, void *arg,
                      plait_deadline until)
{
    plait_task *task = NULL;
    int rc = ret == NULL || fn == NULL ? -EINVAL : plait__group_enter(group, until);

    if (rc < 0)
        return rc;
    rc = plait__coroutine_create(&task, fn, arg, &(plait_task_opts){ 0 });
    if (rc < 0) {
        plait__group_leave(group);
        return rc;
    }
    plait__coroutine_enter(task, &group->members);
    task->ops->start(task, NULL); /* of a coroutine it cannot fail */
    *ret = task;
    return 0;
}

/* ---- one by one ---- */

static void on_item_end(struct plait__group *own, int code)
{
    struct plait__group_item *item = plait__list_entry(own, struct plait__group_item, own);
    plait_group *group = item->group;

    plait__mutex_lock(&group->lock);
    plait__list_remove(&item->node);
    plait__mutex_unlock(&group->lock);
    on_end(&group->members, code);
    item->on_end(item, code);
    plait__group_uncount(&group->members); /* the group may be gone from now on */
}

int plait__group_item_go(struct plait__group_item *item, plait_group *group, plait_task_fn *fn,
                         const void *site)
{
    int rc;

    item->own = (struct plait__group){ .on_end = on_item_end, .is_bare = item->is_bare };
    item->group = group;
    plait__group_add(&group->members);
    plait__mutex_lock(&group->lock);
    plait__list_push_back(&group->items, &item->node);
    plait__mutex_unlock(&group->lock);
    if (is_cancelled(group)) /* else who asks it to end from now on finds the item */
        plait__group_cancel(&item->own);
    rc = plait__coroutine_go_at(&item->own, fn, item, 0, site);
    if (rc == 0)
        return 0;
    plait__mutex_lock(&group->lock);
    plait__list_remove(&item->node);
    plait__mutex_unlock(&group->lock);
    plait__group_leave(group);
    plait__group_uncount(&group->members);
    return rc;
}

void plait__group_item_wait(struct plait__group_item *item)
{
    plait__mask_cancel();
    plait__group_wait(&item->own, PLAIT_FOREVER);
    plait__unmask_cancel();
}

bool plait__group_has_me(const plait_group *group)
{
    struct plait__group *around = plait__group_around();

    if (around == NULL || around->on_end != on_item_end)
        return around == &group->members;
    return plait__list_entry(around, struct plait__group_item, own)->group == group;
}

/* ---- all of them ---- */

int plait_group_join(plait_group *group, plait_deadline until)
{
    int rc = plait__group_check(group);

    if (rc == 0 && plait__group_has_me(group))
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
    int rc = plait__group_check(group);

    if (rc == 0)
        cancel_all(group);
    return rc;
}

uint32_t plait__group_bound(const plait_group *group)
{
    return group->bound;
}

uint32_t plait_group_count(const plait_group *group)
{
    return plait__group_check(group) == 0 ? plait__group_count(&group->members) : 0;
}

uint32_t plait_group_free_count(const plait_group *group)
{
    if (plait__group_check(group) < 0)
        return 0;
    return group->bound > 0 ? plait_semaphore_count(&group->room) : UINT32_MAX;
}
