/* Names the coroutine whose stack was too small.
 * SPDX-License-Identifier: MIT
 *
 * All that runs in a handler here runs on its own stack and allocates nothing. The program is about to
 * die: that a name is looked up there is worth the risk of its dying differently.
 */
#include <plait/inspect.h>

#include "loop/look.h"
#include "os/fault.h"
#include "os/memory.h"
#include "os/place.h"
#include "task/task.h"

#include <stdio.h>
#include <unistd.h>

enum {
    PLACE_BYTES = 256,
    LINE_BYTES = 512
};

static void write_line(const plait_task *task, const struct plait__strand *strand)
{
    const char *name = __atomic_load_n(&task->name, __ATOMIC_ACQUIRE);
    char place[PLACE_BYTES] = "?", line[LINE_BYTES], number[32];
    int n;

    snprintf(number, sizeof number, "Coroutine-%u", task->id);
    if (strand->site != NULL)
        plait__os_place_write(strand->site, place, sizeof place);
    n = snprintf(line, sizeof line,
                 "plait: task \"%s\" has used up its stack of %zu bytes, started at %s\n",
                 name != NULL ? name : number, strand->stack.bytes, place);
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line) < 0)
        return; /* there is nobody to be told */
}

static void on_fault(const void *address)
{
    const struct plait__strand *strand = plait__strand_here();
    const char *at = address, *low;

    if (strand == NULL || strand->task == NULL)
        return;
    low = strand->stack.low;
    if (at < low && at >= low - plait__os_page_bytes())
        write_line(strand->task, strand);
}

int plait_name_overflows(void)
{
    int rc = plait__look_want_alt_stacks();

    return rc < 0 ? rc : plait__os_on_fault(on_fault);
}
