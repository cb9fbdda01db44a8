/* How the command of `plait map` is to be executed, and whether it is there.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_COMMAND_H
#define PLAIT__CMD_MAP_COMMAND_H

#include "base/buf.h"
#include "cmd/map/options.h"

/* The shell of snippets: --shell=PATH, else PLAIT_SHELL, else $SHELL if it is one of sh, dash,
 * bash, ksh and zsh, else /bin/sh. */
const char *map_command_shell(const struct map_options *options);

/* Is the command a snippet for the shell? (--exec and --shell force it; several words are executed
 * directly; one word is a snippet if there are blanks or shell characters in it.) */
bool map_command_is_snippet(const struct map_options *options);

/* Adds the whole command as the one word for a shell that would make it a snippet, for a person to
 * copy. */
int map_command_add_as_snippet(struct plait__buf *buf, const struct map_options *options);

/* Looks a program up as execvp would. 0, or the exit code (126, 127) with a sentence in `error`
 * that names the cure. */
int map_command_look_up(const char *program, struct plait__buf *error);

#endif
