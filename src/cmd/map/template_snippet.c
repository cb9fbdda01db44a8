/* The quoting scanner: which replacement string of a snippet stands in which quotes.
 * SPDX-License-Identifier: MIT
 *
 * Follows sh's lexical structure with a stack of frames, one for each construct that is open at the
 * moment, and knows no more of the grammar than it takes to find their ends (the `)` of a case
 * pattern does not end a $(…)). A value quoted for another place than where it stands becomes code.
 * So whatever shells read differently, and every place where no quoting makes a value data, is
 * refused with words.
 *
 *     echo "$(basename {} .txt) {}"
 *          ^ DOUBLE: the second {} · $( COMMAND: the first {} is bare
 */
#include "cmd/map/template_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Does an apostrophe quote at the top? In "${x%'.c'}" it does, in "${x:-'c'}" bash reads quotes and
 * dash text. */
static bool is_apostrophe_quote(struct map_scan *scan)
{
    const struct map_frame *frame = map_scan_top(scan);

    return map_scan_is_bare(frame->kind) ||
           (frame->kind != MAP_FRAME_DOUBLE && (!frame->in_double || frame->takes_apostrophe));
}

/* ${ at scan->p. */
static int open_brace(struct map_scan *scan)
{
    const char *p = scan->p + 2;

    if (*p != '\0' && strchr(" \t\n|", *p) != NULL)
        return map_scan_refuse(scan, scan->p, "a command inside ${…} can't be followed; use $(…)");
    int rc = map_scan_open(scan, MAP_FRAME_BRACE, 2);
    if (*p == '#' || *p == '!')
        p++;
    if (is_name_char(*p))
        while (is_name_char(*p))
            p++;
    else if (*p != '\0' && *p != '}')
        p++;
    if (*p == '[') {
        p += strcspn(p, "]}");
        p += *p == ']';
    }
    if (rc == 0)
        map_scan_top(scan)->takes_apostrophe = strchr(":-=?+", *p) == NULL;
    return rc;
}

/* A $ that begins nothing: it belongs to the shell with whatever is glued to it. */
static int skip_dollar(struct map_scan *scan)
{
    struct map_part part;
    char c = *++scan->p;

    if (is_name_char(c) && (c < '0' || c > '9')) {
        while (is_name_char(*scan->p))
            scan->p++;
    } else if (c != '\0' && strchr("0123456789@*#?$!-", c) != NULL) {
        scan->p++;
    } else {
        scan->p += map_part_parse(scan->syntax, scan->p, &part);
        return 0;
    }
    scan->guard = scan->p;
    return 0;
}

static int step_dollar(struct map_scan *scan)
{
    const char *p = scan->p;

    if (p[1] == '(')
        return p[2] == '(' ? map_scan_open(scan, MAP_FRAME_NUMBER, 3)
                           : map_scan_open(scan, MAP_FRAME_COMMAND, 2);
    if (p[1] == '{')
        return open_brace(scan);
    if (p[1] == '\'' && is_apostrophe_quote(scan))
        return map_scan_open(scan, MAP_FRAME_DOLLAR, 2);
    if (p[1] == '[')
        return map_scan_refuse(scan, p, "$[…] can't be followed; write $((…))");
    return skip_dollar(scan);
}

static int step_backslash(struct map_scan *scan)
{
    if (scan->p[1] == '\0')
        return map_scan_refuse(scan, scan->p, "the snippet ends in a backslash");
    scan->p += 2;
    scan->literal_end = scan->p;
    return 0;
}

static int step_backquote(struct map_scan *scan)
{
    if (map_scan_top(scan)->kind == MAP_FRAME_BACKQUOTE) {
        int rc = map_scan_end_word(scan);
        map_scan_close(scan, 1);
        return rc;
    }
    if (scan->backquotes > 0)
        return map_scan_refuse(scan, scan->p, "can't tell which ` belongs to which; use $(…)");
    return map_scan_open(scan, MAP_FRAME_BACKQUOTE, 1);
}

/* Inside `…` the outer shell takes some backslashes away before the inner one reads the text. */
static bool is_backquote_escape(const struct map_scan *scan)
{
    if (scan->backquotes == 0 || scan->p[0] != '\\' || scan->p[1] == '\0')
        return false;
    for (size_t i = scan->n_frames; i > 0; i--)
        if (scan->frames[i - 1].kind == MAP_FRAME_BACKQUOTE && scan->frames[i - 1].in_double &&
            scan->p[1] == '"')
            return true;
    return strchr("$`\\", scan->p[1]) != NULL;
}

static int step_open_paren(struct map_scan *scan)
{
    int rc = map_scan_end_word(scan);

    if (rc < 0)
        return rc;
    return scan->p[1] == '(' ? map_scan_open(scan, MAP_FRAME_NUMBER, 2)
                             : map_scan_open(scan, MAP_FRAME_PAREN, 1);
}

