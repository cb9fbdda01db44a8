/* What a person sees of the run.
 * SPDX-License-Identifier: MIT
 *
 * The bar is one line that is drawn over itself. Whatever else goes to the terminal takes it away first; the next tick
 * brings it back. Each message is one write, so that it does not mix with what the jobs write to the same terminal.
 * Nothing here can fail a run: what cannot be shown is left out.
 */
#include "cmd/map/report.h"
#include "base/time.h"

#include "cmd/map/bar.h"
#include "cmd/map/outcome.h"
#include "cmd/map/printable.h"
#include "cmd/map/summary.h"
#include "os/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t bar_after_ns = 2 * PLAIT__SECOND_NS; /* short runs are left in peace */
static const int64_t bar_every_ns = PLAIT__SECOND_NS / 10;
static const int64_t line_every_ns = 10 * PLAIT__SECOND_NS; /* into a log */

enum {
    FAILURES_SHOWN = 10,
    COLUMNS_DEFAULT = 80, /* of a terminal that does not say */
    COLUMNS_LOG = 200,    /* where there is no terminal */
    COMMAND_LEAST = 20,   /* columns that a command gets in any case */
};

enum bar_mode {
    BAR_NONE,
    BAR_DRAWN,
    BAR_LINES
};

static const char wipe_line[] = "\r\033[K";
static const char no_memory[] = "plait map: out of memory\n";

struct map_report {
    const struct map_options *options;
    struct map_writer own;
    struct map_writer *writer; /* our own, or the engine's */
    bool is_terminal;          /* one that can be drawn on */
    bool utf8, color;
    enum bar_mode mode;
    int64_t next_ns;         /* when to draw next */
    bool is_drawn;           /* the bar is on the screen */
    struct plait__buf shown; /* what it says */
    struct plait__buf next;  /* what it will say */

    uint64_t failures; /* told of, or counted to be told at the end */
    struct map_bar_times times;
    struct map_summary summary;
};

/* A terminal that is gone is no reason to stop. */
static void write_out(const struct map_report *report, const char *bytes, size_t n)
{
    map_writer_write(report->writer, bytes, n);
}

static size_t get_columns(const struct map_report *report)
{
    int columns =
        report->is_terminal ? plait__os_terminal_columns(report->writer->fd) : COLUMNS_LOG;

    return columns > 0 ? (size_t)columns : COLUMNS_DEFAULT;
}

/* Sends text (with its newline) as one message. Frees it. */
static void send_message(struct map_report *report, struct plait__buf *text)
{
    struct plait__buf all = { 0 };

    if (!report->is_drawn) {
        write_out(report, text->data, text->len);
    } else if (plait__buf_printf(&all, "%s%s", wipe_line, text->data ? text->data : "") == 0) {
        write_out(report, all.data, all.len);
        report->is_drawn = false;
    }
    plait__buf_fini(&all);
    plait__buf_fini(text);
}

static enum bar_mode choose_mode(const struct map_options *options, bool is_terminal)
{
    bool asked = options->bar == MAP_ALWAYS || options->eta || options->progress;

    if (options->bar == MAP_NEVER || (options->quiet && !asked))
        return BAR_NONE;
    if (is_terminal)
        return BAR_DRAWN;
    return asked ? BAR_LINES : BAR_NONE;
}

static int64_t choose_first(const struct map_report *report, int64_t now_ns)
{
    const struct map_options *options = report->options;

    if (report->mode == BAR_NONE)
        return INT64_MAX;
    if (report->mode == BAR_LINES)
        return now_ns + line_every_ns;
    if (options->bar == MAP_ALWAYS || options->eta || options->progress)
        return now_ns;
    return now_ns + bar_after_ns;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value && *value;
}

int map_report_create(struct map_report **ret, const struct map_options *options, int err_fd,
                      int64_t now_ns)
{
    struct map_report *report = calloc(1, sizeof *report);
    const char *term = getenv("TERM");

    if (!report)
        return -ENOMEM;
    report->options = options;
    map_writer_init(&report->own, err_fd);
    report->writer = &report->own;
    report->is_terminal = isatty(err_fd) && term && *term && strcmp(term, "dumb") != 0;
    report->utf8 = map_locale_is_utf8();
    report->color = options->color == MAP_ALWAYS ||
                    (options->color == MAP_AUTO && report->is_terminal && !is_set("NO_COLOR"));
    report->mode = choose_mode(options, report->is_terminal);
    report->next_ns = choose_first(report, now_ns);
    report->times.start_ns = now_ns;
    *ret = report;
    return 0;
}

void map_report_destroy(struct map_report *report)
{
    if (!report)
        return;
    map_report_wipe(report);
    plait__buf_fini(&report->shown);
    plait__buf_fini(&report->next);
    map_summary_fini(&report->summary);
    free(report);
}

