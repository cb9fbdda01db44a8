/* How each option of `plait map` is taken: strictly, and refused with a sentence that says what is
 * accepted. SPDX-License-Identifier: MIT
 *
 * A row for each id says which function takes the value and where in struct map_options it goes.
 */
#include "cmd/map/codes.h"
#include "cmd/map/options_private.h"
#include "cmd/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    JOBS_MAX = 1000000, /* more processes than any system runs: surely a slip */
    NICE_MIN = -20,
    NICE_MAX = 19,
};

/* Takes a value (NULL of a flag) into the field. 0, -EINVAL after a usage error, -ENOMEM. */
typedef int (*set_fn)(struct map_reading *reading, const char *value, void *field);

static int refuse(const struct map_reading *reading, const char *wants, const char *value)
{
    return cmd_usage_error(&cmd_page_map, "%s wants %s, not '%s'", reading->name, wants, value);
}

/* The same, when the number may be one, but larger than anything. */
static int refuse_number(const struct map_reading *reading, int rc, const char *wants,
                         const char *value)
{
    if (rc == -ERANGE)
        return cmd_usage_error(&cmd_page_map, "%s %s is too large", reading->name, value);
    return refuse(reading, wants, value);
}

static int set_true(struct map_reading *reading, const char *value, void *field)
{
    (void)reading;
    (void)value;
    *(bool *)field = true;
    return 0;
}

static int set_text(struct map_reading *reading, const char *value, void *field)
{
    (void)reading;
    *(const char **)field = value;
    return 0;
}

static int set_name(struct map_reading *reading, const char *value, void *field)
{
    if (*value == '\0')
        return cmd_usage_error(&cmd_page_map, "the value of %s must not be empty", reading->name);
    return set_text(reading, value, field);
}

static int set_duration(struct map_reading *reading, const char *value, void *field)
{
    int rc = cmd_parse_duration(value, field);

    return rc < 0 ? refuse_number(reading, rc, "a time such as 30s, 1.5m or 2h", value) : 0;
}

static int set_count(struct map_reading *reading, const char *value, void *field)
{
    int rc = cmd_parse_u64(value, field);

    return rc < 0 ? refuse_number(reading, rc, "a whole number", value) : 0;
}

static int set_positive(struct map_reading *reading, const char *value, void *field)
{
    uint64_t number = 0;
    int rc = cmd_parse_u64(value, &number);

    if (rc < 0 || number == 0)
        return refuse_number(reading, rc, "a whole number above 0", value);
    *(uint64_t *)field = number;
    return 0;
}

/* auto, always, never; nothing: always. */
static int set_when(struct map_reading *reading, const char *value, void *field)
{
    enum map_when *when = field;

    if (value == NULL || strcmp(value, "always") == 0)
        *when = MAP_ALWAYS;
    else if (strcmp(value, "auto") == 0)
        *when = MAP_AUTO;
    else if (strcmp(value, "never") == 0)
        *when = MAP_NEVER;
    else
        return refuse(reading, "auto, always or never", value);
    return 0;
}

static int set_how_exec(struct map_reading *reading, const char *value, void *field)
{
    (void)value;
    (void)field;
    reading->options->how = MAP_HOW_EXEC;
    return 0;
}

static int set_how_shell(struct map_reading *reading, const char *value, void *field)
{
    reading->options->how = MAP_HOW_SHELL;
    return value == NULL ? 0 : set_name(reading, value, field);
}

static int set_as(struct map_reading *reading, const char *value, void *field)
{
    static const char *const words[] = {
        [MAP_AS_PROCESS] = "process", [MAP_AS_THREAD] = "thread", [MAP_AS_COROUTINE] = "coroutine"
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(value, words[i]) == 0) {
            reading->options->has_as = true;
            *(enum map_as *)field = (enum map_as)i;
            return 0;
        }
    return refuse(reading, "process, thread or coroutine", value);
}

static int set_group(struct map_reading *reading, const char *value, void *field)
{
    (void)reading;
    (void)value;
    *(enum map_output_mode *)field = MAP_OUTPUT_GROUP;
    return 0;
}

