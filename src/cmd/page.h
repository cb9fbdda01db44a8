/* A verb of the tool, described once: its options, examples and texts.
 * SPDX-License-Identifier: MIT
 *
 * From this table come the parser (options.h), -h and --help (help.h), the man page (man.h) and the
 * completion of three shells (completion.h). Whatever is added to a table is in all of them.
 *
 * Texts are ASCII, and each of their lines is one block: "term\tmeaning" is an item of a list, a
 * line that begins with four blanks is shown as it is, any other line is a paragraph that is
 * wrapped.
 */
#ifndef PLAIT__CMD_PAGE_H
#define PLAIT__CMD_PAGE_H

#include <stdbool.h>
#include <stddef.h>

enum cmd_option_kind {
    CMD_FLAG,           /* --tag */
    CMD_VALUE,          /* --joblog FILE, --joblog=FILE, -j4, -j 4 */
    CMD_OPTIONAL_VALUE, /* --bar, --bar=WHEN */
};

/* What a shell offers for a value. */
enum cmd_complete {
    CMD_COMPLETE_NOTHING,
    CMD_COMPLETE_FILE,
    CMD_COMPLETE_DIR
};

/* Ids that every verb uses for the same thing; a verb's own ids are above zero. */
enum {
    CMD_ID_SHORT_HELP = -1,
    CMD_ID_HELP = -2,
    CMD_ID_VERSION = -3
};

/* One option. The end of a table is a row of zeros. */
struct cmd_option {
    int id;
    char short_name;   /* 0: none */
    char short_alias;  /* a second letter for the same; 0: none */
    const char *name;  /* without dashes; NULL: only a letter */
    const char *alias; /* a second name; NULL: none */
    enum cmd_option_kind kind;
    const char *metavar; /* what its value is called; NULL of a flag */
    const char *group;   /* the topic it stands under; the rows of one topic are neighbours */
    bool is_common;      /* shown by -h too */
    const char *help;    /* one line, no full stop */
    const char *text;    /* what --help and the man page add; NULL: nothing */
    enum cmd_complete complete;
    const char *words; /* the values to choose from, with blanks between; NULL: not a choice */
};

/* Is this the row of zeros? */
static inline bool cmd_option_is_end(const struct cmd_option *option)
{
    return option->name == NULL && option->short_name == 0;
}

/* The end of each of these tables is a row whose first field is NULL. */
struct cmd_example {
    const char *command;
    const char *says; /* one line: what it does */
};

struct cmd_section {
    const char *title; /* in capitals */
    const char *text;
};

/* An option that people know from elsewhere and that does not exist here. */
struct cmd_foreign {
    const char *option; /* with its dashes */
    const char *says;   /* a clause on what to do instead */
};

struct cmd_page {
    const char *name;    /* the verb; NULL: the tool itself */
    const char *summary; /* one line, no full stop */
    const char *usage;   /* what follows the name on the command line; one line each */
    const char *about;   /* a text */
    const struct cmd_example *examples; /* the first three are shown by -h */
    const struct cmd_option *options;
    const struct cmd_section *sections; /* after the options; NULL: none */
    const struct cmd_foreign *foreign;  /* NULL: none */
    const char *words;  /* for completion: what the first word may be; NULL: see takes_command */
    bool has_man_page;  /* one is installed, and other pages lead to it */
    bool takes_command; /* the words after the options are a command and its arguments */
    /* argc words that follow the verb (the verb is not among them), NULL-terminated; returns the
     * exit code. */
    int (*run)(int argc, char **argv);
};

/* The tool itself, and its verbs with a NULL at the end. */
extern const struct cmd_page cmd_page_tool;
extern const struct cmd_page *const cmd_pages[];

extern const struct cmd_page cmd_page_map; /* in map/, which this folder must not include */
extern const struct cmd_page cmd_page_info;
extern const struct cmd_page cmd_page_completion;
extern const struct cmd_page cmd_page_help;

int cmd_map(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_help(int argc, char **argv);

/* The verb of this name; NULL: there is none. */
const struct cmd_page *cmd_page_find(const char *name);
/* Says on standard error that there is no such verb, and which one may be meant. */
void cmd_page_refuse(const struct cmd_page *page, const char *name);

#endif
