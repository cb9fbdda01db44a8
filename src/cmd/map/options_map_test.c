/* SPDX-License-Identifier: MIT */
#include "cmd/map/options.h"

#include "cmd/map/options_private.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define S  INT64_C(1000000000)
#define MS INT64_C(1000000)

static struct map_options got;
static char said[512];

/* Parses a line of words that have blanks between; "_" is a blank inside a word. Standard error is
 * caught in `said`. */
static int parse(const char *line)
{
    static char words[1024];
    static char *argv[64];
    int argc = 0, before = dup(STDERR_FILENO), rc;
    FILE *caught = tmpfile();
    size_t n;

    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        for (char *c = word; *c != '\0'; c++)
            if (*c == '_')
                *c = ' ';
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    map_options_fini(&got);
    dup2(fileno(caught), STDERR_FILENO);
    rc = map_options_parse(&got, argc, argv);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(caught);
    n = fread(said, 1, sizeof said - 1, caught);
    said[n] = '\0';
    fclose(caught);
    return rc;
}

static bool accepts(const char *line)
{
    if (parse(line) != -1)
        test_fail(__FILE__, __LINE__, "refused: %s: %s", line, said);
    return true;
}

/* Exit code 2, and a message that holds these words. */
static bool refuses(const char *line, const char *words)
{
    int rc = parse(line);

    if (rc != 2 || strstr(said, words) == NULL || strstr(said, "\nTry 'plait map -h'.\n") == NULL)
        test_fail(__FILE__, __LINE__, "%s: exit code %d, %s", line, rc, said);
    return true;
}

TEST(nothing_given_is_all_zero)
{
    struct map_options zero = { 0 };

    unsetenv("PLAIT_JOBS");
    CHECK(accepts(""));
    CHECK(memcmp(&got, &zero, sizeof got) == 0);
}

TEST(command_ends_the_options)
{
    CHECK(accepts("-k echo -k --nonsense ::: a"));
    CHECK_INT(got.n_command, 3);
    CHECK_STR(got.command[0], "echo");
    CHECK_STR(got.command[2], "--nonsense");
    CHECK(got.keep_order);
}

TEST(two_dashes_protect_the_command)
{
    CHECK(accepts("-- -k ::: a"));
    CHECK_INT(got.n_command, 1);
    CHECK_STR(got.command[0], "-k");
    CHECK(!got.keep_order);
}

TEST(sources_are_kept_in_their_order)
{
    CHECK(accepts("-a f cmd ::: a b :::+ c d :::: g h ::::+ i"));
    CHECK_INT(got.n_command, 1);
    CHECK_INT(got.n_sources, 6);
    CHECK_STR(got.sources[0].path, "f");
    CHECK(got.sources[0].args == NULL);
    CHECK_INT(got.sources[1].n_args, 2);
    CHECK_STR(got.sources[1].args[1], "b");
    CHECK(!got.sources[1].linked);
    CHECK_STR(got.sources[2].args[0], "c");
    CHECK(got.sources[2].linked);
    CHECK_STR(got.sources[3].path, "g");
    CHECK_STR(got.sources[4].path, "h");
    CHECK(!got.sources[4].linked);
    CHECK_STR(got.sources[5].path, "i");
    CHECK(got.sources[5].linked);
}

TEST(without_a_command_the_inputs_are_snippets)
{
    CHECK(accepts("-j2 ::: echo_a echo_b"));
    CHECK_INT(got.n_command, 0);
    CHECK(got.command == NULL);
    CHECK_INT(got.n_sources, 1);
    CHECK_STR(got.sources[0].args[0], "echo a");
}

TEST(a_source_without_values_is_a_source)
{
    CHECK(accepts("echo :::"));
    CHECK_INT(got.n_sources, 1);
    CHECK_INT(got.sources[0].n_args, 0);
    CHECK(got.sources[0].args != NULL);
}

TEST(words_like_separators_are_words)
{
    CHECK(accepts("echo :: ::::: :::x ::: a"));
    CHECK_INT(got.n_command, 4);
}

