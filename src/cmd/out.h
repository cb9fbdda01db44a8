/* A text in the making, for standard output: help, man pages, completions.
 * SPDX-License-Identifier: MIT
 *
 * The first failure sticks and is returned at the end, so that a page is written without a check on
 * each line; nothing reaches standard output unless all of it was made.
 */
#ifndef PLAIT__CMD_OUT_H
#define PLAIT__CMD_OUT_H

#include "base/buf.h"

#include <stdbool.h>

struct cmd_out {
    struct plait__buf buf;
    int error;      /* the first failure; 0: none */
    bool has_color; /* headings may be coloured */
    size_t width;   /* columns to wrap at */
};

void cmd_out(struct cmd_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cmd_out_str(struct cmd_out *out, const char *str);
void cmd_out_bytes(struct cmd_out *out, const char *bytes, size_t n);
/* Writes all to standard output and frees it. Returns an exit code: 0, or 125 after a message on
 * standard error. A reader that went away (EPIPE) is no failure. */
int cmd_out_finish(struct cmd_out *out);

#endif
