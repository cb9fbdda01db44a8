/* plait map: run a command for each input, several at once.
 * SPDX-License-Identifier: MIT
 *
 *     options_map.c   what the command line says          input*.c     what the jobs are about
 *     command.c       how it is executed                  template*.c  the command of one job
 *     engine.c        the loop                            start.c, finish.c, print.c, stop.c
 *     so*.c           a function instead of a command     spool.c, writer.c  the output on its way
 *     joblog.c        the record, --resume
 *     report.c        what a person sees
 */
#include "cmd/exit.h"
#include "cmd/map/command.h"
#include "cmd/map/engine.h"
#include "cmd/map/printable.h"
#include "cmd/page.h"
#include "os/clock.h"
#include "task/keeper.h"

#include <plait/cpu.h>
#include <plait/error.h>
#include <plait/init.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FDS_OF_OURS = 20, /* standard ones, keeper, signals, logs, spool, the pipes of who comes next */
    FDS_AT_LEAST = 2, /* of one job: the read ends of its pipes */
    FDS_AT_BEST = 4,  /* both ends */
    LEFTOVERS_AT_MOST = 64,
};

/* Names of files and words of commands are in it. */
static void say(const char *text)
{
    struct plait__buf shown = { 0 };

    if (map_printable_add(&shown, text, strlen(text),
                          &(struct map_printable){ .utf8 = map_locale_is_utf8() }) == 0 &&
        shown.data != NULL)
        fprintf(stderr, "plait map: %s\n", shown.data);
    else
        fputs("plait map: out of memory\n", stderr);
    plait__buf_fini(&shown);
}

/* Says what is in the buffer; returns the exit code. */
static int fail(int exit_code, const struct plait__buf *error)
{
    say(error->data != NULL ? error->data : "out of memory");
    return exit_code;
}

/* How many jobs at once: what was asked, within what `fds` descriptors allow. */
static unsigned count_jobs(const struct map_options *options, int64_t fds)
{
    int64_t cpus = plait_cpu_count(), n = cpus, room = INT32_MAX;
    bool has_pipes = options->output != MAP_OUTPUT_RAW && options->so == NULL;
    int64_t asked = options->jobs > INT32_MAX ? INT32_MAX : (int64_t)options->jobs;
    char text[160];

    switch (options->jobs_kind) {
    case MAP_JOBS_CPUS:
        break;
    case MAP_JOBS_COUNT:
        n = asked == 0 ? INT32_MAX : asked;
        break;
    case MAP_JOBS_PERCENT:
        n = cpus * asked / 100;
        break;
    case MAP_JOBS_PLUS:
        n = cpus + asked;
        break;
    case MAP_JOBS_MINUS:
        n = cpus - asked;
        break;
    }
    n = n < 1 ? 1 : n;
    if (has_pipes)
        room = fds / FDS_AT_LEAST < 1 ? 1 : fds / FDS_AT_LEAST;
    if (n > room && !(options->jobs_kind == MAP_JOBS_COUNT && asked == 0)) {
        snprintf(text, sizeof text,
                 "%lld jobs at once, not %lld: the limit on open files (ulimit -n) allows no more",
                 (long long)room, (long long)n);
        say(text);
    }
    return (unsigned)(n < room ? n : room);
}

/* --wd: better said once before than by each job. */
static int check_directory(const char *dir)
{
    struct stat status;
    char text[512];

    errno = 0;
    if (dir == NULL ||
        (stat(dir, &status) == 0 && S_ISDIR(status.st_mode) && access(dir, X_OK) == 0))
        return 0;
    snprintf(text, sizeof text, "cannot work in '%s': %s", dir,
             plait_strerror(errno != 0 ? errno : ENOTDIR));
    say(text);
    return CMD_EXIT_USAGE;
}

/* A sign of the shell's among the words of a command that no shell reads. */
static void warn_of_sign(const struct map_options *options, const char *sign)
{
    struct plait__buf text = { 0 };

    if (plait__buf_printf(&text,
                          "'%s' is handed to the command as it is; for the shell's meaning write "
                          "one word: plait map ",
                          sign) == 0 &&
        map_command_add_as_snippet(&text, options) == 0 &&
        plait__buf_add_str(&text, " (-q: it is meant so)") == 0)
        say(text.data);
    plait__buf_fini(&text);
}

