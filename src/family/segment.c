/* Named segments: opening and closing.
 * SPDX-License-Identifier: MIT
 */
#include "family/segment.h"
#include "family/member.h"
#include "family/segment_name.h"
#include "family/segment_path.h"
#include "os/named_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_names(const struct plait_segment *segment)
{
    free(segment->name);
    free(segment->path);
}

/* pre: lock. As plait__segment_open_path. */
static int open_either(const struct plait__segment_wish *wish, struct plait_segment *segment,
                       struct plait_segment **ret_mapped)
{
    bool is_path = strchr(wish->name, '/') != NULL;

    if (!is_path && strlen(wish->name) > PLAIT__NAME_BYTES)
        return -ENAMETOOLONG;
    if (plait__attached_is_full())
        return -EMFILE;
    segment->name = strdup(wish->name);
    segment->path = is_path ? plait__os_file_absolute(wish->name) : NULL;
    if (segment->name == NULL || (is_path && segment->path == NULL))
        return -ENOMEM;
    return is_path ? plait__segment_open_path(wish, segment, ret_mapped)
                   : plait__segment_open_name(wish, segment, ret_mapped);
}

/* pre: lock. */
static int open_one(const struct plait__segment_wish *wish, struct plait_segment **ret)
{
    struct plait_segment segment = { .fd = -1 }, *mapped = NULL;
    int rc = open_either(wish, &segment, &mapped);

    if (rc == 0) {
        *ret = plait__attached_add(&segment);
        return 0;
    }
    if (rc > 0) {
        mapped->refs++;
        *ret = mapped;
        rc = 0;
    } else {
        plait__segment_unmap(&segment);
    }
    free_names(&segment);
    return rc;
}

int plait__segment_try_open(const struct plait__segment_wish *wish, struct plait_segment **ret)
{
    int rc = plait__member_join();

    if (rc < 0)
        return rc;
    if (!plait__attached_try_lock())
        return -EAGAIN;
    rc = open_one(wish, ret);
    plait__attached_unlock();
    return rc;
}

int plait__segment_close(struct plait_segment *segment)
{
    struct plait_segment last;

    if (!plait__attached_is_valid(segment))
        return -EINVAL;
    plait__attached_lock();
    if (!plait__attached_is_valid(segment)) { /* another thread was faster */
        plait__attached_unlock();
        return -EINVAL;
    }
    last = *segment;
    segment->refs--;
    if (last.refs == 1) {
        plait__attached_remove(segment);
        if (!plait__os_file_is(last.fd, &last.id))
            last.fd = -1; /* the program has closed it, and the number means something else */
        plait__segment_unmap(&last);
        if (last.path != NULL)
            plait__segment_sweep_path(last.path, &last.id);
        free_names(&last);
    }
    plait__attached_unlock();
    return 0;
}
