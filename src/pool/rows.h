/* Rows: what starmap hands over, the items of one index of several columns.
 * SPDX-License-Identifier: MIT
 *
 * A chunk of rows is packed: the items of a row lie behind one another, each aligned to 16 bytes. A
 * worker runs plait__rows_run, whose context says which function of the user's is meant, with which
 * context of its own, and where in a row the items lie.
 */
#ifndef PLAIT__POOL_ROWS_H
#define PLAIT__POOL_ROWS_H

#include <plait/map.h>

enum {
    PLAIT__ROWS_MOST = 16 /* columns */
};

struct plait__function;

struct plait__rows {
    size_t n_columns; /* 0: there are no rows */
    plait_items columns[PLAIT__ROWS_MOST];
    size_t bytes; /* of a packed row; at least 1 */
};

/* What plait__rows_run gets. The user's context, if it goes by bytes, lies behind it. */
struct plait__rows_ctx {
    plait_pool_row_fn *fn;
    const struct plait__function *name; /* how another process finds it; NULL: as it is */
    void *ctx;
    bool has_bytes;
    size_t n_columns;
    size_t offsets[PLAIT__ROWS_MOST];
};

/* -EINVAL: no columns or too many, NULL, or they differ in count; -ENOMEM: a row is too large. */
int plait__rows_fill(struct plait__rows *ret, const plait_rows *rows);
/* The rows first … first + n - 1, behind one another. */
void plait__rows_pack(char *to, const struct plait__rows *rows, size_t first, size_t n);
/* A context for plait__rows_run, for free(); NULL: no memory. */
struct plait__rows_ctx *plait__rows_ctx(const struct plait__rows *rows, plait_pool_row_fn *fn,
                                        const plait_map_opts *opts, size_t *ret_bytes);
/* A plait_pool_fn. */
int plait__rows_run(const void *in, void *out, void *ctx);

#endif
