/* Groups, for what is made of them above: coroutines of a group that are looked after one by one, such
 * as the items of a map and the nodes of a graph.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_GROUP_CALLS_H
#define PLAIT__TASK_GROUP_CALLS_H

#include "task/group.h"
#include <plait/group.h>

/* One coroutine of a group; the owner's memory, until it has ended. It is the only one in a small group
 * of its own, by which it can be asked to end (plait__group_cancel) and waited for, begun or not. */
struct plait__group_item {
    struct plait__group own; /* first */
    plait_group *group;      /* const while it runs */
    struct plait__list node; /* the group's lock: among those that have not ended */
    bool is_bare;            /* const: it is started by whoever happens to: see plait__group */
    /* const: it has ended, or, with -ENOMEM, never will begin. Called when its place in the group is
     * free again, before the group counts it as gone; may not wait. */
    void (*on_end)(struct plait__group_item *item, int code);
};

/* 0; -EINVAL: NULL; -ECHILD: of another process. */
int plait__group_check(const plait_group *group);
/* The most coroutines in it; 0: any number. */
uint32_t plait__group_bound(const plait_group *group);
/* Is the running coroutine one of it? */
bool plait__group_has_me(const plait_group *group);
/* Takes a place. 0; as plait_group_go says it. */
int plait__group_enter(plait_group *group, plait_deadline until);
/* Gives it back. */
void plait__group_leave(plait_group *group);
/* Starts fn(item) in a place that was taken; on_end is set. -ENOMEM: the place was given back. */
int plait__group_item_go(struct plait__group_item *item, plait_group *group, plait_task_fn *fn,
                         const void *site);
/* Waits until it has ended, and its memory is not in use any more; not a cancellation point. */
void plait__group_item_wait(struct plait__group_item *item);

#endif
