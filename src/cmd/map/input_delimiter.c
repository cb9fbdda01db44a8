/* Reading what -d says.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/input_delimiter.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int say_bad(const char *text, struct plait__buf *error)
{
    int rc = text[0] == '\0'
                 ? plait__buf_add_str(error, "-d '': for records that end in a NUL byte use -0")
                 : plait__buf_printf(
                       error, "-d '%s': not one character, \\n, \\t, \\0, \\xHH or \\ooo", text);

    return rc < 0 ? rc : -EINVAL;
}

/* The digits up to the end of the text; -1: they are not a byte in that base, or too many. */
static int parse_byte(const char *digits, int base, size_t most)
{
    static const char known[] = "0123456789abcdefABCDEF";
    size_t n = strspn(digits, known);
    char *end;
    long value;

    if (n == 0 || n > most || digits[n] != '\0')
        return -1;
    value = strtol(digits, &end, base);
    return *end == '\0' && value <= UCHAR_MAX ? (int)value : -1;
}

int map_delimiter_parse(char *ret, const char *text, struct plait__buf *error)
{
    static const char names[] = "ntrfvab\\", chars[] = "\n\t\r\f\v\a\b\\";
    const char *name;
    int byte;

    if (text[0] != '\0' && text[1] == '\0') {
        *ret = text[0];
        return 0;
    }
    if (text[0] != '\\')
        return say_bad(text, error);
    name = strchr(names, text[1]);
    if (name != NULL && text[2] == '\0') {
        *ret = chars[name - names];
        return 0;
    }
    byte = text[1] == 'x' ? parse_byte(text + 2, 16, 2) : parse_byte(text + 1, 8, 3);
    if (byte < 0)
        return say_bad(text, error);
    *ret = (char)byte;
    return 0;
}
