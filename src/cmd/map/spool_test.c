/* Tests of the output that waits to be printed.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/spool.h"

#include "os/fd.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct map_spool spool;

/* A stream fed by a pipe; the write end is returned. */
static int open_stream(struct map_stream *stream)
{
    int fds[2];

    CHECK_INT(plait__os_pipe(fds), 0);
    CHECK_INT(plait__os_set_nonblocking(fds[0]), 0);
    *stream = (struct map_stream){ .fd = fds[0], .far = -1 };
    return fds[1];
}

/* Byte i of everything that a stream carries. */
static char byte_at(size_t i)
{
    return (char)(i * 31 % 251);
}

/* Writes n bytes through the pipe and has them read. */
static void feed(struct map_stream *stream, int fd, size_t n)
{
    char bytes[4096];

    for (size_t done = 0; done < n;) {
        size_t piece = n - done < sizeof bytes ? n - done : sizeof bytes;
        for (size_t i = 0; i < piece; i++)
            bytes[i] = byte_at(stream->bytes + i);
        CHECK_INT(write(fd, bytes, piece), piece);
        CHECK_INT(map_stream_read(&spool, stream), 1);
        done += piece;
    }
}

static int check_byte_run(void *arg, const char *bytes, size_t n)
{
    size_t *at = arg;

    for (size_t i = 0; i < n; i++)
        if (bytes[i] != byte_at(*at + i))
            test_fail(__FILE__, __LINE__, "byte %zu is wrong", *at + i);
    *at += n;
    return 0;
}

static void check_all(const struct map_stream *stream)
{
    size_t at = 0;

    CHECK_INT(map_stream_each(&spool, stream, check_byte_run, &at), 0);
    CHECK_INT(at, stream->bytes);
}

TEST(what_is_read_comes_back_in_order)
{
    struct map_stream stream;
    int fd = open_stream(&stream);

    map_spool_init(&spool);
    feed(&stream, fd, 100);
    CHECK_INT(map_stream_read(&spool, &stream), -EAGAIN);
    close(fd);
    CHECK_INT(map_stream_read(&spool, &stream), 0);
    check_all(&stream);
    CHECK_INT(spool.fd, -1); /* so little needs no file */
    map_stream_fini(&spool, &stream);
    map_spool_fini(&spool);
}

TEST(two_large_streams_share_the_file_and_keep_apart)
{
    struct map_stream a, b;
    int fd_a = open_stream(&a), fd_b = open_stream(&b);

    map_spool_init(&spool);
    for (int i = 0; i < 300; i++) {
        feed(&a, fd_a, 20000);
        feed(&b, fd_b, 7001);
    }
    CHECK(spool.extents > 0);
    CHECK(a.tail.cap < 512 * 1024); /* 6 MB went through, little of it is in memory */
    CHECK(a.n_extents < 10);
    check_all(&a);
    check_all(&b);
    map_stream_fini(&spool, &a);
    check_all(&b);
    map_stream_fini(&spool, &b);
    CHECK_INT(spool.extents, 0);
    CHECK_INT(spool.end, 0);
    close(fd_a);
    close(fd_b);
    map_spool_fini(&spool);
}

TEST(space_is_given_back_when_a_stream_is_printed)
{
    struct map_stream a, b;
    struct stat status;
    int fd_a = open_stream(&a), fd_b = open_stream(&b);

    map_spool_init(&spool);
    feed(&a, fd_a, 8 * 1024 * 1024);
    feed(&b, fd_b, 200 * 1024);
    map_stream_fini(&spool, &a);
    CHECK_INT(fstat(spool.fd, &status), 0);
    CHECK(status.st_blocks * 512 < 4 * 1024 * 1024);
    check_all(&b);
    map_stream_fini(&spool, &b);
    close(fd_a);
    close(fd_b);
    map_spool_fini(&spool);
}

TEST(when_much_waits_in_memory_what_settles_goes_to_the_file)
{
    struct map_stream streams[700];

    map_spool_init(&spool);
    for (size_t i = 0; i < 700; i++) {
        int fd = open_stream(&streams[i]);
        feed(&streams[i], fd, 60000);
        close(fd);
        CHECK_INT(map_stream_settle(&spool, &streams[i]), 0);
        close(streams[i].fd);
        streams[i].fd = -1;
    }
    CHECK(spool.in_memory <= 32 * 1024 * 1024);
    CHECK(spool.extents > 0);
    for (size_t i = 0; i < 700; i++) {
        check_all(&streams[i]);
        map_stream_fini(&spool, &streams[i]);
    }
    CHECK_INT(spool.in_memory, 0);
    CHECK_INT(spool.extents, 0);
    map_spool_fini(&spool);
}

struct text {
    char bytes[256];
    size_t len;
};

static int add_text(void *arg, const char *bytes, size_t n)
{
    struct text *text = arg;

    memcpy(text->bytes + text->len, bytes, n);
    text->len += n;
    return 0;
}

TEST(whole_lines_are_taken_and_the_rest_stays)
{
    struct map_stream stream;
    struct text text = { .len = 0 };
    int fd = open_stream(&stream);

    map_spool_init(&spool);
    CHECK_INT(write(fd, "one\ntwo\nth", 10), 10);
    CHECK_INT(map_stream_read(&spool, &stream), 1);
    CHECK_INT(map_stream_take_lines(&spool, &stream, add_text, &text), 0);
    CHECK_MEM(text.bytes, text.len, "one\ntwo\n", 8);
    CHECK_INT(map_stream_take_lines(&spool, &stream, add_text, &text), 0);
    CHECK_INT(text.len, 8);
    CHECK_INT(write(fd, "ree\n", 4), 4);
    CHECK_INT(map_stream_read(&spool, &stream), 1);
    CHECK_INT(map_stream_take_lines(&spool, &stream, add_text, &text), 0);
    CHECK_MEM(text.bytes, text.len, "one\ntwo\nthree\n", 14);
    map_stream_fini(&spool, &stream);
    close(fd);
    map_spool_fini(&spool);
}

TEST(without_a_folder_for_the_file_the_error_is_told)
{
    struct map_stream stream;
    char bytes[4096] = { 0 };
    int fd = open_stream(&stream), rc = 1;

    map_spool_init(&spool);
    CHECK_INT(setenv("TMPDIR", "/nowhere", 1), 0);
    for (int i = 0; i < 100 && rc == 1; i++) {
        CHECK_INT(write(fd, bytes, sizeof bytes), sizeof bytes);
        rc = map_stream_read(&spool, &stream);
    }
    CHECK_INT(rc, -ENOENT);
    map_stream_fini(&spool, &stream);
    close(fd);
    map_spool_fini(&spool);
}