static int set_lines(struct map_reading *reading, const char *value, void *field)
{
    (void)reading;
    (void)value;
    *(enum map_output_mode *)field = MAP_OUTPUT_LINES;
    return 0;
}

static int set_raw(struct map_reading *reading, const char *value, void *field)
{
    (void)reading;
    (void)value;
    *(enum map_output_mode *)field = MAP_OUTPUT_RAW;
    return 0;
}

static int set_arg_file(struct map_reading *reading, const char *value, void *field)
{
    const char *path = NULL;
    int rc = set_name(reading, value, &path);

    (void)field;
    return rc < 0 ? rc : map_option_add_source(reading, &(struct map_source){ .path = path });
}

/* Of -0 and -d the last one counts. */
static int set_null(struct map_reading *reading, const char *value, void *field)
{
    (void)value;
    *(bool *)field = true;
    reading->options->delimiter = NULL;
    return 0;
}

static int set_delimiter(struct map_reading *reading, const char *value, void *field)
{
    reading->options->null = false;
    return set_name(reading, value, field);
}

static int set_max_args(struct map_reading *reading, const char *value, void *field)
{
    reading->options->has_max_args = true;
    return set_count(reading, value, field);
}

int map_option_set_jobs(struct map_reading *reading, const char *value)
{
    static const char wants[] = "a number, N%, +N, -N or 0 (as many as there are inputs)";
    struct map_options *options = reading->options;
    enum map_jobs_kind kind = MAP_JOBS_COUNT;
    const char *digits = value;
    uint64_t number = 0;
    int rc;

    if (*value == '+' || *value == '-') {
        kind = *value == '+' ? MAP_JOBS_PLUS : MAP_JOBS_MINUS;
        digits++;
    }
    rc = cmd_parse_u64(digits, &number);
    if (rc < 0 && kind == MAP_JOBS_COUNT && strchr(value, '%') != NULL) {
        kind = MAP_JOBS_PERCENT;
        rc = cmd_parse_percent(value, &number);
    }
    if (rc < 0 && rc != -ERANGE)
        return refuse(reading, wants, value);
    if (rc < 0 || number > JOBS_MAX)
        return cmd_usage_error(&cmd_page_map, "%s %s is more than any system runs: the limit is %d",
                               reading->name, value, JOBS_MAX);
    if (kind == MAP_JOBS_PERCENT && number == 0)
        return cmd_usage_error(
            &cmd_page_map,
            "%s 0%% would run nothing: give at least 1%%, or 0 for as many as there are inputs",
            reading->name);
    options->jobs_kind = kind;
    options->jobs = number;
    return 0;
}

static int set_jobs(struct map_reading *reading, const char *value, void *field)
{
    (void)field;
    reading->has_jobs = true;
    return map_option_set_jobs(reading, value);
}

/* GNU parallel takes such a name as the name of a file, and makes no tree. */
static int set_results(struct map_reading *reading, const char *value, void *field)
{
    size_t n = strlen(value);

    if (n > 4 && (strcmp(value + n - 4, ".csv") == 0 || strcmp(value + n - 4, ".tsv") == 0))
        return cmd_usage_error(
            &cmd_page_map,
            "%s makes folders, not tables: for a folder of this name write '%s/'; --json and "
            "--log-json write tables",
            reading->name, value);
    return set_name(reading, value, field);
}

static int set_backoff(struct map_reading *reading, const char *value, void *field)
{
    static const char wants[] = "two times such as 1s..60s, the first not above the last";
    const char *dots = strstr(value, "..");
    char first[32];
    int64_t from = 0, to = 0;
    size_t n = dots == NULL ? strlen(value) : (size_t)(dots - value);

    (void)field;
    if (n >= sizeof first)
        return refuse(reading, wants, value);
    memcpy(first, value, n);
    first[n] = '\0';
    if (cmd_parse_duration(first, &from) < 0)
        return refuse(reading, wants, value);
    if (dots == NULL)
        to = from;
    else if (cmd_parse_duration(dots + 2, &to) < 0 || to < from)
        return refuse(reading, wants, value);
    reading->options->backoff_first_ns = from;
    reading->options->backoff_last_ns = to;
    return 0;
}

