/* Tests of the quoting scanner: what it writes, what it refuses, and what real shells make of it.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/map/template_test.h"
#include "shell.h"

static void check_spec(struct map_template_spec spec, const char *snippet,
                       const char *const *values, const char *want)
{
    struct map_command command = { 0 };
    struct plait__buf error = { 0 };

    spec.shell = true;
    int rc = make_command(&spec, LIST(snippet), values, &command, &error);
    if (rc < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", snippet, error.data);
    CHECK_INT(command.argc, 3);
    CHECK_STR(command.argv[0], "/bin/sh");
    CHECK_STR(command.argv[1], "-c");
    CHECK_STR(command.argv[2], want);
    map_command_fini(&command);
    plait__buf_fini(&error);
}

static void check(const char *snippet, const char *const *values, const char *want)
{
    check_spec((struct map_template_spec){ 0 }, snippet, values, want);
}

TEST(a_value_is_quoted_for_the_place_where_it_stands)
{
    check("e {} \"{}\" '{}'", LIST("a b"), "e 'a b' \"a b\" 'a b'");
    check("e {} \"{}\" '{}'", LIST("it's $x"), "e 'it'\\''s $x' \"it's \\$x\" 'it'\\''s $x'");
    check("e {.}.gz", LIST("a.b"), "e a.gz");
    check("e {} x{}", LIST(""), "e '' x''");
    check("e \"$(f {} \"{}\" '{}')\"", LIST("$x"), "e \"$(f '$x' \"\\$x\" '$x')\"");
    check("e `f {}`", LIST("$x"), "e `f '\\$x'`");
    check("e \\{} {}", LIST("a"), "e \\{} a");
}

TEST(what_belongs_to_the_shell_stays)
{
    check("e ${1} '${1}' \"${x}\" $1 {1}", LIST("a"), "e ${1} '${1}' \"${x}\" $1 a");
    check("e $${}", LIST("a"), "e $$'a'");
    check("e {} # it's {} $(", LIST("a"), "e a # it's {} $(");
    check("e {}#x", LIST("a"), "e a#x");
    check("a() { case $1 in x) e;; (y) f;; esac; }; a {}", LIST("b"),
          "a() { case $1 in x) e;; (y) f;; esac; }; a b");
}

TEST(a_value_is_quoted_where_its_neighbours_would_swallow_it)
{
    check("e $x{} \"$x{}\" ${x}{}", LIST("y"), "e $x'y' \"$x\"\"y\" ${x}y");
    check("e {}>f", LIST("2"), "e '2'>f");
    check("e $1{#}", LIST("y"), "e $1'7'");
}

TEST(several_values_are_joined_by_blanks)
{
    check("e {} x{}", LIST("a", "b c"), "e a 'b c' xa 'b c'");
    check("e '{}' \"{}\"", LIST("a", "b'c"), "e 'a b'\\''c' \"a b'c\"");
    check("e {2}{3}", LIST("a", "b"), "e b''");
    check("e {}", NONE, "e ");
}

TEST(several_words_for_the_shell_are_joined_by_blanks)
{
    struct map_template_spec spec = { .shell = true };
    struct map_command command = { 0 };
    struct plait__buf error = { 0 };

    CHECK_INT(make_command(&spec, LIST("e", "{}", "|", "f"), LIST("a b"), &command, &error), 0);
    CHECK_STR(command.argv[2], "e 'a b' | f");
    map_command_fini(&command);
}

TEST(fill_line_repeats_the_word_around)
{
    struct map_template_spec spec = { .fill_line = true };

    check_spec(spec, "e x{}y z", LIST("a", "b c"), "e xay x'b c'y z");
    check_spec(spec, "e \"x y{}z\";f", LIST("a", "b"), "e \"x yaz\" \"x ybz\";f");
    check_spec(spec, "e $(f x{}) {.}{1}", LIST("a.b", "c"), "e $(f xa.b xc) aa.b ca.b");
    check_spec(spec, "e x$(f {})y{}", LIST("a", "b"), "e x$(f a)ya x$(f b)yb");
    check_spec(spec, "e\n", LIST("a", "b"), "e a b");
    check_spec(spec, "e {}", NONE, "e ");
}

TEST(values_are_appended_after_a_blank)
{
    check("wc -l", LIST("a b"), "wc -l 'a b'");
    check("wc -l\n\n", LIST("a"), "wc -l a");
    check("wc \\ ", LIST("a"), "wc \\  a");
    check("e $x", LIST("a", "b"), "e $x a b");
    check_spec((struct map_template_spec){ .no_values = true }, "e x", NONE, "e x");
    check("e {#}", LIST("a"), "e 7");
    check("cat <<E\n'\nE\nwc", LIST("a"), "cat <<E\n'\nE\nwc a");
}

TEST(arithmetic_takes_numbers_only)
{
    check("e $(({} + {#}))", LIST("-12"), "e $((-12 + 7))");
    check("(({} > (3))) && e \"$(( 0x{} ))\"", LIST("10"), "((10 > (3))) && e \"$(( 0x10 ))\"");
}

TEST(without_a_command_the_input_is_the_snippet)
{
    struct map_template_spec spec = { .shell_path = "/bin/dash" };
    struct map_command command = { 0 };
    struct plait__buf error = { 0 };

    CHECK_INT(make_command(&spec, NONE, LIST("echo 'a' | wc", ">x"), &command, &error), 0);
    CHECK_STR(command.argv[0], "/bin/dash");
    CHECK_STR(command.argv[2], "echo 'a' | wc >x");
    map_command_fini(&command);
}

/* ---- refusals ---- */

