/* The one parser of command lines, and what a wrong one is answered with.
 * SPDX-License-Identifier: MIT
 *
 * Options end at `--` or at the first word that is none: what follows belongs to the command. Long
 * options take `=` or the next word, and only whole names: a prefix that is unique today would not
 * be tomorrow. An optional value only comes with `=`. Letters may share a dash, the last of them
 * with its value: -kj4, -kj 4.
 */
#ifndef PLAIT__CMD_OPTIONS_H
#define PLAIT__CMD_OPTIONS_H

#include "cmd/page.h"

/* One option was read; value is NULL when there is none. 0 goes on, a negative number ends the
 * parsing with it. */
typedef int (*cmd_option_fn)(const struct cmd_option *option, const char *value, void *ctx);

/* Read the words of argv. Returns the index of the first word after the options; -EINVAL after a
 * usage error, which is on standard error by then; or what the callback returned. */
int cmd_options_parse(const struct cmd_page *page, int argc, char **argv, cmd_option_fn fn,
                      void *ctx);

/* For verbs that have no option but -h, --help and --version: does what these ask for.
 * Returns the index of the first word after the options, or a negative number, and then the exit
 * code in *ret_exit. */
int cmd_options_parse_plain(const struct cmd_page *page, int argc, char **argv, int *ret_exit);

/* "plait VERB: sentence" and a line that says where help is, on standard error; control characters
 * in it are made harmless. Returns -EINVAL; the exit code is CMD_EXIT_USAGE. */
int cmd_usage_error(const struct cmd_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How an option is called in messages: its long name, or else its letter. Into name, which is
 * returned. */
enum {
    CMD_OPTION_NAME_BYTES = 40
};

const char *cmd_option_name(const struct cmd_option *option, char name[CMD_OPTION_NAME_BYTES]);

#endif
