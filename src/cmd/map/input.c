/* The inputs of the jobs, put together: sources (input_stream), columns (input_columns), crossing (input_cross) and
 * batches (input_batch).
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/input.h"

#include "cmd/map/input_batch.h"
#include "cmd/map/input_cross.h"
#include "cmd/map/input_delimiter.h"

#include <errno.h>
#include <stdlib.h>

struct map_input {
    struct map_cross cross;
    struct map_batch batch;
    size_t columns; /* what map_input_columns says */
};

static size_t count_columns(const struct map_options *options, size_t n_sources)
{
    size_t columns = n_sources;

    if (options->colsep != NULL)
        return 0;
    if (options->has_max_args)
        return options->max_args > SIZE_MAX / n_sources ? 0 : columns * (size_t)options->max_args;
    return options->fill_line ? 0 : columns;
}

static int find_cut(const struct map_options *options, struct map_cut *ret,
                    struct plait__buf *error)
{
    ret->skip_blank = options->no_run_if_empty;
    ret->delimiter = options->null ? '\0' : '\n';
    if (options->null || options->delimiter == NULL)
        return 0;
    return map_delimiter_parse(&ret->delimiter, options->delimiter, error);
}

int map_input_open(struct map_input **ret, const struct map_options *options,
                   struct plait__buf *error)
{
    struct map_input *input = calloc(1, sizeof *input);
    struct map_cut cut;
    int rc;

    if (input == NULL)
        return -ENOMEM;
    rc = find_cut(options, &cut, error);
    if (rc == 0)
        rc = map_cross_open(&input->cross, options, &cut, error);
    if (rc < 0) {
        free(input);
        return rc;
    }
    map_batch_init(&input->batch, &input->cross, options);
    input->columns = count_columns(options, input->cross.n);
    *ret = input;
    return 0;
}

void map_input_close(struct map_input *input)
{
    if (input == NULL)
        return;
    map_batch_fini(&input->batch);
    map_cross_close(&input->cross);
    free(input);
}

const char *const *map_input_names(const struct map_input *input, size_t *ret_n)
{
    *ret_n = input->cross.names.n;
    return (const char *const *)input->cross.names.v;
}

size_t map_input_columns(const struct map_input *input)
{
    return input->columns;
}

void map_input_set_template(struct map_input *input, const struct map_template *template,
                            unsigned jobs)
{
    input->batch.template = template;
    input->batch.jobs = jobs > 0 ? jobs : 1;
}

int map_input_next(struct map_input *input, struct map_values *ret, struct plait__buf *error)
{
    return map_batch_next(&input->batch, ret, error);
}

int map_input_fd(const struct map_input *input)
{
    return input->cross.waiting_fd;
}

void map_input_read_ahead(struct map_input *input)
{
    map_cross_read_ahead(&input->cross);
}

bool map_input_reads_terminal(const struct map_input *input)
{
    return input->cross.reads_terminal;
}

int64_t map_input_total(const struct map_input *input)
{
    return map_batch_total(&input->batch);
}
