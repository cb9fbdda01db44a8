/* Dumps: what all coroutines of the process do.
 * SPDX-License-Identifier: MIT
 *
 * Each loop writes its own part, in its own thread; who asked puts them together.
 */
#include <plait/inspect.h>

#include "loop/trace.h"
#include "os/clock.h"
#include "os/signal.h"
#include "task/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* For plait__loop_each, which takes no argument: of the thread that writes. */
static _Thread_local struct plait__buf *out;

static void write_strand(struct plait__strand *strand)
{
    plait__describe_strand(out, strand);
    plait__buf_add_char(out, '\n');
    plait__describe_stack(out, strand);
}

static void add_number(struct plait__buf *text, uint32_t number)
{
    if (number == 0)
        plait__buf_add_str(text, "the thread itself");
    else
        plait__buf_printf(text, "coroutine %u", number);
}

static void write_switch(const struct plait__trace_entry *entry, void *arg)
{
    struct plait__buf *text = arg;

    plait__buf_printf(
        text, "    %.6f s ago: ", (double)(plait__os_now_ns() - entry->ns) / (1000 * 1000 * 1000));
    add_number(text, entry->from);
    if (entry->why == PLAIT__TRACE_WAITS)
        plait__buf_printf(text, " waits for %s, ", plait__describe_kind(entry->kind));
    else
        plait__buf_add_str(text, entry->why == PLAIT__TRACE_ENDS ? " ends, " : " yields, ");
    add_number(text, entry->to);
    plait__buf_add_str(text, " goes on\n");
}

static void write_loop(struct plait__loop *loop, void *arg)
{
    size_t n_fresh = plait__look_n_fresh(loop);

    out = arg;
    write_strand(plait__look_root(loop));
    plait__loop_each(loop, write_strand);
    if (n_fresh > 0)
        plait__buf_printf(out, "thread %u: %zu coroutines have not begun\n",
                          plait__look_thread(loop), n_fresh);
    plait__trace_each(loop, write_switch, out);
    out = NULL;
}

static void write_to_stderr(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, n);
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        }
    }
}

/* ---- by call ---- */

static void tell_lines(struct plait__buf *text, plait_dump_fn fn, void *arg)
{
    char *line = text->data, *end;

    if (fn == NULL && text->len > 0)
        write_to_stderr(text->data, text->len);
    for (; fn != NULL && line != NULL && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        fn(line, arg);
    }
}

int plait_dump(plait_dump_fn fn, void *arg, plait_deadline until)
{
    struct plait__loop *loop = plait__look_first();
    int n_busy = 0;

    for (; loop != NULL; loop = plait__look_next(loop)) {
        struct plait__buf text = { 0 };
        int rc = plait__look_ask(loop, write_loop, &text, until);
        if (rc == -ETIMEDOUT) {
            n_busy++;
            plait__buf_printf(&text, "thread %u: busy, its tasks are not known\n",
                              plait__look_thread(loop));
        }
        if (rc != -ESRCH && text.data == NULL)
            return -ENOMEM;
        tell_lines(&text, fn, arg);
        plait__buf_fini(&text);
    }
    return n_busy;
}

int plait_trace(size_t n_switches)
{
    return n_switches > SIZE_MAX / 64 ? -ENOMEM : plait__trace_want(n_switches);
}

/* ---- by a signal ---- */

static void write_loop_out(struct plait__loop *loop, void *arg)
{
    struct plait__buf text = { 0 };

    (void)arg;
    write_loop(loop, &text);
    write_to_stderr(text.data, text.len);
    plait__buf_fini(&text);
}

static void on_signal(void)
{
    plait__look_ask_all(write_loop_out);
}

int plait_dump_on_signal(int number)
{
    return plait__os_on_signal(number, on_signal);
}
