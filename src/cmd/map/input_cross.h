/* All sources together, crossed and linked: one tuple of values after the other.
 * SPDX-License-Identifier: MIT
 *
 * Linked sources are a group that goes in step and ends with the shortest. Groups are crossed, the last one going
 * round fastest. The first group streams; the others are held whole, for they are gone through again and again.
 */
#ifndef PLAIT__CMD_MAP_INPUT_CROSS_H
#define PLAIT__CMD_MAP_INPUT_CROSS_H

#include "base/buf.h"
#include "cmd/map/input_columns.h"
#include "cmd/map/input_stream.h"
#include "cmd/map/options.h"
#include "cmd/map/values.h"

struct map_cross {
    struct map_stream *streams;
    bool *linked; /* of each: goes with the one before it */
    size_t n;
    struct map_columns *columns; /* --colsep; NULL: a record is one value */
    struct map_values names;     /* --header */

    bool is_loaded;    /* the held sources are whole, and stand on their first records */
    bool is_first_due; /* the first group is to move next, the others having come round */
    size_t n_stepped;  /* of the first group: streams that have moved already */
    int waiting_fd;    /* why -EAGAIN was said */
    bool reads_terminal;
};

/* One sentence in `error` when it fails; map_cross_close then has nothing to do. */
int map_cross_open(struct map_cross *cross, const struct map_options *options,
                   const struct map_cut *cut, struct plait__buf *error);
void map_cross_close(struct map_cross *cross);

/* Adds the next tuple to `values` (NULL: leaves it out): 1. 0: the end · -EAGAIN: wait for waiting_fd · an error.
 * Unless it says 1, nothing was added. */
int map_cross_next(struct map_cross *cross, struct map_values *values, struct plait__buf *error);
/* Reads what is there now. */
void map_cross_read_ahead(struct map_cross *cross);
/* How many tuples there are in all; -1: not known yet. */
int64_t map_cross_total(const struct map_cross *cross);

#endif
