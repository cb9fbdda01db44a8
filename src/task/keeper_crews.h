/* The crews that the keeper keeps.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_KEEPER_CREWS_H
#define PLAIT__TASK_KEEPER_CREWS_H

#include "os/process.h"
#include "task/keeper_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* None yet: a worker's own keeper has the memory of the one that forked the worker. */
void plait__crews_set_up(void);
/* KEEPER_CREW; takes the descriptors over. */
void plait__crews_take(const struct keeper_request *request, const int *fds, size_t n_fds);
/* A child has ended. False: it is no worker. */
bool plait__crews_reap(const struct plait__death *death);
/* Something may have happened: looks at all crews. */
void plait__crews_look(void);
/* Looks, if the time has come. */
void plait__crews_fire_timers(void);
/* When that will be; INT64_MAX: never. */
int64_t plait__crews_next_timer(void);

#endif
