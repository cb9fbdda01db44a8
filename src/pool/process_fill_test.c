/* Jobs laid out in slots: what becomes of large blocks.
 * SPDX-License-Identifier: MIT
 */
#include "pool/process_fill.h"
#include "test.h"

#include <plait/shared.h>

#include <stdlib.h>
#include <string.h>

enum {
    MIB = 1 << 20
};

static struct plait__fill_spare spare;
static struct plait__slot slots[2];

static void fill(struct plait__slot *slot, size_t bytes)
{
    struct plait__job job = { .in_bytes = bytes, .n = 1 };
    struct plait__fill_sizes sizes;
    char *in = malloc(bytes);

    CHECK(in != NULL);
    memset(in, 7, bytes);
    job.in = in;
    CHECK_INT(plait__fill_measure(&job, &sizes), 0);
    CHECK_INT(plait__fill_slot(slot, &job, &sizes, 0, &spare), 0);
    CHECK(slot->in != in && slot->in[0] == 7 && slot->in[bytes - 1] == 7);
    CHECK(slot->memory_bytes >= bytes);
    free(in);
}

TEST(the_last_large_block_is_there_for_the_next_job)
{
    char *memory;

    fill(&slots[0], 3 * MIB);
    memory = slots[0].memory;
    plait__fill_undo(&slots[0], &spare);
    CHECK(slots[0].memory == NULL && spare.memory == memory);
    fill(&slots[1], 2 * MIB);
    CHECK(slots[1].memory == memory && spare.memory == NULL);
    fill(&slots[0], 2 * MIB);
    CHECK(slots[0].memory != memory);
    plait__fill_undo(&slots[0], &spare);
    plait__fill_undo(&slots[1], &spare);
    CHECK(spare.memory == memory);
    fill(&slots[0], 4 * MIB); /* has no room in it */
    CHECK_INT(slots[0].memory_bytes, 4 * MIB);
    CHECK(spare.memory == NULL);
    plait__fill_undo(&slots[0], &spare);
    plait_shared_free(spare.memory);
    spare.memory = NULL;
}

TEST(small_blocks_and_far_too_large_ones_are_given_back)
{
    fill(&slots[0], 8 * MIB);
    plait__fill_undo(&slots[0], &spare);
    fill(&slots[0], 10000); /* takes nothing of it */
    CHECK_INT(spare.bytes, 8 * MIB);
    plait__fill_undo(&slots[0], &spare);
    CHECK(spare.memory != NULL);
    fill(&slots[0], 2 * MIB);
    CHECK_INT(slots[0].memory_bytes, 2 * MIB);
    CHECK(spare.memory == NULL);
    plait__fill_undo(&slots[0], &spare);
    plait_shared_free(spare.memory);
    spare.memory = NULL;
}
