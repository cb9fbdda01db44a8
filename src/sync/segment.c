/* Named segments: what stands in <plait/segment.h>.
 * SPDX-License-Identifier: MIT
 *
 * Blocks are found without a lock: an entry that is counted never changes again. To add one is to
 * write the entry behind the last, under the lock, and then to count it: one store. Who is killed
 * before that leaves an entry that the next one writes over.
 */
#include <plait/segment.h>

#include "base/opts.h"
#include "base/time.h"
#include "family/segment.h"
#include "os/clock.h"
#include "sync/owned.h"

#include <errno.h>
#include <string.h>

/* ---- opening ---- */

enum {
    MS = 1000 * 1000, /* in nanoseconds */
    SHORT_ROUNDS = 5, /* of 1 ms: mostly it is one process, and soon done */
    MIDDLE_ROUNDS = 20
};

/* 0: look again; -ETIMEDOUT, -ECANCELED. */
static int wait_a_moment(unsigned round, plait_deadline until)
{
    int64_t ms = round < SHORT_ROUNDS ? 1 : round < MIDDLE_ROUNDS ? 10 : 50;
    plait_deadline soon = plait__deadline_after(plait__os_now_ns(), ms * MS);

    if (plait_left_ns(until) == 0)
        return -ETIMEDOUT;
    return plait_sleep(until.ns < soon.ns ? until : soon);
}

static int open_until(const struct plait__segment_wish *wish, plait_segment **ret,
                      plait_deadline until)
{
    for (unsigned round = 0;; round++) {
        int rc = plait__segment_try_open(wish, ret), waited;
        if (rc != -EAGAIN && !(rc == -ENOENT && wish->only_existing))
            return rc;
        waited = wait_a_moment(round, until);
        if (waited < 0)
            return rc == -ENOENT && waited == -ETIMEDOUT ? rc : waited;
    }
}

int plait_segment_open_sized(plait_segment **ret, const char *name, const plait_segment_opts *opts,
                             size_t opts_bytes, plait_deadline until)
{
    plait_segment_opts ours;
    struct plait__segment_wish wish;
    int rc = plait__opts_copy(&ours, sizeof ours, opts, opts_bytes);

    if (rc < 0)
        return rc;
    if (ret == NULL || name == NULL || name[0] == '\0' || (ours.only_new && ours.only_existing))
        return -EINVAL;
    wish = (struct plait__segment_wish){ .name = name,
                                         .bytes = ours.bytes,
                                         .only_new = ours.only_new,
                                         .only_existing = ours.only_existing };
    return open_until(&wish, ret, until);
}

int plait_segment_close(plait_segment *segment)
{
    return segment == NULL ? 0 : plait__segment_close(segment);
}

/* ---- blocks ---- */

/* What is asked for. */
struct wanted {
    char key[PLAIT__KEY_BYTES];
    uint64_t bytes;
};

/* Does it lie where blocks do? All of it comes from others. */
static bool is_inside(const plait_segment *segment, uint64_t offset, uint64_t bytes)
{
    uint64_t first = segment->shape.first, room = segment->shape.end - first;

    return offset >= first && offset - first <= room && bytes <= room - (offset - first);
}

/* How many entries are whole; -EBADMSG. */
static int64_t count_entries(const plait_segment *segment)
{
    /* acquire: pairs with the release of who counted the last one */
    uint32_t n = __atomic_load_n(&plait__segment_index(segment->base)->count, __ATOMIC_ACQUIRE);

    return n <= segment->shape.entries ? (int64_t)n : -EBADMSG;
}

/* A copy: what was checked must not change after that. */
static struct plait__segment_entry read_entry(const plait_segment *segment, uint32_t i)
{
    const struct plait__segment_entry *entry = plait__segment_entry(segment->base, i);
    struct plait__segment_entry copy;

    memcpy(copy.key, entry->key, sizeof copy.key);
    copy.offset = __atomic_load_n(&entry->offset, __ATOMIC_RELAXED);
    copy.bytes = __atomic_load_n(&entry->bytes, __ATOMIC_RELAXED);
    return copy;
}

/* Among entries from *next on. 0: found · -ENOENT, and then *next is how many there are · -EINVAL ·
 * -EBADMSG. */
