/* Doing something once.
 * SPDX-License-Identifier: MIT
 *
 * A lock that is held while it is done. A broken one says that the task inside was killed: then it
 * is not done, and is done again.
 */
#include <plait/once.h>

#include <errno.h>
#include <stddef.h>

bool plait_once_is_done(const plait_once *once)
{
    /* acquire: pairs with the release of who has done it */
    return once != NULL && __atomic_load_n(&once->is_done, __ATOMIC_ACQUIRE) != 0;
}

int plait_once_run(plait_once *once, plait_once_fn *fn, void *arg, plait_deadline until)
{
    int rc;

    if (once == NULL || fn == NULL)
        return -EINVAL;
    if (plait_once_is_done(once))
        return 0;
    rc = plait_lock_recover(&once->lock, until);
    if (rc < 0)
        return plait_once_is_done(once) ? 0 : rc;
    if (!plait_once_is_done(once))
        rc = fn(arg);
    if (rc == 0)
        __atomic_store_n(&once->is_done, 1, __ATOMIC_RELEASE);
    plait_lock_repaired(&once->lock);
    plait_lock_release(&once->lock);
    return rc;
}