static void check_refused(const char *snippet, const char *sentence_part)
{
    struct map_template_spec spec = { .shell = true };
    struct map_command command = { 0 };
    struct plait__buf error = { 0 };

    int rc = make_command(&spec, LIST(snippet), LIST("x[$(id)]"), &command, &error);
    if (rc != -EINVAL)
        test_fail(__FILE__, __LINE__, "%s: %d %s", snippet, rc, command.line);
    if (error.data == NULL || strstr(error.data, sentence_part) == NULL)
        test_fail(__FILE__, __LINE__, "\"%s\" says nothing of \"%s\"", error.data, sentence_part);
    plait__buf_fini(&error);
}

TEST(what_is_never_closed_is_refused_with_its_place)
{
    check_refused("echo it's {}", "' is never closed, at character 8 of the snippet: ''\\''s {}'");
    check_refused("e \"{}", "\" is never closed, at character 3");
    check_refused("e $(f {}", "$( is never closed");
    check_refused("(e {}", "( is never closed");
    check_refused("e `f {}", "` is never closed");
    check_refused("e {} ${x", "${ is never closed");
    check_refused("e {} $'x", "$' is never closed");
    check_refused("e $(( 1 + 1 {}", "(( is never closed");
    check_refused("e {} \\", "ends in a backslash");
}

TEST(where_no_quoting_helps_is_refused)
{
    check_refused("cat <<E\n{}\nE\n", "inside a here-document");
    check_refused("cat <<-'E'\n\tx {1.}\n\tE\n",
                  "{1.} can't be quoted safely inside a here-document");
    check_refused("e ${x:-{}}", "inside ${…");
    check_refused("e \"${x#\"{}\"}\"", "inside ${…");
    check_refused("e $'{}'", "inside $'…");
    check_refused("e $(({}))", "not a number");
    check_refused("e $(($x{}))", "write ${name}");
    check_refused("(({} > 1))", "not a number");
}

TEST(what_shells_read_differently_is_refused)
{
    check_refused("e `f \\`g\\` {}`", "read twice");
    check_refused("e `sed 's/\\\\/x/' {}`", "read twice");
    check_refused("e \"`f \\\"x\\\" {}`\"", "read twice");
    check_refused("e `f $(g `h`) {}`", "which ` belongs");
    check_refused("e $((f); g {})", "arithmetic");
    check_refused("e $[1+{}]", "$((…))");
    check_refused("e ${ f; } {}", "use $(…)");
    check_refused("e $'it\\'s' {}", "\\' inside $'…'");
    check_refused("e \"${x:-'}'}\" {}", "' inside \"${…}\"");
    check_refused("cat <<$x {}\n$x\n", "where the here-document ends");
    check_refused("cat <<{}\nx\n{}\n", "where the here-document ends");
    check_refused("cat <<E {}\nx\n", "has no end");
    check_refused("cat <<E {}", "has no end");
    check_refused("e $(cat <<E) {}\nx\nE\n", "has no end");
    check_refused("cat <<E $(f\n) {}\nx\nE\n", "where the here-document begins");
    check_refused("cat <<E\n$(echo\nE\n)\nE\ne {}", "where the here-document ends");
    check_refused("e `cat <<E\nx\nE\n` {}", "use $(…)");
}

TEST(nothing_is_appended_to_what_is_no_command)
{
    check_refused("e # note", "nothing can be appended");
    check_refused("cat <<E\nx\nE\n", "nothing can be appended");
}

TEST(deep_nesting_is_refused)
{
    struct plait__buf snippet = { 0 };

    for (int i = 0; i < 1000; i++)
        CHECK_INT(plait__buf_add_str(&snippet, "\"$("), 0);
    check_refused(snippet.data, "nested too deeply");
    plait__buf_fini(&snippet);
}

/* ---- real shells ---- */

