/* A job, laid out in its slot.
 * SPDX-License-Identifier: MIT
 */
#include "pool/process_fill.h"
#include "family/heap.h"
#include "family/member.h"
#include "family/parcel.h"

#include <plait/shared.h>

#include <errno.h>
#include <string.h>

enum {
    SMALL = 32,      /* bytes that are copied without a look where they are */
    LARGE = 1 << 20, /* bytes of a block that is worth to be kept … */
    HUGE = 1 << 28   /* … and of one that is not any more */
};

static size_t round_up(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

static bool is_foreign(const void *ptr)
{
    return ptr != NULL && !plait__family_has(ptr);
}

/* Must it be copied, or have a place of ours? What is small does so wherever it lies. */
static bool needs_place(const void *ptr, size_t bytes)
{
    return bytes > 0 && (bytes <= SMALL || ptr == NULL || !plait__family_has(ptr));
}

int plait__fill_measure(const struct plait__job *job, struct plait__fill_sizes *ret)
{
    struct plait__fill_sizes sizes = { 0 };

    if (job->n == 0 || job->n > PLAIT__POOL_ITEMS)
        return -EINVAL;
    if ((job->in_bytes == 0 && is_foreign(job->in)) ||
        (job->ctx_bytes == 0 && is_foreign(job->ctx)))
        return -EINVAL;
    if (job->in_bytes > SIZE_MAX / 4 / job->n || job->out_bytes > SIZE_MAX / 4 / job->n ||
        job->ctx_bytes > SIZE_MAX / 4)
        return -ENOMEM;
    if (needs_place(job->in, job->in_bytes * job->n))
        sizes.in = round_up(job->in_bytes * job->n);
    if (job->ctx_bytes > 0)
        sizes.ctx = round_up(job->ctx_bytes);
    if (needs_place(job->out, job->out_bytes * job->n))
        sizes.out = round_up(job->out_bytes * job->n);
    if (job->n > 1)
        sizes.ends = round_up(job->n * sizeof(struct plait__item_end));
    if (job->n > 1 && job->said != NULL)
        sizes.saids = round_up(job->n * sizeof(struct plait__item_said));
    *ret = sizes;
    return 0;
}

/* Lays the parts behind one another into `at`. */
static void lay_out(struct plait__slot *slot, const struct plait__job *job,
                    const struct plait__fill_sizes *sizes, char *at)
{
    struct plait__item_end *ends = &slot->own_end;
    struct plait__item_said *saids = job->said == NULL ? NULL : &slot->own_said;

    if (sizes->ends > 0) {
        ends = (struct plait__item_end *)(void *)at;
        at += sizes->ends;
    }
    if (sizes->saids > 0) {
        saids = (struct plait__item_said *)(void *)at;
        memset(at, 0, sizes->saids);
        at += sizes->saids;
    }
    if (slot->ends != ends || slot->saids != saids) {
        slot->ends = ends;
        slot->saids = saids;
    }
    slot->in = job->in;
    if (sizes->in > 0) {
        memcpy(at, job->in, job->in_bytes * job->n);
        slot->in = at;
        at += sizes->in;
    }
    slot->ctx = job->ctx;
    if (sizes->ctx > 0) {
        memcpy(at, job->ctx, job->ctx_bytes);
        slot->ctx = at;
        at += sizes->ctx;
    }
    slot->out = sizes->out > 0 ? at : job->out;
}

/* The spare one, if it is not far too large; else it goes. NULL: no memory. */
static char *take_block(struct plait__slot *slot, size_t bytes, struct plait__fill_spare *spare)
{
    char *memory = spare->memory;

    if (bytes < LARGE)
        return slot->memory = plait__heap_alloc(slot->memory_bytes = bytes);
    spare->memory = NULL;
    slot->memory_bytes = spare->bytes;
    if (memory != NULL && (spare->bytes < bytes || spare->bytes / 2 > bytes)) {
        plait_shared_free(memory);
        memory = NULL;
    }
    if (memory == NULL)
        memory = plait__heap_alloc(slot->memory_bytes = bytes);
    return slot->memory = memory;
}

static void give_block(struct plait__slot *slot, struct plait__fill_spare *spare)
{
    char *memory = slot->memory;

    slot->memory = NULL;
    if (memory != NULL && slot->memory_bytes >= LARGE && slot->memory_bytes <= HUGE) {
        char *before = spare->memory;
        spare->memory = memory;
        spare->bytes = slot->memory_bytes;
        memory = before;
    }
    plait_shared_free(memory); /* of the owner, with whom all would end */
}

/* NULL: no memory. */
static char *take_memory(struct plait__slot *slot, size_t bytes, uint32_t submitter,
                         struct plait__fill_spare *spare)
{
    uint64_t name;

    if (submitter == 0)
        return take_block(slot, bytes, spare);
    if (plait__parcel_make(bytes, &name) < 0)
        return NULL;
    __atomic_store_n(&slot->parcel, name, __ATOMIC_SEQ_CST);
    plait__parcel_leave(name);
    return plait__parcel_bytes(name);
}

void plait__fill_undo(struct plait__slot *slot, struct plait__fill_spare *spare)
{
    plait__block_drop(&slot->parcel);
    give_block(slot, spare);
}

static uint8_t clamp_attempts(unsigned attempts)
{
    return attempts == 0                   ? 1
           : attempts < PLAIT__POOL_STARTS ? (uint8_t)attempts
                                           : PLAIT__POOL_STARTS;
}

/* What is the same in most jobs is not written again: who runs them has it in his cache. */
static void fill_seldom(struct plait__slot *slot, const struct plait__job *job)
{
    const struct plait__job_limits *limits = &job->limits;
    uint8_t attempts = clamp_attempts(limits->attempts), lane = (uint8_t)limits->lane;
    bool is_text = job->fn == NULL;

    if (slot->in_bytes != job->in_bytes || slot->out_bytes != job->out_bytes) {
        slot->in_bytes = job->in_bytes;
        slot->out_bytes = job->out_bytes;
    }
    if (slot->soft_ns != limits->soft_ns || slot->hard_ns != limits->hard_ns) {
        slot->soft_ns = limits->soft_ns;
        slot->hard_ns = limits->hard_ns;
    }
    if (slot->attempts != attempts || slot->lane != lane || slot->is_text != is_text) {
        slot->attempts = attempts;
        slot->lane = lane;
        slot->is_text = is_text;
    }
    if (slot->is_asked != 0 || slot->kill_at_ns != 0 || slot->sleeper.cancel != 0) {
        slot->is_asked = 0;
        slot->kill_at_ns = 0;
        slot->sleeper.cancel = 0;
    }
    if (slot->progress_total != 0 || slot->progress_done != 0)
        slot->progress_done = slot->progress_total = 0;
    if (slot->own_said.parcel != 0) /* of a submitter that was killed */
        plait__block_drop(&slot->own_said.parcel);
}

int plait__fill_slot(struct plait__slot *slot, const struct plait__job *job,
                     const struct plait__fill_sizes *sizes, uint32_t submitter,
                     struct plait__fill_spare *spare)
{
    size_t bytes = sizes->in + sizes->ctx + sizes->out + sizes->ends + sizes->saids;
    char *at = slot->room;

    plait__block_drop(&slot->parcel); /* of a submitter that was killed before it said QUEUED */
    if (bytes > sizeof slot->room)
        at = take_memory(slot, bytes, submitter, spare);
    if (at == NULL)
        return -ENOMEM;
    lay_out(slot, job, sizes, at);
    slot->fn = job->fn != NULL ? (uintptr_t)job->fn : (uintptr_t)job->text_fn;
    slot->n = job->n;
    slot->submitter = submitter;
    slot->is_summed = job->may_sum && job->n > 1;
    slot->first_end = PLAIT__SLOT_ALL_VALUES;
    if (slot->is_summed)
        slot->own_end.run_ns = 0;
    fill_seldom(slot, job);
    return 0;
}