static int set_codes(struct map_reading *reading, const char *value, void *field)
{
    if (!map_codes_is_list(value))
        return refuse(reading, "exit statuses from 1 to 255 such as 75,100-110", value);
    return set_text(reading, value, field);
}

static int set_timeout(struct map_reading *reading, const char *value, void *field)
{
    static const char wants[] =
        "a time such as 30s, 1.5m or 2h, or a percentage of the median such as 300%";
    struct map_options *options = reading->options;
    bool is_percent = strchr(value, '%') != NULL;
    uint64_t percent = 0;
    int64_t ns = 0;
    int rc = is_percent ? cmd_parse_percent(value, &percent) : cmd_parse_duration(value, &ns);

    (void)field;
    if (rc < 0 || (is_percent && percent == 0))
        return refuse_number(reading, rc, wants, value);
    options->timeout_ns = ns;
    options->timeout_percent = percent;
    return 0;
}

static int set_kill_after(struct map_reading *reading, const char *value, void *field)
{
    reading->options->has_kill_after = true;
    return set_duration(reading, value, field);
}

/* N or N%, at least 1 and at most 100%. */
static bool read_halt_number(struct map_options *halt, const char *number)
{
    halt->halt_is_percent = strchr(number, '%') != NULL;
    if (halt->halt_is_percent)
        return cmd_parse_percent(number, &halt->halt_number) == 0 && halt->halt_number >= 1 &&
               halt->halt_number <= 100;
    return cmd_parse_u64(number, &halt->halt_number) == 0 && halt->halt_number >= 1;
}

static bool read_halt(struct map_options *halt, const char *value)
{
    static const char *const whats[] = {
        [MAP_HALT_FAIL] = "fail=", [MAP_HALT_SUCCESS] = "success=", [MAP_HALT_DONE] = "done="
    };
    const char *rest;

    if (strncmp(value, "now,", 4) != 0 && strncmp(value, "soon,", 5) != 0)
        return false;
    halt->halt_when = *value == 'n' ? MAP_HALT_NOW : MAP_HALT_SOON;
    rest = strchr(value, ',') + 1;
    for (size_t i = 0; i < sizeof whats / sizeof *whats; i++) {
        size_t n = strlen(whats[i]);

        if (strncmp(rest, whats[i], n) == 0) {
            halt->halt_what = (enum map_halt_what)i;
            return read_halt_number(halt, rest + n);
        }
    }
    return false;
}

static int set_halt(struct map_reading *reading, const char *value, void *field)
{
    static const struct {
        const char *is, *means;
    } short_forms[] = { { "1", "soon,fail=1" },
                        { "2", "now,fail=1" },
                        { "-1", "soon,success=1" },
                        { "-2", "now,success=1" } };
    struct map_options read = { 0 }, *options = reading->options;
    const char *spec = value;

    (void)field;
    for (size_t i = 0; i < sizeof short_forms / sizeof *short_forms; i++)
        if (strcmp(value, short_forms[i].is) == 0)
            spec = short_forms[i].means;
    if (strcmp(value, "never") != 0 && strcmp(value, "0") != 0 && !read_halt(&read, spec)) {
        read = (struct map_options){ .halt_when = MAP_HALT_SOON, .halt_what = MAP_HALT_FAIL };
        if (strchr(value, '%') == NULL || !read_halt_number(&read, value))
            return refuse(
                reading,
                "never, or now or soon with fail, success or done and N or N%, such as now,fail=1",
                value);
    }
    options->halt_when = read.halt_when;
    options->halt_what = read.halt_what;
    options->halt_number = read.halt_number;
    options->halt_is_percent = read.halt_is_percent;
    return 0;
}