TEST(a_linked_source_needs_one_before_it)
{
    CHECK(refuses("echo :::+ a", ":::+ goes in step with the source before it, and there is none"));
    CHECK(refuses("echo ::::+ a", "::::+ goes in step"));
    CHECK(accepts("-a f echo :::+ a"));
}

TEST(files_must_be_named)
{
    CHECK(refuses("echo ::::", ":::: wants the name of a file"));
    CHECK(refuses("echo :::: ::: a", ":::: wants the name of a file"));
    CHECK(refuses("--arg-file= echo", "must not be empty"));
}

TEST(jobs_take_every_form)
{
    static const struct {
        const char *line;
        enum map_jobs_kind kind;
        uint64_t jobs;
    } cases[] = {
        { "-j4 x", MAP_JOBS_COUNT, 4 },         { "-P 4 x", MAP_JOBS_COUNT, 4 },
        { "--jobs=0 x", MAP_JOBS_COUNT, 0 },    { "-j50% x", MAP_JOBS_PERCENT, 50 },
        { "-j 250% x", MAP_JOBS_PERCENT, 250 }, { "-j +2 x", MAP_JOBS_PLUS, 2 },
        { "-j -1 x", MAP_JOBS_MINUS, 1 },       { "--max-procs 7 x", MAP_JOBS_COUNT, 7 },
        { "-kj3 x", MAP_JOBS_COUNT, 3 },        { "-j3 -j5 x", MAP_JOBS_COUNT, 5 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(accepts(cases[i].line));
        CHECK_INT(got.jobs_kind, cases[i].kind);
        CHECK_INT(got.jobs, cases[i].jobs);
    }
}

TEST(nonsense_for_jobs_is_refused)
{
    CHECK(refuses("-j x echo",
                  "--jobs wants a number, N%, +N, -N or 0 (as many as there are inputs), not 'x'"));
    CHECK(refuses("-j0% echo", "--jobs 0% would run nothing"));
    CHECK(refuses("-j= echo", "not '='"));
    CHECK(refuses("--jobs= echo", "not ''"));
    CHECK(refuses("-j +50% echo", "--jobs wants"));
    CHECK(refuses("-j 1.5 echo", "--jobs wants"));
    CHECK(refuses("-j --1 echo", "--jobs wants"));
    CHECK(refuses("-j 99999999999999999999 echo", "more than any system runs"));
    CHECK(refuses("-j 99999999999999999999% echo", "more than any system runs"));
    CHECK(refuses("-j", "-j needs a value: -j N"));
}

TEST(environment_gives_the_default_of_jobs)
{
    setenv("PLAIT_JOBS", "75%", 1);
    CHECK(accepts("echo"));
    CHECK_INT(got.jobs_kind, MAP_JOBS_PERCENT);
    CHECK_INT(got.jobs, 75);
    CHECK(accepts("-j2 echo"));
    CHECK_INT(got.jobs_kind, MAP_JOBS_COUNT);
    setenv("PLAIT_JOBS", "many", 1);
    CHECK(refuses("echo", "PLAIT_JOBS wants a number"));
    CHECK(accepts("-j2 echo"));
    setenv("PLAIT_JOBS", "", 1);
    CHECK(accepts("echo"));
}

TEST(times_have_units)
{
    CHECK(accepts("--timeout 1.5m --delay=100ms --kill-after 0 echo"));
    CHECK_INT(got.timeout_ns, 90 * S);
    CHECK_INT(got.delay_ns, 100 * MS);
    CHECK_INT(got.kill_after_ns, 0);
    CHECK(got.has_kill_after);
    CHECK(accepts("--timeout 300% echo"));
    CHECK_INT(got.timeout_percent, 300);
    CHECK_INT(got.timeout_ns, 0);
    CHECK(accepts("--timeout 300% --timeout 5 echo"));
    CHECK_INT(got.timeout_percent, 0);
    CHECK(refuses("--timeout soon echo",
                  "--timeout wants a time such as 30s, 1.5m or 2h, or a percentage"));
    CHECK(refuses("--timeout 0% echo", "--timeout wants"));
    CHECK(refuses("--delay -1 echo", "--delay wants a time such as 30s, 1.5m or 2h, not '-1'"));
    CHECK(refuses("--delay 99999999999999999999d echo",
                  "--delay 99999999999999999999d is too large"));
}

TEST(backoff_is_a_range_that_grows)
{
    CHECK(accepts("--retries 5 --retry-backoff 1s..60s echo"));
    CHECK_INT(got.backoff_first_ns, S);
    CHECK_INT(got.backoff_last_ns, 60 * S);
    CHECK(accepts("--retries 5 --retry-backoff 500ms echo"));
    CHECK_INT(got.backoff_first_ns, 500 * MS);
    CHECK_INT(got.backoff_last_ns, 500 * MS);
    CHECK(refuses("--retries 5 --retry-backoff 60s..1s echo", "the first not above the last"));
    CHECK(refuses("--retries 5 --retry-backoff ..1s echo", "--retry-backoff wants"));
    CHECK(refuses("--retries 5 --retry-backoff 1s.. echo", "--retry-backoff wants"));
    CHECK(refuses("--retries 5 --retry-backoff 1111111111111111111111111111111111..2 echo",
                  "--retry-backoff wants"));
}

TEST(what_only_retries_use_needs_retries)
{
    CHECK(refuses("--retry-backoff 1s..2s echo", "--retry-backoff needs --retries N"));
    CHECK(refuses("--retry-on 75 echo", "--retry-on needs --retries N"));
    CHECK(refuses("--retries 1 --retry-on 75 echo", "--retry-on needs --retries N"));
    CHECK(accepts("--retries 2 --retry-on 75,100-110 echo"));
    CHECK_STR(got.retry_on, "75,100-110");
    CHECK(refuses("--retries 2 --retry-on 0 echo", "--retry-on wants exit statuses from 1 to 255"));
    CHECK(refuses("--retries -1 echo", "--retries wants a whole number, not '-1'"));
}

TEST(halt_takes_every_form)
{
    static const struct {
        const char *line;
        enum map_halt_when when;
        enum map_halt_what what;
        uint64_t number;
        bool is_percent;
    } cases[] = {
        { "--halt now,fail=1 x", MAP_HALT_NOW, MAP_HALT_FAIL, 1, false },
        { "--halt=soon,success=3 x", MAP_HALT_SOON, MAP_HALT_SUCCESS, 3, false },
        { "--halt now,done=20% x", MAP_HALT_NOW, MAP_HALT_DONE, 20, true },
        { "--halt never x", MAP_HALT_NEVER, MAP_HALT_FAIL, 0, false },
        { "--halt 0 x", MAP_HALT_NEVER, MAP_HALT_FAIL, 0, false },
        { "--halt 1 x", MAP_HALT_SOON, MAP_HALT_FAIL, 1, false },
        { "--halt 2 x", MAP_HALT_NOW, MAP_HALT_FAIL, 1, false },
        { "--halt -1 x", MAP_HALT_SOON, MAP_HALT_SUCCESS, 1, false },
        { "--halt -2 x", MAP_HALT_NOW, MAP_HALT_SUCCESS, 1, false },
        { "--halt 5% x", MAP_HALT_SOON, MAP_HALT_FAIL, 5, true },
        { "--halt now,fail=1 --halt never x", MAP_HALT_NEVER, MAP_HALT_FAIL, 0, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(accepts(cases[i].line));
        CHECK_INT(got.halt_when, cases[i].when);
        CHECK_INT(got.halt_what, cases[i].what);
        CHECK_INT(got.halt_number, cases[i].number);
        CHECK_INT(got.halt_is_percent, cases[i].is_percent);
    }
}

TEST(nonsense_for_halt_is_refused)
{
    static const char *const wrong[] = { "now",
                                         "now,",
                                         "now,fail",
                                         "now,fail=",
                                         "now,fail=0",
                                         "now,fail=0%",
                                         "now,fail=101%",
                                         "later,fail=1",
                                         "now,lost=1",
                                         "now,fail=1x",
                                         "3",
                                         "0%",
                                         "101%",
                                         "%",
                                         "now,fail=-1",
                                         "" };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char line[64];

        snprintf(line, sizeof line, "--halt=%s echo", wrong[i]);
        CHECK(refuses(line, "--halt wants never, or now or soon with fail, success or done"));
    }
}

TEST(rate_is_jobs_in_a_time)
{
    CHECK(accepts("--rate 50/s echo"));
    CHECK(got.rate_per_s > 49.999 && got.rate_per_s < 50.001);
    CHECK(accepts("--rate 90/m echo"));
    CHECK(got.rate_per_s > 1.499 && got.rate_per_s < 1.501);
    CHECK(accepts("--rate 0.5/h echo"));
    CHECK(got.rate_per_s > 0.000138 && got.rate_per_s < 0.000139);
    CHECK(refuses("--rate 50 echo", "--rate wants a number of jobs a second, minute or hour"));
    CHECK(refuses("--rate 0/s echo", "--rate wants"));
    CHECK(refuses("--rate inf/s echo", "--rate wants"));
    CHECK(refuses("--rate 5/d echo", "--rate wants"));
    CHECK(refuses("--rate 5/ss echo", "--rate wants"));
    CHECK(refuses("--rate 1.2.3/s echo", "--rate wants"));
    CHECK(refuses("--rate /s echo", "--rate wants"));
    CHECK(refuses("--rate 5/ echo", "--rate wants"));
}

TEST(load_is_a_number_or_a_share_of_the_cpus)
{
    double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);

    CHECK(accepts("--load 3.5 echo"));
    CHECK(got.load > 3.499 && got.load < 3.501);
    CHECK(accepts("--load 50% echo"));
    CHECK(got.load > cpus / 2 - 0.001 && got.load < cpus / 2 + 0.001);
    CHECK(accepts("--load 0 echo"));
    CHECK(got.load > 0);
    CHECK(refuses("--load high echo", "--load wants a load average"));
    CHECK(refuses("--load % echo", "--load wants"));
    CHECK(refuses("--load= echo", "--load wants"));
}

