/* Tests of the template: executed words, replacement strings, the line of the job log.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/template.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/map/template_test.h"

static void check_line(struct map_template_spec spec, const char *const *words,
                       const char *const *values, const char *want)
{
    struct map_command command = { 0 };
    struct plait__buf error = { 0 };

    int rc = make_command(&spec, words, values, &command, &error);
    if (rc < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", words[0], error.data);
    CHECK_STR(command.line, want);
    CHECK(command.argv[command.argc] == NULL);
    map_command_fini(&command);
    plait__buf_fini(&error);
}

static void check_exec(const char *const *words, const char *const *values, const char *want)
{
    check_line((struct map_template_spec){ 0 }, words, values, want);
}

static void check_refused(struct map_template_spec spec, const char *const *words,
                          const char *const *values, const char *sentence_part)
{
    struct map_command command = { 0 };
    struct plait__buf error = { 0 };

    CHECK_INT(make_command(&spec, words, values, &command, &error), -EINVAL);
    CHECK(command.argv == NULL);
    if (error.data == NULL || strstr(error.data, sentence_part) == NULL)
        test_fail(__FILE__, __LINE__, "\"%s\" says nothing of \"%s\"", error.data, sentence_part);
    plait__buf_fini(&error);
}

/* ---- replacement strings ---- */

static void check_op(const char *op, const char *value, const char *want)
{
    const struct map_place place = { .seq = 1, .slot = 1 };
    struct map_values values = { 0 };
    struct plait__buf got = { 0 };

    add_values(&values, LIST(value));
    CHECK_INT(plait__buf_add_str(&got, "<"), 0);
    CHECK_INT(map_template_text(op, &values, &place, &got), 0);
    if (strcmp(got.data + 1, want) != 0)
        test_fail(__FILE__, __LINE__, "%s of \"%s\" is \"%s\", not \"%s\"", op, value, got.data + 1,
                  want);
    plait__buf_fini(&got);
    map_values_fini(&values);
}

