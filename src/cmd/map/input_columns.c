/* Cutting a record into columns, as Perl's split with a limit of -1 does: empty columns count wherever they are.
 * SPDX-License-Identifier: MIT
 *
 * Most separators are one or a few plain characters: these are searched for with memmem. The others take regexec, which
 * looks at the whole rest of the record for each column (REG_STARTEND, the cure, is not everywhere): such records are
 * bounded, or a line of a few megabytes would take minutes.
 */
#include "cmd/map/input_columns.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct map_columns {
    struct plait__buf literal; /* the separator itself; empty: it is an expression */
    struct plait__buf record;  /* a copy for regexec */
    regex_t regex;             /* compiled when has_regex */
    bool has_regex;
};

/* Where the translation stands. */
struct pattern {
    const char *at;
    struct plait__buf regex;   /* what regcomp gets */
    struct plait__buf literal; /* the same as plain characters, as long as is_plain */
    bool is_plain;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The character that \t and its like stand for, `at` being behind the backslash; '\0': none of them.
 * *ret_len: how many characters the escape has. */
static char escaped_char(const char *at, size_t *ret_len)
{
    static const char names[] = "tnrfv", chars[] = "\t\n\r\f\v";
    const char *name = *at == '\0' ? NULL : strchr(names, *at);
    int high, low;

    *ret_len = 1;
    if (name != NULL)
        return chars[name - names];
    if (*at != 'x' || (high = hex_digit(at[1])) < 0 || (low = hex_digit(at[2])) < 0)
        return '\0';
    *ret_len = 3;
    return (char)(high << 4 | low);
}

static int add_plain(struct pattern *pattern, char c)
{
    int rc = 0;

    if (strchr(".[]()*+?{}|^$\\", c) != NULL)
        rc = plait__buf_add_char(&pattern->regex, '\\');
    if (rc == 0)
        rc = plait__buf_add_char(&pattern->regex, c);
    if (rc == 0)
        rc = plait__buf_add_char(&pattern->literal, c);
    return rc;
}

/* Something that only regcomp understands. */
static int add_raw(struct pattern *pattern, const char *bytes, size_t n)
{
    pattern->is_plain = false;
    return plait__buf_add(&pattern->regex, bytes, n);
}

static int translate_escape(struct pattern *pattern)
{
    const char *at = ++pattern->at;
    size_t len;
    char c = escaped_char(at, &len);

    if (c == '\0' && *at == '\0')
        return add_raw(pattern, "\\", 1); /* regcomp complains */
    pattern->at += len;
    if (c != '\0')
        return add_plain(pattern, c);
    if (*at == 'd')
        return add_raw(pattern, "[0-9]", 5);
    if (*at == 'D')
        return add_raw(pattern, "[^0-9]", 6);
    if (strchr("!\"#%&',-./:;=@_~[]()*+?{}|^$\\", *at) != NULL)
        return add_plain(pattern, *at);
    return add_raw(pattern, at - 1, 2); /* \s and \w are regcomp's own */
}

/* A backslash between [ and ]: there it would be a plain character for regcomp. */
static int translate_bracket_escape(struct pattern *pattern)
{
    const char *at = ++pattern->at;
    size_t len;
    char c = escaped_char(at, &len);

    if (*at == '\0')
        return add_raw(pattern, "\\", 1);
    if (c == '\0' && strchr("]^-[", *at) != NULL) /* these would change their meaning */
        return add_raw(pattern, "\\", 1);
    pattern->at += len;
    if (c != '\0')
        return add_raw(pattern, &c, 1);
    if (*at == 'd')
        return add_raw(pattern, "0-9", 3);
    if (*at == 's')
        return add_raw(pattern, "[:space:]", 9);
    if (*at == 'w')
        return add_raw(pattern, "[:alnum:]_", 10);
    return add_raw(pattern, at, 1);
}

static int translate_bracket(struct pattern *pattern)
{
    const char *start = pattern->at++;
    int rc;

    if (*pattern->at == '^')
        pattern->at++;
    if (*pattern->at == ']') /* the first one is a plain character */
        pattern->at++;
    rc = add_raw(pattern, start, (size_t)(pattern->at - start));
    while (rc == 0 && *pattern->at != '\0') {
        const char *close = NULL;

        start = pattern->at;
        if (*start == '\\') {
            rc = translate_bracket_escape(pattern);
            continue;
        }
        if (strncmp(start, "[:", 2) == 0)
            close = strstr(start + 2, ":]");
        pattern->at = close != NULL ? close + 2 : start + 1;
        rc = add_raw(pattern, start, (size_t)(pattern->at - start));
        if (*start == ']')
            break;
    }
    return rc;
}

static int translate(struct pattern *pattern)
{
    int rc = 0;

    while (rc == 0 && *pattern->at != '\0') {
        char c = *pattern->at;

        if (c == '\\') {
            rc = translate_escape(pattern);
        } else if (c == '[') {
            rc = translate_bracket(pattern);
        } else {
            pattern->at++;
            rc = strchr(".()*+?{}|^$", c) != NULL ? add_raw(pattern, &c, 1) : add_plain(pattern, c);
        }
    }
    return rc;
}

static int compile(struct map_columns *columns, const char *regex, const char *colsep,
                   struct plait__buf *error)
{
    char reason[128];
    int code = regcomp(&columns->regex, regex, REG_EXTENDED);
    int rc;

