/* The output of jobs until it is printed.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/spool.h"
#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,           /* a pipe's worth */
    STREAM_IN_MEMORY = 64 * 1024,     /* a stream with more spills */
    ALL_IN_MEMORY = 32 * 1024 * 1024, /* with more waiting, whatever settles spills */
    COPY_BYTES = 64 * 1024,
    EXTENT_FIRST = 1024 * 1024, /* a stream's extents double: few of them, however long it is */
    EXTENT_LAST = 64 * 1024 * 1024,
};

void map_spool_init(struct map_spool *spool)
{
    *spool = (struct map_spool){ .fd = -1 };
}

void map_spool_fini(struct map_spool *spool)
{
    if (spool->fd >= 0)
        close(spool->fd);
    free(spool->page);
    map_spool_init(spool);
}

static int open_spool(struct map_spool *spool)
{
    const char *dir = getenv("TMPDIR");
    int fd;

    if (spool->fd >= 0)
        return 0;
    fd = plait__os_tmpfile(dir != NULL && dir[0] != '\0' ? dir : "/tmp");
    if (fd < 0)
        return fd;
    spool->fd = fd;
    return 0;
}

static int write_at(int fd, const char *bytes, size_t n, off_t at)
{
    while (n > 0) {
        ssize_t written = pwrite(fd, bytes, n, at);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
            at += written;
        }
    }
    return 0;
}

/* The extent that has room for n bytes more: the last one or a new one. */
static int find_extent(struct map_spool *spool, struct map_stream *stream, size_t n,
                       struct map_extent **ret)
{
    struct map_extent *last =
        stream->n_extents > 0 ? &stream->extents[stream->n_extents - 1] : NULL;
    size_t cap = last == NULL              ? EXTENT_FIRST
                 : last->cap < EXTENT_LAST ? last->cap * 2
                                           : EXTENT_LAST;

    if (last != NULL && last->cap - last->n >= n) {
        *ret = last;
        return 0;
    }
    if (stream->n_extents == stream->cap_extents) {
        size_t room = stream->cap_extents * 2 + 4;
        struct map_extent *extents = reallocarray(stream->extents, room, sizeof *extents);
        if (extents == NULL)
            return -ENOMEM;
        stream->extents = extents;
        stream->cap_extents = room;
    }
    *ret = &stream->extents[stream->n_extents++];
    spool->extents++;
    **ret = (struct map_extent){ .at = spool->end, .cap = cap > n ? cap : n };
    spool->end += (off_t)(*ret)->cap;
    return 0;
}

/* Moves the tail into the file. */
static int spill(struct map_spool *spool, struct map_stream *stream)
{
    struct map_extent *extent = NULL;
    size_t n = stream->tail.len;
    int rc = open_spool(spool);

    if (rc == 0)
        rc = find_extent(spool, stream, n, &extent);
    if (rc == 0)
        rc = write_at(spool->fd, stream->tail.data, n, extent->at + (off_t)extent->n);
    if (rc < 0)
        return rc;
    extent->n += n;
    plait__buf_clear(&stream->tail);
    return 0;
}

int map_stream_read(struct map_spool *spool, struct map_stream *stream)
{
    ssize_t n;
    int rc = 0;

    if (spool->page == NULL && (spool->page = malloc(READ_BYTES)) == NULL)
        return -ENOMEM;
    if (stream->tail.len >= STREAM_IN_MEMORY)
        rc = spill(spool, stream);
    if (rc < 0)
        return rc;
    do
        n = read(stream->fd, spool->page, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : 0;
    rc = plait__buf_add(&stream->tail, spool->page, (size_t)n);
    stream->bytes += (uint64_t)n;
    return rc < 0 ? rc : 1;
}

int map_stream_settle(struct map_spool *spool, struct map_stream *stream)
{
    if (stream->counted > 0) /* settled already */
        return 0;
    if (spool->in_memory + stream->tail.len > ALL_IN_MEMORY) {
        int rc = spill(spool, stream);
        if (rc == 0)
            plait__buf_fini(&stream->tail);
        return rc;
    }
    stream->counted = stream->tail.len;
    spool->in_memory += stream->counted;
    return 0;
}

static int each_of_extent(int fd, const struct map_extent *extent, map_spool_fn *fn, void *arg)
{
    char *bytes = malloc(COPY_BYTES);
    size_t done = 0;
    int rc = bytes == NULL ? -ENOMEM : 0;

    while (rc == 0 && done < extent->n) {
        size_t want = extent->n - done < COPY_BYTES ? extent->n - done : COPY_BYTES;
        ssize_t n = pread(fd, bytes, want, extent->at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            rc = n < 0 ? -errno : -EIO;
            break;
        }
        rc = fn(arg, bytes, (size_t)n);
        done += (size_t)n;
    }
    free(bytes);
    return rc < 0 ? rc : 0;
}

int map_stream_each(struct map_spool *spool, const struct map_stream *stream, map_spool_fn *fn,
                    void *arg)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < stream->n_extents; i++)
        rc = each_of_extent(spool->fd, &stream->extents[i], fn, arg);
    if (rc == 0 && stream->tail.len > 0)
        rc = fn(arg, stream->tail.data, stream->tail.len);
    return rc < 0 ? rc : 0;
}

/* Gives the space of printed extents back to the file system. */
static void give_back(struct map_spool *spool, struct map_stream *stream)
{
    if (stream->n_extents == 0 || spool->fd < 0)
        return;
    for (size_t i = 0; i < stream->n_extents; i++) /* not on every file system: then below */
        fallocate(spool->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, stream->extents[i].at,
                  (off_t)stream->extents[i].cap);
    spool->extents -= stream->n_extents;
    stream->n_extents = 0;
    if (spool->extents == 0 && ftruncate(spool->fd, 0) == 0)
        spool->end = 0;
}

int map_stream_take_lines(struct map_spool *spool, struct map_stream *stream, map_spool_fn *fn,
                          void *arg)
{
    const char *newline =
        stream->tail.len > 0 ? memrchr(stream->tail.data, '\n', stream->tail.len) : NULL;
    struct map_stream before = { .extents = stream->extents, .n_extents = stream->n_extents };
    size_t whole;
    int rc;

    if (newline == NULL)
        return 0;
    whole = (size_t)(newline - stream->tail.data) + 1;
    rc = map_stream_each(spool, &before, fn, arg);
    if (rc == 0)
        rc = fn(arg, stream->tail.data, whole);
    give_back(spool, stream);
    plait__buf_drop(&stream->tail, whole);
    return rc < 0 ? rc : 0;
}

void map_stream_close_far(struct map_stream *stream)
{
    if (stream->far >= 0)
        close(stream->far);
    stream->far = -1;
}

void map_stream_fini(struct map_spool *spool, struct map_stream *stream)
{
    map_stream_close_far(stream);
    if (stream->fd >= 0)
        close(stream->fd);
    spool->in_memory -= stream->counted;
    give_back(spool, stream);
    free(stream->extents);
    plait__buf_fini(&stream->tail);
    *stream = MAP_STREAM_NONE;
}
