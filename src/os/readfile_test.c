/* Whole small files.
 * SPDX-License-Identifier: MIT
 */
#include "os/readfile.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

static void remove_dir(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/file", dir);
    unlink(path);
    rmdir(dir);
}

/* A file with these bytes; its path. */
static const char *make_file(const char *bytes, size_t n)
{
    static char path[128];
    int fd;

    if (dir[0] == '\0') {
        strcpy(dir, "/tmp/plait-readfile-test-XXXXXX");
        CHECK(mkdtemp(dir) != NULL);
        atexit(remove_dir);
    }
    snprintf(path, sizeof(path), "%s/file", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, bytes, n), n);
    close(fd);
    return path;
}

static int read_numbers(const char *text, uint64_t *ret, int n)
{
    make_file(text, strlen(text));
    return plait__os_read_numbers(dir, "file", ret, n);
}

TEST(bytes_are_added_to_what_is_there)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(plait__buf_add_str(&buf, "before "), 0);
    CHECK_INT(plait__os_read_file(&buf, make_file("a\0b", 3), 3), 0);
    CHECK_MEM(buf.data, buf.len + 1, "before a\0b", 11);
    plait__buf_fini(&buf);
}

TEST(files_of_proc_are_read_whole)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(plait__os_read_file(&buf, "/proc/self/maps", 1 << 24), 0);
    CHECK(buf.len > 100 && buf.data[buf.len - 1] == '\n' && buf.data[buf.len] == '\0');
    plait__buf_fini(&buf);
}

TEST(failures_leave_the_buffer_as_it_was)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(plait__buf_add_str(&buf, "kept"), 0);
    CHECK_INT(plait__os_read_file(&buf, make_file("abcd", 4), 3), -EFBIG);
    CHECK_STR(buf.data, "kept");
    CHECK_INT(plait__os_read_file(&buf, "/nonexistent/file", 10), -ENOENT);
    CHECK_INT(plait__os_read_file(&buf, "/", 10), -EISDIR);
    CHECK_INT(buf.len, 4);
    CHECK_STR(buf.data, "kept");
    plait__buf_fini(&buf);
}

TEST(an_empty_file_is_an_empty_string)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(plait__os_read_file(&buf, make_file("", 0), 0), 0);
    CHECK_STR(buf.data, "");
    plait__buf_fini(&buf);
}

TEST(numbers_are_those_of_the_first_line)
{
    uint64_t got[3] = { 7, 7, 7 };

    CHECK_INT(read_numbers("12 345\n67\n", got, 3), 2);
    CHECK(got[0] == 12 && got[1] == 345 && got[2] == 7);
    CHECK_INT(read_numbers("1 2 3 4", got, 3), 3);
    CHECK_INT(read_numbers("max 100000\n", got, 2), 2);
    CHECK(got[0] == UINT64_MAX && got[1] == 100000);
    CHECK_INT(read_numbers("-1\n", got, 1), 1);
    CHECK(got[0] == UINT64_MAX);
    CHECK_INT(read_numbers("", got, 1), 0);
    CHECK_INT(read_numbers("\n1\n", got, 1), 0);
}

TEST(what_is_no_number_is_refused)
{
    uint64_t got[2];

    CHECK_INT(read_numbers("maximum\n", got, 2), -EINVAL);
    CHECK_INT(read_numbers("-2\n", got, 2), -EINVAL);
    CHECK_INT(read_numbers("1  2\n", got, 2), -EINVAL);
    CHECK_INT(read_numbers("1 x\n", got, 2), -EINVAL);
    CHECK_INT(read_numbers("18446744073709551616\n", got, 2), -EINVAL);
    CHECK_INT(plait__os_read_numbers("/nonexistent", "file", got, 2), -ENOENT);
}