static int step_close_paren(struct map_scan *scan)
{
    int rc = map_scan_end_word(scan);
    struct map_frame *frame = map_scan_top(scan);

    if (frame->kind == MAP_FRAME_TOP || frame->kind == MAP_FRAME_BACKQUOTE || frame->cases > 0) {
        frame->at_command = true; /* behind the pattern of a case */
        scan->p++;
        return rc;
    }
    bool is_paren = frame->kind == MAP_FRAME_PAREN;
    if (!is_paren && scan->n_heredocs > 0)
        return map_scan_refuse(scan, scan->heredocs[0].opened, "the here-document has no end");
    map_scan_close(scan, 1);
    if (is_paren)
        map_scan_top(scan)->at_command = true; /* f() { …, and behind the (pattern) of a case */
    return rc;
}

static int step_operator(struct map_scan *scan)
{
    struct map_frame *frame = map_scan_top(scan);
    char c = *scan->p;
    int rc = map_scan_end_word(scan);

    if (rc < 0)
        return rc;
    if (c == '<' && strncmp(scan->p, "<<<", 3) == 0) {
        scan->p += 3;
        return 0;
    }
    if (c == '<' && scan->p[1] == '<')
        return map_scan_begin_heredoc(scan);
    if (strchr(";&|\n", c) != NULL)
        frame->at_command = true;
    scan->p++;
    return c == '\n' ? map_scan_read_heredocs(scan) : 0;
}

static int step_bare(struct map_scan *scan)
{
    char c = *scan->p;

    if (strchr(" \t\n;&|<>", c) != NULL)
        return step_operator(scan);
    if (c == '(')
        return step_open_paren(scan);
    if (c == ')')
        return step_close_paren(scan);
    if (c == '#' && map_scan_top(scan)->word == NULL)
        return map_scan_open(scan, MAP_FRAME_COMMENT, 1);
    if (c == '`' && map_scan_top(scan)->kind == MAP_FRAME_BACKQUOTE)
        return step_backquote(scan);

    int rc = map_scan_begin_word(scan);
    if (rc < 0)
        return rc;
    switch (c) {
    case '\'':
        return map_scan_open(scan, MAP_FRAME_SINGLE, 1);
    case '"':
        return map_scan_open(scan, MAP_FRAME_DOUBLE, 1);
    case '`':
        return step_backquote(scan);
    case '$':
        return step_dollar(scan);
    case '\\':
        return step_backslash(scan);
    default:
        scan->p++;
        return 0;
    }
}

/* "…", ${…} and ((…)): text with expansions. */
static int step_expanded(struct map_scan *scan)
{
    struct map_frame *frame = map_scan_top(scan);
    bool is_double = frame->kind == MAP_FRAME_DOUBLE;

    switch (*scan->p) {
    case '"':
        if (!is_double)
            return map_scan_open(scan, MAP_FRAME_DOUBLE, 1);
        map_scan_close(scan, 1);
        return 0;
    case '\'':
        if (is_apostrophe_quote(scan))
            return map_scan_open(scan, MAP_FRAME_SINGLE, 1);
        if (!is_double)
            return map_scan_refuse(scan, frame->opened,
                                   "not every shell reads ' inside \"${…}\" alike");
        break;
    case '}':
        if (frame->kind == MAP_FRAME_BRACE) {
            map_scan_close(scan, 1);
            return 0;
        }
        break;
    case '`':
        return step_backquote(scan);
    case '$':
        return step_dollar(scan);
    case '\\':
        return step_backslash(scan);
    default:
        break;
    }
    scan->p++;
    return 0;
}

static int step_number(struct map_scan *scan)
{
    struct map_frame *frame = map_scan_top(scan);

    if (*scan->p == '(')
        frame->parens++;
    if (*scan->p != ')')
        return step_expanded(scan);
    if (frame->parens > 0) {
        frame->parens--;
        scan->p++;
        return 0;
    }
    if (scan->p[1] != ')')
        return map_scan_refuse(
            scan, frame->opened,
            "can't tell whether this is arithmetic; write ( ( with a blank if it isn't");
    map_scan_close(scan, 2);
    return 0;
}

static int step_single(struct map_scan *scan)
{
    if (*scan->p == '\'')
        map_scan_close(scan, 1);
    else if (scan->backquotes > 0 && *scan->p == '`')
        return step_backquote(scan);
    else
        scan->p += scan->p[0] == '$' && scan->p[1] == '{' ? 2 : 1; /* ${1} of an inner shell */
    return 0;
}

static int step_dollar_quoted(struct map_scan *scan)
{
    if (*scan->p == '\'') {
        map_scan_close(scan, 1);
        return 0;
    }
    if (*scan->p != '\\') {
        scan->p++;
        return 0;
    }
    if (scan->p[1] == '\'' && !scan->knows_dollar_quotes)
        return map_scan_refuse(scan, map_scan_top(scan)->opened,
                               "not every shell reads \\' inside $'…' alike; use --shell=bash");
    return step_backslash(scan);
}

