/* --summary: the run in a few lines.
 * SPDX-License-Identifier: MIT
 *
 *     plait map: 3000 jobs in 12.3 s: 2990 ok, 8 failed, 2 skipped, 5 retries
 *       at once   3.8 on average: 46.9 s of jobs in 12.3 s
 *       CPU time  44.1 s (40.0 s user, 4.1 s system)
 *       slowest   12.0 s (1.1 G rss): job 17: convert big.png
 *       job log   run.log
 */
#ifndef PLAIT__CMD_MAP_SUMMARY_H
#define PLAIT__CMD_MAP_SUMMARY_H

#include "base/buf.h"
#include "cmd/map/counts.h"
#include "cmd/map/options.h"
#include "cmd/map/printable.h"
#include "cmd/map/result.h"

/* What is summed up while jobs end. Zero bytes are none yet. */
struct map_summary {
    uint64_t jobs;
    int64_t wall_ns;                    /* set at the end */
    int64_t run_ns, user_ns, system_ns; /* sums over all jobs */
    uint64_t slowest_seq;               /* 0: none yet */
    int64_t slowest_ns, slowest_kib;
    struct plait__buf slowest_line; /* its command, cut */
};

void map_summary_fini(struct map_summary *summary);
void map_summary_note(struct map_summary *summary, const struct map_result *result);
/* 0 or -ENOMEM. */
int map_summary_add(struct plait__buf *text, const struct map_summary *summary,
                    const struct map_options *options, const struct map_counts *counts,
                    const struct map_printable *how);

#endif
