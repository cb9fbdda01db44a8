/* The input values of one job, and where the job stands.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_VALUES_H
#define PLAIT__CMD_MAP_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* One column for each input source (or each field of --colsep, or each of the -n records). */
struct map_values {
    char **v; /* n strings, each allocated */
    size_t n;
    size_t cap;
};

/* What {#} and {%} say. */
struct map_place {
    uint64_t seq;  /* 1, 2, 3 … in the order of the input */
    unsigned slot; /* 1 … -j */
};

/* Adds a copy of len bytes. 0 or -ENOMEM. */
int map_values_add(struct map_values *values, const char *bytes, size_t len);
/* Empty it and free everything. */
void map_values_fini(struct map_values *values);

#endif
