/* What the files that read the command line of `map` share.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_OPTIONS_PRIVATE_H
#define PLAIT__CMD_MAP_OPTIONS_PRIVATE_H

#include "cmd/map/options.h"
#include "cmd/options.h"

/* The ids of the table in options_table.c; how each is taken is in options_set.c. */
enum map_option_id {
    MAP_OPTION_NONE,
    MAP_OPTION_EXEC,
    MAP_OPTION_SHELL,
    MAP_OPTION_QUOTE,
    MAP_OPTION_REPLACE,
    MAP_OPTION_SO,
    MAP_OPTION_AS,
    MAP_OPTION_ARGV,
    MAP_OPTION_ARG_FILE,
    MAP_OPTION_NULL,
    MAP_OPTION_DELIMITER,
    MAP_OPTION_COLSEP,
    MAP_OPTION_HEADER,
    MAP_OPTION_MAX_ARGS,
    MAP_OPTION_FILL_LINE,
    MAP_OPTION_MAX_CHARS,
    MAP_OPTION_NO_RUN_IF_EMPTY,
    MAP_OPTION_JOBS,
    MAP_OPTION_KEEP_ORDER,
    MAP_OPTION_GROUP,
    MAP_OPTION_LINE_BUFFER,
    MAP_OPTION_UNGROUP,
    MAP_OPTION_TAG,
    MAP_OPTION_TAGSTRING,
    MAP_OPTION_RESULTS,
    MAP_OPTION_TRACE,
    MAP_OPTION_DRY_RUN,
    MAP_OPTION_JSON,
    MAP_OPTION_COLOR,
    MAP_OPTION_BAR,
    MAP_OPTION_ETA,
    MAP_OPTION_PROGRESS,
    MAP_OPTION_SUMMARY,
    MAP_OPTION_QUIET,
    MAP_OPTION_RETRIES,
    MAP_OPTION_RETRY_BACKOFF,
    MAP_OPTION_RETRY_ON,
    MAP_OPTION_TIMEOUT,
    MAP_OPTION_KILL_AFTER,
    MAP_OPTION_HALT,
    MAP_OPTION_DELAY,
    MAP_OPTION_RATE,
    MAP_OPTION_LOAD,
    MAP_OPTION_MEMFREE,
    MAP_OPTION_NICE,
    MAP_OPTION_WD,
    MAP_OPTION_JOBLOG,
    MAP_OPTION_LOG_JSON,
    MAP_OPTION_RESUME,
    MAP_OPTION_RESUME_FAILED,
    MAP_OPTION_RETRY_FAILED,
    MAP_OPTION_EXIT,
    MAP_OPTION_END,
};

extern const struct cmd_option map_option_table[];

/* One run of map_options_parse. */
struct map_reading {
    struct map_options *options;
    const char *name; /* how to call what is being read: "--timeout", or "PLAIT_JOBS" */
    size_t sources_cap;
    bool has_jobs; /* -j was given: PLAIT_JOBS does not count */
    int exit;      /* with which to end when the parsing was stopped */
};

/* Takes one option. 0; -EINVAL after a usage error; -ENOMEM. */
int map_option_set(struct map_reading *reading, int id, const char *value);
/* -j and PLAIT_JOBS. */
int map_option_set_jobs(struct map_reading *reading, const char *value);
/* Adds a source; 0 or -ENOMEM. */
int map_option_add_source(struct map_reading *reading, const struct map_source *source);

#endif
