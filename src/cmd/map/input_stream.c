/* Cutting a file, a pipe or an argument list into records.
 * SPDX-License-Identifier: MIT
 *
 *     buf:   | behind … | record | next record … | read ahead … |
 *                                ^ next     ^ searched         ^ len
 *
 * Bytes enter at the end of buf and are dropped from its front once more than half of it lies behind, so that each byte
 * is moved at most once on average. No byte is searched twice for a delimiter: `searched` remembers how far a record
 * without an end has been looked through.
 *
 * A file is read only when poll says that a read would not block. Regular files always say so.
 */
#include "cmd/map/input_stream.h"

#include "os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_BYTES = 128 << 10,
    /* blank records: an endless input of them must leave time for other things */
    SKIPS_AT_ONCE = 10000,
    /* records; a poll and a read for each would cost more than cutting them */
    READ_AHEAD_EVERY = 64,
};

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

static int say_unreadable(const char *path, int rc, struct plait__buf *error)
{
    int said = is_stdin(path)
                   ? plait__buf_printf(error, "cannot read standard input: %s", strerror(-rc))
                   : plait__buf_printf(error, "cannot read '%s': %s", path, strerror(-rc));

    return said < 0 ? said : rc;
}

/* About the record that starts at `next`. */
static int say_bad_record(const struct map_stream *stream, int rc, const char *what,
                          struct plait__buf *error)
{
    const char *unit = stream->cut.delimiter == '\n' ? "line" : "record";
    unsigned long long number = stream->line + 1;
    int said = is_stdin(stream->path)
                   ? plait__buf_printf(error, "input %s %llu %s", unit, number, what)
                   : plait__buf_printf(error, "input %s %llu of '%s' %s", unit, number,
                                       stream->path, what);

    return said < 0 ? said : rc;
}

/* What Perl's \s is, since that is what GNU parallel's -r looks for. */
static bool is_blank(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != ' ' && (bytes[i] < '\t' || bytes[i] > '\r'))
            return false;
    return true;
}

static void close_fd(struct map_stream *stream)
{
    if (stream->fd > STDIN_FILENO)
        close(stream->fd);
    stream->fd = -1;
}

/* Forgets what lies behind the current record, if that is worth its move. */
static void drop_behind(struct map_stream *stream)
{
    size_t behind = stream->next;

    if (stream->held)
        return;
    if (stream->record != NULL)
        behind = (size_t)(stream->record - stream->buf.data);
    if (behind == 0 || behind <= stream->buf.len / 2)
        return;
    plait__buf_drop(&stream->buf, behind);
    stream->next -= behind;
    stream->searched -= behind;
    if (stream->record != NULL)
        stream->record = stream->buf.data;
}

static int make_room(struct map_stream *stream)
{
    size_t record = 0;
    int rc;

    drop_behind(stream);
    if (stream->record != NULL)
        record = (size_t)(stream->record - stream->buf.data);
    rc = plait__buf_reserve(&stream->buf, READ_BYTES);
    if (stream->record != NULL)
        stream->record = stream->buf.data + record;
    return rc;
}

/* One read: 1: there is more · 0: the end · -EAGAIN: nothing yet · else an error. Says nothing. */
static int fill(struct map_stream *stream)
{
    struct plait__buf *buf = &stream->buf;
    ssize_t n;
    int rc;

    if (stream->ended)
        return 0;
    rc = plait__os_fd_is_readable(stream->fd);
    if (rc <= 0)
        return rc == 0 ? -EAGAIN : rc;
    rc = make_room(stream);
    if (rc < 0)
        return rc;
    do
        n = read(stream->fd, buf->data + buf->len, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno; /* -EAGAIN as well: somebody else may have been faster */
    if (n == 0) {
        stream->ended = true;
        close_fd(stream);
        return 0;
    }
    buf->len += (size_t)n;
    buf->data[buf->len] = '\0';
    return 1;
}

static int fill_or_say(struct map_stream *stream, struct plait__buf *error)
{
    int rc = fill(stream);

    if (rc >= 0 || rc == -EAGAIN || rc == -ENOMEM)
        return rc;
    return say_unreadable(stream->path, rc, error);
}

/* Where the record at `next` ends: 1 with *ret_end, at its delimiter or at the end of the last record. 0: there is no
 * record any more. */
static int find_end(struct map_stream *stream, size_t *ret_end, struct plait__buf *error)
{
    struct plait__buf *buf = &stream->buf;

    for (;;) {
        const char *end = NULL;
        int rc;

        if (stream->searched < buf->len)
            end = memchr(buf->data + stream->searched, stream->cut.delimiter,
                         buf->len - stream->searched);
        if (end != NULL) {
            *ret_end = (size_t)(end - buf->data);
            return 1;
        }
        stream->searched = buf->len;
        if (buf->len - stream->next > MAP_STREAM_RECORD_BYTES)
            return say_bad_record(stream, -EMSGSIZE, "is longer than 64 MiB", error);
        rc = fill_or_say(stream, error);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            *ret_end = buf->len;
            return stream->next < buf->len;
        }
    }
}