static int step_comment(struct map_scan *scan)
{
    if (*scan->p == '\n' || (*scan->p == '`' && scan->backquotes > 0)) {
        scan->no_append = scan->p;
        map_scan_close(scan, 0);
    } else {
        scan->p++;
    }
    return 0;
}

static int step(struct map_scan *scan)
{
    enum map_frame_kind kind = map_scan_top(scan)->kind;
    struct map_part part;

    if (is_backquote_escape(scan))
        return map_scan_refuse(
            scan, scan->p, "a backslash here is read twice because of the `…` around it; use $(…)");
    if (kind == MAP_FRAME_COMMENT) /* the shell does not read it: neither do we */
        return step_comment(scan);
    size_t len = map_part_parse(scan->syntax, scan->p, &part);
    if (len > 0)
        return map_scan_replacement(scan, &part, len);
    switch (kind) {
    case MAP_FRAME_SINGLE:
        return step_single(scan);
    case MAP_FRAME_DOLLAR:
        return step_dollar_quoted(scan);
    case MAP_FRAME_NUMBER:
        return step_number(scan);
    case MAP_FRAME_DOUBLE:
    case MAP_FRAME_BRACE:
        return step_expanded(scan);
    default:
        return step_bare(scan);
    }
}

static int check_end(struct map_scan *scan)
{
    if (map_scan_top(scan)->kind == MAP_FRAME_COMMENT) {
        scan->no_append = scan->p;
        map_scan_close(scan, 0);
    }
    struct map_frame *frame = map_scan_top(scan);
    if (frame->kind != MAP_FRAME_TOP)
        return map_scan_refuse(scan, frame->opened, "%s is never closed",
                               map_scan_frame_name(frame->kind));
    if (scan->n_heredocs > 0)
        return map_scan_refuse(scan, scan->heredocs[0].opened, "the here-document has no end");
    return map_scan_end_word(scan);
}

/* Cuts blanks and newlines off the end (a value after a newline would be a command) and adds " {}".
 */
static int append_values(struct map_scan *scan)
{
    struct map_part part = { .kind = MAP_PART_VALUES, .place = MAP_PLACE_BARE };
    struct map_template *template = scan->template;
    const char *end = scan->p;

    while (end > scan->literal_end && strchr(" \t\n", end[-1]) != NULL)
        end--;
    if (scan->no_append != NULL && end <= scan->no_append)
        return map_scan_refuse(
            scan, scan->start,
            "nothing can be appended to a comment or here-document; write {} where the"
            " value belongs");
    while (template->n_parts > 0 && template->parts[template->n_parts - 1].bytes >= end)
        template->n_parts--;
    if (template->n_parts > 0) {
        struct map_part *last = &template->parts[template->n_parts - 1];
        last->len = (size_t)(end - last->bytes);
    }
    int rc = map_template_add_text(template, " ", 1);
    struct map_word word = { .first = template->n_parts,
                             .end = template->n_parts + 1,
                             .has_values = true };
    if (rc == 0)
        rc = map_template_add_part(template, &part);
    return rc == 0 && template->fill_line ? map_template_add_word(template, &word) : rc;
}

static bool knows_dollar_quotes(const char *shell_path)
{
    static const char *const names[] = { "bash", "zsh", "ksh", "ksh93", "mksh" };
    const char *slash = strrchr(shell_path, '/');

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(slash != NULL ? slash + 1 : shell_path, names[i]) == 0)
            return true;
    return false;
}

int map_template_scan(struct map_template *template, const struct map_syntax *syntax, bool append,
                      struct plait__buf *error)
{
    struct map_scan *scan = calloc(1, sizeof *scan); /* too large for a stack */

    if (scan == NULL)
        return -ENOMEM;
    scan->template = template;
    scan->syntax = syntax;
    scan->error = error;
    scan->start = scan->p = scan->text = scan->literal_end = template->source.data;
    scan->knows_dollar_quotes = knows_dollar_quotes(template->shell_path);
    scan->n_frames = 1;
    scan->frames[0] =
        (struct map_frame){ .kind = MAP_FRAME_TOP, .opened = scan->p, .at_command = true };

    int rc = 0;
    while (rc == 0 && *scan->p != '\0')
        rc = step(scan);
    if (rc == 0)
        rc = check_end(scan);
    if (rc == 0)
        rc = map_scan_flush(scan, scan->p);
    if (rc == 0 && scan->found == 0 && append)
        rc = append_values(scan);
    for (size_t i = 0; i < scan->n_heredocs; i++)
        plait__buf_fini(&scan->heredocs[i].end);
    free(scan);
    return rc;
}
