/* Packing tuples into jobs.
 * SPDX-License-Identifier: MIT
 *
 * Measuring a command takes time in proportion to its length, so it is not measured after each tuple, but after 1, 2,
 * 4, 8 … of them; the first one that is too long is cut back by halving. What was read beyond the cut waits in `pending`
 * for the next job: never more than one job's worth.
 */
#include "cmd/map/input_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    COMMAND_BYTES = 128 << 10,   /* GNU parallel's bound of a command, and the kernel's of a word */
    COMMAND_BYTES_MIN = 4 << 10, /* however large the environment is */
};

/* Half of what the kernel takes less the environment, since the jobs add to that. */
static size_t find_max_bytes(void)
{
    long arg_max = sysconf(_SC_ARG_MAX);
    size_t half = arg_max > 0 ? (size_t)arg_max / 2 : COMMAND_BYTES;
    size_t used = sizeof *environ;

    for (char **var = environ; var != NULL && *var != NULL; var++)
        used += strlen(*var) + 1 + sizeof *var;
    if (half < used + COMMAND_BYTES_MIN)
        return COMMAND_BYTES_MIN;
    return half - used < COMMAND_BYTES ? half - used : COMMAND_BYTES;
}

void map_batch_init(struct map_batch *batch, struct map_cross *cross,
                    const struct map_options *options)
{
    *batch = (struct map_batch){
        .cross = cross,
        .jobs = 1,
        .most = options->has_max_args ? options->max_args
                : options->fill_line  ? UINT64_MAX
                                      : 1,
        .max_line = options->max_chars > SIZE_MAX ? SIZE_MAX : (size_t)options->max_chars,
        .max_bytes = find_max_bytes(),
        .fill = options->fill_line,
    };
    /* A tuple takes a byte at least, unless the command does not show it. */
    if (batch->most > batch->max_bytes)
        batch->most = batch->max_bytes;
}

void map_batch_fini(struct map_batch *batch)
{
    map_values_fini(&batch->pending);
    free(batch->ends);
    batch->ends = NULL;
    batch->n = batch->cap = 0;
}

static int measure_line(const struct map_batch *batch, const struct map_values *values, size_t *ret,
                        struct plait__buf *error)
{
    struct map_place place = { .seq = batch->n_jobs + 1, .slot = batch->jobs };
    struct map_command command = { 0 };
    int rc = map_template_fill(batch->template, values, &place, &command, error);

    if (rc < 0)
        return rc;
    *ret = strlen(command.line) + 1;
    map_command_fini(&command);
    return 0;
}

static size_t measure_values(const struct map_values *values)
{
    size_t bytes = 0;

    for (size_t i = 0; i < values->n; i++)
        bytes += strlen(values->v[i]) + 1 + sizeof *values->v;
    return bytes;
}

/* Is there room in one command for the first n pending tuples? 1 or 0, or an error. */
static int fits(const struct map_batch *batch, size_t n, struct plait__buf *error)
{
    struct map_values values = { .v = batch->pending.v,
                                 .n = batch->ends[n - 1],
                                 .cap = batch->pending.cap };
    size_t bytes, longest = 0, line;
    int rc;

    if (batch->template == NULL)
        return measure_values(&values) <= batch->max_bytes;
    bytes = map_template_bytes(batch->template, &values, &longest);
    if (bytes == SIZE_MAX) { /* no place for these values at all: not a matter of length */
        rc = measure_line(batch, &values, &line, error);
        return rc < 0 ? rc : -ENOMEM; /* there is one: there was no memory to measure it */
    }
    if (bytes > batch->max_bytes || longest >= COMMAND_BYTES)
        return 0;
    if (batch->max_line == 0)
        return 1;
    rc = measure_line(batch, &values, &line, error);
    return rc < 0 ? rc : line <= batch->max_line;
}

/* Appends one tuple to the pending ones. As map_cross_next. */
static int read_tuple(struct map_batch *batch, struct plait__buf *error)
{
    int rc;

    if (batch->n == batch->cap) {
        size_t cap = batch->cap == 0 ? 16 : batch->cap * 2;
        size_t *ends = realloc(batch->ends, cap * sizeof *ends);

        if (ends == NULL)
            return -ENOMEM;
        batch->ends = ends;
        batch->cap = cap;
    }
    rc = map_cross_next(batch->cross, &batch->pending, error);
    if (rc > 0)
        batch->ends[batch->n++] = batch->pending.n;
    return rc;
}

/* Reads until `want` tuples are pending or the input has ended. 0, -EAGAIN or an error. */
static int gather(struct map_batch *batch, size_t want, struct plait__buf *error)
{
    while (batch->n < want && !batch->ended) {
        int rc = read_tuple(batch, error);

        if (rc < 0)
            return rc;
        batch->ended = rc == 0;
    }
    return 0;
}

static int say_too_long(const struct map_batch *batch, struct plait__buf *error)
{
    int rc = plait__buf_printf(error, "the command line of job %llu would be longer than -s %zu",
                               (unsigned long long)batch->n_jobs + 1, batch->max_line);

    return rc < 0 ? rc : -E2BIG;
}

