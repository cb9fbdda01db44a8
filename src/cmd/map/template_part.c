/* One replacement string: what it is, and what it makes of a value.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/template_private.h"

#include <errno.h>
#include <string.h>

enum {
    BRACE_MAX = 1024, /* a longer brace is text; keeps a text of many '{' linear */
    DIGITS_MAX = 9,
};

/* The whole of text[0 … len) as an operator. */
static bool parse_op(const char *text, size_t len, struct map_part *ret)
{
    static const struct {
        const char *text;
        enum map_part_op op;
    } ops[] = {
        { "", MAP_OP_WHOLE }, { ".", MAP_OP_NO_EXTENSION },       { "/", MAP_OP_BASE },
        { "//", MAP_OP_DIR }, { "/.", MAP_OP_BASE_NO_EXTENSION }, { ":", MAP_OP_NO_EXTENSIONS },
    };

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strlen(ops[i].text) == len && memcmp(ops[i].text, text, len) == 0) {
            ret->op = ops[i].op;
            return true;
        }
    }
    if (len < 2 || text[0] != '^')
        return false;
    ret->op = MAP_OP_NO_SUFFIX;
    ret->bytes = text + 1;
    ret->len = len - 1;
    return true;
}

/* [-]digits, then an operator. */
static bool parse_position(const char *text, size_t len, struct map_part *ret)
{
    bool from_end = len > 0 && text[0] == '-';
    size_t first = from_end, i = first;
    long position = 0;

    while (i < len && i - first < DIGITS_MAX && text[i] >= '0' && text[i] <= '9')
        position = position * 10 + (text[i++] - '0');
    if (i == first || !parse_op(text + i, len - i, ret))
        return false;
    ret->kind = MAP_PART_ONE;
    ret->position = from_end ? -position : position;
    return true;
}

/* A column's name, then an operator. Of names that all fit the longest is meant: with "a" and "a."
 * {a.} is the latter. */
static bool parse_name(const struct map_syntax *syntax, const char *text, size_t len,
                       struct map_part *ret)
{
    size_t best = 0;

    for (size_t i = 0; i < syntax->n_names; i++) {
        struct map_part part = *ret;
        size_t n = strlen(syntax->names[i]);
        if (n <= best || n > len || memcmp(syntax->names[i], text, n) != 0 ||
            !parse_op(text + n, len - n, &part))
            continue;
        best = n;
        part.kind = MAP_PART_ONE;
        part.position = (long)i + 1;
        *ret = part;
    }
    return best > 0;
}

size_t map_part_parse(const struct map_syntax *syntax, const char *at, struct map_part *ret)
{
    const char *replace = syntax->replace != NULL ? syntax->replace : "{}";
    struct map_part part = { .kind = MAP_PART_VALUES };
    size_t len = strlen(replace);

    if (len > 0 && strncmp(at, replace, len) == 0) {
        *ret = part;
        return len;
    }
    if (at[0] != '{')
        return 0;
    const char *text = at + 1;
    len = strnlen(text, BRACE_MAX);
    const char *end = memchr(text, '}', len);
    if (end == NULL || end == text)
        return 0;
    len = (size_t)(end - text);
    if (len == 1 && text[0] == '#')
        part.kind = MAP_PART_SEQ;
    else if (len == 1 && text[0] == '%')
        part.kind = MAP_PART_SLOT;
    else if (!parse_op(text, len, &part) && !parse_position(text, len, &part) &&
             !parse_name(syntax, text, len, &part))
        return 0;
    *ret = part;
    return len + 2;
}

int map_part_check(const struct map_syntax *syntax, const struct map_part *part, const char *at,
                   size_t len, struct plait__buf *error)
{
    if (part->kind != MAP_PART_ONE)
        return 0;
    size_t distance = (size_t)(part->position < 0 ? -part->position : part->position);
    int rc;
    if (distance == 0)
        rc = plait__buf_printf(error, "%.*s: values are counted from 1", (int)len, at);
    else if (syntax->columns > 0 && distance > syntax->columns)
        rc = plait__buf_printf(error, "%.*s: a job has no more than %zu value%s", (int)len, at,
                               syntax->columns, syntax->columns == 1 ? "" : "s");
    else
        return 0;
    return rc < 0 ? rc : -EINVAL;
}

static const char *find_base(const char *value)
{
    const char *slash = strrchr(value, '/');

    return slash != NULL ? slash + 1 : value;
}

/* Up to the last dot (which may come first: ".bashrc" is all extension, as GNU parallel has it). */
static size_t cut_extension(const char *value)
{
    const char *base = find_base(value);
    const char *dot = strrchr(base, '.');

    return dot != NULL ? (size_t)(dot - value) : strlen(value);
}

static size_t trim_slashes(const char *value, size_t len)
{
    while (len > 1 && value[len - 1] == '/')
        len--;
    return len;
}

/* As dirname(1). */
static const char *cut_dir(const char *value, size_t *ret_len)
{
    size_t len = trim_slashes(value, strlen(value));

    while (len > 0 && value[len - 1] != '/')
        len--;
    *ret_len = len > 0 ? trim_slashes(value, len) : 1;
    return len > 0 ? value : ".";
}

static size_t cut_suffix(const struct map_part *part, const char *value)
{
    size_t len = strlen(value);

    if (len >= part->len && memcmp(value + len - part->len, part->bytes, part->len) == 0)
        len -= part->len;
    return len;
}

const char *map_part_apply(const struct map_part *part, const char *value, size_t *ret_len)
{
    const char *base;

    switch (part->op) {
    case MAP_OP_NO_EXTENSION:
        *ret_len = cut_extension(value);
        return value;
    case MAP_OP_BASE:
        base = find_base(value);
        *ret_len = strlen(base);
        return base;
    case MAP_OP_DIR:
        return cut_dir(value, ret_len);
    case MAP_OP_BASE_NO_EXTENSION:
        base = find_base(value);
        *ret_len = cut_extension(base);
        return base;
    case MAP_OP_NO_EXTENSIONS:
        base = find_base(value);
        *ret_len = (size_t)(base - value) + strcspn(base, ".");
        return value;
    case MAP_OP_NO_SUFFIX:
        *ret_len = cut_suffix(part, value);
        return value;
    case MAP_OP_WHOLE:
    default:
        *ret_len = strlen(value);
        return value;
    }
}

const char *map_part_pick(const struct map_part *part, const struct map_values *values)
{
    size_t distance = (size_t)(part->position < 0 ? -part->position : part->position);

    if (distance == 0 || distance > values->n)
        return "";
    return values->v[part->position > 0 ? distance - 1 : values->n - distance];
}
