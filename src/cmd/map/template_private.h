/* What the files of the template share: words as parts.
 * SPDX-License-Identifier: MIT
 *
 * A template is read once into parts (text as it is, or a replacement string) and filled by one
 * walk over them. All pointers of the parts go into `source`, the template's own copy of the
 * command.
 *
 *     template.c          create: executed words, what is appended
 *     template_part.c     one replacement string
 *     template_snippet.c  the quoting scanner of snippets
 *     template_fill.c     parts + values = command
 */
#ifndef PLAIT__CMD_MAP_TEMPLATE_PRIVATE_H
#define PLAIT__CMD_MAP_TEMPLATE_PRIVATE_H

#include "base/buf.h"
#include "cmd/map/values.h"

#include <stdbool.h>

enum map_part_kind {
    MAP_PART_TEXT,
    MAP_PART_VALUES, /* all values */
    MAP_PART_ONE,    /* the value at `position` */
    MAP_PART_SEQ,
    MAP_PART_SLOT,
};

enum map_part_op {
    MAP_OP_WHOLE,
    MAP_OP_NO_EXTENSION,      /* . */
    MAP_OP_BASE,              /* / */
    MAP_OP_DIR,               /* // */
    MAP_OP_BASE_NO_EXTENSION, /* /. */
    MAP_OP_NO_EXTENSIONS,     /* : */
    MAP_OP_NO_SUFFIX,         /* ^ */
};

/* How a value must be written where the part stands. */
enum map_part_place {
    MAP_PLACE_RAW,    /* as it is: a word to execute, a plain text */
    MAP_PLACE_BARE,   /* in a snippet, outside quotes */
    MAP_PLACE_SINGLE, /* inside '…' */
    MAP_PLACE_DOUBLE, /* inside "…" */
    MAP_PLACE_NUMBER, /* inside $((…)): no quotes help there, only a number is safe */
};

struct map_part {
    enum map_part_kind kind;
    enum map_part_op op;
    enum map_part_place place;
    bool guarded;      /* $x{}, {}>file: its neighbours would swallow a plain value */
    bool backquoted;   /* inside `…`, which takes one layer of backslashes away */
    long position;     /* 1 … from the front, -1 … from the end */
    const char *bytes; /* the text; of MAP_OP_NO_SUFFIX the suffix */
    size_t len;
};

/* Some parts in a row: a word to execute, or in a snippet with -X the word that is repeated for
 * each value. */
struct map_word {
    size_t first, end;  /* parts */
    bool has_values;    /* one of them is MAP_PART_VALUES */
    const char *source; /* to execute: as it was given */
};

struct map_template {
    struct map_part *parts;
    size_t n_parts, cap_parts;
    struct map_word *words;
    size_t n_words, cap_words;
    struct plait__buf source;
    bool shell;
    bool fill_line;
    const char *shell_path;
};

/* What a replacement string can be. */
struct map_syntax {
    const char *replace;
    const char *const *names;
    size_t n_names;
    size_t columns; /* 0: not known */
};

/* The replacement string at `at`: its length, and *ret with place RAW; 0: there is none. */
size_t map_part_parse(const struct map_syntax *syntax, const char *at, struct map_part *ret);
/* Can there be such a value? 0, or -EINVAL with a sentence. `at`, len: its text. */
int map_part_check(const struct map_syntax *syntax, const struct map_part *part, const char *at,
                   size_t len, struct plait__buf *error);
/* What the part makes of a value; *ret_len bytes, not always with a NUL behind. */
const char *map_part_apply(const struct map_part *part, const char *value, size_t *ret_len);
/* The value at the part's position; "" when there is none. */
const char *map_part_pick(const struct map_part *part, const struct map_values *values);

/* 0 or -ENOMEM. */
int map_template_add_part(struct map_template *template, const struct map_part *part);
int map_template_add_text(struct map_template *template, const char *bytes, size_t len);
int map_template_add_word(struct map_template *template, const struct map_word *word);

/* Reads template->source, a snippet, into parts (and with -X words); appends {} if `append` and
 * there is none. */
int map_template_scan(struct map_template *template, const struct map_syntax *syntax, bool append,
                      struct plait__buf *error);

#endif
