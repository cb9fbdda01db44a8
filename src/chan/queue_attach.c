/* Queues in named segments.
 * SPDX-License-Identifier: MIT
 *
 *     ... up to a cache line
 *     struct head      which options it was made with
 *     what is shared of each lane (ring.h)
 *
 * Zero bytes are an empty queue; whoever comes first says in the head with which options, and it is
 * made. What a process knows of it, it has from its own options: the head is compared, never
 * believed.
 */
#include <plait/segment_queue.h>

#include "base/opts.h"
#include "chan/queue.h"
#include "family/attached.h"

#include <errno.h>
#include <stdlib.h>

#define MAGIC (UINT64_C(0x51756575) << 32)

struct head {
    uint64_t word; /* atomic: 0, or MAGIC and the print of the options */
    uint64_t spare[15];
};

/* FNV-1a of what two plans can differ in. */
static uint32_t print_of(const struct plait__ring *plan)
{
    const uint64_t words[] = { plan->limit,          plan->max_items,        plan->max_leases,
                               plan->max_item_bytes, plan->has_one_producer, plan->has_one_consumer,
                               plan->n_lanes };
    const unsigned char *bytes = (const unsigned char *)words;
    uint32_t print = 2166136261U;

    for (size_t i = 0; i < sizeof words; i++)
        print = (print ^ bytes[i]) * 16777619U;
    return print;
}

/* Its head, and what is shared behind that: at the same place in all processes, as their segments
 * begin at a page. */
static struct head *head_in(void *block)
{
    return plait__queue_align(block);
}

static size_t bytes_of(const struct plait__ring *plan)
{
    return PLAIT__RING_LINE - PLAIT__BLOCK_ALIGN + sizeof(struct head) + plait__ring_bytes(plan);
}

static int plan_for(struct plait__ring *ret, const plait_queue_opts *opts, size_t opts_bytes)
{
    plait_queue_opts ours;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    return rc < 0 ? rc : plait__ring_plan(ret, &ours, true);
}

int plait_queue_bytes_sized(const plait_queue_opts *opts, size_t opts_bytes, size_t *ret)
{
    struct plait__ring plan;
    int rc = ret == NULL ? -EINVAL : plan_for(&plan, opts, opts_bytes);

    if (rc == 0)
        *ret = bytes_of(&plan);
    return rc;
}

/* Does all of it lie where blocks of a segment do? */
static bool is_in_segment(const char *block, size_t bytes)
{
    const struct plait_segment *segment = plait__attached_at(block);
    size_t at = segment == NULL ? 0 : (size_t)(block - segment->base);

    return segment != NULL && at % PLAIT__BLOCK_ALIGN == 0 && at >= segment->shape.first &&
           at <= segment->shape.end && bytes <= segment->shape.end - at;
}

/* 0; -ERANGE, -EBADMSG. */
static int make_or_compare(struct head *head, const struct plait__ring *plan)
{
    uint64_t ours = MAGIC | print_of(plan), word = 0;

    /* seq_cst, though all that is beside it is zero at first */
    if (__atomic_compare_exchange_n(&head->word, &word, ours, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST) ||
        word == ours)
        return 0;
    return (word & ~(uint64_t)UINT32_MAX) == MAGIC ? -ERANGE : -EBADMSG;
}

static int attach(plait_queue **ret, struct head *head, const struct plait__ring *plan)
{
    void *block = malloc(plait__queue_handle_bytes(plan) + PLAIT__RING_LINE);
    plait_queue *queue = plait__queue_align(block);
    int rc = block == NULL ? -ENOMEM : make_or_compare(head, plan);

    if (rc < 0) {
        free(block);
        return rc;
    }
    plait__queue_make(queue, block, plan, head + 1);
    *ret = queue;
    return 0;
}

int plait_queue_attach_sized(plait_queue **ret, void *block, size_t bytes,
                             const plait_queue_opts *opts, size_t opts_bytes)
{
    struct plait__ring plan;
    int rc = ret == NULL || block == NULL ? -EINVAL : plan_for(&plan, opts, opts_bytes);

    if (rc < 0)
        return rc;
    if (!is_in_segment(block, bytes))
        return -EINVAL;
    if (bytes < bytes_of(&plan))
        return -ENOSPC;
    return attach(ret, head_in(block), &plan);
}
