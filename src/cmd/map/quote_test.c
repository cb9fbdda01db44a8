/* Tests of quote.c: what shells read back is the word.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/quote.h"

#include "shell.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef int quote_fn(struct plait__buf *buf, const char *word);

static void check_quoted(quote_fn *quote, const char *word, const char *want)
{
    struct plait__buf buf = { 0 };

    CHECK_INT(plait__buf_add_str(&buf, "<"), 0);
    CHECK_INT(quote(&buf, word), 0);
    CHECK_STR(buf.data + 1, want);
    plait__buf_fini(&buf);
}

TEST(plain_words_stay_plain)
{
    static const char *const words[] = {
        "a",         "file.txt",     "/usr/lib/x-1.2_3", "a:b", "50%",
        "user@host", "--size=10,20", "./a+b=c",          "0",
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        check_quoted(map_quote_line, words[i], words[i]);
    check_quoted(map_quote_bare, "file.txt", "file.txt");
}

TEST(what_a_shell_would_read_otherwise_is_quoted)
{
    check_quoted(map_quote_line, "", "''");
    check_quoted(map_quote_line, "a b", "'a b'");
    check_quoted(map_quote_line, "it's", "'it'\\''s'");
    check_quoted(map_quote_line, "a=b", "'a=b'");
    check_quoted(map_quote_line, "a+=b", "'a+=b'");
    check_quoted(map_quote_line, "=ls", "'=ls'");
    check_quoted(map_quote_line, "~root", "'~root'");
    check_quoted(map_quote_line, "if", "'if'");
    check_quoted(map_quote_line, "\xc3\xa4", "'\xc3\xa4'");
    check_quoted(map_quote_bare, "a,b", "'a,b'");
}

TEST(control_characters_make_one_line)
{
    check_quoted(map_quote_line, "a\nb", "$'a\\nb'");
    check_quoted(map_quote_line,
                 "\t\r\x1b"
                 "0\x7f'\\",
                 "$'\\t\\r\\0330\\177\\'\\\\'");
    check_quoted(map_quote_bare, "a\nb", "'a\nb'");
}

TEST(inside_quotes_only_what_ends_or_expands_is_escaped)
{
    check_quoted(map_quote_single, "it's \"$x\"", "it'\\''s \"$x\"");
    check_quoted(map_quote_double, "it's \"$x\" `\\`!", "it's \\\"\\$x\\\" \\`\\\\\\`!");
    check_quoted(map_quote_single, "", "");
    check_quoted(map_quote_double, "", "");
}

/* ---- real shells ---- */

enum {
    N_BYTES = 255
};

/* Word i of the test: each byte alone, each between letters, and all of them in one. */
static const char *make_word(size_t i, char word[N_BYTES + 1])
{
    if (i < N_BYTES) {
        snprintf(word, N_BYTES + 1, "%c", (int)(i + 1));
    } else if (i < 2 * N_BYTES) {
        snprintf(word, N_BYTES + 1, "a%cb", (int)(i - N_BYTES + 1));
    } else {
        for (int k = 0; k < N_BYTES; k++)
            word[k] = (char)(k + 1);
        word[N_BYTES] = '\0';
    }
    return word;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool has_control(const char *word)
{
    while (*word != '\0')
        if (is_control(*word++))
            return true;
    return false;
}

/* printf '%s\0' and all words, quoted by `quote` with `around` on both sides, come back from the
 * shell as they are. */
static void check_shell(const char *shell, quote_fn *quote, const char *around, bool skip_control)
{
    struct plait__buf snippet = { 0 }, want = { 0 }, got = { 0 };
    char word[N_BYTES + 1];

    CHECK_INT(plait__buf_add_str(&snippet, "printf '%s\\0'"), 0);
    for (size_t i = 0; i <= 2 * N_BYTES; i++) {
        make_word(i, word);
        if (skip_control && has_control(word))
            continue;
        CHECK_INT(plait__buf_printf(&snippet, " %s", around), 0);
        CHECK_INT(quote(&snippet, word), 0);
        CHECK_INT(plait__buf_add_str(&snippet, around), 0);
        CHECK_INT(plait__buf_add(&want, word, strlen(word) + 1), 0);
    }
    char shell_copy[32];
    snprintf(shell_copy, sizeof shell_copy, "%s", shell);
    char *argv[] = { shell_copy, (char[]){ "-c" }, snippet.data, NULL };
    CHECK_INT(run_program(argv, &got), 0);
    CHECK_MEM(got.data, got.len, want.data, want.len);
    plait__buf_fini(&snippet);
    plait__buf_fini(&want);
    plait__buf_fini(&got);
}

TEST(dash_reads_back_every_byte)
{
    check_shell("dash", map_quote_bare, "", false);
    check_shell("dash", map_quote_single, "'", false);
    check_shell("dash", map_quote_double, "\"", false);
    check_shell("dash", map_quote_line, "", true); /* dash 0.5.12 does not know $'…' */
}

TEST(bash_reads_back_every_byte)
{
    check_shell("bash", map_quote_bare, "", false);
    check_shell("bash", map_quote_single, "'", false);
    check_shell("bash", map_quote_double, "\"", false);
    check_shell("bash", map_quote_line, "", false);
}

/* ---- reading back ---- */

static void check_round_trip(const char *const *words, size_t n)
{
    struct plait__buf line = { 0 };
    char **got = NULL;
    size_t n_got = 0;

    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            CHECK_INT(plait__buf_add_char(&line, ' '), 0);
        CHECK_INT(map_quote_line(&line, words[i]), 0);
    }
    for (size_t i = 0; i < line.len; i++)
        CHECK(!is_control(line.data[i]));
    CHECK_INT(map_unquote_line(line.data, &got, &n_got), 0);
    CHECK_INT(n_got, n);
    for (size_t i = 0; i < n; i++)
        CHECK_STR(got[i], words[i]);
    CHECK(got[n] == NULL);
    map_unquote_free(got);
    plait__buf_fini(&line);
}

TEST(a_line_is_read_back_as_its_words)
{
    static const char *const words[] = { "cp",       "a b", "",   "it's",   "x\ny",
                                         "-l=$HOME", "\\",  "''", "$'\\n'", "" };
    char bytes[N_BYTES + 1];
    const char *all = make_word(2 * N_BYTES, bytes);

    check_round_trip(words, sizeof words / sizeof *words);
    check_round_trip(words + 2, 1);
    check_round_trip(&all, 1);
}

TEST(a_line_of_somebody_else_is_refused)
{
    static const char *const lines[] = {
        "",       "ls | wc", "echo $HOME",   "echo \"a\"", "'a",     "$'a",  "$'\\x41'", "$'\\n",
        "a  b",   " a",      "a ",           "a\\ b",      "'a'",    "$'a'", "A=b ls",   "a\nb",
        "$'\\0'", "$'\\'",   "$'\\n'$'\\n'", "a\\",        "echo ~", "$'\\", "if",       "$'\\400'",
    };
    char **words = NULL;
    size_t n = 0;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK_INT(map_unquote_line(lines[i], &words, &n), -EINVAL);
    CHECK(words == NULL);
    map_unquote_free(NULL);
}
