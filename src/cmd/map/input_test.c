/* Crossing, linking, batching, headers and totals.
 * SPDX-License-Identifier: MIT
 *
 * What is expected here is what GNU parallel does, except where a claim says otherwise.
 */
#include "cmd/map/input.h"

#include "cmd/map/input_delimiter.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct map_options options;
static struct map_source sources[4];
static struct map_template *template;
static struct map_input *input;
static struct plait__buf error;

/* Each source is words between blanks; a '+' before them links it to the one before. */
static void set_sources(const char *const *texts, size_t n)
{
    static char copies[4][64], *args[4][16];

    for (size_t i = 0; i < n; i++) {
        char *save = NULL;

        snprintf(copies[i], sizeof copies[i], "%s", texts[i]);
        sources[i] = (struct map_source){ .args = args[i], .linked = texts[i][0] == '+' };
        for (char *word = strtok_r(copies[i] + sources[i].linked, " ", &save); word != NULL;
             word = strtok_r(NULL, " ", &save))
            args[i][sources[i].n_args++] = word;
    }
    options.sources = sources;
    options.n_sources = n;
}

#define SET_SOURCES(...)                              \
    set_sources((const char *const[]){ __VA_ARGS__ }, \
                sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void open_input(void)
{
    CHECK_INT(map_input_open(&input, &options, &error), 0);
}

/* With the command "echo {}". */
static void use_echo(unsigned jobs)
{
    static char echo[] = "echo", place[] = "{}", *words[] = { echo, place };
    struct map_template_spec spec = { .words = words,
                                      .n_words = 2,
                                      .fill_line = options.fill_line };

    CHECK_INT(map_template_create(&template, &spec, &error), 0);
    map_input_set_template(input, template, jobs);
}

static void close_input(void)
{
    map_input_close(input);
    map_template_destroy(template);
    plait__buf_fini(&error);
}

/* The values of all jobs that are there now: "a,b / c,d". What the last call said goes to *ret_last. */
static const char *read_jobs(int *ret_last)
{
    static struct plait__buf text;
    struct map_values values = { 0 };
    bool is_first = true;

    plait__buf_fini(&text);
    while ((*ret_last = map_input_next(input, &values, &error)) == 1) {
        if (!is_first)
            plait__buf_add_str(&text, " / ");
        is_first = false;
        for (size_t i = 0; i < values.n; i++)
            plait__buf_printf(&text, "%s%s", i > 0 ? "," : "", values.v[i]);
        map_values_fini(&values);
    }
    return text.data == NULL ? "" : text.data;
}

static void check_jobs(const char *want)
{
    int last;

    CHECK_STR(read_jobs(&last), want);
    CHECK_INT(last, 0);
}

/* Standard input is a pipe with these bytes in it; its writing end stays open and is returned. */
static int feed_stdin(const char *bytes)
{
    int fds[2];

    CHECK_INT(pipe(fds), 0);
    CHECK_INT(write(fds[1], bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    CHECK_INT(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    close(fds[0]);
    return fds[1];
}

static void set_stdin(const char *bytes)
{
    close(feed_stdin(bytes));
}

TEST(sources_are_crossed_the_last_fastest)
{
    SET_SOURCES("a b", "1 2", "x y");
    open_input();
    CHECK_INT(map_input_total(input), 8);
    CHECK_INT(map_input_columns(input), 3);
    check_jobs("a,1,x / a,1,y / a,2,x / a,2,y / b,1,x / b,1,y / b,2,x / b,2,y");
    CHECK_INT(map_input_total(input), 8);
    close_input();
}

TEST(linked_sources_go_in_step_and_end_with_the_shortest)
{
    SET_SOURCES("a b c", "+1 2", "x y");
    open_input();
    CHECK_INT(map_input_total(input), 4);
    check_jobs("a,1,x / a,1,y / b,2,x / b,2,y");
    close_input();
}

TEST(a_linked_group_may_be_an_inner_one)
{
    SET_SOURCES("a b", "1 2 3", "+x y");
    open_input();
    check_jobs("a,1,x / a,2,y / b,1,x / b,2,y");
    close_input();
}

/* GNU parallel would insert '': "rm -r dir/{2}" without a {2}. */
TEST(an_empty_source_among_others_makes_no_job)
{
    SET_SOURCES("a b", "");
    open_input();
    CHECK_INT(map_input_total(input), 0);
    check_jobs("");
    close_input();
}

TEST(standard_input_is_the_source_when_there_is_none)
{
    set_stdin("a b\n\nc");
    open_input();
    check_jobs("a b /  / c");
    CHECK_INT(map_input_total(input), 3);
    CHECK(!map_input_reads_terminal(input));
    close_input();
}

TEST(no_input_is_no_job)
{
    set_stdin("");
    open_input();
    check_jobs("");
    CHECK_INT(map_input_total(input), 0);
    close_input();
}

TEST(standard_input_twice_is_refused)
{
    sources[0] = sources[1] = (struct map_source){ .path = "-" };
    options.sources = sources;
    options.n_sources = 2;
    CHECK_INT(map_input_open(&input, &options, &error), -EINVAL);
    CHECK_STR(error.data, "standard input can be only one of the sources");
    plait__buf_fini(&error);
}

TEST(an_unreadable_second_source_leaves_nothing_open)
{
    int free_fd = dup(0);

    close(free_fd);
    sources[0] = (struct map_source){ .path = "/dev/null" };
    sources[1] = (struct map_source){ .path = "/nowhere" };
    options.sources = sources;
    options.n_sources = 2;
    CHECK_INT(map_input_open(&input, &options, &error), -ENOENT);
    CHECK_INT(dup(0), free_fd);
    plait__buf_fini(&error);
}

TEST(a_slow_first_source_says_eagain_at_any_place)
{
    int last, writer = feed_stdin("a\nb");

    SET_SOURCES("", "1 2");
    sources[0].args = NULL;
    sources[0].path = "-";
    open_input();
    CHECK_STR(read_jobs(&last), "a,1 / a,2");
    CHECK_INT(last, -EAGAIN);
    CHECK_INT(map_input_fd(input), STDIN_FILENO);
    CHECK_INT(map_input_total(input), -1);
    CHECK_INT(write(writer, "c\nd\n", 4), 4);
    CHECK_STR(read_jobs(&last), "bc,1 / bc,2 / d,1 / d,2");
    CHECK_INT(last, -EAGAIN);
    close(writer);
    check_jobs("");
    CHECK_INT(map_input_total(input), 6);
    close_input();
}

TEST(a_slow_linked_source_loses_nothing)
{
    int last, writer = feed_stdin("1\n");

    SET_SOURCES("a b", "+");
    sources[1].args = NULL;
    sources[1].path = "-";
    open_input();
    CHECK_STR(read_jobs(&last), "a,1");
    CHECK_INT(last, -EAGAIN);
    CHECK_STR(read_jobs(&last), "");
    CHECK_INT(write(writer, "2\n", 2), 2);
    check_jobs("b,2");
    close(writer);
    close_input();
}

TEST(a_slow_inner_source_is_waited_for_without_blocking)
{
    int last, writer = feed_stdin("1\n");

    SET_SOURCES("a b", "");
    sources[1].args = NULL;
    sources[1].path = "-";
    open_input();
    CHECK_STR(read_jobs(&last), "");
    CHECK_INT(last, -EAGAIN);
    CHECK_INT(write(writer, "2\n", 2), 2);
    close(writer);
    check_jobs("a,1 / a,2 / b,1 / b,2");
    close_input();
}

TEST(reading_ahead_finds_the_total_of_a_pipe)
{
    int last, writer = feed_stdin("1\n");

    open_input();
    CHECK_STR(read_jobs(&last), "1");
    CHECK_INT(write(writer, "2\n3\n", 4), 4);
    close(writer);
    CHECK_INT(map_input_total(input), -1);
    map_input_read_ahead(input);
    CHECK_INT(map_input_total(input), 3);
    check_jobs("2 / 3");
    close_input();
}

TEST(columns_of_all_sources_are_put_in_a_row)
{
    options.colsep = "-";
    SET_SOURCES("a-b c-d-e", "x-y");
    open_input();
    CHECK_INT(map_input_columns(input), 0);
    check_jobs("a,b,x,y / c,d,e,x,y");
    close_input();
}

TEST(a_header_names_the_columns)
{
    size_t n;

    options.header = ":";
    options.colsep = ",";
    set_stdin("h1 ,h2\r\na,b\n");
    open_input();
    CHECK_STR(map_input_names(input, &n)[0], "h1 ");
    CHECK_STR(map_input_names(input, &n)[1], "h2");
    CHECK_INT(n, 2);
    CHECK_INT(map_input_total(input), 1);
    check_jobs("a,b");
    close_input();
}

TEST(each_source_has_its_own_header)
{
    size_t n;

    options.header = ":";
    SET_SOURCES("x 1 2", "y 3 4");
    open_input();
    CHECK_STR(map_input_names(input, &n)[0], "x");
    CHECK_STR(map_input_names(input, &n)[1], "y");
    CHECK_INT(map_input_total(input), 4);
    check_jobs("1,3 / 1,4 / 2,3 / 2,4");
    close_input();
}

TEST(an_empty_source_has_no_header)
{
    size_t n;

    options.header = ":";
    set_stdin("");
    open_input();
    map_input_names(input, &n);
    CHECK_INT(n, 0);
    check_jobs("");
    close_input();
}

TEST(n_batches_records)
{
    options.has_max_args = true;
    options.max_args = 2;
    SET_SOURCES("a b c d e");
    open_input();
    use_echo(1);
    CHECK_INT(map_input_columns(input), 2);
    CHECK_INT(map_input_total(input), 3);
    check_jobs("a,b / c,d / e");
    CHECK_INT(map_input_total(input), 3);
    close_input();
}

TEST(n_batches_crossed_tuples)
{
    options.has_max_args = true;
    options.max_args = 2;
    SET_SOURCES("a b", "1 2 3");
    open_input();
    use_echo(1);
    CHECK_INT(map_input_total(input), 3);
    check_jobs("a,1,a,2 / a,3,b,1 / b,2,b,3");
    close_input();
}

TEST(a_batch_waits_for_all_of_its_records)
{
    int last, writer = feed_stdin("a\nb\nc\n");

    options.has_max_args = true;
    options.max_args = 2;
    open_input();
    use_echo(1);
    CHECK_STR(read_jobs(&last), "a,b");
    CHECK_INT(last, -EAGAIN);
    CHECK_INT(write(writer, "d\ne\n", 4), 4);
    CHECK_STR(read_jobs(&last), "c,d");
    close(writer);
    check_jobs("e");
    close_input();
}

TEST(n0_reads_one_and_inserts_none)
{
    options.has_max_args = true;
    SET_SOURCES("a b c");
    open_input();
    CHECK_INT(map_input_total(input), 3);
    CHECK_INT(map_input_columns(input), 0);
    check_jobs(" /  / ");
    close_input();
}

TEST(x_spreads_the_last_values_over_the_jobs)
{
    options.fill_line = true;
    SET_SOURCES("1 2 3 4 5 6 7");
    open_input();
    use_echo(3);
    CHECK_INT(map_input_total(input), -1);
    check_jobs("1,2,3 / 4,5,6 / 7");
    CHECK_INT(map_input_total(input), 3);
    close_input();
}

TEST(x_with_n_takes_at_most_n)
{
    options.fill_line = options.has_max_args = true;
    options.max_args = 4;
    SET_SOURCES("1 2 3 4 5 6 7 8");
    open_input();
    use_echo(3);
    check_jobs("1,2,3,4 / 5,6 / 7,8");
    close_input();
}

TEST(x_waits_until_it_knows_what_is_the_last)
{
    int last, writer = feed_stdin("1\n2\n3\n4\n");

    options.fill_line = true;
    open_input();
    use_echo(2);
    CHECK_STR(read_jobs(&last), "");
    CHECK_INT(last, -EAGAIN);
    CHECK_STR(read_jobs(&last), "");
    close(writer);
    check_jobs("1,2 / 3,4");
    close_input();
}

TEST(s_bounds_the_line_with_its_nul)
{
    options.fill_line = true;
    options.max_chars = 9; /* echo a b */
    SET_SOURCES("a b c d ee");
    open_input();
    use_echo(1);
    check_jobs("a,b / c,d / ee");
    close_input();
}

TEST(s_bounds_n_as_well)
{
    options.has_max_args = true;
    options.max_args = 2;
    options.max_chars = 13;
    SET_SOURCES("a b c dd eeee fff ggg");
    open_input();
    use_echo(1);
    check_jobs("a,b / c,dd / eeee / fff,ggg");
    CHECK_INT(map_input_total(input), 4);
    close_input();
}

TEST(one_value_beyond_s_is_an_error)
{
    int last;

    options.max_chars = 8;
    SET_SOURCES("a bbbb");
    open_input();
    use_echo(1);
    CHECK_STR(read_jobs(&last), "a");
    CHECK_INT(last, -E2BIG);
    CHECK_STR(error.data, "the command line of job 2 would be longer than -s 8");
    close_input();
}

/* Every job gets as much as fits and nothing is lost, doubled or out of order, whatever the lengths are. */
TEST(x_fills_up_to_the_limit_of_the_system)
{
    enum {
        VALUES = 50000
    };

    FILE *file = tmpfile();
    struct map_values values = { 0 };
    /* musl tells 128 KiB for ARG_MAX whatever the kernel allows: half of it, less the environment */
    size_t least = sysconf(_SC_ARG_MAX) > 1 << 20 ? (128 << 10) - 40 : 16 << 10;
    long expected = 0;
    int jobs = 0;

    CHECK(file != NULL);
    for (int i = 0; i < VALUES; i++)
        fprintf(file, "%0*d\n", 6 + i % 7, i);
    rewind(file);
    CHECK_INT(dup2(fileno(file), STDIN_FILENO), STDIN_FILENO);
    options.fill_line = true;
    open_input();
    use_echo(1);
    while (map_input_next(input, &values, &error) == 1) {
        size_t longest, bytes = map_template_bytes(template, &values, &longest);

        CHECK(bytes <= 128 << 10);
        for (size_t i = 0; i < values.n; i++)
            CHECK_INT(strtol(values.v[i], NULL, 10), expected++);
        CHECK(expected == VALUES || bytes > least);
        map_values_fini(&values);
        jobs++;
    }
    CHECK_INT(expected, VALUES);
    CHECK_INT(map_input_total(input), jobs);
    close_input();
    fclose(file);
}

TEST(a_word_no_system_takes_is_left_to_its_job)
{
    char *args[] = { malloc(200000), (char[]){ "b" } };
    struct map_values values = { 0 };

    CHECK(args[0] != NULL);
    memset(args[0], 'x', 199999);
    args[0][199999] = '\0';
    sources[0] = (struct map_source){ .args = args, .n_args = 2 };
    options.sources = sources;
    options.n_sources = 1;
    options.fill_line = true;
    open_input();
    use_echo(1);
    CHECK_INT(map_input_next(input, &values, &error), 1);
    CHECK_INT(values.n, 1);
    map_values_fini(&values);
    check_jobs("b");
    close_input();
    free(args[0]);
}

TEST(a_nul_byte_ends_the_input_with_an_error)
{
    int fds[2], last;

    CHECK_INT(pipe(fds), 0);
    CHECK_INT(write(fds[1], "a\nb\0c\n", 6), 6);
    close(fds[1]);
    CHECK_INT(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    open_input();
    CHECK_STR(read_jobs(&last), "a");
    CHECK_INT(last, -EINVAL);
    CHECK_STR(error.data, "input line 2 contains a NUL byte: use -0");
    close_input();
}

static int parse_delimiter(const char *text)
{
    char c = 'X';
    int rc;

    plait__buf_clear(&error);
    rc = map_delimiter_parse(&c, text, &error);
    return rc < 0 ? rc : (unsigned char)c;
}

TEST(a_delimiter_is_a_character_or_an_escape)
{
    CHECK_INT(parse_delimiter(","), ',');
    CHECK_INT(parse_delimiter("\\"), '\\');
    CHECK_INT(parse_delimiter("\\\\"), '\\');
    CHECK_INT(parse_delimiter("\\n"), '\n');
    CHECK_INT(parse_delimiter("\\t"), '\t');
    CHECK_INT(parse_delimiter("\\0"), 0);
    CHECK_INT(parse_delimiter("\\054"), ',');
    CHECK_INT(parse_delimiter("\\x2C"), ',');
    CHECK_INT(parse_delimiter("\\xff"), 255);
    plait__buf_fini(&error);
}

TEST(a_bad_delimiter_is_a_sentence)
{
    CHECK_INT(parse_delimiter(""), -EINVAL);
    CHECK_STR(error.data, "-d '': for records that end in a NUL byte use -0");
    CHECK_INT(parse_delimiter("ab"), -EINVAL);
    CHECK_STR(error.data, "-d 'ab': not one character, \\n, \\t, \\0, \\xHH or \\ooo");
    CHECK_INT(parse_delimiter("\\q"), -EINVAL);
    CHECK_INT(parse_delimiter("\\x"), -EINVAL);
    CHECK_INT(parse_delimiter("\\xfff"), -EINVAL);
    CHECK_INT(parse_delimiter("\\777"), -EINVAL);
    CHECK_INT(parse_delimiter("\\8"), -EINVAL);
    CHECK_INT(parse_delimiter("\\ "), -EINVAL);
    plait__buf_fini(&error);
}

TEST(a_given_delimiter_cuts_and_keeps_the_last_newline)
{
    options.delimiter = ",";
    set_stdin("a,b,,c\n");
    open_input();
    check_jobs("a / b /  / c\n");
    close_input();
}
