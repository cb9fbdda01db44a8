/* The progress bar.
 * SPDX-License-Identifier: MIT
 *
 * Time to go is told twice and the later answer counts. By work: the median of the last jobs, times the jobs to go,
 * divided by the slots; a few odd jobs do not move it, but it knows nothing of a throttle (--rate, --delay) or of a tool
 * that cannot start jobs as fast as they end. By pace: how fast the last jobs came; it knows all that, but it means
 * nothing until the jobs it looks at fill the slots twice.
 */
#include "cmd/map/bar.h"

#include "cmd/units.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BAR_LEAST = 8,
    BAR_MOST = 30,
    EIGHTHS = 8,
    PIECES = 5,
    TEXT_BYTES = 64
};

void map_bar_times_add(struct map_bar_times *times, int64_t run_ns, int64_t end_ns)
{
    size_t at = times->n % MAP_BAR_JOBS;

    times->run_ns[at] = run_ns;
    times->end_ns[at] = end_ns;
    times->n++;
}

static size_t count_kept(const struct map_bar_times *times)
{
    return times->n < MAP_BAR_JOBS ? (size_t)times->n : MAP_BAR_JOBS;
}

static int compare_ns(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

int64_t map_bar_median(const struct map_bar_times *times)
{
    int64_t sorted[MAP_BAR_JOBS];
    size_t n = count_kept(times);

    if (n == 0)
        return -1;
    memcpy(sorted, times->run_ns, n * sizeof sorted[0]);
    qsort(sorted, n, sizeof sorted[0], compare_ns);
    return sorted[n / 2];
}

/* Jobs a nanosecond from the beginning of what is kept until `until_ns`; negative: not enough of them. */
static double get_pace(const struct map_bar_times *times, int64_t until_ns)
{
    /* the whole run is kept: it is measured from its start */
    bool whole = times->n <= MAP_BAR_JOBS;
    int64_t first_ns = whole ? times->start_ns : times->end_ns[times->n % MAP_BAR_JOBS];
    size_t jobs = whole ? (size_t)times->n : MAP_BAR_JOBS - 1;

    return jobs > 0 && until_ns > first_ns ? (double)jobs / (double)(until_ns - first_ns) : -1;
}

double map_bar_rate(const struct map_bar_times *times, int64_t now_ns)
{
    double pace = times->n < 2 ? -1 : get_pace(times, now_ns);

    return pace < 0 ? -1 : pace * 1e9;
}

int64_t map_bar_eta(const struct map_bar_times *times, const struct map_counts *counts,
                    int64_t now_ns)
{
    uint64_t done = map_bar_done(counts), left, slots;
    int64_t last_ns;
    double eta, pace;

    if (counts->total < 0 || times->n == 0)
        return -1;
    if ((uint64_t)counts->total <= done)
        return 0;
    left = (uint64_t)counts->total - done;
    slots = counts->slots > 0 ? counts->slots : 1;
    if (slots > left)
        slots = left;
    eta = (double)map_bar_median(times) * (double)left / (double)slots;
    last_ns = times->end_ns[(times->n - 1) % MAP_BAR_JOBS];
    pace = count_kept(times) >= 2 * slots ? get_pace(times, last_ns) : -1;
    if (pace > 0 && (double)left / pace > eta)
        eta = (double)left / pace;
    eta -= (double)(now_ns - last_ns); /* so that it counts down while long jobs run */
    return eta < 0 ? 0 : eta > 9e18 ? -1 : (int64_t)eta;
}

/* What stands right of the bar. */
struct piece {
    char text[TEXT_BYTES];
    bool is_alarm;
    unsigned rank; /* when the terminal is narrow the highest goes first */
};

static void describe_time(char text[TEXT_BYTES], const struct map_bar_view *view)
{
    bool known = view->eta_ns >= 0;
    int64_t s = (known ? view->eta_ns : view->elapsed_ns) / 1000000000;
    char time[CMD_FORMAT_CAP];

    if (s < 60)
        snprintf(time, sizeof time, "%d s", (int)s); /* no tenths: they only flicker */
    else
        cmd_format_duration(time, sizeof time, s * 1000000000);
    snprintf(text, TEXT_BYTES, known ? "ETA %s" : "%s so far", time);
}

static void describe_running(char text[TEXT_BYTES], unsigned n, const struct map_counts *counts)
{
    double part = counts->steps > 0 ? (double)counts->steps_done / (double)counts->steps : 0;

    if (counts->steps > 0)
        snprintf(text, TEXT_BYTES, "%u running (%d%%)", n, part > 1 ? 100 : (int)(part * 100));
    else
        snprintf(text, TEXT_BYTES, "%u running", n);
}

static size_t describe(struct piece pieces[PIECES], const struct map_bar_view *view)
{
    const struct map_counts *counts = view->counts;
    unsigned running = counts->running; /* --so: of those that the pool has */
    size_t n = 0;

    if (counts->slots > 0 && running > counts->slots)
        running = counts->slots;
    memset(pieces, 0, PIECES * sizeof pieces[0]);
    pieces[n].rank = 3;
    describe_running(pieces[n++].text, running, counts);
    if (counts->failed > 0) {
        pieces[n].rank = 1;
        pieces[n].is_alarm = true;
        snprintf(pieces[n++].text, TEXT_BYTES, "%llu failed", (unsigned long long)counts->failed);
    }
    if (counts->retried > 0) {
        pieces[n].rank = 5;
        snprintf(pieces[n++].text, TEXT_BYTES, "%llu retried", (unsigned long long)counts->retried);
    }
    if (view->rate >= 0) {
        pieces[n].rank = 4;
        snprintf(pieces[n++].text, TEXT_BYTES, view->rate < 10 ? "%.1f/s" : "%.0f/s", view->rate);
    }
    pieces[n].rank = 2;
    describe_time(pieces[n++].text, view);
    return n;
}

static size_t get_width(const struct piece *pieces, size_t n)
{
    size_t width = 0;

    for (size_t i = 0; i < n; i++)
        width += 2 + strlen(pieces[i].text);
    return width;
}

/* Leaves out the least wanted pieces until the rest fits. Returns how many are left. */
static size_t narrow(struct piece *pieces, size_t n, size_t columns)
{
    while (n > 0 && get_width(pieces, n) > columns) {
        size_t worst = 0;

        for (size_t i = 1; i < n; i++)
            if (pieces[i].rank > pieces[worst].rank)
                worst = i;
        n--;
        memmove(&pieces[worst], &pieces[worst + 1], (n - worst) * sizeof pieces[0]);
    }
    return n;
}

static int add_times(struct plait__buf *buf, const char *text, size_t times)
{
    int rc = 0;

    for (size_t i = 0; i < times && rc == 0; i++)
        rc = plait__buf_add_str(buf, text);
    return rc;
}

/* A bar of `cells` columns and its two ends, part of it (0 … 1) filled. */
static int add_bar(struct plait__buf *buf, double part, size_t cells, bool utf8)
{
    static const char *const partial[EIGHTHS] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    size_t eighths = (size_t)(part * (double)cells * EIGHTHS);
    size_t full = eighths / EIGHTHS;
    const char *edge = utf8 ? partial[eighths % EIGHTHS] : "";
    int rc = plait__buf_add_str(buf, utf8 ? "▕" : "[");

    if (rc == 0)
        rc = add_times(buf, utf8 ? "█" : "#", full);
    if (rc == 0)
        rc = plait__buf_add_str(buf, edge);
    if (rc == 0)
        rc = add_times(buf, utf8 ? " " : "-", cells - full - (*edge ? 1 : 0));
    return rc < 0 ? rc : plait__buf_add_str(buf, utf8 ? "▏ " : "] ");
}

/* "1234/3000", or "1234 done" as long as nobody knows how many there will be. */
static void describe_count(char text[TEXT_BYTES], const struct map_counts *counts)
{
    unsigned long long done = map_bar_done(counts);

    if (counts->total >= 0)
        snprintf(text, TEXT_BYTES, "%llu/%lld", done, (long long)counts->total);
    else
        snprintf(text, TEXT_BYTES, "%llu done", done);
}

static double get_part(const struct map_counts *counts)
{
    double part = counts->total > 0 ? (double)map_bar_done(counts) / (double)counts->total : 1;

    return part > 1 ? 1 : part;
}

/* The room that the bar may have: 0 when there is too little. */
static size_t get_cells(size_t columns, size_t used)
{
    size_t ends = 3, room = columns > used + ends ? columns - used - ends : 0;

    return room < BAR_LEAST ? 0 : room > BAR_MOST ? BAR_MOST : room;
}

static int add_piece(struct plait__buf *buf, const struct piece *piece,
                     const struct map_bar_view *view)
{
    bool red = piece->is_alarm && view->color;
    int rc = plait__buf_add_str(buf, view->columns > 0 ? "  " : ", ");

    if (rc < 0)
        return rc;
    return plait__buf_printf(buf, "%s%s%s", red ? "\033[31m" : "", piece->text,
                             red ? "\033[39m" : "");
}

int map_bar_draw(struct plait__buf *buf, const struct map_bar_view *view)
{
    size_t columns = view->columns > 0 ? view->columns - 1
                                       : SIZE_MAX; /* the last one makes some terminals wrap */
    bool has_total = view->counts->total >= 0;
    double part = get_part(view->counts);
    char count[TEXT_BYTES], percent[8] = "";
    struct piece pieces[PIECES];
    size_t n = describe(pieces, view), head, cells = 0;
    int rc = 0;

    describe_count(count, view->counts);
    if (has_total)
        snprintf(percent, sizeof percent, view->columns > 0 ? "%3d%% " : "%d%% ",
                 (int)(part * 100));
    head = strlen(percent) + strlen(count);
    n = narrow(pieces, n, columns > head ? columns - head : 0);
    if (has_total && view->columns > 0)
        cells = get_cells(columns, head + get_width(pieces, n));
    if (head <= columns)
        rc = plait__buf_add_str(buf, percent);
    if (rc == 0 && cells > 0)
        rc = add_bar(buf, part, cells, view->utf8);
    if (rc == 0)
        rc = plait__buf_add(buf, count, strlen(count) < columns ? strlen(count) : columns);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_piece(buf, &pieces[i], view);
    return rc;
}