static int find(const plait_segment *segment, const struct wanted *wanted, uint32_t *next,
                void **ret)
{
    int64_t n = count_entries(segment);

    if (n < 0)
        return (int)n;
    for (; *next < n; (*next)++) {
        struct plait__segment_entry entry = read_entry(segment, *next);
        if (memcmp(entry.key, wanted->key, sizeof entry.key) != 0)
            continue;
        if (entry.bytes != wanted->bytes)
            return -EINVAL;
        if (entry.offset % PLAIT__BLOCK_ALIGN != 0 ||
            !is_inside(segment, entry.offset, entry.bytes))
            return -EBADMSG;
        *ret = segment->base + entry.offset;
        return 0;
    }
    return -ENOENT;
}

/* Behind the last block. 0; -ENOMEM; -EBADMSG. pre: the lock; there are n entries. */
static int find_room(const plait_segment *segment, uint32_t n, uint64_t bytes, uint64_t *ret)
{
    uint64_t offset = segment->shape.first;

    if (n > 0) {
        struct plait__segment_entry last = read_entry(segment, n - 1);
        if (!is_inside(segment, last.offset, last.bytes))
            return -EBADMSG;
        offset = last.offset + last.bytes;
    }
    offset = (offset + PLAIT__BLOCK_ALIGN - 1) / PLAIT__BLOCK_ALIGN * PLAIT__BLOCK_ALIGN;
    if (n >= segment->shape.entries || !is_inside(segment, offset, bytes))
        return -ENOMEM;
    *ret = offset;
    return 0;
}

/* pre: the lock; there are n entries, none of them that one. */
static int add(const plait_segment *segment, const struct wanted *wanted, uint32_t n, void **ret)
{
    struct plait__segment_entry *entry = plait__segment_entry(segment->base, n);
    uint64_t offset;
    int rc = find_room(segment, n, wanted->bytes, &offset);

    if (rc < 0)
        return rc;
    memcpy(entry->key, wanted->key, sizeof entry->key);
    entry->offset = offset;
    entry->bytes = wanted->bytes;
    __atomic_store_n(&plait__segment_index(segment->base)->count, n + 1, __ATOMIC_RELEASE);
    *ret = segment->base + offset;
    return 0;
}

int plait_segment_get(plait_segment *segment, void **ret, const char *key, size_t bytes,
                      plait_deadline until)
{
    struct wanted wanted = { .bytes = bytes };
    uint32_t next = 0, *lock;
    int rc;

    if (!plait__attached_is_valid(segment) || ret == NULL || key == NULL || key[0] == '\0' ||
        bytes == 0)
        return -EINVAL;
    if (strlen(key) >= sizeof wanted.key)
        return -ENAMETOOLONG;
    memcpy(wanted.key, key, strlen(key));
    rc = find(segment, &wanted, &next, ret);
    if (rc != -ENOENT)
        return rc;
    lock = &plait__segment_index(segment->base)->lock;
    rc = plait__owned_acquire(lock, true, until);
    if (rc < 0)
        return rc;
    plait__owned_mend(lock); /* nothing was half done */
    rc = find(segment, &wanted, &next, ret);
    if (rc == -ENOENT)
        rc = add(segment, &wanted, next, ret);
    plait__owned_release(lock);
    return rc;
}

/* ---- what it is ---- */

uint64_t plait_segment_offset(const plait_segment *segment, const void *ptr)
{
    uint64_t offset;

    if (!plait__attached_is_valid(segment))
        return 0;
    offset = (uint64_t)(uintptr_t)ptr - (uint64_t)(uintptr_t)segment->base;
    return is_inside(segment, offset, 0) ? offset : 0;
}

void *plait_segment_at(const plait_segment *segment, uint64_t offset, size_t bytes)
{
    if (!plait__attached_is_valid(segment) || !is_inside(segment, offset, bytes))
        return NULL;
    return segment->base + offset;
}

const char *plait_segment_name(const plait_segment *segment)
{
    return plait__attached_is_valid(segment) ? segment->name : NULL;
}

uint64_t plait_segment_bytes(const plait_segment *segment)
{
    return plait__attached_is_valid(segment) ? segment->shape.bytes : 0;
}