/* Each writes its value once, a NUL or a dot behind. */
static const struct {
    const char *snippet, *before, *after;
} programs[] = {
    { "printf '%s\\0' {}", "", "" },
    { "printf '%s\\0' \"{}\"", "", "" },
    { "printf '%s\\0' '{}'", "", "" },
    { "printf '%s\\0' x{}y", "x", "y" },
    { "printf '%s\\0' 'it'\\''s'{}\"\\\"{1}\"", "it's", NULL },
    { "printf '%s\\0' \"x '{}' \\\"\"", "x '", "' \"" },
    { "v=a; printf '%s\\0' \"$v{}\"", "a", "" },
    { "v=a; printf '%s\\0' $v{}", "a", "" },
    { "v={}; printf '%s\\0' \"$v\"", "", "" },
    { "printf '%s\\0' {}>&1", "", "" },
    { "printf '%s\\0' \"$(printf '%s.' {})\"", "", "." },
    { "printf '%s\\0' \"$(printf '%s.' \"{}\")\"", "", "." },
    { "printf '%s\\0' \"$(printf '%s.' \"$(printf %s '{}x')\")\"", "", "x." },
    { "v=`printf '%s.' {}`; printf '%s\\0' \"$v\"", "", "." },
    { "v=`printf '%s.' \"{}\"`; printf '%s\\0' \"$v\"", "", "." },
    { "v=`printf '%s.' '{}'`; printf '%s\\0' \"$v\"", "", "." },
    { "printf '%s\\0' \"`printf '%s.' {}`\"", "", "." },
    { "printf '%s\\0' \"`printf '%s.' '{}'`\"", "", "." },
    { "printf '%s\\0' \"$(case x in (y) ;; x) printf '%s.' {};; esac)\"", "", "." },
    { "case {} in '{}') printf '%s\\0' \"{}\";; esac", "", "" },
    { "# it's\ncat <<E >/dev/null\n\"$(echo)`:`\\\nE\nE\nprintf '%s\\0' {}", "", "" },
    { "cat <<'E' - <<-F >/dev/null\n'\nE\n\t\"\\\n\tF\nF\nprintf '%s\\0' {}", "", "" },
    { "x=; printf '%s\\0' ${x:-it\\'s}\"${x:-y}\"{}", "it'sy", "" },
    { "x=a.c; printf '%s\\0' \"${x%'.c'}\"{}\"${x#\"'\"}\"", "a", "a.c" },
    { "printf '%s\\0' $((1 + (2)))\"{}\" # {}", "3", "" },
    { "f() { (printf '%s\\0' \"$1\"); }; f {}", "", "" },
};

static const char *const hostile[] = {
    "",
    "a",
    "2",
    "if",
    "a b",
    "-n",
    "it's",
    "\"",
    "\\",
    "a\\",
    "\\\\'",
    "$x",
    "${x}",
    "$(echo x)",
    "`echo x`",
    "!x",
    "!",
    "*",
    "?[a]",
    "~",
    "#",
    "a=b",
    "=a",
    "\n",
    "a\nb\n",
    "x\n\n",
    "}",
    ")",
    "';echo x;'",
    "\";echo x;\"",
    "&& x",
    "E\n",
    "\x01\x7f\x80\x81\x88\xff",
    "\xe4\xb8",
    "%s\\0",
    "<<E",
    "\t",
    "\r",
    "{a,b}",
    "a,b",
    "\\$(x)\\`x\\`",
    "'\"'\"'",
};

static void check_program(const char *shell, size_t i, const char *value)
{
    struct map_template_spec spec = { .shell = true, .shell_path = shell };
    struct map_command command = { 0 };
    struct plait__buf error = { 0 }, got = { 0 }, want = { 0 };
    const char *before = programs[i].before, *after = programs[i].after;

    int rc = make_command(&spec, LIST(programs[i].snippet), LIST(value), &command, &error);
    if (rc < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", programs[i].snippet, error.data);
    if (run_program(command.argv, &got) != 0)
        test_fail(__FILE__, __LINE__, "%s fails: %s", shell, command.argv[2]);
    CHECK_INT(plait__buf_printf(&want, "%s%s", before, value), 0);
    CHECK_INT(after != NULL ? plait__buf_add_str(&want, after)
                            : plait__buf_printf(&want, "\"%s", value),
              0);
    if (got.len != want.len + 1 || memcmp(got.data, want.data, got.len) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s gave \"%s\", not \"%s\"", shell, command.argv[2],
                  got.data, want.data);
    map_command_fini(&command);
    plait__buf_fini(&got);
    plait__buf_fini(&want);
}

static void check_programs(const char *shell)
{
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        for (size_t k = 0; k < sizeof hostile / sizeof *hostile; k++)
            check_program(shell, i, hostile[k]);
}

TEST_LIMIT(values_are_data_to_dash, 60)
{
    check_programs("dash");
}

TEST_LIMIT(values_are_data_to_bash, 60)
{
    check_programs("bash");
}
