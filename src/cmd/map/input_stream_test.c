/* The record cutter.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/input_stream.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct map_cut lines = { .delimiter = '\n' };

static struct map_stream stream;
static struct plait__buf error;
static int writer; /* the other end of the stream's pipe */

/* A stream that reads from a pipe. */
static void open_pipe(const struct map_cut *cut)
{
    static char path[32];
    int fds[2];

    CHECK_INT(pipe(fds), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", fds[0]);
    CHECK_INT(map_stream_open_file(&stream, cut, path, &error), 0);
    close(fds[0]);
    writer = fds[1];
}

static void feed(const char *bytes, size_t n)
{
    CHECK_INT(write(writer, bytes, n), (ssize_t)n);
}

static void feed_all(const char *bytes, size_t n)
{
    feed(bytes, n);
    close(writer);
}

static void check_next(const char *record)
{
    CHECK_INT(map_stream_next(&stream, &error), 1);
    CHECK_MEM(stream.record, stream.len, record, strlen(record));
}

static void check_end(void)
{
    CHECK_INT(map_stream_next(&stream, &error), 0);
    CHECK_INT(map_stream_next(&stream, &error), 0);
    map_stream_close(&stream);
    plait__buf_fini(&error);
}

static void make_file(char *path, const char *bytes, size_t n)
{
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    CHECK_INT(write(fd, bytes, n), (ssize_t)n);
    close(fd);
}

TEST(an_empty_line_is_a_record)
{
    open_pipe(&lines);
    feed_all("a\n\nb\n", 5);
    check_next("a");
    check_next("");
    check_next("b");
    check_end();
}

TEST(a_last_line_without_newline_counts)
{
    open_pipe(&lines);
    feed_all("a\nb", 3);
    check_next("a");
    check_next("b");
    check_end();
}

TEST(a_carriage_return_is_kept)
{
    open_pipe(&lines);
    feed_all("a\r\n", 3);
    check_next("a\r");
    check_end();
}

TEST(no_bytes_are_no_record)
{
    open_pipe(&lines);
    feed_all("", 0);
    check_end();
}

TEST(white_space_alone_is_skipped_when_asked)
{
    open_pipe(&(struct map_cut){ .delimiter = '\n', .skip_blank = true });
    feed_all("\n \t\r\na\n\n", 8);
    check_next("a");
    CHECK_INT(map_stream_total(&stream), 1);
    check_end();
}

TEST(nul_delimits_and_newlines_stay)
{
    open_pipe(&(struct map_cut){ .delimiter = '\0' });
    feed_all("a\nb\0c", 5);
    check_next("a\nb");
    check_next("c");
    check_end();
}

TEST(an_empty_pipe_says_eagain_and_goes_on_later)
{
    open_pipe(&lines);
    CHECK_INT(map_stream_next(&stream, &error), -EAGAIN);
    feed("a\nb", 3);
    check_next("a");
    CHECK_INT(map_stream_next(&stream, &error), -EAGAIN); /* b may go on */
    feed("c\n", 2);
    check_next("bc");
    CHECK_INT(map_stream_next(&stream, &error), -EAGAIN);
    CHECK_INT(map_stream_total(&stream), -1);
    close(writer);
    check_end();
}

TEST(the_total_is_known_once_the_end_was_read)
{
    open_pipe(&lines);
    feed_all("a\nb\nc", 5);
    check_next("a");
    CHECK_INT(map_stream_total(&stream), 3);
    check_next("b");
    check_next("c");
    CHECK_INT(map_stream_total(&stream), 3);
    check_end();
}

TEST(a_nul_byte_in_a_line_is_an_error_that_names_the_line)
{
    open_pipe(&lines);
    feed_all("a\nb\0c\nd\n", 8);
    check_next("a");
    CHECK_INT(map_stream_next(&stream, &error), -EINVAL);
    CHECK(strstr(error.data, "input line 2 of ") != NULL);
    CHECK(strstr(error.data, " contains a NUL byte: use -0") != NULL);
    plait__buf_clear(&error);
    CHECK_INT(map_stream_next(&stream, &error), -EINVAL); /* and stays one */
    map_stream_close(&stream);
    plait__buf_fini(&error);
    close(writer);
}

TEST(a_missing_file_is_named)
{
    CHECK_INT(map_stream_open_file(&stream, &lines, "/nowhere/x", &error), -ENOENT);
    CHECK_STR(error.data, "cannot read '/nowhere/x': No such file or directory");
    plait__buf_fini(&error);
}

TEST(a_directory_is_refused)
{
    CHECK_INT(map_stream_open_file(&stream, &lines, "/", &error), -EISDIR);
    CHECK_STR(error.data, "cannot read '/': Is a directory");
    plait__buf_fini(&error);
}

TEST(standard_input_is_named_in_words)
{
    close(STDIN_FILENO);
    CHECK_INT(map_stream_open_file(&stream, &lines, "-", &error), -EBADF);
    CHECK_STR(error.data, "cannot read standard input: Bad file descriptor");
    plait__buf_fini(&error);
}

TEST(arguments_are_never_cut)
{
    char *args[] = { (char[]){ "a\nb" }, (char[]){ "" }, (char[]){ "c" } };

    map_stream_open_args(&stream, &lines, args, 3);
    CHECK_INT(map_stream_total(&stream), 3);
    check_next("a\nb");
    check_next("");
    check_next("c");
    check_end();
}

TEST(a_held_stream_can_be_rewound_behind_its_header)
{
    open_pipe(&lines);
    stream.held = true;
    feed("h\n", 2);
    CHECK_INT(map_stream_next_header(&stream, &error), 1);
    CHECK_MEM(stream.record, stream.len, "h", 1);
    CHECK_INT(map_stream_load(&stream, &error), -EAGAIN);
    feed_all("a\nb", 3);
    CHECK_INT(map_stream_load(&stream, &error), 0);
    CHECK_INT(map_stream_total(&stream), 2);
    for (int round = 0; round < 3; round++) {
        map_stream_rewind(&stream);
        check_next("a");
        check_next("b");
        CHECK_INT(stream.line, 3);
        CHECK_INT(map_stream_next(&stream, &error), 0);
    }
    check_end();
}

TEST(memory_does_not_grow_with_the_file)
{
    enum {
        BYTES = 32 << 20
    };

    char path[] = "/tmp/plait-stream-XXXXXX";
    char *bytes = malloc(BYTES);
    size_t n = 0;

    CHECK(bytes != NULL);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = i % 100 == 99 ? '\n' : 'x';
    make_file(path, bytes, BYTES);
    free(bytes);
    CHECK_INT(map_stream_open_file(&stream, &lines, path, &error), 0);
    unlink(path);
    while (map_stream_next(&stream, &error) == 1) {
        n++;
        CHECK(stream.buf.cap <= 5 * MAP_STREAM_AHEAD_BYTES);
    }
    CHECK_INT(n, BYTES / 100 + 1);
    check_end();
}

TEST(reading_ahead_stops_at_its_bound_and_keeps_the_record)
{
    enum {
        BYTES = 6 << 20
    };

    char path[] = "/tmp/plait-stream-XXXXXX";
    char *bytes = malloc(BYTES);

    CHECK(bytes != NULL);
    memset(bytes, '\n', BYTES);
    memcpy(bytes, "first\n", 6);
    make_file(path, bytes, BYTES);
    free(bytes);
    CHECK_INT(map_stream_open_file(&stream, &lines, path, &error), 0);
    unlink(path);
    check_next("first");
    map_stream_read_ahead(&stream);
    CHECK_MEM(stream.record, stream.len, "first", 5);
    CHECK(!stream.ended);
    CHECK(stream.buf.len < MAP_STREAM_AHEAD_BYTES + (1 << 20));
    map_stream_close(&stream);
}

TEST_LIMIT(a_line_beyond_64_mib_is_refused, 60)
{
    enum {
        HOLE = (64 << 20) + (1 << 20)
    };

    char path[] = "/tmp/plait-stream-XXXXXX";

    make_file(path, "", 0);
    CHECK_INT(truncate(path, HOLE), 0); /* NUL bytes: no newline anywhere */
    CHECK_INT(map_stream_open_file(&stream, &lines, path, &error), 0);
    unlink(path);
    CHECK_INT(map_stream_next(&stream, &error), -EMSGSIZE);
    CHECK(strstr(error.data, "is longer than 64 MiB") != NULL);
    map_stream_close(&stream);
    plait__buf_fini(&error);
}
