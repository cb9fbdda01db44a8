/* --colsep: cutting a record into columns.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_INPUT_COLUMNS_H
#define PLAIT__CMD_MAP_INPUT_COLUMNS_H

#include "base/buf.h"
#include "cmd/map/values.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    /* the longest record that an expression cuts; plain characters: any */
    MAP_COLUMNS_REGEX_BYTES = 1 << 20,
};

struct map_columns;

/* `colsep` is an extended regular expression, in which Perl's \t \n \r \f \v \d \D \xHH are understood too: these
 * are what people write for GNU parallel. -EINVAL with one sentence in `error`. */
int map_columns_create(struct map_columns **ret, const char *colsep, struct plait__buf *error);
void map_columns_destroy(struct map_columns *columns);

/* Adds the columns of a record without NUL bytes: at least one. With `trim`, white space at both ends of each is taken
 * off. -ENOMEM; -EMSGSIZE: too long for an expression. Some may have been added then. */
int map_columns_split(struct map_columns *columns, const char *record, size_t len, bool trim,
                      struct map_values *values);

#endif