/* The table is what GNU parallel 20221122 prints. */
TEST(paths_are_cut_as_gnu_parallel_cuts_them)
{
    static const struct {
        const char *value, *no_extension, *base, *dir, *base_no_extension;
    } rows[] = {
        { "a.b/c", "a.b/c", "c", "a.b", "c" },
        { "foo.tar.gz", "foo.tar", "foo.tar.gz", ".", "foo.tar" },
        { ".bashrc", "", ".bashrc", ".", "" },
        { "/a", "/a", "a", "/", "a" },
        { "/a/b.c/", "/a/b.c/", "", "/a", "" },
        { "a/b.c", "a/b", "b.c", "a", "b" },
        { "", "", "", ".", "" },
        { "a//", "a//", "", ".", "" },
        { "a//b", "a//b", "b", "a", "b" },
        { "/", "/", "", "/", "" },
        { "//", "//", "", "/", "" },
        { "//a", "//a", "a", "/", "a" },
        { "a/b///", "a/b///", "", "a", "" },
        { "../", "../", "", ".", "" },
        { "a/.", "a/", ".", "a", "" },
        { "./.a", "./", ".a", ".", "" },
        { "..", ".", "..", ".", "." },
        { "a.", "a", "a.", ".", "a" },
        { "a..b", "a.", "a..b", ".", "a." },
        { "a/.b.c", "a/.b", ".b.c", "a", ".b" },
        { "a.x/", "a.x/", "", ".", "" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_op("{}", rows[i].value, rows[i].value);
        check_op("{.}", rows[i].value, rows[i].no_extension);
        check_op("{/}", rows[i].value, rows[i].base);
        check_op("{//}", rows[i].value, rows[i].dir);
        check_op("{/.}", rows[i].value, rows[i].base_no_extension);
    }
}

TEST(all_extensions_and_a_suffix_can_be_removed)
{
    check_op("{:}", "a.b/foo.tar.gz", "a.b/foo");
    check_op("{:}", "foo", "foo");
    check_op("{^.tar.gz}", "foo.tar.gz", "foo");
    check_op("{^_1.fq}", "x_1.fq", "x");
    check_op("{^.txt}", "foo.tar", "foo.tar");
    check_op("{^foo}", "foo", "");
    check_op("{1^.gz}{1:}", "foo.tar.gz", "foo.tarfoo");
    check_op("{^}", "a", "{^}");
}

TEST(values_are_taken_by_position)
{
    check_exec(LIST("e", "{2}", "{1.}", "{3/}", "{-1//}", "{-3}", "{01}"), LIST("a.b", "c", "d/e"),
               "e c a e d a.b a.b");
    check_exec(LIST("e", "{2}", "{-2}", "x{9}y"), LIST("a"), "e '' '' xy");
}

TEST(values_are_taken_by_the_name_of_their_column)
{
    static const char *const names[] = { "name", "file", "file.", "a b" };
    struct map_template_spec spec = { .names = names, .n_names = 4 };

    check_line(spec, LIST("e", "{file}", "{name.}", "{file/}", "{file.}", "{a b}", "{files}"),
               LIST("n.m", "d/f", "dot", "ab"), "e d/f n f dot ab '{files}'");
}

TEST(job_number_and_slot_count_as_replacement_strings)
{
    check_exec(LIST("e", "{#}"), LIST("a"), "e 7");
    check_exec(LIST("e", "x{%}"), LIST("a"), "e x3");
}

TEST(unknown_braces_are_text)
{
    check_exec(LIST("e", "{foo}", "{a,b}", "{1x}", "{+1}", "{", "{1", "{ }", "{}"), LIST("v"),
               "e '{foo}' '{a,b}' '{1x}' '{+1}' '{' '{1' '{ }' v");
    check_exec(LIST("sh", "-c", "echo ${1} ${}", "_", "{}"), LIST("v"),
               "sh -c 'echo ${1} ${}' _ v");
}

TEST(positions_that_cannot_be_are_refused)
{
    check_refused((struct map_template_spec){ .columns = 2 }, LIST("e", "x{3.}"), LIST("a"),
                  "{3.}: a job has no more than 2 values");
    check_refused((struct map_template_spec){ .columns = 1 }, LIST("e", "{-2}"), LIST("a"),
                  "no more than 1 value");
    check_refused((struct map_template_spec){ 0 }, LIST("e", "{0}"), LIST("a"),
                  "{0}: values are counted from 1");
    check_refused((struct map_template_spec){ .columns = 1, .shell = true }, LIST("e '{2}'"),
                  LIST("a"), "{2}");
    check_line((struct map_template_spec){ .columns = 2 }, LIST("e", "{2}", "{-2}"), LIST("a"),
               "e '' ''");
}

TEST(another_string_can_stand_for_the_values)
{
    struct map_template_spec spec = { .replace = ",," };

    check_line(spec, LIST("e", "x,,", "{}", "{.}", ",."), LIST("a.b"), "e xa.b '{}' a ,.");
    check_line(spec, LIST("e"), LIST("a.b"), "e a.b");
    spec.shell = true;
    check_line(spec, LIST("e \"x,,\" {} $,, $x,,"), LIST("a b"), "e \"xa b\" {} $,, $x'a b'");
}

/* ---- words to execute ---- */

TEST(values_are_appended_when_there_is_no_replacement_string)
{
    check_exec(LIST("e"), LIST("a", "b c"), "e a 'b c'");
    check_exec(LIST("e", "${1}"), LIST("a"), "e '${1}' a");
    check_line((struct map_template_spec){ .no_values = true }, LIST("e"), NONE, "e");
}

TEST(a_whole_word_becomes_as_many_words_as_there_are_values)
{
    check_exec(LIST("e", "{}", "{/}", "z"), LIST("a/b", "", "c d"), "e a/b '' 'c d' b '' 'c d' z");
    check_exec(LIST("e", "{}", "x{}"), NONE, "e x");
}

TEST(several_values_inside_a_word_are_refused)
{
    check_exec(LIST("e", "x{}y{}"), LIST("a"), "e xaya");
    check_refused((struct map_template_spec){ 0 }, LIST("e", "x{}y"), LIST("a", "b"), "-X");
}

TEST(fill_line_repeats_the_word)
{
    struct map_template_spec spec = { .fill_line = true };

    check_line(spec, LIST("e", "x{}y{.}", "{1}", "{1}-{}", "x{#}"), LIST("a.b", "c"),
               "e xa.bya xcyc a.b a.b-a.b a.b-c x7");
    check_line(spec, LIST("e"), LIST("a", "b"), "e a b");
}

TEST(a_fixed_program_is_known)
{
    struct map_template *template = NULL;
    struct plait__buf error = { 0 };

    static const struct {
        const char *word;
        bool shell;
        const char *want;
    } rows[] = { { "gzip", false, "gzip" }, { "./{}", false, NULL }, { "gzip -9", true, NULL } };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct map_template_spec spec = { .shell = rows[i].shell };
        set_words(&spec, LIST(rows[i].word));
        CHECK_INT(map_template_create(&template, &spec, &error), 0);
        free_words(&spec);
        const char *program = map_template_program(template);
        CHECK((program == NULL) == (rows[i].want == NULL));
        if (program != NULL)
            CHECK_STR(program, rows[i].want);
        map_template_destroy(template);
    }
    map_template_destroy(NULL);
}

TEST(argv_holds_the_bytes_as_they_are)
{
    struct map_template_spec spec = { 0 };
    struct map_command command = { 0 };
    struct plait__buf error = { 0 };

    CHECK_INT(make_command(&spec, LIST("e", "-o={}", "{}"), LIST("$(x) 'y'\n"), &command, &error),
              0);
    CHECK_INT(command.argc, 3);
    CHECK_STR(command.argv[0], "e");
    CHECK_STR(command.argv[1], "-o=$(x) 'y'\n");
    CHECK_STR(command.argv[2], "$(x) 'y'\n");
    map_command_fini(&command);
    map_command_fini(&command);
}

