/* What the engine writes: the output of jobs.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/exit.h"
#include "cmd/map/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Writes to `to`, each line with the tag before it. */
struct tagger {
    struct map_writer *to;
    const char *tag; /* NULL: none */
    size_t tag_len;
    bool is_inside; /* in the middle of a line */
};

static int write_tagged(void *arg, const char *bytes, size_t n)
{
    struct tagger *tagger = arg;
    const char *end = bytes + n;
    int rc = 0;

    if (tagger->tag == NULL)
        return map_writer_write(tagger->to, bytes, n);
    while (rc == 0 && bytes < end) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline != NULL ? newline + 1 : end;
        if (!tagger->is_inside)
            rc = map_writer_write(tagger->to, tagger->tag, tagger->tag_len);
        if (rc == 0)
            rc = map_writer_write(tagger->to, bytes, (size_t)(stop - bytes));
        tagger->is_inside = newline == NULL;
        bytes = stop;
    }
    return rc;
}

/* The tag of a job with its tab; empty without --tag. */
static int make_tag(const struct map_engine *engine, const struct map_job *job,
                    struct plait__buf *ret)
{
    const char *text = engine->options->tagstring != NULL ? engine->options->tagstring : "{}";
    struct map_place place = { .seq = job->seq, .slot = job->slot };
    int rc;

    if (!engine->options->tag && engine->options->tagstring == NULL)
        return 0;
    rc = map_template_text(text, &job->values, &place, ret);
    return rc < 0 ? rc : plait__buf_add_char(ret, '\t');
}

static int print_streams(struct map_engine *engine, struct map_job *job)
{
    struct plait__buf tag = { 0 };
    int rc = make_tag(engine, job, &tag);

    if (rc == 0) {
        struct tagger out = { .to = &engine->out, .tag = tag.data, .tag_len = tag.len };
        struct tagger err = { .to = &engine->err, .tag = tag.data, .tag_len = tag.len };
        rc = map_stream_each(&engine->spool, &job->out, write_tagged, &out);
        if (rc == 0)
            rc = map_stream_each(&engine->spool, &job->err, write_tagged, &err);
        if (rc == -EPIPE && engine->err.is_gone && !engine->out.is_gone)
            rc = 0; /* nobody reads the errors: no reason to stop */
    }
    plait__buf_fini(&tag);
    return rc;
}

static int add_to_buf(void *arg, const char *bytes, size_t n)
{
    return plait__buf_add(arg, bytes, n);
}

static int print_json(struct map_engine *engine, struct map_job *job)
{
    struct plait__buf out = { 0 }, err = { 0 }, line = { 0 };
    int rc = map_stream_each(&engine->spool, &job->out, add_to_buf, &out);

    if (rc == 0)
        rc = map_stream_each(&engine->spool, &job->err, add_to_buf, &err);
    if (rc == 0)
        rc = map_json_result(&line, &job->result, &out, &err);
    if (rc == 0)
        rc = map_writer_write(&engine->out, line.data, line.len);
    plait__buf_fini(&out);
    plait__buf_fini(&err);
    plait__buf_fini(&line);
    return rc;
}

int map_engine_print_job(struct map_engine *engine, struct map_job *job)
{
    if (engine->options->json) {
        map_report_wipe(engine->report);
        return print_json(engine, job);
    }
    if (job->out.bytes + job->err.bytes == 0)
        return 0;
    map_report_wipe(engine->report);
    return print_streams(engine, job);
}

int map_engine_print_lines(struct map_engine *engine, struct map_job *job, bool is_err)
{
    struct map_stream *stream = is_err ? &job->err : &job->out;
    struct plait__buf tag = { 0 };
    int rc = make_tag(engine, job, &tag);

    if (rc == 0) {
        struct tagger tagger = { .to = is_err ? &engine->err : &engine->out,
                                 .tag = tag.data,
                                 .tag_len = tag.len };
        map_report_wipe(engine->report);
        rc = map_stream_take_lines(&engine->spool, stream, write_tagged, &tagger);
    }
    plait__buf_fini(&tag);
    return rc;
}

static int write_to_fd(void *arg, const char *bytes, size_t n)
{
    return map_writer_write(arg, bytes, n);
}

static int save_stream(struct map_engine *engine, const struct map_stream *stream, const char *path)
{
    struct map_writer file;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc;

    if (fd < 0)
        return -errno;
    map_writer_init(&file, fd);
    rc = map_stream_each(&engine->spool, stream, write_to_fd, &file);
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

static int save_seq(uint64_t seq, const char *path)
{
    struct plait__buf text = { 0 };
    struct map_writer file;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc = fd < 0 ? -errno : plait__buf_printf(&text, "%llu", (unsigned long long)seq);

    if (rc == 0) {
        map_writer_init(&file, fd);
        rc = map_writer_write(&file, text.data, text.len);
    }
    if (fd >= 0 && close(fd) < 0 && rc == 0)
        rc = -errno;
    plait__buf_fini(&text);
    return rc;
}

int map_engine_save_results(struct map_engine *engine, struct map_job *job)
{
    struct map_results_tree tree = { .dir = engine->options->results };
    struct map_results_paths paths;
    struct plait__buf error = { 0 };
    int rc;

    if (engine->options->colsep == NULL) /* else records may be of any width */
        tree.n_columns = engine->options->n_sources > 0 ? engine->options->n_sources : 1;
    if (engine->input != NULL)
        tree.names = map_input_names(engine->input, &tree.n_names);
    rc = map_results_paths(&paths, &tree, &job->values, &error);
    if (rc < 0)
        map_engine_fail(engine, CMD_EXIT_ERROR, "%s",
                        error.data != NULL ? error.data : "out of memory");
    if (rc == 0) {
        rc = save_stream(engine, &job->out, paths.out);
        if (rc == 0)
            rc = save_stream(engine, &job->err, paths.err);
        if (rc == 0)
            rc = save_seq(job->seq, paths.seq);
        map_results_paths_fini(&paths);
    }
    plait__buf_fini(&error);
    return rc;
}
