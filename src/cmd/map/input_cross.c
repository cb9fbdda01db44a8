/* Crossing and linking: an odometer whose first wheel is a stream.
 * SPDX-License-Identifier: MIT
 *
 * Moving to the next tuple turns the last group; one that is at its end starts again and turns the group before it.
 * The first group may say -EAGAIN at any of its streams. What was turned until then is kept in is_first_due and
 * n_stepped, so that the next call goes on exactly there.
 */
#include "cmd/map/input_cross.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t group_end(const struct map_cross *cross, size_t first)
{
    size_t end = first + 1;

    while (end < cross->n && cross->linked[end])
        end++;
    return end;
}

static size_t group_start(const struct map_cross *cross, size_t last)
{
    while (last > 0 && cross->linked[last])
        last--;
    return last;
}

/* Takes back what was added. */
static void cut_values(struct map_values *values, size_t n)
{
    while (values->n > n)
        free(values->v[--values->n]);
}

static int add_record(const struct map_cross *cross, const struct map_stream *stream, bool trim,
                      struct map_values *values, struct plait__buf *error)
{
    int rc;

    if (cross->columns == NULL)
        return map_values_add(values, stream->record, stream->len);
    rc = map_columns_split(cross->columns, stream->record, stream->len, trim, values);
    if (rc == -EMSGSIZE &&
        plait__buf_printf(error, "input of %zu bytes is too long for the expression of --colsep",
                          stream->len) < 0)
        rc = -ENOMEM;
    return rc;
}

/* GNU parallel takes the CR of a header off, but leaves blanks in the names. */
static int read_header(struct map_cross *cross, struct map_stream *stream, struct plait__buf *error)
{
    int rc = map_stream_next_header(stream, error);

    if (rc <= 0)
        return rc;
    if (stream->len > 0 && stream->record[stream->len - 1] == '\r')
        stream->len--;
    return add_record(cross, stream, false, &cross->names, error);
}

static int open_source(struct map_cross *cross, const struct map_source *source,
                       const struct map_cut *cut, struct plait__buf *error)
{
    size_t i = cross->n;
    struct map_stream *stream = &cross->streams[i];
    int rc;

    if (source->args != NULL) {
        map_stream_open_args(stream, cut, source->args, source->n_args);
    } else {
        rc = map_stream_open_file(stream, cut, source->path, error);
        if (rc < 0)
            return rc;
        cross->reads_terminal |= isatty(stream->fd) == 1;
    }
    cross->linked[i] = i > 0 && source->linked;
    stream->held = group_start(cross, i) > 0;
    cross->n++;
    return 0;
}

static int check_stdin_once(const struct map_options *options, struct plait__buf *error)
{
    unsigned times = 0;
    int rc;

    for (size_t i = 0; i < options->n_sources; i++)
        times += options->sources[i].args == NULL && strcmp(options->sources[i].path, "-") == 0;
    if (times < 2)
        return 0;
    rc = plait__buf_add_str(error, "standard input can be only one of the sources");
    return rc < 0 ? rc : -EINVAL;
}

/* Whatever is a file now is read, and its descriptor closed; a slow pipe is read on in map_cross_next. */
static int load_early(struct map_stream *stream, struct plait__buf *error)
{
    int rc = stream->held ? map_stream_load(stream, error) : 0;

    return rc == -EAGAIN ? 0 : rc;
}

static int open_all(struct map_cross *cross, const struct map_options *options,
                    const struct map_cut *cut, struct plait__buf *error)
{
    static const struct map_source standard_input = { .path = "-" };
    const struct map_source *sources = options->n_sources > 0 ? options->sources : &standard_input;
    size_t n = options->n_sources > 0 ? options->n_sources : 1;
    int rc = check_stdin_once(options, error);

    if (rc < 0)
        return rc;
    cross->streams = calloc(n, sizeof *cross->streams);
    cross->linked = calloc(n, sizeof *cross->linked);
    if (cross->streams == NULL || cross->linked == NULL)
        return -ENOMEM;
    if (options->colsep != NULL)
        rc = map_columns_create(&cross->columns, options->colsep, error);
    for (size_t i = 0; rc >= 0 && i < n; i++) {
        rc = open_source(cross, &sources[i], cut, error);
        if (rc >= 0 && options->header != NULL)
            rc = read_header(cross, &cross->streams[i], error);
        if (rc >= 0)
            rc = load_early(&cross->streams[i], error);
    }
    return rc < 0 ? rc : 0;
}

