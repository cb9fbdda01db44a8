/* The record cutter against a cutter of three lines, fed in two pieces with an -EAGAIN between them.
 * SPDX-License-Identifier: MIT
 *
 * The first byte chooses delimiter and -r, the second where the input is divided; the rest is the input. It goes
 * through a pipe, so at most 64 KiB of it count.
 */
#include "cmd/map/input_columns.h"
#include "cmd/map/input_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST = 60000
};

#define EXPECT(expr)                                                     \
    do {                                                                 \
        if (!(expr)) {                                                   \
            fprintf(stderr, "line %d: not true: %s\n", __LINE__, #expr); \
            abort();                                                     \
        }                                                                \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_white(const char *at, size_t len)
{
    while (len > 0 && memchr(" \t\n\v\f\r", at[len - 1], 6) != NULL)
        len--;
    return len == 0;
}

/* The next record of the text by the simplest means. */
static bool cut_simply(const struct map_cut *cut, const char **at, const char *end,
                       const char **ret, size_t *ret_len)
{
    while (*at < end) {
        *ret = *at;
        while (*at < end && **at != cut->delimiter)
            ++*at;
        *ret_len = (size_t)(*at - *ret);
        *at += *at < end;
        if (!cut->skip_blank || !is_white(*ret, *ret_len))
            return true;
    }
    return false;
}

/* Columns cut by a plain separator and by the same as an expression are the same. */
static void check_columns(const char *record, size_t len)
{
    static struct map_columns *plain, *regex;
    struct map_values a = { 0 }, b = { 0 };
    struct plait__buf error = { 0 };

    if (plain == NULL) {
        EXPECT(map_columns_create(&plain, "--", &error) == 0);
        EXPECT(map_columns_create(&regex, "-{2}", &error) == 0);
    }
    if (memchr(record, '\0', len) != NULL)
        return;
    EXPECT(map_columns_split(plain, record, len, true, &a) == 0);
    EXPECT(map_columns_split(regex, record, len, true, &b) == 0);
    EXPECT(a.n == b.n);
    for (size_t i = 0; i < a.n; i++)
        EXPECT(strcmp(a.v[i], b.v[i]) == 0);
    map_values_fini(&a);
    map_values_fini(&b);
}

static void feed(int fd, const char *bytes, size_t n)
{
    EXPECT(n == 0 || write(fd, bytes, n) == (ssize_t)n);
}

/* Reads on until the stream says something else than a record. */
static int check_records(struct map_stream *stream, const char **at, const char *end,
                         struct plait__buf *error)
{
    int rc;

    while ((rc = map_stream_next(stream, error)) == 1 || rc == -EINTR) {
        const char *want = NULL;
        size_t len = 0;

        if (rc == -EINTR)
            continue;
        EXPECT(cut_simply(&stream->cut, at, end, &want, &len));
        EXPECT(stream->len == len && memcmp(stream->record, want, len) == 0);
        if (len < 2000)
            check_columns(stream->record, stream->len);
    }
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct map_stream stream;
    struct map_cut cut;
    struct plait__buf error = { 0 };
    const char *text, *at, *end, *want;
    size_t first, len;
    char path[32];
    int fds[2], rc;

    if (size < 2 || size > MOST)
        return 0;
    cut = (struct map_cut){ .delimiter = "\n\0,a"[data[0] & 3], .skip_blank = (data[0] & 4) != 0 };
    at = text = (const char *)data + 2;
    end = text + size - 2;
    first = (size - 2) * data[1] / 255;
    EXPECT(pipe(fds) == 0);
    snprintf(path, sizeof path, "/dev/fd/%d", fds[0]);
    EXPECT(map_stream_open_file(&stream, &cut, path, &error) == 0);
    close(fds[0]);

    feed(fds[1], text, first);
    rc = check_records(&stream, &at, end, &error);
    EXPECT(rc == -EAGAIN || rc == -EINVAL);
    feed(fds[1], text + first, size - 2 - first);
    close(fds[1]);
    rc = check_records(&stream, &at, end, &error);
    EXPECT(rc == 0 || rc == -EINVAL);
    if (rc == 0) {
        EXPECT(!cut_simply(&cut, &at, end, &want, &len));
        EXPECT(map_stream_total(&stream) == (int64_t)stream.taken);
    } else {
        /* The error comes at the first record with a NUL byte that -0 did not take for an end. */
        EXPECT(cut.delimiter != '\0' && memchr(at, '\0', (size_t)(end - at)) != NULL);
    }
    map_stream_close(&stream);
    plait__buf_fini(&error);
    return 0;
}
