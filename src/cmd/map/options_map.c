/* Reads the command line of `plait map`: options, command, sources.
 * SPDX-License-Identifier: MIT
 *
 *     plait map OPTIONS… COMMAND… [::: | :::+ VALUES… | :::: | ::::+ FILES…]…
 */
#include "cmd/map/options_private.h"

#include "cmd/exit.h"
#include "cmd/help.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SOURCES_FIRST = 4,
    WORKERS_MOST = 1000, /* of a pool */
};

int map_option_add_source(struct map_reading *reading, const struct map_source *source)
{
    struct map_options *options = reading->options;

    if (options->n_sources == reading->sources_cap) {
        size_t cap = reading->sources_cap == 0 ? SOURCES_FIRST : reading->sources_cap * 2;
        struct map_source *sources = reallocarray(options->sources, cap, sizeof *sources);

        if (sources == NULL)
            return -ENOMEM;
        options->sources = sources;
        reading->sources_cap = cap;
    }
    options->sources[options->n_sources++] = *source;
    return 0;
}

static int take_option(const struct cmd_option *option, const char *value, void *ctx)
{
    struct map_reading *reading = ctx;
    char name[CMD_OPTION_NAME_BYTES];
    int rc;

    if (option->id < 0) {
        reading->exit =
            cmd_help_answer(&cmd_page_map, option->id, (enum cmd_color)reading->options->color);
        return -ECANCELED;
    }
    reading->name = cmd_option_name(option, name);
    rc = map_option_set(reading, option->id, value);
    reading->name = NULL;
    return rc;
}

/* :::, :::+, ::::, ::::+ */
static bool is_separator(const char *word)
{
    size_t colons = strspn(word, ":");

    return (colons == 3 || colons == 4) &&
           (word[colons] == '\0' || strcmp(word + colons, "+") == 0);
}

static int find_separator(int argc, char **argv, int from)
{
    while (from < argc && !is_separator(argv[from]))
        from++;
    return from;
}

/* The separator at `at` and the words up to `end`. Of several files after one separator each is a
 * source. */
static int add_sources(struct map_reading *reading, char **argv, int at, int end)
{
    const char *separator = argv[at];
    size_t colons = strspn(separator, ":");
    bool is_linked = separator[colons] == '+';
    int rc = 0;

    if (is_linked && reading->options->n_sources == 0)
        return cmd_usage_error(&cmd_page_map,
                               "%s goes in step with the source before it, and there is none",
                               separator);
    if (colons == 3)
        return map_option_add_source(reading,
                                     &(struct map_source){ .args = argv + at + 1,
                                                           .n_args = (size_t)(end - at - 1),
                                                           .linked = is_linked });
    if (at + 1 == end)
        return cmd_usage_error(&cmd_page_map,
                               "%s wants the name of a file behind it, or - for standard input",
                               separator);
    while (rc == 0 && ++at < end)
        rc = map_option_add_source(reading,
                                   &(struct map_source){ .path = argv[at], .linked = is_linked });
    return rc;
}

static int read_words(struct map_reading *reading, int argc, char **argv, int from)
{
    int at = find_separator(argc, argv, from);
    int rc = 0;

    if (reading->options->so !=
        NULL) /* the function stands where the program does, over an option */
        argv[--from] = (char *)(uintptr_t)reading->options->so;
    if (at > from) {
        reading->options->command = argv + from;
        reading->options->n_command = (size_t)(at - from);
    }
    while (rc == 0 && at < argc) {
        int end = find_separator(argc, argv, at + 1);

        rc = add_sources(reading, argv, at, end);
        at = end;
    }
    return rc;
}

static int read_environment(struct map_reading *reading)
{
    const char *jobs = getenv("PLAIT_JOBS");

    if (reading->has_jobs || jobs == NULL || *jobs == '\0')
        return 0;
    reading->name = "PLAIT_JOBS";
    return map_option_set_jobs(reading, jobs);
}

