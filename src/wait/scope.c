/* Scopes: one deadline around many waits.
 * SPDX-License-Identifier: MIT
 *
 * The task's sleeper knows the deadline that counts, and how many masks there were when it was set:
 * a scope does not reach into masks that were put on later, with which plait itself takes back locks.
 * A thread that is no task has no sleeper; it gets one while it is in a scope.
 */
#include <plait/scope.h>

#include "os/clock.h"
#include "wait/sleeper.h"

#include <errno.h>

/* Of a thread that is no task. A loop that is made while it is there keeps it. */
static _Thread_local struct plait__sleeper bare_sleeper;

static struct plait__sleeper *get_sleeper(void)
{
    struct plait__sleeper *sleeper = plait__sleeper_current();

    if (sleeper == NULL) {
        sleeper = &bare_sleeper;
        *sleeper = (struct plait__sleeper){ .is_bare = true };
        plait__sleeper_set_current(sleeper);
    }
    return sleeper;
}

int plait_scope_enter(plait_scope *scope, plait_deadline until)
{
    struct plait__sleeper *sleeper;
    int64_t outer_ns;

    if (scope == NULL)
        return -EINVAL;
    sleeper = get_sleeper();
    outer_ns = plait__in_scope(sleeper, PLAIT_FOREVER).ns;
    *scope = (plait_scope){ .sleeper = sleeper,
                            .until_ns = until.ns > 0 ? until.ns : 1, /* 0: there is no scope */
                            .outer_ns = sleeper->scope_ns,
                            .outer_masks = sleeper->scope_masks };
    scope->is_sooner = scope->until_ns < outer_ns;
    sleeper->scope_ns = scope->is_sooner ? scope->until_ns : outer_ns;
    sleeper->scope_masks = sleeper->masks;
    return 0;
}

bool plait_scope_leave(plait_scope *scope)
{
    struct plait__sleeper *sleeper = scope != NULL ? scope->sleeper : NULL;

    if (sleeper == NULL)
        return false;
    sleeper->scope_ns = scope->outer_ns;
    sleeper->scope_masks = scope->outer_masks;
    scope->sleeper = NULL;
    if (sleeper == &bare_sleeper && sleeper->scope_ns == 0 && sleeper->ops == NULL)
        plait__sleeper_set_current(NULL); /* it is no task again */
    return scope->is_sooner && plait__os_now_ns() >= scope->until_ns;
}

void plait_cancel_mask(void)
{
    plait__mask_cancel();
}

void plait_cancel_unmask(void)
{
    plait__unmask_cancel();
}
