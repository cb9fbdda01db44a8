/* Named segments whose name is a path.
 * SPDX-License-Identifier: MIT
 *
 * Whoever has the file open shares one byte of it, and forked children of such a process share it
 * as well, whether they have used plait yet or not. A file of which nobody shares that byte was
 * left by the dead. To find that out and to remove it, or to find the contrary and to share the
 * byte, is done with the guard, another byte, and only if the file still stands at its path then.
 * So it is removed once, and nobody goes on with a file that another one has removed.
 *
 * A new file shares the byte before it is put at its path, and is whole by then.
 */
#include "family/segment_path.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/record_lock.h"

#include <errno.h>
#include <unistd.h>

enum {
    SWEEP_TRIES = 200, /* in each of which we nap */
    NAP_NS = 5 * 1000 * 1000
};

int plait__segment_settle(const char *path, int fd, const struct plait__file_id *id)
{
    int rc = plait__os_byte_lock(fd, PLAIT__BYTE_GUARD);

    if (rc < 0)
        return rc;
    if (!plait__os_file_is_at(path, id))
        return -EAGAIN;
    if (!plait__os_byte_is_free(fd, PLAIT__BYTE_IN_USE))
        return 0;
    rc = plait__os_file_remove(path);
    return rc < 0 ? rc : -ENOENT;
}

/* Is it a segment, of whatever version? Nothing else may ever be removed. */
static int recognize(int fd)
{
    struct plait__segment_head head;
    int rc = plait__os_file_read_at_start(fd, &head, sizeof head);

    if (rc < 0)
        return rc;
    return plait__segment_is_one(&head) ? 0 : -EBADMSG;
}

/* It stands at the path and is open. */
static int open_existing(const struct plait__segment_wish *wish, struct plait_segment *segment)
{
    int rc = recognize(segment->fd);

    if (rc == 0)
        rc = plait__segment_settle(segment->path, segment->fd, &segment->id);
    if (rc == 0)
        rc = plait__os_byte_share(segment->fd, PLAIT__BYTE_IN_USE);
    if (rc == 0)
        rc = plait__segment_read(segment->fd, segment->id.bytes, &segment->shape);
    if (rc == 0)
        rc = plait__segment_meets(wish, segment->shape.bytes);
    if (rc == 0)
        rc = plait__segment_map(segment);
    if (rc == 0)
        plait__os_byte_unlock(segment->fd, PLAIT__BYTE_GUARD);
    return rc;
}

static int find(const struct plait__segment_wish *wish, struct plait_segment *segment,
                struct plait_segment **ret_mapped)
{
    int look = plait__os_file_look(segment->path, &segment->id);

    if (look < 0)
        return look;
    *ret_mapped = plait__attached_find(&segment->id);
    if (*ret_mapped == NULL)
        segment->fd = plait__os_file_open(look);
    close(look);
    if (*ret_mapped != NULL) {
        int rc = plait__segment_meets(wish, (*ret_mapped)->shape.bytes);
        return rc < 0 ? rc : 1;
    }
    return segment->fd < 0 ? segment->fd : open_existing(wish, segment);
}

static int make(const struct plait__segment_wish *wish, struct plait_segment *segment)
{
    struct plait__new_file file;
    int rc = plait__segment_shape(wish, &segment->shape);

    if (rc == 0)
        rc = plait__os_file_make(&file, segment->path, PLAIT__BYTE_GUARD);
    if (rc < 0)
        return rc;
    rc = plait__segment_fill(file.fd, &segment->shape);
    if (rc == 0)
        rc = plait__os_file_check(file.fd, &segment->id);
    if (rc == 0)
        rc = plait__os_byte_share(file.fd, PLAIT__BYTE_IN_USE);
    segment->fd = file.fd;
    if (rc == 0)
        rc = plait__segment_map(segment);
    if (rc == 0)
        rc = plait__os_file_publish(&file, segment->path, PLAIT__BYTE_GUARD);
    if (rc == 0)
        return 0;
    plait__os_file_abandon(&file);
    segment->fd = -1;
    return rc == -EEXIST ? -EAGAIN : rc; /* somebody was faster */
}

int plait__segment_open_path(const struct plait__segment_wish *wish, struct plait_segment *segment,
                             struct plait_segment **ret_mapped)
{
    int rc = find(wish, segment, ret_mapped);

    if (rc != -ENOENT || wish->only_existing)
        return rc;
    plait__segment_unmap(segment); /* what was removed */
    segment->fd = -1;
    return make(wish, segment);
}

/* Whoever has the guard may have seen our own share of the file, and will not look again. */
static void settle_in_time(const char *path, int fd, const struct plait__file_id *id)
{
    uint32_t word = 0;

    for (int i = 0; i < SWEEP_TRIES && plait__segment_settle(path, fd, id) == -EAGAIN; i++) {
        if (!plait__os_file_is_at(path, id))
            return;
        plait__os_futex_wait(&word, 0, plait__os_now_ns() + NAP_NS);
    }
}

void plait__segment_sweep_path(const char *path, const struct plait__file_id *id)
{
    struct plait__file_id now;
    int look = plait__os_file_look(path, &now), fd;

    if (look < 0)
        return;
    if (now.device == id->device && now.inode == id->inode) {
        fd = plait__os_file_open(look);
        if (fd >= 0) {
            settle_in_time(path, fd, id);
            close(fd);
        }
    }
    close(look);
}
