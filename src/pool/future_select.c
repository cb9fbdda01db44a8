/* Futures in a select.
 * SPDX-License-Identifier: MIT
 *
 * Whoever makes a future ready rings the bell of this process, as for all who wait for ends. Who
 * sleeps on it brings in what has ended at each look.
 */
#include "chan/bell.h"
#include "pool/pool.h"
#include "wait/waitable.h"

#include <errno.h>

static int look(const plait_waitable *on, struct plait__watch *watch, struct plait__how how)
{
    plait_future *future = on->object;
    int rc = plait__future_check(future);

    if (rc < 0)
        return rc;
    if (how.will_sleep) {
        if (watch->state == 0)
            plait__ends_count(true);
        watch->state = 1; /* until we leave */
        plait__future_watch(future);
        watch->word = plait__ends_bell();
        watch->expected = plait__bell_announce(watch->word, PLAIT__BELL_MOST_WANT);
        watch->in_slices = true;
    }
    if (!plait__future_has_ended(future))
        plait__pool_pump(future->job.pool, how.will_sleep);
    return plait__future_has_ended(future);
}

static void leave(const plait_waitable *on, struct plait__watch *watch)
{
    (void)on;
    if (watch->state != 0)
        plait__ends_count(false);
    watch->state = 0;
}

int plait_future_on_end(plait_waitable *ret, plait_future *future)
{
    static const struct plait__waitable_ops ops = { .look = look, .leave = leave };
    int rc = ret == NULL ? -EINVAL : plait__future_check(future);

    /* a wait in a job may have to run what it waits for: a select can't */
    if (rc == 0 && plait_pool_current() != NULL && plait_pool_current() == future->job.pool)
        rc = -EDEADLK;
    if (rc == 0)
        plait__waitable_make(ret, &ops, future, 0);
    return rc;
}
