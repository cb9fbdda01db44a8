/* Templates in one call, for the tests of the template.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_TEMPLATE_TEST_H
#define PLAIT__CMD_MAP_TEMPLATE_TEST_H

#include "cmd/map/quote.h"
#include "cmd/map/template.h"

#include "test.h"

#include <stdio.h>
#include <string.h>

/* A NULL-terminated list of strings in place. */
#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NONE      ((const char *const[]){ NULL })

static inline void add_values(struct map_values *values, const char *const *strings)
{
    for (; *strings != NULL; strings++)
        CHECK_INT(map_values_add(values, *strings, strlen(*strings)), 0);
}

/* Sets spec->words (which outlives the caller's use) from the list. */
static inline void set_words(struct map_template_spec *spec, const char *const *words)
{
    static char *copies[32];

    spec->n_words = 0;
    for (; words[spec->n_words] != NULL; spec->n_words++) {
        CHECK(spec->n_words < 32);
        copies[spec->n_words] = strdup(words[spec->n_words]);
    }
    spec->words = copies;
}

static inline void free_words(const struct map_template_spec *spec)
{
    for (size_t i = 0; i < spec->n_words; i++)
        free(spec->words[i]);
}

/* Creates and fills; the code of what failed first, with its sentence in `error`. */
static inline int make_command(struct map_template_spec *spec, const char *const *words,
                               const char *const *strings, struct map_command *ret,
                               struct plait__buf *error)
{
    const struct map_place place = { .seq = 7, .slot = 3 };
    struct map_template *template = NULL;
    struct map_values values = { 0 };

    set_words(spec, words);
    int rc = map_template_create(&template, spec, error);
    free_words(spec); /* the template has its own copy */
    if (rc == 0) {
        add_values(&values, strings);
        rc = map_template_fill(template, &values, &place, ret, error);
    }
    map_values_fini(&values);
    map_template_destroy(template);
    return rc;
}

#endif
