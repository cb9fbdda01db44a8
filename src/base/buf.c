/* A growing run of bytes.
 * SPDX-License-Identifier: MIT
 *
 * `cap` always has room for the NUL behind the last byte, so `data` can be printed as it is. It at
 * least doubles when it grows: n bytes added one by one are copied at most n times more.
 */
#include "base/buf.h"

#include "base/assert.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CAP_FIRST = 64
};

void plait__buf_fini(struct plait__buf *buf)
{
    free(buf->data);
    *buf = (struct plait__buf){ 0 };
}

void plait__buf_clear(struct plait__buf *buf)
{
    buf->len = 0;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

int plait__buf_reserve(struct plait__buf *buf, size_t more)
{
    size_t need, cap;
    char *data;

    /* Objects larger than PTRDIFF_MAX do not exist; below it, doubling cannot wrap. */
    if (more >= PTRDIFF_MAX - buf->len)
        return -ENOMEM;
    need = buf->len + more + 1;
    if (need <= buf->cap)
        return 0;
    cap = buf->cap * 2;
    if (cap < CAP_FIRST)
        cap = CAP_FIRST;
    if (cap < need)
        cap = need;
    data = realloc(buf->data, cap);
    if (data == NULL)
        return -ENOMEM;
    data[buf->len] = '\0';
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int plait__buf_add(struct plait__buf *buf, const void *bytes, size_t n)
{
    int rc = plait__buf_reserve(buf, n);

    if (rc < 0)
        return rc;
    if (n > 0)
        memcpy(buf->data + buf->len, bytes, n);
    buf->len += n;
    buf->data[buf->len] = '\0';
    return 0;
}

int plait__buf_add_str(struct plait__buf *buf, const char *str)
{
    return plait__buf_add(buf, str, strlen(str));
}

int plait__buf_add_char(struct plait__buf *buf, char c)
{
    return plait__buf_add(buf, &c, 1);
}

int plait__buf_vprintf(struct plait__buf *buf, const char *format, va_list args)
{
    size_t room = buf->cap - buf->len;
    va_list again;
    int n, rc;

    va_copy(again, args);
    n = vsnprintf(buf->data != NULL ? buf->data + buf->len : NULL, room, format, args);
    rc = n < 0 ? -ENOMEM : plait__buf_reserve(buf, (size_t)n);
    if (rc == 0 && (size_t)n >= room)
        vsnprintf(buf->data + buf->len, (size_t)n + 1, format, again);
    va_end(again);
    if (rc == 0)
        buf->len += (size_t)n;
    else if (buf->data != NULL)
        buf->data[buf->len] = '\0'; /* the first try may have written over it */
    return rc;
}

int plait__buf_printf(struct plait__buf *buf, const char *format, ...)
{
    va_list args;
    int rc;

    va_start(args, format);
    rc = plait__buf_vprintf(buf, format, args);
    va_end(args);
    return rc;
}

void plait__buf_drop(struct plait__buf *buf, size_t n)
{
    PLAIT__ASSERT(n <= buf->len);
    if (n == 0)
        return;
    buf->len -= n;
    memmove(buf->data, buf->data + n, buf->len + 1);
}

char *plait__buf_detach(struct plait__buf *buf)
{
    char *data;

    if (plait__buf_reserve(buf, 0) < 0)
        return NULL;
    data = buf->data;
    *buf = (struct plait__buf){ 0 };
    return data;
}
