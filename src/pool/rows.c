/* Rows: what starmap hands over.
 * SPDX-License-Identifier: MIT
 */
#include "pool/rows.h"
#include "task/function.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGN = 16
};

#define MOST_BYTES ((size_t)SSIZE_MAX / 64)

static size_t round_up(size_t bytes)
{
    return (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

int plait__rows_fill(struct plait__rows *ret, const plait_rows *rows)
{
    const plait_items *columns = rows->columns;

    if (columns == NULL || rows->n_columns == 0 || rows->n_columns > PLAIT__ROWS_MOST)
        return -EINVAL;
    *ret = (struct plait__rows){ .n_columns = rows->n_columns };
    for (size_t i = 0; i < rows->n_columns; i++) {
        if (columns[i].count != columns[0].count ||
            (columns[i].ptr == NULL && columns[i].item_bytes > 0))
            return -EINVAL;
        if (columns[i].item_bytes > MOST_BYTES)
            return -ENOMEM;
        ret->columns[i] = columns[i];
        ret->bytes += round_up(columns[i].item_bytes);
    }
    if (ret->bytes == 0) /* in_bytes 0 would mean the pointer itself */
        ret->bytes = ALIGN;
    return 0;
}

void plait__rows_pack(char *to, const struct plait__rows *rows, size_t first, size_t n)
{
    memset(to, 0, n * rows->bytes);
    for (size_t i = 0; i < n; i++) {
        char *at = to + i * rows->bytes;
        for (size_t j = 0; j < rows->n_columns; j++) {
            const plait_items *column = &rows->columns[j];
            if (column->item_bytes > 0)
                memcpy(at, (const char *)column->ptr + (first + i) * column->item_bytes,
                       column->item_bytes);
            at += round_up(column->item_bytes);
        }
    }
}

struct plait__rows_ctx *plait__rows_ctx(const struct plait__rows *rows, plait_pool_row_fn *fn,
                                        const plait_map_opts *opts, size_t *ret_bytes)
{
    size_t at = 0, bytes = round_up(sizeof(struct plait__rows_ctx));
    struct plait__rows_ctx *ctx = NULL;

    if (opts->ctx_bytes > MOST_BYTES || (ctx = calloc(1, bytes + opts->ctx_bytes)) == NULL)
        return NULL;
    ctx->fn = fn;
    ctx->ctx = opts->ctx;
    ctx->has_bytes = opts->ctx_bytes > 0;
    ctx->n_columns = rows->n_columns;
    for (size_t i = 0; i < rows->n_columns; i++) {
        ctx->offsets[i] = at;
        at += round_up(rows->columns[i].item_bytes);
    }
    if (ctx->has_bytes)
        memcpy((char *)ctx + bytes, opts->ctx, opts->ctx_bytes);
    *ret_bytes = bytes + opts->ctx_bytes;
    return ctx;
}

int plait__rows_run(const void *in, void *out, void *ctx)
{
    const struct plait__rows_ctx *call = ctx;
    plait_pool_row_fn *fn = call->fn;
    const void *row[PLAIT__ROWS_MOST];

    if (call->name != NULL)
        fn = (plait_pool_row_fn *)plait__function_find(call->name);
    if (fn == NULL)
        return -ENOENT;

    for (size_t i = 0; i < call->n_columns; i++)
        row[i] = (const char *)in + call->offsets[i];
    return fn(row, out, call->has_bytes ? (char *)ctx + round_up(sizeof *call) : call->ctx);
}
