/* How much of their stacks coroutines use, by where they were started.
 * SPDX-License-Identifier: MIT
 *
 * A stack is used again and again, and what the last one left there cannot be told from what this one
 * did. So while the census is on, each stack is made clean when its coroutine ends.
 */
#include <plait/inspect.h>

#include "loop/look.h"
#include "os/place.h"
#include "os/stack.h"
#include "task/census.h"
#include "wait/mutex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS = 500,            /* places; what is started at more is counted together */
    STILL_USED = 16 << 10, /* below the frame that notes */
    PLACE_BYTES = 256
};

struct row {
    const void *site;
    size_t count, used_bytes, stack_bytes;
};

struct table {
    size_t n;
    struct row rows[ROWS + 1]; /* the last one: all others */
};

uint32_t plait__census_is_on;
static struct plait__mutex lock;
static struct table ended; /* lock */

static void count_in(struct table *table, const struct plait__strand *strand)
{
    size_t used = plait__os_stack_used(strand->stack.low, strand->stack.bytes), i = 0;
    struct row *row;

    while (i < table->n && table->rows[i].site != strand->site)
        i++;
    row = &table->rows[i];
    if (i == table->n && i < ROWS) {
        table->n++;
        row->site = strand->site;
    }
    row->count++;
    row->used_bytes = used > row->used_bytes ? used : row->used_bytes;
    if (strand->stack.bytes > row->stack_bytes)
        row->stack_bytes = strand->stack.bytes;
}

void plait__census_note(struct plait__strand *strand)
{
    char *low = strand->stack.low, *here = __builtin_frame_address(0);
    size_t in_use = (size_t)(low + strand->stack.bytes - here) + STILL_USED;

    plait__mutex_lock(&lock);
    count_in(&ended, strand);
    plait__mutex_unlock(&lock);
    plait__os_stack_trim(low, strand->stack.bytes, in_use);
}

void plait__census_forget(void)
{
    plait__mutex_reset(&lock);
}

int plait_stack_census_start(void)
{
    __atomic_store_n(&plait__census_is_on, 1, __ATOMIC_RELAXED);
    return 0;
}

/* For plait__loop_each, which takes no argument: of the thread that counts. */
static _Thread_local struct table *counting;

static void count_strand(struct plait__strand *strand)
{
    count_in(counting, strand);
}

static void count_loop(struct plait__loop *loop, void *arg)
{
    counting = arg;
    plait__loop_each(loop, count_strand);
    counting = NULL;
}

static void tell(const struct row *row, plait_stack_census_fn fn, void *arg)
{
    char place[PLACE_BYTES] = "elsewhere";

    if (row->site != NULL)
        plait__os_place_write(row->site, place, sizeof place);
    fn(&(plait_stack_use){ .started_at = place,
                           .count = row->count,
                           .used_bytes = row->used_bytes,
                           .stack_bytes = row->stack_bytes },
       arg);
}

int plait_stack_census(plait_stack_census_fn fn, void *arg, plait_deadline until)
{
    struct table *table;
    int n_busy = 0;

    if (fn == NULL)
        return -EINVAL;
    table = malloc(sizeof *table);
    if (table == NULL)
        return -ENOMEM;
    plait__mutex_lock(&lock);
    memcpy(table, &ended, sizeof *table);
    plait__mutex_unlock(&lock);
    for (struct plait__loop *loop = plait__look_first(); loop != NULL;
         loop = plait__look_next(loop))
        n_busy += plait__look_ask(loop, count_loop, table, until) == -ETIMEDOUT;
    for (size_t i = 0; i <= table->n; i++)
        if (table->rows[i].count > 0)
            tell(&table->rows[i], fn, arg);
    free(table);
    return n_busy;
}