TEST(sizes_and_numbers_are_strict)
{
    CHECK(accepts("--memfree 2G -n 3 -s 4096 echo"));
    CHECK_INT(got.memfree, UINT64_C(2) << 30);
    CHECK_INT(got.max_args, 3);
    CHECK(got.has_max_args);
    CHECK_INT(got.max_chars, 4096);
    CHECK(accepts("-N0 echo"));
    CHECK(got.has_max_args);
    CHECK_INT(got.max_args, 0);
    CHECK(refuses("--memfree much echo", "--memfree wants a size such as 512M or 2G, not 'much'"));
    CHECK(refuses("--memfree 0 echo", "--memfree wants"));
    CHECK(refuses("-n x echo", "--max-args wants a whole number, not 'x'"));
    CHECK(refuses("-s 0 echo", "--max-chars wants a whole number above 0"));
    CHECK(refuses("-s 99999999999999999999 echo", "--max-chars 99999999999999999999 is too large"));
}

TEST(nice_has_its_range)
{
    CHECK(accepts("--nice 19 echo"));
    CHECK_INT(got.nice, 19);
    CHECK(got.has_nice);
    CHECK(accepts("--nice -20 echo"));
    CHECK_INT(got.nice, -20);
    CHECK(
        refuses("--nice 20 echo", "--nice wants a number from -20 (first) to 19 (last), not '20'"));
    CHECK(refuses("--nice -21 echo", "--nice wants"));
    CHECK(refuses("--nice low echo", "--nice wants"));
    CHECK(refuses("--nice - echo", "--nice wants"));
}

