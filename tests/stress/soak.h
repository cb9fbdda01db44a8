/* A soak: everything that coroutines do, in rounds, for as long as is wanted, with as much memory and as
 * many descriptors behind each round as before.
 * SPDX-License-Identifier: MIT
 *
 * Two programs at once: one with a single thread, which forks, and one with several loops, which does
 * what needs threads.
 */
#ifndef PLAIT_TESTS_SOAK_H
#define PLAIT_TESTS_SOAK_H

#include <plait.h>

#include <stdint.h>

#include "test.h"

/* One round each; nothing of it is left. */
void soak_fork_round(uint64_t round);
void soak_thread_round(uint64_t round);

/* Runs it as a coroutine, until it and what it started have ended; what it returned. */
int soak_run(plait_task_fn *fn, void *arg);
/* What both do: queues, pipes, locks, timers, scopes, select, generators, groups, cancellation. */
int soak_common(void *arg);

#endif