static int open_template(struct map_engine *engine, struct plait__buf *error)
{
    const struct map_options *options = engine->options;
    struct map_template_spec spec = { .words = options->command,
                                      .n_words = options->n_command,
                                      .shell = map_command_is_snippet(options),
                                      .shell_path = engine->shell,
                                      .replace = options->replace,
                                      .columns = map_input_columns(engine->input),
                                      .no_values = options->has_max_args && options->max_args == 0,
                                      .fill_line = options->fill_line };
    const char *word =
        spec.shell || options->quote || options->how == MAP_HOW_EXEC || options->so != NULL
            ? NULL
            : map_template_suspicious(options->command, options->n_command);
    const char *program;
    int rc;

    spec.names = map_input_names(engine->input, &spec.n_names);
    rc = map_template_create(&engine->template, &spec, error);
    if (rc < 0)
        return fail(rc == -EINVAL ? CMD_EXIT_USAGE : CMD_EXIT_ERROR, error);
    if (word != NULL)
        warn_of_sign(options, word);
    program = map_template_program(engine->template);
    if (options->so != NULL)
        rc = map_so_open(engine, error);
    else
        rc = program != NULL && options->wd == NULL ? map_command_look_up(program, error) : 0;
    if (rc != 0)
        return fail(rc, error);
    map_input_set_template(engine->input, engine->template, engine->full_limit);
    return 0;
}

static int open_input(struct map_engine *engine, struct plait__buf *error)
{
    int rc = map_input_open(&engine->input, engine->options, error);

    if (rc < 0)
        return fail(rc == -EINVAL ? CMD_EXIT_USAGE : CMD_EXIT_ERROR, error);
    if (map_input_reads_terminal(engine->input))
        say("reading the inputs from the terminal, one a line; Ctrl-D ends them");
    return open_template(engine, error);
}

static int open_logs(struct map_engine *engine, struct plait__buf *error)
{
    const struct map_options *options = engine->options;

    if ((options->json || options->log_json != NULL) && !map_json_available()) {
        say("this plait was built without JSON");
        return CMD_EXIT_USAGE;
    }
    if (options->joblog != NULL &&
        map_joblog_open(&engine->joblog, options->joblog, options->resume, error) < 0)
        return fail(CMD_EXIT_ERROR, error);
    if (options->log_json == NULL)
        return 0;
    engine->log_json = open(options->log_json, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (engine->log_json >= 0)
        return 0;
    plait__buf_printf(error, "cannot open '%s': %s", options->log_json, plait_strerror(errno));
    return fail(CMD_EXIT_ERROR, error);
}

/* Everything that can be wrong before the first job, in the order in which a person wants to hear
 * of it. */
static int open_all(struct map_engine *engine, struct plait__buf *error)
{
    const struct map_options *options = engine->options;
    int rc = check_directory(options->wd);

    if (rc == 0)
        rc = open_logs(engine, error);
    if (rc == 0 && options->resume != MAP_RETRY_FAILED)
        rc = open_input(engine, error);
    if (rc != 0)
        return rc;
    engine->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    rc = engine->null < 0
             ? -errno
             : map_report_create(&engine->report, options, STDERR_FILENO, plait__os_now_ns());
    if (rc == 0 && !options->dry_run && options->as == MAP_AS_PROCESS)
        rc = plait_keeper_start();
    if (rc == 0)
        return 0;
    if (rc == PLAIT_ETHREADS && options->so != NULL)
        plait__buf_printf(
            error,
            "'%s' starts threads when it is loaded, and no process can be forked then: "
            "--as thread",
            options->so);
    else
        plait__buf_printf(error, "cannot start: %s", plait_strerror(rc));
    return fail(CMD_EXIT_ERROR, error);
}

static int run(const struct map_options *options)
{
    struct map_engine engine = { .options = options, .log_json = -1, .null = -1 };
    struct plait__buf error = { 0 };
    int64_t fds = plait__os_fd_limit();
    int exit_code;

    engine.max_leftovers = fds / 8 < LEFTOVERS_AT_MOST ? (size_t)(fds / 8) : LEFTOVERS_AT_MOST;
    fds -= FDS_OF_OURS + (int64_t)engine.max_leftovers + (int64_t)options->n_sources;
    engine.full_limit = count_jobs(options, fds);
    engine.keeps_far_ends = fds / FDS_AT_BEST >= engine.full_limit;
    engine.shell = map_command_shell(options);
    exit_code = open_all(&engine, &error);
    if (exit_code == 0)
        exit_code = map_engine_run(&engine);
    if (engine.is_stuck) {
        fflush(stdout); /* what functions printed; exit would have their memory freed under them */
        _exit(exit_code);
    }
    if (engine.phase != MAP_STOPPING ||
        engine.all_ended) /* what jobs left in the background may live on */
        plait__keeper_bye();
    map_report_destroy(engine.report);
    map_joblog_close(engine.joblog);
    map_template_destroy(engine.template);
    map_input_close(engine.input);
    if (engine.log_json >= 0)
        close(engine.log_json);
    if (engine.null >= 0)
        close(engine.null);
    plait__buf_fini(&error);
    return exit_code;
}

int cmd_map(int argc, char **argv)
{
    struct map_options options = { 0 };
    int exit_code = map_options_parse(&options, argc, argv);

    if (exit_code < 0)
        exit_code = run(&options);
    map_options_fini(&options);
    return exit_code;
}
