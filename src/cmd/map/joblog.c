/* The job log in GNU parallel's nine columns.
 * SPDX-License-Identifier: MIT
 *
 * What a resumed run must know of ten million jobs is one word each (seqmap.h): its lowest two bits say how the job
 * ended, the rest is a hash of its command or, for --retry-failed, where its line begins in the file.
 *
 * Numbers are formatted from integers, not by %f, whose decimal point depends on the locale.
 */
#include "cmd/map/joblog.h"

#include "cmd/map/joblog_read.h"
#include "cmd/map/printable.h"
#include "cmd/map/seqmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STATE_DONE = 1,
    STATE_FAILED = 2,
    STATE_BITS = 2,
    STATE_MASK = (1 << STATE_BITS) - 1
};

struct map_joblog {
    int fd;
    enum map_resume resume;
    bool is_file;                /* a regular one, that can be read back and cut */
    bool is_torn;                /* it ends in a piece of a line that could not be cut off */
    struct map_seqmap known;     /* const after open */
    struct map_seqmap_walk walk; /* of the failed jobs */
    struct plait__buf line;      /* that is written */
    struct plait__buf old_line;  /* that map_joblog_next_failed gave out */
};

/* FNV-1a over the bytes that are not quotes or escapes: GNU parallel and plait quote the same words differently. A
 * newline counts as NUL, as which GNU parallel logs it. */
static uint64_t hash_command(const char *bytes, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++) {
        unsigned char c = bytes[i] == '\n' ? 0 : (unsigned char)bytes[i];

        if (c == '\'' || c == '"' || c == '\\')
            continue;
        hash = (hash ^ c) * UINT64_C(0x100000001b3);
    }
    return hash << STATE_BITS;
}

static int remember_line(const struct map_joblog_line *line, void *user)
{
    struct map_joblog *log = user;
    uint64_t word;

    if (log->resume != MAP_RETRY_FAILED)
        word = hash_command(line->command, line->command_len) |
               (line->failed ? STATE_FAILED : STATE_DONE);
    else
        word = line->failed ? line->offset << STATE_BITS | STATE_FAILED : 0;
    return map_seqmap_set(&log->known, line->seq, word);
}

/* The sentence for a failure; reason NULL: what rc means. */
static int say(struct plait__buf *error, const char *what, const char *path, int rc,
               const char *reason)
{
    plait__buf_clear(error);
    (void)plait__buf_printf(error, "cannot %s the job log '", what);
    (void)map_printable_add(error, path, strlen(path), &(struct map_printable){ .utf8 = true });
    (void)plait__buf_printf(error, "': %s", reason ? reason : strerror(-rc));
    return rc;
}

/* Reads the old log and cuts its torn end. */
static int read_old(struct map_joblog *log, const char *path, struct plait__buf *error)
{
    struct plait__buf reason = { 0 };
    struct stat st;
    uint64_t end;
    int rc = map_joblog_read(log->fd, remember_line, log, &end, &reason);

    if (rc < 0)
        say(error, "go on with", path, rc, reason.len > 0 ? reason.data : NULL);
    plait__buf_fini(&reason);
    if (rc < 0)
        return rc;
    if (fstat(log->fd, &st) < 0)
        return say(error, "read", path, -errno, NULL);
    if ((uint64_t)st.st_size > end && ftruncate(log->fd, (off_t)end) < 0)
        return say(error, "cut the torn end of", path, -errno, NULL);
    return 0;
}

/* Writes all of it, with one call unless the disk fills in between. *ret_done: what went out in any case. */
static int write_all(int fd, const char *bytes, size_t n, size_t *ret_done)
{
    size_t done = 0;
    int rc = 0;

    while (done < n && rc == 0) {
        ssize_t now = write(fd, bytes + done, n - done);

        if (now > 0)
            done += (size_t)now;
        else if (now == 0 || errno != EINTR)
            rc = now == 0 ? -EIO : -errno;
    }
    *ret_done = done;
    return rc;
}

/* Takes back the n bytes just written, if they are still the last of the file. */
static bool cut_end(const struct map_joblog *log, size_t n)
{
    off_t end = log->is_file ? lseek(log->fd, 0, SEEK_CUR) : -1;
    struct stat st;

    return end >= (off_t)n && fstat(log->fd, &st) == 0 && st.st_size == end &&
           ftruncate(log->fd, end - (off_t)n) == 0;
}

static int append(struct map_joblog *log, const char *bytes, size_t n)
{
    size_t done;
    int rc = write_all(log->fd, bytes, n, &done);

    if (rc == 0)
        log->is_torn = false;
    else if (done > 0 && !cut_end(log, done))
        log->is_torn = true;
    return rc;
}

static int open_file(struct map_joblog *log, const char *path)
{
    int flags = O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY;
    struct stat st;

    if (strcmp(path, "-") == 0)
        log->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    else if (log->resume == MAP_RESUME_NONE)
        log->fd = open(path, flags | O_WRONLY | O_TRUNC, 0666);
    else
        log->fd = open(path, flags | O_RDWR, 0666);
    if (log->fd < 0 || fstat(log->fd, &st) < 0)
        return -errno;
    log->is_file = S_ISREG(st.st_mode) && strcmp(path, "-") != 0;
    return 0;
}

/* A log that is gone on with has its header already, unless it was empty. */
static int write_header(struct map_joblog *log)
{
    struct stat st;

    if (fstat(log->fd, &st) < 0)
        return -errno;
    if (log->is_file && st.st_size > 0)
        return 0;
    return append(log, MAP_JOBLOG_HEADER, sizeof MAP_JOBLOG_HEADER - 1);
}