    if (code == 0) {
        columns->has_regex = true;
        return 0;
    }
    if (code == REG_ESPACE)
        return -ENOMEM;
    regerror(code, &columns->regex, reason, sizeof reason);
    rc = plait__buf_printf(error, "--colsep '%s' is no regular expression: %s", colsep, reason);
    return rc < 0 ? rc : -EINVAL;
}

int map_columns_create(struct map_columns **ret, const char *colsep, struct plait__buf *error)
{
    struct map_columns *columns = calloc(1, sizeof *columns);
    struct pattern pattern = { .at = colsep, .is_plain = true };
    int rc;

    if (columns == NULL)
        return -ENOMEM;
    rc = translate(&pattern);
    if (rc == 0 && pattern.is_plain && pattern.literal.len > 0) {
        columns->literal = pattern.literal;
        pattern.literal = (struct plait__buf){ 0 };
    } else if (rc == 0) {
        rc = compile(columns, pattern.regex.len > 0 ? pattern.regex.data : "", colsep, error);
    }
    plait__buf_fini(&pattern.regex);
    plait__buf_fini(&pattern.literal);
    if (rc < 0) {
        map_columns_destroy(columns);
        return rc;
    }
    *ret = columns;
    return 0;
}

void map_columns_destroy(struct map_columns *columns)
{
    if (columns == NULL)
        return;
    if (columns->has_regex)
        regfree(&columns->regex);
    plait__buf_fini(&columns->literal);
    plait__buf_fini(&columns->record);
    free(columns);
}

static int add_column(const char *column, size_t len, bool trim, struct map_values *values)
{
    while (trim && len > 0 && is_space(column[0])) {
        column++;
        len--;
    }
    while (trim && len > 0 && is_space(column[len - 1]))
        len--;
    return map_values_add(values, column, len);
}

static int split_literal(const struct plait__buf *literal, const char *at, const char *end,
                         bool trim, struct map_values *values)
{
    const char *found;
    int rc;

    while ((found = memmem(at, (size_t)(end - at), literal->data, literal->len)) != NULL) {
        rc = add_column(at, (size_t)(found - at), trim, values);
        if (rc < 0)
            return rc;
        at = found + literal->len;
    }
    return add_column(at, (size_t)(end - at), trim, values);
}

/* The next separator in the text, which an empty match at its start is not: it would cut off nothing for ever. */
static bool find_separator(const regex_t *regex, const char *text, bool is_first, regmatch_t *match)
{
    if (regexec(regex, text, 1, match, is_first ? 0 : REG_NOTBOL) != 0)
        return false;
    if (match->rm_eo > 0)
        return true;
    if (text[0] == '\0' || regexec(regex, text + 1, 1, match, REG_NOTBOL) != 0)
        return false;
    match->rm_so++;
    match->rm_eo++;
    return true;
}

static int split_regex(struct map_columns *columns, const char *record, size_t len, bool trim,
                       struct map_values *values)
{
    regmatch_t match;
    const char *at, *end;
    int rc;

    if (len > MAP_COLUMNS_REGEX_BYTES)
        return -EMSGSIZE;
    plait__buf_clear(&columns->record);
    rc = plait__buf_add(&columns->record, record, len);
    if (rc < 0)
        return rc;
    at = columns->record.data;
    end = at + len;
    while (at < end && find_separator(&columns->regex, at, at == columns->record.data, &match)) {
        rc = add_column(at, (size_t)match.rm_so, trim, values);
        if (rc < 0)
            return rc;
        at += match.rm_eo;
    }
    return add_column(at, (size_t)(end - at), trim, values);
}

int map_columns_split(struct map_columns *columns, const char *record, size_t len, bool trim,
                      struct map_values *values)
{
    if (len == 0)
        return map_values_add(values, "", 0);
    if (columns->literal.len > 0)
        return split_literal(&columns->literal, record, record + len, trim, values);
    return split_regex(columns, record, len, trim, values);
}
