/* What a loop has switched between last.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__LOOP_TRACE_H
#define PLAIT__LOOP_TRACE_H

#include "loop/loop.h"

#include <stddef.h>
#include <stdint.h>

struct plait__trace;

enum plait__trace_why {
    PLAIT__TRACE_WAITS, /* for `kind` */
    PLAIT__TRACE_YIELDS,
    PLAIT__TRACE_ENDS,
};

/* One switch. */
struct plait__trace_entry {
    int64_t ns;
    uint32_t from, to; /* by plait__strand.number; 0: the thread itself */
    enum plait__trace_why why;
    enum plait__wait_kind kind; /* PLAIT__ON_WORD: of descriptors, too */
};

/* From now on all loops keep the last n switches; 0: none. 0, -ENOMEM. Busy loops begin later. */
int plait__trace_want(size_t n);
/* In the loop's thread: has as many entries as are wanted. -ENOMEM. */
int plait__trace_get_ready(struct plait__loop *loop);

/* The loop is about to leave one for another. pre: it has a trace. */
void plait__trace_note(struct plait__loop *loop, const struct plait__strand *from,
                       const struct plait__strand *to);
/* In the loop's thread: calls fn for each switch that is kept, the oldest first. */
void plait__trace_each(const struct plait__loop *loop,
                       void (*fn)(const struct plait__trace_entry *entry, void *arg), void *arg);

#endif
