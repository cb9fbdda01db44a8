/* What a loop has switched between last.
 * SPDX-License-Identifier: MIT
 *
 * A ring of entries, which the loop's thread alone touches.
 */
#include "loop/trace.h"
#include "loop/inside.h"
#include "loop/look.h"
#include "os/clock.h"

#include <errno.h>
#include <stdlib.h>

enum {
    MOMENT_MS = 20
};

struct plait__trace {
    size_t n;     /* entries there are */
    uint64_t end; /* entries there were */
    struct plait__trace_entry entries[];
};

static size_t n_wanted; /* atomic */

int plait__trace_get_ready(struct plait__loop *loop)
{
    size_t n = __atomic_load_n(&n_wanted, __ATOMIC_RELAXED);
    struct plait__trace *trace = NULL;

    if ((loop->trace != NULL ? loop->trace->n : 0) == n)
        return 0;
    if (n > 0) {
        trace = calloc(1, sizeof *trace + n * sizeof trace->entries[0]);
        if (trace == NULL)
            return -ENOMEM;
        trace->n = n;
    }
    free(loop->trace);
    loop->trace = trace;
    return 0;
}

static void get_ready(struct plait__loop *loop, void *ret_rc)
{
    *(int *)ret_rc = plait__trace_get_ready(loop);
}

int plait__trace_want(size_t n)
{
    struct plait__loop *loop = plait__look_first();
    int rc = 0;

    __atomic_store_n(&n_wanted, n, __ATOMIC_SEQ_CST);
    for (; loop != NULL && rc == 0; loop = plait__look_next(loop))
        plait__look_ask(loop, get_ready, &rc, plait_after_ms(MOMENT_MS));
    return rc;
}

void plait__trace_note(struct plait__loop *loop, const struct plait__strand *from,
                       const struct plait__strand *to)
{
    struct plait__trace *trace = loop->trace;
    struct plait__trace_entry *entry = &trace->entries[trace->end++ % trace->n];
    const struct plait__sleeper *sleeper = from->sleeper;

    *entry = (struct plait__trace_entry){ .ns = plait__os_now_ns(),
                                          .from = from->number,
                                          .to = to->number };
    if (__atomic_load_n(&from->state, __ATOMIC_RELAXED) == PLAIT__STRAND_ENDED)
        entry->why = PLAIT__TRACE_ENDS;
    else if (sleeper->word != NULL)
        entry->kind = sleeper->said == sleeper->word ? sleeper->kind : PLAIT__ON_WORD;
    else if (!plait__look_is_parked(from))
        entry->why = PLAIT__TRACE_YIELDS;
}

void plait__trace_each(const struct plait__loop *loop,
                       void (*fn)(const struct plait__trace_entry *entry, void *arg), void *arg)
{
    const struct plait__trace *trace = loop->trace;

    if (trace == NULL)
        return;
    for (uint64_t i = trace->end > trace->n ? trace->end - trace->n : 0; i < trace->end; i++)
        fn(&trace->entries[i % trace->n], arg);
}
