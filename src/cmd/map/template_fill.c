/* Parts + values = a command.
 * SPDX-License-Identifier: MIT
 *
 * argv is one block of bytes with pointers into it. The line of a command must mean the same when a
 * shell reads it later (--retry-failed, a person with a terminal):
 *
 *   words to execute     each as map_quote_line writes it.
 *   a snippet            itself, when it is one line that reads like nothing else;
 *                        else eval $'…', or eval '…' when it would read like words that
 *                        map_quote_line wrote with $'.
 *
 * dash before 0.5.13 does not know $'…', so map_command_from_line undoes exactly these lines itself
 * and leaves every other line to the shell.
 */
#include "cmd/map/quote.h"
#include "cmd/map/template.h"
#include "cmd/map/template_private.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALL_VALUES = -1
};

struct fill {
    const struct map_template *template;
    const struct map_values *values;
    const struct map_place *place;
    struct plait__buf *error; /* may be NULL */
    struct plait__buf out;
    struct plait__buf value;  /* scratch: a value that has no NUL behind */
    struct plait__buf quoted; /* scratch: before `…` takes a layer of backslashes away */
};

static void fini_fill(struct fill *fill)
{
    plait__buf_fini(&fill->out);
    plait__buf_fini(&fill->value);
    plait__buf_fini(&fill->quoted);
}

/* [+-]digit…: letters may follow a digit (0x1f), which can't name a variable then. */
static bool is_number(const char *value)
{
    value += *value == '-' || *value == '+';
    if (*value < '0' || *value > '9')
        return false;
    return value[strspn(value, "0123456789abcdefxABCDEFX")] == '\0';
}

static int refuse_number(struct fill *fill, const char *value)
{
    int rc = 0;

    if (fill->error != NULL) {
        rc = plait__buf_add_str(fill->error,
                                "not a number, but the snippet does arithmetic with it: ");
        if (rc == 0)
            rc = map_quote_line(fill->error, value);
    }
    return rc < 0 ? rc : -EINVAL;
}

/* A value as the place wants it. */
static int add_quoted(struct fill *fill, const struct map_part *part, const char *value,
                      struct plait__buf *out)
{
    int rc;

    switch (part->place) {
    case MAP_PLACE_BARE:
        if (!part->guarded)
            return map_quote_bare(out, value);
        rc = plait__buf_add_char(out, '\'');
        if (rc == 0)
            rc = map_quote_single(out, value);
        return rc < 0 ? rc : plait__buf_add_char(out, '\'');
    case MAP_PLACE_SINGLE:
        return map_quote_single(out, value);
    case MAP_PLACE_DOUBLE:
        rc = part->guarded ? plait__buf_add(out, "\"\"", 2) : 0; /* closed and opened again */
        return rc < 0 ? rc : map_quote_double(out, value);
    case MAP_PLACE_NUMBER:
        return is_number(value) ? plait__buf_add_str(out, value) : refuse_number(fill, value);
    case MAP_PLACE_RAW:
    default:
        return plait__buf_add_str(out, value);
    }
}

static int add_backquoted(struct fill *fill, const struct map_part *part, const char *value)
{
    plait__buf_clear(&fill->quoted);
    int rc = add_quoted(fill, part, value, &fill->quoted);

    for (size_t i = 0; rc == 0 && i < fill->quoted.len; i++) {
        char c = fill->quoted.data[i];
        if (c == '\\' || c == '`' || c == '$')
            rc = plait__buf_add_char(&fill->out, '\\');
        if (rc == 0)
            rc = plait__buf_add_char(&fill->out, c);
    }
    return rc;
}

static int add_value(struct fill *fill, const struct map_part *part, const char *value)
{
    size_t len;

    value = map_part_apply(part, value, &len);
    if (part->place == MAP_PLACE_RAW)
        return plait__buf_add(&fill->out, value, len);
    if (value[len] != '\0') {
        plait__buf_clear(&fill->value);
        int rc = plait__buf_add(&fill->value, value, len);
        if (rc < 0)
            return rc;
        value = fill->value.data;
    }
    return part->backquoted ? add_backquoted(fill, part, value)
                            : add_quoted(fill, part, value, &fill->out);
}

static int add_number(struct fill *fill, const struct map_part *part, uint64_t number)
{
    char digits[24]; /* 2^64 has 20 */
    char *p = digits + sizeof digits - 1;

    *p = '\0';
    do
        *--p = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return add_value(fill, part, p);
}

/* `only`: the one value that {} stands for in a repetition, or ALL_VALUES. */
static int add_part(struct fill *fill, const struct map_part *part, int64_t only)
{
    int rc = 0;

    switch (part->kind) {
    case MAP_PART_VALUES:
        if (only != ALL_VALUES)
            return add_value(fill, part, fill->values->v[only]);
        for (size_t i = 0; rc == 0 && i < fill->values->n; i++) {
            if (i > 0)
                rc = plait__buf_add_char(&fill->out, ' ');
            if (rc == 0)
                rc = add_value(fill, part, fill->values->v[i]);
        }
        return rc;
    case MAP_PART_ONE:
        return add_value(fill, part, map_part_pick(part, fill->values));
    case MAP_PART_SEQ:
        return add_number(fill, part, fill->place->seq);
    case MAP_PART_SLOT:
        return add_number(fill, part, fill->place->slot);
    case MAP_PART_TEXT:
    default:
        return plait__buf_add(&fill->out, part->bytes, part->len);
    }
}

