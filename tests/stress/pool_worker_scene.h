/* The stage for a pool's worker that may be killed at any instruction.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_POOL_WORKER_SCENE_H
#define PLAIT_TESTS_POOL_WORKER_SCENE_H

#include "pool_oracle.h"

#include <stdlib.h>

/* What a worker ends itself by: so does the victim's call. */
void _exit(int status)
{
    mark();
    _Exit(status);
}

/* That worker will be there, as if the keeper had forked it. */
static inline void expect(unsigned worker)
{
    scene->block->workers[worker].claim = plait__worker_claim;
    scene->block->workers[worker].state = PLAIT__WORKER_STARTING;
}

/* The victim will be the first one. */
static inline void stage_worker(void)
{
    new_scene();
    plait__keep_take(scene->block);
    plait__worker_claim = (uint64_t)scene->block->epoch << 32;
    expect(0);
}

static void be_worker(void *state)
{
    (void)state;
    is_victim = true;
    plait__process_crew_ops.enter(&scene->block->crew, 0);
}

/* Their keeper has seen them die; or has died as well, and there is another one. */
static inline void bury_worker(pid_t pid)
{
    struct plait__death death = { .pid = pid, .signal = SIGKILL },
                        end = { .pid = 1, .status = PLAIT__WORKER_RETIRED };

    if (step_random(2) == 0) {
        plait__process_crew_ops.died(&scene->block->crew, 0, &death);
        if (has_partner)
            plait__process_crew_ops.died(&scene->block->crew, 1, &end);
    }
    is_keeper = true;
    take_crew();
}

#endif
