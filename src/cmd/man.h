/* The man pages, made from the tables of the verbs.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAN_H
#define PLAIT__CMD_MAN_H

#include "cmd/out.h"
#include "cmd/page.h"

/* The page as man(7) source: plait(1) of the tool, plait-map(1) of a verb. */
void cmd_man(struct cmd_out *out, const struct cmd_page *page);

#endif