TEST(the_last_of_the_output_modes_counts)
{
    CHECK(accepts("--line-buffer -u echo"));
    CHECK_INT(got.output, MAP_OUTPUT_RAW);
    CHECK(accepts("-u --lb echo"));
    CHECK_INT(got.output, MAP_OUTPUT_LINES);
    CHECK(accepts("-u --group echo"));
    CHECK_INT(got.output, MAP_OUTPUT_GROUP);
}

TEST(order_is_allowed_where_nobody_collects)
{
    CHECK(accepts("-ku echo"));
    CHECK(got.keep_order);
    CHECK_INT(got.output, MAP_OUTPUT_RAW);
}

TEST(json_holds_whole_jobs)
{
    CHECK(accepts("--json echo"));
    CHECK(refuses("--json -u echo",
                  "--json holds the output of whole jobs: it cannot go with --ungroup"));
    CHECK(refuses("--json --lb echo", "it cannot go with --line-buffer"));
}

TEST(resume_needs_the_log)
{
    CHECK(refuses("--resume echo", "--resume needs --joblog FILE"));
    CHECK(refuses("--resume-failed echo", "--resume-failed needs --joblog FILE"));
    CHECK(refuses("--retry-failed", "--retry-failed needs --joblog FILE"));
    CHECK(accepts("--joblog l --resume echo"));
    CHECK_INT(got.resume, MAP_RESUME);
    CHECK(accepts("--resume-failed --joblog l echo"));
    CHECK_INT(got.resume, MAP_RESUME_FAILED);
    CHECK_STR(got.joblog, "l");
}

