/* What the ways to open a named segment share.
 * SPDX-License-Identifier: MIT
 */
#include "family/segment_open.h"
#include "family/member.h"
#include "os/record_lock.h"

#include <errno.h>
#include <unistd.h>

#define BYTES_DEFAULT ((uint64_t)1 << 20)

int plait__segment_meets(const struct plait__segment_wish *wish, uint64_t bytes)
{
    if (wish->only_new)
        return -EEXIST;
    return wish->bytes == 0 || wish->bytes == bytes ? 0 : -ERANGE;
}

int plait__segment_read(int fd, uint64_t file_bytes, struct plait__segment_shape *ret)
{
    struct plait__segment_head head;
    int rc = plait__os_file_read_at_start(fd, &head, sizeof head);

    return rc < 0 ? rc : plait__segment_head_check(&head, file_bytes, ret);
}

int plait__segment_shape(const struct plait__segment_wish *wish, struct plait__segment_shape *ret)
{
    uint64_t bytes = wish->bytes != 0 ? wish->bytes : BYTES_DEFAULT;

    return plait__segment_shape_of(bytes, ret) ? 0 : -EINVAL;
}

int plait__segment_fill(int fd, const struct plait__segment_shape *shape)
{
    struct plait__segment_head head;
    int rc = plait__os_file_reserve(fd, shape->total);

    if (rc < 0)
        return rc;
    plait__segment_head_make(shape, &head);
    return plait__os_file_write_at_start(fd, &head, sizeof head);
}

int plait__segment_map(struct plait_segment *segment)
{
    int rc = plait__os_byte_lock(segment->fd, PLAIT__BYTE_OF_ID + (int64_t)plait__member_self());

    if (rc < 0)
        return rc == -EAGAIN ? -EBUSY : rc;
    rc = plait__os_file_map(segment->fd, segment->shape.total, &segment->base);
    return rc == 0 && !plait__attached_fits(segment) ? -ENOMEM : rc;
}

void plait__segment_unmap(const struct plait_segment *segment)
{
    if (segment->base != NULL)
        plait__os_file_unmap(segment->base, segment->shape.total);
    if (segment->fd >= 0)
        close(segment->fd);
}
