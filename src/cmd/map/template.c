/* The command of a job: reading what was given.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/template.h"

#include "cmd/map/template_private.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more element in an array of *cap elements of which n are used. */
static int grow(void **array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return 0;
    size_t more = *cap == 0 ? 8 : *cap * 2;
    if (more > SIZE_MAX / size)
        return -ENOMEM;
    void *new_array = realloc(*array, more * size);
    if (new_array == NULL)
        return -ENOMEM;
    *array = new_array;
    *cap = more;
    return 0;
}

int map_template_add_part(struct map_template *template, const struct map_part *part)
{
    void *parts = template->parts;
    int rc = grow(&parts, template->n_parts, &template->cap_parts, sizeof *part);

    template->parts = parts;
    if (rc == 0)
        template->parts[template->n_parts++] = *part;
    return rc;
}

int map_template_add_text(struct map_template *template, const char *bytes, size_t len)
{
    struct map_part part = { .kind = MAP_PART_TEXT, .bytes = bytes, .len = len };

    return len > 0 ? map_template_add_part(template, &part) : 0;
}

int map_template_add_word(struct map_template *template, const struct map_word *word)
{
    void *words = template->words;
    int rc = grow(&words, template->n_words, &template->cap_words, sizeof *word);

    template->words = words;
    if (rc == 0)
        template->words[template->n_words++] = *word;
    return rc;
}

/* One word to execute. Adds to *ret_found how many replacement strings it has. */
static int read_word(struct map_template *template, const struct map_syntax *syntax,
                     const char *source, size_t *ret_found, struct plait__buf *error)
{
    struct map_word word = { .first = template->n_parts, .source = source };
    const char *text = source, *p = source;
    int rc = 0;

    while (rc == 0 && *p != '\0') {
        struct map_part part;
        bool is_shells = p[0] == '$' && p[1] == '{'; /* of the inner shell: sh -c 'echo ${1}' */
        size_t len = is_shells ? 0 : map_part_parse(syntax, p, &part);
        if (len == 0) {
            p += is_shells ? 2 : 1;
            continue;
        }
        rc = map_part_check(syntax, &part, p, len, error);
        if (rc == 0)
            rc = map_template_add_text(template, text, (size_t)(p - text));
        if (rc == 0)
            rc = map_template_add_part(template, &part);
        word.has_values |= part.kind == MAP_PART_VALUES;
        ++*ret_found;
        text = p += len;
    }
    if (rc == 0)
        rc = map_template_add_text(template, text, (size_t)(p - text));
    word.end = template->n_parts;
    return rc == 0 ? map_template_add_word(template, &word) : rc;
}

/* {} as a word of its own. */
static int append_values(struct map_template *template)
{
    struct map_part part = { .kind = MAP_PART_VALUES };
    struct map_word word = { .first = template->n_parts, .has_values = true, .source = "{}" };
    int rc = map_template_add_part(template, &part);

    word.end = template->n_parts;
    return rc == 0 ? map_template_add_word(template, &word) : rc;
}

static int read_words(struct map_template *template, const struct map_syntax *syntax,
                      const struct map_template_spec *spec, struct plait__buf *error)
{
    const char *source = template->source.data;
    size_t found = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < spec->n_words; i++) {
        rc = read_word(template, syntax, source, &found, error);
        source += strlen(source) + 1;
    }
    if (rc == 0 && found == 0 && !spec->no_values)
        rc = append_values(template);
    return rc;
}

/* Copies the words, `separator` behind each but the last and a NUL behind that. */
static int copy_source(struct map_template *template, const struct map_template_spec *spec,
                       char separator)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < spec->n_words; i++) {
        bool is_last = i + 1 == spec->n_words;
        rc = plait__buf_add_str(&template->source, spec->words[i]);
        if (rc == 0)
            rc = plait__buf_add(&template->source, is_last ? "" : &separator, 1);
    }
    return rc;
}

static int read_template(struct map_template *template, const struct map_template_spec *spec,
                         struct plait__buf *error)
{
    struct map_syntax syntax = {
        .replace = spec->replace,
        .names = spec->names,
        .n_names = spec->n_names,
        .columns = spec->columns,
    };
    struct map_part input = { .kind = MAP_PART_VALUES };

    if (spec->n_words == 0) { /* the input is the snippet */
        template->shell = true;
        return map_template_add_part(template, &input);
    }
    int rc = copy_source(template, spec, spec->shell ? ' ' : '\0');
    if (rc < 0)
        return rc;
    return spec->shell ? map_template_scan(template, &syntax, !spec->no_values, error)
                       : read_words(template, &syntax, spec, error);
}

int map_template_create(struct map_template **ret, const struct map_template_spec *spec,
                        struct plait__buf *error)
{
    struct map_template *template = calloc(1, sizeof *template);

    if (template == NULL)
        return -ENOMEM;
    template->shell = spec->shell;
    template->fill_line = spec->fill_line;
    template->shell_path = spec->shell_path != NULL ? spec->shell_path : "/bin/sh";
    int rc = read_template(template, spec, error);
    if (rc < 0) {
        map_template_destroy(template);
        return rc;
    }
    *ret = template;
    return 0;
}

void map_template_destroy(struct map_template *template)
{
    if (template == NULL)
        return;
    free(template->parts);
    free(template->words);
    plait__buf_fini(&template->source);
    free(template);
}

bool map_template_names_slot(const struct map_template *template)
{
    for (size_t i = 0; i < template->n_parts; i++)
        if (template->parts[i].kind == MAP_PART_SLOT)
            return true;
    return false;
}

const char *map_template_program(const struct map_template *template)
{
    if (template->shell)
        return NULL;
    const struct map_word *word = &template->words[0];
    for (size_t i = word->first; i < word->end; i++)
        if (template->parts[i].kind != MAP_PART_TEXT)
            return NULL;
    return word->source;
}

const char *map_template_suspicious(char *const *words, size_t n)
{
    static const char *const signs[] = { "|", ">", ">>", "<", "2>", "&&", "||", "&" };

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof signs / sizeof *signs; k++)
            if (strcmp(words[i], signs[k]) == 0)
                return words[i];
    return NULL;
}

/* name=…: an assignment is the shell's business. */
static bool is_assignment(const char *word)
{
    size_t n = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

    return n > 0 && word[n] == '=' && (word[0] < '0' || word[0] > '9');
}

bool map_is_snippet(const char *word, const char *replace)
{
    struct map_syntax syntax = { .replace = replace };

    if (word[0] == '#' || word[0] == '~' || is_assignment(word))
        return true;
    while (*word != '\0') {
        struct map_part part;
        size_t len = map_part_parse(&syntax, word, &part);
        if (len == 0 && strchr(" \t\n|&;<>()$`\\\"'*?[]", *word) != NULL)
            return true;
        word += len > 0 ? len : 1;
    }
    return false;
}