TEST(retry_failed_takes_nothing_from_the_command_line)
{
    CHECK(accepts("--retry-failed --joblog l"));
    CHECK_INT(got.resume, MAP_RETRY_FAILED);
    CHECK(refuses("--retry-failed --joblog l echo", "leave command and inputs out"));
    CHECK(refuses("--retry-failed --joblog l ::: a", "leave command and inputs out"));
    CHECK(refuses("--retry-failed --joblog l -a f", "leave command and inputs out"));
}

TEST(shell_has_an_optional_path)
{
    CHECK(accepts("--shell echo ::: a"));
    CHECK_INT(got.how, MAP_HOW_SHELL);
    CHECK(got.shell == NULL);
    CHECK_STR(got.command[0], "echo");
    CHECK(accepts("--shell=/bin/dash echo"));
    CHECK_STR(got.shell, "/bin/dash");
    CHECK(accepts("--shell --exec echo"));
    CHECK_INT(got.how, MAP_HOW_EXEC);
    CHECK(refuses("--shell= echo", "the value of --shell must not be empty"));
}

TEST(whens_are_auto_always_never)
{
    CHECK(accepts("--bar --color never echo"));
    CHECK_INT(got.bar, MAP_ALWAYS);
    CHECK_INT(got.color, MAP_NEVER);
    CHECK(accepts("--bar=never --color=always echo"));
    CHECK_INT(got.bar, MAP_NEVER);
    CHECK_INT(got.color, MAP_ALWAYS);
    CHECK(accepts("--bar --bar=auto echo"));
    CHECK_INT(got.bar, MAP_AUTO);
    CHECK(refuses("--bar=yes echo", "--bar wants auto, always or never, not 'yes'"));
    CHECK(refuses("--color= echo", "--color wants auto, always or never"));
}

TEST(of_null_and_delimiter_the_last_counts)
{
    CHECK(accepts("-0 -d , echo"));
    CHECK(!got.null);
    CHECK_STR(got.delimiter, ",");
    CHECK(accepts("-d, -0 echo"));
    CHECK(got.null);
    CHECK(got.delimiter == NULL);
}

TEST(results_are_folders)
{
    CHECK(accepts("--results out/ echo"));
    CHECK_STR(got.results, "out/");
    CHECK(refuses("--results out.csv echo", "--results makes folders, not tables"));
    CHECK(accepts("--results out.csv/ echo"));
}

TEST(exit_takes_one_word)
{
    CHECK(accepts("--exit=count echo"));
    CHECK(got.exit_count);
    CHECK(refuses("--exit=1 echo", "--exit wants 'count', not '1'"));
}