int map_joblog_open(struct map_joblog **ret, const char *path, enum map_resume resume,
                    struct plait__buf *error)
{
    struct map_joblog *log = calloc(1, sizeof *log);
    int rc;

    if (!log)
        return say(error, "open", path, -ENOMEM, NULL);
    log->fd = -1;
    log->resume = resume;
    rc = open_file(log, path);
    if (rc < 0) {
        say(error, "open", path, rc, NULL);
        goto fail;
    }
    if (resume != MAP_RESUME_NONE && log->is_file) {
        rc = read_old(log, path, error);
        if (rc < 0)
            goto fail;
    }
    rc = write_header(log);
    if (rc == 0 && resume == MAP_RETRY_FAILED)
        rc = map_seqmap_walk_init(&log->walk, &log->known);
    if (rc < 0) {
        say(error, "write", path, rc, NULL);
        goto fail;
    }
    *ret = log;
    return 0;
fail:
    map_joblog_close(log);
    return rc;
}

void map_joblog_close(struct map_joblog *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    map_seqmap_walk_fini(&log->walk);
    map_seqmap_fini(&log->known);
    plait__buf_fini(&log->line);
    plait__buf_fini(&log->old_line);
    free(log);
}

bool map_joblog_wants(struct map_joblog *log, uint64_t seq, const char *line, bool *ret_changed)
{
    uint64_t word = log->resume == MAP_RETRY_FAILED ? 0 : map_seqmap_get(&log->known, seq);

    if (word == 0)
        return true;
    if ((word & ~(uint64_t)STATE_MASK) != hash_command(line, strlen(line)))
        *ret_changed = true;
    return log->resume == MAP_RESUME_FAILED && (word & STATE_MASK) == STATE_FAILED;
}

/* Reads the line at `offset`, without its newline, into log->old_line. */
static int read_line_at(struct map_joblog *log, uint64_t offset)
{
    struct plait__buf *line = &log->old_line;
    char *newline = NULL;

    plait__buf_clear(line);
    while (!newline) {
        int rc = plait__buf_reserve(line, 4096);
        ssize_t n;

        if (rc < 0)
            return rc;
        n = pread(log->fd, line->data + line->len, 4096, (off_t)(offset + line->len));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        newline = memchr(line->data + line->len, '\n', (size_t)n);
        line->len += (size_t)n;
    }
    *newline = '\0';
    line->len = (size_t)(newline - line->data);
    return 0;
}

int map_joblog_next_failed(struct map_joblog *log, uint64_t *ret_seq, const char **ret_line)
{
    struct map_joblog_line line;
    uint64_t seq, word;
    char *command;
    int rc;

    if (!map_seqmap_walk_next(&log->walk, &seq, &word))
        return 0;
    rc = read_line_at(log, word >> STATE_BITS);
    if (rc < 0)
        return rc;
    /* Somebody else has changed the file under us if this fails. */
    if (map_joblog_parse(log->old_line.data, log->old_line.len, &line) != MAP_JOBLOG_JOB ||
        line.seq != seq)
        return -EIO;
    command = log->old_line.data + (line.command - log->old_line.data);
    for (size_t i = 0; i < line.command_len; i++)
        if (command[i] == '\0')
            command[i] = '\n';
    *ret_seq = seq;
    *ret_line = command;
    return 1;
}

/* What the columns Exitval and Signal say. */
static void get_ending(const struct map_result *result, int *ret_exit, int *ret_signal)
{
    *ret_exit = result->signal != 0 ? 0 : result->exit_status;
    *ret_signal = result->signal;
    if (result->timed_out) {
        *ret_exit = -1;
        *ret_signal = 15;
    } else if (map_result_failed(result) && *ret_exit == 0 && *ret_signal == 0) {
        *ret_signal = 9; /* with its keeper */
    }
}

/* Nanoseconds as milliseconds, rounded, and not less than none. */
static int64_t to_ms(int64_t ns)
{
    return ns > 0 ? ns / 1000000 + (ns % 1000000 >= 500000) : 0;
}

static int format_line(struct plait__buf *line, const struct map_result *result)
{
    int64_t start_ms = to_ms(result->start_ns), run_ms = to_ms(result->run_ns);
    int exit_status, signal, rc;
    size_t command_at;

    get_ending(result, &exit_status, &signal);
    rc = plait__buf_printf(
        line, "%" PRIu64 "\t:\t%" PRId64 ".%03d\t%6" PRId64 ".%03d\t0\t%" PRIu64 "\t%d\t%d\t",
        result->seq, start_ms / 1000, (int)(start_ms % 1000), run_ms / 1000, (int)(run_ms % 1000),
        result->out_bytes, exit_status, signal);
    if (rc < 0)
        return rc;
    command_at = line->len;
    rc = plait__buf_add_str(line, result->line ? result->line : "");
    if (rc < 0)
        return rc;
    /* A command should come as one line; if not, do as GNU parallel does. */
    for (size_t i = command_at; i < line->len; i++)
        if (line->data[i] == '\n')
            line->data[i] = '\0';
    return plait__buf_add_char(line, '\n');
}

int map_joblog_write(struct map_joblog *log, const struct map_result *result)
{
    int rc;

    plait__buf_clear(&log->line);
    rc = log->is_torn ? plait__buf_add_char(&log->line, '\n') : 0;
    if (rc == 0)
        rc = format_line(&log->line, result);
    if (rc < 0)
        return rc;
    return append(log, log->line.data, log->line.len);
}
