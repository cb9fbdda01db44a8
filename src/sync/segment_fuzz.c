/* Fuzzer: whatever stands at the beginning of a segment, what it leads to lies inside.
 * SPDX-License-Identifier: MIT
 */
#include <plait/segment.h>

#include "family/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static plait_segment *open_once(void)
{
    plait_segment_opts opts = { .bytes = 4096, .only_new = true };
    plait_segment *segment = NULL;
    char name[32];

    snprintf(name, sizeof name, "fuzz-%d", (int)getpid());
    if (plait_segment_open(&segment, name, &opts, PLAIT_FOREVER) < 0)
        abort();
    return segment;
}

/* As a reader would find it in a file. */
static void check_head(const uint8_t *data, size_t size)
{
    struct plait__segment_head head = { 0 };
    struct plait__segment_shape shape;

    memcpy(&head, data, size < sizeof head ? size : sizeof head);
    if (plait__segment_head_check(&head, 8192, &shape) == 0 &&
        (shape.end > shape.total || shape.total > 8192))
        abort();
}

static void get(plait_segment *segment, const char *key, size_t bytes)
{
    void *block = NULL;

    if (plait_segment_get(segment, &block, key, bytes, PLAIT_NOWAIT) < 0)
        return;
    if (plait_segment_at(segment, plait_segment_offset(segment, block), bytes) != block)
        abort();
    memset(block, 1, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static plait_segment *segment;
    size_t room;

    if (segment == NULL)
        segment = open_once();
    check_head(data, size);
    room = segment->shape.first - sizeof(struct plait__segment_head);
    memset(segment->base + sizeof(struct plait__segment_head), 0, room);
    memcpy(segment->base + sizeof(struct plait__segment_head), data, size < room ? size : room);
    get(segment, "a", 8);
    get(segment, "b", 100);
    get(segment, "b", size + 1);
    return 0;
}
