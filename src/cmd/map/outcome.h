/* How a job ended, in words.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_OUTCOME_H
#define PLAIT__CMD_MAP_OUTCOME_H

#include "base/buf.h"
#include "cmd/map/result.h"

/* Adds "exit 3", "killed by SIGSEGV (core dumped)", "timed out after 30.0 s", "cannot start: Permission denied" or
 * "killed with its keeper". ASCII. 0 or -ENOMEM. */
int map_outcome_add(struct plait__buf *buf, const struct map_result *result);

#endif
