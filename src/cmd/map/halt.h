/* When --halt ends the run.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_HALT_H
#define PLAIT__CMD_MAP_HALT_H

#include "cmd/map/counts.h"
#include "cmd/map/options.h"

/* Is the condition of --halt reached? A percentage counts of all jobs once their number is known,
 * and for `fail` not before three have failed, as with GNU parallel. */
bool map_halt_is_reached(const struct map_options *options, const struct map_counts *counts);

#endif
