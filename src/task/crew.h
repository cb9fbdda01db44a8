/* Workers that the keeper forks, watches and buries, for the layers above.
 * SPDX-License-Identifier: MIT
 *
 * A crew is memory of the family heap that begins with a struct plait__crew. Its ops are named by
 * address: keeper and workers are forks of the process that handed it over. The keeper forks a
 * worker when it is told to, says when one has died, and asks the crew from time to time what is to
 * be done. It never waits for anybody.
 *
 * When the keeper dies its workers die with it; the owner hands the crew over to the next one.
 */
#ifndef PLAIT__TASK_CREW_H
#define PLAIT__TASK_CREW_H

#include "os/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plait__crew;
struct plait__crew_hands;

/* All but `enter` are called in the keeper. */
struct plait__crew_ops {
    /* The keeper has the crew from now on; what an earlier keeper left is as it was. */
    void (*take)(struct plait__crew *crew);
    /* Looks what is to be done, and does it by plait__crew_fork and plait__crew_kill. When to look
     * again, if nothing happens before that; INT64_MAX: never. PLAIT__CREW_IS_OVER: there are no
     * workers any more, and the keeper lets go of it. */
    int64_t (*look)(struct plait__crew *crew, struct plait__crew_hands *hands);
    void (*died)(struct plait__crew *crew, unsigned worker, const struct plait__death *death);
    /* After PLAIT__CREW_IS_OVER: the last that the keeper does with it. */
    void (*leave)(struct plait__crew *crew);
    /* In the worker, which has what the keeper's memory was: never returns. */
    void (*enter)(struct plait__crew *crew, unsigned worker);
};

#define PLAIT__CREW_IS_OVER INT64_C(-1)

struct plait__crew {
    const struct plait__crew_ops *ops; /* const */
};

/* In a look: starts the worker of that number. Its pid, or -errno. */
pid_t plait__crew_fork(struct plait__crew_hands *hands, unsigned worker);
/* In a look: SIGKILL to that worker, which is told as died. */
void plait__crew_kill(struct plait__crew_hands *hands, unsigned worker);

/* ---- the owner's side; from any of its threads ---- */

/* Hands the crew over, with what its workers get as standard output and standard error (the caller
 * keeps its own). Makes a keeper, if there is none or it is dead. 0; PLAIT_ETHREADS; -EBUSY: there is
 * a keeper, busy with commands, that knows nothing of the family's heap; -errno. */
int plait__keeper_take_crew(struct plait__crew *crew, int out, int err);
/* The keeper looks at all crews now. */
void plait__keeper_kick(void);
void plait__keeper_kick_from_worker(void);

#endif
