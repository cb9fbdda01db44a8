/* --results DIR: where the output of a job is kept, in GNU parallel's tree.
 * SPDX-License-Identifier: MIT
 *
 * DIR/1/VALUE1/2/VALUE2/{stdout,stderr,seq}, with names of --header instead of the numbers, sorted as GNU sorts them
 * (numbers first by value, then by name). A job of several records has the columns of each, one behind the other. In
 * a value \ is \\, a tab is \t and / is \_.
 *
 * Two jobs must never share a folder, nor a name lead out of DIR, so where GNU parallel lets them, plait differs:
 * the values . and .. are \. and \.. ; a value longer than a file name may be is cut and ends with \# and a digest of
 * the whole; names of --header are escaped as values are.
 */
#ifndef PLAIT__CMD_MAP_RESULTS_H
#define PLAIT__CMD_MAP_RESULTS_H

#include "base/buf.h"
#include "cmd/map/values.h"

struct map_results_paths {
    char *seq, *out, *err;
};

/* Where, and what the columns are called: n_names of them have a name, the others a number. */
struct map_results_tree {
    const char *dir;
    const char *const *names;
    size_t n_names;
    size_t n_columns; /* of one record; 0: all values are one */
};

/* The three paths for these values; makes their folder. -errno with one sentence in `error`. */
int map_results_paths(struct map_results_paths *ret, const struct map_results_tree *tree,
                      const struct map_values *values, struct plait__buf *error);
void map_results_paths_fini(struct map_results_paths *paths);

#endif
