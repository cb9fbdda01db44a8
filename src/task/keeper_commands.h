/* The commands that the keeper runs: their start, their end, and how they are ended.
 * SPDX-License-Identifier: MIT
 *
 * All of it happens in the keeper's process. A command's life:
 *
 *     (KEEPER_LINE_UP: waits in line --another command is over, or KEEPER_GO-->)
 *     RUNNING --main process ends--> told, forgotten (what it left in the background lives on)
 *     RUNNING --time-out or KEEPER_STOP: SIGTERM to its tree--> STOPPING
 *     STOPPING --tree empty, or after kill_after SIGKILL to its tree--> told, forgotten
 *
 * The line has one place. With it the keeper need not ask its owner what comes next: the owner's
 * share of the work is done while the next command runs. That it starts is told in the event that
 * gives it its place, before it is started: were the keeper killed in between, the owner would take
 * a command for lost that never ran, but never the other way round.
 */
#ifndef PLAIT__TASK_KEEPER_COMMANDS_H
#define PLAIT__TASK_KEEPER_COMMANDS_H

#include "task/keeper_wire.h"

#include <stddef.h>

/* `ignored`: signals that the keeper ignores and a command must not find ignored. */
int plait__commands_set_up(int channel, uint64_t keeper_id, uint64_t ignored);

/* KEEPER_RUN and KEEPER_LINE_UP: starts the command, or puts it in line, or tells why not. `bytes`
 * are its strings; takes the descriptors over. */
void plait__commands_run(const struct keeper_request *request, char *bytes, const int *fds,
                         size_t n_fds);
/* KEEPER_GO: starts the command in line. */
void plait__commands_go(const struct keeper_request *request);
void plait__commands_stop(const struct keeper_request *request);
void plait__commands_stop_all(int64_t kill_after_ns);
void plait__commands_set_paused(bool paused);

/* SIGKILL to everything below the keeper, and reaps. False: nothing is left. *ret_met: how many
 * were met. */
bool plait__commands_kill_all(int *ret_met);

/* Reaps all children that have ended. */
void plait__commands_reap(void);
/* Does what is due. */
void plait__commands_fire_timers(void);
/* When something will be due; INT64_MAX: never. */
int64_t plait__commands_next_timer(void);

/* Sends an event that has no place among the unsent ones; waits for room, or ends the keeper. */
void plait__commands_send_now(const struct keeper_event *event);
/* Events that the channel had no room for. */
bool plait__commands_have_unsent(void);
void plait__commands_send_unsent(void);

#endif
