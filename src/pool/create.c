/* Which executor a pool has: it stands above them all.
 * SPDX-License-Identifier: MIT
 */
#include "base/opts.h"
#include "pool/pool.h"
#include "pool/process.h"
#include "pool/thread.h"

#include <errno.h>

enum {
    COROUTINES = 100 /* unless the options say it: they wait, the CPUs do not count */
};

static const struct plait__executor_ops *find_ops(plait_kind kind)
{
    return kind == PLAIT_PROCESS ? &plait__process_executor : &plait__thread_executor;
}

int plait_pool_create_sized(plait_pool **ret, plait_kind kind, const plait_pool_opts *opts,
                            size_t opts_bytes)
{
    plait_pool_opts ours;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc < 0)
        return rc;
    if (ret == NULL || kind < PLAIT_PROCESS || kind > PLAIT_COROUTINE)
        return -EINVAL;
    if (kind == PLAIT_COROUTINE && ours.workers == 0)
        ours.workers = COROUTINES;
    return plait__pool_start(ret, kind, find_ops(kind), &ours);
}
