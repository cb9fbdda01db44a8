/* Words as a shell reads them.
 * SPDX-License-Identifier: MIT
 *
 * What is written has one form only: a word is plain, '…' (with '\'' for an apostrophe) or, with
 * control characters in it, $'…'. So a line can be read back by undoing these three and proved by
 * writing it again: a line that somebody else wrote (GNU parallel, a person) is told apart, and
 * belongs to a shell.
 */
#include "cmd/map/quote.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Words that mean something to bash, ksh or zsh where a command may begin. */
static const char *const reserved_words[] = {
    "case",      "coproc", "do",     "done",    "elif",     "else",  "end",
    "esac",      "fi",     "for",    "foreach", "function", "if",    "in",
    "nocorrect", "repeat", "select", "then",    "time",     "until", "while",
};

static bool is_reserved(const char *word)
{
    for (size_t i = 0; i < sizeof reserved_words / sizeof *reserved_words; i++)
        if (strcmp(word, reserved_words[i]) == 0)
            return true;
    return false;
}

/* Not isalnum: that one asks the locale. */
static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Could the word be an assignment (a=b, a+=b), or zsh's =command? */
static bool is_assignment(const char *word)
{
    while (is_name_char(*word) || *word == '+')
        word++;
    return *word == '=';
}

/* May it stand without quotes? A comma may not inside a snippet: {} could be part of a
 * {brace,expansion}. */