/* What a function has no use for. NULL: nothing of it was asked for. */
static const char *find_useless(const struct map_options *options)
{
    bool is_ours = options->as != MAP_AS_PROCESS;

    const struct {
        bool is_set;
        const char *says;
    } rules[] = {
        { options->how == MAP_HOW_EXEC, "--exec is for commands" },
        { options->how == MAP_HOW_SHELL,
          "--shell is for commands: no shell reads what a function gets" },
        { options->quote, "--quote is for commands: no shell reads what a function gets" },
        { options->resume == MAP_RETRY_FAILED,
          "--retry-failed runs commands of the job log; --resume-failed runs functions again" },
        { options->output == MAP_OUTPUT_LINES,
          "--line-buffer is for commands: what a function wrote comes when it has returned" },
        { options->output == MAP_OUTPUT_RAW && !options->argv,
          "--ungroup needs --argv: what other functions write is collected" },
        { options->timeout_percent > 0, "--timeout wants a time here, not a percentage" },
        { options->jobs_kind == MAP_JOBS_COUNT && options->jobs == 0,
          "-j 0 is for commands: functions run in a pool, which has a size" },
        { options->jobs_kind != MAP_JOBS_PERCENT && options->jobs > WORKERS_MOST,
          "-j wants at most 1000 then" },
        { is_ours && options->wd != NULL, "--wd needs --as process: all others share one folder" },
        { is_ours && options->has_nice,
          "--nice needs --as process: all others share plait's niceness" },
        { is_ours && options->has_kill_after,
          "--kill-after needs --as process: nobody can kill what is a part of plait" },
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].is_set)
            return rules[i].says;
    return NULL;
}

/* 0 or -EINVAL after a usage error. */
static int check_function(const struct map_options *options)
{
    const char *says;

    if (options->so == NULL && (options->has_as || options->argv))
        return cmd_usage_error(&cmd_page_map, "%s needs --so LIBRARY:FUNCTION",
                               options->argv ? "--argv" : "--as");
    says = options->so != NULL ? find_useless(options) : NULL;
    return says != NULL ? cmd_usage_error(&cmd_page_map, "--so runs a function: %s", says) : 0;
}

/* What makes no sense together. */
static int check(const struct map_options *options)
{
    static const char *const resumes[] = { [MAP_RESUME] = "--resume",
                                           [MAP_RESUME_FAILED] = "--resume-failed",
                                           [MAP_RETRY_FAILED] = "--retry-failed" };

    if (options->resume != MAP_RESUME_NONE && options->joblog == NULL)
        return cmd_usage_error(&cmd_page_map, "%s needs --joblog FILE, which says what was done",
                               resumes[options->resume]);
    if (options->resume == MAP_RETRY_FAILED && options->so == NULL &&
        (options->n_command > 0 || options->n_sources > 0))
        return cmd_usage_error(
            &cmd_page_map,
            "--retry-failed takes its commands from the job log: leave command and inputs out");
    if (options->json && options->output != MAP_OUTPUT_GROUP)
        return cmd_usage_error(&cmd_page_map,
                               "--json holds the output of whole jobs: it cannot go with %s",
                               options->output == MAP_OUTPUT_RAW ? "--ungroup" : "--line-buffer");
    if (options->retries < 2 && (options->retry_on != NULL || options->backoff_last_ns > 0))
        return cmd_usage_error(
            &cmd_page_map, "%s needs --retries N, at least 2: without it nothing is tried again",
            options->retry_on != NULL ? "--retry-on" : "--retry-backoff");
    return check_function(options);
}

int map_options_parse(struct map_options *ret, int argc, char **argv)
{
    struct map_options options = { 0 };
    struct map_reading reading = { .options = &options, .exit = CMD_EXIT_USAGE };
    int rc = cmd_options_parse(&cmd_page_map, argc, argv, take_option, &reading);

    if (rc >= 0)
        rc = read_words(&reading, argc, argv, rc);
    if (rc == 0)
        rc = read_environment(&reading);
    if (rc == 0)
        rc = check(&options);
    if (rc == 0) {
        *ret = options;
        return -1;
    }
    map_options_fini(&options);
    if (rc != -ENOMEM)
        return reading.exit;
    fputs("plait map: out of memory\n", stderr);
    return CMD_EXIT_ERROR;
}

void map_options_fini(struct map_options *options)
{
    free(options->sources);
    *options = (struct map_options){ 0 };
}