/* `good` tuples fit (0: nobody knows of one), `bad` do not: *ret gets the most that do. */
static int cut(struct map_batch *batch, size_t bad, size_t *ret, struct plait__buf *error)
{
    size_t good = batch->fitting;

    while (bad - good > 1) {
        size_t middle = good + (bad - good) / 2;
        int rc = fits(batch, middle, error);

        if (rc < 0)
            return rc;
        if (rc > 0)
            good = middle;
        else
            bad = middle;
    }
    if (good == 0 && batch->max_line > 0)
        return say_too_long(batch, error);
    *ret = good > 0 ? good : 1; /* that job cannot start and says so; the others go on */
    return 1;
}

/* How many of the pending tuples are the next job: 1 with *ret. 0: there is none · -EAGAIN · an error. */
static int choose(struct map_batch *batch, size_t *ret, struct plait__buf *error)
{
    size_t most = (size_t)(batch->spread > 0 ? batch->spread : batch->most);

    for (;;) {
        size_t want = batch->fitting == 0         ? 1
                      : batch->fitting > most / 2 ? most
                                                  : batch->fitting * 2;
        int gathered = gather(batch, want, error);
        size_t have = batch->n < want ? batch->n : want;

        if (gathered < 0 && gathered != -EAGAIN)
            return gathered;
        if (have > batch->fitting) {
            int rc = fits(batch, have, error);

            if (rc < 0)
                return rc;
            if (rc == 0)
                return cut(batch, have, ret, error);
            batch->fitting = have;
        }
        if (gathered < 0)
            return gathered;
        if (batch->fitting == most || (batch->ended && batch->fitting == batch->n)) {
            *ret = batch->fitting;
            return batch->fitting > 0;
        }
    }
}

/* If all that is left would go into this job: spread it. May have to wait until it is known to be the last. */
static int spread_last(struct map_batch *batch, size_t *count, struct plait__buf *error)
{
    int rc;

    if (!batch->fill || batch->spread > 0 || *count < batch->n)
        return 0;
    rc = gather(batch, batch->n + 1, error);
    if (rc < 0)
        return rc;
    if (*count < batch->n)
        return 0;
    batch->spread = (*count + batch->jobs - 1) / batch->jobs;
    *count = (size_t)batch->spread;
    return 0;
}

/* Moves the first `count` pending tuples to *ret. */
static int take(struct map_batch *batch, size_t count, struct map_values *ret)
{
    struct map_values *pending = &batch->pending;
    size_t n = batch->ends[count - 1];

    if (count == batch->n) {
        map_values_fini(ret);
        *ret = *pending;
        *pending = (struct map_values){ 0 };
    } else {
        char **v = malloc(n * sizeof *v);

        if (v == NULL)
            return -ENOMEM;
        memcpy(v, pending->v, n * sizeof *v);
        pending->n -= n;
        memmove(pending->v, pending->v + n, pending->n * sizeof *v);
        map_values_fini(ret);
        *ret = (struct map_values){ .v = v, .n = n, .cap = n };
    }
    batch->n -= count;
    for (size_t i = 0; i < batch->n; i++)
        batch->ends[i] = batch->ends[i + count] - n;
    batch->fitting = 0;
    return 0;
}

static int next_batch(struct map_batch *batch, struct map_values *ret, struct plait__buf *error)
{
    size_t count = 0;
    int rc = choose(batch, &count, error);

    if (rc <= 0)
        return rc;
    rc = spread_last(batch, &count, error);
    if (rc == 0)
        rc = take(batch, count, ret);
    if (rc < 0)
        return rc;
    batch->n_tuples += count;
    return 1;
}

/* One tuple a job, of any length: the usual case. */
static int next_single(struct map_batch *batch, struct map_values *ret, struct plait__buf *error)
{
    int rc = map_cross_next(batch->cross, batch->most == 0 ? NULL : ret, error);

    if (rc > 0)
        batch->n_tuples++;
    batch->ended |= rc == 0;
    return rc;
}

int map_batch_next(struct map_batch *batch, struct map_values *ret, struct plait__buf *error)
{
    bool is_single = batch->most == 0 || (batch->most == 1 && batch->max_line == 0);
    int rc = is_single ? next_single(batch, ret, error) : next_batch(batch, ret, error);

    if (rc > 0)
        batch->n_jobs++;
    return rc;
}

int64_t map_batch_total(const struct map_batch *batch)
{
    uint64_t most = batch->most == 0 ? 1 : batch->most;
    int64_t tuples;
    uint64_t left;

    if (batch->ended && batch->n == 0)
        return (int64_t)batch->n_jobs;
    if (batch->fill && batch->most != 0) {
        if (batch->spread == 0)
            return -1;
        most = batch->spread;
    }
    tuples = map_cross_total(batch->cross);
    if (tuples < 0)
        return -1;
    left = (uint64_t)tuples - batch->n_tuples;
    return (int64_t)(batch->n_jobs + left / most + (left % most != 0));
}