TEST(every_flag_reaches_its_field)
{
    CHECK(accepts(
        "-q -X -r -t --tag --dry-run --eta --progress --summary --quiet -I ,, -C : --header : "
        "--tagstring t "
        "--wd / --log-json j echo"));
    CHECK(got.quote && got.fill_line && got.no_run_if_empty && got.trace && got.tag && got.dry_run);
    CHECK(got.eta && got.progress && got.summary && got.quiet);
    CHECK_STR(got.replace, ",,");
    CHECK_STR(got.colsep, ":");
    CHECK_STR(got.header, ":");
    CHECK_STR(got.tagstring, "t");
    CHECK_STR(got.wd, "/");
    CHECK_STR(got.log_json, "j");
}

TEST(options_of_later_and_of_others_are_unknown)
{
    CHECK(refuses("--pipe cat", "there is no option '--pipe' here"));
    CHECK(refuses("-S host echo", "ssh is a command as any other"));
    CHECK(refuses("--will-cite echo", "there is no notice to silence"));
    CHECK(refuses("--http echo", "unknown option '--http'"));
    CHECK(refuses("--limit-mem 2G echo", "unknown option '--limit-mem'"));
}

TEST(a_function_stands_where_the_program_does)
{
    CHECK_INT(parse("--so lib.so:f --as thread --argv -k x{} ::: a"), -1);
    CHECK_STR(got.so, "lib.so:f");
    CHECK_INT(got.as, MAP_AS_THREAD);
    CHECK(got.argv && got.keep_order);
    CHECK_INT(got.n_command, 2);
    CHECK_STR(got.command[0], "lib.so:f");
    CHECK_STR(got.command[1], "x{}");
    CHECK_INT(parse("--so=lib.so:f ::: a"), -1);
    CHECK_INT(got.as, MAP_AS_PROCESS);
    CHECK_INT(got.n_command, 1);
    CHECK_STR(got.command[0], "lib.so:f");
    CHECK_INT(got.n_sources, 1);
    CHECK_INT(parse("--so=lib.so:f --"), -1);
    CHECK_INT(got.n_command, 1);
    CHECK_INT(parse("--so=lib.so:f --argv -u x"), -1);
}

TEST(what_a_function_has_no_use_for_is_refused)
{
    CHECK(refuses("--as thread echo", "--as needs --so"));
    CHECK(refuses("--argv echo", "--argv needs --so"));
    CHECK(refuses("--so l:f --as fiber", "process, thread or coroutine"));
    CHECK(refuses("--so l:f --exec", "--exec is for commands"));
    CHECK(refuses("--so l:f --shell", "--shell is for commands"));
    CHECK(refuses("--so l:f -q", "--quote is for commands"));
    CHECK(refuses("--so l:f -u", "--ungroup needs --argv"));
    CHECK(refuses("--so l:f --lb", "--line-buffer is for commands"));
    CHECK(refuses("--so l:f -j 0", "-j 0 is for commands"));
    CHECK(refuses("--so l:f -j 1001", "at most 1000"));
    CHECK(refuses("--so l:f --timeout 200%", "not a percentage"));
    CHECK(refuses("--so l:f --retry-failed --joblog x", "--resume-failed"));
    CHECK(refuses("--so l:f --as thread --wd /", "--wd needs --as process"));
    CHECK(refuses("--so l:f --as coroutine --nice 1", "--nice needs --as process"));
    CHECK(refuses("--so l:f --as thread --kill-after 1", "--kill-after needs --as process"));
}

TEST(a_refused_line_leaves_the_output_alone)
{
    struct map_options kept = { .jobs = 42 };
    char bad[] = "--nonsense", *argv[] = { bad, NULL };

    CHECK_INT(map_options_parse(&kept, 1, argv), 2);
    CHECK_INT(kept.jobs, 42);
}

TEST(every_option_of_the_table_has_a_setter)
{
    size_t n = 0;

    for (const struct cmd_option *o = map_option_table; o->name != NULL || o->short_name != 0; o++)
        if (o->id > 0)
            n++;
    CHECK_INT(n, MAP_OPTION_END - 1);
}
