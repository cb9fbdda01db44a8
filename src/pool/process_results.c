/* What a job has ended in, out of its slot and into the memory of its submitter.
 * SPDX-License-Identifier: MIT
 */
#include "pool/process_results.h"
#include "family/parcel.h"

#include <stdlib.h>
#include <string.h>

static void release_parcel(char *bytes)
{
    plait__parcel_drop(plait__parcel_of(bytes));
}

static void release_copy(char *bytes)
{
    free(bytes);
}

static const char *bytes_of(const struct plait__item_said *item)
{
    return item->parcel != 0 ? plait__parcel_bytes(item->parcel) : item->small;
}

/* What the item wrote: the parcel itself, or a copy. A worker copies: a parcel that only its own
 * memory names would stay if it were killed. False: no memory. */
static bool take_bytes(struct plait__item_said *item, bool is_owner, struct plait__said *ret)
{
    if (item->wrote == 0)
        return true;
    ret->size = item->wrote;
    if (item->parcel != 0 && is_owner) {
        ret->bytes = plait__parcel_bytes(item->parcel);
        ret->release = release_parcel;
        item->parcel = 0;
        return true;
    }
    ret->bytes = malloc(item->wrote);
    if (ret->bytes == NULL)
        return false;
    memcpy(ret->bytes, bytes_of(item), item->wrote);
    ret->release = release_copy;
    return true;
}

/* What the item said. False: no memory. */
static bool take_said(struct plait__item_said *item, bool is_owner, struct plait__said *ret)
{
    if (ret == NULL)
        return true;
    if (item->message > 0) {
        ret->message = malloc(item->message + 1);
        if (ret->message == NULL)
            return false;
        memcpy(ret->message, bytes_of(item) + item->wrote, item->message);
        ret->message[item->message] = '\0';
    }
    return take_bytes(item, is_owner, ret);
}

static void take_value(const struct plait__slot *slot, struct plait__job *job, uint32_t i)
{
    if (job->out != NULL && job->out != slot->out)
        memcpy(job->out + i * job->out_bytes, slot->out + i * job->out_bytes, job->out_bytes);
}

static void take_end(const struct plait__item_end *end, plait_result *ret)
{
    ret->end = end->end;
    ret->cause = end->cause;
    ret->code = end->code;
    ret->pid = end->pid;
    ret->signal = end->signal;
    ret->core = end->core;
    ret->starts = end->starts;
    ret->run_ns = end->run_ns;
}

/* What item i said; nothing of a start that was not the last stays. False: no memory. */
static bool take_said_of(struct plait__slot *slot, struct plait__slot_word word,
                         struct plait__job *job, uint32_t i)
{
    bool is_there = true;

    if (slot->saids == NULL)
        return true;
    if (i < word.item && slot->ends[i].has_said)
        is_there = take_said(&slot->saids[i], slot->submitter == 0,
                             job->said == NULL ? NULL : &job->said[i]);
    plait__block_drop(&slot->saids[i].parcel);
    return is_there;
}

/* How many of the first items ended in values, and no more is known of them. */
static uint32_t count_unwritten(const struct plait__slot *slot, struct plait__slot_word word)
{
    if (!slot->is_summed)
        return 0;
    return slot->first_end < word.item ? slot->first_end : word.item;
}

/* All items ended in values. */
static void take_all(const struct plait__slot *slot, struct plait__job *job)
{
    if (job->out != NULL && job->out != slot->out)
        memcpy(job->out, slot->out, job->n * job->out_bytes);
    job->is_summed = true;
    job->run_ns = slot->own_end.run_ns;
    job->n_ended = job->n;
}

void plait__results_take(struct plait__slot *slot, struct plait__slot_word word,
                         struct plait__job *job)
{
    plait_result rest = { .end = word.worker & 0xf, .cause = word.worker >> 4 };
    plait_result value = { .end = PLAIT_JOB_VALUE, .starts = 1 };
    uint32_t n_values = count_unwritten(slot, word);

    if (n_values == job->n) {
        take_all(slot, job);
        return;
    }
    if (n_values > 0) /* they share the time */
        value.run_ns = slot->own_end.run_ns / n_values;
    for (uint32_t i = 0; i < job->n; i++) {
        plait_result *result = &job->results[i];
        if (i < n_values)
            *result = value;
        else if (i < word.item)
            take_end(&slot->ends[i], result);
        else
            *result = rest;
        if (i == word.item)
            result->starts = word.starts;
        if (!take_said_of(slot, word, job, i)) {
            result->end = PLAIT_JOB_LOST;
            result->cause = PLAIT_CAUSE_MEMORY;
        }
        if (result->end == PLAIT_JOB_VALUE)
            take_value(slot, job, i);
    }
    job->n_ended = job->n;
}

void plait__results_drop(struct plait__slot *slot)
{
    for (uint32_t i = 0; slot->saids != NULL && i < slot->n; i++)
        plait__block_drop(&slot->saids[i].parcel);
}
