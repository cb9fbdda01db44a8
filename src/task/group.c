/* The coroutines that belong together.
 * SPDX-License-Identifier: MIT
 */
#include "task/group.h"
#include "os/rmw.h"
#include "wait/wait.h"

#include <limits.h>

void plait__group_add(struct plait__group *group)
{
    /* the caller will see it, and whoever waits asks after what happened before */
    plait__rmw_add(&group->count, 1);
}

void plait__group_uncount(struct plait__group *group)
{
    uint32_t before;

    /* acq_rel: the partner is plait__group_count. From the moment that it is 0, nothing of the group
     * but the address of its word may be used. */
    before = plait__rmw_add(&group->count, UINT32_MAX);
    if (before == (PLAIT__GROUP_AWAITED | 1))
        plait__wake_own(&group->count, UINT_MAX);
}

void plait__group_drop(struct plait__group *group, int code)
{
    if (group->on_end != NULL)
        group->on_end(group, code);
    plait__group_uncount(group);
}

void plait__group_begin(struct plait__group *group, struct plait__group_member *member)
{
    plait__mutex_lock(&group->lock);
    if (group->begun.next == NULL)
        plait__list_init(&group->begun);
    plait__list_push_back(&group->begun, &member->node);
    /* under the lock: either it is seen here, or plait__group_cancel sees the member */
    if (__atomic_load_n(&group->is_cancelled, __ATOMIC_RELAXED))
        __atomic_store_n(&member->sleeper->cancel, 1, __ATOMIC_SEQ_CST);
    plait__mutex_unlock(&group->lock);
}

void plait__group_end(struct plait__group *group, struct plait__group_member *member, int code)
{
    plait__mutex_lock(&group->lock);
    plait__list_remove(&member->node);
    plait__mutex_unlock(&group->lock);
    plait__group_drop(group, code);
}

int plait__group_wait(struct plait__group *group, plait_deadline until)
{
    int rc = 0;

    while (rc == 0 && plait__group_count(group) != 0) {
        uint32_t seen = __atomic_or_fetch(&group->count, PLAIT__GROUP_AWAITED, __ATOMIC_ACQ_REL);
        plait__say_wait(PLAIT__ON_GROUP, &group->count);
        if (seen != PLAIT__GROUP_AWAITED)
            rc = plait__wait_word(&group->count, seen, until);
    }
    return rc;
}

void plait__group_cancel(struct plait__group *group)
{
    plait__mutex_lock(&group->lock);
    __atomic_store_n(&group->is_cancelled, 1, __ATOMIC_RELAXED);
    if (group->begun.next != NULL)
        list_for_each (node, &group->begun)
            plait__cancel(plait__list_entry(node, struct plait__group_member, node)->sleeper);
    plait__mutex_unlock(&group->lock);
}
