/* The command of a job: words with replacement strings, filled with the job's values.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_TEMPLATE_H
#define PLAIT__CMD_MAP_TEMPLATE_H

#include "base/buf.h"
#include "cmd/map/values.h"

#include <stdbool.h>

struct map_template;

struct map_template_spec {
    char *const *words; /* the command; n_words 0: each input is itself a snippet */
    size_t n_words;
    bool shell;               /* a snippet for the shell; else words to execute */
    const char *shell_path;   /* the shell of a snippet; const for the template's life */
    const char *replace;      /* -I: instead of "{}"; NULL: "{}" */
    size_t columns;           /* how many values an input has at the most; 0: not known */
    const char *const *names; /* --header: names of the columns, for {name}; NULL: none */
    size_t n_names;
    bool no_values; /* -n0: nothing is appended */
    bool fill_line; /* -X: a word that holds {} is repeated for each value */
};

/* A command ready to run. */
struct map_command {
    char **argv; /* NULL-terminated */
    size_t argc;
    char *line; /* one shell-readable line for job log, --dry-run and -t */
};

/* The replacement strings are
 *   {} {.} {/} {//} {/.}  the value, no extension, basename, dirname, basename no extension
 *   {:} {^SUFFIX}         without all its extensions, without SUFFIX if it ends so
 *   {1} {2.} {-1/} {NAME} {NAME.}  of one value: by number, from the end, by column
 *   {#} {%}               number of the job, number of its slot
 * Any other brace is text; so is one right after a $ and, in a snippet, after a backslash. In a
 * snippet each is quoted for the place where it stands. Several words for the shell are joined by
 * blanks.
 *
 * On a usage error returns -EINVAL and puts one sentence into `error`. */
int map_template_create(struct map_template **ret, const struct map_template_spec *spec,
                        struct plait__buf *error);
void map_template_destroy(struct map_template *template);

/* 0; -ENOMEM; -EINVAL with a sentence in `error` (several values inside a word of a directly
 * executed command, a value that is not a number where the snippet does arithmetic). */
int map_template_fill(const struct map_template *template, const struct map_values *values,
                      const struct map_place *place, struct map_command *ret,
                      struct plait__buf *error);
void map_command_fini(struct map_command *command);

/* A command from its line in a job log, for --retry-failed: run by the shell, or executed directly
 * if only that gives the words back that the line stands for. Lines of GNU parallel are fine. 0 or
 * -ENOMEM. */
int map_command_from_line(struct map_command *ret, const char *shell_path, const char *line);

/* Bytes that argv takes with these values, as the kernel counts (strings, NULs and pointers), and
 * in *ret_longest the longest single word: for -X and -s. SIZE_MAX when out of memory or not
 * fillable. It takes as long as filling. */
size_t map_template_bytes(const struct map_template *template, const struct map_values *values,
                          size_t *ret_longest);

/* The same replacement strings in a plain text (--tagstring): unquoted. 0, -ENOMEM or -EINVAL. */
int map_template_text(const char *text, const struct map_values *values,
                      const struct map_place *place, struct plait__buf *ret);

/* What to look up before the first job: the program's name when argv[0] is fixed, else NULL. */
const char *map_template_program(const struct map_template *template);

/* Is {%} in it? */
bool map_template_names_slot(const struct map_template *template);

/* The first word that is only |, >, >>, <, 2>, &&, || or &, which a direct execution passes on as
 * data; else NULL. */
const char *map_template_suspicious(char *const *words, size_t n);

/* Is this one word a snippet: are there blanks or shell characters in it, replacement strings
 * aside? */
bool map_is_snippet(const char *word, const char *replace);

#endif