int map_cross_open(struct map_cross *cross, const struct map_options *options,
                   const struct map_cut *cut, struct plait__buf *error)
{
    int rc;

    *cross = (struct map_cross){ .waiting_fd = -1 };
    rc = open_all(cross, options, cut, error);
    if (rc < 0)
        map_cross_close(cross);
    return rc;
}

void map_cross_close(struct map_cross *cross)
{
    for (size_t i = 0; i < cross->n; i++)
        map_stream_close(&cross->streams[i]);
    free(cross->streams);
    free(cross->linked);
    map_columns_destroy(cross->columns);
    map_values_fini(&cross->names);
    *cross = (struct map_cross){ .waiting_fd = -1 };
}

/* Moves the streams first … end - 1, of which the first *n_stepped have moved: 1, or what the one that did not says. */
static int step_group(struct map_cross *cross, size_t first, size_t end, size_t *n_stepped,
                      struct plait__buf *error)
{
    for (; first + *n_stepped < end; ++*n_stepped) {
        struct map_stream *stream = &cross->streams[first + *n_stepped];
        int rc = map_stream_next(stream, error);

        if (rc == -EAGAIN)
            cross->waiting_fd = stream->fd;
        if (rc <= 0)
            return rc;
    }
    *n_stepped = 0;
    return 1;
}

/* To the first tuple of a held group: 1; 0: it has none. */
static int restart_group(struct map_cross *cross, size_t first, size_t end,
                         struct plait__buf *error)
{
    size_t n_stepped = 0;

    for (size_t i = first; i < end; i++)
        map_stream_rewind(&cross->streams[i]);
    return step_group(cross, first, end, &n_stepped, error);
}

/* 1: all held sources stand on their first records; 0: one of them has none, so that there is no tuple at all. */
static int load_held(struct map_cross *cross, struct plait__buf *error)
{
    size_t first = group_end(cross, 0);

    for (size_t i = first; i < cross->n; i++) {
        int rc = map_stream_load(&cross->streams[i], error);

        if (rc == -EAGAIN)
            cross->waiting_fd = cross->streams[i].fd;
        if (rc < 0)
            return rc;
    }
    for (size_t end; first < cross->n; first = end) {
        int rc;

        end = group_end(cross, first);
        rc = restart_group(cross, first, end, error);
        if (rc <= 0)
            return rc;
    }
    cross->is_loaded = true;
    cross->is_first_due = true;
    return 1;
}

/* Turns the held groups: 1; 0: all of them have come round. */
static int step_held(struct map_cross *cross, struct plait__buf *error)
{
    size_t end = cross->n;

    while (end > 0) {
        size_t first = group_start(cross, end - 1), n_stepped = 0;
        int rc;

        if (first == 0)
            break;
        rc = step_group(cross, first, end, &n_stepped, error);
        if (rc != 0)
            return rc;
        rc = restart_group(cross, first, end, error);
        if (rc <= 0)
            return rc;
        end = first;
    }
    return 0;
}

static int advance(struct map_cross *cross, struct plait__buf *error)
{
    int rc;

    if (!cross->is_loaded && (rc = load_held(cross, error)) <= 0)
        return rc;
    if (!cross->is_first_due) {
        rc = step_held(cross, error);
        if (rc != 0)
            return rc;
        cross->is_first_due = true;
    }
    rc = step_group(cross, 0, group_end(cross, 0), &cross->n_stepped, error);
    if (rc > 0)
        cross->is_first_due = false;
    return rc;
}

int map_cross_next(struct map_cross *cross, struct map_values *values, struct plait__buf *error)
{
    size_t had = values == NULL ? 0 : values->n;
    int rc = advance(cross, error);

    if (rc <= 0 || values == NULL)
        return rc;
    for (size_t i = 0; i < cross->n; i++) {
        rc = add_record(cross, &cross->streams[i], true, values, error);
        if (rc < 0) {
            cut_values(values, had);
            return rc;
        }
    }
    return 1;
}

void map_cross_read_ahead(struct map_cross *cross)
{
    size_t end = group_end(cross, 0);

    for (size_t i = 0; i < end; i++)
        map_stream_read_ahead(&cross->streams[i]);
}

int64_t map_cross_total(const struct map_cross *cross)
{
    int64_t total = 1;
    bool is_known = true;

    for (size_t first = 0, end; first < cross->n; first = end) {
        int64_t group = INT64_MAX;

        end = group_end(cross, first);
        for (size_t i = first; i < end; i++) {
            int64_t one = map_stream_total(&cross->streams[i]);

            group = one < group ? one : group; /* -1 wins: not known */
        }
        if (group == 0)
            return 0;
        if (group < 0 || __builtin_mul_overflow(total, group, &total))
            is_known = false;
    }
    return is_known ? total : -1;
}
