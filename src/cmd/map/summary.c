/* --summary: the run in a few lines.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/summary.h"

#include "cmd/map/bar.h"
#include "cmd/units.h"

#include <inttypes.h>
#include <string.h>

enum {
    COMMAND_KEPT = 4096, /* bytes of the slowest job's command */
    COMMAND_LEAST = 20,  /* columns that it gets in any case */
};

void map_summary_fini(struct map_summary *summary)
{
    plait__buf_fini(&summary->slowest_line);
}

/* Keeps the job if it is the slowest so far. */
static void note_slowest(struct map_summary *summary, const struct map_result *result)
{
    struct plait__buf *line = &summary->slowest_line;
    size_t len = result->line ? strlen(result->line) : 0;

    if (summary->slowest_seq != 0 && result->run_ns <= summary->slowest_ns)
        return;
    plait__buf_clear(line);
    if (plait__buf_add(line, result->line, len < COMMAND_KEPT ? len : COMMAND_KEPT) < 0)
        plait__buf_clear(line); /* without its command, then */
    summary->slowest_seq = result->seq;
    summary->slowest_ns = result->run_ns;
    summary->slowest_kib = result->peak_kib;
}

void map_summary_note(struct map_summary *summary, const struct map_result *result)
{
    summary->jobs++;
    summary->run_ns += result->run_ns;
    summary->user_ns += result->user_ns;
    summary->system_ns += result->system_ns;
    note_slowest(summary, result);
}

/* "plait map: 3000 jobs in 12.3 s: 2990 ok, 8 failed, 2 skipped, 5 retries, 12 not run" */
static int add_totals(struct plait__buf *text, const struct map_counts *counts, int64_t wall_ns)
{
    uint64_t done = map_bar_done(counts);

    const struct {
        uint64_t n;
        const char *one, *many;
    } parts[] = {
        { counts->failed, "failed", "failed" },
        { counts->lost, "of them lost with their keeper", "of them lost with their keeper" },
        { counts->skipped, "skipped", "skipped" },
        { counts->retried, "retry", "retries" },
        { counts->total > 0 && (uint64_t)counts->total > done ? (uint64_t)counts->total - done : 0,
          "not run", "not run" },
    };

    char time[CMD_FORMAT_CAP];
    int rc = plait__buf_printf(text, "plait map: %" PRIu64 " job%s in %s: %" PRIu64 " ok", done,
                               done == 1 ? "" : "s",
                               cmd_format_duration(time, sizeof time, wall_ns), counts->succeeded);

    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && rc == 0; i++)
        if (parts[i].n > 0)
            rc = plait__buf_printf(text, ", %" PRIu64 " %s", parts[i].n,
                                   parts[i].n == 1 ? parts[i].one : parts[i].many);
    return rc < 0 ? rc : plait__buf_add_char(text, '\n');
}

static int add_work(struct plait__buf *text, const struct map_summary *summary)
{
    char a[CMD_FORMAT_CAP], b[CMD_FORMAT_CAP], c[CMD_FORMAT_CAP];
    int rc = 0;

    if (summary->wall_ns > 0)
        rc = plait__buf_printf(text, "  at once   %.1f on average: %s of jobs in %s\n",
                               (double)summary->run_ns / (double)summary->wall_ns,
                               cmd_format_duration(a, sizeof a, summary->run_ns),
                               cmd_format_duration(b, sizeof b, summary->wall_ns));
    if (rc < 0)
        return rc;
    return plait__buf_printf(
        text, "  CPU time  %s (%s user, %s system)\n",
        cmd_format_duration(a, sizeof a, summary->user_ns + summary->system_ns),
        cmd_format_duration(b, sizeof b, summary->user_ns),
        cmd_format_duration(c, sizeof c, summary->system_ns));
}

static int add_slowest(struct plait__buf *text, const struct map_summary *summary,
                       struct map_printable how)
{
    const struct plait__buf *line = &summary->slowest_line;
    char time[CMD_FORMAT_CAP], peak[CMD_FORMAT_CAP];
    size_t start = text->len;
    int rc = plait__buf_printf(text, "  slowest   %s",
                               cmd_format_duration(time, sizeof time, summary->slowest_ns));

    if (rc == 0 && summary->slowest_kib > 0)
        rc = plait__buf_printf(
            text, " (%s rss)",
            cmd_format_bytes(peak, sizeof peak, (uint64_t)summary->slowest_kib * 1024));
    if (rc == 0)
        rc = plait__buf_printf(text, ": job %" PRIu64 ": ", summary->slowest_seq);
    if (rc < 0)
        return rc;
    start = text->len - start;
    how.columns = how.columns > start + COMMAND_LEAST ? how.columns - start : COMMAND_LEAST;
    rc = map_printable_add(text, line->data ? line->data : "", line->len, &how);
    return rc < 0 ? rc : plait__buf_add_char(text, '\n');
}

static int add_place(struct plait__buf *text, const char *name, const char *path, bool utf8)
{
    int rc = path ? plait__buf_printf(text, "  %-9s ", name) : 0;

    if (!path || rc < 0)
        return rc;
    rc = map_printable_add(text, path, strlen(path), &(struct map_printable){ .utf8 = utf8 });
    return rc < 0 ? rc : plait__buf_add_char(text, '\n');
}

int map_summary_add(struct plait__buf *text, const struct map_summary *summary,
                    const struct map_options *options, const struct map_counts *counts,
                    const struct map_printable *how)
{
    int rc = add_totals(text, counts, summary->wall_ns);

    if (rc == 0 && summary->jobs > 0)
        rc = add_work(text, summary);
    if (rc == 0 && summary->jobs > 0)
        rc = add_slowest(text, summary, *how);
    if (rc == 0)
        rc = add_place(text, "job log", options->joblog, how->utf8);
    if (rc == 0)
        rc = add_place(text, "JSON log", options->log_json, how->utf8);
    if (rc == 0)
        rc = add_place(text, "results", options->results, how->utf8);
    return rc;
}
