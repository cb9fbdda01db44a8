/* The quoting scanner: here-documents.
 * SPDX-License-Identifier: MIT
 *
 * Their text knows no quotes, so no value can be made data in it. It must still be read, to find
 * its end.
 */
#include "cmd/map/template_scan.h"

#include <errno.h>
#include <string.h>

static bool is_line(const char *line, size_t len, const char *text)
{
    return strlen(text) == len && memcmp(line, text, len) == 0;
}

/* Shells do not agree on where the text of an outer here-document begins when a $(…) goes over
 * several lines. */
static size_t find_command(const struct map_scan *scan)
{
    size_t i = scan->n_frames - 1;

    while (i > 0 && scan->frames[i].kind != MAP_FRAME_COMMAND)
        i--;
    return i;
}

/* The delimiter word at scan->p. */
static int read_delimiter(struct map_scan *scan, struct map_heredoc *heredoc)
{
    int rc = 0;

    scan->p += strspn(scan->p, " \t");
    while (rc == 0 && *scan->p != '\0' && strchr(" \t\n;&|<>()", *scan->p) == NULL) {
        struct map_part part;
        char c = *scan->p;
        if (strchr("$`", c) != NULL || map_part_parse(scan->syntax, scan->p, &part) > 0)
            return map_scan_refuse(scan, heredoc->opened,
                                   "can't tell where the here-document ends");
        if (strchr("'\"\\", c) == NULL) {
            rc = plait__buf_add_char(&heredoc->end, c);
            scan->p++;
            continue;
        }
        heredoc->is_quoted = true;
        const char *from = scan->p + 1;
        const char *to = c == '\\' ? from + (*from != '\0') : strchr(from, c);
        if (to == NULL || memchr(from, '\n', (size_t)(to - from)) != NULL ||
            (c == '"' && strcspn(from, "\\$`") < (size_t)(to - from)))
            return map_scan_refuse(scan, heredoc->opened,
                                   "can't tell where the here-document ends");
        rc = plait__buf_add(&heredoc->end, from, (size_t)(to - from));
        scan->p = c == '\\' ? to : to + 1;
    }
    return rc;
}

int map_scan_begin_heredoc(struct map_scan *scan)
{
    if (scan->backquotes > 0)
        return map_scan_refuse(scan, scan->p,
                               "a here-document inside `…` can't be followed; use $(…)");
    if (scan->n_heredocs == MAP_HEREDOCS_MAX)
        return map_scan_refuse(scan, scan->p, "too many here-documents in one line");
    struct map_heredoc *heredoc = &scan->heredocs[scan->n_heredocs++];
    *heredoc = (struct map_heredoc){ .opened = scan->p,
                                     .depth = find_command(scan),
                                     .strips_tabs = scan->p[2] == '-' };
    scan->p += heredoc->strips_tabs ? 3 : 2;
    int rc = read_delimiter(scan, heredoc);
    if (rc == 0 && heredoc->end.len == 0 && !heredoc->is_quoted)
        rc = map_scan_refuse(scan, heredoc->opened, "the here-document has no delimiter");
    return rc;
}

/* A line of a here-document's text has no replacement string? */
static int check_heredoc_line(struct map_scan *scan, const char *line, size_t len)
{
    for (const char *p = line; p < line + len; p++) {
        struct map_part part;
        size_t n = p[0] == '$' && p[1] == '{' ? 0 : map_part_parse(scan->syntax, p, &part);
        if (n > 0)
            return map_scan_refuse(
                scan, p,
                "%.*s can't be quoted safely inside a here-document; assign it first (v=%.*s)"
                " and use $v",
                (int)n, p, (int)n, p);
        p += p[0] == '$' && p[1] == '{';
    }
    return 0;
}

static bool ends_in_backslash(const char *line, size_t len)
{
    size_t n = 0;

    while (n < len && line[len - 1 - n] == '\\')
        n++;
    return n % 2 == 1;
}

/* Does the text leave an expansion open? Some shells then read on beyond the line that would end
 * the document. */
static bool has_open_expansion(const char *text, size_t len)
{
    long parens = 0, braces = 0, backquotes = 0;
    bool expands_parens = false, expands_braces = false;

    for (const char *p = text; p < text + len; p++) {
        parens += (*p == '(') - (*p == ')');
        braces += (*p == '{') - (*p == '}');
        backquotes += *p == '`';
        expands_parens |= *p == '$' && p[1] == '(';
        expands_braces |= *p == '$' && p[1] == '{';
    }
    return (expands_parens && parens != 0) || (expands_braces && braces != 0) ||
           backquotes % 2 != 0;
}

/* Is this line, without its leading tabs if they don't count, the delimiter? */
static bool is_end(const struct map_heredoc *heredoc, const char *line, size_t len)
{
    const char *end = heredoc->end.data != NULL ? heredoc->end.data : "";
    size_t tabs = heredoc->strips_tabs ? strspn(line, "\t") : 0;

    return is_line(line + tabs, len - tabs, end);
}

/* The text of one here-document, from the beginning of a line at scan->p. */
static int read_heredoc(struct map_scan *scan, const struct map_heredoc *heredoc)
{
    const char *text = scan->p;
    bool is_continued = false;

    while (*scan->p != '\0') {
        const char *line = scan->p;
        size_t len = strcspn(line, "\n");
        if (!is_continued && is_end(heredoc, line, len)) {
            if (!heredoc->is_quoted && has_open_expansion(text, (size_t)(line - text)))
                break;
            scan->p += len + (line[len] == '\n');
            scan->no_append = scan->p;
            return 0;
        }
        int rc = check_heredoc_line(scan, line, len);
        if (rc < 0)
            return rc;
        is_continued = !heredoc->is_quoted && ends_in_backslash(line, len);
        scan->p += len + (line[len] == '\n');
    }
    return map_scan_refuse(scan, heredoc->opened,
                           *scan->p == '\0' ? "the here-document has no end"
                                            : "can't tell where the here-document ends");
}

int map_scan_read_heredocs(struct map_scan *scan)
{
    int rc = 0;

    for (size_t i = 0; i < scan->n_heredocs; i++) {
        if (rc == 0 && scan->heredocs[i].depth != find_command(scan))
            rc = map_scan_refuse(scan, scan->heredocs[i].opened,
                                 "can't tell where the here-document begins");
        if (rc == 0)
            rc = read_heredoc(scan, &scan->heredocs[i]);
        plait__buf_fini(&scan->heredocs[i].end);
    }
    scan->n_heredocs = 0;
    return rc;
}
