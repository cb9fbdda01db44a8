/* What stands at the beginning of a named segment.
 * SPDX-License-Identifier: MIT
 *
 *     struct plait__segment_head      constants, checked once and then copied
 *     struct plait__segment_index     how many blocks there are, and who adds one
 *     struct plait__segment_entry     of each block, in the order in which they were made
 *     the blocks                      one behind the other, 64 bytes aligned
 *
 * Nothing in it is a pointer, and all that others may write is checked against the reader's own
 * copy of the constants before it is used. Where everything is follows from the size alone.
 */
#ifndef PLAIT__FAMILY_SEGMENT_LAYOUT_H
#define PLAIT__FAMILY_SEGMENT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLAIT__KEY_BYTES = 48, /* of a block's name, with the zero at its end */
    PLAIT__BLOCK_ALIGN = 64
};

struct plait__segment_head {
    char magic[8];
    uint8_t version; /* of this layout, and of all that may lie in a block */
    uint8_t order;   /* of the bytes in a word: 1 the little end first, 2 the big one */
    uint8_t pointer; /* bytes of a pointer */
    uint8_t zero[5];
    uint64_t bytes;    /* for blocks */
    uint64_t nonce[2]; /* random: no two segments are the same */
    uint64_t sum;      /* of all before */
    uint64_t spare[10];
};

struct plait__segment_index {
    uint32_t lock;  /* owned: who adds a block */
    uint32_t count; /* atomic: of entries that are whole; grows under the lock */
    uint64_t spare[15];
};

struct plait__segment_entry {
    char key[PLAIT__KEY_BYTES]; /* all const once it is counted */
    uint64_t offset;
    uint64_t bytes;
};

/* Where everything is: a process's own copy. */
struct plait__segment_shape {
    uint64_t bytes;   /* for blocks, as it was asked for */
    uint64_t total;   /* of the file */
    uint64_t first;   /* offset of the first block */
    uint64_t end;     /* offset behind the last one */
    uint32_t entries; /* so many blocks at most */
};

static inline struct plait__segment_index *plait__segment_index(char *base)
{
    return (struct plait__segment_index *)(void *)(base + sizeof(struct plait__segment_head));
}

static inline struct plait__segment_entry *plait__segment_entry(char *base, uint32_t i)
{
    char *first = base + sizeof(struct plait__segment_head) + sizeof(struct plait__segment_index);

    return (struct plait__segment_entry *)(void *)first + i;
}

/* The shape of a segment for so many bytes. False: there is none so small or large. */
bool plait__segment_shape_of(uint64_t bytes, struct plait__segment_shape *ret);
/* The head of a new one. */
void plait__segment_head_make(const struct plait__segment_shape *shape,
                              struct plait__segment_head *ret);
/* Is it a segment of any version, whole or not? */
bool plait__segment_is_one(const struct plait__segment_head *head);
/* Can we use it? file_bytes is how long its file is. 0 · -EPROTO: of another version · -ENOEXEC: of
 * another kind of machine · -EBADMSG: not a segment, or broken. */
int plait__segment_head_check(const struct plait__segment_head *head, uint64_t file_bytes,
                              struct plait__segment_shape *ret);

#endif
