/* How a worker of a process pool ends itself.
 * SPDX-License-Identifier: MIT
 *
 * What its jobs handed over, and nobody waits for, was accepted: it is done before. Jobs of that kind
 * that wait in the pool are run here, as others may be ending too.
 */
#include "os/process.h"
#include "os/thread.h"
#include "pool/bell.h"
#include "pool/pool.h"
#include "pool/process_run.h"
#include "pool/process_side.h"
#include "pool/process_worker.h"
#include "wait/sleeper.h"

#include <unistd.h>

static enum plait__ends_look look(void *arg, bool will_sleep)
{
    plait_pool *pool = arg;

    plait__pool_pump(pool, will_sleep);
    return plait__share_is_open(pool) ? PLAIT__ENDS_NOTHING : PLAIT__ENDS_DONE;
}

static bool help(void *arg)
{
    const plait_pool *pool = arg;
    const struct plait__side *side = pool->executor;

    for (uint32_t i = 0; i < side->n_slots; i++)
        if (plait__worker_run(&side->slots[i]))
            return true;
    return false;
}

void plait__worker_leave(plait_pool *pool, int status)
{
    const struct plait__side *side = pool->executor;

    if (__atomic_load_n(&side->block->kills, __ATOMIC_SEQ_CST) == 0 && plait__share_is_open(pool)) {
        plait__mask_cancel();
        plait__ends_help(look, help, pool, PLAIT_FOREVER);
        plait__os_flush_streams(); /* of callbacks */
    }
    _exit(status);
}
