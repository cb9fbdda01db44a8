/* Reading a job log that plait or GNU parallel wrote.
 * SPDX-License-Identifier: MIT
 *
 * The file may be anything: a user may have named the wrong one, and what is read here decides whether it is cut and
 * appended to. So a line that could not come from a job log refuses the whole file. Only the beginning of a line is
 * let pass, as it does no harm: its job has no line and runs again.
 */
#include "cmd/map/joblog_read.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 64 * 1024,
    /* Longer than any command can be (6 MiB of arguments, each byte quoted as \xNN): not a line of ours. */
    LINE_MAX_BYTES = 64 * 1024 * 1024,
};

struct cursor {
    const char *at, *end;
};

/* Takes the next column of the line; false when no tab ends it. */
static bool take_column(struct cursor *cursor, struct cursor *ret)
{
    const char *tab = cursor->at < cursor->end
                          ? memchr(cursor->at, '\t', (size_t)(cursor->end - cursor->at))
                          : NULL;

    *ret = (struct cursor){ cursor->at, tab ? tab : cursor->end };
    cursor->at = tab ? tab + 1 : cursor->end;
    return tab != NULL;
}

static bool is_made_of(struct cursor column, const char *set)
{
    for (; column.at < column.end; column.at++)
        if (*column.at == '\0' || !strchr(set, *column.at))
            return false;
    return true;
}

static bool read_seq(struct cursor column, uint64_t *ret)
{
    uint64_t seq = 0;

    if (column.at == column.end)
        return false;
    for (; column.at < column.end; column.at++) {
        unsigned digit = (unsigned)(unsigned char)*column.at - '0';

        if (digit > 9 || __builtin_mul_overflow(seq, 10, &seq) ||
            __builtin_add_overflow(seq, digit, &seq))
            return false;
    }
    *ret = seq;
    return true;
}

/* An exit value or a signal: is it zero? False when it is no number. */
static bool read_is_zero(struct cursor column, bool *ret)
{
    bool zero = true;

    if (column.at < column.end && *column.at == '-')
        column.at++;
    if (column.at == column.end)
        return false;
    for (; column.at < column.end; column.at++) {
        if (*column.at < '0' || *column.at > '9')
            return false;
        zero = zero && *column.at == '0';
    }
    *ret = zero;
    return true;
}

enum map_joblog_kind map_joblog_parse(const char *bytes, size_t len, struct map_joblog_line *ret)
{
    struct cursor rest = { bytes, bytes + len }, column;
    struct map_joblog_line line = { 0 };
    bool exit_zero, signal_zero;

    if (len == sizeof MAP_JOBLOG_HEADER - 2 && memcmp(bytes, MAP_JOBLOG_HEADER, len) == 0)
        return MAP_JOBLOG_TITLE;
    if (len == 0)
        return MAP_JOBLOG_TORN;
    if (!take_column(&rest,
                     &column)) /* a torn number reads as another one: good for nothing else */
        return is_made_of(column, "0123456789") ? MAP_JOBLOG_TORN : MAP_JOBLOG_OTHER;
    if (!read_seq(column, &line.seq))
        return MAP_JOBLOG_OTHER;
    if (!take_column(&rest, &column)) /* Host: any word */
        return MAP_JOBLOG_TORN;
    for (int i = 0; i < 4; i++) { /* Starttime, JobRuntime, Send, Receive */
        bool whole = take_column(&rest, &column);

        if (!is_made_of(column, " -+.,0123456789"))
            return MAP_JOBLOG_OTHER;
        if (!whole)
            return MAP_JOBLOG_TORN;
    }
    if (!take_column(&rest, &column))
        return is_made_of(column, "-0123456789") ? MAP_JOBLOG_TORN : MAP_JOBLOG_OTHER;
    if (!read_is_zero(column, &exit_zero))
        return MAP_JOBLOG_OTHER;
    if (!take_column(&rest, &column))
        return is_made_of(column, "-0123456789") ? MAP_JOBLOG_TORN : MAP_JOBLOG_OTHER;
    if (!read_is_zero(column, &signal_zero))
        return MAP_JOBLOG_OTHER;
    line.failed = !exit_zero || !signal_zero;
    line.command = rest.at;
    line.command_len = (size_t)(rest.end - rest.at);
    *ret = line;
    return MAP_JOBLOG_JOB;
}

struct reader {
    int (*visit)(const struct map_joblog_line *line, void *user);
    void *user;
    struct plait__buf *error;
    uint64_t offset;  /* of the next line in the file */
    uint64_t line_no; /* lines read so far */
    bool is_joblog;   /* the title or a job's line was seen */
};

static int refuse_line(const struct reader *reader, uint64_t line_no)
{
    int rc = plait__buf_printf(reader->error, "line %llu is not one of a job log",
                               (unsigned long long)line_no);

    return rc < 0 ? rc : -EINVAL;
}

static int take_line(struct reader *reader, const char *bytes, size_t len)
{
    struct map_joblog_line line;
    enum map_joblog_kind kind = map_joblog_parse(bytes, len, &line);

    reader->line_no++;
    if (kind == MAP_JOBLOG_OTHER)
        return refuse_line(reader, reader->line_no);
    if (kind != MAP_JOBLOG_TORN)
        reader->is_joblog = true;
    if (kind != MAP_JOBLOG_JOB)
        return 0;
    line.offset = reader->offset;
    return reader->visit(&line, reader->user);
}

/* Hands out the whole lines of the buffer and leaves the rest in it. `fresh`: where the unsearched bytes begin. */
static int take_lines(struct reader *reader, struct plait__buf *buf, size_t fresh)
{
    size_t start = 0;
    char *newline;

    while (fresh < buf->len && (newline = memchr(buf->data + fresh, '\n', buf->len - fresh))) {
        size_t len = (size_t)(newline - buf->data) - start;
        int rc = take_line(reader, buf->data + start, len);

        if (rc < 0)
            return rc;
        reader->offset += len + 1;
        start = fresh = start + len + 1;
    }
    plait__buf_drop(buf, start);
    return 0;
}

/* May the rest, which has no newline, be cut? Not if nothing says that this is a job log at all. */
static int judge_rest(const struct reader *reader, const struct plait__buf *rest)
{
    bool torn_title = rest->len < sizeof MAP_JOBLOG_HEADER &&
                      (rest->len == 0 || memcmp(rest->data, MAP_JOBLOG_HEADER, rest->len) == 0);

    if (reader->is_joblog || (reader->offset == 0 && torn_title))
        return 0;
    return refuse_line(reader, 1);
}

int map_joblog_read(int fd, int (*visit)(const struct map_joblog_line *line, void *user),
                    void *user, uint64_t *ret_end, struct plait__buf *error)
{
    struct reader reader = { .visit = visit, .user = user, .error = error };
    struct plait__buf buf = { 0 };
    int rc;

    for (;;) {
        size_t fresh = buf.len;
        ssize_t n;

        rc = fresh > LINE_MAX_BYTES ? refuse_line(&reader, reader.line_no + 1)
                                    : plait__buf_reserve(&buf, CHUNK_BYTES);
        if (rc < 0)
            break;
        n = read(fd, buf.data + buf.len, CHUNK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            rc = n < 0 ? -errno : judge_rest(&reader, &buf);
            break;
        }
        buf.len += (size_t)n;
        rc = take_lines(&reader, &buf, fresh);
        if (rc < 0)
            break;
    }
    plait__buf_fini(&buf);
    if (rc == 0)
        *ret_end = reader.offset;
    return rc;
}
