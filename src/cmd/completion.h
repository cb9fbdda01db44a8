/* Completion for three shells, made from the tables of the verbs.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_COMPLETION_H
#define PLAIT__CMD_COMPLETION_H

#include "cmd/out.h"

/* Each writes a script to be sourced, or to be put where the shell looks for it. */
void cmd_completion_bash(struct cmd_out *out);
void cmd_completion_zsh(struct cmd_out *out);
void cmd_completion_fish(struct cmd_out *out);

#endif
