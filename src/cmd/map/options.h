/* What the command line of `plait map` said.
 * SPDX-License-Identifier: MIT
 *
 * Plain data: options_map.c fills it from the table, the other files of the verb read it. Zero is
 * the default of every field. Strings point into argv.
 */
#ifndef PLAIT__CMD_MAP_OPTIONS_H
#define PLAIT__CMD_MAP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ::: ARGS, :::: FILES and -a FILE, in the order of the command line. `:::: a b` is two sources. */
struct map_source {
    char **args; /* ::: the values; NULL: a file */
    size_t n_args;
    const char *path; /* :::: and -a; "-" is standard input */
    bool linked;      /* :::+ and ::::+: goes in step with the source before it */
};

enum map_how {
    MAP_HOW_AUTO,
    MAP_HOW_EXEC,
    MAP_HOW_SHELL
};

/* What runs the function of --so. */
enum map_as {
    MAP_AS_PROCESS,
    MAP_AS_THREAD,
    MAP_AS_COROUTINE
};

enum map_output_mode {
    MAP_OUTPUT_GROUP,
    MAP_OUTPUT_LINES,
    MAP_OUTPUT_RAW
};

enum map_jobs_kind {
    MAP_JOBS_CPUS,
    MAP_JOBS_COUNT,
    MAP_JOBS_PERCENT,
    MAP_JOBS_PLUS,
    MAP_JOBS_MINUS
};

enum map_when {
    MAP_AUTO,
    MAP_ALWAYS,
    MAP_NEVER
};

enum map_halt_when {
    MAP_HALT_NEVER,
    MAP_HALT_SOON,
    MAP_HALT_NOW
};

enum map_halt_what {
    MAP_HALT_FAIL,
    MAP_HALT_SUCCESS,
    MAP_HALT_DONE
};

enum map_resume {
    MAP_RESUME_NONE,
    MAP_RESUME,
    MAP_RESUME_FAILED,
    MAP_RETRY_FAILED
};

struct map_options {
    /* the command */
    char **command; /* the words; n_command is 0 when each input is a snippet */
    size_t n_command;
    enum map_how how;    /* --exec, --shell[=PATH] */
    const char *shell;   /* --shell=PATH; NULL: PLAIT_SHELL, $SHELL, /bin/sh */
    bool quote;          /* -q, --quote: shell characters in the words are meant literally */
    const char *replace; /* -I STR: instead of {}; NULL: {} */

    /* a function instead of a command: the first word is its name then, the others what it gets */
    const char *so; /* --so LIBRARY:FUNCTION; NULL: a command */
    enum map_as as; /* --as KIND */
    bool has_as;
    bool argv; /* --argv: the function is one like main */

    /* the input */
    struct map_source *sources; /* none: standard input */
    size_t n_sources;
    const char *delimiter; /* -d as given (escapes not yet resolved); NULL: newline */
    bool null;             /* -0 */
    const char *colsep;    /* -C: a regular expression */
    const char
        *header;       /* --header SEP; NULL: none. ":" means the first line, one name per column */
    bool has_max_args; /* -n was given; 0 reads one and inserts none */
    uint64_t max_args; /* -n */
    bool fill_line;    /* -X */
    uint64_t max_chars;   /* -s; 0: the system's limit */
    bool no_run_if_empty; /* -r */

    /* how many at once */
    enum map_jobs_kind jobs_kind; /* -j, -P */
    uint64_t jobs;                /* its number */

    /* output */
    bool keep_order;             /* -k */
    enum map_output_mode output; /* --group, --line-buffer, -u */
    bool tag;                    /* --tag */
    const char *tagstring;       /* --tagstring STR */
    const char *results;         /* --results DIR */
    bool trace;                  /* -t: print each command before it runs */
    bool dry_run;                /* --dry-run */
    bool json;                   /* --json: one object a job on standard output */
    enum map_when color;         /* --color=WHEN */

    /* progress */
    enum map_when bar; /* --bar[=WHEN] */
    bool eta;          /* --eta */
    bool progress;     /* --progress */
    bool summary;      /* --summary */
    bool quiet;        /* --quiet: no line for failures either */

    /* faults */
    uint64_t retries;         /* --retries N: starts in all; 0 and 1: one */
    int64_t backoff_first_ns; /* --retry-backoff 1s..60s */
    int64_t backoff_last_ns;
    const char *retry_on;     /* --retry-on CODES: "75,100-110"; NULL: any failure */
    int64_t timeout_ns;       /* --timeout 30s; 0: none */
    uint64_t timeout_percent; /* --timeout 300%; 0: none */
    int64_t kill_after_ns;    /* --kill-after; meaningful when has_kill_after */
    bool has_kill_after;
    enum map_halt_when halt_when; /* --halt now|soon,fail|success|done=N|N% */
    enum map_halt_what halt_what;
    uint64_t halt_number;
    bool halt_is_percent;

    /* throttles */
    int64_t delay_ns;  /* --delay */
    double rate_per_s; /* --rate 50/s; 0: none */
    double load;       /* --load 3.5 or 80%, as a load average; 0: none */
    uint64_t memfree;  /* --memfree 2G, bytes; 0: none */
    int nice;          /* --nice */
    bool has_nice;
    const char *wd; /* --wd DIR */

    /* records */
    const char *joblog;
    const char *log_json;
    enum map_resume resume;
    bool exit_count; /* --exit=count */
};

/* Parse the words after `plait map`.
 * Returns -1 to go on; else the exit code with which to end at once: 0 after --help, 2 after a
 * usage error, which has been written to standard error. */
int map_options_parse(struct map_options *ret, int argc, char **argv);
void map_options_fini(struct map_options *options);

#endif