TEST(bytes_are_those_of_argv)
{
    struct map_template *template = NULL;
    struct map_values values = { 0 };
    struct plait__buf error = { 0 };
    struct map_template_spec spec = { 0 };
    size_t longest = 0;

    set_words(&spec, LIST("echo", "{}"));
    CHECK_INT(map_template_create(&template, &spec, &error), 0);
    free_words(&spec);
    add_values(&values, LIST("abc", "defghi"));
    CHECK_INT(map_template_bytes(template, &values, &longest), 5 + 4 + 7 + 4 * (int)sizeof(char *));
    CHECK_INT(longest, 7);
    map_values_fini(&values);
    map_template_destroy(template);

    spec = (struct map_template_spec){ 0 };
    set_words(&spec, LIST("e", "x{}"));
    CHECK_INT(map_template_create(&template, &spec, &error), 0);
    free_words(&spec);
    add_values(&values, LIST("a", "b"));
    CHECK(map_template_bytes(template, &values, &longest) == SIZE_MAX);
    map_values_fini(&values);
    map_template_destroy(template);
}

/* ---- choosing ---- */

TEST(one_word_with_shell_characters_is_a_snippet)
{
    static const char *const snippets[] = { "a b", "a;b", "a|b", "$x",  "a'b'", "*.c",
                                            "x=1", "~/x", "a>b", "(a)", "a\nb", "`a`" };
    static const char *const programs[] = { "gzip", "./a.out", "/bin/x-y_z", "{}", "{.}.sh",
                                            "{/.}", "{^ a}",   "c++",        "b/c" };

    for (size_t i = 0; i < sizeof snippets / sizeof *snippets; i++)
        CHECK(map_is_snippet(snippets[i], NULL));
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        CHECK(!map_is_snippet(programs[i], NULL));
    CHECK(!map_is_snippet("x*", "x*"));
}

TEST(shell_operators_as_words_are_suspicious)
{
    char *words[] = { (char[]){ "find" }, (char[]){ ";" }, (char[]){ "a|b" }, (char[]){ "2>" },
                      (char[]){ "|" } };

    CHECK(map_template_suspicious(words, 3) == NULL);
    CHECK(map_template_suspicious(words, 5) == words[3]);
}

TEST(a_plain_text_takes_replacement_strings_unquoted)
{
    const struct map_place place = { .seq = 12, .slot = 2 };
    struct map_values values = { 0 };
    struct plait__buf text = { 0 };

    add_values(&values, LIST("a.x", "b c"));
    CHECK_INT(map_template_text("{#}/{%}: {}-{2}-{.} $", &values, &place, &text), 0);
    CHECK_STR(text.data, "12/2: a.x b c-b c-a b c $");
    CHECK_INT(map_template_text("{0}", &values, &place, &text), -EINVAL);
    CHECK_STR(text.data, "12/2: a.x b c-b c-a b c $");
    map_values_fini(&values);
    plait__buf_fini(&text);
}

/* ---- the line ---- */

static void check_from_line(const char *line, const char *const *want)
{
    struct map_command command = { 0 };
    size_t n = 0;

    CHECK_INT(map_command_from_line(&command, "/bin/sh", line), 0);
    for (; want[n] != NULL; n++)
        CHECK_STR(command.argv[n], want[n]);
    CHECK_INT(command.argc, n);
    CHECK(command.argv[n] == NULL);
    CHECK_STR(command.line, line);
    map_command_fini(&command);
}

TEST(a_line_of_the_log_becomes_the_command_again)
{
    check_from_line("gzip 'a b'", LIST("/bin/sh", "-c", "gzip 'a b'"));
    check_from_line("ls | wc", LIST("/bin/sh", "-c", "ls | wc"));
    check_from_line("gzip $'a\\nb'", LIST("gzip", "a\nb"));
    check_from_line("eval $'echo 1\\necho 2'", LIST("/bin/sh", "-c", "echo 1\necho 2"));
    check_from_line("echo $'a' | wc", LIST("/bin/sh", "-c", "echo $'a' | wc"));
    check_from_line("-x", LIST("/bin/sh", "-c", " -x"));
}

static void check_snippet_line(const char *snippet, const char *want_line)
{
    struct map_template_spec spec = { .shell = true, .no_values = true };
    struct map_command command = { 0 }, again = { 0 };
    struct plait__buf error = { 0 };

    CHECK_INT(make_command(&spec, LIST(snippet), NONE, &command, &error), 0);
    CHECK_STR(command.line, want_line);
    CHECK_INT(map_command_from_line(&again, NULL, command.line), 0);
    CHECK_INT(again.argc, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_STR(again.argv[i], command.argv[i]);
    map_command_fini(&command);
    map_command_fini(&again);
}

TEST(a_snippet_is_one_line_in_the_log_and_comes_back)
{
    check_snippet_line("echo 'a b' | wc", "echo 'a b' | wc");
    check_snippet_line("echo 1\necho 2", "eval $'echo 1\\necho 2'");
    check_snippet_line("-x\n+y", "eval $' -x\\n+y'");
    check_snippet_line("f $'a\\nb'", "eval 'f $'\\''a\\nb'\\'''");
    check_snippet_line("f $'a' | g", "f $'a' | g");
}
