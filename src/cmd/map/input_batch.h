/* -n and -X: how many tuples make one job.
 * SPDX-License-Identifier: MIT
 *
 * A batch is as many tuples as -n allows and as the command line has room for. With -X, the tuples that are left when
 * the input ends are spread evenly over the jobs that can run at once.
 */
#ifndef PLAIT__CMD_MAP_INPUT_BATCH_H
#define PLAIT__CMD_MAP_INPUT_BATCH_H

#include "base/buf.h"
#include "cmd/map/input_cross.h"
#include "cmd/map/options.h"
#include "cmd/map/template.h"
#include "cmd/map/values.h"

struct map_batch {
    struct map_cross *cross;             /* not owned */
    const struct map_template *template; /* not owned; NULL: the values are measured alone */
    unsigned jobs;                       /* over which the last tuples are spread */
    uint64_t most;                       /* tuples a job; 0: takes one and inserts none (-n0) */
    uint64_t spread;                     /* the same once they are being spread; 0: not yet */
    size_t max_line;  /* -s: bytes of the command's line and its NUL; 0: no limit */
    size_t max_bytes; /* what the system takes */
    bool fill;        /* -X */

    struct map_values pending; /* values of the tuples that are read but in no job yet */
    size_t *ends;              /* ends[i]: how many values the first i + 1 of these tuples have */
    size_t n, cap;             /* of ends */
    size_t fitting;            /* so many of them are known to fit into one command */
    bool ended;                /* nothing comes beyond these */

    uint64_t n_jobs;   /* handed out */
    uint64_t n_tuples; /* handed out */
};

void map_batch_init(struct map_batch *batch, struct map_cross *cross,
                    const struct map_options *options);
void map_batch_fini(struct map_batch *batch);

/* As map_input_next. */
int map_batch_next(struct map_batch *batch, struct map_values *ret, struct plait__buf *error);
/* As map_input_total. */
int64_t map_batch_total(const struct map_batch *batch);

#endif
