/* How one job ended.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_RESULT_H
#define PLAIT__CMD_MAP_RESULT_H

#include "cmd/map/values.h"

#include <stdbool.h>
#include <stdint.h>

struct map_result {
    uint64_t seq;
    unsigned slot;
    unsigned attempt; /* 1, 2 … the last one that was started */
    const struct map_values *values;
    const char *line;   /* the command, one shell-readable line */
    int64_t start_ns;   /* CLOCK_REALTIME when it started, since the epoch; 0: never started */
    int64_t run_ns;     /* how long it ran */
    uint64_t out_bytes; /* what it wrote to standard output */
    uint64_t err_bytes; /* … and to standard error */
    int pid;            /* 0: could not be started */
    int exit_status;    /* 0 … 255; meaningful when signal is 0 */
    int signal;         /* the signal that ended it; 0: none */
    bool core;          /* it dumped core */
    bool timed_out;     /* --timeout ended it */
    bool keeper_died;   /* it was killed because its keeper died */
    int start_error;    /* the errno of its start (exit_status is 126 or 127); 0: it started */
    int64_t user_ns, system_ns; /* CPU time */
    int64_t peak_kib;           /* peak resident memory; 0: not known */
    const char *message;        /* --so: why it failed; NULL: the codes say all */
};

/* Did the job fail? */
static inline bool map_result_failed(const struct map_result *result)
{
    return result->exit_status != 0 || result->signal != 0 || result->timed_out ||
           result->keeper_died;
}

#endif
