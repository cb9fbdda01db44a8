/* The inputs of the jobs: sources, crossed and linked, cut into records and columns, batched by -n and -X.
 * SPDX-License-Identifier: MIT
 *
 * Reads never block: when a pipe or terminal has nothing yet, map_input_next says -EAGAIN and map_input_fd says what
 * to wait for. Memory is bounded: the first source streams (up to 4 MiB are read ahead, so that totals show early for
 * small inputs); the other crossed sources are held whole.
 */
#ifndef PLAIT__CMD_MAP_INPUT_H
#define PLAIT__CMD_MAP_INPUT_H

#include "base/buf.h"
#include "cmd/map/options.h"
#include "cmd/map/template.h"
#include "cmd/map/values.h"

struct map_input;

/* Opens all sources; reads the header line if --header asks for one (this alone may block).
 * -EINVAL and the like with one sentence in `error` ("cannot read 'x': No such file or directory"). */
int map_input_open(struct map_input **ret, const struct map_options *options,
                   struct plait__buf *error);
void map_input_close(struct map_input *input);

/* The names that --header gave; *ret_n 0: none. They live as long as the input. */
const char *const *map_input_names(const struct map_input *input, size_t *ret_n);
/* How many values a job has at the most; 0: not known (--colsep, -X). */
size_t map_input_columns(const struct map_input *input);

/* For -X and -s: the template whose length counts, and over how many jobs the last values are spread evenly. */
void map_input_set_template(struct map_input *input, const struct map_template *template,
                            unsigned jobs);

/* The values of the next job, into an empty *ret.
 * 1: here they are · 0: the input has ended · -EAGAIN: wait until map_input_fd is readable · -EINTR: many records were
 * skipped, ask again · else an error, with one sentence in `error`. */
int map_input_next(struct map_input *input, struct map_values *ret, struct plait__buf *error);
int map_input_fd(const struct map_input *input);
/* Reads what is there now, up to the bound, so that the total is known early although no job is wanted yet. */
void map_input_read_ahead(struct map_input *input);
/* Is one of the sources a terminal? Somebody should be told that it is waited for. */
bool map_input_reads_terminal(const struct map_input *input);

/* How many jobs the whole input makes; -1 as long as nobody knows. */
int64_t map_input_total(const struct map_input *input);

#endif
