/* What stands at the beginning of a named segment.
 * SPDX-License-Identifier: MIT
 */
#include "family/segment_layout.h"
#include "os/memory.h"
#include "os/process.h"

#include <errno.h>
#include <string.h>

enum {
    VERSION = 1,
    BYTES_FOR_ENTRY = 4096, /* there is an entry for so many bytes of blocks */
    ENTRIES_LEAST = 62,     /* with the head, one page */
    ENTRIES_MOST = 4096
};

#define BYTES_MOST ((uint64_t)1 << 39)

static const char magic[8] = { 'p', 'l', 'a', 'i', 't', 's', 'e', 'g' };

_Static_assert(sizeof(struct plait__segment_head) == 128, "the same on all machines");
_Static_assert(sizeof(struct plait__segment_index) == 128, "the same on all machines");
_Static_assert(sizeof(struct plait__segment_entry) == 64, "the same on all machines");

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

bool plait__segment_shape_of(uint64_t bytes, struct plait__segment_shape *ret)
{
    struct plait__segment_shape shape = { .bytes = bytes };

    if (bytes == 0 || bytes > BYTES_MOST)
        return false;
    shape.entries = ENTRIES_LEAST;
    if (bytes / BYTES_FOR_ENTRY > ENTRIES_LEAST)
        shape.entries = bytes / BYTES_FOR_ENTRY < ENTRIES_MOST ? (uint32_t)(bytes / BYTES_FOR_ENTRY)
                                                               : ENTRIES_MOST;
    shape.first = sizeof(struct plait__segment_head) + sizeof(struct plait__segment_index) +
                  shape.entries * sizeof(struct plait__segment_entry);
    shape.end = shape.first + round_up(bytes, PLAIT__BLOCK_ALIGN);
    shape.total = round_up(shape.end, plait__os_page_bytes());
    if (shape.total > SIZE_MAX / 2)
        return false;
    *ret = shape;
    return true;
}

static uint8_t order_of_bytes(void)
{
    const uint16_t one = 1;
    uint8_t first;

    memcpy(&first, &one, 1);
    return first == 1 ? 1 : 2;
}

/* FNV-1a: to tell what was written over from what was not, by accident. */
static uint64_t sum_of(const struct plait__segment_head *head)
{
    const unsigned char *bytes = (const unsigned char *)head;
    uint64_t sum = UINT64_C(0xCBF29CE484222325);

    for (size_t i = 0; i < offsetof(struct plait__segment_head, sum); i++)
        sum = (sum ^ bytes[i]) * UINT64_C(0x100000001B3);
    return sum;
}

void plait__segment_head_make(const struct plait__segment_shape *shape,
                              struct plait__segment_head *ret)
{
    *ret = (struct plait__segment_head){ .version = VERSION,
                                         .order = order_of_bytes(),
                                         .pointer = sizeof(void *),
                                         .bytes = shape->bytes,
                                         .nonce = { plait__os_random(), plait__os_random() } };
    memcpy(ret->magic, magic, sizeof magic);
    ret->sum = sum_of(ret);
}

bool plait__segment_is_one(const struct plait__segment_head *head)
{
    return memcmp(head->magic, magic, sizeof magic) == 0;
}

int plait__segment_head_check(const struct plait__segment_head *head, uint64_t file_bytes,
                              struct plait__segment_shape *ret)
{
    struct plait__segment_shape shape;

    if (!plait__segment_is_one(head))
        return -EBADMSG;
    if (head->version != VERSION)
        return -EPROTO;
    if (head->order != order_of_bytes() || head->pointer != sizeof(void *))
        return -ENOEXEC;
    if (head->sum != sum_of(head) || !plait__segment_shape_of(head->bytes, &shape) ||
        shape.total != file_bytes)
        return -EBADMSG;
    *ret = shape;
    return 0;
}
