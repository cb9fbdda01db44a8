/* What -h, --help and --version print, from the table of the verb.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_HELP_H
#define PLAIT__CMD_HELP_H

#include "cmd/out.h"
#include "cmd/page.h"

enum cmd_color {
    CMD_COLOR_AUTO,
    CMD_COLOR_ALWAYS,
    CMD_COLOR_NEVER
};

/* The option of a verb that is small enough to have one help only. */
#define CMD_OPTION_HELP(topic)                                                                   \
    {                                                                                            \
        .id = CMD_ID_HELP, .short_name = 'h', .name = "help", .group = topic, .is_common = true, \
        .help = "Show this"                                                                      \
    }

/* One block of a text, see page.h. */
enum cmd_block_kind {
    CMD_BLOCK_PARAGRAPH,
    CMD_BLOCK_ITEM,
    CMD_BLOCK_LITERAL
};

struct cmd_block {
    enum cmd_block_kind kind;
    const char *term; /* of an item */
    size_t term_len;
    const char *text;
    size_t text_len;
};

/* The next block of the text at *cursor, which moves on. False: the text has ended. */
bool cmd_block_next(const char **cursor, struct cmd_block *ret);

/* "-j, --jobs N" into out. */
void cmd_help_option_head(struct cmd_out *out, const struct cmd_option *option);

/* What it does, as one paragraph: its line as a sentence, and its text. */
void cmd_help_option_text(struct cmd_out *out, const struct cmd_option *option);

/* -h: one screen, examples first. */
void cmd_help_short(struct cmd_out *out, const struct cmd_page *page);
/* --help: everything, by topic. */
void cmd_help_long(struct cmd_out *out, const struct cmd_page *page);

/* Does what CMD_ID_SHORT_HELP, CMD_ID_HELP or CMD_ID_VERSION asks for, on standard output; returns
 * the exit code. Colours are for terminals, and not with NO_COLOR or TERM=dumb, unless `color` says
 * so. */
int cmd_help_answer(const struct cmd_page *page, int id, enum cmd_color color);

#endif
