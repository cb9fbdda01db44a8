/* --results DIR: GNU parallel's tree.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/results.h"

#include "cmd/map/printable.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    NAME_BYTES = 255,  /* of a file name on Linux */
    DIGEST_BYTES = 18, /* \# and 16 digits */
    NUMBER_BYTES = 24,
};

struct column {
    const char *name;
    const char *value;
    double number; /* of the name, as GNU parallel sorts it: 0 when it begins with none */
    char digits[NUMBER_BYTES]; /* the name of a column without one */
};

static uint64_t digest(const char *str)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *str; str++)
        hash = (hash ^ (unsigned char)*str) * UINT64_C(0x100000001b3);
    return hash;
}

static int add_escaped(struct plait__buf *buf, const char *str)
{
    int rc = 0;

    if (strcmp(str, ".") == 0 || strcmp(str, "..") == 0)
        rc = plait__buf_add_char(buf, '\\');
    for (; *str && rc == 0; str++) {
        if (*str == '/')
            rc = plait__buf_add_str(buf, "\\_");
        else if (*str == '\t')
            rc = plait__buf_add_str(buf, "\\t");
        else if (*str == '\\')
            rc = plait__buf_add_str(buf, "\\\\");
        else
            rc = plait__buf_add_char(buf, *str);
    }
    return rc;
}

/* Adds "/" and the name of one folder. No two different strings give the same name. */
static int add_folder(struct plait__buf *buf, const char *str)
{
    int rc = plait__buf_add_char(buf, '/');
    size_t start = buf->len, keep = start + NAME_BYTES - DIGEST_BYTES;

    if (rc == 0)
        rc = add_escaped(buf, str);
    if (rc < 0 || buf->len - start <= NAME_BYTES)
        return rc;
    while (keep > start && ((unsigned char)buf->data[keep] & 0xc0) == 0x80) /* no half characters */
        keep--;
    /* nor escapes: \\# would be a value's own */
    while (keep > start && buf->data[keep - 1] == '\\')
        keep--;
    buf->len = keep;
    return plait__buf_printf(buf, "\\#%016" PRIx64, digest(str));
}

/* The number at the beginning of a string, as Perl reads it: no hexadecimal, no infinity. */
static double read_number(const char *str)
{
    const char *at = str;

    while (isspace((unsigned char)*at))
        at++;
    if (*at == '-' || *at == '+')
        at++;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
        return 0;
    return isdigit((unsigned char)*at) || *at == '.' ? strtod(str, NULL) : 0;
}

static bool is_before(const struct column *a, const struct column *b)
{
    return a->number < b->number || (a->number == b->number && strcmp(a->name, b->name) < 0);
}

/* `ret`: room for all columns. Sorted by insertion: there are few, and columns of one name must keep their order. */
static void sort_columns(struct column **ret, struct column *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;

        for (; at > 0 && is_before(&columns[i], ret[at - 1]); at--)
            ret[at] = ret[at - 1];
        ret[at] = &columns[i];
    }
}

/* The folders of one record: two for each of its values. */
static int add_record(struct plait__buf *buf, const struct map_values *values,
                      const char *const *names, size_t n_names)
{
    struct column *columns = calloc(values->n + 1, sizeof *columns);
    struct column **sorted = calloc(values->n + 1, sizeof(struct column *));
    int rc = columns && sorted ? 0 : -ENOMEM;

    for (size_t i = 0; i < values->n && rc == 0; i++) {
        struct column *column = &columns[i];

        snprintf(column->digits, sizeof column->digits, "%zu", i + 1);
        column->name = i < n_names ? names[i] : column->digits;
        column->value = values->v[i];
        column->number = read_number(column->name);
    }
    if (rc == 0)
        sort_columns(sorted, columns, values->n);
    for (size_t i = 0; i < values->n && rc == 0; i++) {
        rc = add_folder(buf, sorted[i]->name);
        if (rc == 0)
            rc = add_folder(buf, sorted[i]->value);
    }
    free(columns);
    free(sorted);
    return rc;
}

/* Several records (-n, -X) stand one behind the other, each with the columns 1, 2 … */
static int add_folders(struct plait__buf *buf, const struct map_results_tree *tree,
                       const struct map_values *values)
{
    size_t width = tree->n_columns > 0 ? tree->n_columns : values->n;
    int rc = 0;

    for (size_t i = 0; i < values->n && rc == 0; i += width) {
        size_t left = values->n - i;
        struct map_values record = { .v = values->v + i, .n = left < width ? left : width };
        rc = add_record(buf, &record, tree->names, tree->n_names);
    }
    return rc;
}

/* Makes the folder and those above it. Mostly only the last one is missing. `path` is put back as it was. */
static int make_folders(char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return -errno;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        int rc;

        *slash = '\0';
        rc = mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -errno;
        *slash = '/';
        if (rc < 0)
            return rc;
    }
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -errno;
}

static char *join(const char *folder, const char *name)
{
    struct plait__buf buf = { 0 };
    char *path = NULL;

    if (plait__buf_printf(&buf, "%s/%s", folder, name) == 0)
        path = plait__buf_detach(&buf);
    plait__buf_fini(&buf);
    return path;
}

static int say(struct plait__buf *error, const char *path, int rc)
{
    plait__buf_clear(error);
    (void)plait__buf_add_str(error, "cannot make the folder '");
    (void)map_printable_add(error, path, strlen(path), &(struct map_printable){ .utf8 = true });
    (void)plait__buf_printf(error, "': %s", strerror(-rc));
    return rc;
}

int map_results_paths(struct map_results_paths *ret, const struct map_results_tree *tree,
                      const struct map_values *values, struct plait__buf *error)
{
    struct map_results_paths paths = { 0 };
    struct plait__buf folder = { 0 };
    int rc = *tree->dir ? plait__buf_add_str(&folder, tree->dir) : -ENOENT;

    if (rc == 0)
        rc = add_folders(&folder, tree, values);
    if (rc == 0)
        rc = make_folders(folder.data);
    if (rc < 0) {
        say(error, folder.data ? folder.data : tree->dir, rc);
        goto out;
    }
    paths.seq = join(folder.data, "seq");
    paths.out = join(folder.data, "stdout");
    paths.err = join(folder.data, "stderr");
    if (!paths.seq || !paths.out || !paths.err) {
        rc = say(error, folder.data, -ENOMEM);
        map_results_paths_fini(&paths);
        goto out;
    }
    *ret = paths;
out:
    plait__buf_fini(&folder);
    return rc;
}

void map_results_paths_fini(struct map_results_paths *paths)
{
    free(paths->seq);
    free(paths->out);
    free(paths->err);
    *paths = (struct map_results_paths){ 0 };
}
