/* What a person sees of the run: bar, ETA, failures, summary. Writes to standard error only.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_REPORT_H
#define PLAIT__CMD_MAP_REPORT_H

#include "cmd/map/counts.h"
#include "cmd/map/options.h"
#include "cmd/map/result.h"
#include "cmd/map/writer.h"

struct map_report;

/* now_ns: the monotonic clock, handed in so that tests own it. err_fd: standard error; columns of a terminal are asked
 * by the report itself. */
int map_report_create(struct map_report **ret, const struct map_options *options, int err_fd,
                      int64_t now_ns);
void map_report_destroy(struct map_report *report);
/* From now on by this writer, who hears signals while nobody reads what is said. */
void map_report_write_by(struct map_report *report, struct map_writer *writer);

/* A job ended for good (after its retries). Prints its line if it failed: one each for the first ten, then a count. */
void map_report_ended(struct map_report *report, const struct map_result *result,
                      const struct map_counts *counts, int64_t now_ns);
/* Draw, at most ten times a second (bar), or a line every ten seconds (--progress without a terminal).
 * Returns when it wants to be called again (monotonic ns; INT64_MAX: never). */
int64_t map_report_tick(struct map_report *report, const struct map_counts *counts, int64_t now_ns);
/* Take the bar off the screen before something else writes to the terminal; the next tick draws it again. */
void map_report_wipe(struct map_report *report);
/* A message of plait's own: "plait map: …" on a line of its own, the bar being wiped first. */
void map_report_say(struct map_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The end: wipe, count of unprinted failures, summary if asked (slowest job with its peak memory, totals, how many ran at once). */
void map_report_finish(struct map_report *report, const struct map_counts *counts, int64_t now_ns);

#endif
