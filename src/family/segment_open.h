/* What the ways to open a named segment share.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__FAMILY_SEGMENT_OPEN_H
#define PLAIT__FAMILY_SEGMENT_OPEN_H

#include "family/attached.h"

#include <stdbool.h>
#include <stdint.h>

/* What is asked for. */
struct plait__segment_wish {
    const char *name;
    uint64_t bytes;     /* of a new one, and what one that is there must have; 0: whatever it has */
    bool only_new;      /* not one that is there */
    bool only_existing; /* do not make it */
};

/* Is one of so many bytes what is asked for? 0 · -EEXIST: a new one is · -ERANGE: another size
 * is. */
int plait__segment_meets(const struct plait__segment_wish *wish, uint64_t bytes);
/* Reads what stands at its beginning; as plait__segment_head_check. */
int plait__segment_read(int fd, uint64_t file_bytes, struct plait__segment_shape *ret);

/* A new one of what size? -EINVAL. */
int plait__segment_shape(const struct plait__segment_wish *wish, struct plait__segment_shape *ret);
/* Gives the file its bytes, and its beginning. 0 or -errno. */
int plait__segment_fill(int fd, const struct plait__segment_shape *shape);

/* Locks the byte of our id and maps it: the fd and the shape are there already. 0; -EBUSY: another
 * process has our id there; -errno. */
int plait__segment_map(struct plait_segment *segment);
/* Unmaps it and closes its file, as far as it came. */
void plait__segment_unmap(const struct plait_segment *segment);

#endif
