/* What the tasks of a loop do, in words.
 * SPDX-License-Identifier: MIT
 *
 * All but the first is for the loop's own thread, between two strands (loop/look.h).
 */
#ifndef PLAIT__TASK_INSPECT_H
#define PLAIT__TASK_INSPECT_H

#include "base/buf.h"
#include "loop/look.h"

/* Before a thread becomes a loop: what the program, or its environment, wants to be looked at. */
void plait__inspect_begin(void);

/* One line, without its newline: who it is, what it does since when, and where it was started. */
void plait__describe_strand(struct plait__buf *ret, struct plait__strand *strand);
/* What a kind of thing is called. */
const char *plait__describe_kind(enum plait__wait_kind kind);
/* A line for each frame of its stack. */
void plait__describe_stack(struct plait__buf *ret, const struct plait__strand *strand);
/* "task "NAME"", or the thread's number. */
void plait__describe_name(struct plait__buf *ret, struct plait__strand *strand);

#endif