static void say_failure(struct map_report *report, const struct map_result *result)
{
    struct plait__buf text = { 0 };
    struct map_printable how = { .utf8 = report->utf8, .columns = get_columns(report) };
    const char *line = result->line ? result->line : "";
    int rc = plait__buf_printf(&text, "plait map: job %" PRIu64 " failed", result->seq);

    if (rc == 0 && result->attempt > 1)
        rc = plait__buf_printf(&text, " after %u attempts", result->attempt);
    if (rc == 0)
        rc = plait__buf_add_str(&text, ": ");
    if (rc == 0)
        rc = map_outcome_add(&text, result);
    if (rc == 0)
        rc = plait__buf_add_str(&text, ": ");
    how.columns = how.columns > text.len + COMMAND_LEAST ? how.columns - text.len : COMMAND_LEAST;
    if (rc == 0)
        rc = map_printable_add(&text, line, strlen(line), &how);
    if (rc == 0)
        rc = plait__buf_add_char(&text, '\n');
    if (rc == 0) {
        send_message(report, &text);
        return;
    }
    plait__buf_fini(&text);
    write_out(report, no_memory, sizeof no_memory - 1); /* a failure is never passed over */
}

void map_report_ended(struct map_report *report, const struct map_result *result,
                      const struct map_counts *counts, int64_t now_ns)
{
    (void)counts;
    map_bar_times_add(&report->times, result->run_ns, now_ns);
    map_summary_note(&report->summary, result);
    if (!map_result_failed(result) || report->options->quiet)
        return;
    report->failures++;
    if (report->failures <= FAILURES_SHOWN)
        say_failure(report, result);
}

/* What bar or line say now, into report->next. */
static int compose(struct map_report *report, const struct map_counts *counts, int64_t now_ns)
{
    struct map_bar_view view = {
        .counts = counts,
        .elapsed_ns = now_ns - report->times.start_ns,
        .eta_ns = map_bar_eta(&report->times, counts, now_ns),
        .rate = map_bar_rate(&report->times, now_ns),
        .columns = report->mode == BAR_DRAWN ? get_columns(report) : 0,
        .utf8 = report->utf8,
        .color = report->color,
    };

    plait__buf_clear(&report->next);
    return map_bar_draw(&report->next, &view);
}

static void draw(struct map_report *report)
{
    struct plait__buf all = { 0 }, old = report->shown;

    if (report->is_drawn && old.len == report->next.len &&
        memcmp(old.data, report->next.data, old.len) == 0)
        return;
    if (plait__buf_printf(&all, "\r%s\033[K", report->next.data) == 0) {
        write_out(report, all.data, all.len);
        report->shown = report->next;
        report->next = old;
        report->is_drawn = true;
    }
    plait__buf_fini(&all);
}

int64_t map_report_tick(struct map_report *report, const struct map_counts *counts, int64_t now_ns)
{
    if (now_ns < report->next_ns)
        return report->next_ns;
    if (compose(report, counts, now_ns) == 0) {
        if (report->mode == BAR_DRAWN)
            draw(report);
        else
            map_report_say(report, "%s", report->next.data);
    }
    report->next_ns = now_ns + (report->mode == BAR_DRAWN ? bar_every_ns : line_every_ns);
    return report->next_ns;
}

void map_report_write_by(struct map_report *report, struct map_writer *writer)
{
    report->writer = writer;
}

void map_report_wipe(struct map_report *report)
{
    if (!report->is_drawn)
        return;
    write_out(report, wipe_line, sizeof wipe_line - 1);
    report->is_drawn = false;
}

void map_report_say(struct map_report *report, const char *format, ...)
{
    struct plait__buf raw = { 0 }, text = { 0 };
    va_list args;
    int rc;

    va_start(args, format);
    rc = plait__buf_vprintf(&raw, format, args);
    va_end(args);
    if (rc == 0)
        rc = plait__buf_add_str(&text, "plait map: ");
    if (rc == 0) /* names of files and words of commands are in it */
        rc = map_printable_add(&text, raw.data, raw.len,
                               &(struct map_printable){ .utf8 = report->utf8 });
    if (rc == 0)
        rc = plait__buf_add_char(&text, '\n');
    plait__buf_fini(&raw);
    if (rc == 0) {
        send_message(report, &text);
        return;
    }
    plait__buf_fini(&text);
    map_report_wipe(report);
    write_out(report, no_memory, sizeof no_memory - 1);
}

void map_report_finish(struct map_report *report, const struct map_counts *counts, int64_t now_ns)
{
    struct plait__buf text = { 0 };
    struct map_printable how;

    map_report_wipe(report);
    report->mode = BAR_NONE;
    report->next_ns = INT64_MAX;
    if (report->failures > FAILURES_SHOWN)
        map_report_say(report, "%s and %" PRIu64 " more failed", report->utf8 ? "…" : "...",
                       report->failures - FAILURES_SHOWN);
    if (!report->options->summary)
        return;
    how = (struct map_printable){ .utf8 = report->utf8, .columns = get_columns(report) };
    report->summary.wall_ns = now_ns - report->times.start_ns;
    if (map_summary_add(&text, &report->summary, report->options, counts, &how) < 0)
        plait__buf_fini(&text);
    else
        send_message(report, &text);
}
