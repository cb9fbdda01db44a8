/* Reading a job log that plait or GNU parallel wrote.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_JOBLOG_READ_H
#define PLAIT__CMD_MAP_JOBLOG_READ_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_JOBLOG_HEADER \
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"

struct map_joblog_line {
    uint64_t seq;
    bool failed;
    const char
        *command; /* raw: may hold tabs, and NULs for the newlines that GNU parallel puts so */
    size_t command_len;
    uint64_t offset; /* of the line in the file */
};

enum map_joblog_kind {
    MAP_JOBLOG_JOB,
    MAP_JOBLOG_TITLE, /* the names of the columns */
    MAP_JOBLOG_TORN,  /* the beginning of a job's line, as a full disk or a crash leaves it */
    MAP_JOBLOG_OTHER, /* nothing that belongs in a job log */
};

/* What one line is, without its newline. *ret is set for MAP_JOBLOG_JOB (but not its offset). */
enum map_joblog_kind map_joblog_parse(const char *bytes, size_t len, struct map_joblog_line *ret);

/* Calls visit for each job's line of the file. *ret_end: where the last whole line ends; what follows is torn.
 * -EINVAL with a sentence in `error` when this is no job log; what visit returned when that was negative. */
int map_joblog_read(int fd, int (*visit)(const struct map_joblog_line *line, void *user),
                    void *user, uint64_t *ret_end, struct plait__buf *error);

#endif
