/* How far a run is.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_COUNTS_H
#define PLAIT__CMD_MAP_COUNTS_H

#include <stdint.h>

/* The run as it stands; the engine keeps it. */
struct map_counts {
    int64_t total;    /* jobs in all; -1: not known yet */
    uint64_t skipped; /* --resume: had been done before */
    uint64_t started; /* jobs (not attempts) that were started */
    uint64_t succeeded;
    uint64_t failed;  /* finally */
    uint64_t retried; /* attempts beyond the first */
    uint64_t lost;    /* of the failed: killed with their keeper */
    unsigned running;
    unsigned slots;      /* how many may run at once */
    uint64_t steps_done; /* --so: what the running ones say of themselves, … */
    uint64_t steps;      /* … of how much; 0: they say nothing */
};

#endif
