/* The quoting scanner: frames, words and replacement strings.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/template_scan.h"

#include "cmd/map/quote.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

enum {
    PLACE_SHOWN = 24
};

__attribute__((format(printf, 3, 4))) int map_scan_refuse(struct map_scan *scan, const char *at,
                                                          const char *format, ...)
{
    char shown[PLACE_SHOWN + 1] = { 0 };
    va_list args;

    va_start(args, format);
    int rc = plait__buf_vprintf(scan->error, format, args);
    va_end(args);
    memcpy(shown, at, strnlen(at, PLACE_SHOWN));
    if (rc == 0)
        rc = plait__buf_printf(
            scan->error, ", at character %zu of the snippet: ", (size_t)(at - scan->start) + 1);
    if (rc == 0)
        rc = map_quote_line(scan->error, shown);
    return rc < 0 ? rc : -EINVAL;
}

const char *map_scan_frame_name(enum map_frame_kind kind)
{
    static const char *const names[] = {
        [MAP_FRAME_TOP] = "snippet",     [MAP_FRAME_COMMAND] = "$(", [MAP_FRAME_PAREN] = "(",
        [MAP_FRAME_BACKQUOTE] = "`",     [MAP_FRAME_DOUBLE] = "\"",  [MAP_FRAME_SINGLE] = "'",
        [MAP_FRAME_DOLLAR] = "$'",       [MAP_FRAME_BRACE] = "${",   [MAP_FRAME_NUMBER] = "((",
        [MAP_FRAME_COMMENT] = "comment",
    };

    return names[kind];
}

struct map_frame *map_scan_top(struct map_scan *scan)
{
    return &scan->frames[scan->n_frames - 1];
}

bool map_scan_is_bare(enum map_frame_kind kind)
{
    return kind <= MAP_FRAME_BACKQUOTE;
}

bool map_scan_is_in_double(const struct map_scan *scan)
{
    for (size_t i = scan->n_frames; i > 0 && !map_scan_is_bare(scan->frames[i - 1].kind); i--)
        if (scan->frames[i - 1].kind == MAP_FRAME_DOUBLE)
            return true;
    return false;
}

int map_scan_open(struct map_scan *scan, enum map_frame_kind kind, size_t len)
{
    if (scan->n_frames == MAP_FRAMES_MAX)
        return map_scan_refuse(scan, scan->p, "the snippet is nested too deeply");
    struct map_frame frame = {
        .kind = kind,
        .opened = scan->p,
        .in_double = map_scan_is_in_double(scan),
        .at_command = true,
    };
    scan->backquotes += kind == MAP_FRAME_BACKQUOTE;
    scan->frames[scan->n_frames++] = frame;
    scan->p += len;
    return 0;
}

void map_scan_close(struct map_scan *scan, size_t len)
{
    scan->backquotes -= map_scan_top(scan)->kind == MAP_FRAME_BACKQUOTE;
    scan->n_frames--;
    scan->p += len;
}

int map_scan_flush(struct map_scan *scan, const char *end)
{
    int rc = map_template_add_text(scan->template, scan->text, (size_t)(end - scan->text));

    scan->text = end;
    return rc;
}

int map_scan_begin_word(struct map_scan *scan)
{
    struct map_frame *frame = map_scan_top(scan);
    int rc = 0;

    if (frame->word != NULL)
        return 0;
    if (scan->template->fill_line) /* the word's parts must be its own */
        rc = map_scan_flush(scan, scan->p);
    frame->word = scan->p;
    frame->word_part = scan->template->n_parts;
    frame->word_words = scan->template->n_words;
    frame->word_has_values = false;
    return rc;
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

/* After this word, may a command's name follow? */
static bool is_opening_keyword(const char *text, size_t len)
{
    static const char *const words[] = { "if",    "then",  "else", "elif", "do",
                                         "while", "until", "{",    "!",    "time" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(text, len, words[i]))
            return true;
    return false;
}

static void note_keyword(struct map_frame *frame, const char *text, size_t len)
{
    if (!frame->at_command)
        return;
    if (is_word(text, len, "case"))
        frame->cases++;
    else if (frame->cases > 0 && is_word(text, len, "esac"))
        frame->cases--;
    frame->at_command = is_opening_keyword(text, len);
}

int map_scan_end_word(struct map_scan *scan)
{
    struct map_frame *frame = map_scan_top(scan);
    int rc = 0;

    if (frame->word == NULL)
        return 0;
    note_keyword(frame, frame->word, (size_t)(scan->p - frame->word));
    frame->word = NULL;
    if (!scan->template->fill_line)
        return 0;
    rc = map_scan_flush(scan, scan->p);
    if (rc < 0 || !frame->word_has_values)
        return rc;
    scan->template->n_words = frame->word_words; /* the words inside it are repeated with it */
    struct map_word word = { .first = frame->word_part,
                             .end = scan->template->n_parts,
                             .has_values = true };
    return map_template_add_word(scan->template, &word);
}

/* Where the value would stand. -EINVAL when no quoting makes it data there. */
static int find_place(struct map_scan *scan, struct map_part *part, size_t len)
{
    enum map_part_place place = MAP_PLACE_BARE;

    part->backquoted = scan->backquotes > 0;
    for (size_t i = scan->n_frames; i > 0; i--) {
        enum map_frame_kind kind = scan->frames[i - 1].kind;
        if (map_scan_is_bare(kind))
            break;
        if (kind == MAP_FRAME_SINGLE)
            place = MAP_PLACE_SINGLE;
        else if (kind == MAP_FRAME_DOUBLE)
            place = place == MAP_PLACE_BARE ? MAP_PLACE_DOUBLE : place;
        else if (kind != MAP_FRAME_NUMBER)
            return map_scan_refuse(
                scan, scan->p,
                "%.*s can't be quoted safely inside %s…; assign it first (v=%.*s) and use $v",
                (int)len, scan->p, map_scan_frame_name(kind), (int)len, scan->p);
        else
            place = MAP_PLACE_NUMBER;
    }
    part->place = place;
    return 0;
}

static void note_values(struct map_scan *scan)
{
    size_t i = scan->n_frames;

    while (!map_scan_is_bare(scan->frames[i - 1].kind))
        i--;
    scan->frames[i - 1].word_has_values = true;
}

int map_scan_replacement(struct map_scan *scan, struct map_part *part, size_t len)
{
    int rc = map_part_check(scan->syntax, part, scan->p, len, scan->error);

    if (rc == 0)
        rc = find_place(scan, part, len);
    if (rc == 0 && map_scan_is_bare(map_scan_top(scan)->kind))
        rc = map_scan_begin_word(scan);
    if (rc < 0)
        return rc;
    bool is_glued = scan->guard == scan->p;
    if (is_glued && part->place == MAP_PLACE_NUMBER)
        return map_scan_refuse(
            scan, scan->p, "%.*s would become part of the variable's name before it; write ${name}",
            (int)len, scan->p);
    /* Behind the value: 2> is a redirection of its own, @( a pattern. */
    part->guarded = is_glued || (part->place == MAP_PLACE_BARE && scan->p[len] != '\0' &&
                                 strchr("<>(", scan->p[len]) != NULL);
    if (part->kind == MAP_PART_VALUES)
        note_values(scan);
    rc = map_scan_flush(scan, scan->p);
    if (rc == 0)
        rc = map_template_add_part(scan->template, part);
    scan->found++;
    scan->p += len;
    scan->text = scan->p;
    return rc;
}
