/* Batches of an imap: their size and their memory.
 * SPDX-License-Identifier: MIT
 */
#include "pool/imap.h"

#include <stdlib.h>

#define BATCH_NS INT64_C(100000)

size_t plait__batch_size(const struct plait__imap *imap)
{
    size_t most = imap->opts.window / (2 * plait__imap_workers(imap));
    size_t n = imap->opts.chunk;

    if (n == 0)
        n = imap->cost_items > 0 ? (size_t)(BATCH_NS / (imap->cost_ns / imap->cost_items + 1)) : 1;
    if (imap->opts.chunk > 0)
        most = imap->opts.window;
    n = n < most ? n : most;
    return n > 0 ? n : 1;
}

void plait__batch_free(struct plait__batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->in);
    free(batch->out);
    free(batch->results);
    free(batch);
}

static bool grow_one(void **ret, size_t item_bytes, size_t n)
{
    void *grown = item_bytes > 0 ? realloc(*ret, item_bytes * n) : NULL;

    if (item_bytes > 0 && grown == NULL)
        return false;
    if (item_bytes > 0)
        *ret = grown;
    return true;
}

static bool grow(struct plait__batch *batch, size_t n)
{
    const plait_imap_opts *opts = &batch->imap->opts;

    if (n <= batch->cap)
        return true;
    if (!grow_one((void **)&batch->in, opts->in_bytes, n) ||
        !grow_one((void **)&batch->out, opts->out_bytes, n) ||
        !grow_one((void **)&batch->results, sizeof *batch->results, n))
        return false;
    batch->cap = (uint32_t)n;
    return true;
}

struct plait__batch *plait__batch_make(struct plait__imap *imap)
{
    struct plait__batch *batch = calloc(1, sizeof *batch);

    if (batch == NULL)
        return NULL;
    batch->imap = imap;
    plait__list_init(&batch->node);
    plait__list_init(&batch->ready);
    if (grow(batch, 1))
        return batch;
    plait__batch_free(batch);
    return NULL;
}

struct plait__batch *plait__batch_take(struct plait__imap *imap)
{
    struct plait__list *node = plait__list_pop_front(&imap->free);
    struct plait__batch *batch =
        node != NULL ? plait__list_entry(node, struct plait__batch, node) : plait__batch_make(imap);

    if (batch == NULL)
        return NULL;
    grow(batch, plait__batch_size(imap)); /* or as many as it had room for */
    batch->n = batch->next = 0;
    batch->has_ended = 0;
    return batch;
}