static bool is_plain(const char *word, bool in_snippet)
{
    if (*word == '\0' || is_assignment(word) || is_reserved(word))
        return false;
    for (const char *p = word; *p != '\0'; p++)
        if (!is_name_char(*p) && strchr(in_snippet ? "-./:+@%=" : "-./:+@%=,", *p) == NULL)
            return false;
    return true;
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

/* After a failure: the buffer as it was. Returns rc. */
static int take_back(struct plait__buf *buf, size_t old_len, int rc)
{
    buf->len = old_len;
    if (buf->data != NULL)
        buf->data[old_len] = '\0';
    return rc;
}

int map_quote_single(struct plait__buf *buf, const char *word)
{
    size_t old_len = buf->len;
    int rc = 0;

    while (rc == 0 && *word != '\0') {
        size_t n = strcspn(word, "'");
        rc = plait__buf_add(buf, word, n);
        word += n;
        for (; rc == 0 && *word == '\''; word++)
            rc = plait__buf_add(buf, "'\\''", 4);
    }
    return rc < 0 ? take_back(buf, old_len, rc) : 0;
}

/* '…' around it. */
static int add_in_quotes(struct plait__buf *buf, const char *word)
{
    size_t old_len = buf->len;
    int rc = plait__buf_add_char(buf, '\'');

    if (rc == 0)
        rc = map_quote_single(buf, word);
    if (rc == 0)
        rc = plait__buf_add_char(buf, '\'');
    return rc < 0 ? take_back(buf, old_len, rc) : 0;
}

int map_quote_bare(struct plait__buf *buf, const char *word)
{
    return is_plain(word, true) ? plait__buf_add_str(buf, word) : add_in_quotes(buf, word);
}

int map_quote_double(struct plait__buf *buf, const char *word)
{
    size_t old_len = buf->len;
    int rc = 0;

    while (rc == 0 && *word != '\0') {
        size_t n = strcspn(word, "$`\"\\");
        rc = plait__buf_add(buf, word, n);
        word += n;
        if (rc == 0 && *word != '\0') {
            char escaped[2] = { '\\', *word++ };
            rc = plait__buf_add(buf, escaped, 2);
        }
    }
    return rc < 0 ? take_back(buf, old_len, rc) : 0;
}

/* One character inside $'…'. Three octal digits, so that a digit behind them stays a digit. */
static int add_escaped(struct plait__buf *buf, char c)
{
    switch (c) {
    case '\n':
        return plait__buf_add(buf, "\\n", 2);
    case '\t':
        return plait__buf_add(buf, "\\t", 2);
    case '\r':
        return plait__buf_add(buf, "\\r", 2);
    case '\'':
        return plait__buf_add(buf, "\\'", 2);
    case '\\':
        return plait__buf_add(buf, "\\\\", 2);
    default:
        return is_control(c) ? plait__buf_printf(buf, "\\%03o", (unsigned)c)
                             : plait__buf_add_char(buf, c);
    }
}

int map_quote_line(struct plait__buf *buf, const char *word)
{
    if (is_plain(word, false))
        return plait__buf_add_str(buf, word);
    if (!has_control(word))
        return add_in_quotes(buf, word);

    size_t old_len = buf->len;
    int rc = plait__buf_add(buf, "$'", 2);
    while (rc == 0 && *word != '\0')
        rc = add_escaped(buf, *word++);
    if (rc == 0)
        rc = plait__buf_add_char(buf, '\'');
    return rc < 0 ? take_back(buf, old_len, rc) : 0;
}

/* The octal number at p, which must have three digits and be a character; -EINVAL. */
static int read_octal(const char *p)
{
    int c = 0;

    for (int i = 0; i < 3; i++) {
        if (p[i] < '0' || p[i] > '7')
            return -EINVAL;
        c = c * 8 + (p[i] - '0');
    }
    return c > 0 && c < 256 ? c : -EINVAL;
}

/* The escape at *line, behind its backslash; moves on behind it. The character or -EINVAL. */
static int read_escape(const char **line)
{
    static const char escapes[] = "n\nt\tr\r''\\\\";
    int c = (unsigned char)*(*line)++;

    for (size_t i = 0; i + 1 < sizeof escapes; i += 2)
        if (c == escapes[i])
            return escapes[i + 1];
    c = read_octal(--*line);
    if (c > 0)
        *line += 3;
    return c;
}

/* The text of $'…' at *line, behind its opening. */
static int read_dollar_quoted(const char **line, struct plait__buf *bytes)
{
    int rc = 0;

    while (rc == 0 && **line != '\'') {
        int c = (unsigned char)*(*line)++;
        if (c == '\0')
            return -EINVAL;
        if (c == '\\')
            c = read_escape(line);
        rc = c < 0 ? c : plait__buf_add_char(bytes, (char)c);
    }
    ++*line;
    return rc;
}

/* One word, up to the blank or the end; adds its bytes and a NUL. */
static int read_word(const char **line, struct plait__buf *bytes)
{
    int rc = 0;

    while (rc == 0 && **line != ' ' && **line != '\0') {
        if (strncmp(*line, "$'", 2) == 0) {
            *line += 2;
            rc = read_dollar_quoted(line, bytes);
        } else if (**line == '\'') {
            size_t n = strcspn(++*line, "'");
            rc = (*line)[n] == '\0' ? -EINVAL : plait__buf_add(bytes, *line, n);
            *line += n + (rc == 0);
        } else if (**line == '\\') {
            rc = (*line)[1] == '\'' ? plait__buf_add_char(bytes, '\'') : -EINVAL;
            *line += 2;
        } else {
            rc = plait__buf_add_char(bytes, *(*line)++);
        }
    }
    return rc == 0 ? plait__buf_add_char(bytes, '\0') : rc;
}

/* Would these words be written as this line? 0, -EINVAL, -ENOMEM. */
static int check_line(const char *line, char *const *words)
{
    struct plait__buf again = { 0 };
    int rc = 0;

    for (size_t i = 0; rc == 0 && words[i] != NULL; i++) {
        if (i > 0)
            rc = plait__buf_add_char(&again, ' ');
        if (rc == 0)
            rc = map_quote_line(&again, words[i]);
    }
    if (rc == 0 && (again.len == 0 || strcmp(again.data, line) != 0))
        rc = -EINVAL;
    plait__buf_fini(&again);
    return rc;
}

int map_words_take(struct plait__buf *bytes, size_t n, char ***ret_words)
{
    if (n >= SIZE_MAX / sizeof(char *))
        return -ENOMEM;
    char **words = malloc((n + 1) * sizeof *words);
    if (words == NULL)
        return -ENOMEM;
    words[0] = NULL;
    if (n > 0) {
        words[0] = plait__buf_detach(bytes);
        if (words[0] == NULL) {
            free(words);
            return -ENOMEM;
        }
    }
    for (size_t i = 1; i < n; i++)
        words[i] = words[i - 1] + strlen(words[i - 1]) + 1;
    words[n] = NULL;
    *ret_words = words;
    return 0;
}

int map_unquote_line(const char *line, char ***ret_words, size_t *ret_n)
{
    struct plait__buf bytes = { 0 };
    char **words = NULL;
    const char *p = line;
    size_t n = 0;
    int rc;

    do {
        p += n > 0; /* the blank */
        rc = read_word(&p, &bytes);
        n++;
    } while (rc == 0 && *p == ' ');
    if (rc == 0)
        rc = map_words_take(&bytes, n, &words);
    if (rc == 0)
        rc = check_line(line, words);
    plait__buf_fini(&bytes);
    if (rc < 0) {
        map_unquote_free(words);
        return rc;
    }
    *ret_words = words;
    *ret_n = n;
    return 0;
}

void map_unquote_free(char **words)
{
    if (words == NULL)
        return;
    free(words[0]);
    free(words);
}
