/* --so: what the workers run.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_SO_RUN_H
#define PLAIT__CMD_MAP_SO_RUN_H

#include "base/buf.h"
#include "cmd/map/options.h"
#include "cmd/map/template.h"

#include <plait/plugin.h>

/* Which function. Before the keeper is made: workers see the memory of that moment. The options live
 * as long as the process. */
void map_so_run_set(void *function, const struct map_options *options);

/* What each process calls before its first job. */
int map_so_run_prepare(void *unused);
/* One job; what is in `in` is from map_so_run_pack. With --argv what it returns is the exit status. */
plait_pool_text_fn map_so_run;

/* The words of a job behind the name of the function, for map_so_run. 0 or -ENOMEM. */
int map_so_run_pack(struct plait__buf *ret, const struct map_command *command);

#endif
