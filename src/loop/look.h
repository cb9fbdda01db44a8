/* Looking inside of loops: for dumps, the watchdog and the like.
 * SPDX-License-Identifier: MIT
 *
 * All loops of the process are in one list, which only grows: a loop is never freed. What is inside
 * of one only its own thread may read, so that who wants to look asks for a function to be run there,
 * between two strands. A loop that sleeps is woken for it; one whose strand goes on and on is not
 * heard of.
 */
#ifndef PLAIT__LOOP_LOOK_H
#define PLAIT__LOOP_LOOK_H

#include "loop/loop.h"
#include <plait/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- from any thread ---- */

/* Only for the next functions, and for tools/gdb. */
extern struct plait__loop *plait__loops;
/* The newest loop, and the one before; NULL: there is none. Of some, no thread is left. */
struct plait__loop *plait__look_first(void);
struct plait__loop *plait__look_next(const struct plait__loop *loop);
/* The kernel's id of its thread; 0: it has none. */
uint32_t plait__look_thread(const struct plait__loop *loop);

/* Has fn(loop, arg) called in the loop's thread, and waits for it; at once where that is our own. 0,
 * -ETIMEDOUT: the loop is busy, fn was not called and will not be; -ESRCH: it has no thread. Holds up
 * the thread. */
int plait__look_ask(struct plait__loop *loop, void (*fn)(struct plait__loop *loop, void *arg),
                    void *arg, plait_deadline until);
/* The same for all loops but without waiting, and our own one too: when they look up.
 * Async-signal-safe. */
void plait__look_ask_all(void (*fn)(struct plait__loop *loop, void *arg));

/* Something of ours begins or ends to have a thread that wakes no task. */
void plait__look_add_helper(int n);
/* Is there no thread in the process but the calling one, and such helpers? */
bool plait__look_is_only_thread(void);

/* Told of a loop that sleeps for ever: no thread is left that could wake one of its strands. Set once,
 * by the layer above; called in the loop's thread. */
extern void (*plait__look_stuck)(struct plait__loop *loop);

/* From now on each loop's thread has an alternate stack for signal handlers; those that are busy just
 * now for longer than a moment have none. 0, -ENOMEM. */
int plait__look_want_alt_stacks(void);

/* How busy a loop is, to be compared with a later look. */
struct plait__look_sample {
    uint32_t n_switches;
    bool is_asleep;
};

void plait__look_sample(const struct plait__loop *loop, struct plait__look_sample *ret);

struct plait__look_stall *plait__look_stall_of(struct plait__loop *loop);

/* ---- in the loop's thread ---- */

struct plait__strand *plait__look_root(struct plait__loop *loop);
size_t plait__look_n_fresh(const struct plait__loop *loop);
/* The same strand's state as others see it: is it the one on whose stack we are? */
bool plait__look_runs(const struct plait__strand *strand);
bool plait__look_is_parked(const struct plait__strand *strand);
/* Its return addresses, the innermost first: how many. */
int plait__look_backtrace(const struct plait__strand *strand, void **ret, int max);

#endif