/* Digits with at most one point between them; n bytes. */
static bool read_decimal(const char *text, size_t n, double *ret)
{
    char digits[32];

    if (n == 0 || n >= sizeof digits || strspn(text, "0123456789.") < n || text[0] == '.' ||
        text[n - 1] == '.')
        return false;
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (strchr(digits, '.') != strrchr(digits, '.'))
        return false;
    *ret = strtod(digits, NULL);
    return true;
}

static int set_rate(struct map_reading *reading, const char *value, void *field)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };

    size_t n = strcspn(value, "/");
    double number = 0;

    if (value[n] == '/' && value[n + 1] != '\0' && value[n + 2] == '\0' &&
        read_decimal(value, n, &number) && number > 0)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (units[i].unit == value[n + 1]) {
                *(double *)field = number / units[i].seconds;
                return 0;
            }
    return refuse(reading, "a number of jobs a second, minute or hour such as 50/s, 10/m or 0.5/h",
                  value);
}

/* The load average is the whole machine's: so a percentage is of all CPUs that run, not only of
 * those we may use. */
static int set_load(struct map_reading *reading, const char *value, void *field)
{
    static const double least = 0.01; /* as GNU parallel: 0 would wait for ever */
    size_t n = strlen(value);
    bool is_percent = n > 0 && value[n - 1] == '%';
    double load = 0;

    if (!read_decimal(value, is_percent ? n - 1 : n, &load))
        return refuse(reading,
                      "a load average such as 3.5, or a percentage of the CPUs such as 80%", value);
    if (is_percent)
        load *= (double)sysconf(_SC_NPROCESSORS_ONLN) / 100;
    *(double *)field = load < least ? least : load;
    return 0;
}

static int set_memfree(struct map_reading *reading, const char *value, void *field)
{
    uint64_t bytes = 0;
    int rc = cmd_parse_size(value, &bytes);

    if (rc < 0 || bytes == 0)
        return refuse_number(reading, rc, "a size such as 512M or 2G", value);
    *(uint64_t *)field = bytes;
    return 0;
}

static int set_nice(struct map_reading *reading, const char *value, void *field)
{
    bool is_negative = *value == '-';
    uint64_t number = 0;
    int rc = cmd_parse_u64(value + is_negative, &number);

    if (rc < 0 || number > (is_negative ? (uint64_t)-NICE_MIN : (uint64_t)NICE_MAX))
        return refuse(reading, "a number from -20 (first) to 19 (last)", value);
    *(int *)field = is_negative ? -(int)number : (int)number;
    reading->options->has_nice = true;
    return 0;
}

/* Of the three the last one counts. */
static int set_resume(struct map_reading *reading, const char *value, void *field)
{
    (void)reading;
    (void)value;
    *(enum map_resume *)field = MAP_RESUME;
    return 0;
}

static int set_resume_failed(struct map_reading *reading, const char *value, void *field)
{
    (void)reading;
    (void)value;
    *(enum map_resume *)field = MAP_RESUME_FAILED;
    return 0;
}

static int set_retry_failed(struct map_reading *reading, const char *value, void *field)
{
    (void)reading;
    (void)value;
    *(enum map_resume *)field = MAP_RETRY_FAILED;
    return 0;
}

static int set_exit(struct map_reading *reading, const char *value, void *field)
{
    if (strcmp(value, "count") != 0)
        return refuse(reading, "'count'", value);
    return set_true(reading, value, field);
}

#define FIELD(name) offsetof(struct map_options, name)