static int next_of_file(struct map_stream *stream, struct plait__buf *error)
{
    size_t start, end = 0;
    int rc = find_end(stream, &end, error);

    if (rc <= 0)
        return rc;
    start = stream->next;
    if (stream->cut.delimiter != '\0' &&
        memchr(stream->buf.data + start, '\0', end - start) != NULL)
        return say_bad_record(stream, -EINVAL, "contains a NUL byte: use -0", error);
    stream->record = stream->buf.data + start;
    stream->len = end - start;
    stream->next = end < stream->buf.len ? end + 1 : end;
    stream->searched = stream->next;
    return 1;
}

static int next_of_args(struct map_stream *stream)
{
    if (stream->next == stream->n_args)
        return 0;
    stream->record = stream->args[stream->next++];
    stream->len = strlen(stream->record);
    return 1;
}

void map_stream_open_args(struct map_stream *stream, const struct map_cut *cut, char *const *args,
                          size_t n_args)
{
    *stream = (struct map_stream){
        .cut = *cut, .args = args, .n_args = n_args, .fd = -1, .ended = true, .total = -1
    };
}

int map_stream_open_file(struct map_stream *stream, const struct map_cut *cut, const char *path,
                         struct plait__buf *error)
{
    int fd = is_stdin(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    int rc = 0;

    if (fd < 0)
        return say_unreadable(path, -errno, error);
    if (fstat(fd, &st) < 0)
        rc = -errno;
    else if (S_ISDIR(st.st_mode))
        rc = -EISDIR; /* open succeeds, and only the first read would tell */
    if (rc < 0) {
        if (fd != STDIN_FILENO)
            close(fd);
        return say_unreadable(path, rc, error);
    }
    *stream = (struct map_stream){ .cut = *cut, .path = path, .fd = fd, .total = -1 };
    return 0;
}

void map_stream_close(struct map_stream *stream)
{
    close_fd(stream);
    plait__buf_fini(&stream->buf);
    stream->record = NULL;
    stream->ended = true;
}

int map_stream_next(struct map_stream *stream, struct plait__buf *error)
{
    unsigned skipped = 0;

    stream->record = NULL;
    if (!stream->ended && !stream->held && stream->since_ahead++ % READ_AHEAD_EVERY == 0)
        map_stream_read_ahead(stream);
    for (;;) {
        int rc = stream->args != NULL ? next_of_args(stream) : next_of_file(stream, error);

        if (rc <= 0)
            return rc;
        stream->line++;
        if (stream->cut.skip_blank && is_blank(stream->record, stream->len)) {
            stream->record = NULL; /* else its place would be kept in buf */
            if (++skipped == SKIPS_AT_ONCE && !stream->held)
                return -EINTR;
            continue;
        }
        stream->taken++;
        return 1;
    }
}

int map_stream_next_header(struct map_stream *stream, struct plait__buf *error)
{
    bool skip_blank = stream->cut.skip_blank;
    int rc;

    stream->cut.skip_blank = false;
    while ((rc = map_stream_next(stream, error)) == -EAGAIN) {
        struct plait__fd wait = { .fd = stream->fd, .wanted = PLAIT__FD_READ };

        rc = plait__os_poll(&wait, 1, INT64_MAX);
        if (rc < 0 && rc != -EINTR)
            return say_unreadable(stream->path, rc, error);
    }
    stream->cut.skip_blank = skip_blank;
    stream->taken = 0;
    stream->first = stream->next;
    return rc;
}

void map_stream_read_ahead(struct map_stream *stream)
{
    const struct plait__buf *buf = &stream->buf;

    while (!stream->ended && buf->len - stream->next < MAP_STREAM_AHEAD_BYTES)
        if (fill(stream) <= 0)
            return;
}

int map_stream_load(struct map_stream *stream, struct plait__buf *error)
{
    int rc;

    do
        rc = fill_or_say(stream, error);
    while (rc > 0);
    return rc;
}

void map_stream_rewind(struct map_stream *stream)
{
    stream->next = stream->searched = stream->first;
    stream->line = stream->first != 0; /* the header */
    stream->record = NULL;
}

int64_t map_stream_total(struct map_stream *stream)
{
    const struct plait__buf *buf = &stream->buf;
    bool is_whole = stream->held || stream->args != NULL; /* nothing was forgotten */
    size_t at = is_whole ? stream->first : stream->next;
    int64_t total = is_whole ? 0 : (int64_t)stream->taken;

    if (stream->total >= 0 || !stream->ended)
        return stream->total;
    if (stream->args != NULL) {
        for (; at < stream->n_args; at++)
            total +=
                !stream->cut.skip_blank || !is_blank(stream->args[at], strlen(stream->args[at]));
        return stream->total = total;
    }
    while (at < buf->len) {
        const char *end = memchr(buf->data + at, stream->cut.delimiter, buf->len - at);
        size_t len = end == NULL ? buf->len - at : (size_t)(end - buf->data) - at;

        total += !stream->cut.skip_blank || !is_blank(buf->data + at, len);
        at += len + 1;
    }
    return stream->total = total;
}
