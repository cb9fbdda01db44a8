/* Foreign bytes made fit for a person's eyes.
 * SPDX-License-Identifier: MIT
 *
 * The width of a character is told by a short table of the wide and the combining blocks instead of wcwidth, which knows
 * nothing until the program has called setlocale. Where the table is wrong a line is a column off; it is never unsafe.
 */
#include "cmd/map/printable.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct range {
    uint32_t first, last;
};

static const struct range wide_ranges[] = {
    { 0x1100, 0x115f },   { 0x2e80, 0xa4cf },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
    { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f },
    { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
};

static const struct range combining_ranges[] = {
    { 0x0300, 0x036f }, { 0x200b, 0x200d }, { 0x20d0, 0x20ff },
    { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
};

/* C1 controls, line separators, and what turns the direction of writing around: hides what a command really says. */
static const struct range unsafe_ranges[] = {
    { 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x061c, 0x061c }, { 0x200e, 0x200f },
    { 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xfeff, 0xfeff },
};

static bool is_in(uint32_t c, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

#define IS_IN(c, ranges) is_in((c), (ranges), sizeof(ranges) / sizeof(ranges)[0])

size_t map_utf8_next(const char *bytes, size_t len, uint32_t *ret_char)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char lead = (unsigned char)bytes[0];
    uint32_t c;
    size_t n;

    if (lead < 0x80) {
        *ret_char = lead;
        return 1;
    }
    n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || len < n)
        return 0;
    c = lead & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | ((unsigned char)bytes[i] & 0x3f);
    }
    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret_char = c;
    return n;
}

bool map_utf8_is_valid(const char *bytes, size_t len)
{
    uint32_t c;

    for (size_t at = 0; at < len;) {
        size_t n = map_utf8_next(bytes + at, len - at, &c);

        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

bool map_locale_is_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *locale = getenv(names[i]);

        if (!locale || !*locale)
            continue;
        for (const char *at = locale; *at; at++)
            if (strncasecmp(at, "UTF-8", 5) == 0 || strncasecmp(at, "UTF8", 4) == 0)
                return true;
        return false;
    }
    return false;
}

/* Adds one character of n bytes (0: a byte that belongs to none). Returns its columns, or -ENOMEM. */
static int add_one(struct plait__buf *buf, const char *bytes, size_t n, uint32_t c, bool utf8)
{
    size_t len = n > 0 ? n : 1;
    int rc = 0;

    if (n > 0 && (n == 1 || utf8) && !IS_IN(c, unsafe_ranges)) {
        rc = plait__buf_add(buf, bytes, n);
        if (rc < 0)
            return rc;
        return n == 1 ? 1 : IS_IN(c, combining_ranges) ? 0 : IS_IN(c, wide_ranges) ? 2 : 1;
    }
    for (size_t i = 0; i < len && rc == 0; i++)
        rc = plait__buf_printf(buf, "\\x%02x", (unsigned char)bytes[i]);
    return rc < 0 ? rc : (int)(4 * len);
}

int map_printable_add(struct plait__buf *buf, const char *bytes, size_t len,
                      const struct map_printable *how)
{
    const char *ellipsis = how->utf8 ? "…" : "...";
    size_t room = how->utf8 ? 1 : 3; /* columns of the ellipsis */
    size_t start = buf->len, fits = buf->len, columns = 0;

    for (size_t at = 0; at < len;) {
        uint32_t c = 0;
        size_t n = map_utf8_next(bytes + at, len - at, &c);
        int width = add_one(buf, bytes + at, n, c, how->utf8);

        if (width < 0) {
            if (buf->data)
                buf->data[start] = '\0';
            buf->len = start;
            return width;
        }
        columns += (size_t)width;
        at += n > 0 ? n : 1;
        if (how->columns == 0 || columns + room <= how->columns) {
            fits = buf->len;
        } else if (columns > how->columns) {
            buf->len = fits;
            buf->data[fits] = '\0';
            return room <= how->columns ? plait__buf_add_str(buf, ellipsis) : 0;
        }
    }
    return 0;
}