static const struct {
    set_fn set;
    size_t offset;
} setters[MAP_OPTION_END] = {
    [MAP_OPTION_EXEC] = { set_how_exec, FIELD(how) },
    [MAP_OPTION_SHELL] = { set_how_shell, FIELD(shell) },
    [MAP_OPTION_QUOTE] = { set_true, FIELD(quote) },
    [MAP_OPTION_REPLACE] = { set_name, FIELD(replace) },
    [MAP_OPTION_SO] = { set_name, FIELD(so) },
    [MAP_OPTION_AS] = { set_as, FIELD(as) },
    [MAP_OPTION_ARGV] = { set_true, FIELD(argv) },
    [MAP_OPTION_ARG_FILE] = { set_arg_file, FIELD(sources) },
    [MAP_OPTION_NULL] = { set_null, FIELD(null) },
    [MAP_OPTION_DELIMITER] = { set_delimiter, FIELD(delimiter) },
    [MAP_OPTION_COLSEP] = { set_name, FIELD(colsep) },
    [MAP_OPTION_HEADER] = { set_name, FIELD(header) },
    [MAP_OPTION_MAX_ARGS] = { set_max_args, FIELD(max_args) },
    [MAP_OPTION_FILL_LINE] = { set_true, FIELD(fill_line) },
    [MAP_OPTION_MAX_CHARS] = { set_positive, FIELD(max_chars) },
    [MAP_OPTION_NO_RUN_IF_EMPTY] = { set_true, FIELD(no_run_if_empty) },
    [MAP_OPTION_JOBS] = { set_jobs, FIELD(jobs) },
    [MAP_OPTION_KEEP_ORDER] = { set_true, FIELD(keep_order) },
    [MAP_OPTION_GROUP] = { set_group, FIELD(output) },
    [MAP_OPTION_LINE_BUFFER] = { set_lines, FIELD(output) },
    [MAP_OPTION_UNGROUP] = { set_raw, FIELD(output) },
    [MAP_OPTION_TAG] = { set_true, FIELD(tag) },
    [MAP_OPTION_TAGSTRING] = { set_text, FIELD(tagstring) },
    [MAP_OPTION_RESULTS] = { set_results, FIELD(results) },
    [MAP_OPTION_TRACE] = { set_true, FIELD(trace) },
    [MAP_OPTION_DRY_RUN] = { set_true, FIELD(dry_run) },
    [MAP_OPTION_JSON] = { set_true, FIELD(json) },
    [MAP_OPTION_COLOR] = { set_when, FIELD(color) },
    [MAP_OPTION_BAR] = { set_when, FIELD(bar) },
    [MAP_OPTION_ETA] = { set_true, FIELD(eta) },
    [MAP_OPTION_PROGRESS] = { set_true, FIELD(progress) },
    [MAP_OPTION_SUMMARY] = { set_true, FIELD(summary) },
    [MAP_OPTION_QUIET] = { set_true, FIELD(quiet) },
    [MAP_OPTION_RETRIES] = { set_count, FIELD(retries) },
    [MAP_OPTION_RETRY_BACKOFF] = { set_backoff, FIELD(backoff_first_ns) },
    [MAP_OPTION_RETRY_ON] = { set_codes, FIELD(retry_on) },
    [MAP_OPTION_TIMEOUT] = { set_timeout, FIELD(timeout_ns) },
    [MAP_OPTION_KILL_AFTER] = { set_kill_after, FIELD(kill_after_ns) },
    [MAP_OPTION_HALT] = { set_halt, FIELD(halt_when) },
    [MAP_OPTION_DELAY] = { set_duration, FIELD(delay_ns) },
    [MAP_OPTION_RATE] = { set_rate, FIELD(rate_per_s) },
    [MAP_OPTION_LOAD] = { set_load, FIELD(load) },
    [MAP_OPTION_MEMFREE] = { set_memfree, FIELD(memfree) },
    [MAP_OPTION_NICE] = { set_nice, FIELD(nice) },
    [MAP_OPTION_WD] = { set_name, FIELD(wd) },
    [MAP_OPTION_JOBLOG] = { set_name, FIELD(joblog) },
    [MAP_OPTION_LOG_JSON] = { set_name, FIELD(log_json) },
    [MAP_OPTION_RESUME] = { set_resume, FIELD(resume) },
    [MAP_OPTION_RESUME_FAILED] = { set_resume_failed, FIELD(resume) },
    [MAP_OPTION_RETRY_FAILED] = { set_retry_failed, FIELD(resume) },
    [MAP_OPTION_EXIT] = { set_exit, FIELD(exit_count) },
};

int map_option_set(struct map_reading *reading, int id, const char *value)
{
    return setters[id].set(reading, value, (char *)reading->options + setters[id].offset);
}
