/* Whole small files.
 * SPDX-License-Identifier: MIT
 *
 * Files of /proc have no size to ask for: they are read until nothing comes.
 */
#include "os/readfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_BYTES = 4096,
    NUMBERS_LIMIT = 4096
};

static int read_all(struct plait__buf *buf, int fd, size_t limit)
{
    size_t before = buf->len;

    for (;;) {
        int rc = plait__buf_reserve(buf, READ_BYTES);
        ssize_t n;

        if (rc < 0)
            return rc;
        n = read(fd, buf->data + buf->len, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        buf->len += (size_t)n;
        if (buf->len - before > limit)
            return -EFBIG;
    }
}

int plait__os_read_file(struct plait__buf *ret, const char *path, size_t limit)
{
    size_t before = ret->len;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

    if (fd < 0)
        return -errno;
    rc = read_all(ret, fd, limit);
    close(fd);
    if (rc < 0)
        ret->len = before;
    if (ret->data != NULL)
        ret->data[ret->len] = '\0';
    return rc;
}

/* Digits, or a word for "no limit". */
static bool read_number(const char *word, size_t len, uint64_t *ret)
{
    uint64_t value = 0;

    if ((len == 3 && memcmp(word, "max", 3) == 0) || (len == 2 && memcmp(word, "-1", 2) == 0)) {
        *ret = UINT64_MAX;
        return true;
    }
    for (size_t i = 0; i < len; i++) {
        if (word[i] < '0' || word[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(word[i] - '0'), &value))
            return false;
    }
    *ret = value;
    return len > 0;
}

static int read_line(const char *at, uint64_t *ret, int n)
{
    int count = 0;

    while (*at != '\0' && *at != '\n' && count < n) {
        size_t len = strcspn(at, " \n");

        if (!read_number(at, len, &ret[count]))
            return -EINVAL;
        count++;
        at += len + (at[len] == ' ');
    }
    return count;
}

int plait__os_read_numbers(const char *dir, const char *file, uint64_t *ret, int n)
{
    struct plait__buf path = { 0 }, text = { 0 };
    int rc = plait__buf_printf(&path, "%s/%s", dir, file);

    if (rc == 0)
        rc = plait__os_read_file(&text, path.data, NUMBERS_LIMIT);
    if (rc == 0 && text.data != NULL)
        rc = read_line(text.data, ret, n);
    plait__buf_fini(&path);
    plait__buf_fini(&text);
    return rc;
}