static int add_parts(struct fill *fill, size_t first, size_t end, int64_t only)
{
    int rc = 0;

    for (size_t i = first; rc == 0 && i < end; i++)
        rc = add_part(fill, &fill->template->parts[i], only);
    return rc;
}

/* The parts once for each value, `separator` behind each (or between them, if it is a blank). */
static int add_repeated(struct fill *fill, const struct map_word *word, char separator)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < fill->values->n; i++) {
        if (separator == ' ' && i > 0)
            rc = plait__buf_add_char(&fill->out, ' ');
        if (rc == 0)
            rc = add_parts(fill, word->first, word->end, (int64_t)i);
        if (rc == 0 && separator == '\0')
            rc = plait__buf_add_char(&fill->out, '\0');
    }
    return rc;
}

static int fill_snippet(struct fill *fill)
{
    const struct map_template *template = fill->template;
    size_t part = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < template->n_words; i++) {
        rc = add_parts(fill, part, template->words[i].first, ALL_VALUES);
        if (rc == 0)
            rc = add_repeated(fill, &template->words[i], ' ');
        part = template->words[i].end;
    }
    return rc == 0 ? add_parts(fill, part, template->n_parts, ALL_VALUES) : rc;
}

static int refuse_values(struct fill *fill, const struct map_word *word)
{
    int rc = 0;

    if (fill->error != NULL)
        rc = plait__buf_printf(
            fill->error,
            "'%s' holds all %zu values inside one word; use {1} for the first one, or -X to"
            " repeat the word for each",
            word->source, fill->values->n);
    return rc < 0 ? rc : -EINVAL;
}

/* Adds the words, a NUL behind each. How many: *ret_n. */
static int fill_words(struct fill *fill, size_t *ret_n)
{
    const struct map_template *template = fill->template;
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < template->n_words; i++) {
        const struct map_word *word = &template->words[i];
        bool is_whole = word->end - word->first == 1;
        if (word->has_values && (is_whole || template->fill_line)) {
            rc = add_repeated(fill, word, '\0');
            n += fill->values->n;
            continue;
        }
        if (word->has_values && fill->values->n > 1)
            return refuse_values(fill, word);
        rc = add_parts(fill, word->first, word->end, ALL_VALUES);
        if (rc == 0)
            rc = plait__buf_add_char(&fill->out, '\0');
        n++;
    }
    *ret_n = n;
    return rc;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

/* Would map_command_from_line take the snippet for words to execute? 1, 0, -ENOMEM. */
static int reads_like_words(const char *snippet)
{
    char **words;
    size_t n;

    if (strstr(snippet, "$'") == NULL)
        return 0;
    int rc = map_unquote_line(snippet, &words, &n);
    if (rc == 0)
        map_unquote_free(words);
    return rc == -EINVAL ? 0 : rc == 0 ? 1 : rc;
}

/* A snippet that begins like an option gets a blank first: not every shell takes "--" after -c, or
 * eval. */
static int add_snippet(struct plait__buf *buf, const char *snippet)
{
    int rc = snippet[0] == '-' || snippet[0] == '+' ? plait__buf_add_char(buf, ' ') : 0;

    return rc == 0 ? plait__buf_add_str(buf, snippet) : rc;
}

static int add_snippet_line(struct plait__buf *line, const char *snippet)
{
    struct plait__buf copy = { 0 };
    int rc = has_control(snippet) ? 1 : reads_like_words(snippet);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return plait__buf_add_str(line, snippet);
    rc = add_snippet(&copy, snippet);
    if (rc == 0)
        rc = plait__buf_add_str(line, "eval ");
    if (rc == 0)
        rc = map_quote_line(line, copy.data);
    plait__buf_fini(&copy);
    return rc;
}

static int add_words_line(struct plait__buf *line, const char *words, size_t n)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (i > 0)
            rc = plait__buf_add_char(line, ' ');
        if (rc == 0)
            rc = map_quote_line(line, words);
        words += strlen(words) + 1;
    }
    return rc;
}

/* argv of "SHELL -c SNIPPET", as words with a NUL behind each. */
static int add_shell_words(struct plait__buf *bytes, const char *shell_path, const char *snippet)
{
    int rc = plait__buf_add(bytes, shell_path, strlen(shell_path) + 1);

    if (rc == 0)
        rc = plait__buf_add(bytes, "-c", 3);
    if (rc == 0)
        rc = add_snippet(bytes, snippet);
    return rc == 0 ? plait__buf_add_char(bytes, '\0') : rc;
}

/* Takes both buffers over. */
static int make_command(struct map_command *ret, struct plait__buf *bytes, size_t n,
                        struct plait__buf *line)
{
    struct map_command command = { .argc = n };

