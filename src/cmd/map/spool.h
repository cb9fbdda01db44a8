/* The output of jobs until it is printed: little of it in memory, the rest in one unnamed file.
 * SPDX-License-Identifier: MIT
 *
 * All streams share the file: extents are appended, and its space is given back when they have been
 * printed. Memory is bounded by 64 KiB a running stream and 32 MiB for all that waits for its turn.
 */
#ifndef PLAIT__CMD_MAP_SPOOL_H
#define PLAIT__CMD_MAP_SPOOL_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where the spilled parts of all streams are. */
struct map_spool {
    int fd; /* -1: nothing was spilled yet */
    off_t end;
    size_t extents;   /* set aside in the file, of all streams */
    size_t in_memory; /* bytes in finished streams */
    char *page;       /* what is being read; NULL until the first read */
};

/* A stretch of the file that belongs to one stream. */
struct map_extent {
    off_t at;
    size_t n;   /* bytes in use */
    size_t cap; /* bytes set aside; as many as are not in use take no space */
};

/* What one job wrote to one of its descriptors. */
struct map_stream {
    int fd;                     /* the read end; -1: closed */
    int far;                    /* our copy of the write end; -1: none. See map_stream_close_far */
    struct plait__buf tail;     /* what came last */
    struct map_extent *extents; /* what came before, in order */
    size_t n_extents, cap_extents;
    uint64_t bytes; /* in all, printed ones included */
    size_t counted; /* of tail, what the spool counts as waiting */
};

#define MAP_STREAM_NONE ((struct map_stream){ .fd = -1, .far = -1 })

void map_spool_init(struct map_spool *spool);
void map_spool_fini(struct map_spool *spool);

/* Reads once, without waiting. 1: something came · 0: the end · -EAGAIN: nothing now · -ENOMEM,
 * -ENOSPC …: it cannot be kept. */
int map_stream_read(struct map_spool *spool, struct map_stream *stream);
/* The job is over, its output waits: into the file with it when too much waits in memory already.
 */
int map_stream_settle(struct map_spool *spool, struct map_stream *stream);
/* Hands over all whole lines that have come, and forgets them. */
typedef int map_spool_fn(void *arg, const char *bytes, size_t n);
int map_stream_take_lines(struct map_spool *spool, struct map_stream *stream, map_spool_fn *fn,
                          void *arg);
/* Hands all bytes over in order, as often as asked. fn's negative return ends it. */
int map_stream_each(struct map_spool *spool, const struct map_stream *stream, map_spool_fn *fn,
                    void *arg);
/* The job has ended: from now on the stream has an end. While we hold the far end too, the job's
 * closing of its output wakes nobody: two wakes less for each job. */
void map_stream_close_far(struct map_stream *stream);
/* Closes it and forgets its bytes. */
void map_stream_fini(struct map_spool *spool, struct map_stream *stream);

#endif
