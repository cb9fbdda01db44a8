/* The progress bar: what is left to do, and one line of text that says it.
 * SPDX-License-Identifier: MIT
 *
 * No clock and no terminal: report.c owns both.
 */
#ifndef PLAIT__CMD_MAP_BAR_H
#define PLAIT__CMD_MAP_BAR_H

#include "base/buf.h"
#include "cmd/map/counts.h"

#include <stdbool.h>

/* So many last jobs are the present. */
enum {
    MAP_BAR_JOBS = 128
};

/* How the last jobs went. */
struct map_bar_times {
    int64_t start_ns; /* of the run */
    uint64_t n;       /* jobs that ended */
    int64_t run_ns[MAP_BAR_JOBS];
    int64_t end_ns[MAP_BAR_JOBS];
};

void map_bar_times_add(struct map_bar_times *times, int64_t run_ns, int64_t end_ns);
/* Median run time of the last jobs; -1 before the first. */
int64_t map_bar_median(const struct map_bar_times *times);
/* Jobs a second of late; negative: too early to say. */
double map_bar_rate(const struct map_bar_times *times, int64_t now_ns);
/* How long it will still take; -1: cannot tell. */
int64_t map_bar_eta(const struct map_bar_times *times, const struct map_counts *counts,
                    int64_t now_ns);

/* Jobs of the run that need nothing more. */
static inline uint64_t map_bar_done(const struct map_counts *counts)
{
    return counts->skipped + counts->succeeded + counts->failed;
}

struct map_bar_view {
    const struct map_counts *counts;
    int64_t elapsed_ns;
    int64_t eta_ns; /* -1: not known */
    double rate;    /* jobs a second; negative: not known */
    size_t columns; /* 0: as long as it gets, and without a bar (a line of a log) */
    bool utf8, color;
};

/* Adds the line, without a newline. 0 or -ENOMEM. */
int map_bar_draw(struct plait__buf *buf, const struct map_bar_view *view);

#endif
