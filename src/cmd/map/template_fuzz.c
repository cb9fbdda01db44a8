/* Fuzzing the template. Input: flags, then NUL-separated the command and its values.
 * SPDX-License-Identifier: MIT
 *
 * Beyond not crashing: what a snippet becomes with hostile values is again a snippet that the
 * scanner reads to its end, so no value has closed or opened a quote.
 */
#include "cmd/map/template.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FLAG_SHELL = 1,
    FLAG_FILL_LINE = 2,
    FLAG_REPLACE = 4,
    FLAG_NAMES = 8,
    FLAG_COLUMNS = 16,
    FLAG_BASH = 32
};

static const struct map_place place = { .seq = 1234567, .slot = 12 };

static void expect(int claim)
{
    if (!claim)
        abort();
}

/* Is the filled snippet whole? A `…` is beyond the scanner once it has backslashes in it, as every
 * quoted value has. */
static void check_whole(const struct map_template_spec *spec, const char *snippet)
{
    struct map_template_spec again = {
        .n_words = 1, .shell = true, .shell_path = spec->shell_path, .no_values = true
    };
    char *word = strdup(snippet);
    struct map_template *template = NULL;
    struct plait__buf error = { 0 };

    expect(word != NULL);
    again.words = &word;
    if (strchr(snippet, '`') == NULL)
        expect(map_template_create(&template, &again, &error) == 0);
    map_template_destroy(template);
    plait__buf_fini(&error);
    free(word);
}

static void check_line(const struct map_command *command)
{
    struct map_command again = { 0 };

    expect(strchr(command->line, '\n') == NULL);
    expect(map_command_from_line(&again, command->argv[0], command->line) == 0);
    expect(strcmp(again.line, command->line) == 0);
    map_command_fini(&again);
}

static void fill(const struct map_template *template, const struct map_values *values,
                 int is_hostile, const struct map_template_spec *spec)
{
    struct map_command command = { 0 };
    struct plait__buf error = { 0 };
    size_t longest = 0, bytes = map_template_bytes(template, values, &longest);
    int rc = map_template_fill(template, values, &place, &command, &error);

    expect(rc == 0 || (rc == -EINVAL && error.len > 0));
    expect((bytes == SIZE_MAX) == (rc < 0));
    if (rc == 0) {
        expect(command.argv[command.argc] == NULL);
        check_line(&command);
        if (is_hostile && spec->shell)
            check_whole(spec, command.argv[2]);
    }
    map_command_fini(&command);
    plait__buf_fini(&error);
}

static void fill_hostile(const struct map_template *template, const struct map_template_spec *spec)
{
    static const char *const hostile[] = {
        "'",  "\"",    "\\", "$(",       "`",  "$'", "(", ")",
        "#x", "<<E\n", "\n", "a'b\"c\\", "((", "1",  "",  "a",
    };

    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct map_values values = { 0 };
        for (size_t k = 0; k < 2; k++)
            expect(map_values_add(&values, hostile[i], strlen(hostile[i])) == 0);
        fill(template, &values, 1, spec);
        map_values_fini(&values);
    }
}

static void run(const struct map_template_spec *spec, const struct map_values *values)
{
    struct map_template *template = NULL;
    struct plait__buf error = { 0 };
    int rc = map_template_create(&template, spec, &error);

    expect(rc == 0 || (rc == -EINVAL && error.len > 0));
    if (rc == 0) {
        fill(template, values, 0, spec);
        if (spec->replace == NULL &&
            spec->n_names == 0) /* else the filled text may hold one of them */
            fill_hostile(template, spec);
    }
    map_template_destroy(template);
    plait__buf_fini(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "name", "x.", "a" };
    struct map_values values = { 0 };
    struct plait__buf text = { 0 };

    if (size < 2)
        return 0;
    unsigned flags = data[0];
    char *bytes = malloc(size);
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    bytes[size - 1] = '\0';
    for (const char *p = bytes + strlen(bytes) + 1; p < bytes + size; p += strlen(p) + 1)
        expect(map_values_add(&values, p, strlen(p)) == 0);

    struct map_template_spec spec = {
        .words = &bytes,
        .n_words = 1,
        .shell = (flags & FLAG_SHELL) != 0,
        .shell_path = flags & FLAG_BASH ? "/bin/bash" : NULL,
        .replace = flags & FLAG_REPLACE ? ",," : NULL,
        .columns = flags & FLAG_COLUMNS ? 3 : 0,
        .names = names,
        .n_names = flags & FLAG_NAMES ? 3 : 0,
        .fill_line = (flags & FLAG_FILL_LINE) != 0,
    };
    run(&spec, &values);
    (void)map_is_snippet(bytes, spec.replace);
    (void)map_template_text(bytes, &values, &place, &text);
    plait__buf_fini(&text);
    map_values_fini(&values);
    free(bytes);
    return 0;
}
