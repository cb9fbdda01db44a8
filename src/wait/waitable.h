/* Something to wait for, as plait_select sees it.
 * SPDX-License-Identifier: MIT
 *
 * An object that can be waited for makes a plait_waitable with a table of its own (plait/waitable.h).
 * What one select remembers of it is a plait__watch, on the stack of the task that selects: nothing
 * of a select lies in the object but what other waits leave there too.
 *
 *     first      look at each; if none is ready and there is time:
 *     a moment   glance at those that are quick; if one is worth it: look at each again
 *     each round look at each with will_sleep; if none is ready: sleep on what they named
 *     at the end leave, on each that was looked at with glance or will_sleep
 */
#ifndef PLAIT__WAIT_WAITABLE_H
#define PLAIT__WAIT_WAITABLE_H

#include <plait/time.h>
#include <plait/waitable.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One waitable in one select. */
struct plait__watch {
    uint64_t state;    /* what the table likes; 0 at first */
    unsigned ready_fd; /* what `fd` was ready for after the last sleep, as plait__fd says it */
    bool has_looked;   /* glance or will_sleep was said before */
    bool is_ready;     /* what the last look said */

    /* filled by a look: what to sleep on */
    uint32_t *word; /* NULL: no word */
    uint32_t expected;
    int fd; /* -1: no descriptor */
    unsigned wanted;
    bool in_slices; /* a death may keep the wake from us: to be looked at thoroughly, and often */
    bool soon;      /* nobody will wake us: to be looked at in a moment */
};

struct plait__how {
    bool will_sleep; /* announce us: who makes it ready from now on wakes us */
    bool thorough;   /* also look for what the dead left behind */
    bool glance;     /* we are about to wait. Is it worth a look? Waits for nobody's lock */
};

struct plait__waitable_ops {
    /* 1: ready · 0: not · -errno: the select ends with it. With a descriptor: is ready_fd enough? */
    int (*look)(const plait_waitable *on, struct plait__watch *watch, struct plait__how how);
    /* The end of a select that has glanced or announced itself; passes on a wake that was spent on us. NULL:
     * nothing to do. */
    void (*leave)(const plait_waitable *on, struct plait__watch *watch);
    bool is_quick; /* a look makes no system call: worth looking for a moment before a sleep */
};

static inline void plait__waitable_make(plait_waitable *ret, const struct plait__waitable_ops *ops,
                                        void *object, uint64_t arg)
{
    *ret = (plait_waitable){ .ops = ops, .object = object, .arg = arg };
}

/* Waits until one of n is ready; ret gets the indexes of the first `max` that are, in ascending
 * order. How many · -ETIMEDOUT · -ECANCELED · -ENOMEM · what a look said. */
ssize_t plait__waitables_wait(const plait_waitable *on, size_t n, size_t *ret, size_t max,
                              plait_deadline until);

#endif
