/* The job log, in GNU parallel's nine columns, and what --resume reads from it.
 * SPDX-License-Identifier: MIT
 *
 * Seq Host Starttime JobRuntime Send Receive Exitval Signal Command. One write a line; a torn last line (of a killed
 * run) is cut when the log is opened to go on. Of two lines with one Seq the last counts.
 */
#ifndef PLAIT__CMD_MAP_JOBLOG_H
#define PLAIT__CMD_MAP_JOBLOG_H

#include "base/buf.h"
#include "cmd/map/json.h"
#include "cmd/map/options.h"
#include "cmd/map/result.h"
#include "cmd/map/results.h"

struct map_joblog;

/* Opens (or, without a resume mode, truncates) the log and reads what it says already. `resume` decides what
 * map_joblog_wants answers. "-" is standard output. -errno with one sentence in `error`: -EINVAL when the file to go on
 * with is no job log (it is left as it was). */
int map_joblog_open(struct map_joblog **ret, const char *path, enum map_resume resume,
                    struct plait__buf *error);
void map_joblog_close(struct map_joblog *log);

/* Must this job run? False when the log has it already (--resume: any line; --resume-failed: a line of success).
 * Sets *ret_changed when the log's command under this Seq is another one: the input has changed. How the command is
 * quoted does not count, so that a log of GNU parallel can be gone on with. */
bool map_joblog_wants(struct map_joblog *log, uint64_t seq, const char *line, bool *ret_changed);

/* --retry-failed: the next failed job of the log in order of Seq. 1 with *ret_seq and *ret_line (owned by the log, good
 * until the next call), 0 at the end, or -errno. Lines may be written meanwhile. */
int map_joblog_next_failed(struct map_joblog *log, uint64_t *ret_seq, const char **ret_line);

/* Appends one line with one write. -errno: nothing was written; what a full disk let through was cut off again, or,
 * where that cannot be, is left as a torn line that map_joblog_open passes over. */
int map_joblog_write(struct map_joblog *log, const struct map_result *result);

#endif
