/* A growing run of bytes.
 * SPDX-License-Identifier: MIT
 *
 * Zero bytes are an empty buffer. `data` is followed by a NUL that `len` does not count once
 * anything was added. Each function that may grow it returns 0 or -ENOMEM, and on -ENOMEM the
 * buffer is what it was before.
 */
#ifndef PLAIT__BASE_BUF_H
#define PLAIT__BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct plait__buf {
    char *data; /* NULL until the first byte */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
};

void plait__buf_fini(struct plait__buf *buf);
/* Empty, with its memory kept. */
void plait__buf_clear(struct plait__buf *buf);
/* Make room for `more` bytes beyond len (and the NUL). */
int plait__buf_reserve(struct plait__buf *buf, size_t more);
int plait__buf_add(struct plait__buf *buf, const void *bytes, size_t n);
int plait__buf_add_str(struct plait__buf *buf, const char *str);
int plait__buf_add_char(struct plait__buf *buf, char c);
int plait__buf_printf(struct plait__buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int plait__buf_vprintf(struct plait__buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Forget the first n bytes. */
void plait__buf_drop(struct plait__buf *buf, size_t n);
/* The bytes as a string that the caller frees; the buffer is empty after it. NULL when out of
 * memory. */
char *plait__buf_detach(struct plait__buf *buf);

#endif
