/* Named segments whose name is not a path.
 * SPDX-License-Identifier: MIT
 *
 * It is memory that a living process has open: nobody serves it, and each one who has it keeps it
 * alive. While one looks for it, or makes it, all others who do so wait. It is sealed when it is
 * whole, so that what is not sealed was left half made by a fork at that moment, and is not it.
 */
#include "family/segment_name.h"
#include "os/named_memory.h"

#include <errno.h>
#include <unistd.h>

struct search {
    const struct plait__segment_wish *wish;
    struct plait_segment *segment;
    struct plait_segment *mapped;
};

enum {
    FOUND = 1
};

static int open_found(const struct plait__segment_wish *wish, struct plait_segment *segment)
{
    int rc = plait__segment_read(segment->fd, segment->id.bytes, &segment->shape);

    if (rc == 0)
        rc = plait__segment_meets(wish, segment->shape.bytes);
    return rc == 0 ? FOUND : rc;
}

/* One of that name, and perhaps somebody else's. */
static int consider(int look, void *arg)
{
    struct search *search = arg;
    struct plait_segment *segment = search->segment;
    int rc;

    if (plait__os_file_check(look, &segment->id) < 0)
        return 0;
    search->mapped = plait__attached_find(&segment->id);
    if (search->mapped != NULL) {
        rc = plait__segment_meets(search->wish, search->mapped->shape.bytes);
        return rc < 0 ? rc : FOUND;
    }
    segment->fd = plait__os_file_open(look);
    if (segment->fd < 0)
        return segment->fd;
    if (plait__os_memory_is_sealed(segment->fd))
        return open_found(search->wish, segment);
    close(segment->fd);
    segment->fd = -1;
    return 0;
}

static int make(const struct plait__segment_wish *wish, struct plait_segment *segment)
{
    int rc = plait__segment_shape(wish, &segment->shape);

    if (rc < 0)
        return rc;
    segment->fd = plait__os_memory_make(wish->name);
    if (segment->fd < 0)
        return segment->fd;
    rc = plait__segment_fill(segment->fd, &segment->shape);
    if (rc == 0)
        rc = plait__os_file_check(segment->fd, &segment->id);
    if (rc == 0)
        rc = plait__segment_map(segment);
    return rc == 0 ? plait__os_memory_seal(segment->fd) : rc;
}

/* pre: the name's lock. */
static int find_or_make(const struct plait__segment_wish *wish, struct plait_segment *segment,
                        struct plait_segment **ret_mapped)
{
    struct search search = { .wish = wish, .segment = segment };
    int rc = plait__os_memory_find(wish->name, consider, &search);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return wish->only_existing ? -ENOENT : make(wish, segment);
    if (search.mapped == NULL)
        return plait__segment_map(segment);
    *ret_mapped = search.mapped;
    return 1;
}

int plait__segment_open_name(const struct plait__segment_wish *wish, struct plait_segment *segment,
                             struct plait_segment **ret_mapped)
{
    int rc;

    /* we have it open, so everybody finds that one */
    *ret_mapped = plait__attached_find_name(wish->name);
    if (*ret_mapped != NULL) {
        rc = plait__segment_meets(wish, (*ret_mapped)->shape.bytes);
        return rc < 0 ? rc : 1;
    }
    rc = plait__os_name_lock(wish->name);
    if (rc < 0)
        return rc;
    rc = find_or_make(wish, segment, ret_mapped);
    plait__os_name_unlock();
    return rc;
}
