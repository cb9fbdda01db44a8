/* One source of input: a file, a pipe or the arguments of the command line, cut into records.
 * SPDX-License-Identifier: MIT
 *
 * A stream stands on one record at a time and moves forward. A held stream keeps everything that it has read and can be
 * rewound; any other forgets what lies behind it and reads at most 4 MiB ahead.
 */
#ifndef PLAIT__CMD_MAP_INPUT_STREAM_H
#define PLAIT__CMD_MAP_INPUT_STREAM_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAP_STREAM_AHEAD_BYTES = 4 << 20,   /* so much is read before anybody asks for it */
    MAP_STREAM_RECORD_BYTES = 64 << 20, /* a record longer than this is refused */
};

struct map_cut {
    char delimiter;  /* ends a record; '\n', '\0' or what -d says */
    bool skip_blank; /* -r: a record of nothing but white space is no record */
};

struct map_stream {
    struct map_cut cut;
    bool held; /* keeps all for map_stream_rewind */

    char *const *args; /* the arguments of the command line; NULL: a file */
    size_t n_args;

    const char *path; /* for messages; "-" is standard input */
    int fd;           /* -1: an argument list, or closed at its end */
    bool ended;       /* nothing is left to be read */
    struct plait__buf buf;
    unsigned since_ahead; /* records since the last read-ahead */

    /* Places: offsets into buf, or indexes of args. */
    size_t next;     /* where the next record starts */
    size_t searched; /* where the search for its end goes on */
    size_t first;    /* where the first record behind the header started: rewind goes there */

    const char
        *record; /* where the stream stands; NULL: before the first record or beyond the last */
    size_t len;
    uint64_t line;  /* number of that record, counted from 1, header and skipped ones included */
    uint64_t taken; /* records that map_stream_next has given, header not included */
    int64_t total;  /* -1: not counted yet */
};

/* Stands before the first argument. */
void map_stream_open_args(struct map_stream *stream, const struct map_cut *cut, char *const *args,
                          size_t n_args);
/* Opens a file, "-" for standard input. -errno with one sentence in `error`. Blocks only while opening a named pipe
 * that has no writer. */
int map_stream_open_file(struct map_stream *stream, const struct map_cut *cut, const char *path,
                         struct plait__buf *error);
void map_stream_close(struct map_stream *stream);

/* Moves to the next record: 1. 0: there is none · -EAGAIN: wait until stream->fd is readable · else an error, with one
 * sentence in `error` · -EINTR: many were skipped, ask again. What stream->record pointed to before is gone. */
int map_stream_next(struct map_stream *stream, struct plait__buf *error);
/* Takes the first record as a header, waiting for it. 1 · 0: the source is empty · an error. */
int map_stream_next_header(struct map_stream *stream, struct plait__buf *error);

/* Reads what is there now, up to the bound; errors are left for map_stream_next. stream->record stays, though it moves. */
void map_stream_read_ahead(struct map_stream *stream);
/* Of a held stream: reads up to its end. 0 · -EAGAIN · an error. */
int map_stream_load(struct map_stream *stream, struct plait__buf *error);
/* Of a held stream that is loaded: before the first record again. */
void map_stream_rewind(struct map_stream *stream);
/* How many records the whole source has; -1 as long as its end has not been seen. */
int64_t map_stream_total(struct map_stream *stream);

#endif