    command.line = plait__buf_detach(line);
    int rc = command.line != NULL ? map_words_take(bytes, n, &command.argv) : -ENOMEM;
    if (rc < 0) {
        free(command.line);
        return rc;
    }
    *ret = command;
    return 0;
}

/* Gives argv as bytes in fill->out, and unless NULL the line. */
static int fill_all(struct fill *fill, size_t *ret_n, struct plait__buf *line)
{
    struct plait__buf snippet;
    int rc;

    if (!fill->template->shell) {
        rc = fill_words(fill, ret_n);
        if (rc == 0 && line != NULL)
            rc = add_words_line(line, fill->out.data, *ret_n);
        return rc;
    }
    rc = fill_snippet(fill);
    if (rc == 0)
        rc = plait__buf_reserve(&fill->out, 0); /* "" has no data yet */
    if (rc < 0)
        return rc;
    snippet = fill->out;
    fill->out = (struct plait__buf){ 0 };
    *ret_n = 3;
    rc = add_shell_words(&fill->out, fill->template->shell_path, snippet.data);
    if (rc == 0 && line != NULL)
        rc = add_snippet_line(line, snippet.data);
    plait__buf_fini(&snippet);
    return rc;
}

int map_template_fill(const struct map_template *template, const struct map_values *values,
                      const struct map_place *place, struct map_command *ret,
                      struct plait__buf *error)
{
    struct fill fill = { .template = template, .values = values, .place = place, .error = error };
    struct plait__buf line = { 0 };
    size_t n = 0;
    int rc = fill_all(&fill, &n, &line);

    if (rc == 0)
        rc = make_command(ret, &fill.out, n, &line);
    fini_fill(&fill);
    plait__buf_fini(&line);
    return rc;
}

void map_command_fini(struct map_command *command)
{
    map_unquote_free(command->argv);
    free(command->line);
    *command = (struct map_command){ 0 };
}

/* The words that only we can read back from the line. 0; -EINVAL: it is the shell's. */
static int read_own_line(const char *line, char ***ret_words, size_t *ret_n)
{
    return strstr(line, "$'") != NULL ? map_unquote_line(line, ret_words, ret_n) : -EINVAL;
}

int map_command_from_line(struct map_command *ret, const char *shell_path, const char *line)
{
    struct plait__buf bytes = { 0 }, copy = { 0 };
    struct map_command command = { 0 };
    char **words = NULL;
    size_t n = 0;
    int rc = read_own_line(line, &words, &n);

    if (rc == -ENOMEM)
        return rc;
    if (rc == 0 && (n != 2 || strcmp(words[0], "eval") != 0)) {
        command.argv = words;
        command.argc = n;
        command.line = strdup(line);
        if (command.line == NULL) {
            map_unquote_free(words);
            return -ENOMEM;
        }
        *ret = command;
        return 0;
    }
    rc = add_shell_words(&bytes, shell_path != NULL ? shell_path : "/bin/sh",
                         rc == 0 ? words[1] : line);
    if (rc == 0)
        rc = plait__buf_add_str(&copy, line);
    if (rc == 0)
        rc = make_command(ret, &bytes, 3, &copy);
    map_unquote_free(words);
    plait__buf_fini(&bytes);
    plait__buf_fini(&copy);
    return rc;
}

/* A job far down the input: its number is as long as it gets. */
static const struct map_place far_place = { .seq = UINT32_MAX, .slot = UINT16_MAX };

size_t map_template_bytes(const struct map_template *template, const struct map_values *values,
                          size_t *ret_longest)
{
    struct fill fill = { .template = template, .values = values, .place = &far_place };
    size_t n = 0, longest = 0, bytes;

    if (fill_all(&fill, &n, NULL) < 0) {
        longest = bytes = SIZE_MAX;
    } else {
        bytes = fill.out.len + (n + 1) * sizeof(char *);
        for (size_t at = 0; at < fill.out.len;) {
            size_t len = strlen(fill.out.data + at) + 1;
            longest = len > longest ? len : longest;
            at += len;
        }
    }
    fini_fill(&fill);
    *ret_longest = longest;
    return bytes;
}

int map_template_text(const char *text, const struct map_values *values,
                      const struct map_place *place, struct plait__buf *ret)
{
    struct map_syntax syntax = { 0 };
    struct fill fill = { .values = values, .place = place };
    int rc = 0;

    while (rc == 0 && *text != '\0') {
        struct map_part part;
        size_t len = map_part_parse(&syntax, text, &part);
        if (len > 0 && part.kind == MAP_PART_ONE && part.position == 0)
            rc = -EINVAL;
        else if (len > 0)
            rc = add_part(&fill, &part, ALL_VALUES);
        else
            rc = plait__buf_add_char(&fill.out, *text);
        text += len > 0 ? len : 1;
    }
    if (rc == 0)
        rc = plait__buf_add(ret, fill.out.data, fill.out.len);
    fini_fill(&fill);
    return rc;
}
