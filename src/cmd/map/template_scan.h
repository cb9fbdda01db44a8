/* What the files of the quoting scanner share: where in the snippet it stands.
 * SPDX-License-Identifier: MIT
 *
 *     template_snippet.c  the steps: what each character means
 *     template_scan.c     frames, words, replacement strings
 *     template_heredoc.c  here-documents
 *
 * Each function that returns int gives 0, -ENOMEM, or -EINVAL with a sentence in scan->error.
 */
#ifndef PLAIT__CMD_MAP_TEMPLATE_SCAN_H
#define PLAIT__CMD_MAP_TEMPLATE_SCAN_H

#include "cmd/map/template_private.h"

enum map_frame_kind {
    /* bare: commands and words */
    MAP_FRAME_TOP,
    MAP_FRAME_COMMAND,   /* $(…) */
    MAP_FRAME_PAREN,     /* (…) */
    MAP_FRAME_BACKQUOTE, /* `…` */
    /* inside a word */
    MAP_FRAME_DOUBLE, /* "…" */
    MAP_FRAME_SINGLE, /* '…' */
    MAP_FRAME_DOLLAR, /* $'…' */
    MAP_FRAME_BRACE,  /* ${…} */
    MAP_FRAME_NUMBER, /* $((…)), ((…)) */
    MAP_FRAME_COMMENT,
};

enum {
    MAP_FRAMES_MAX = 64,
    MAP_HEREDOCS_MAX = 8
};

struct map_frame {
    enum map_frame_kind kind;
    const char *opened;
    bool in_double;        /* backquote and brace: somewhere inside "…" of the same command */
    bool takes_apostrophe; /* brace in "…": ' quotes behind its operator (#, %; not :-) */
    unsigned parens;       /* number: open parentheses */
    /* bare frames only */
    bool at_command;   /* the next word may be a command's name or a keyword */
    unsigned cases;    /* open case … esac */
    const char *word;  /* where the current word began; NULL: between words */
    size_t word_part;  /* its first part, when -X repeats words */
    size_t word_words; /* how many repeated words there were when it began */
    bool word_has_values;
};

struct map_heredoc {
    const char *opened;
    size_t depth;          /* of the command it belongs to */
    struct plait__buf end; /* the delimiter, unquoted */
    bool strips_tabs;      /* <<- */
    bool is_quoted;
};

struct map_scan {
    struct map_template *template;
    const struct map_syntax *syntax;
    struct plait__buf *error;
    const char *start;
    const char *p;
    const char *text;        /* from here on nothing has become a part yet */
    const char *guard;       /* a value right here would be read as part of a $name */
    const char *no_append;   /* nothing may be appended before here … */
    const char *literal_end; /* … and no blank cut off before here (it has a backslash) */
    size_t found;            /* replacement strings */
    unsigned backquotes;     /* frames that are MAP_FRAME_BACKQUOTE */
    bool knows_dollar_quotes;
    size_t n_frames;
    size_t n_heredocs; /* begun on this line; their texts follow it */
    struct map_frame frames[MAP_FRAMES_MAX];
    struct map_heredoc heredocs[MAP_HEREDOCS_MAX];
};

/* -EINVAL with the sentence and the place. */
int map_scan_refuse(struct map_scan *scan, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *map_scan_frame_name(enum map_frame_kind kind);

struct map_frame *map_scan_top(struct map_scan *scan);
/* Is it one that holds commands and words? */
bool map_scan_is_bare(enum map_frame_kind kind);
/* Is the place at the top inside "…" of its command? */
bool map_scan_is_in_double(const struct map_scan *scan);
/* Opens a frame whose first `len` characters are at scan->p, and goes behind them. */
int map_scan_open(struct map_scan *scan, enum map_frame_kind kind, size_t len);
void map_scan_close(struct map_scan *scan, size_t len);

/* What was read up to `end` becomes a part. */
int map_scan_flush(struct map_scan *scan, const char *end);
/* Of the bare frame at the top; nothing when it is in a word already, or in none. */
int map_scan_begin_word(struct map_scan *scan);
int map_scan_end_word(struct map_scan *scan);

/* The replacement string of `len` characters at scan->p. */
int map_scan_replacement(struct map_scan *scan, struct map_part *part, size_t len);

/* << or <<- at scan->p, with its delimiter. */
int map_scan_begin_heredoc(struct map_scan *scan);
/* At the beginning of a line: the texts of all that have begun. */
int map_scan_read_heredocs(struct map_scan *scan);

#endif
